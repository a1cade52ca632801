#!/usr/bin/python3
"""Random and adversarial evidence comes back byte for byte, and every column with what went in, as TAP: test_roundtrip.py INQUEST

IQ_TEST_SEED repeats a run, IQ_TEST_SECONDS (default 3) says how long random evidence is tried."""
import base64
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import second_reader

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from tap import Tap, seed

INQUEST = pathlib.Path(sys.argv[1]).resolve()
SECONDS = float(os.environ.get("IQ_TEST_SECONDS", 3))
SEED = seed()
tap = Tap()


class Differs(Exception):
    pass


def expect(good, what):
    if not good:
        raise Differs(what)


def run(*words, ok=(0,)):
    done = subprocess.run([INQUEST, *map(str, words)], capture_output=True, stdin=subprocess.DEVNULL, timeout=600)
    expect(done.returncode in ok, f"{words[0]} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return done.stdout


# ---- Text that looks like something, and is nearly that ----

def moment():
    ns = random.choice([random.randint(-2**62, 2**62), random.randint(10**18, 2 * 10**18), 0, -1, 951_827_696 * 10**9 + random.randint(0, 10**9)])
    when = time.gmtime(ns // 10**9)
    text = time.strftime(f"%Y{(date := random.choice('-/.'))}%m{date}%d", when) + random.choice("T _") + time.strftime("%H:%M:%S", when)
    text = random.choice([text, text, text[:-2] + "60", text[:-2] + "61", text[:11] + "24:00:00", text.replace(text[5:7], "13", 1), text[:-3]])
    fraction = random.choice(["", ".", "." + str(random.randint(0, 10**random.randint(1, 14))), ".000", ",5", ".1200", ".123456789", ".1234567890"])
    return text + fraction + random.choice(["", "", "Z", "z", "+00:00", "+05:30", "-00:00"])


def integer():
    edge = random.choice([0, 2**63 - 1, 2**63, -2**63, -2**63 - 1, 2**64, 10**19, 10**40, 2**31, 2**32, 2**53])
    return random.choice([str(edge + random.randint(-2, 2)), str(random.randint(0, 10**random.randint(1, 20))), "0" * random.randint(1, 25),
                          "0" + str(random.randint(0, 999)), "-0", "-" + str(random.randint(0, 99)), "+1", "--1", str(1700000000 + random.randint(0, 9))])


def fraction():
    return random.choice([f"{random.random() * 100:.{random.randint(1, 9)}f}", "0.0", "-0.0", "-0.5", "1.", ".5", "1.2.3", "00.1", "1.50", "-.1", "9" * 30 + ".5",
                          "1e5", "1E+5", "1.0e-400", "9223372036854775807.0", "922337203685477580.8", "0." + "0" * 25 + "1", "NaN", "-1.10"])


def identifier():
    digits = f"{random.getrandbits(128):032x}"
    return random.choice([digits, digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:], digits.upper()[:8], digits[:7],
                          "0x" + digits[:4], "run-" + str(random.randint(0, 99)), digits[:12] + "A", "deadbeef", "abcd", "12345678", "00000000"])


def oddity():
    return random.choice(["<int>", "<str>", "<<", "<", ">", "<ts:-T.>", "<near:s>", "<body:@>", "<time:", "<>", "< >", "%d", "\\", "\\\"", "\"", "'", "\0", "\x1b[31m", "\x7f",
                          "\u2028\u2029", "\ufeff", "\ufffd", "\U0001f600", "\u00e9", "\\u0041", "\\ud800", "&lt;", "</script>", "\t", "\r", "\b\f", "{}", "[", "}", "null", "",
                          " ", "  ", "\n", "/", "\\/", "\x80", "\u0100\u0101"])


def word():
    return random.choice(["INFO", "error", "GET", "user", "id=", "took", "ms", "to", "127.0.0.1:8080", "/api/v1/", "a" * random.randint(1, 60), "x"])


TOKENS = (moment, integer, fraction, identifier, oddity, word, word)


def sentence(shape):
    """Tokens as the shape says, of which sometimes one is another."""
    return random.choice([" ", " ", "", ", ", "="]).join(random.choice(TOKENS)() if random.random() < .04 else token() for token in shape)


def json_number():
    return random.choice([lambda: str(random.randint(-5, 10**random.randint(1, 19))), lambda: f"{random.random() * 100:.3f}", lambda: "-0", lambda: "1E5", lambda: "0.10",
                          lambda: "12345678901234567890123", lambda: "-0.0", lambda: "9223372036854775807", lambda: "1e-7"])()


def json_text(depth=0):
    """One JSON value, as someone may write it."""
    comma, colon = random.choice([(",", ":"), (", ", ": "), (" ,\t", " :")])
    kind = random.random()
    if depth > 3 or kind < .35:
        text = json.dumps(sentence(random.choices(TOKENS, k=random.randint(0, 4))), ensure_ascii=random.random() < .5)
        return text.replace("/", "\\/") if random.random() < .2 else text
    if kind < .6:
        return json_number()
    if kind < .7:
        return random.choice(["null", "true", "false", "{}", "[]", "[ ]"])
    inner = [json_text(depth + 1) for _ in range(random.randint(0, 4))]
    if kind < .8:
        return "[" + comma.join(inner) + "]"
    return "{" + comma.join(f'"{random.choice(["a", "id", "n", "type", "", "a b", "<"])}"{colon}{value}' for value in inner) + "}"


def message(i):
    """A JSON object as a program sends it: always alike, but for its values and, at times, its make."""
    return (f'{{"type": "step", "n": {i if random.random() < .95 else json_number()}, "at": "{moment_near(i)}", "id": "{random.getrandbits(64):016x}", '
            f'"ok": {random.choice(["true", "false", json_text(2)])}, "price": {random.random() * 10:.{random.choice([2, 2, 2, 5])}f}}}')


def moment_near(i):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1795403232 + i)) + random.choice([".123Z", ".5Z", "Z"])


def deep():
    depth = random.randint(1, 400)
    return random.choice(["[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth, "[" * depth])


def body_maker():
    """A program: its lines have a few shapes."""
    shapes = [random.choices(TOKENS, k=random.randint(1, 9)) for _ in range(random.randint(1, 4))]
    said = [sentence(random.choice(shapes)) for _ in range(3)]
    makers = [lambda i: sentence(random.choice(shapes)), message, lambda i: json_text(), lambda i: random.choice(said), lambda i: deep(),
              lambda i: "x" * random.randint(0, 3000), lambda i: "", lambda i: str(i)]
    chosen = random.choices(makers, weights=[6, 6, 3, 2, 1, 1, 1, 1], k=random.randint(1, 4))
    return lambda i: random.choice(chosen)(i)


# ---- Evidence whose values are known ----

def rfc3339(ns):
    seconds, part = divmod(ns, 10**9)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{part:09d}Z"


def random_event(i, make, habits):
    """The members that an export must give again."""
    ts = habits["start"] + i * habits["step"] + random.choice([0, 0, random.randint(-10**10, 10**10)])
    event = {"ts": rfc3339(ts), "kind": random.choice(habits["kinds"]), "source": random.choice(["proxy", "b\u00e9", "<str>", "api"][:habits["sources"]])}
    optional = {"observed": lambda: rfc3339(ts + random.choice([0, 5, -7, 10**15])), "session": lambda: f"s{random.randint(0, habits['sessions'])}",
                "direction": lambda: random.choice(["client", "server"]), "seq": lambda: random.choice([i, i * i, -i, 2**63 - 1, -2**63 + 1]),
                "severity": lambda: random.choice(["info", "error", "debug"]), "type": lambda: random.choice(["a", "b", "", oddity()]), "key": identifier}
    for name, value in optional.items():
        if random.random() < habits[name]:
            event[name] = value()
    if random.random() < .1:
        event["body_base64"] = base64.b64encode(b"\xff" + random.randbytes(random.randint(0, 50))).decode()
    elif random.random() < .95:
        event["body"] = make(i)
    if random.random() < habits["attrs"]:
        event["attrs"] = {"opcode": random.randint(1, 9), "text": oddity()}
    return event


def written(event):
    """A line that says this, in one of the ways that there are."""
    members = list(event.items())
    random.shuffle(members)
    return json.dumps(dict(members), ensure_ascii=random.random() < .5, separators=random.choice([(",", ":"), (", ", ": ")]))


def ndjson(count):
    habits = {name: random.choice([0, 1, .5, .98]) for name in ("observed", "session", "direction", "seq", "severity", "type", "key", "attrs")}
    habits.update(start=random.choice([0, -2**62, 1795403232 * 10**9]), step=random.choice([0, 1, 10**6, -10**9]), sources=random.randint(1, 4),
                  sessions=random.choice([0, 3, 200]), kinds=random.choice([["ws.message"], ["ws.message", "log", "http.request", "ws.ping"]]))
    make = body_maker()
    events = [random_event(i, make, habits) for i in range(count)]
    end = random.choice(["\n", "\n", "\r\n", "\n\n"])
    return end.join(map(written, events)) + random.choice([end, ""]), events


def docker(count):
    make = body_maker()
    events, lines = [], []
    for i in range(count):
        # Half a surrogate pair has no UTF-8, and a line end would be two events.
        body, ts = make(i).replace("\n", " ").replace("\r", " "), random.choice([1795403232 * 10**9 + i, random.randint(0, 2**62)])
        events.append({"ts": rfc3339(ts), "kind": "log", "body": body})
        lines.append(json.dumps({"log": body + "\n", "stream": random.choice(["stdout", "stderr"]), "time": rfc3339(ts)}, separators=(",", ":")))
    return "\n".join(lines) + "\n", events


def bytes_of_any_kind(count):
    """Lines that are no records, between lines that are; nothing is known but that the bytes come back."""
    pieces = [lambda: random.randbytes(random.randint(0, 200)), lambda: bytes(range(256)), lambda: b"\r\n" * random.randint(0, 5), lambda: b"x\n" * random.randint(0, 50),
              lambda: ndjson(random.randint(1, 9))[0].encode("utf-8", "surrogatepass"), lambda: docker(random.randint(1, 9))[0].encode(), lambda: json_text().encode() + b"\n",
              lambda: b"\xed\xa0\x80\xf5\x80\n", lambda: b"\0" * random.randint(0, 5000)]
    head = random.choice([b"", b"", b'{"log":{"version":"1.2","entries":[', b'{"log":{"entries":[{"startedDateTime":"'])
    return head + b"".join(random.choice(pieces)() for _ in range(random.randint(0, count // 10))) or b"x"


# ---- The properties ----

def stored(work, data, *options):
    path, store = work / "evidence.log", work / "case"
    path.write_bytes(data)
    run("ingest", path, "--store", store, *options, ok=(0, 3))
    run("store", "verify", store)
    run("export", store, "--format", "raw", "--output", work / "out")
    back = [found.read_bytes() for found in (work / "out").rglob("*") if found.is_file()]
    expect(back == [data], "other bytes come back")
    return store


def keeps_values(work, text, events):
    store = stored(work, text.encode())
    found = [json.loads(line) for line in run("export", store, "--format", "ndjson").decode().split("\n") if line]
    expect(len(found) == len(events), f"{len(events)} events became {len(found)}")
    for i, (wanted, event) in enumerate(zip(events, found)):
        for name, value in wanted.items():
            expect(event.get(name) == value, f"event {i + 1}: {name} {value!r} became {event.get(name)!r}")
        for name in ("observed", "direction", "seq", "session", "body", "body_base64"):
            expect(name in wanted or name not in event, f"event {i + 1}: {name} {event.get(name)!r} out of nothing")
    return store


def agrees(store):
    """A second reader reads the same; it checks every hash as well."""
    second = second_reader.Store(store)
    second_reader.check(second)
    mine = run("export", store, "--format", "ndjson").decode().split("\n")
    for line, event in zip(mine, second.events()):
        expect(line == second_reader.ndjson(event), f"inquest prints {line}, a second reader {second_reader.ndjson(event)}")
    expect(len(mine) - 1 == len(list(second.events())), "a second reader prints more or fewer events")


def random_round(work, count):
    make = random.choice([ndjson, ndjson, docker, bytes_of_any_kind])
    if make is bytes_of_any_kind:
        agrees(stored(work, make(count), "--format", random.choice(["ndjson", "docker-json", "har"])))
    else:
        agrees(keeps_values(work, *make(count)))


def long_line(size):
    def try_it(work):
        line = b'{"log":"' + b"<long> 0x1 " * (size // 11) + b'\\n","stream":"stdout","time":"2026-11-23T03:07:12Z"}'
        stored(work, b"\n".join([docker(3)[0].encode().strip(), line, docker(3)[0].encode()]))
    return try_it


def one_byte(work):
    stored(work, docker(2)[0].encode() + b"x\n" * 20000 + b"\n" * 20000 + bytes(range(256)) * 10)


def all_bytes_in_bodies(work):
    events = [{"ts": rfc3339(i), "kind": "ws.message", "body_base64": base64.b64encode(b"\xff" + bytes([i, j])).decode()} for i in range(256) for j in (0, 10, 60, 62, 255)]
    keeps_values(work, "\n".join(map(json.dumps, events)), events)


def in_directory(what, property_, *operands):
    with tempfile.TemporaryDirectory(prefix="inquest-round-") as work:
        try:
            property_(pathlib.Path(work), *operands)
        except Exception as error:  # a reader that fails is as wrong as another answer
            tap.point(False, what, f"{type(error).__name__}: {error}")
            return False
    return True


def repeat():
    deadline = time.monotonic() + SECONDS
    done = 0
    while done < 3 or time.monotonic() < deadline:
        random.seed(f"{SEED}/{done}")
        if not in_directory(f"random evidence, IQ_TEST_SEED={SEED}, round {done}", random_round, random.choice([1, 2, 10, 100, 400])):
            return
        done += 1
    tap.point(True, "random evidence comes back")
    tap.note(f"{done} rounds")


for what, property_ in (("a line of 16 MiB comes back", long_line(16 << 20)), ("a line of 1 MiB and a little comes back", long_line((1 << 20) + random.randint(-20, 20))),
                        ("lines of one byte come back", one_byte), ("every byte in a body comes back", all_bytes_in_bodies)):
    if in_directory(what, property_):
        tap.point(True, what)
repeat()
tap.end()
