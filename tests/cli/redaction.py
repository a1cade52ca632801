#!/usr/bin/python3
"""Secrets that are planted in evidence are nowhere in a store that was made with --redact, as TAP: redaction.py INQUEST

Each secret has a core that occurs nowhere else. They are written into every place and in every way that the formats know, taken in, and their
cores are looked for in every byte of the store: in its files as they are, and decoded by the program and by the second reader.
IQ_TEST_SEED repeats a run."""
import base64
import json
import pathlib
import random
import shutil
import sys
import tempfile

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(pathlib.Path(__file__).resolve().parent.parent)]
from planting import TIME, check_absent, email_into, inquest, letters, opaque_into, pem, planted, tap, url
from tap import rounds, seed

seed()


# ---- Evidence: each gives the bytes of a file, and adds the cores ----

def time(i):
    return TIME % (i // 1000 % 60, i % 1000)


def ndjson(cores):
    lines = []
    for i in range(60):
        text, found = planted()
        cores += found
        record = {"ts": time(i), "source": "proxy", "session": f"c{i % 3}", "kind": "ws.message", "direction": "client", "body": text}
        what = random.randrange(8)
        if what == 0:
            record["attrs"] = {"headers": {"Authorization": "Bearer " + opaque_into(cores)}, "note": text}
        elif what == 1:
            record["session"] = record["key"] = secret = opaque_into(cores)
            record["body"] = json.dumps({"type": "login", "token": secret})
        elif what == 2:
            record["source"] = email_into(cores)
            record["type"] = "sent by " + email_into(cores)
        elif what == 3:
            record["body"] = None
            record["body_base64"] = base64.b64encode(text.encode() + b"\xff").decode()
        elif what == 4:
            record["kind"], record["attrs"] = "ws.open", {"url": url(opaque_into(cores)).split()[1], "subprotocol": "bearer, " + opaque_into(cores)}
        elif what == 5:
            record = {"ts": time(i), "source": "proxy", "session": url(opaque_into(cores)), "kind": "gap", "attrs": {"reason": "lost " + email_into(cores)}}
        lines.append(json.dumps(record))
        if what == 6:
            lines.append("not JSON: " + text.replace("\n", " "))
    return "\n".join(lines).encode() + b"\n"


def docker(cores):
    """Lines in pieces of 16 KiB, and keys whose lines are records."""
    lines = []
    for i in range(40):
        text, found = planted()
        cores += found
        if i % 10 == 0:
            text = "x" * (16384 - random.randint(1, len(text))) + " " + text
        pieces = [text + "\n"] if text.startswith("-----") else [text.replace("\n", " ") + "\n"]
        if len(pieces[0]) > 16384:
            pieces = [pieces[0][:16384], pieces[0][16384:]]
        if i % 8 == 0:
            key, found = pem()
            cores += found
            pieces = [line + "\n" for line in key.strip().split("\n")]
        lines += [json.dumps({"log": piece, "stream": "stdout", "time": time(i)}) for piece in pieces]
    return "\n".join(lines).encode() + b"\n"


def exchange(i, cores):
    """A request of a HAR: pairs in either order, several cookies, bodies as they are and in base64."""
    sent, found = planted()
    got, more = planted()
    cores += found + more
    pairs = [("Authorization", "Bearer " + opaque_into(cores)), ("X-Api-Key", opaque_into(cores)), ("Cookie", f"a=1; sid={opaque_into(cores)}")]
    cookies = [{"name": "Set-Cookie", "value": f"s{n}={opaque_into(cores)}; Path=/"} for n in range(3)]
    return {"startedDateTime": time(i), "time": 7.5,
            "request": {"method": "POST", "url": url(opaque_into(cores)).split()[1].replace("wss:", "https:"),
                        "headers": [random.choice([{"name": name, "value": value}, {"value": value, "name": name}]) for name, value in pairs],
                        "postData": {"mimeType": "text/plain", "text": sent}},
            "response": {"status": 200, "headers": cookies, "content": {"mimeType": "x", "text": base64.b64encode(got.encode()).decode(), "encoding": "base64"}}}


def har(cores):
    entries = []
    for i in range(5):
        messages = []
        for j in range(8):
            text, found = planted()
            cores += found
            messages.append({"type": random.choice(["send", "receive"]), "time": 1795403232.5 + i + j / 10, "opcode": 1, "data": text})
        request = [{"name": "Authorization", "value": "Bearer " + opaque_into(cores)}, {"name": "Cookie", "value": "sid=" + opaque_into(cores)}]
        entries.append({"startedDateTime": time(i), "time": 1, "_resourceType": "websocket", "_webSocketMessages": messages,
                        "request": {"method": "GET", "url": url(opaque_into(cores)).split()[1], "headers": request, "cookies": []},
                        "response": {"status": 101, "headers": []}})
        entries.append(exchange(i, cores))
    return json.dumps({"log": {"version": "1.2", "creator": {"name": "t", "version": "1"}, "entries": entries}}).encode()


def random_evidence(work):
    evidence, store, cores = work / "evidence", work / "case", []
    (evidence / email_into(cores)).mkdir(parents=True)
    directory = next(evidence.iterdir())
    (directory / "proxy.ndjson").write_bytes(ndjson(cores))
    (directory / "api-json.log").write_bytes(docker(cores))
    (directory / "browser.har").write_bytes(har(cores))
    done = inquest(work, "ingest", "--redact", evidence, "--store", store)
    tap.point(done.returncode in (0, 3) and b"secrets replaced" in done.stdout, "evidence is redacted as it is taken in", done.stderr)
    check_absent("random evidence", work, store, cores)
    done = inquest(work, "store", "verify", store)
    tap.point(done.returncode == 0, "and the store verifies", done.stdout + done.stderr)
    inquest(work, "store", "compact", store)
    check_absent("compacted", work, store, cores)
    again = inquest(work, "ingest", evidence, "--store", store)
    tap.point(b"3 known already" in again.stdout, "what was redacted is known by its content", again.stdout + again.stderr)
    attrs = [json.loads(line).get("attrs") for line in inquest(work, "export", store, "--format", "ndjson").stdout.splitlines()]
    tap.point(len(attrs) > 100, "records stay JSON")


def places(work, store):
    return inquest(work, "sql", store, "SELECT evidence, kind, ts, offset, length FROM events ORDER BY id", "--format", "csv").stdout


def same_places(work):
    """Events are where they were in the file, also where it came in pieces that end anywhere, through a pipe."""
    cores = []
    data = ndjson(cores)
    cuts = sorted(random.sample(range(1, len(data)), 3)) + [len(data)]
    for store, options in (("plain", []), ("redacted", ["--redact"])):
        for cut in cuts:
            done = inquest(work, "ingest", *options, "-", "--source", "a", "--format", "ndjson", "--store", work / store, data=data[:cut])
            if done.returncode not in (0, 3):
                tap.point(False, f"a pipe is taken in up to byte {cut}", done.stderr)
    tap.point(places(work, work / "plain") == places(work, work / "redacted"), "redacted events are where they were")
    check_absent("a growing pipe", work, work / "redacted", cores)
    done = inquest(work, "store", "verify", work / "redacted")
    tap.point(done.returncode == 0, "and the store verifies", done.stdout + done.stderr)


def in_work(test):
    work = pathlib.Path(tempfile.mkdtemp(prefix="inquest-redaction-"))
    (work / "config").mkdir()
    try:
        test(work)
    finally:
        shutil.rmtree(work)


for _ in range(rounds(2)):
    in_work(random_evidence)
    in_work(same_places)
tap.end()
