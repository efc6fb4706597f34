# Shared by the scripts in tools/servers (source it). Sets what tools/lib.sh sets, and cache: the folder to keep servers in.
# Environment: SERVERS_CACHE, another folder.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

cache=${SERVERS_CACHE:-$([ -w /var/cache ] && echo /var/cache/pllua_bg || echo "$HOME/.cache/pllua_bg")}
mkdir -p "$cache"

# The Debian releases that have, or had, this major version: some may list packages whose files are gone.
releases() { # releases MAJOR
    case $1 in
        15) echo bookworm ;;
        17) echo trixie ;;
        18) echo forky sid ;;
        19) echo experimental sid ;;
        *) die "which Debian release has PostgreSQL $1? name it" ;;
    esac
}

# Lets one at a time make what NAME is about.
one_at_a_time() { # one_at_a_time NAME
    exec 9>"$cache/lock-$1"
    flock 9
}

# As root, installs what is missing of what is needed to make a server.
need() { # need PACKAGE...
    local missing
    missing=$(missing_packages "$@")
    [ -n "$missing" ] && [ "$(id -u)" = 0 ] || return 0
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >&2
}
