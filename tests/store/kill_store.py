#!/usr/bin/python3
"""Kills ingest, compact and drop in the middle, again and again, as TAP: kill_store.py INQUEST

strace lets the process die at its n-th call that changes a file; without strace it dies after a random time. An oracle counts
what was acknowledged: an ingest that ended well. IQ_TEST_ROUNDS: how often (10), IQ_TEST_SEED repeats a run."""
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

INQUEST = pathlib.Path(sys.argv[1]).resolve()
ROUNDS = int(os.environ.get("IQ_TEST_ROUNDS", 10))
SEED = int(os.environ.get("IQ_TEST_SEED", time.time()))
CALLS = {"pwrite64": 40, "write": 6, "fsync": 6, "ftruncate": 2, "rename": 2, "unlink": 2, "unlinkat": 2, "mkdir": 2}  # and how often
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

    def events(self):
        return run("export", self.store, "--format", "ndjson")

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

    def compact(self):
        before = self.events()
        self.kills += killed("store", "compact", self.store)
        assert self.events() == before, "compacting changed the events"
        self.check()

    def drop(self):
        """Either nothing is gone, or what is older."""
        before = self.events()
        limit = 1795403232 + random.randint(0, self.made) * 1000
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(limit))
        self.kills += killed("store", "drop", self.store, "--before", when)
        after = self.events()
        assert after == before or set(after.splitlines()) < set(before.splitlines()), "dropping changed events"
        run("store", "drop", self.store, "--before", when)
        lasting = self.events()
        assert after in (before, lasting), "half was dropped"
        run("store", "verify", self.store)
        self.present = [path for path in self.present if path.read_bytes().splitlines()[0].split(b"body")[1] in lasting]


def main(work):
    oracle = Oracle(work)
    for number in range(ROUNDS):
        random.seed(f"{SEED}/{number}")
        random.choice([oracle.ingest, oracle.ingest, oracle.compact, oracle.drop] if oracle.present else [oracle.ingest])()
    print(f"# {oracle.kills} of {ROUNDS} were killed")
    assert oracle.kills > 0


with tempfile.TemporaryDirectory(prefix="inquest-kill-") as directory:
    try:
        main(pathlib.Path(directory))
        print("ok 1 - what was acknowledged survives a kill at any call")
        failed = False
    except AssertionError as error:
        print(f"not ok 1 - what was acknowledged survives a kill at any call (IQ_TEST_SEED={SEED}): {error}")
        failed = True
print("1..1")
sys.exit(failed)
