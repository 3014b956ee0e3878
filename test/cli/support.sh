# shellcheck shell=bash
# What the tests of the program share; sourced, with the program in $lifeguard. $directory and every
# process in `running` go at the end.

directory=$(mktemp -d)
declare -A running=() # by name

end() {
    local process
    for process in "${running[@]}"; do
        kill -KILL "$process" 2>/dev/null || true
    done
    rm -rf "$directory"
}
trap end EXIT

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# expect STATUS PATTERN COMMAND...: runs a command; what it prints must match.
expect() {
    local wanted=$1 pattern=$2 status=0 output
    shift 2
    output=$("$@" 2>&1) || status=$?
    echo "+ $* -> $status"
    ((status == wanted)) || fail "$*: status $status, not $wanted: $output"
    grep -Eq -- "$pattern" <<<"$output" || fail "$*: no '$pattern' in: $output"
}

# serve NAME ARGUMENT...: a server, whose log is $directory/NAME.err; sets `url`.
serve() {
    local name=$1
    shift
    : >"$directory/$name.out" # before the server: what an older one said does not count
    "$lifeguard" serve --listen 127.0.0.1:0 --demo "$@" \
        >"$directory/$name.out" 2>"$directory/$name.err" &
    running[$name]=$!
    until grep -q 'listening on' "$directory/$name.out"; do
        kill -0 "${running[$name]}" 2>/dev/null || fail "$name ended: $(cat "$directory/$name.err")"
        sleep 0.05
    done
    url=$(sed 's/.*listening on //' "$directory/$name.out")
}

# stop NAME: in good order.
stop() {
    local status=0
    kill -TERM "${running[$1]}"
    wait "${running[$1]}" || status=$?
    ((status == 0)) || fail "$1 ended with $status: $(cat "$directory/$1.err")"
    unset "running[$1]"
}

# certificate NAME ALTERNATIVES: $directory/NAME.pem, and its key.
certificate() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=lifeguard test" \
        -addext "subjectAltName=$2" -keyout "$directory/$1.key" -out "$directory/$1.pem" 2>/dev/null
}
