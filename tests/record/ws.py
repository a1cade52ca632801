#!/usr/bin/python3
"""The tap with foreign peers, as TAP: ws.py INQUEST

python3-websockets is client and server, with a witness on each side of the recorder who compares what went by; servers of a few lines
break off, refuse, stream and lie."""
import asyncio
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile

import websockets

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from peers import Answers, Recorder, Relay, talk, wait_for
from tap import Tap

INQUEST = pathlib.Path(sys.argv[1]).resolve()
tap = Tap()

UPGRADE = (b"GET /chat?room=1 HTTP/1.1\r\nHost: example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
socket.setdefaulttimeout(10)
ACCEPTED = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")


def shape(event):
    """What is looked at of an event, in a few words."""
    return [event["kind"], event.get("direction"), event.get("body", event.get("body_base64"))]


def without_host(said):
    return re.sub(rb"(?i)\r\nhost: [^\r]*", b"", bytes(said))


# ---- Conversations with python3-websockets ----


async def echo(peer, *_):
    async for message in peer:
        if message == "leave":
            await peer.close(4001, "as you wish")
            return
        elif message == "many":
            await peer.send(["a" * 10, "b" * 70000, "c"])
        else:
            await peer.send(message)


async def converse(port, compression):
    texts = ["hi", '{"type":"ask","id":1}', "\u00e4\u20ac\U0001f600" * 20, "x" * 70000, ""]
    async with websockets.connect(f"ws://127.0.0.1:{port}/chat", compression=compression, subprotocols=["chat.v1"]) as client:
        for text in texts:
            await client.send(text)
            assert await client.recv() == text
        await client.send(bytes(range(256)))
        assert await client.recv() == bytes(range(256))
        await client.send(["one ", "message"])
        assert await client.recv() == "one message"
        await client.send("many")
        assert await client.recv() == "a" * 10 + "b" * 70000 + "c"
        await (await client.ping(b"are you there"))
        await client.send("leave")
        await client.wait_closed()
        return client.close_code, client.close_reason


def check_conversation(work, compression):
    name = f"compression {compression}"

    async def run():
        async with websockets.serve(echo, "127.0.0.1", 0, compression=compression, subprotocols=["chat.v1"]) as server:
            behind = Relay(server.sockets[0].getsockname()[1])
            with Recorder(INQUEST, work, {"chat": f"ws://127.0.0.1:{behind.port}"}) as recorder:
                before = Relay(recorder.ports["chat"])
                code = await converse(before.port, compression)
                await asyncio.sleep(0.1)
            before.close()
            behind.close()
            return recorder, before, behind, code

    recorder, before, behind, code = asyncio.run(run())
    tap.point(code == (4001, "as you wish"), f"{name}: the close goes through", code)
    tap.point(without_host(before.sent[0]) == without_host(behind.sent[0]), f"{name}: what the client sent arrives, byte for byte")
    tap.point(before.got == behind.got, f"{name}: what the server sent arrives, byte for byte")
    events = recorder.events()
    bodies = [event.get("body") for event in events if event["kind"] == "ws.message"]
    long = [body for body in bodies if body and len(body) == 70011]
    texts = [event for event in events if event["kind"] == "ws.message" and event.get("body") == "one message"]
    tap.point(len([event for event in events if event["kind"] == "ws.message"]) == 17 and long, f"{name}: each message is an event", bodies)
    tap.point([event["attrs"].get("fragments") for event in texts if event["direction"] == "client"] == [3],
              f"{name}: fragments are told", texts)
    tap.point(bool("compressed_bytes" in texts[0].get("attrs", {})) == bool(compression), f"{name}: so is compression", texts)
    opened = events[0]
    tap.point(opened["kind"] == "ws.open" and opened["attrs"]["status"] == 101 and opened["attrs"]["subprotocol"] == "chat.v1"
              and opened["attrs"]["url"].endswith("/chat"), f"{name}: the handshake is an event", opened)
    kinds = [event["kind"] for event in events]
    tap.point("ws.ping" in kinds and "ws.pong" in kinds, f"{name}: pings and pongs are events", kinds)
    closes = [(event["direction"], event["attrs"]["code"], event["attrs"].get("reason")) for event in events if event["kind"] == "ws.close"]
    tap.point(closes[0] == ("server", 4001, "as you wish") and closes[1][:2] == ("client", 4001), f"{name}: closes have code and reason", closes)
    tap.point(any(event.get("type") == "ask" and event.get("key") == "1" for event in events), f"{name}: messages have type and key")
    done = recorder.run("sessions")
    tap.point("closed" in done.stdout and done.stdout.count("\n") == 2, f"{name}: it is one session, closed", done.stdout)
    done = subprocess.run([INQUEST, "store", "verify", work], capture_output=True, text=True)
    tap.point(recorder.process.returncode == 0 and done.returncode == 0, f"{name}: it is sealed, and verifies", done.stdout + done.stderr)


# ---- Upstreams that are not there, or say no ----


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def check_refusals(work):
    none = Answers(b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nno server")
    upstreams = {"closed": f"ws://127.0.0.1:{closed_port()}", "nameless": "ws://no-such-name.invalid:80", "none": f"ws://127.0.0.1:{none.port}"}
    with Recorder(INQUEST, work, upstreams) as recorder:
        answers = {name: talk(recorder.ports[name], UPGRADE, end=False) for name in upstreams}
        plain = talk(recorder.ports["closed"], b"GET /login HTTP/1.1\r\nHost: x\r\n\r\n")
    tap.point(answers["none"].endswith(b"no server") and b" 404 " in answers["none"], "a 404 is relayed as it is", answers["none"])
    tap.point(all(answers[name].startswith(b"HTTP/1.1 502 ") for name in ("closed", "nameless")), "no upstream: 502", answers)
    refused = {event["source"]: event for event in recorder.events() if event["kind"] == "net.error" and event["type"] == "refused"}
    errors = " ".join(event["attrs"]["error"] for event in refused.values())
    tap.point(len(refused) == 3 and all(word in errors for word in ("connection refused", "cannot be resolved", "404 Not Found")),
              "a port that is closed, a name that does not resolve and a 404 are events", refused)
    statuses = [event["attrs"].get("status") for event in refused.values()]
    tap.point(sorted(statuses, key=str) == [404, None, None], "with the server's status where it gave one", statuses)
    failed = [event for event in recorder.events() if event.get("type") == "failed"]
    tap.point(plain.startswith(b"HTTP/1.1 502 ") and len(failed) == 1 and failed[0]["attrs"]["url"].endswith("/login"),
              "so is a request that could not be passed on", failed)
    done = recorder.run("sessions")
    tap.point(done.stdout.count("refused") >= 3, "the sessions are refused", done.stdout)
    none.close()


# ---- HTTP around it ----


def check_http(work):
    login = b"HTTP/1.1 200 OK\r\nSet-Cookie: sid=s1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"ok\"\r\n6\r\n:true}\r\n0\r\n\r\n"
    stream = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" b"event: agent_started\ndata: {\"id\":1}\n\n: still here\n\ndata: two\r\ndata: lines\r\n\r\n"
    auth, events = Answers(login, after=b"pw=1"), Answers(stream)
    with Recorder(INQUEST, work, {"auth": f"http://127.0.0.1:{auth.port}", "events": f"http://127.0.0.1:{events.port}"}) as recorder:
        request = b"POST /login?x=1 HTTP/1.1\r\nHost: wrong\r\nX-Odd:  two \r\nContent-Length: 4\r\n\r\npw=1"
        answered = talk(recorder.ports["auth"], request[:30], request[30:], end=False)
        streamed = talk(recorder.ports["events"], b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n", end=False)
    tap.point(answered == login and streamed == stream, "responses are relayed as they are", answered + streamed)
    arrived = bytes(auth.seen[0])
    tap.point(arrived == request.replace(b"Host: wrong", f"Host: 127.0.0.1:{auth.port}".encode()), "of a request only Host is changed", arrived)
    told = recorder.events()
    exchange = [event for event in told if event["source"] == f"127.0.0.1:{auth.port}"]
    tap.point([shape(event) for event in exchange] == [["http.request", "client", "pw=1"], ["http.response", "server", '{"ok":true}']]
              and exchange[0]["key"] == exchange[1]["key"] and exchange[1]["attrs"]["status"] == 200
              and exchange[1]["attrs"]["headers"]["Set-Cookie"] == "sid=s1", "request and response are events with one key", exchange)
    messages = [(event.get("type"), event.get("body")) for event in told if event["kind"] == "sse.message"]
    tap.point(messages == [("agent_started", '{"id":1}'), (None, "two\nlines"), ("end", None)], "server-sent events are events", messages)
    done = recorder.run("sessions")
    tap.point("sse" in done.stdout and "closed" in done.stdout, "their stream is a session", done.stdout)
    auth.close()
    events.close()


def check_keep_host(work):
    server = Answers(b"HTTP/1.1 204 No Content\r\n\r\n")
    with Recorder(INQUEST, work, {"x": f"http://127.0.0.1:{server.port}"}, "--keep-host", "--allow-origin", "http://localhost:3000") as recorder:
        talk(recorder.ports["x"], b"GET / HTTP/1.1\r\nHost: mine\r\nOrigin: http://localhost:3000\r\n\r\n", end=False)
        talk(recorder.ports["x"], b"GET / HTTP/1.1\r\nHost: mine\r\nOrigin: http://evil\r\n\r\n", end=False)
    first, second = bytes(server.seen[0]), bytes(server.seen[1])
    tap.point(b"Host: mine\r\n" in first, "--keep-host keeps Host", first)
    tap.point(f"Origin: http://127.0.0.1:{server.port}\r\n".encode() in first and b"Origin: http://evil\r\n" in second,
              "--allow-origin makes that Origin the upstream's, and no other", first + second)
    server.close()


def check_limits(work):
    server = Answers(b"HTTP/1.1 204 No Content\r\n\r\n")
    with Recorder(INQUEST, work, {"x": f"http://127.0.0.1:{server.port}"}) as recorder:
        port = recorder.ports["x"]
        for what, request, status in (
                ("Content-Length with Transfer-Encoding", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
                ("101 headers", b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(101)) + b"\r\n", 431),
                ("a head of more than 32 KiB", b"GET / HTTP/1.1\r\nX: " + b"y" * 33000 + b"\r\n\r\n", 431),
                ("CONNECT", b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 400),
                ("a header line that begins with a space", b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400)):
            got = talk(port, request)
            tap.point(got.startswith(b"HTTP/1.1 %d " % status), f"{what} is refused with {status}", got)
    tap.point(not server.seen, "nothing of it reaches the upstream", server.seen)
    server.close()


# ---- How connections end ----


def check_ends(work):
    dying = Answers(ACCEPTED + b"\x81\x05Hello\x81\x05part")
    holding = Answers(ACCEPTED + b"\x81\x05Hello", hold=True)
    wrong = Answers(ACCEPTED + b"\x85\x01x\x81\x02\xff\xfe\x81\x81\x00\x00\x00\x00m\x81\x01y", hold=True)
    upstreams = {name: f"ws://127.0.0.1:{server.port}" for name, server in (("dying", dying), ("holding", holding), ("wrong", wrong))}
    recorder = Recorder(INQUEST, work, upstreams)
    got = talk(recorder.ports["dying"], UPGRADE, end=False)
    tap.point(got == ACCEPTED + b"\x81\x05Hello\x81\x05part", "what a server says before it dies arrives", got)
    held = socket.create_connection(("127.0.0.1", recorder.ports["holding"]))
    held.sendall(UPGRADE + b"\x81\x82\x00\x00\x00\x00hi")
    tap.point(wait_for(lambda: holding.seen and holding.seen[0].endswith(b"hi")), "frames behind an upgrade go on once it is answered", holding.seen)
    odd = socket.create_connection(("127.0.0.1", recorder.ports["wrong"]))
    odd.sendall(UPGRADE)
    said = wait_for(lambda: odd.recv(1 << 16, socket.MSG_PEEK).endswith(b"y"))
    tap.point(said, "what breaks the protocol is relayed")
    wait_for(lambda: len(recorder.events()) > 0)
    status = recorder.stop(signal.SIGTERM)
    held.close()
    odd.close()
    tap.point(status == 0, "SIGTERM seals and exits 0", (status, recorder.heard))
    told = recorder.events()
    cut = [event for event in told if event.get("type") == "cut"]
    tap.point(len(cut) == 1 and cut[0]["direction"] == "server" and any(event.get("attrs", {}).get("partial") for event in told),
              "a server that dies cuts the session, and the part of a message is kept", told)
    violations = [event["attrs"]["violations"] for event in told if "violations" in event.get("attrs", {})]
    tap.point(violations == [["an unknown opcode"], ["a text that is not UTF-8"], ["a masked frame from a server"]],
              "what breaks the protocol is told", violations)
    sessions = recorder.run("sessions").stdout
    tap.point(sessions.count(" cut ") == 1 and sessions.count(" open ") == 2, "sessions that go on when the recording ends are open", sessions)
    for server in (dying, holding, wrong):
        server.close()


# ---- TLS ----


def check_tls(work):
    done = subprocess.run([INQUEST, "record", "ca", "chat.example"], capture_output=True, text=True, env={**os.environ, "XDG_CONFIG_HOME": str(work)})
    made = work / "inquest"
    tap.point(done.returncode == 0 and str(made / "ca.pem") in done.stdout and (made / "tap.key").stat().st_mode & 0o77 == 0,
              "record ca makes an authority and a certificate, and keeps their keys to itself", done.stdout + done.stderr)
    of_server, of_client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=made / "ca.pem")
    of_server.load_cert_chain(made / "tap.pem", made / "tap.key")
    of_server.set_alpn_protocols(["h2", "http/1.1"])
    listener = ("--cert", made / "tap.pem", "--key", made / "tap.key")

    async def run(name, *options, upstream="localhost", client=of_client):
        async with websockets.serve(echo, "127.0.0.1", 0, ssl=of_server) as server:
            port = server.sockets[0].getsockname()[1]
            with Recorder(INQUEST, work / name, {"x": f"wss://{upstream}:{port}"}, *options) as recorder:
                try:
                    async with websockets.connect(f"{'wss' if client else 'ws'}://localhost:{recorder.ports['x']}/", ssl=client, max_size=None) as peer:
                        for text in ("hello", "x" * 300000):
                            await peer.send(text)
                            assert await peer.recv() == text
                    return recorder, None
                except (OSError, websockets.InvalidStatusCode) as error:
                    return recorder, error

    recorder, error = asyncio.run(run("both", "--ca", made / "ca.pem", *listener))
    events = recorder.events()
    tap.point(error is None and [len(event["body"]) for event in events if event["kind"] == "ws.message"] == [5, 5, 300000, 300000],
              "TLS on both sides: messages are relayed and recorded", (error, [shape(event)[:2] for event in events]))
    tap.point(events and events[0]["attrs"]["url"].startswith("wss://localhost:"), "the URL says so", events[:1])
    recorder, error = asyncio.run(run("untrusted", client=None))
    refused = [event["attrs"]["error"] for event in recorder.events() if event.get("type") == "refused"]
    tap.point(error and len(refused) == 1 and "certificate is not trusted" in refused[0], "an upstream that is not trusted is refused", (error, refused))
    recorder, error = asyncio.run(run("misnamed", "--ca", made / "ca.pem", upstream="127.0.0.2", client=None))
    refused = [event["attrs"]["error"] for event in recorder.events() if event.get("type") == "refused"]
    tap.point(error and refused, "so is one whose certificate has another name", (error, refused))
    recorder, error = asyncio.run(run("insecure", "--insecure", client=None))
    tap.point(error is None and any("--insecure" in line for line in recorder.heard), "--insecure trusts any, and says so", (error, recorder.heard))


def check_rotation(work):
    """SIGHUP and --rotate make segments while the recording goes on."""
    holding = Answers(ACCEPTED, hold=True)
    with Recorder(INQUEST, work, {"x": f"ws://127.0.0.1:{holding.port}"}, "--rotate", "1h") as recorder:
        with socket.create_connection(("127.0.0.1", recorder.ports["x"])) as peer:
            peer.sendall(UPGRADE)
            for number in range(3):
                peer.sendall(b"\x81\x81\0\0\0\0%d" % number)
                wait_for(lambda: len([event for event in recorder.events() if event["kind"] == "ws.message"]) == number + 1)
                recorder.process.send_signal(signal.SIGHUP)
                wait_for(lambda: len(list((work / "segments").glob("*.seg"))) > number, 5)
    segments = len(list((work / "segments").glob("*.seg")))
    bodies = [event["body"] for event in recorder.events() if event["kind"] == "ws.message"]
    tap.point(segments >= 3 and bodies == ["0", "1", "2"], "SIGHUP makes a segment, and nothing is lost or told twice", (segments, bodies))
    holding.close()


def check_vanishing(work):
    """Clients that go while much is on its way to them; the recorder stays."""
    talking = Answers(ACCEPTED + b"\x81\x7e\xff\xff" + b"x" * 65535 + b"\x82\x7f\0\0\0\0\x01\0\0\0" + b"y" * (1 << 24), hold=True)
    with Recorder(INQUEST, work, {"x": f"ws://127.0.0.1:{talking.port}"}) as recorder:
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", recorder.ports["x"])) as peer:
                peer.sendall(UPGRADE)
                peer.recv(100)
        wait_for(lambda: len([event for event in recorder.events() if event.get("type") == "cut"]) == 5)
    cut = [event for event in recorder.events() if event.get("type") == "cut"]
    tap.point(recorder.process.returncode == 0 and [event["direction"] for event in cut] == ["client"] * 5,
              "clients that vanish cut their sessions, and nothing else", (recorder.process.returncode, cut))
    talking.close()


def check_abrupt(work):
    """kill -9: what was durable is there, and a gap says that the recording ended abruptly."""
    holding = Answers(ACCEPTED + b"\x81\x05Hello", hold=True)
    recorder = Recorder(INQUEST, work, {"x": f"ws://127.0.0.1:{holding.port}"})
    with socket.create_connection(("127.0.0.1", recorder.ports["x"])) as peer:
        peer.sendall(UPGRADE)
        for number in range(100):
            peer.sendall(b"\x81\x84\x00\x00\x00\x00%04d" % number)
        wait_for(lambda: len([event for event in recorder.events() if event["kind"] == "ws.message"]) == 101)
        recorder.stop(signal.SIGKILL)
    bodies = [event["body"] for event in recorder.events() if event["kind"] == "ws.message"]
    tap.point(bodies == ["Hello"] + [f"{number:04}" for number in range(100)], "after kill -9 everything durable is there", bodies[-3:])
    with Recorder(INQUEST, work, {"x": f"ws://127.0.0.1:{holding.port}"}) as recorder:
        pass
    done = subprocess.run([INQUEST, "sql", work, "SELECT reason FROM gaps"], capture_output=True, text=True)
    tap.point("ended abruptly" in done.stdout, "and that it ended abruptly is a gap", done.stdout)
    holding.close()


def check_redaction(work):
    holding = Answers(ACCEPTED + b"\x81\x16{\"password\":\"hunter2\"}", hold=True)
    with Recorder(INQUEST, work / "case", {"x": f"ws://127.0.0.1:{holding.port}"}, "--redact", "--redact-key", work / "key") as recorder:
        with socket.create_connection(("127.0.0.1", recorder.ports["x"])) as peer:
            peer.sendall(UPGRADE.replace(b"Host:", b"Authorization: Bearer s3cretT0ken\r\nHost:"))
            wait_for(lambda: peer.recv(1 << 16, socket.MSG_PEEK).endswith(b"}"))
    files = b"".join(file.read_bytes() for file in (work / "case").rglob("*") if file.is_file())
    done = subprocess.run([INQUEST, "export", work / "case", "--format", "raw", "--output", work / "evidence"], capture_output=True, text=True)
    raw = b"".join(file.read_bytes() for file in (work / "evidence").rglob("*") if file.is_file())
    tap.point(b"ws.message" in raw and not any(secret in part for secret in (b"hunter2", b"s3cretT0ken") for part in (files, raw)),
              "--redact keeps no secret, in events or raw bytes", done.stderr + raw.decode()[:500])
    holding.close()


def check_heartbeats(work):
    server = Answers(b"")
    with Recorder(INQUEST, work, {"a": f"ws://127.0.0.1:{server.port}", "b": "ws://127.0.0.1:1"}) as recorder:
        beats = wait_for(lambda: len(recorder.events(heartbeats=True)) >= 4)
    sources = {event["source"] for event in recorder.events(heartbeats=True)}
    tap.point(beats and sources == {f"127.0.0.1:{server.port}", "127.0.0.1:1"}, "a quiet source says each second that it is listened to", sources)
    server.close()


with tempfile.TemporaryDirectory(prefix="inquest-tap-") as directory:
    directory = pathlib.Path(directory)
    check_conversation(directory / "plain", None)
    check_conversation(directory / "deflate", "deflate")
    check_refusals(directory / "refusals")
    check_http(directory / "http")
    check_keep_host(directory / "host")
    check_limits(directory / "limits")
    check_ends(directory / "ends")
    (directory / "tls").mkdir()
    check_tls(directory / "tls")
    check_rotation(directory / "rotation")
    check_vanishing(directory / "vanishing")
    check_abrupt(directory / "abrupt")
    (directory / "redaction").mkdir()
    check_redaction(directory / "redaction")
    check_heartbeats(directory / "heartbeats")
    done = subprocess.run([INQUEST, "record", "ws", "--listen", "9000"], capture_output=True, text=True)
    tap.point(done.returncode == 2 and "--upstream" in done.stderr, "without an upstream: exit 2", done.stderr)
tap.end()
