#!/usr/bin/env bash
# Every command of the program against a server of its own. Arguments: the program, its manual page.
set -euo pipefail

lifeguard=$1
manual=$2
. "$(dirname "$0")/support.sh"
store=jobs

start() {
    serve server --store "sqlite:$directory/$store.db" "$@"
    export LIFEGUARD_URL=$url
}

expect 0 '^lifeguard [0-9]+\.[0-9]+\.[0-9]+$' "$lifeguard" version
expect 2 'subcommand' "$lifeguard"
expect 2 '' "$lifeguard" no-such-command
expect 3 'is `lifeguard serve` running' "$lifeguard" --server http://127.0.0.1:1 queues
expect 2 'ADDRESS:PORT' "$lifeguard" serve --listen nowhere
expect 1 'token: must be set' "$lifeguard" serve --listen 0.0.0.0:0 --store memory
expect 2 'memory, sqlite:PATH or nats:' "$lifeguard" serve --store paper

echo '{"pools":[{"name":"images","size":2}]}' >"$directory/good.json"
echo '{"pools":[{"name":"images","size":0}]}' >"$directory/bad.json"
expect 0 'images/2 \(worker' "$lifeguard" check "$directory/good.json"
expect 1 'pools\[0\]\.size' "$lifeguard" check "$directory/bad.json"

expect 1 'sha256|must be 1 to 10000' "$lifeguard" --json check "$directory/bad.json"
expect 0 '"sha256":"[0-9a-f]{64}"' "$lifeguard" --json check "$directory/good.json"
expect 0 '^[0-9a-f]{64}$' "$lifeguard" check --print json "$directory/good.json"
expect 2 'tree' "$lifeguard" check --print paper "$directory/good.json"
expect 0 '"version":"[0-9]' "$lifeguard" --json version

# The manual page and what shells complete know every command and option.
commands=$("$lifeguard" --help | sed -n '/^Subcommands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
(($(wc -w <<<"$commands") >= 20)) || fail "where are the commands? $commands"
for shell in bash zsh fish; do
    "$lifeguard" completion "$shell" >"$directory/completion.$shell"
done
expect 2 'fish' "$lifeguard" completion tcsh
for command in $commands; do
    grep -Eq "^\.BI? (\"?$command\b)" "$manual" || fail "the manual page does not know $command"
    for shell in bash zsh fish; do
        grep -q "\b$command\b" "$directory/completion.$shell" || fail "$shell does not know $command"
    done
    for option in $("$lifeguard" "$command" --help | grep -Eo -- '--[a-z-]+' | sort -u); do
        grep -q -- "${option//-/\\\\-}" "$manual" || fail "the manual page does not know $command $option"
    done
done
if command -v man >/dev/null; then
    warned=$(man --warnings -E UTF-8 -l "$manual" 2>&1 >/dev/null)
    [[ -z $warned ]] || fail "man: $warned"
fi
# completes LINE WORD...: what bash offers for the last word of the line.
completes() {
    local line=$1 offered
    shift
    offered=$(bash -c 'source "$1"; COMP_WORDS=($2); [[ $2 == *" " ]] && COMP_WORDS+=("")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _lifeguard; echo "${COMPREPLY[@]}"' - \
        "$directory/completion.bash" "$line")
    for word in "$@"; do
        [[ " $offered " == *" $word "* ]] || fail "bash does not complete '$line' to $word: $offered"
    done
    echo "+ bash completes '$line'"
}
completes 'lifeguard s' serve submit
completes 'lifeguard submit --de' --delay-ms
completes 'lifeguard --json jobs --st' --state
for shell in zsh fish; do
    if command -v "$shell" >/dev/null; then
        "$shell" -n "$directory/completion.$shell" || fail "$shell cannot read it"
    fi
done

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
printf '{"kind":"noop"},{"kind":"noop"}\n' >"$directory/jobs.jsonl"
expect 1 'line 1: is not a JSON object' "$lifeguard" submit --file "$directory/jobs.jsonl"
for ((i = 0; i < 1200; i++)); do echo '{"kind":"echo","payload":'"$i"'}'; done >"$directory/jobs.jsonl"
expect 0 '1200 completed' "$lifeguard" submit --file "$directory/jobs.jsonl" --wait 60s
printf '{"kind":"noop"}\n{"kind":"fail","max_attempts":1}\n' >"$directory/jobs.jsonl"
expect 4 '1 discarded' "$lifeguard" submit --file - --wait 30s <"$directory/jobs.jsonl"
expect 2 'ms, s or m' "$lifeguard" submit --file "$directory/jobs.jsonl" --wait soon
expect 0 '^default +' "$lifeguard" queues
expect 0 '^default +10 ' "$lifeguard" pools
expect 0 '^default/10 +true' "$lifeguard" workers
expect 0 'http \(supervisor' "$lifeguard" tree
expect 0 '^QUEUE .*AVAILABLE' "$lifeguard" top --once
expect 0 '^POOL .*DONE/S' "$lifeguard" top --once
expect 0 '^default/10 +up +closed' "$lifeguard" top </dev/null
expect 0 '"samples":\[' "$lifeguard" --json top
if command -v script >/dev/null; then # gives it a terminal
    on_terminal() { printf '%s' "$1" | script -qec "$2" /dev/null; }
    expect 0 'q ends' on_terminal q "'$lifeguard' top"
    for ((i = 0; i < 20000; i++)); do echo '{"kind":"noop"}'; done >"$directory/many.jsonl"
    expect 0 '\[#*-*\] +[0-9]+ % .* per second .* left' \
        on_terminal '' "'$lifeguard' submit --file '$directory/many.jsonl' >/dev/null"
fi
expect 0 '"done":true' "$lifeguard" --json pause mail
expect 0 '' "$lifeguard" resume mail
expect 0 '' "$lifeguard" kill default/3
expect 1 'default/99' "$lifeguard" kill default/99
until "$lifeguard" --json workers | grep -q '"id":"default/3","incarnation":2'; do sleep 0.05; done
stop server

# What was submitted before is there again.
start
expect 0 'state: scheduled' "$lifeguard" job "$id"
expect 0 '1 jobs in' "$lifeguard" export "$directory/exported.jsonl"
grep -q "\"id\":\"$id\".*\"run_at\":\"20" "$directory/exported.jsonl" || fail "export: $(cat "$directory/exported.jsonl")"
(($("$lifeguard" export --all 2>/dev/null | wc -l) > 1200)) || fail "export --all"
(($("$lifeguard" export --state discarded - 2>/dev/null | wc -l) >= 1)) || fail "export --state"
expect 0 '0 stored, 1 were there already' "$lifeguard" import "$directory/exported.jsonl"
stop server

# Into another server, twice.
store=other
start
for ((i = 0; i < 700; i++)); do
    printf '{"kind":"later","delay_ms":3600000,"id":"0190a6f2-8c5e-7b3a-9f00-%012d"}\n' "$i"
done >>"$directory/exported.jsonl"
# What was said of the last of them survives, and is exported again.
last=0190a6f2-8c5e-7b3a-9f00-000000000699
sed -i "s/\"id\":\"$last\"/&,\"timeout_ms\":1500,\"unique_key\":\"k\"/" "$directory/exported.jsonl"
expect 0 '701 stored, 0 were there already' "$lifeguard" import "$directory/exported.jsonl"
expect 0 '"known":701,"stored":0' "$lifeguard" --json import "$directory/exported.jsonl"
expect 0 'priority: 3' "$lifeguard" job "$id"
expect 0 "\"id\":\"$last\".*\"timeout_ms\":1500,\"unique_key\":\"k\"" "$lifeguard" export
echo '{"kind":"noop"}' >"$directory/jobs.jsonl"
expect 1 'line 1: has no id' "$lifeguard" import "$directory/jobs.jsonl"
stop server

echo secret >"$directory/token"
start --token "$directory/token"
expect 1 'bearer token' "$lifeguard" queues
expect 0 'default' "$lifeguard" --token-file "$directory/token" queues
stop server

echo "every command does what it says"
