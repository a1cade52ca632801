#!/usr/bin/env python3
"""Writes packet captures: what the samples of the format `pcap` are, byte for byte.

    captures.py DIRECTORY           writes the samples there
    captures.py --check DIRECTORY   says which of the samples there differ from what would be written
"""

import os
import struct
import sys
from pathlib import Path

START = 1764039599_123456000  # ns
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

# ---- Packets ----


def address(text):
    if ":" in text:
        import ipaddress

        return ipaddress.ip_address(text).packed
    return bytes(int(part) for part in text.split("."))


def ipv4(source, target, protocol, payload, flags=0, options=b""):
    words = 5 + len(options) // 4
    return (
        struct.pack(
            ">BBHHHBBH4s4s",
            0x40 | words,
            0,
            words * 4 + len(payload),
            1,
            flags,
            64,
            protocol,
            0,
            address(source),
            address(target),
        )
        + options
        + payload
    )


def ipv6(source, target, protocol, payload, extensions=b""):
    body = extensions + payload
    return (
        struct.pack(">IHBB16s16s", 0x60000000, len(body), protocol, 64, address(source), address(target)) + body
    )


class Connection:
    """One TCP connection, as packets of IP in the order in which they are sent."""

    def __init__(self, client, server, start=START, step=1_000_000, numbers=(1000, 0xFFFFFFF0), wrap=None):
        self.ends = (client, server)
        self.next = list(numbers)
        self.time = start
        self.step = step
        self.wrap = wrap  # of a segment into an IP packet, where it is none of the usual
        self.packets = []

    def segment(self, way, flags, payload=b"", seq=None, ack=None, options=b""):
        (source, source_port), (target, target_port) = self.ends[way], self.ends[1 - way]
        seq = self.next[way] if seq is None else seq
        ack = self.next[1 - way] if ack is None else ack
        words = 5 + len(options) // 4
        tcp = struct.pack(
            ">HHIIBBHHH",
            source_port,
            target_port,
            seq & 0xFFFFFFFF,
            (ack if flags & ACK else 0) & 0xFFFFFFFF,
            words << 4,
            flags,
            65535,
            0,
            0,
        )
        ip = self.wrap or (ipv6 if ":" in source else ipv4)
        packet = ip(source, target, 6, tcp + options + payload)
        self.time += self.step
        self.packets.append((self.time, packet))
        return packet

    def open(self):
        self.segment(0, SYN, options=b"\x02\x04\x05\xb4")
        self.next[0] += 1
        self.segment(1, SYN | ACK, options=b"\x02\x04\x05\xb4")
        self.next[1] += 1
        self.segment(0, ACK)
        return self

    def send(self, way, payload, acknowledged=False):
        self.segment(way, PSH | ACK, payload)
        self.next[way] += len(payload)
        if acknowledged:
            self.segment(1 - way, ACK)
        return self

    def close(self, first=1):
        for way in (first, 1 - first):
            self.segment(way, FIN | ACK)
            self.next[way] += 1
        self.segment(first, ACK)
        return self

    def reset(self, way=1):
        self.segment(way, RST | ACK)
        return self


# ---- What is said ----

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def ask_upgrade(host="chat:8000", more=""):
    return (
        f"GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    ).encode()


def agree(more=""):
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {ACCEPT}\r\n{more}\r\n"
    ).encode()


def frame(payload, opcode=1, final=True, mask=None, reserved=0):
    if isinstance(payload, str):
        payload = payload.encode()
    masked = 0x80 if mask else 0
    if len(payload) < 126:
        head = struct.pack(">BB", (0x80 if final else 0) | reserved | opcode, masked | len(payload))
    else:
        head = struct.pack(">BBH", (0x80 if final else 0) | reserved | opcode, masked | 126, len(payload))
    if not mask:
        return head + payload
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


MASK = b"\x11\x22\x33\x44"


def from_client(payload, opcode=1, **more):
    return frame(payload, opcode, mask=MASK, **more)


def hello(server_name, protocols, versions=(0x0304, 0x0303)):
    def vector(size, data):
        return len(data).to_bytes(size, "big") + data

    def extension(kind, data):
        return struct.pack(">H", kind) + vector(2, data)

    extensions = extension(0, vector(2, b"\0" + vector(2, server_name.encode())))
    extensions += extension(16, vector(2, b"".join(vector(1, name.encode()) for name in protocols)))
    extensions += extension(43, vector(1, b"".join(struct.pack(">H", version) for version in versions)))
    body = b"\x03\x03" + bytes(32) + vector(1, b"") + vector(2, b"\x13\x01") + vector(1, b"\0")
    message = b"\x01" + vector(3, body + vector(2, extensions))
    return b"\x16\x03\x01" + vector(2, message)


def server_hello():
    extensions = b"\x00\x2b\x00\x02\x03\x04"
    body = b"\x03\x03" + bytes(32) + b"\0" + b"\x13\x01" + b"\0" + struct.pack(">H", len(extensions)) + extensions
    message = b"\x02" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x03" + struct.pack(">H", len(message)) + message


# ---- Links ----


def kind_of(packet):
    return 0x86DD if packet[0] >> 4 == 6 else 0x0800


def ethernet(packet, tags=b""):
    return bytes(12) + tags + struct.pack(">H", kind_of(packet)) + packet


def tagged(packet):
    return ethernet(packet, b"\x88\xa8\x00\x07\x81\x00\x00\x64")


def cooked(packet):
    return struct.pack(">HHH8sH", 0, 772, 6, bytes(8), kind_of(packet)) + packet


def cooked2(packet):
    return struct.pack(">HHIHBB8s", kind_of(packet), 0, 1, 772, 0, 6, bytes(8)) + packet


def null(packet):
    return struct.pack("<I", 30 if packet[0] >> 4 == 6 else 2) + packet


def loop(packet):
    return struct.pack(">I", 24 if packet[0] >> 4 == 6 else 2) + packet


def raw(packet):
    return packet


LINKS = {ethernet: 1, tagged: 1, cooked: 113, cooked2: 276, null: 0, loop: 108, raw: 101}

# ---- Files ----


def pcap(packets, link=ethernet, order="<", nano=False, snaplen=262144):
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    data = struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, snaplen, LINKS[link])
    for time, packet in packets:
        whole = link(packet)
        kept = whole[:snaplen]
        fraction = time % 1_000_000_000
        data += struct.pack(
            order + "IIII",
            time // 1_000_000_000,
            fraction if nano else fraction // 1000,
            len(kept),
            len(whole),
        )
        data += kept
    return data


def option(code, data, order="<"):
    return struct.pack(order + "HH", code, len(data)) + data + bytes(-len(data) % 4)


def block(kind, body, order="<"):
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def section(order="<"):
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link, order="<", options=b"", snaplen=0):
    return block(1, struct.pack(order + "HHI", LINKS[link], 0, snaplen) + options, order)


def enhanced(number, link, packet, units, order="<"):
    data = link(packet)
    return block(6, struct.pack(order + "IIIII", number, units >> 32, units & 0xFFFFFFFF, len(data), len(data)) + data, order)


# ---- Samples ----

CLIENT, SERVER = ("10.0.0.5", 50312), ("10.0.0.9", 8000)


def talk(connection):
    """A whole conversation, with everything that a WebSocket has."""
    connection.open()
    connection.send(0, ask_upgrade("chat:8000", "Origin: http://chat\r\n"), acknowledged=True)
    connection.send(1, agree("Sec-WebSocket-Protocol: v1\r\n"), acknowledged=True)
    connection.send(0, from_client('{"type":"ask","id":7}'))
    connection.send(1, frame('{"type":"agent_started","run_id":"r1"}') + frame('{"type":"agent_thinking","run_id":"r1"}'))
    connection.send(1, frame('{"type":"agent_comp', final=False))
    connection.send(1, frame(b"hb", 9))
    connection.send(0, from_client(b"hb", 10))
    connection.send(1, frame('leted","run_id":"r1"}', opcode=0))
    connection.send(1, frame(b"\x00\xff", 2))
    connection.send(0, from_client(struct.pack(">H", 1000) + b"bye", 8))
    connection.send(1, frame(struct.pack(">H", 1000), 8))
    return connection.close()


def websocket():
    return pcap(talk(Connection(CLIENT, SERVER)).packets)


def log_in():
    connection = Connection(CLIENT, SERVER).open()
    body = b'{"user":"ada"}'
    connection.send(0, b"POST /login HTTP/1.1\r\nHost: auth\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:5])
    connection.send(0, body[5:])
    connection.send(1, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"ok\"\r\n6\r\n:true}\r\n0\r\n\r\n")
    connection.send(0, ask_upgrade("auth"))
    connection.send(1, b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")
    connection.send(0, b"GET /health HTTP/1.1\r\nHost: auth\r\n\r\n")
    connection.reset()
    refused = Connection(("10.0.0.5", 50313), ("10.0.0.9", 8001), connection.time)
    refused.segment(0, SYN)
    refused.next = [1001, 0]
    refused.reset()
    silent = Connection(("10.0.0.5", 50314), ("10.0.0.9", 8002), refused.time)
    for _ in range(3):
        silent.segment(0, SYN)
    return pcap(connection.packets + refused.packets + silent.packets, cooked, ">", nano=True)


def version_six():
    hop = b"\x06\x00\x01\x04\x00\x00\x00\x00"

    def with_options(source, target, protocol, payload):
        return ipv6(source, target, 0, payload, hop)

    connection = Connection(("2001:db8::5", 50312), ("2001:db8::9", 8000), wrap=with_options).open()
    connection.send(0, ask_upgrade()).send(1, agree()).send(1, frame("{}"))
    connection.reset(0)
    return pcap(connection.packets, tagged, ">")


def next_generation():
    a = Connection(CLIENT, SERVER).open().send(0, ask_upgrade()).send(1, agree()).send(1, frame('{"op":"x"}'))
    b = Connection(("127.0.0.1", 41000), ("127.0.0.1", 6380), a.time).open().send(0, b"PING\r\nPING\r\n").send(1, b"+PONG\r\n")
    data = section()
    data += interface(ethernet, options=option(9, b"\x09") + option(14, struct.pack("<q", 3600)) + option(0, b""))
    data += interface(cooked2, options=option(2, b"any") + option(9, b"\x8a"))
    data += block(10, struct.pack("<II", 0x544C534B, 4) + b"CLIE")
    for time, packet in a.packets:
        data += enhanced(0, ethernet, packet, time - 3600 * 1_000_000_000)
    for time, packet in b.packets[:-1]:
        data += enhanced(1, cooked2, packet, time * 1024 // 1_000_000_000)
    data += block(0x0BAD, b"what nobody knows")
    data += block(5, struct.pack("<III", 0, 0, 0) + option(4, struct.pack("<Q", 9)) + option(5, struct.pack("<Q", 3)))
    data += section(">") + interface(null, ">")
    old = null(b.packets[-1][1])
    data += block(2, struct.pack(">HHIIII", 0, 0, b.time // 1000 >> 32, b.time // 1000 & 0xFFFFFFFF, len(old), len(old)) + old, ">")
    simple = null(ipv4("10.0.0.1", "10.0.0.2", 17, bytes(8)))
    data += block(3, struct.pack(">I", len(simple)) + simple, ">")
    return data


def reordered():
    """Late, twice, overlapping with other bytes, and never."""
    connection = Connection(CLIENT, SERVER).open().send(0, ask_upgrade()).send(1, agree())
    texts = [frame('{"n":%d,"text":"number %d"}' % (i, i)) for i in range(8)]
    at = len(connection.packets)
    for text in texts:
        connection.send(1, text)
    connection.send(0, from_client('{"type":"thanks"}'))
    packets = connection.packets
    late = packets[at + 1]
    second = Connection(CLIENT, SERVER, numbers=(0, 0))
    second.segment(1, ACK | PSH, frame('{"n":2,"text":"NUMBER 2"}'), seq=connection.next[1] - sum(map(len, texts[2:])), ack=connection.next[0])
    packets = packets[: at + 1] + [packets[at + 2], late, packets[at + 2], (late[0], second.packets[0][1])] + packets[at + 3 :]
    del packets[at + 7]  # number 5
    connection.packets = packets
    # A message of several packets, behind another hole.
    connection.send(1, frame('{"n":8}'))
    del connection.packets[-1]
    long = frame('{"type":"long","text":"%s"}' % ("y" * 150))
    connection.send(1, long[:100]).send(1, long[100:], acknowledged=True)
    connection.close()
    return pcap(connection.packets, raw)


def cut_short():
    connection = Connection(CLIENT, SERVER).open().send(0, ask_upgrade()).send(1, agree())
    connection.send(1, frame('{"type":"long","text":"' + "x" * 300 + '"}'))
    connection.send(1, frame('{"type":"short"}'))
    connection.send(0, from_client('{"type":"ok"}')).close()
    return pcap(connection.packets, null, snaplen=260)


def midway():
    connection = Connection(CLIENT, SERVER)
    connection.send(1, b"the end of a message that began before")
    connection.send(0, from_client('{"type":"ask","id":8}'))
    connection.send(1, frame('{"type":"agent_started"}'))
    for i in range(8):
        connection.send(1, frame('{"type":"step","n":%d}' % i), acknowledged=True)
    connection.send(1, frame(struct.pack(">H", 1001), 8)).close()
    return pcap(connection.packets, loop)


def others():
    tls = Connection(CLIENT, ("10.0.0.9", 443)).open()
    offer = hello("chat.example", ["http/1.1"])
    tls.send(0, offer[:40]).send(0, offer[40:]).send(1, server_hello() + b"\x17\x03\x03\x00\x02ab")
    tls.send(0, b"\x17\x03\x03\x00\x05abcde").close()
    cut = Connection(("10.0.0.6", 50400), ("10.0.0.9", 443), tls.time).open().send(0, offer).reset()
    database = Connection(("10.0.0.6", 50401), ("10.0.0.9", 5433), cut.time).open()
    database.send(0, b"\0\0\0\x08\x04\xd2\x16\x2f").send(1, b"N").close()
    packets = tls.packets + cut.packets + database.packets
    time = database.time
    packets.append((time + 1000, ipv4("10.0.0.5", "10.0.0.9", 17, bytes(12))))
    packets.append((time + 2000, ipv4("10.0.0.5", "10.0.0.9", 6, bytes(16), flags=0x2000)))
    return pcap(packets, ethernet) + struct.pack("<IIII", time // 10**9, 5, 42, 42) + bytes(12) + b"\x08\x06" + bytes(28)


def damaged():
    connection = Connection(CLIENT, SERVER).open().send(0, ask_upgrade()).send(1, agree())
    first = pcap(connection.packets)
    connection.packets = []
    connection.send(1, frame('{"n":1}'))
    lost = len(pcap(connection.packets)) - 24
    connection.send(1, frame('{"n":2}')).send(0, from_client('{"n":3}'))
    rest = pcap(connection.packets)[24:]
    return first + b"\xff" * lost + rest[lost:] + rest[:30]


SAMPLES = {
    "websocket": websocket,
    "log-in": log_in,
    "version-six": version_six,
    "pcapng": next_generation,
    "reordered": reordered,
    "cut-short": cut_short,
    "midway": midway,
    "others": others,
    "damaged": damaged,
}


def main():
    check = sys.argv[1] == "--check"
    directory = Path(sys.argv[-1])
    differing = []
    for name, write in SAMPLES.items():
        path = directory / f"{name}.in"
        if check and path.read_bytes() != write():
            differing.append(name)
        elif not check:
            path.write_bytes(write())
    for name in differing:
        print(f"{name}.in is not what {os.path.basename(sys.argv[0])} writes")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
