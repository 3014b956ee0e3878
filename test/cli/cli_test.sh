#!/usr/bin/env bash
# Every command of the program against a server of its own. Arguments: the program.
set -euo pipefail

lifeguard=$1
directory=$(mktemp -d)
server=

end() {
    if [[ -n $server ]] && kill -0 "$server" 2>/dev/null; then
        kill -KILL "$server"
    fi
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

start() {
    : >"$directory/out" # before the server: what an older one said does not count
    "$lifeguard" serve --listen 127.0.0.1:0 --store "sqlite:$directory/jobs.db" --demo "$@" \
        >"$directory/out" 2>"$directory/err" &
    server=$!
    until grep -q 'listening on' "$directory/out"; do
        kill -0 "$server" 2>/dev/null || fail "the server ended: $(cat "$directory/err")"
        sleep 0.05
    done
    LIFEGUARD_URL=$(sed 's/.*listening on //' "$directory/out")
    export LIFEGUARD_URL
}

stop() {
    kill -TERM "$server"
    local status=0
    wait "$server" || status=$?
    ((status == 0)) || fail "serve ended with $status: $(cat "$directory/err")"
    server=
}

expect 0 '^lifeguard [0-9]+\.[0-9]+\.[0-9]+$' "$lifeguard" version
expect 2 'subcommand' "$lifeguard"
expect 2 '' "$lifeguard" no-such-command
expect 3 'is `lifeguard serve` running' "$lifeguard" --server http://127.0.0.1:1 queues
expect 2 'ADDRESS:PORT' "$lifeguard" serve --listen nowhere
expect 1 'token: must be set' "$lifeguard" serve --listen 0.0.0.0:0 --store memory
expect 2 'memory or sqlite:PATH' "$lifeguard" serve --store paper

echo '{"pools":[{"name":"images","size":2}]}' >"$directory/good.json"
echo '{"pools":[{"name":"images","size":0}]}' >"$directory/bad.json"
expect 0 'images/2 \(worker' "$lifeguard" check "$directory/good.json"
expect 1 'pools\[0\]\.size' "$lifeguard" check "$directory/bad.json"

start
expect 0 '^\{"a":1\}$' "$lifeguard" submit echo '{"a":1}' --wait 5s
expect 4 'discarded: told to fail' "$lifeguard" submit fail --max-attempts 1 --wait 5s
expect 2 'not JSON' "$lifeguard" submit echo '{'
expect 1 'must be' "$lifeguard" submit sleep '{}'
id=$("$lifeguard" submit later --delay-ms 3600000 --priority 3)
expect 0 'state: scheduled' "$lifeguard" job "$id"
expect 0 '"priority":3' "$lifeguard" --json job "$id"
expect 1 'no job has such an id' "$lifeguard" job nonsense
expect 0 'its time|scheduled|until' "$lifeguard" explain "$id"
expect 0 "^$id +scheduled" "$lifeguard" jobs --state scheduled
expect 0 '^\{.*"kind":"fail"' "$lifeguard" --json jobs --state discarded --kind fail
expect 1 'no job has such a state' "$lifeguard" jobs --state odd
dead=$("$lifeguard" --json jobs --state discarded | sed 's/.*"id":"\([^"]*\)".*/\1/')
expect 0 '^available$' "$lifeguard" retry "$dead"
later=$("$lifeguard" submit later --delay-ms 3600000)
expect 0 '^cancelled$' "$lifeguard" cancel "$later"
expect 0 '' "$lifeguard" pause mail --for-ms 60000
expect 0 '^mail .*true$' "$lifeguard" queues
expect 0 '' "$lifeguard" resume mail
expect 0 '^mail .*false$' "$lifeguard" queues
printf '{"kind":"noop"}\n\n{"kind":"noop"}\n' >"$directory/jobs.jsonl"
expect 0 '2 jobs in' "$lifeguard" submit --file "$directory/jobs.jsonl"
printf '{"kind":"noop"}\n{"kind":7}\n' >"$directory/jobs.jsonl"
expect 1 'line 2: ' "$lifeguard" submit --file "$directory/jobs.jsonl"
expect 0 '^default +' "$lifeguard" queues
expect 0 '^default +10 ' "$lifeguard" pools
expect 0 '^default/10 +true' "$lifeguard" workers
expect 0 'http \(supervisor' "$lifeguard" tree
expect 0 '' "$lifeguard" kill default/3
expect 1 'default/99' "$lifeguard" kill default/99
until "$lifeguard" --json workers | grep -q '"id":"default/3","incarnation":2'; do sleep 0.05; done
stop

# What was submitted before is there again.
start
expect 0 'state: scheduled' "$lifeguard" job "$id"
stop

echo secret >"$directory/token"
start --token "$directory/token"
expect 1 'bearer token' "$lifeguard" queues
expect 0 'default' "$lifeguard" --token-file "$directory/token" queues
stop

echo "every command does what it says"
