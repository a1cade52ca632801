#!/usr/bin/python3
"""Random streams of frames, valid and not, through `inquest record ws` and through npm's ws, as TAP: differential.py INQUEST

Up to where ws refuses a stream both have to have heard the same; there the recording has to say that something is wrong. The seed is
printed; IQ_TEST_SEED repeats a run, IQ_TEST_ROUNDS says how many streams there are."""
import asyncio
import base64
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import conformance
from conformance import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Case, Deflater, Frame
from tap import Tap, rounds, seed

HERE = pathlib.Path(__file__).resolve().parent
LETTERS = ["a", "ß", "€", "🙂", "hello ", "\x00"]
AFTER_CLOSE = conformance.AFTER_CLOSE


def chance(draw, one_in):
    return draw.randrange(one_in) == 0


def control(draw):
    opcode = draw.choice((PING, PONG)) if not chance(draw, 40) else draw.randrange(11, 16)
    return Frame(opcode, draw.randbytes(draw.randrange(126) if not chance(draw, 40) else 126), fin=not chance(draw, 60), rsv=draw.randrange(8) if chance(draw, 60) else 0)


def payload_of(draw, opcode):
    size = draw.choice((1, 10, 125, 126, 300, 70000 if chance(draw, 10) else 5))
    if opcode == BINARY:
        return draw.randbytes(draw.randrange(size + 1))
    text = "".join(draw.choice(LETTERS) for _ in range(draw.randrange(size + 1))).encode()
    return text + b"\xed\xa0\x80" * chance(draw, 50)


def message(draw, deflater):
    """Frames of a message, control frames between them."""
    opcode = draw.choice((TEXT, BINARY))
    data, rsv = payload_of(draw, opcode), 0
    if deflater and not chance(draw, 4):
        data, rsv = deflater.payload(data), 4
        data += b"\xff" * chance(draw, 80)
    opcode = draw.randrange(3, 8) if chance(draw, 80) else CONTINUATION if chance(draw, 80) else opcode
    rsv = rsv if not chance(draw, 60) else draw.randrange(8)
    while len(data) > 1 and chance(draw, 2):
        size = draw.randrange(len(data))
        yield Frame(opcode, data[:size], fin=False, rsv=rsv)
        data, opcode, rsv = data[size:], TEXT if chance(draw, 60) else CONTINUATION, 0
        if chance(draw, 3):
            yield control(draw)
    yield Frame(opcode, data, rsv=rsv)


def stream(draw, name):
    deflate = {"bits": 15, "takeover": True} if chance(draw, 2) else None
    deflater = Deflater() if deflate else None
    frames = []
    for _ in range(draw.randrange(1, 12)):
        frames += [control(draw)] if chance(draw, 4) else message(draw, deflater)
    if chance(draw, 2):
        frames.append(Frame(CLOSE, draw.choice((b"", b"\x03\xe8", b"\x03\xe9bye", b"\x0f\xa0", b"\x03\xed", b"\x03\xe7", b"x", b"\x03\xe8\xff"))))
    return Case(name, frames, [], piece=draw.choice((None, 1000, 65536)), deflate=deflate)


def heard_by_ws(ways):
    asked = "".join(json.dumps({"server": way.sender == "client", "deflate": bool(way.case.deflate), "bytes": base64.b64encode(way.sent).decode()}) + "\n" for way in ways)
    done = subprocess.run(["node", HERE / "rival_ws.js"], input=asked, capture_output=True, text=True, check=True, env={**os.environ, "NODE_PATH": "/usr/share/nodejs"})
    return [json.loads(line) for line in done.stdout.splitlines()]


def as_ws_says(event):
    attrs = event.get("attrs", {})
    if event["kind"] == "ws.close":
        return ["close", attrs.get("code", 1005)]
    if event["kind"] == "ws.message":
        return ["binary" if attrs.get("opcode") == BINARY else "text", base64.b64encode(conformance.body_of(event)).decode()]
    return [event["kind"].removeprefix("ws."), base64.b64encode(conformance.body_of(event)).decode()]


def difference(way, events, theirs):
    said = [event for event in events if event["kind"].startswith("ws.") and event["kind"] != "ws.open" and event.get("direction") == way.sender]
    said = [event for event in said if not event.get("attrs", {}).get("partial") or event["attrs"].get("violations")]
    count = len(theirs["heard"])
    ours = [as_ws_says(event) for event in said[:count]]
    if ours != theirs["heard"]:
        at = next((n for n, pair in enumerate(zip(ours, theirs["heard"])) if pair[0] != pair[1]), len(ours))
        return f"message {at} is another one: {str(ours[at:at + 1])[:100]}, ws {str(theirs['heard'][at:at + 1])[:100]}"
    wrong = [number for number, event in enumerate(said) if set(event.get("attrs", {}).get("violations", [])) - {AFTER_CLOSE}]
    if any(number < count for number in wrong):
        return f"{said[wrong[0]]['attrs']}, which ws likes"
    if theirs["error"] is None:
        closed = bool(count) and theirs["heard"][-1][0] == "close"
        return None if closed or (len(said) == count and not wrong) else f"{len(said)} messages, ws {count}, without an error"
    if not wrong:
        return f"nothing wrong, ws: {theirs['error']}"
    between = [event["kind"] for event in said[count:wrong[0]] if event["kind"] == "ws.message"]
    return f"{len(between)} messages more before what is wrong, ws: {theirs['error']}" if between else None


def main():
    first, count = seed(), rounds(400)
    tap = Tap()
    ways = [conformance.Way(number, stream(random.Random(first + number), f"stream {number}"), ("client", "server")[number % 2]) for number in range(count)]
    theirs = heard_by_ws(ways)
    with tempfile.TemporaryDirectory(prefix="iq-differential-", dir="/tmp") as work:
        events = conformance.by_path(asyncio.run(conformance.run(ways, pathlib.Path(work))))
    torn = [way.case.name for way in ways if way.got != way.sent]
    tap.point(not torn, f"{count} streams come out as they went in", torn)
    wrong = [f"{way.case.name} from {way.sender}: {said}" for way, heard in zip(ways, theirs) if (said := difference(way, events.get(way.path, []), heard))]
    refused = sum(heard["error"] is not None for heard in theirs)
    tap.note(f"{refused} of them are refused by ws")
    tap.point(0 < refused < count, "some are right and some are wrong", refused)
    tap.point(not wrong, "ws hears the same, and refuses what is said to be wrong", "\n".join(wrong[:20]))
    tap.end()


main()
