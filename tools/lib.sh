# Shared by the scripts in tools/ (source it). Sets: top, pg_config, bindir; functions below.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
pg_config=${PG_CONFIG:-pg_config}
case $pg_config in ?*/*) pg_config=$(realpath -s "$pg_config") ;; esac
if command -v "$pg_config" >/dev/null; then
    bindir=$("$pg_config" --bindir)
fi

die() { echo "$(basename "$0"): $*" >&2; exit 1; }

# The unprivileged account that runs servers and tests when we are root.
test_user() {
    if [ "$(id -u)" != 0 ]; then id -un
    elif id postgres >/dev/null 2>&1; then echo postgres
    else echo nobody; fi
}

# as_test_user COMMAND...: becomes COMMAND under that account; it is told to stop when its parent dies.
as_test_user() {
    if [ "$(id -u)" != 0 ]; then exec setpriv --pdeathsig INT -- "$@"; fi
    local user; user=$(test_user)
    exec setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups --pdeathsig INT -- \
        env HOME=/nonexistent USER="$user" LOGNAME="$user" "$@"
}

# supervise COMMAND...: runs COMMAND as a process group of its own and waits for it. INT, TERM and HUP reach the
# whole group; an EXIT trap of the caller runs after the group is gone. Returns COMMAND's exit status.
supervised=
supervise() {
    local status=0
    set -m
    "$@" </dev/null &
    supervised=$!
    set +m
    wait "$supervised" || status=$?
    supervised=
    return "$status"
}

stop_supervised() {
    [ -n "$supervised" ] || return 0
    kill -TERM -- "-$supervised" 2>/dev/null || true
    wait "$supervised" 2>/dev/null || true
    supervised=
}

exit_on_signals() {
    trap 'stop_supervised; exit 130' INT
    trap 'stop_supervised; exit 143' TERM HUP
}

# suite_options SUITE: options of the server for a suite, after those of the environment (CLUSTER_OPTIONS).
suite_options() {
    local options=${CLUSTER_OPTIONS:-}
    case $1 in loaded | examples) options+=" -c shared_preload_libraries=pllua_bg" ;; esac
    echo "$options"
}

# give_to_test_user PATH...: makes files the unprivileged account's own when we are root.
give_to_test_user() {
    if [ "$(id -u)" = 0 ]; then chown -R "$(test_user)" "$@"; fi
}

# make_work NAME: sets work, a new folder that the unprivileged account can get to: in build/, or in TMPDIR where it cannot enter the
# checkout. make cannot take a blank in the path of a server. The caller removes it.
make_work() {
    mkdir -p "$top/build"
    local parent=$top/build
    if [[ $parent == *[[:space:]]* ]] || ! (as_test_user test -x "$parent"); then parent=${TMPDIR:-/tmp}; fi
    work=$(mktemp -d "$parent/pllua_bg.$1.XXXXXX")
    chmod 755 "$work"
}

# fingerprint PG_CONFIG: all that lies in the folders of that server's programs, libraries and share, with time and checksum.
fingerprint() {
    local folders=("$("$1" --bindir)" "$("$1" --pkglibdir)" "$("$1" --sharedir)")
    # what may not be read is not ours to change
    { find -L "${folders[@]}" -printf '%p %y %m %s %T@\n' | sort
      find -L "${folders[@]}" -type f -exec md5sum {} + | sort -k 2; } 2>/dev/null || true
}

# install_privately TREE [ARGUMENT...]: builds TREE with these arguments of make and installs it into a copy of the server
# made for it, $work/server. From here on the copy is the server in use (PG_CONFIG, pg_config, bindir), ORIGINAL_PG_CONFIG the one it was made from.
install_privately() {
    local tree=$1
    shift
    set -- make -s -C "$tree" -j"$(nproc)" PG_CONFIG="$pg_config" "$@"
    supervise "$@" || return
    export ORIGINAL_PG_CONFIG=$pg_config
    PG_CONFIG=$("$top/tools/server" "$work/server") || return
    supervise "$@" install DESTDIR="$work/server" || return
    # what `make check PG_CONFIG=...` was given would go before the environment
    unset MAKEFLAGS MFLAGS MAKEOVERRIDES
    export PG_CONFIG
    . "$top/tools/lib.sh"
}

# watch_server LIBRARY: every server of the copy in use loads it before others, also those that tests start, of copies of it, too.
watch_server() {
    mv "$bindir/postgres" "$bindir/postgres.unwatched"
    # shellcheck disable=SC2016
    printf '#!/bin/sh\nexport LD_PRELOAD="%s${LD_PRELOAD:+:$LD_PRELOAD}"\nexec "$(dirname "$0")/postgres.unwatched" "$@"\n' "$1" >"$bindir/postgres"
    chmod 755 "$bindir/postgres"
}

# copy_tree FOLDER: a copy of the sources and tests without what was built; what FOLDER had is gone except for what was built there.
copy_tree() {
    mkdir -p "$1"
    find "$1" -mindepth 1 -maxdepth 1 ! -name build ! -name '*.so' -exec rm -rf {} +
    tar -C "$top" -cf - --exclude=./.git --exclude=./build --exclude='./*.so' --exclude=./results --exclude=./tmp_check . |
        tar -xf - -C "$1" --no-same-owner
}

# apt_archive: the first archive in apt's configuration, in either of its formats.
apt_archive() {
    awk '$1 == "URIs:" { print $2; exit }' /etc/apt/sources.list.d/*.sources 2>/dev/null | grep . ||
        awk '$1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /^[a-z+]+:\//) { print $i; exit } }' \
            /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null
}

# missing_packages PACKAGE...: those of these Debian packages that are not installed, also where dpkg has heard of them.
missing_packages() {
    local package state
    for package in "$@"; do
        # shellcheck disable=SC2016
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || echo "$package"
    done
}

# control KEY EXTENSION: what its control file says.
control() { sed -nE "s/^$1 *= *'([^']*)'.*/\1/p" "$top/$2.control"; }
