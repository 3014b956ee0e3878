#!/usr/bin/env bash
# TLS: the program as server and as client, with a certificate of its own. Arguments: the program.
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

certificate() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=lifeguard test" \
        -addext "subjectAltName=$2" -keyout "$directory/$1.key" -out "$directory/$1.pem" 2>/dev/null
}
certificate good "IP:127.0.0.1,DNS:localhost"
certificate other "DNS:elsewhere.example"

expect 2 'tls-key' "$lifeguard" serve --listen 127.0.0.1:0 --store memory --tls-cert "$directory/good.pem"
expect 1 'tls_certificate: .*missing' "$lifeguard" serve --listen 127.0.0.1:0 --store memory \
    --tls-cert "$directory/missing.pem" --tls-key "$directory/good.key"
expect 1 'tls_key: .*not the key|tls_key: .*mismatch' "$lifeguard" serve --listen 127.0.0.1:0 \
    --store memory --tls-cert "$directory/good.pem" --tls-key "$directory/other.key"

start() {
    : >"$directory/out"
    "$lifeguard" serve --listen 127.0.0.1:0 --store memory --demo \
        --tls-cert "$directory/$1.pem" --tls-key "$directory/$1.key" \
        >"$directory/out" 2>"$directory/err" &
    server=$!
    until grep -q 'listening on https://' "$directory/out"; do
        kill -0 "$server" 2>/dev/null || fail "the server ended: $(cat "$directory/err")"
        sleep 0.05
    done
    url=$(sed 's/.*listening on //' "$directory/out")
    address=${url#https://}
}

stop() {
    kill -TERM "$server"
    local status=0
    wait "$server" || status=$?
    ((status == 0)) || fail "serve ended with $status: $(cat "$directory/err")"
    server=
}

start good
expect 0 '^\{"a":1\}$' "$lifeguard" --server "$url" --ca "$directory/good.pem" submit echo '{"a":1}' --wait 5s
expect 0 'default' "$lifeguard" --server "https://localhost:${address##*:}" --ca "$directory/good.pem" queues
expect 3 'certificate verify failed' "$lifeguard" --server "$url" queues
expect 3 'certificate verify failed' "$lifeguard" --server "$url" --ca "$directory/other.pem" queues
expect 2 'cannot read certificates' "$lifeguard" --server "$url" --ca "$directory/missing.pem" queues
expect 3 '' "$lifeguard" --server "http://$address" queues

# A body that does not fit into one record, and one that the client reads in pieces.
head -c 300000 /dev/zero | tr '\0' x >"$directory/text"
printf '{"kind":"echo","payload":"%s"}\n' "$(cat "$directory/text")" >"$directory/large.jsonl"
id=$("$lifeguard" --server "$url" --ca "$directory/good.pem" submit --file "$directory/large.jsonl" --wait 10s 2>/dev/null)
expect 0 'xxxx' "$lifeguard" --server "$url" --ca "$directory/good.pem" --json job "$id"
handshake() { openssl s_client -connect "$address" -CAfile "$directory/good.pem" "$@" </dev/null; }
expect 0 'Verification: OK' handshake -tls1_2
expect 0 'Verification: OK' handshake -tls1_3
expect 1 '' handshake -tls1_1 -cipher 'ALL:@SECLEVEL=0'
# Somebody who connects and says nothing is in nobody's way.
exec 5<>"/dev/tcp/127.0.0.1/${address##*:}"
expect 0 'default' "$lifeguard" --server "$url" --ca "$directory/good.pem" queues
stop
exec 5>&-

start other
expect 3 'certificate verify failed' "$lifeguard" --server "$url" --ca "$directory/other.pem" queues
stop

echo "TLS does what it should"
