# Debian 13 with its PostgreSQL, pllua_bg as a Debian package, and the demo: docs/install.md.
FROM debian:trixie-slim AS build
WORKDIR /usr/src/pllua_bg
COPY . .
RUN DEB_BUILD_OPTIONS="nocheck parallel=$(nproc)" tools/deb

FROM debian:trixie-slim
# a cluster that the server's package makes would be in the image
RUN --mount=type=bind,from=build,source=/usr/src/pllua_bg/build/deb,target=/mnt \
    apt-get update && \
    apt-get install -y --no-install-recommends postgresql-common && \
    sed -i 's/^#*create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf && \
    apt-get install -y --no-install-recommends /mnt/postgresql-*-pllua-bg_*.deb && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*
COPY tools/container tools/cluster tools/demo tools/lib.sh /opt/pllua_bg/tools/
COPY examples/demo /opt/pllua_bg/examples/demo
ENV PGDATA=/var/lib/postgresql/data
VOLUME /var/lib/postgresql
EXPOSE 5432
STOPSIGNAL SIGINT
USER postgres
ENTRYPOINT ["/opt/pllua_bg/tools/container"]
