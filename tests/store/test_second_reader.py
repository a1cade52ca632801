#!/usr/bin/python3
"""What the program says of a store against what an independent reader says, as TAP: test_second_reader.py INQUEST EXAMPLE

The stores are the example's and generated ones that together have every layout, slot and coding of docs/format.md."""
import base64
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time
import traceback

import second_reader

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from tap import Tap, seed

INQUEST, EXAMPLE = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
EVERYTHING = {*(f"ints {name}" for name in ("CONST", "PLANES", "DELTA", "DELTA2", "GIVEN", "RECENT", "DICT", "AGAIN")),
              *(f"texts {name}" for name in ("CONST", "PLAIN", "DICT", "FIXED", "WORDS", "SPLIT", "LINES", "FIELD", "ESCAPED", "NULL")),
              *(f"slot {name}" for name in ("str", "int", "num", "time", "near", "ts", "observed", "seq", "session", "source", "type",
                                            "key", "kind", "direction", "body", "part", "field", "rawfield")),
              "digits 0", "digits 1", "digits 2", "numbers with a bit for each", "bytes zstd", "bytes blocks", "raw block",
              "filter none", "filter bits", "times by session", "rows moved"}
START = 1795403232_000_000_000
seed()
tap = Tap()


def rfc3339(ns, digits=9, date="-", middle="T", dot="."):
    text = time.strftime(f"%Y{date}%m{date}%d{middle}%H:%M:%S", time.gmtime(ns // 10**9))
    return text + (dot + f"{ns % 10**9:09d}"[:digits] if digits else "")


def record(ns, **members):
    return json.dumps({"ts": rfc3339(ns) + "Z", **members})


def word():
    return "".join(random.choices("abcdefghijklmnop", k=random.randint(2, 9)))


# ---- Evidence: a function each, which gives the lines ----

def conversations():
    """JSON messages of many sessions, with every kind of variable, in every style of escape."""
    now = START
    for i in range(1500):
        now += random.randint(10**4, 10**7)
        session, kind = f"c{random.randint(1, 40)}", random.choice(["ask", "answer", "tool", "done"])
        body = {"type": kind, "run_id": f"run-{i // 9}", "n": i, "price": round(random.random() * 100, 2), "uuid": f"{random.getrandbits(128):032x}",
                "at": rfc3339(now - random.randint(0, 10**6), 6) + "Z", "ms": now // 10**6, "text": " ".join(word() for _ in range(random.randint(1, 12))),
                "odd": random.choice(["<b>&amp;</b>", "caf\u00e9 \u2028", "\U0001f600", "a/b\\c\"d", "\x7f\b\f\x01"])}
        text = json.dumps(body, ensure_ascii=i % 2 == 0)
        yield record(now, observed=rfc3339(now + random.randint(0, 999)) + "Z", source="proxy", session=session, kind="ws.message",
                     direction=random.choice(["client", "server"]), body=text, seq=i, attrs={"opcode": 1, "peer": word()})


def metronome():
    """Even steps, constant columns, few words."""
    for i in range(600):
        yield record(START + i * 250_000_000, source="cron", kind="log", seq=i * i, body=f"tick {i} of cron at {word()} {random.random() * 5:.{random.randint(1, 6)}f}")


def heartbeats():
    """Sessions that beat once a second: their times tell which row is whose, but where two beat at once."""
    beats = [(START + second * 10**9 + random.randint(0, 999) * 10**6, random.random(), session) for second in range(40) for session in range(30)]
    for ns, _, session in sorted(beats):
        yield record(ns, observed=rfc3339(ns + 7) + "Z", source="pulse", session=f"h{session}", kind="ws.ping", body=f"beat {ns}")


def fixed_ids():
    for i in range(500):
        yield record(START + random.getrandbits(40), source="ids", session=f"s{i % 5}", kind="ws.message", direction="client",
                     key=f"{random.getrandbits(32):08x}-{random.getrandbits(16):04x}", body=f"{random.getrandbits(64):016x}")


def accounts():
    """Wide numbers, each named three times before long, and others three times long after one another."""
    near, far = ([random.randint(10**14, 10**15) for _ in range(400)] for _ in range(2))
    for i in range(1200):
        yield record(START + i, kind="ws.message", session="a", body=json.dumps({"type": "booked", "account": near[i // 3]}))
        yield record(START + i, kind="ws.message", session="a", body=json.dumps({"type": "settled", "customer": far[i % 400]}))


def own_words():
    """Bodies that repeat what the event's columns say."""
    for i in range(500):
        now, session, kind = START + i * 1_000_003, f"sess-{i % 9}", random.choice(["alpha", "beta"])
        yield record(now, observed=rfc3339(now + random.randint(1, 9) * 10**8) + "Z", source="unit", session=session, kind="ws.message", type=kind, key=f"key{i}",
                     direction="server", seq=i, severity="info",
                     body=f"{rfc3339(now, 6)} {session} unit {kind} key{i} ws.message server {i} {rfc3339(now + 10**8, 3, '/', ' ')}")


def times():
    """Times as text and as numbers, with all sorts of fractions, near the event's own or not."""
    for i in range(500):
        now = START + i * 777_777_777
        then = random.randint(0, 2 * 10**18)
        fraction = rfc3339(then, 9, dot=",").rstrip("0").rstrip(",")
        yield record(now, source="clock", kind="log",
                     body=f"{rfc3339(then, 3)} {fraction} {then // 10**9} {then // 10**6} {then / 10**9:.3f} {rfc3339(now, random.randint(1, 9))}Z {now // 1000}")


def binaries():
    for i in range(300):
        members = {"body_base64": base64.b64encode(random.randbytes(random.randint(0, 90))).decode()} if i % 3 else {"body": ""} if i % 2 else {}
        yield record(START + i, source="bin", session=f"b{i % 3}", kind="ws.message", **members)


def broken():
    """Lines that are no records, whose bytes are blocks of their own."""
    for i in range(400):
        yield record(START - i * 10**9, kind="ws.message", body="x") if random.random() < .5 else random.choice(["", "{nope", "\0\1", "{}"]) * random.randint(0, 50)


def app_log():
    """What a program prints: the time, a level, words and numbers."""
    now = START
    for i in range(1500):
        now += random.randint(0, 10**9)
        line = random.choice([f"{rfc3339(now, 3)}Z INFO request {i} took {random.random():.3f} ms from 10.0.{i % 7}.{random.randint(0, 255)}",
                              f"{rfc3339(now, 3)}Z WARN <retry> {random.randint(-9, 9)} of {word()}", "panic: " + word()])
        yield json.dumps({"log": line + "\n", "stream": random.choice(["stdout", "stderr"]), "time": rfc3339(now + random.randint(0, 10**6)) + "Z"})


def split_lines():
    """What Docker does to long lines, with all sorts of characters where it cuts, and what comes close to it."""
    for i in range(60):
        line = "".join(random.choice(["word ", "\t", "<b>", "caf\u00e9", "\U0001f600", str(random.random())]) for _ in range(random.randint(200, 9000)))
        size = random.choice([16384, 16384, 5000, 999])
        pieces = [line[at:at + size] for at in range(0, len(line), size)]
        for piece in pieces[:-1] + [pieces[-1] + "\n"]:
            text = json.dumps(piece, ensure_ascii=i % 5 == 0).replace("<", "\\u003c").replace(">", "\\u003e")
            yield f'{{"log":{text},"stream":"stdout","time":"{rfc3339(START + i * 10**6)}Z"}}'


def repeated_numbers():
    """Numbers of no great width that two slots of a line and the line after it have."""
    for i in range(1500):
        number = random.randint(0, 40_000) if i % 3 == 0 else number
        yield record(START + i, kind="log", body=f"paid {number} leaves {number}" if i % 2 else f"asked for {number} of them")


def stack_traces():
    """Messages whose words vary, and what lines they go on for: a log in which each is its own, and one that writes the time first."""
    places = [f"\tat org.{word()}.{word().title()}.{word()}({word()}.java:{random.randint(1, 900)})" for _ in range(60)]
    now = START
    for i in range(700):
        lines = [f"{rfc3339(now, 3)}Z WARN cache miss for {word()} of {' '.join(word() for _ in range(random.randint(1, 5)))}"]
        if i % 4 == 0:
            lines = [f"java.lang.{word().title()}Exception: {word()} is {word()}"] + random.choices(places, k=random.randint(1, 30))
        for line in lines:
            now += random.randint(0, 10**6)
            yield json.dumps({"log": line + "\n", "stream": "stdout", "time": rfc3339(now) + "Z"})


def access_log():
    """Requests, whose attrs are parts of their lines, but for some."""
    for i in range(1500):
        agent = random.choice(["curl/8.3.0", f"Mozilla/5.0 (X11; {word()}) {word()}", 'say \\"hi\\"', "-", "\u00e9<>"])
        url = "/" + "/".join(word() for _ in range(random.randint(0, 3))) + random.choice(["", f"?id={i}", "?a=b&c= d"])
        yield (f"10.{i % 7}.0.{random.randint(1, 255)} - {random.choice(['-', word()])} [{time.strftime('%d/%b/%Y:%H:%M:%S', time.gmtime(START // 10**9 + i))} +0000] "
               f'"{random.choice(["GET", "POST"])} {url} HTTP/1.1" {random.choice([200, 404])} {random.randint(0, 9999)} "{random.choice(["-", url])}" "{agent}"')


def journal():
    """Messages whose attrs stand in their lines beside the body."""
    for i in range(800):
        program = word()
        yield f"<{random.randint(8, 190)}>1 {rfc3339(START + i * 10**7, 6)}Z host{i % 3} {program} {random.randint(1, 70000)} ID{random.randint(1, 999)} - {word()} {word()}"


def requests():
    """Objects whose members are parts of one of them, mostly."""
    for i in range(900):
        place, name = random.choice(["north", "south", word()]), f"{word()}-{random.getrandbits(24):06x}"
        path = f"/places/{place}/{name}?page={i % 7}" if i % 40 else "/places"
        stack = "\n".join(f"\tat {random.choice(['org', 'net'])}.{word()}.{word()}({word()}.java:{j})" for j in range(random.randint(0, 9)))
        yield record(START + i, kind="log", source="api", body=json.dumps({"stack": stack, "path": path, "place": place, "name": name}))


def noise():
    """Bodies with every piece there is, and no record at the end."""
    for i in range(200):
        yield record(START + i, kind="ws.message", session="n", body="".join(random.choices("ghijklmnopqrstuvwxyz0123456789-_.:", k=2000)))
    yield from ["no record"] * 40


def one_byte_lines():
    """More events than a chunk holds."""
    for i in range(66_000):
        yield "{\"log\":\"%c\\n\",\"stream\":\"stdout\",\"time\":\"%sZ\"}" % (97 + i % 26, rfc3339(START + i))


SMALL = (stack_traces, metronome, heartbeats, fixed_ids, accounts, own_words, times, binaries, broken, noise, repeated_numbers, access_log, journal, requests)
GENERATORS = (*SMALL, split_lines, conversations, app_log, one_byte_lines)


# ---- Comparison ----

def run(*words, ok=(0,)):
    done = subprocess.run([*map(str, words)], capture_output=True, stdin=subprocess.DEVNULL, timeout=600)
    if done.returncode not in ok:
        raise RuntimeError(f"{words[:3]} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def first_difference(one, other):
    for left, right in zip(one.splitlines(), other.splitlines()):
        if left != right:
            return f"inquest: {left[:900]}\nsecond:  {right[:900]}"
    return f"{len(one)} and {len(other)} bytes"


def compare(what, path, evidence):
    """Points for one store."""
    try:
        store = second_reader.Store(path)
        second_reader.check(store)
    except Exception:  # whatever it is, the store or the description is wrong
        tap.point(False, f"{what}: a second reader can read it", traceback.format_exc())
        return
    mine = run(INQUEST, "export", path, "--format", "ndjson").decode()
    theirs = "".join(second_reader.ndjson(event) + "\n" for event in store.events())
    tap.point(mine == theirs, f"{what}: a second reader prints the same events", first_difference(mine, theirs))
    mine = run(INQUEST, "sql", path, "SELECT id, evidence, offset, length FROM events ORDER BY id", "--format", "csv").decode()
    theirs = "".join("{id},{evidence},{offset},{length}\n".format(**event) for event in store.events())
    mine = mine.replace("\r", "").split("\n", 1)[1]
    tap.point(mine == theirs, f"{what}: numbers and places are the same", first_difference(mine, theirs))
    tap.point(sorted(store.raw().values()) == sorted(evidence), f"{what}: a second reader gives the evidence back")


def ingest(data, path, store):
    path.write_bytes(data)
    run(INQUEST, "ingest", path, "--store", store, ok=(0, 3))


def main(work):
    run(INQUEST, "ingest", EXAMPLE / "evidence", "--store", work / "example")
    compare("the example", work / "example", [path.read_bytes() for path in (EXAMPLE / "evidence").rglob("*") if path.is_file()])
    grown = []
    for generate in GENERATORS:
        path, data = work / (generate.__name__ + ".log"), "".join(line + "\n" for line in generate()).encode()
        ingest(data, path, work / generate.__name__)
        compare(generate.__name__, work / generate.__name__, [data])
        if generate in SMALL:
            grown.append(data)
            for size in (*sorted(random.choices(range(len(data)), k=2)), len(data)):
                ingest(data[:size], path, work / "grown")
    compare("files that grew, in one store", work / "grown", grown)
    met = {" ".join(name.split()[:2]) if name.startswith(("slot", "digits")) else name for name in second_reader.MET}
    tap.point(EVERYTHING <= met, "every layout and slot occurred", EVERYTHING - met)


with tempfile.TemporaryDirectory(prefix="inquest-reader-") as directory:
    main(pathlib.Path(directory))
tap.end()
