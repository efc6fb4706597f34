# Shared by the benchmarks (source it after tools/lib.sh).

# prepare: builds and installs the module as users get it, and changes to a copy of what the benchmarks need, which the unprivileged user
# of tools/cluster can read; the copy goes when the shell ends.
prepare() {
    cd "$top"
    tools/deps
    . tools/lib.sh
    work=$(mktemp -d "${TMPDIR:-/tmp}/pllua_bg.bench.XXXXXX")
    trap 'trap "" INT TERM HUP; stop_supervised; rm -rf "$work"' EXIT
    exit_on_signals
    chmod 755 "$work"
    supervise make -s -j"$(nproc)"
    if can_install; then
        supervise make -s install
    elif ! cmp -s pllua_bg.so "$("$pg_config" --pkglibdir)/pllua_bg.so"; then
        die "the module is not installed, and installing needs root: sudo make install"
    fi
    mkdir "$work/tools"
    cp -r tools/cluster tools/lib.sh "$work/tools"
    cp -r bench "$work/bench"
    cd "$work"
}
