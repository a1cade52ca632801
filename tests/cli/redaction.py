#!/usr/bin/python3
"""Secrets that are planted in evidence are nowhere in a store that was made with --redact, as TAP: redaction.py INQUEST

Each secret has a core that occurs nowhere else. They are written into every place and in every way that the formats know, taken in, and their
cores are looked for in every byte of the store: in its files as they are, and decoded by the program and by the second reader.
IQ_TEST_SEED repeats a run."""
import base64
import json
import os
import pathlib
import random
import shutil
import sqlite3
import string
import subprocess
import sys
import tempfile
import urllib.parse

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent.parent), str(pathlib.Path(__file__).resolve().parent.parent / "store")]
import second_reader
from tap import Tap, rounds, seed

INQUEST = pathlib.Path(sys.argv[1]).resolve()
TIME = "2026-11-23T03:07:%02d.%03dZ"
seed()
tap = Tap()


def inquest(work, *words, data=None):
    return subprocess.run([INQUEST, *map(str, words)], capture_output=True, input=data, timeout=120,
                          env={**os.environ, "XDG_CONFIG_HOME": str(work / "config"), "TZ": "UTC"})


def letters(count, alphabet=string.ascii_letters + string.digits):
    return "".join(random.choices(alphabet, k=count))


def b64(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


# ---- Secrets: each gives its text and the cores that must be gone ----

def opaque():
    core = letters(18) + "7q"
    return random.choice(["", "a+/", "~x.", "p_"]) + core, [core]


def awkward():
    """What has to be escaped wherever it is quoted."""
    one, two = letters(14), letters(14)
    return random.choice([f'{one}"{two}', f"{one}\\{two}", f"{one}/é{two}", f'"{one}" {two}\\', f"{one}\n{two}"]), [one, two]


def jwt():
    core = letters(30)
    return f"{b64(json.dumps({'alg': 'HS256'}))}.{b64(json.dumps({'sub': core}))}.{core}", [core, b64(json.dumps({"sub": core}))[12:40]]


def vendor():
    core = letters(36)
    return random.choice(["ghp_", "sk-proj-", "sk_live_", "xoxb-12-", "glpat-", "AIza", "npm_"]) + core, [core]


def email():
    core = letters(16, string.ascii_lowercase)
    return f"{core}.x+y@mail.{letters(8, string.ascii_lowercase)}.org", [core]


def pem():
    lines = [letters(64) for _ in range(random.randint(2, 5))]
    kind = random.choice(["RSA ", "EC ", "", "ENCRYPTED "])
    return f"-----BEGIN {kind}PRIVATE KEY-----\n" + "\n".join(lines) + f"\n-----END {kind}PRIVATE KEY-----\n", [line[8:40] for line in lines]


def by_form():
    return random.choice([jwt, vendor, email, pem])()


# ---- Places: each writes a secret into a text ----

NAMES = ["password", "token", "client_secret", "accessToken", "api_key", "X-Api-Key", "refresh_token", "DB_PASSWORD", "passphrase", "privateKey"]


def member(secret):
    return json.dumps({"type": "login", random.choice(NAMES): secret, "n": random.randint(0, 99)},
                      ensure_ascii=random.random() < 0.5, indent=random.choice([None, None, 1]))


def nested(secret):
    text = member(secret)
    for _ in range(random.randint(1, 4)):
        text = json.dumps({"payload": text, "n": 1}, ensure_ascii=random.random() < 0.5)
    return text


def slashed(secret):
    return member(secret).replace("/", "\\/")


def tree(secret):
    return json.dumps({"credentials": {"user": "u", "value": secret, "more": [1, [secret]]}, "z": 1})


def headers(secret):
    name, value = random.choice([("Authorization", "Bearer " + secret), ("Cookie", f"theme=dark; sid={secret}"), ("x-api-key", secret),
                                 ("Set-Cookie", f"sid={secret}; Path=/; HttpOnly"), ("Sec-WebSocket-Protocol", f"bearer, {secret}")])
    return json.dumps(random.choice([{"headers": {name: value}}, {"headers": {name: [value]}}, {"headers": [{"name": name, "value": value}]},
                                     {"headers": [{"value": value, "name": name}]}, {"pairs": [{"value": value, "key": name}]},
                                     ["Host", "x", name, value]]))


def url(secret):
    return f"GET wss://chat:8000/ws?{random.choice(['token', 'access_token', 'ticket', 'api_key'])}={urllib.parse.quote(secret, safe='')}&x=1 HTTP/1.1"


def encoded_url(secret):
    return "next=" + urllib.parse.quote(url(secret).split()[1], safe="")


def user_info(secret):
    return f"connecting to postgres://app:{urllib.parse.quote(secret, safe='')}@db:5432/chat"


def assignment(secret):
    return f'{random.choice(NAMES)}="{secret}" level=info'


def in_words(secret):
    return f"user sent {secret} to us"


def in_json_words(secret):
    return json.dumps({"type": "said", "text": f"<{secret}>", "deep": json.dumps({"t": f"it is {secret}"})})


def plain(secret):
    return not any(c in '"\\\n /é' for c in secret)


QUOTED = [member, nested, slashed, tree]
SIMPLE = [headers, url, encoded_url, user_info, assignment]


def planted():
    """A text and the cores in it."""
    choice = random.random()
    if choice < 0.4:
        secret, cores = random.choice([opaque, awkward, jwt, vendor, pem])()
        return random.choice(QUOTED)(secret), cores
    if choice < 0.7:
        secret, cores = random.choice([opaque, jwt, vendor])()
        return random.choice(SIMPLE)(secret), cores
    secret, cores = by_form()
    return random.choice([in_words, in_json_words])(secret), cores


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


def opaque_into(cores):
    core = letters(24)
    cores.append(core)
    return core


def email_into(cores):
    text, found = email()
    cores += found
    return text


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


# ---- Where they are looked for ----

def decoded(segment):
    """Every text of a segment."""
    for table in ("meta", "sources", "sessions", "evidence", "gaps", "templates"):
        for row in segment.db.execute(f"SELECT * FROM {table}"):
            yield from (value if isinstance(value, bytes) else str(value).encode() for value in row)
    for chunk in segment.chunks:
        for event in chunk.events():
            yield from (value if isinstance(value, bytes) else str(value).encode() for value in event.values())
    yield from segment.words()
    yield from (block for _, _, block in segment.raw_blocks())


def everything(work, store):
    yield "a file", b"\0".join(path.read_bytes() for path in sorted(store.rglob("*")) if path.is_file())
    yield "the manifest", (store / "manifest").read_bytes()
    yield "the events", inquest(work, "export", store, "--format", "ndjson").stdout
    yield "SQL", b"".join(inquest(work, "sql", store, f"SELECT * FROM {table}", "--format", "json").stdout
                          for table in ("sessions", "sources", "evidence", "gaps", "templates"))
    yield "a segment", b"\0".join(text for segment in second_reader.Store(str(store)).segments for text in decoded(segment))


def check_absent(what, work, store, cores):
    for place, text in everything(work, store):
        left = [core for core in cores if core.encode() in text]
        where = text.find(left[0].encode()) if left else 0
        tap.point(not left and text, f"{what}: no secret is in {place}", f"{len(left)} of {len(cores)}, {left[:3]}: {text[max(0, where - 200):where + 60]}")


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
