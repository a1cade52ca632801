#!/usr/bin/python3
"""Kills ingest, compact and drop in the middle, again and again, as TAP: kill_store.py INQUEST

strace lets the process die at its n-th call that changes a file; without strace it dies after a random time. An oracle counts
what was acknowledged: an ingest that ended well. Compact and drop are also run on a copy that nobody disturbs: whatever the moment, the
store says what it said before or what the copy says, it verifies, and the next run leaves nothing behind of the one that was killed.
IQ_TEST_ROUNDS: how often (12), IQ_TEST_SEED repeats a run."""
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from tap import Tap, rounds, seed

INQUEST = pathlib.Path(sys.argv[1]).resolve()
ROUNDS = rounds(12)
SEED = seed()
CALLS = {"pwrite64": 40, "write": 6, "fsync": 6, "ftruncate": 2, "rename": 2, "unlink": 2, "unlinkat": 2, "mkdir": 2}  # and how often
QUERIES = ("SELECT * FROM evidence", "SELECT * FROM gaps", "SELECT * FROM sources",
           "SELECT session, name, source, started, ended, events, start_seen, end_seen, state FROM sessions")
STRACE = shutil.which("strace")


def run(*words, ok=(0,)):
    done = subprocess.run([INQUEST, *map(str, words)], capture_output=True, stdin=subprocess.DEVNULL)
    assert done.returncode in ok, f"{words[:2]} ended with {done.returncode}: {done.stderr.decode(errors='replace')}"
    return done.stdout


def killed(*words):
    """Runs a command that dies at some call. Did it?"""
    command = [INQUEST, *map(str, words)]
    if STRACE:
        call = random.choice(["pwrite64", *CALLS])
        inject = f"inject={call}:signal=KILL:when={random.randint(1, CALLS[call])}"
        done = subprocess.run([STRACE, "-f", "-qqq", "-o", "/dev/null", "-e", "trace=" + call, "-e", inject, *command],
                              capture_output=True, stdin=subprocess.DEVNULL)
        return done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(random.random() * 0.05)
    process.kill()
    return process.wait() < 0


def dump(store):
    """What a store says: its tables, and last its events."""
    return [run("sql", store, query, "--format", "csv") for query in QUERIES] + [run("export", store, "--format", "ndjson")]


class Oracle:
    """What is in the store for certain: evidence by number, `present` those that an ingest acknowledged."""

    def __init__(self, work):
        self.work, self.store = work, work / "case"
        self.present, self.made, self.kills = [], 0, 0

    def make(self):
        """A file that is like no other."""
        self.made += 1
        path = self.work / f"e{self.made}.ndjson"
        with open(path, "w") as file:
            for i in range(random.choice([1, 40, 2000])):
                file.write('{"ts":%d,"source":"s%d","session":"c%d","kind":"log","body":"file %d line %d id %08x"}\n' % (
                    1795403232000 + self.made * 10**6 + i, self.made % 3, i % 7, self.made, i, random.getrandbits(32)))
        return path

    def check(self, possible=()):
        """Every file that was acknowledged is there, byte for byte, and beyond them at most `possible`."""
        if not self.present and not (self.store / "manifest").exists():
            return
        run("store", "verify", self.store)
        out = self.work / "out"
        run("export", self.store, "--format", "raw", "--output", out, ok=(0, 3, 4))
        found = {path.read_bytes() for path in out.rglob("*") if path.is_file()}
        shutil.rmtree(out, ignore_errors=True)
        for path in self.present:
            assert path.read_bytes() in found, f"{path.name} was acknowledged and is lost"
        beyond = found - {path.read_bytes() for path in self.present}
        for data in beyond:
            assert any(path.read_bytes().startswith(data) for path in possible), "something is there that was never taken in"

    def ingest(self):
        path = self.make()
        self.kills += killed("ingest", path, "--store", self.store)
        self.check([path])
        run("ingest", path, "--store", self.store)
        self.present.append(path)
        self.check()

    def change(self, verb, *options):
        """A change of the segments dies; before it or after it is what the store must be."""
        undisturbed = self.work / "undisturbed"
        shutil.copytree(self.store, undisturbed)
        run("store", verb, undisturbed, *options)
        before, after = dump(self.store), dump(undisturbed)
        shutil.rmtree(undisturbed)
        self.kills += killed("store", verb, self.store, *options)
        assert dump(self.store) in (before, after), f"{verb}: half of it was done"
        run("store", "verify", self.store)
        run("store", verb, self.store, *options)
        assert dump(self.store) == after, f"{verb}: it cannot be finished afterwards"
        listed = {row.split()[0] for row in run("store", "ls", self.store).decode().split("\n\n")[0].splitlines()[1:]}
        left = {file.name for file in (self.store / "segments").iterdir()} - listed
        assert not left, f"{verb}: left behind {sorted(left)}"

    def compact(self):
        before = dump(self.store)
        self.change("compact", "--level", "3")
        assert dump(self.store)[-1] == before[-1], "compacting changed the events"
        self.check()

    def drop(self):
        limit = 1795403232 + random.randint(0, self.made) * 1000
        before = dump(self.store)[-1].splitlines()
        self.change("drop", "--before", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(limit)))
        lasting = dump(self.store)[-1]
        assert set(lasting.splitlines()) <= set(before), "dropping changed events"
        self.present = [path for path in self.present if path.read_bytes().splitlines()[0].split(b"body")[1] in lasting]


def main(work):
    oracle = Oracle(work)
    for number in range(ROUNDS):
        random.seed(f"{SEED}/{number}")
        random.choice([oracle.ingest, oracle.ingest, oracle.compact, oracle.drop] if oracle.present else [oracle.ingest])()
    Tap.note(f"{oracle.kills} of {ROUNDS} were killed")
    assert oracle.kills > 0


tap = Tap()
with tempfile.TemporaryDirectory(prefix="inquest-kill-") as directory:
    try:
        main(pathlib.Path(directory))
        lost = ""
    except AssertionError as error:
        lost = error
tap.point(not lost, "ingest, compact and drop that are killed at any call lose nothing and leave nothing half done", lost)
tap.end()
