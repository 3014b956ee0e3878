#!/usr/bin/env bash
# TLS: the program as server and as client, with a certificate of its own. Arguments: the program.
set -euo pipefail

lifeguard=$1
. "$(dirname "$0")/support.sh"

certificate good "IP:127.0.0.1,DNS:localhost"
certificate other "DNS:elsewhere.example"

expect 2 'tls-key' "$lifeguard" serve --listen 127.0.0.1:0 --store memory --tls-cert "$directory/good.pem"
expect 1 'tls_certificate: .*missing' "$lifeguard" serve --listen 127.0.0.1:0 --store memory \
    --tls-cert "$directory/missing.pem" --tls-key "$directory/good.key"
expect 1 'tls_key: .*not the key|tls_key: .*mismatch' "$lifeguard" serve --listen 127.0.0.1:0 \
    --store memory --tls-cert "$directory/good.pem" --tls-key "$directory/other.key"

start() {
    serve server --store memory --tls-cert "$directory/$1.pem" --tls-key "$directory/$1.key"
    address=${url#https://}
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
stop server
exec 5>&-

start other
expect 3 'certificate verify failed' "$lifeguard" --server "$url" --ca "$directory/other.pem" queues
stop server

echo "TLS does what it should"
