#!/usr/bin/python3
"""Replay against servers that somebody else wrote: python3-websockets, and npm's `ws` where it is installed.

    peers.py INQUEST

Each server makes its ids anew when it is started. A client logs in over HTTP where the server has that, and talks; the recording is
replayed against the server started again, which must be green, and against the same server broken on purpose, which must be red
with the right explanation. Then the recording is played back by `inquest mock`: replayed against it it must pass, and what was
recorded then is the same conversation again."""
import asyncio
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import websockets

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from tap import Tap  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
INQUEST = sys.argv[1]
NODE_MODULES = "/usr/share/nodejs"
SERVERS = {"python3-websockets": ["/usr/bin/python3", HERE / "peer_server.py"]}
if shutil.which("node") and os.path.isdir(f"{NODE_MODULES}/ws"):
    SERVERS["npm ws"] = ["node", HERE / "peer_server.js"]


class Server:
    def __init__(self, command, fault="none"):
        self.command = [*command, fault]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, "NODE_PATH": NODE_MODULES})
        self.port = int(self.process.stdout.readline())
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def http(port, path, body):
    import http.client
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    text = response.read().decode()
    headers = dict(response.getheaders())
    connection.close()
    return response.status, headers, text


async def record(port, path):
    with open(path, "w") as out:
        def write(session=True, **fields):
            out.write(json.dumps({"ts": time.time_ns(), "source": "proxy", **({"session": "talk"} if session else {}), **fields}) + "\n")

        login = {"user": "ada", "password": "correct horse 9 battery"}
        url = f"http://127.0.0.1:{port}/auth/login"
        write(False, kind="http.request", direction="client", key="x1", body=json.dumps(login),
              attrs={"url": url, "method": "POST", "headers": {"Content-Type": "application/json"}})
        status, headers, text = http(port, "/auth/login", login)
        write(False, kind="http.response", direction="server", key="x1", body=text,
              attrs={"url": url, "method": "POST", "status": status, "headers": headers})
        token, cookie = json.loads(text)["access_token"], headers.get("Set-Cookie", headers.get("set-cookie")).partition(";")[0]
        target = f"ws://127.0.0.1:{port}/ws/chat?token={token}"
        async with websockets.connect(target, extra_headers={"Cookie": cookie}) as socket:
            write(kind="ws.open", attrs={"url": target, "status": 101, "headers": {"Cookie": cookie, "User-Agent": "app/1.0", "Sec-WebSocket-Extensions": "permessage-deflate"}})

            async def hear(until):
                while True:
                    text = await socket.recv()
                    write(kind="ws.message", direction="server", body=text)
                    if json.loads(text)["type"] == until:
                        return json.loads(text)

            async def say(**fields):
                text = json.dumps(fields)
                await socket.send(text)
                write(kind="ws.message", direction="client", body=text)
            hello = await hear("welcome")
            await say(type="join", room=hello["data"]["room_id"], nonce=hello["nonce"])
            joined = await hear("joined")
            await say(type="ask", state=joined["state"], text="where is it", arguments=json.dumps({"member": joined["member"]["id"]}))
            await hear("agent_completed")
            await say(type="bye")
            await socket.wait_closed()
            write(kind="ws.close", direction="server", attrs={"code": socket.close_code, "reason": socket.close_reason})


def inquest(*words, **options):
    return subprocess.run([INQUEST, *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
                          **options)


def canonical(case):
    """The conversation, without times, numbers and the server's address."""
    lines = []
    for line in inquest("export", case, "--format", "ndjson", "--session", "s1").stdout.splitlines():
        event = json.loads(line)
        attrs = event.get("attrs", {})
        lines.append((event["kind"], event.get("direction") if event["kind"] != "ws.open" else None, event.get("type"), event.get("body"),
                      attrs.get("code")))
    return lines


def play_mock(work, golden, tap, name):
    mock = subprocess.Popen([INQUEST, "mock", golden, "--listen", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    port = int(mock.stdout.readline().rsplit(None, 1)[1])
    done = inquest("replay", golden, "--target", f"ws://127.0.0.1:{port}", "--run", work / "mocked", "--compare", "values")
    tap.point(done.returncode == 0, f"{name}: the recording passes against its own mock", done.stdout)
    tap.point(canonical(work / "mocked") == canonical(golden), f"{name}: what is recorded then is the recording again",
              f"{canonical(work / 'mocked')}\n{canonical(golden)}")
    mock.terminate()
    said, told = mock.communicate()
    tap.point(mock.returncode == 0 and "3 answered as recorded" in said, f"{name}: the mock knew every message", said + told)


def test_tls(work, golden, command, tap):
    """A certificate of a server's own: believed where it is named, else nothing is said to it."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", work / "key.pem", "-out",
                    work / "cert.pem", "-days", "2", "-subj", "/CN=peer", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, stderr=subprocess.DEVNULL)
    with Server([*command, work / "cert.pem", work / "key.pem"]) as server:
        target = ["--target", f"wss://127.0.0.1:{server.port}"]
        done = inquest("replay", golden, *target, "--run", work / "tls", "--ca", work / "cert.pem")
        tap.point(done.returncode == 0, "TLS: log-in and socket are green", done.stdout)
        done = inquest("replay", golden, *target, "--run", work / "unknown")
        tap.point(done.returncode == 4 and "certificate is not believed" in done.stdout, "TLS: an unknown certificate is not believed", done.stdout)
        done = inquest("replay", golden, *target, "--run", work / "insecure", "--insecure")
        tap.point(done.returncode == 0 and "--insecure" in done.stdout, "TLS: --insecure believes it, and says so", done.stdout)
        done = inquest("replay", golden, "--target", f"wss://localhost:{server.port}", "--run", work / "other", "--ca", work / "cert.pem")
        tap.point(done.returncode == 4 and "not believed" in done.stdout, "TLS: nor one of another name", done.stdout)


def test(work, name, command, tap):
    work.mkdir()
    with Server(command) as server:
        asyncio.run(record(server.port, work / "talk.ndjson"))
        recorded = server.port
    inquest("ingest", work / "talk.ndjson", "--store", work / "case")
    golden = work / "golden.seg"
    done = inquest("export", work / "case", "--format", "segment", "--name", "talk", "--output", golden)
    tap.point(done.returncode == 0, f"{name}: recorded", done.stdout)
    done = inquest("replay", golden, "--plan")
    tap.point(done.stdout.count("  bound ") == 6, f"{name}: token, cookie, room, nonce, state and member are bound", done.stdout)
    with Server(command) as server:
        target = ["--target", f"ws://127.0.0.1:{server.port}"]
        done = inquest("replay", golden, *target, "--run", work / "green")
        tap.point(done.returncode == 0 and recorded != server.port, f"{name}: green after a restart with new ids", done.stdout)
        done = inquest("check", work / "green")
        tap.point(done.returncode != 1, f"{name}: the run is a case", done.stdout)
        done = inquest("replay", golden, *target, "--run", work / "wrong", "--set", "login.password=wrong")
        tap.point(done.returncode == 1 and "401, not with 200" in done.stdout, f"{name}: another password is put in, and refused", done.stdout)
    for fault, words in (("no-member", "/member"), ("text-state", "/hits is a string, not a number"), ("close-code", "closed with 1011, not with 4000"),
                         ("silent", "agent_completed"), ("extra", "agent_error")):
        with Server(command, fault) as server:
            done = inquest("replay", golden, "--target", f"ws://127.0.0.1:{server.port}", "--run", work / fault, "--timeout", "1s")
        tap.point(done.returncode == 1 and words in done.stdout, f"{name}: {fault} is red, and says why", f"exit {done.returncode}\n{done.stdout}")
    play_mock(work, golden, tap, name)
    if name == "python3-websockets":
        test_tls(work, golden, command, tap)


tap = Tap()
with tempfile.TemporaryDirectory(prefix="inquest-peers-") as directory:
    for number, (name, command) in enumerate(SERVERS.items()):
        test(pathlib.Path(directory) / str(number), name, command, tap)
tap.end()
