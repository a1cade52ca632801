#!/usr/bin/env python3
"""The layers, as TAP: a folder includes only itself and the doors of those below it (ARCHITECTURE.md), and each public header
stands alone."""
import pathlib
import re
import subprocess
import sys
import tempfile

from tap import Tap

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAY_USE = {
    "include": [],
    "base": [],
    "event": ["base"],
    "wire": ["base"],
    "store": ["base", "event"],
    "ingest": ["base", "event", "wire", "store"],
    "record": ["base", "event", "wire", "store", "ingest"],
    "query": ["base", "event", "store"],
    "replay": ["base", "event", "wire", "store", "query"],
    "cli": ["base", "event", "wire", "store", "ingest", "record", "query", "replay"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)


def offences(folder):
    """Includes that break the order, or go around a door."""
    for path in sorted((ROOT / folder).rglob("*.[ch]")):
        for mark, name in INCLUDE.findall(path.read_text()):
            if mark == "<":
                continue
            other, _, header = name.partition("/")
            if other == folder:
                continue
            if other not in MAY_USE[folder]:
                yield f"{path.relative_to(ROOT)} includes {name}: {folder}/ may not use {other}/"
            elif other != "base" and header != f"{other}.h":
                yield f"{path.relative_to(ROOT)} includes {name}: only the door {other}/{other}.h may be used from outside"


def stands_alone(header):
    """Compiles a file that includes nothing else, as C17."""
    with tempfile.TemporaryDirectory() as work:
        source = pathlib.Path(work) / "alone.c"
        source.write_text(f"#include <inquest/{header.name}>\nint main(void) {{ return 0; }}\n")
        done = subprocess.run(["cc", "-std=c17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", str(ROOT / "include"), "-fsyntax-only",
                               str(source)], capture_output=True, text=True)
    return done.stderr.splitlines()


tap = Tap()
for folder in MAY_USE:
    found = list(offences(folder))
    tap.point(not found, f"includes of {folder}", "\n".join(found))
for header in sorted((ROOT / "include" / "inquest").glob("*.h")):
    found = stands_alone(header)
    tap.point(not found, f"{header.name} stands alone", "\n".join(found))
tap.end()
