"""Secrets to plant in evidence, and where to look for them in a store: each has a core that occurs nowhere else."""
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
from tap import Tap

INQUEST = pathlib.Path(sys.argv[1]).resolve()
TIME = "2026-11-23T03:07:%02d.%03dZ"
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


def opaque_into(cores):
    core = letters(24)
    cores.append(core)
    return core


def email_into(cores):
    text, found = email()
    cores += found
    return text


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
