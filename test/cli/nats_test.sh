#!/usr/bin/env bash
# The NATS store from the command line, against a nats-server of its own. Arguments: the program.
set -euo pipefail

lifeguard=$1
. "$(dirname "$0")/support.sh"

# nats NAME [ARGUMENT...]: a server with files; prints nothing, sets `port`.
nats() {
    local name=$1 ports
    shift
    mkdir -p "$directory/$name"
    nats-server -sd "$directory/$name" -a 127.0.0.1 -p -1 --ports_file_dir "$directory/$name" \
        -l "$directory/$name/log" "$@" &
    running[$name]=$!
    ports=$directory/$name/nats-server_${running[$name]}.ports
    port=
    for ((i = 0; i < 500; i++)); do
        port=$(sed -nE 's/.*"nats": *\[ *"[a-z]+:\/\/[^"]*:([0-9]+)".*/\1/p' <(tr -d '\n' <"$ports" 2>/dev/null))
        [[ -n $port ]] && return
        sleep 0.02
    done
    fail "nats-server does not come up: $(cat "$directory/$name/log")"
}

refused() { # PATTERN ARGUMENT...: wrong usage
    local pattern=$1
    shift
    expect 2 "$pattern" "$lifeguard" serve --listen 127.0.0.1:0 "$@"
}

# What cannot be meant is said before anybody is asked.
for other in sqlite:"$directory/never.db" memory; do
    refused "--replicas: goes with --store nats://HOST:PORT, not with $other" --store "$other" --replicas 3
    refused "--nats-tls: goes with" --store "$other" --nats-tls
done
echo '{"store": {"type": "memory"}}' >"$directory/memory.json"
refused "not with the store in .*memory.json" --options "$directory/memory.json" --replicas 3
[[ ! -e $directory/never.db ]] || fail "a store was opened"
refused 'replicas.*\{1,3,5\}' --store nats://127.0.0.1:1 --replicas 2
refused 'nats-credentials: File does not exist' --store nats://127.0.0.1:1 --nats-credentials "$directory/none"
refused 'nats-key' --store nats://127.0.0.1:1 --nats-cert "$0"
refused "a server has no host; must be nats://HOST:PORT" --store nats://
refused "a server has no host" --store nats://127.0.0.1:4222,
refused "'0' is no port" --store nats://127.0.0.1:0
refused "'66000' is no port" --store nats://127.0.0.1:66000
refused "'x' is no port" --store nats://127.0.0.1:x
refused "'a b' is no host" --store 'nats://a b:4222'
refused "no '\]'" --store 'nats://[::1:4222'
refused "the prefix must be 1 to 32 letters" --store nats://127.0.0.1:4222/a/b
refused "the prefix must be 1 to 32 letters" --store nats://127.0.0.1:4222/
refused "does not belong on the command line" --store nats://me:secret@127.0.0.1:4222
refused "memory, sqlite:PATH or nats://HOST:PORT" --store nat://127.0.0.1:4222

# Nobody there, or somebody else.
nobody() { expect "$1" "$2" "$lifeguard" serve --listen 127.0.0.1:0 --store "$3" "${@:4}"; }
nobody 3 'server nats://127.0.0.1:1' nats://127.0.0.1:1
nobody 3 'and others' nats://127.0.0.1:1,127.0.0.1:2
nobody 3 'no-such-host.invalid' nats://no-such-host.invalid:4222

# end_nats NAME SIGNAL
end_nats() {
    kill "-$2" "${running[$1]}"
    wait "${running[$1]}" || true
    unset "running[$1]"
}

nats bare
nobody 1 'has no JetStream' "nats://127.0.0.1:$port"
end_nats bare TERM

nats locked -js --user me --pass secret
options() { echo "{\"store\": {\"type\": \"nats\", \"server\": \"nats://127.0.0.1:$port\", $1}}" >"$directory/nats.json"; }
nobody 1 'Authorization' "nats://127.0.0.1:$port"
options '"user": "me", "password": "wrong"'
expect 1 'Authorization' "$lifeguard" serve --listen 127.0.0.1:0 --options "$directory/nats.json"
options '"user": "me", "password": "secret"'
serve known --options "$directory/nats.json"
stop known
echo 'no credentials' >"$directory/bad.creds"
nobody 1 'credentials|JWT|seed' "nats://127.0.0.1:$port" --nats-credentials "$directory/bad.creds"
end_nats locked TERM

# A server that trusts an operator's signature, and a file with ours.
mkdir "$directory/signed"
python3 "$(dirname "$0")/nats_credentials.py" "$directory/signed"
nats signed -js -c "$directory/signed/server.conf"
nobody 1 'Authorization' "nats://127.0.0.1:$port"
serve member --store "nats://127.0.0.1:$port" --nats-credentials "$directory/signed/user.creds"
expect 0 '^1$' "$lifeguard" --server "$url" submit echo 1 --wait 20s
stop member
end_nats signed TERM

nats server -js
server=nats://127.0.0.1:$port
server_port=$port

# Two engines share their jobs.
serve first --store "$server/shop"
first=$url
serve second --store "$server/shop"
second=$url
expect 0 '^\{"a":1\}$' "$lifeguard" --server "$first" submit echo '{"a":1}' --wait 20s
expect 0 '^\{"b":2\}$' "$lifeguard" --server "$second" submit echo '{"b":2}' --wait 20s
expect 4 'discarded: told to fail' "$lifeguard" --server "$second" submit fail --max-attempts 1 --wait 20s
id=$("$lifeguard" --server "$first" submit echo '"told later"')
for ((i = 0; i < 200; i++)); do
    "$lifeguard" --server "$first" job "$id" | grep -q 'state: completed' && break
    sleep 0.05
done
expect 0 'told later' "$lifeguard" --server "$first" job "$id"
seq -f '{"kind":"echo","payload":%g}' 300 >"$directory/jobs.jsonl"
expect 0 '300 completed' "$lifeguard" --server "$first" submit --file "$directory/jobs.jsonl" --wait 60s
expect 0 '^default +' "$lifeguard" --server "$first" queues

# What NATS cannot do is said so.
expect 1 'listing jobs \(unsupported\)' "$lifeguard" --server "$first" jobs
expect 1 'listing jobs \(unsupported\)' "$lifeguard" --server "$first" export -
expect 1 'no such job' "$lifeguard" --server "$first" job 0190a6f2-8c5e-7b3a-9f00-000000000001

# A stop gives back at once what it has, and the other engine does it: not after ack_wait, 30 s.
has() { "$lifeguard" --server "$1" --json workers | grep -q "$2"; }
long=$("$lifeguard" --server "$first" submit sleep '{"ms": 60000}')
until has "$first" "$long" || has "$second" "$long"; do sleep 0.05; done
if has "$first" "$long"; then
    stopped=first other=second at=$second
else
    stopped=second other=first at=$first
fi
before=$SECONDS
stop "$stopped"
until has "$at" "$long"; do
    ((SECONDS - before < 20)) || fail "the job is not with the other engine after 20 s"
    sleep 0.05
done
stop "$other"

# Another prefix is another installation; options may name the store, too.
echo "{\"store\": {\"type\": \"nats\", \"server\": \"$server,nats://127.0.0.1:1\", \"prefix\": \"other\"}}" >"$directory/nats.json"
expect 0 'default' "$lifeguard" check "$directory/nats.json"
serve named --options "$directory/nats.json"
expect 1 'no such job' "$lifeguard" --server "$url" job "$long"
expect 0 '^7$' "$lifeguard" --server "$url" submit echo 7 --wait 20s
stop named

# From SQLite to NATS, twice.
serve file --store "sqlite:$directory/file.db"
for ((i = 0; i < 40; i++)); do
    "$lifeguard" --server "$url" submit later "$i" --delay-ms 3600000 --priority 2 >/dev/null
    ((i < 39)) || "$lifeguard" --server "$url" submit unknown '"waits"' >/dev/null
done
expect 0 '41 jobs in' "$lifeguard" --server "$url" export "$directory/moved.jsonl"
stop file
serve third --store "$server/moved"
expect 0 '41 stored, 0 were there already' "$lifeguard" --server "$url" import "$directory/moved.jsonl"
expect 0 '0 stored, 41 were there already' "$lifeguard" --server "$url" import "$directory/moved.jsonl"
moved=$(sed -n '1s/.*"id":"\([^"]*\)".*/\1/p' "$directory/moved.jsonl")
expect 0 'state: scheduled' "$lifeguard" --server "$url" job "$moved"
expect 0 'priority: 2' "$lifeguard" --server "$url" job "$moved"
stop third
serve third --store "$server/moved" # which does not know them: they are elsewhere
expect 0 '0 stored, 41 were there already' "$lifeguard" --server "$url" import "$directory/moved.jsonl"
stop third

# The server goes and comes back while an engine runs.
serve fourth --store "$server/shop"
end_nats server KILL
expect 1 'store_unavailable|outcome_unknown' "$lifeguard" --server "$url" submit echo 1
nats server -js -p "$server_port"
for ((i = 0; i < 200; i++)); do
    "$lifeguard" --server "$url" submit echo '"again"' --wait 20s >"$directory/again" 2>&1 && break
    sleep 0.1
done
grep -q '^"again"$' "$directory/again" || fail "after a restart: $(cat "$directory/again")"

# It goes for good while a job runs, whose end can not be stored: the engine ends all the same.
last=$("$lifeguard" --server "$url" submit sleep '{"ms": 1000}')
until has "$url" "$last"; do sleep 0.05; done
end_nats server KILL
status=0
kill -TERM "${running[fourth]}"
wait "${running[fourth]}" || status=$?
((status == 1)) || fail "an engine without its server ended with $status"
grep -q 'the store did not answer' "$directory/fourth.err" || fail "$(cat "$directory/fourth.err")"
unset "running[fourth]"

# TLS.
certificate good "IP:127.0.0.1,DNS:localhost"
certificate client "DNS:client.example"
certificate other "DNS:elsewhere.example"
own=(--tls --tlscert "$directory/good.pem" --tlskey "$directory/good.key")
nats secure -js "${own[@]}"
at=127.0.0.1:$port
serve encrypted --store "tls://$at" --nats-ca "$directory/good.pem"
expect 0 '^1$' "$lifeguard" --server "$url" submit echo 1 --wait 20s
stop encrypted
serve encrypted --store "nats://$at" --nats-tls --nats-ca "$directory/good.pem"
stop encrypted
nobody 1 'SSL|certificate' "tls://$at" --nats-ca "$directory/other.pem"
nobody 1 'SSL|certificate' "tls://$at"
nobody 1 'SSL|[Ss]ecure' "nats://$at"
nobody 1 'nats-ca|tls_ca_file' "tls://$at" --nats-ca "$directory/good.key"
end_nats secure TERM
nats strict -js "${own[@]}" --tlsverify --tlscacert "$directory/client.pem"
at=127.0.0.1:$port
serve shown --store "tls://$at" --nats-ca "$directory/good.pem" \
    --nats-cert "$directory/client.pem" --nats-key "$directory/client.key"
expect 0 '^1$' "$lifeguard" --server "$url" submit echo 1 --wait 20s
stop shown
nobody 1 '' "tls://$at" --nats-ca "$directory/good.pem"
nobody 1 '' "tls://$at" --nats-ca "$directory/good.pem" --nats-cert "$directory/other.pem" --nats-key "$directory/other.key"
end_nats strict TERM
nats stranger -js --tls --tlscert "$directory/other.pem" --tlskey "$directory/other.key"
nobody 1 '' "tls://127.0.0.1:$port" --nats-ca "$directory/other.pem" # not its name
end_nats stranger TERM

echo "the NATS store can be used from the command line"
