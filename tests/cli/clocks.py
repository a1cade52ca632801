#!/usr/bin/python3
"""What `inquest sources` says of clocks that are known to be wrong, and that no --skew changes a time, as TAP: clocks.py INQUEST

IQ_TEST_SEED repeats a run."""
import datetime
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from tap import Tap, rounds, seed

INQUEST = pathlib.Path(sys.argv[1]).resolve()
START = 1795403232_000_000_000
seed()
tap = Tap()


def inquest(*words):
    done = subprocess.run([INQUEST, *map(str, words)], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    return done.stdout if done.returncode in (0, 1, 3) else done.stdout + done.stderr


def rfc3339(ns):
    return datetime.datetime.fromtimestamp(ns // 10**9, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + f".{ns % 10**9:09d}Z"


def ms(least, most):
    return random.randint(least * 1000, most * 1000) * 1000


def logged(payload):
    """Ways in which servers write what they got."""
    return random.choice([lambda: payload, lambda: json.dumps({"event": "frame", "payload": payload}), lambda: f"DEBUG frame {payload}",
                          lambda: f'{{"event":"frame","data":{payload}}}', lambda: json.dumps({"a": {"b": [payload]}})])()


def conversation(behind, count=40):
    """A browser, a tap and a server, in this order; `behind` says by how much each one's clock is."""
    records, now = [], START
    for i in range(count):
        now += ms(30, 400)
        to_server = i % 2 == 0
        payload = json.dumps({"type": "ask" if to_server else "answer", "n": i, "text": "".join(random.choices("abcdefgh ", k=20))})
        path = ["browser", "tap", "api"] if to_server else ["api", "tap", "browser"]
        for name in path:
            record = {"ts": rfc3339(now - behind[name]), "source": name}
            if name == "api":
                record |= {"kind": "log", "body": logged(payload)}
            else:
                record |= {"kind": "ws.message", "session": "c", "direction": "client" if to_server else "server", "body": payload}
            records.append(record)
            now += ms(1, 20)
        if random.random() < 0.3:
            records.append({"ts": rfc3339(now - behind["api"]), "source": "api", "kind": "log", "body": "nothing to see here, move on"})
    return records


def check_bounds(work):
    behind = {name: ms(-3000, 3000) for name in ("browser", "tap", "api")}
    evidence = work / "evidence.ndjson"
    evidence.write_text("".join(json.dumps(record) + "\n" for record in conversation(behind)))
    sources = {row["source"]: row for row in map(json.loads, inquest("sources", evidence, "--format", "ndjson").splitlines())}
    wrong = []
    for source, against in (("api", "tap"), ("api", "browser"), ("tap", "browser")):
        clocks = [clock for clock in sources[source]["clocks"] if clock["against"] == against]
        truth = behind[source] - behind[against]
        if len(clocks) != 1 or not clocks[0]["fits"] or not clocks[0]["least_ns"] <= truth <= clocks[0]["most_ns"] or \
           clocks[0]["messages"] != 40 or clocks[0]["most_ns"] - clocks[0]["least_ns"] > 80_000_000:
            wrong.append((source, against, truth, clocks))
    tap.point(not wrong, "the bounds hold the truth, and not much else", wrong or sources)


def check_order(work):
    """With the right shift the timeline is in the order in which it happened; the events are as they were."""
    behind, store = {"browser": 0, "tap": 0, "api": ms(-5000, 5000)}, work / "case"
    records = [record for record in conversation(behind) if record["source"] != "browser"]
    (work / "two.ndjson").write_text("".join(json.dumps(record) + "\n" for record in records))
    inquest("ingest", work / "two.ndjson", "--store", store)
    skew = f"api={behind['api'] / 10**6:+.6f}ms"
    shown = inquest("show", store, "s1", "--skew", skew, "--context", "30s").splitlines()
    events = [line.split()[0] for line in shown if line.split()[:1] and line.split()[0].isdigit()]
    tap.point(events == [str(i + 1) for i in range(len(records))], "a session and a log are in the order in which it happened", "\n".join(shown))
    times = "SELECT id, ts, time FROM events ORDER BY id"
    tap.point(inquest("sql", store, times) == inquest("sql", store, times, "--skew", skew), "no time changes")
    shift = inquest("sql", store, "SELECT DISTINCT source, aligned(source, ts) - ts AS shift FROM events ORDER BY source", "--skew", skew, "--format", "csv")
    tap.point(shift.split() == ['"source","shift"', f'"api",{behind["api"]}', '"tap",0'], "aligned() shifts", shift)


for _ in range(rounds(4)):
    with tempfile.TemporaryDirectory(prefix="inquest-clocks-") as directory:
        check_bounds(pathlib.Path(directory))
        check_order(pathlib.Path(directory))
tap.end()
