#!/usr/bin/python3
"""What RFC 6455 and RFC 7692 allow, and what they forbid, through `inquest record ws`, as TAP: conformance.py INQUEST

Each case is sent by a client and by a server of bare sockets. The bytes have to come out as they went in, broken or not, and the
recording has to say what was sent and what was wrong with it. Cases are written down by frames; expectations by hand, from the RFCs."""
import asyncio
import base64
import hashlib
import json
import pathlib
import random
import struct
import sys
import tempfile
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from peers import Recorder
from tap import Tap

INQUEST = pathlib.Path(sys.argv[1]).resolve()
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
CHUNK = 1 << 16
MOST_KEPT = 16 << 20

RESERVED = "reserved bits without an extension"
OPCODE = "an unknown opcode"
NO_MESSAGE = "a continuation without a message"
UNFINISHED = "a message that another one interrupted"
CONTROL_FRAGMENT = "a fragmented control frame"
CONTROL_LENGTH = "a control frame longer than 125 bytes"
LENGTH_FORM = "a length that is not in its shortest form"
UTF8 = "a text that is not UTF-8"
CLOSE_LENGTH = "a close frame of one byte"
CLOSE_CODE = "a close code that must not be sent"
AFTER_CLOSE = "a frame after the close frame"
DEFLATE = "compressed bytes that cannot be inflated"


class Frame:
    def __init__(self, opcode, payload=b"", fin=True, rsv=0, form=None):
        self.opcode, self.payload, self.fin, self.rsv, self.form = opcode, payload, fin, rsv, form

    def bytes(self, mask):
        size = len(self.payload)
        form = self.form or (7 if size < 126 else 16 if size < 65536 else 64)
        head = bytes([self.fin << 7 | self.rsv << 4 | self.opcode])
        bit = 0x80 if mask else 0
        head += bytes([bit | size]) if form == 7 else bytes([bit | 126]) + struct.pack(">H", size) if form == 16 else bytes([bit | 127]) + struct.pack(">Q", size)
        if not mask:
            return head + self.payload
        whole = int.from_bytes(self.payload, "big") ^ int.from_bytes((mask * (size // 4 + 1))[:size], "big")
        return head + mask + whole.to_bytes(size, "big")


class Heard:
    """What the recording has to say of it. `payload`: bytes; None where there is none that could be said."""
    def __init__(self, kind, payload=b"", violations=(), **attrs):
        self.kind, self.payload, self.violations, self.attrs = kind, payload, set(violations), attrs


def message(payload, *violations, **attrs):
    return Heard("ws.message", payload, violations, **attrs)


class Case:
    def __init__(self, name, frames, heard, piece=None, deflate=None):
        """`piece`: how many bytes are written at a time; `deflate`: what was agreed on, None: no compression."""
        self.name, self.frames, self.heard, self.piece, self.deflate = name, frames, heard, piece, deflate


def close(code=None, reason=b""):
    return Frame(CLOSE, b"" if code is None else struct.pack(">H", code) + reason)


# ---- RFC 6455 ----

def framing():
    for opcode, name in ((TEXT, "text"), (BINARY, "binary")):
        for size in (0, 1, 125, 126, 127, 128, 65535, 65536, 65537):
            payload = b"*" * size if opcode == TEXT else bytes(random.Random(size).randbytes(size))
            yield Case(f"{name} of {size} bytes", [Frame(opcode, payload)], [message(payload)])
        payload = b"*" * 3000 if opcode == TEXT else b"\xfe" * 3000
        for piece in (1, 7, 997):
            yield Case(f"{name} in pieces of {piece}", [Frame(opcode, payload)], [message(payload)], piece=piece)
    yield Case("many messages in one piece", [Frame(TEXT, b"m%d" % n) for n in range(200)], [message(b"m%d" % n) for n in range(200)], piece=CHUNK)
    for size, form in ((5, 16), (5, 64), (300, 64)):
        yield Case(f"{size} bytes with a length of {form} bits", [Frame(TEXT, b"*" * size, form=form), Frame(TEXT, b"next")], [message(b"*" * size, LENGTH_FORM), message(b"next")])


def pings():
    for payload in (b"", b"Hello", b"\x00\xff\xfe\xfd", b"\xfe" * 125):
        yield Case(f"ping of {len(payload)} bytes", [Frame(PING, payload)], [Heard("ws.ping", payload)])
        yield Case(f"pong of {len(payload)} bytes that nobody asked for", [Frame(PONG, payload), Frame(PING, b"p")], [Heard("ws.pong", payload), Heard("ws.ping", b"p")])
    yield Case("ping in pieces of 1", [Frame(PING, b"\xfe" * 125)], [Heard("ws.ping", b"\xfe" * 125)], piece=1)
    yield Case("ping of 126 bytes", [Frame(PING, b"\xfe" * 126), Frame(TEXT, b"next")], [Heard("ws.ping", b"\xfe" * 126, [CONTROL_LENGTH]), message(b"next")])
    yield Case("ten pings", [Frame(PING, b"%d" % n) for n in range(10)], [Heard("ws.ping", b"%d" % n) for n in range(10)])


def reserved():
    for rsv in range(1, 8):
        yield Case(f"reserved bits {rsv}", [Frame(TEXT, b"Hello", rsv=rsv), Frame(TEXT, b"next")], [message(b"Hello", RESERVED), message(b"next")])
    yield Case("reserved bits of a ping", [Frame(PING, b"Hello", rsv=5)], [Heard("ws.ping", b"Hello", [RESERVED])])
    yield Case("reserved bits of a close", [Frame(CLOSE, b"\x03\xe8", rsv=7)], [Heard("ws.close", b"", [RESERVED], code=1000)])


def opcodes():
    for opcode in (3, 4, 5, 6, 7):
        yield Case(f"opcode {opcode}", [Frame(opcode, b"data"), Frame(TEXT, b"next")], [message(b"data", OPCODE, opcode=opcode), message(b"next")])
    for opcode in (11, 12, 13, 14, 15):
        yield Case(f"control opcode {opcode}", [Frame(opcode, b"data"), Frame(PING, b"next")], [message(b"data", OPCODE, opcode=opcode), Heard("ws.ping", b"next")])


def fragments():
    yield Case("ping in two fragments", [Frame(PING, b"one", fin=False), Frame(CONTINUATION, b"two")],
               [Heard("ws.ping", b"one", [CONTROL_FRAGMENT]), message(b"two", NO_MESSAGE, opcode=0)])
    for piece in (None, 1):
        how = f", in pieces of {piece}" if piece else ""
        yield Case(f"text in two fragments{how}", [Frame(TEXT, b"frag", fin=False), Frame(CONTINUATION, b"ment")], [message(b"fragment", fragments=2)], piece=piece)
        yield Case(f"a ping within a message{how}", [Frame(TEXT, b"frag", fin=False), Frame(PING, b"pong"), Frame(CONTINUATION, b"ment")],
                   [Heard("ws.ping", b"pong"), message(b"fragment", fragments=2)], piece=piece)
        yield Case(f"a continuation without a message{how}", [Frame(CONTINUATION, b"alone"), Frame(TEXT, b"next")], [message(b"alone", NO_MESSAGE, opcode=0), message(b"next")], piece=piece)
    yield Case("a continuation without a message that goes on", [Frame(CONTINUATION, b"alone", fin=False), Frame(TEXT, b"next")],
               [message(b"alone", NO_MESSAGE, UNFINISHED, opcode=0), message(b"next")])
    yield Case("a message within a message", [Frame(TEXT, b"fragment1", fin=False), Frame(CONTINUATION, b"fragment2", fin=False), Frame(TEXT, b"whole")],
               [message(b"fragment1fragment2", UNFINISHED, fragments=2), message(b"whole")])
    yield Case("five fragments and two pings", [Frame(TEXT, b"1", fin=False), Frame(CONTINUATION, b"2", fin=False), Frame(PING, b"p1"), Frame(CONTINUATION, b"3", fin=False),
                                                Frame(CONTINUATION, b"4", fin=False), Frame(PING, b"p2"), Frame(CONTINUATION, b"5")],
               [Heard("ws.ping", b"p1"), Heard("ws.ping", b"p2"), message(b"12345", fragments=5)])
    yield Case("empty fragments", [Frame(TEXT, b"", fin=False), Frame(CONTINUATION, b"", fin=False), Frame(CONTINUATION, b"")], [message(b"", fragments=3)])
    yield Case("an empty fragment around a text", [Frame(TEXT, b"", fin=False), Frame(CONTINUATION, b"middle", fin=False), Frame(CONTINUATION, b"")], [message(b"middle", fragments=3)])
    yield Case("a close within a message", [Frame(TEXT, b"frag", fin=False), close(1000)], [Heard("ws.close", b"", code=1000), message(b"frag", partial=True)])


VALID_TEXTS = ["Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "\x00", "\u007f", "\u0080", "\u07ff", "\u0800", "\uffff", "\U00010000", "\U0010ffff", "\ud7ff", "\ue000", "\ufffd", "\ufeff", "a\u0301", "𠜎𠜱"]
BAD_TEXTS = ["cebae1bdb9cf83cebcceb5eda080656469746564", "80", "bf", "c0", "c1bf", "c0af", "e080af", "f08080af", "f4908080", "f8888080", "fc8480808080", "fe", "ff", "fefeffff",
             "eda080", "edbfbf", "eda080edb080", "ce", "cebae1bd", "f09d84", "e182", "c328", "a0a1", "e228a1", "e28228", "f0288cbc", "f09028bc", "f0288c28"]


def utf8():
    for text in VALID_TEXTS:
        data = text.encode()
        yield Case(f"text U+{ord(text[0]):04X} of {len(text)} characters", [Frame(TEXT, data)], [message(data)])
        yield Case(f"text U+{ord(text[0]):04X} of {len(text)} characters, each byte a fragment",
                   [Frame(TEXT if at == 0 else CONTINUATION, data[at:at + 1], fin=at == len(data) - 1) for at in range(len(data))], [message(data, **({"fragments": len(data)} if len(data) > 1 else {}))])
    for text in BAD_TEXTS:
        data = b"ok:" + bytes.fromhex(text)
        yield Case(f"text {text}", [Frame(TEXT, data), Frame(TEXT, b"next")], [message(data, UTF8), message(b"next")])
        yield Case(f"text {text}, cut in the middle", [Frame(TEXT, data[:4], fin=False), Frame(CONTINUATION, data[4:])], [message(data, UTF8, fragments=2)], piece=1)
        yield Case(f"binary {text}", [Frame(BINARY, data)], [message(data)])


def closing():
    yield Case("close without a code", [close()], [Heard("ws.close")])
    yield Case("close of one byte", [Frame(CLOSE, b"a")], [Heard("ws.close", b"", [CLOSE_LENGTH])])
    yield Case("close with a reason", [close(1000, b"Hello World!")], [Heard("ws.close", b"", code=1000, reason="Hello World!")])
    yield Case("close with the longest reason", [close(1000, b"*" * 123)], [Heard("ws.close", b"", code=1000, reason="*" * 123)])
    yield Case("close of 126 bytes", [close(1000, b"*" * 124)], [Heard("ws.close", b"", [CONTROL_LENGTH], code=1000)])
    yield Case("close with a reason that is not UTF-8", [close(1000, b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80")], [Heard("ws.close", b"", [UTF8], code=1000)])
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999):
        yield Case(f"close {code}", [close(code)], [Heard("ws.close", b"", code=code)])
    for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
        yield Case(f"close {code}, which must not be sent", [close(code)], [Heard("ws.close", b"", [CLOSE_CODE], code=code)])
    yield Case("a text after the close", [close(1000), Frame(TEXT, b"late")], [Heard("ws.close", b"", code=1000), message(b"late", AFTER_CLOSE)])
    yield Case("a ping after the close", [close(1000), Frame(PING, b"late")], [Heard("ws.close", b"", code=1000), Heard("ws.ping", b"late", [AFTER_CLOSE])])
    yield Case("two closes", [close(1000), close(1001)], [Heard("ws.close", b"", code=1000), Heard("ws.close", b"", [AFTER_CLOSE], code=1001)])


def limits():
    for size in (1 << 20, 4 << 20, 16 << 20, (16 << 20) + 1):
        payload = random.Random(1).randbytes(1 << 10) * (size >> 10) + b"." * (size & 1023)
        yield Case(f"binary of {size} bytes", [Frame(BINARY, payload)], [message(payload)], piece=CHUNK)
    payload = b"0123456789abcdef" * (1 << 16)
    for size in (64, 4096, 1 << 18):
        pieces = [payload[at:at + size] for at in range(0, len(payload), size)]
        yield Case(f"1 MiB in fragments of {size}", [Frame(TEXT if n == 0 else CONTINUATION, piece, fin=n == len(pieces) - 1) for n, piece in enumerate(pieces)],
                   [message(payload, fragments=len(pieces))], piece=CHUNK)


# ---- RFC 7692 ----

class Deflater:
    """One side's compression as agreed on: `bits`, and whether the window is kept from message to message."""
    def __init__(self, bits=15, takeover=True, level=6):
        self.bits, self.takeover, self.level, self.stream = bits, takeover, level, None

    def payload(self, plain):
        if not self.stream or not self.takeover:
            self.stream = zlib.compressobj(self.level, zlib.DEFLATED, -self.bits)
        return (self.stream.compress(plain) + self.stream.flush(zlib.Z_SYNC_FLUSH))[:-4]


def texts(count, size):
    random_ = random.Random(count * size)
    words = [random_.randbytes(4).hex() for _ in range(40)]
    return [json.dumps({"n": n, "text": " ".join(random_.choice(words) for _ in range(size // 9))}).encode() for n in range(count)]


def compressed():
    for bits in range(9, 16):
        for takeover in (True, False):
            for size in (16, 1024, 40000):
                deflater = Deflater(bits, takeover)
                plain = texts(12, size)
                agreed = {"bits": bits, "takeover": takeover}
                yield Case(f"12 messages of {size} bytes, window {bits}{'' if takeover else ', not kept'}", [Frame(TEXT, deflater.payload(text), rsv=4) for text in plain],
                           [message(text, plain_bytes=len(text)) for text in plain], deflate=agreed)
    agreed = {"bits": 15, "takeover": True}
    deflater = Deflater()
    plain = texts(3, 500)
    frames = []
    for text in plain:
        data = deflater.payload(text)
        frames += [Frame(TEXT, data[:10], fin=False, rsv=4), Frame(PING, b"within"), Frame(CONTINUATION, data[10:], fin=False), Frame(CONTINUATION, b"")]
    heard = [heard for text in plain for heard in (Heard("ws.ping", b"within"), message(text, fragments=3))]
    yield Case("compressed messages in fragments", frames, heard, deflate=agreed)
    yield Case("compressed messages in fragments, in pieces of 1", frames, heard, deflate=agreed, piece=1)
    deflater = Deflater()
    yield Case("plain messages between compressed ones", [Frame(TEXT, deflater.payload(plain[0]), rsv=4), Frame(TEXT, b"plain"), Frame(TEXT, deflater.payload(plain[0]), rsv=4)],
               [message(plain[0]), message(b"plain"), message(plain[0])], deflate=agreed)
    yield Case("an empty compressed message", [Frame(TEXT, b"\x00", rsv=4), Frame(TEXT, b"", rsv=0)], [message(b""), message(b"")], deflate=agreed)
    stored = Deflater(level=0)
    yield Case("stored blocks", [Frame(BINARY, stored.payload(b"\x00\xff" * 5000), rsv=4)], [message(b"\x00\xff" * 5000)], deflate=agreed)
    last = zlib.compressobj(6, zlib.DEFLATED, -15)
    yield Case("a block that is the last one", [Frame(TEXT, last.compress(b"final") + last.flush() + b"\x00", rsv=4)], [message(b"final")], deflate={"bits": 15, "takeover": False})
    yield Case("bytes that are not deflated", [Frame(TEXT, b"\xff\xff\xff\xff", rsv=4), Frame(TEXT, b"plain")], [message(None, DEFLATE), message(b"plain")], deflate=agreed)
    deflater = Deflater()
    yield Case("compressed text that is not UTF-8", [Frame(TEXT, deflater.payload(b"ok:\xc3\x28"), rsv=4)], [message(b"ok:\xc3\x28", UTF8)], deflate=agreed)
    deflater = Deflater()
    data = deflater.payload(plain[0])
    yield Case("the bit of compression on a continuation", [Frame(TEXT, data[:10], fin=False, rsv=4), Frame(CONTINUATION, data[10:], rsv=4)], [message(plain[0], RESERVED)], deflate=agreed)
    yield Case("the bit of compression on a ping", [Frame(PING, b"p", rsv=4)], [Heard("ws.ping", b"p", [RESERVED])], deflate=agreed)
    bomb = Deflater(level=9)
    yield Case("eight MiB of zeros", [Frame(BINARY, bomb.payload(bytes(8 << 20)), rsv=4), Frame(TEXT, bomb.payload(b"next"), rsv=4)], [message(bytes(8 << 20)), message(b"next")], deflate=agreed)


FAMILIES = [framing, pings, reserved, opcodes, fragments, utf8, closing, limits, compressed]


# ---- Both ends ----

class Way:
    """A case on its way from one side, and what came out at the other one."""
    def __init__(self, number, case, sender):
        self.number, self.case, self.sender, self.got = number, case, sender, b""
        random_ = random.Random(number)
        self.sent = b"".join(frame.bytes(random_.randbytes(4) if sender == "client" else None) for frame in case.frames)
        self.path = f"/{number}/{sender}"

    def extension(self):
        if not self.case.deflate:
            return b""
        words = [f"{self.sender}_max_window_bits={self.case.deflate['bits']}"] * (self.case.deflate["bits"] < 15) + [f"{self.sender}_no_context_takeover"] * (not self.case.deflate["takeover"])
        return b"Sec-WebSocket-Extensions: " + "; ".join(["permessage-deflate", *words]).encode() + b"\r\n"

    async def send(self, writer):
        piece = self.case.piece or max(len(self.sent), 1)
        for at in range(0, len(self.sent), piece):
            writer.write(self.sent[at:at + piece])
            await writer.drain()
        writer.write_eof()

    async def talk(self, side, reader, writer):
        """Sends, or hears, until the other one has nothing more to say."""
        if side == self.sender:
            await self.send(writer)
            await reader.read(1)
        else:
            self.got = await reader.read(-1)
        writer.close()


async def read_head(reader):
    return await reader.readuntil(b"\r\n\r\n")


async def client(port, way):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    key = base64.b64encode(way.number.to_bytes(16, "big"))
    writer.write(b"GET " + way.path.encode() + b" HTTP/1.1\r\nHost: conformance\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key +
                 b"\r\n" + (b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" if way.case.deflate else b"") + b"\r\n")
    assert b" 101 " in await read_head(reader)
    await way.talk("client", reader, writer)


def serve(ways):
    async def connected(reader, writer):
        head = await read_head(reader)
        way = ways[head.split()[1].decode()]
        key = next(line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + base64.b64encode(hashlib.sha1(key + GUID).digest()) +
                     b"\r\n" + way.extension() + b"\r\n")
        await way.talk("server", reader, writer)
    return connected


async def run(ways, work):
    server = await asyncio.start_server(serve({way.path: way for way in ways}), "127.0.0.1", 0, limit=1 << 20)
    upstream = server.sockets[0].getsockname()[1]
    with Recorder(INQUEST, work / "case", {"conformance": f"ws://127.0.0.1:{upstream}"}) as recorder:
        for at in range(0, len(ways), 16):
            await asyncio.wait_for(asyncio.gather(*(client(recorder.ports["conformance"], way) for way in ways[at:at + 16])), 60)
    server.close()
    return recorder.events()


# ---- What was recorded ----

def by_path(events):
    sessions, paths = {}, {}
    for event in events:
        if event["kind"] == "ws.open":
            paths["/" + event["attrs"]["url"].split("/", 3)[3]] = event["session"]
        sessions.setdefault(event.get("session"), []).append(event)
    return {path: sessions[session] for path, session in paths.items()}


def body_of(event):
    return base64.b64decode(event["body_base64"]) if "body_base64" in event else event.get("body", "").encode()


def difference(way, events):
    """What the recording says otherwise; None if it says what it should."""
    said = [event for event in events if event["kind"] in ("ws.message", "ws.ping", "ws.pong", "ws.close") and event.get("direction") == way.sender]
    if len(said) != len(way.case.heard):
        return f"{len(said)} events instead of {len(way.case.heard)}: {[(event['kind'], event.get('attrs')) for event in said][:5]}"
    for number, (event, heard) in enumerate(zip(said, way.case.heard)):
        attrs = event.get("attrs", {})
        if event["kind"] != heard.kind or set(attrs.get("violations", [])) != heard.violations:
            return f"event {number}: {event['kind']} {attrs} instead of {heard.kind} {heard.violations}"
        wrong = {name: (attrs.get(name), value) for name, value in heard.attrs.items() if attrs.get(name) != value}
        if wrong:
            return f"event {number}: {wrong}"
        if heard.kind != "ws.close" and heard.payload is not None and not same_payload(event, attrs, heard.payload):
            return f"event {number}: the payload is another one: {body_of(event)[:60]}... instead of {heard.payload[:60]}..., {attrs}"
    return None


def same_payload(event, attrs, payload):
    if len(payload) <= MOST_KEPT:
        return body_of(event) == payload
    return payload.startswith(body_of(event)) and attrs["body_bytes"] == len(payload) and attrs["sha256"] == hashlib.sha256(payload).hexdigest()


def main():
    tap = Tap()
    cases = [case for family in FAMILIES for case in family()]
    ways = [Way(number, case, sender) for number, (case, sender) in enumerate((case, sender) for case in cases for sender in ("client", "server"))]
    with tempfile.TemporaryDirectory(prefix="iq-conformance-", dir="/tmp") as work:
        events = by_path(asyncio.run(run(ways, pathlib.Path(work))))
        for family in FAMILIES:
            names = {case.name for case in family()}
            here = [way for way in ways if way.case.name in names]
            torn = [f"{way.case.name} from {way.sender}: {len(way.got)} of {len(way.sent)} bytes" for way in here if way.got != way.sent]
            tap.point(not torn, f"{family.__name__}: {len(here)} connections, their bytes come out as they went in", torn)
            wrong = [f"{way.case.name} from {way.sender}: {said}" for way in here if (said := difference(way, events.get(way.path, [])))]
            tap.point(not wrong, f"{family.__name__}: the recording says what was sent, and what is wrong with it", "\n".join(wrong[:20]))
    tap.end()


if __name__ == "__main__":
    main()
