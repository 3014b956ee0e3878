#!/usr/bin/env bash
# lifeguard check with good and bad files. Arguments: the program, the folder of examples.
set -euo pipefail

lifeguard=$1
examples=$2
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# The two syntaxes say the same, byte for byte, each time.
same() {
    local first second
    first=$("$lifeguard" check --print json "$1")
    second=$("$lifeguard" check --print json "$2")
    [[ $first == "$second" ]] || fail "$1 and $2 differ: $(diff <(echo "$first") <(echo "$second"))"
    echo "the same: ${1##*/}, ${2##*/}"
}
same "$examples/pools.json" "$examples/pools.ttl"
same "$examples/tutorial.ttl" "$examples/minimal.json"
same "$examples/shop.json" "$examples/shop.json"

# The tutorial's block is what it was.
echo "5856733a47085837443d8434311d97ce0456868337007129fdf00f4962b86ba1  $examples/tutorial.ttl" |
    sha256sum --check --quiet || fail "tutorial.ttl has been changed"

# One pool with the values of the tutorial.
"$lifeguard" check --print json "$examples/tutorial.ttl" >"$directory/tutorial"
for line in '"size": 10' '"max_overflow": 5' '"pull_size": 5' '"process_timeout_ms": 30000'; do
    (($(grep -c -- "$line" "$directory/tutorial") == 1)) || fail "tutorial: not once: $line"
done

# The last line is the SHA-256 of those before it, sorted by name; what is printed says the same.
head -n -1 "$directory/tutorial" >"$directory/canonical.json"
[[ $(sha256sum <"$directory/canonical.json") == "$(tail -n 1 "$directory/tutorial")  -" ]] ||
    fail "not the SHA-256"
same "$directory/canonical.json" "$examples/tutorial.ttl"

for file in "$examples"/*; do
    "$lifeguard" check "$file" | grep -q '(supervisor' || fail "$file: no tree"
done

# mistakes FILE LINE...: check fails, and prints exactly these lines.
mistakes() {
    local file=$1 status=0
    shift
    "$lifeguard" check "$file" >"$directory/out" 2>"$directory/err" || status=$?
    ((status == 1)) || fail "$file: status $status"
    [[ ! -s $directory/out ]] || fail "$file: printed something"
    printf '%s\n' "$@" >"$directory/expected"
    diff "$directory/expected" <(sed "s|$directory/||" "$directory/err") || fail "$file: other mistakes"
    echo "told: ${file##*/}"
}

cat >"$directory/many.json" <<'END'
{
  "nmae": "shop",
  "store": {"type": "paper"},
  "queue": {"max_attempts": 0, "retry": {"factor": 0.5,
            "jitter": "much"}},
  "pools": [
    {
      "size": 0,
      "queues": ["a", 5],
      "size": 3
    },
    {"name": "mail", "breaker": {"scope": "house",
                                 "threshold": -1}},
    {"name": "mail", "priority": 11},
    7
  ],
  "commands": {
    "thumbnail": {"argv": ["lifeguard-no-such-program"], "timeout_ms": true},
    "nothing": {}
  }
}
END
mistakes "$directory/many.json" \
    'many.json:2: nmae: is not an option; did you mean name?; found "shop"' \
    "many.json:3: store.type: 'paper' is not linked into this program; link the CMake target lifeguard::paper, if there is such a store; found \"paper\"" \
    'many.json:4: queue.max_attempts: must be 1 to 4294967295; found 0' \
    'many.json:4: queue.retry.factor: must be 1 at least; found 0.5' \
    'many.json:5: queue.retry.jitter: must be a number; found "much"' \
    'many.json:9: pools[0].queues[1]: must be a string; found 5' \
    'many.json:10: pools[0].size: must be there once, is there again' \
    'many.json:12: pools[1].breaker.scope: must be worker or pool or kind; found "house"' \
    'many.json:13: pools[1].breaker.threshold: must be 1 to 4294967295; found -1' \
    'many.json:14: pools[2].priority: must be 0 to 9; found 11' \
    'many.json:14: pools[2].name: must differ from that of pools[1]; found "mail"' \
    'many.json:15: pools[3]: must be an object; found 7' \
    'many.json:18: commands.thumbnail.timeout_ms: must be a whole number; found true' \
    'many.json:18: commands.thumbnail.argv[0]: must be a program that can be run; found "lifeguard-no-such-program"' \
    'many.json:19: commands.nothing.argv: must name a program' \
    'lifeguard: 15 mistakes'

cat >"$directory/many.ttl" <<'END'
@prefix jobs: <http://ggen.dev/ontology/jobs#> .
@prefix shop: <http://shop.example/pools#> .
jobs:poolSize a rdf:Property ; rdfs:range xsd:string ;
    jobs:defaultValue "ten" .
jobs:colour a rdf:Property .
shop:images a jobs:WorkerPool ;
    jobs:poolSize -4 ;
    jobs:maxOverflow "5" ;
    jobs:pullSize 1, 2 ;
    jobs:shape "round" ;
    jobs:processTimeout 99999999999999999999999 .
shop:w a jobs:Worker ; jobs:poolSize 3 ; jobs:circuitBreakerOpen true .
shop:nobody jobs:poolSize 3 .
shop:anonymous a jobs:WorkerPool ; jobs:queue [ ] .
END
mistakes "$directory/many.ttl" \
    'many.ttl:3: jobs:poolSize rdfs:range: must be xsd:integer; found xsd:string' \
    'many.ttl:4: jobs:poolSize jobs:defaultValue: must be an xsd:integer; found "ten"' \
    'many.ttl:5: jobs:colour: is not a property of jobs:WorkerPool or jobs:Worker; found rdf:Property' \
    'many.ttl:7: pools[0].size: must be 1 to 10000; found -4' \
    'many.ttl:8: <http://shop.example/pools#images> jobs:maxOverflow: must be an xsd:integer; found "5"' \
    'many.ttl:9: <http://shop.example/pools#images> jobs:pullSize: must be given once; found "2"^^xsd:integer' \
    'many.ttl:10: <http://shop.example/pools#images> jobs:shape: is not a property of jobs:WorkerPool; found "round"' \
    'many.ttl:11: <http://shop.example/pools#images> jobs:processTimeout: must be an xsd:integer; found "99999999999999999999999"^^xsd:integer' \
    'many.ttl:12: <http://shop.example/pools#w> jobs:poolSize: is not a property of jobs:Worker; found "3"^^xsd:integer' \
    'many.ttl:12: <http://shop.example/pools#w> jobs:circuitBreakerOpen: must be false: breakers begin closed; found "true"^^xsd:boolean' \
    'many.ttl:13: <http://shop.example/pools#nobody>: must be a jobs:WorkerPool or a jobs:Worker; found "3"^^xsd:integer' \
    'many.ttl:14: a blank node: must be an IRI: options have no nodes without a name' \
    'lifeguard: 12 mistakes'

echo '{"name": 1,' >"$directory/cut.json"
status=0
"$lifeguard" --json check "$directory/cut.json" >"$directory/out" || status=$?
((status == 1)) && grep -q '"expected":"must be JSON.*"line":2,' "$directory/out" ||
    fail "cut.json: $(cat "$directory/out")"

echo "check says what it must"
