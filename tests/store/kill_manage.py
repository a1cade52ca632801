#!/usr/bin/env python3
"""Kills `store compact` and `store drop` at random moments: kill_manage.py INQUEST

Whatever the moment, the store must say what it said before or, of a drop that was committed, what it says after one that was left
alone; it must verify; and what the killed one left must be gone after the next. IQ_TEST_ROUNDS: how often (6)."""
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

inquest = sys.argv[1]
rounds = int(os.environ.get("IQ_TEST_ROUNDS", "6"))
seed = int(os.environ.get("IQ_TEST_SEED", random.randrange(1 << 32)))
random.seed(seed)
print(f"# seed {seed}")
QUERIES = ("SELECT * FROM evidence", "SELECT * FROM gaps", "SELECT * FROM sources",
           "SELECT session, name, source, started, ended, events, start_seen, end_seen, state FROM sessions")


def run(*arguments):
    result = subprocess.run([inquest, *map(str, arguments)], capture_output=True)
    if result.returncode:
        raise AssertionError(f"{arguments}: {result.stderr.decode().strip()}")
    return result.stdout


def dump(store):
    return [run("sql", store, query, "--format", "csv") for query in QUERIES] + [run("export", store, "--format", "ndjson")]


def fill(work, store):
    for day in range(1, 7):
        path = work / f"day{day}.ndjson"
        with open(path, "w") as file:
            for number in range(random.randrange(50, 800)):
                body = json.dumps({"n": number, "id": "%08x" % random.getrandbits(32), "text": random.choice(("one", "two"))})
                print(json.dumps({"ts": f"2026-11-{day:02}T{number % 24:02}:00:00Z", "source": random.choice("ab"), "kind": "ws.message",
                                  "session": f"c{number % 9}", "type": "t", "body": body}), file=file)
        run("ingest", path, "--store", store)


def killed(store, command, longest):
    process = subprocess.Popen([inquest, "store", *command[:1], str(store), *command[1:]], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    time.sleep(random.random() * longest)
    process.kill()
    process.wait()


def attempt(work, original, command):
    """Is the change there after it was killed?"""
    store, changed = work / "store", work / "changed"
    shutil.copytree(original, changed)
    begun = time.monotonic()
    run("store", command[0], changed, *command[1:])
    took = time.monotonic() - begun
    before, after = dump(original), dump(changed)
    shutil.copytree(original, store)
    killed(store, command, took * 1.1)
    said = dump(store)
    assert said in (before, after), f"{command}: the store says something else after the kill"
    run("store", "verify", store)
    run("store", command[0], store, *command[1:])
    assert dump(store) == after, f"{command}: it cannot be finished afterwards"
    listed = {row.split()[0] for row in run("store", "ls", store).decode().split("\n\n")[0].splitlines()[1:]}
    there = {file.name for file in (store / "segments").iterdir()}
    assert listed == there, f"{command}: left behind {sorted(there - listed)}"
    shutil.rmtree(store)
    shutil.rmtree(changed)
    return said == after


def main():
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory)
        original = work / "original"
        fill(work, original)
        done = 0
        for number in range(rounds):
            command = ("compact", "--level", "3") if number % 2 else ("drop", "--before", "2026-11-04T00:00:00Z")
            done += attempt(work, original, command)
    print(f"# {rounds} kills, {done} of them found the store as it is after the change or as good as that")


try:
    main()
    print("ok 1 - compact and drop killed at any moment leave the store before or after them")
except AssertionError as error:
    print(f"not ok 1 - killed (IQ_TEST_SEED={seed}): {error}")
print("1..1")
