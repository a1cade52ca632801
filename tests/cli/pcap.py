#!/usr/bin/python3
"""Packet captures of real conversations, as TAP: pcap.py INQUEST

tcpdump listens on loopback while python3-websockets talks to itself; what the client says was said has to come out, also of a capture whose
packets are shuffled and repeated, and of one that is taken in while it grows."""
import asyncio
import gzip
import json
import os
import pathlib
import random
import shutil
import signal
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

import websockets

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from ports import free_port
from tap import Tap, seed

INQUEST = pathlib.Path(sys.argv[1]).resolve()
tap = Tap()


def inquest(*words, **options):
    return subprocess.run([INQUEST, *map(str, words)], capture_output=True, text=True, timeout=60, **options)


def ask(store, query):
    return json.loads(inquest("sql", store, query, "--format", "json").stdout)


class Capture:
    """What goes over `port` of loopback, while it is open, is written to `path`. `whole`: tcpdump had room for all of it."""

    def __init__(self, path, port, interface="lo"):
        self.command = ["tcpdump", "-i", interface, "--immediate-mode", "-B", "131072", "-U", "-Z", "root", "-w", str(path), f"tcp port {port}"]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stderr=subprocess.PIPE)
        said = b""
        while b"listening on" not in said:
            line = self.process.stderr.readline()
            if not line:
                raise OSError(said.decode().strip())
            said += line
        return self

    def __exit__(self, *_):
        # Its last packets are on their way.
        asyncio.run(asyncio.sleep(0.3))
        self.process.send_signal(signal.SIGINT)
        said = self.process.communicate()[1].decode()
        self.whole = "\n0 packets dropped by kernel" in said


def capture(path, port, say, interface="lo"):
    """What `say` returns, of a run of which nothing was dropped: on a busy machine tcpdump comes too late."""
    for _ in range(5):
        with Capture(path, port, interface) as running:
            said = say()
        if running.whole:
            return said
    raise OSError("tcpdump drops packets, five times")


# ---- What is said ----

def make_messages(count):
    for number in range(count):
        size = random.choice((0, 1, 20, 125, 126, 500, 65535, 65536, 90000))
        text = json.dumps({"type": "step", "n": number, "text": "\u00e4bc " * (size // 5)}, ensure_ascii=False)
        yield random.choice((text, os.urandom(size) + b"\xff", [text[:7], text[7:20], text[20:]]))


async def answer(socket_, _path=None):
    async for message in socket_:
        if len(message) % 3 == 0:
            await socket_.ping(b"there?")
        await socket_.send(message)


async def converse(port, compression, secure=None):
    """What the client sent and got, as bytes."""
    sent, got = [], []
    server_side, client_side = secure or (None, None)
    scheme = "wss" if secure else "ws"
    async with websockets.serve(answer, "127.0.0.1", port, compression=compression, ssl=server_side):
        more = {"server_hostname": "chat.example"} if secure else {}
        async with websockets.connect(f"{scheme}://127.0.0.1:{port}/ws", compression=compression, ssl=client_side, **more) as client:
            for message in make_messages(12):
                await client.send(message)
                whole = "".join(message) if isinstance(message, list) else message
                sent.append(whole if isinstance(whole, bytes) else whole.encode())
                reply = await client.recv()
                got.append(reply if isinstance(reply, bytes) else reply.encode())
    return sent, got


def heard(store):
    rows = ask(store, "SELECT direction, hex(body) AS body FROM events WHERE kind = 'ws.message' ORDER BY id")
    return tuple([bytes.fromhex(row["body"]) for row in rows if row["direction"] == side] for side in ("client", "server"))


def check_store(store, said, what):
    same = heard(store) == said
    tap.point(same, what, [tuple(len(message) for message in side) for side in (*heard(store), *said)])
    session = ask(store, "SELECT state, start_seen, end_seen FROM sessions")
    tap.point(session == [{"state": "closed", "start_seen": 1, "end_seen": 1}], f"{what}: its session is closed", session)
    gaps = ask(store, "SELECT reason FROM gaps")
    tap.point(gaps == [], f"{what}: nothing is missing", gaps)
    verified = inquest("store", "verify", store)
    tap.point(verified.returncode == 0, f"{what}: the store is intact", verified.stdout + verified.stderr)


# ---- What a capture goes through ----

def read_packets(data):
    """The head of a pcap, and its records."""
    records, at = [], 24
    while at < len(data):
        size, = struct.unpack_from("<I", data, at + 8)
        records.append(data[at : at + 16 + size])
        at += 16 + size
    return data[:24], records


def disturb(data):
    head, records = read_packets(data)
    for _ in range(len(records) // 4):
        records.insert(random.randrange(3, len(records)), random.choice(records[3:-4]))
    for at in range(3, len(records) - 8, 8):
        part = records[at : at + 8]
        random.shuffle(part)
        records[at : at + 8] = part
    return head + b"".join(records)


def check_plain(directory, compression, interface):
    port = free_port()
    path = directory / f"{compression}-{interface}.pcap"
    said = capture(path, port, lambda: asyncio.run(converse(port, compression)), interface)
    what = f"{compression or 'no compression'}, interface {interface}"
    store = directory / f"{compression}-{interface}"
    taken = inquest("ingest", path, "--store", store)
    tap.point(taken.returncode == 0, f"{what}: taken in", taken.stdout + taken.stderr)
    check_store(store, said, what)
    return path, said


def check_disturbed(directory, path, said):
    data = disturb(path.read_bytes())
    other = directory / "disturbed.pcap.gz"
    other.write_bytes(gzip.compress(data))
    inquest("ingest", other, "--store", directory / "disturbed")
    check_store(directory / "disturbed", said, "shuffled, repeated and compressed")
    inquest("ingest", "-", "--source", "capture", "--store", directory / "piped", input=None, stdin=path.open("rb"))
    check_store(directory / "piped", said, "through a pipe")


def check_grown(directory, path):
    """A capture that is taken in several times while it grows, and its end once."""
    data, growing, store = path.read_bytes(), directory / "growing.pcap", directory / "grown"
    whole = directory / "whole"
    for end in sorted(random.sample(range(len(data)), 4)) + [len(data)]:
        growing.write_bytes(data[:end])
        inquest("ingest", growing, "--store", store)
    inquest("ingest", path, "--store", whole)
    columns = "ts, session, kind, direction, type, hex(body) AS body, attrs"
    query = f"SELECT {columns} FROM events WHERE kind <> 'log' ORDER BY ts, seq, id"
    tap.point(ask(store, query) == ask(whole, query) != [], "a capture that grew is the same as one that did not", ask(store, query))


def check_secure(directory):
    key, certificate = directory / "key.pem", directory / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
                    "-out", certificate, "-subj", "/CN=chat.example", "-days", "2"], check=True, capture_output=True)
    server_side, client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server_side.load_cert_chain(certificate, key)
    client_side.check_hostname, client_side.verify_mode = False, ssl.CERT_NONE
    client_side.set_alpn_protocols(["http/1.1"])
    port = free_port()
    capture(directory / "secure.pcap", port, lambda: asyncio.run(converse(port, None, (server_side, client_side))))
    store = directory / "secure"
    inquest("ingest", directory / "secure.pcap", "--store", store)
    opened = ask(store, "SELECT attrs FROM events WHERE type = 'tls.open'")
    attrs = json.loads(opened[0]["attrs"]) if opened else {}
    tap.point((attrs.get("sni"), attrs.get("alpn"), attrs.get("version")) == ("chat.example", ["http/1.1"], "TLS 1.3"),
              "TLS: names and version", opened)
    sessions = ask(store, "SELECT source, state FROM sessions")
    tap.point(sessions == [{"source": f"127.0.0.1:{port}", "state": "closed"}], "TLS: one opaque session", sessions)
    gaps = ask(store, "SELECT reason FROM gaps")
    tap.point(len(gaps) == 1 and gaps[0]["reason"].startswith("encrypted (TLS)"), "TLS: what it said is a gap", gaps)


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = b'{"token":"t1"}' + self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def check_http(directory):
    server = HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_port

    def log_in():
        for number in range(3):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/login", data=b"user=%d" % number).read()

    capture(directory / "http.pcap", port, log_in)
    server.shutdown()
    store = directory / "http"
    inquest("ingest", directory / "http.pcap", "--store", store)
    rows = ask(store, "SELECT kind, body FROM events WHERE kind LIKE 'http.%' ORDER BY id")
    wanted = [row for n in range(3) for row in ({"kind": "http.request", "body": f"user={n}"}, {"kind": "http.response", "body": '{"token":"t1"}user=%d' % n})]
    tap.point(rows == wanted, "HTTP: requests and their responses", rows)


def why_not():
    """Why nothing can be captured here."""
    if not shutil.which("tcpdump"):
        return "tcpdump is not installed"
    try:
        with tempfile.TemporaryDirectory() as name, Capture(pathlib.Path(name) / "x.pcap", 9):
            return None
    except OSError as error:
        return str(error)


def main():
    missing = why_not()
    if missing:
        tap.point(os.environ.get("CI") != "true", f"captures # SKIP {missing}", missing)
        tap.end()
    seed()
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        check_plain(directory, None, "any")
        check_plain(directory, "deflate", "lo")
        path, said = check_plain(directory, None, "lo")
        check_disturbed(directory, path, said)
        check_grown(directory, path)
        check_secure(directory)
        check_http(directory)
    tap.end()


main()
