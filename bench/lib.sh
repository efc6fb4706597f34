# Shared by the benchmarks (source it after tools/lib.sh).

# prepare: builds the module as users get it, installs it into a copy of the server, and changes to a copy of what the benchmarks need,
# which the unprivileged user of tools/cluster can read; both copies go when the shell ends.
prepare() {
    cd "$top"
    tools/deps build
    . tools/lib.sh
    make_work bench
    trap 'trap "" INT TERM HUP; stop_supervised; rm -rf "$work"' EXIT
    exit_on_signals
    install_privately . FAULTS=
    mkdir "$work/tools"
    cp -r tools/cluster tools/lib.sh "$work/tools"
    cp -r bench "$work/bench"
    cd "$work"
}
