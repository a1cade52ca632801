#!/usr/bin/env python3
"""The JSON Schema for editors against the program: what one takes the other takes, and mistakes that a schema can see are seen.

    specs.py INQUEST

What is right are the presets, the examples and what docs/lifecycle.md shows; mistakes are those of tests/query/faults.txt."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import jsonschema
import yaml

root = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(root / "tests"))
from tap import Tap

inquest = pathlib.Path(sys.argv[1]).resolve()
schema = json.loads((root / "schema" / "lifecycle.schema.json").read_text())
validator = jsonschema.Draft7Validator(schema)
tap = Tap()


class Core(yaml.SafeLoader):
    """As YAML 1.2 reads scalars: only true and false are booleans."""


Core.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(("bool", "timestamp", "merge"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}
Core.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))


def refusals(text):
    """What the schema says of each document, or None where it is not YAML."""
    try:
        documents = [document for document in yaml.load_all(text, Core) if document is not None]
    except yaml.YAMLError:
        return None
    return [error.message for document in documents for error in validator.iter_errors(document)]


def told(text):
    """What the program says of a spec."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as spec:
        spec.write(text)
        spec.flush()
        return subprocess.run([inquest, "check", "--spec", spec.name, "--explain-spec"], capture_output=True, text=True).stderr


jsonschema.Draft7Validator.check_schema(schema)
tap.point(True, "the schema is one")

for path in sorted([*root.glob("presets/*.yaml"), *root.glob("examples/*/*.yaml")]):
    found = refusals(path.read_text())
    tap.point(found == [], f"{path.relative_to(root)} is taken", found)

for number, text in enumerate(re.findall(r"```yaml\n(.*?)```", (root / "docs" / "lifecycle.md").read_text(), re.S), 1):
    problem = told(text)
    tap.point(problem == "" and refusals(text) == [], f"example {number} of docs/lifecycle.md is taken", f"{problem}{refusals(text)}\n{text}")

for record in re.split(r"(?m)^(?==[=!]=)", (root / "tests" / "query" / "faults.txt").read_text())[1:]:
    line, text = record.split("\n", 1)
    text = re.sub(r"(?m)^=#.*\n", "", text)
    found = refusals(text)
    seen = line.startswith("=!=")
    tap.point(bool(found) == seen, f"{'refuses' if seen else 'cannot see'}: {line[4:]}", f"{found}\n{text}")

# Keys and templates are the program's.
keys = re.search(r"there are (.*)", told("lifecycle: a\nzzzzzzzz: 1\n")).group(1).split(", ")
tap.point(set(keys) == set(schema["properties"]), "all keys, and no others", keys)
templates = re.search(r"no such constraint: (.*)", told("lifecycle: a\nconstraints: ['zzzzzzzz(a)']\n")).group(1).split()
written = set(re.findall(r"[a-z-]{4,}", schema["definitions"]["constraint"]["pattern"]))
tap.point(set(templates) == written, "all templates, and no others", written ^ set(templates))
kinds = {kind for line in re.findall(r"(?m)^\| (`.*?) \|", (root / "docs" / "events.md").read_text())
         for kind in re.findall(r"`([a-z.]+)`", line) if kind in ("log", "gap", "container", "probe", "clock") or "." in kind}
tap.point(kinds == set(schema["definitions"]["kind"]["enum"]), "all kinds, and no others", kinds)
tap.end()
