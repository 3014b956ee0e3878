#!/usr/bin/env python3
"""The published JSON Schema of the options against the parser: what one knows, the other knows.

Arguments: the program, the schema, the folder of examples.
"""
import copy
import json
import pathlib
import subprocess
import sys
import tempfile

import jsonschema

program, schema_file, examples = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
schema = json.loads(schema_file.read_text())
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
scratch = tempfile.TemporaryDirectory()
failures = []


def expect(ok, what):
    if not ok:
        failures.append(what)
        print("FAILED:", what)


def check(document):
    """What the program says of a document, or of a file: its answer, and the exit status."""
    file = document
    if not isinstance(document, pathlib.Path):
        file = pathlib.Path(scratch.name) / "options.json"
        file.write_text(json.dumps(document))
    run = subprocess.run([program, "--json", "check", str(file)], capture_output=True, text=True)
    expect(run.returncode in (0, 1) and run.stdout, f"{file}: {run.returncode} {run.stderr}")
    return json.loads(run.stdout), run.returncode


def resolved(node, type_name=None):
    """A schema without references; of a choice, the one whose type has that name."""
    while "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    if "oneOf" in node:
        all_of = [resolved(n) for n in node["oneOf"]]
        node = next(n for n in all_of if n["properties"]["type"]["const"] == type_name)
    return node


def same_members(node, values, path):
    """Every member of one is in the other, with the same default."""
    node = resolved(node, values.get("type") if isinstance(values, dict) else None)
    optional = {"priority"}  # which has no value that means the default
    expect(set(node["properties"]) - optional == set(values) - optional,
           f"{path}: schema and parser differ in {set(node['properties']) ^ set(values)}")
    for name, value in values.items():
        member = node["properties"].get(name)
        if member is None:
            continue
        where = f"{path}.{name}"
        if "default" in member:
            expect(member["default"] == value, f"{where}: {member['default']} is {value}")
        whole = resolved(member, value.get("type") if isinstance(value, dict) else None)
        if isinstance(value, dict) and "properties" in whole:
            same_members(member, value, where)


# A document that says everything, to spoil it. The store is another one each time.
STORES = {"memory": {"type": "memory"}, "sqlite": {"type": "sqlite", "path": "jobs.db"}}


def spoiled(node, values, value_of, path, paths):
    """The document with each member that `value_of` has something for replaced."""
    node = resolved(node, values.get("type"))
    out = copy.deepcopy(values)
    for name, member in node["properties"].items():
        whole = resolved(member, values.get(name, {}).get("type")
                         if isinstance(values.get(name), dict) else None)
        where = f"{path}.{name}" if path else name
        if "properties" in whole:
            out[name] = spoiled(member, values.get(name, {}), value_of, where, paths)
            continue
        bad = value_of(whole, where)
        if bad is not None:
            out[name] = bad[0]
            paths.append(where)
    return out


def every_path(store, value_of):
    base, _ = check({"store": STORES[store], "pools": [{"priority": 1}],
                     "commands": {"k": {"argv": ["true"]}}})
    base = base["options"]
    paths = []
    out = spoiled(schema, {k: v for k, v in base.items() if k not in ("pools", "commands")},
                  value_of, "", paths)
    paths = [p for p in paths if p not in ("pools", "commands")]
    out["pools"] = [spoiled({"$ref": "#/$defs/pool"}, base["pools"][0], value_of, "pools[0]",
                            paths)]
    out["commands"] = {"k": spoiled({"$ref": "#/$defs/command"}, base["commands"]["k"], value_of,
                                    "commands.k", paths)}
    return out, paths


def refused_by_both(what, value_of):
    for store in STORES:
        document, paths = every_path(store, value_of)
        answer, _ = check(document)
        named = {m["path"] for m in answer.get("mistakes", [])}
        for path in paths:
            expect(path in named, f"{what}, {store}: the parser takes {path}")
        # One at a time, what the schema says of it.
        good, _ = every_path(store, lambda *_: None)
        for path in paths:
            one, _ = every_path(store, lambda m, p, only=path: value_of(m, p) if p == only else None)
            expect(not validator.is_valid(one), f"{what}, {store}: the schema takes {path}")
        expect(validator.is_valid(good), f"{store}: the schema refuses what the parser made")


def below(member, _):
    return (member["minimum"] - 1,) if "minimum" in member else None


def above(member, _):
    return (member["maximum"] + 1,) if "maximum" in member else None


def of_another_type(member, path):
    if path == "store.type":
        return None  # would be another store, with other members
    no_number = member.get("type") in ("string", "array", "object", "boolean") or "enum" in member
    return (7 if no_number else "seven",)


def accepted_by_both(what, value_of):
    for store in STORES:
        document, _ = every_path(store, value_of)
        answer, status = check(document)
        expect(status == 0, f"{what}, {store}: the parser says {answer.get('mistakes')}")
        expect(validator.is_valid(document), f"{what}, {store}: the schema refuses it")


minimal, status = check({"commands": {"k": {"argv": ["true"]}}})
expect(status == 0, "the least is refused")
canonical = minimal["options"]
same_members(schema, {**canonical, "commands": {}}, "options")
same_members({"$ref": "#/$defs/pool"}, canonical["pools"][0], "pool")
same_members({"$ref": "#/$defs/command"}, canonical["commands"]["k"], "command")
sqlite, _ = check({"store": STORES["sqlite"]})
same_members(schema["properties"]["store"], sqlite["options"]["store"], "store")

refused_by_both("below the minimum", below)
refused_by_both("above the maximum", above)
refused_by_both("of another type", of_another_type)
accepted_by_both("the minimum",
                 lambda m, p: (m["minimum"],) if "minimum" in m else None)
HEAVY = ("pools[0].size", "pools[0].max_overflow", "pools[0].concurrency")
accepted_by_both("the maximum", lambda m, p: (m["maximum"],)
                 if "maximum" in m and p not in HEAVY else None)

for store in STORES:
    document, _ = every_path(store, lambda *_: None)
    for path in ([], ["store"], ["queue"], ["queue", "retry"], ["pools", 0],
                 ["pools", 0, "breaker"], ["commands", "k"]):
        spoilt = copy.deepcopy(document)
        at = spoilt
        for step in path:
            at = at[step]
        at["no_such_option"] = 1
        _, status = check(spoilt)
        expect(status == 1, f"{path}: the parser takes any member")
        expect(not validator.is_valid(spoilt), f"{path}: the schema takes any member")

for file in sorted(examples.glob("*.json")):
    document = json.loads(file.read_text())
    for error in validator.iter_errors(document):
        expect(False, f"{file.name}: {error.message}")
    answer, status = check(file)
    expect(status == 0, f"{file.name}: {answer}")
    again, _ = check(answer.get("options", {}))
    expect(again.get("sha256") == answer.get("sha256"), f"{file.name}: not the same when read back")
    expect(validator.is_valid(answer.get("options")), f"{file.name}: what it stands for is refused")

print(f"{len(failures)} failures")
sys.exit(1 if failures else 0)
