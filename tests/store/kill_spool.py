#!/usr/bin/env python3
"""Kills a live writer again and again: kill_spool.py INQUEST SPOOL_WRITER

Events are numbered; the writer says which are acknowledged. Whatever the moment of the kill, readers and the next writer must find
every acknowledged event, each once, in order. IQ_TEST_ROUNDS: how often (6)."""
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from tap import Tap, rounds, seed

inquest, writer = sys.argv[1:3]
seed()
tap = Tap()


def ask(store, query):
    result = subprocess.run([inquest, "sql", store, query, "--format", "csv"], capture_output=True, text=True)
    if result.returncode:
        raise AssertionError(result.stderr.strip())
    return [line.split(",") for line in result.stdout.splitlines()[1:]]


def killed_round(store, first):
    """The last event that was acknowledged before the writer was killed."""
    spool_bytes = random.choice((20000, 100000, 1000000))
    every = random.choice((1, 10, 300))
    count = random.choice((50, 1000, 10000))
    process = subprocess.Popen([writer, store, str(first), str(count), str(spool_bytes), str(every)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    time.sleep(random.choice((0.0, 0.05, 0.4)) * random.random())
    if random.random() < 0.5:
        check(store, 0)
    process.kill()
    lines = process.communicate()[0].splitlines()
    numbers = [int(line.split()[1]) for line in lines if line.startswith("acknowledged") and line.split()[1:]]
    return max(numbers, default=first - 1)


def check(store, acknowledged):
    """The last event that is there."""
    if not os.path.exists(os.path.join(store, "manifest")) or not os.path.getsize(os.path.join(store, "manifest")):
        assert acknowledged == 0, "no manifest"
        return 0
    [[count, low, high, distinct]] = ask(store, "SELECT count(*), min(seq), max(seq), count(DISTINCT seq) FROM events")
    count, last = int(count), int(high or 0)
    assert last >= acknowledged, f"{acknowledged} was acknowledged, {last} is the last"
    assert count == last == int(distinct) and low in ("1", "NULL", ""), f"{count} events, {distinct} different, {low} to {high}"
    steps = ask(store, "SELECT count(*) FROM (SELECT seq - lag(seq) OVER (ORDER BY id) AS step FROM events) WHERE step <> 1")
    assert steps == [["0"]], "out of order"
    return last


def main():
    with tempfile.TemporaryDirectory() as work:
        store, last, number = os.path.join(work, "case"), 0, 0
        # On a slow machine the first ones may be killed before they made a store.
        while number < rounds(6) or last == 0:
            number += 1
            acknowledged = killed_round(store, last + 1)
            last = check(store, acknowledged)
            # What the next writer seals is what readers saw.
            if random.random() < 0.3:
                subprocess.run([inquest, "ingest", os.devnull, "--store", store], capture_output=True)
                spools = os.path.join(store, "spool")
                left = os.listdir(spools) if os.path.isdir(spools) else []
                assert not left, f"left by the next writer: {left}"
                assert check(store, last) == last, "sealing changed what is there"
        abrupt = int(ask(store, "SELECT count(*) FROM gaps WHERE reason LIKE 'the recording ended abruptly%'")[0][0])
        verified = subprocess.run([inquest, "store", "verify", store], capture_output=True, text=True)
        assert verified.returncode == 0, verified.stdout + verified.stderr
        tap.note(f"{number} kills, {last} events, {abrupt} abrupt ends")
        assert abrupt > 0


try:
    main()
    lost = ""
except AssertionError as error:
    lost = error
tap.point(not lost, "what was acknowledged survives kill -9, once and in order", lost)
tap.end()
