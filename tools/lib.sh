# Shared by the scripts in tools/ (source it). Sets: top, pg_config, bindir; functions below.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
pg_config=${PG_CONFIG:-pg_config}
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

# give_to_test_user PATH...: makes files the unprivileged account's own when we are root.
give_to_test_user() {
    if [ "$(id -u)" = 0 ]; then chown -R "$(test_user)" "$@"; fi
}

# copy_tree FOLDER: a copy of the sources and tests without what was built.
copy_tree() {
    mkdir -p "$1"
    tar -C "$top" -cf - --exclude=./.git --exclude=./build --exclude='./*.so' --exclude=./results --exclude=./tmp_check . |
        tar -xf - -C "$1" --no-same-owner
}

# Installing needs root, except for a server of one's own.
can_install() { [ "$(id -u)" = 0 ] || [ -w "$("$pg_config" --pkglibdir)" ]; }
