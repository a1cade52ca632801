#!/usr/bin/python3
"""The tap between peers that are not ours, as TAP: foreign.py INQUEST

npm's ws as client and server, and a page in Chromium that fetches, logs in and talks through it."""
import asyncio
import contextlib
import http
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

import websockets

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from peers import Recorder, Relay
from tap import Tap

INQUEST = pathlib.Path(sys.argv[1]).resolve()
PEER = ["node", str(pathlib.Path(__file__).resolve().parent / "peer_ws.js")]
NODE = {**os.environ, "NODE_PATH": "/usr/share/nodejs"}
SAID = ["hi", '{"type":"ask","id":1}', "\u00e4\u20ac\U0001f600" * 20, "x" * 70000, "", bytes(range(256)).hex(), "there?"]
PAGE = """<!doctype html><script>
(async () => {
  const result = {login: await (await fetch('/login?user=ada')).text(), heard: []};
  const socket = new WebSocket(`ws://${location.host}/chat`);
  const lines = ['hello', '{"type":"ask","id":7}', 'ä€😀'.repeat(20), 'x'.repeat(70000), new Uint8Array([0, 255, 128, 7])];
  socket.binaryType = 'arraybuffer';
  const say = () => result.heard.length < lines.length ? socket.send(lines[result.heard.length]) : socket.close(4001, 'as you wish');
  socket.onopen = () => { result.extensions = socket.extensions; say(); };
  socket.onmessage = ({data}) => { result.heard.push(typeof data === 'string' ? data : Array.from(new Uint8Array(data)).join()); say(); };
  socket.onclose = ({code, reason}) => fetch('/done?' + encodeURIComponent(JSON.stringify({...result, code, reason, heard: result.heard.map(text => text.slice(0, 60))})));
})();
</script>"""
tap = Tap()


def without_host(said):
    return b"\r\n".join(line for line in bytes(said).split(b"\r\n") if not line.lower().startswith(b"host:"))


def messages(events, direction):
    return [event for event in events if event["kind"] == "ws.message" and event["direction"] == direction]


@contextlib.contextmanager
def between(work, port):
    """A recorder with a witness on each side of it."""
    behind = Relay(port)
    with Recorder(INQUEST, work, {"chat": f"ws://127.0.0.1:{behind.port}"}) as recorder:
        before = Relay(recorder.ports["chat"])
        yield recorder, before, behind
    before.close()
    behind.close()


def streams(connections):
    """A browser opens some at the same time, and some that it does not need."""
    return sorted(without_host(said) for said in connections if said)


def check_untouched(name, before, behind):
    tap.point(streams(before.sent) == streams(behind.sent), f"{name}: what the client sends arrives, byte for byte")
    tap.point(streams(before.got) == streams(behind.got), f"{name}: what the server sends arrives, byte for byte")


def check_node(work, compressed):
    name = f"ws, {'compressed' if compressed == 'yes' else 'plain'}"
    server = subprocess.Popen([*PEER, "server", compressed], stdout=subprocess.PIPE, text=True, env=NODE)
    try:
        with between(work, int(server.stdout.readline())) as (recorder, before, behind):
            done = subprocess.run([*PEER, "client", f"ws://127.0.0.1:{before.port}/chat", compressed], capture_output=True, text=True, env=NODE, timeout=60)
    finally:
        server.kill()
    said = json.loads(done.stdout)
    tap.point(said["heard"] == SAID and said["code"] == 4001 and bool(said["extensions"]) == (compressed == "yes"), f"{name}: client and server understand each other", said)
    check_untouched(name, before, behind)
    events = recorder.events()
    for direction in ("client", "server"):
        heard = messages(events, direction)
        tap.point([event.get("body") for event in heard[:5]] == SAID[:5] and len(heard) == 6, f"{name}: messages of the {direction} are recorded", [str(event)[:200] for event in heard])
        tap.point(all(("compressed_bytes" in event.get("attrs", {})) == (compressed == "yes") for event in heard[:4]), f"{name}: and whether they were compressed", [event.get("attrs") for event in heard])
    closes = [(event["direction"], event["attrs"]["code"]) for event in events if event["kind"] == "ws.close"]
    tap.point(closes == [("client", 4001), ("server", 4001)], f"{name}: so are the closes", closes)


# ---- A browser ----

async def echo(peer, *_):
    with contextlib.suppress(websockets.ConnectionClosed):
        async for message in peer:
            await peer.send(message)


class Site:
    """A page, a log-in that sets a cookie, and the socket, on one port."""
    def __init__(self):
        self.done = asyncio.get_running_loop().create_future()

    async def answer(self, path, headers):
        place = urllib.parse.urlsplit(path)
        if place.path == "/chat":
            return None
        if place.path == "/login":
            return http.HTTPStatus.OK, [("Set-Cookie", "sid=5f2c9a7e1b3d; Path=/")], b"welcome"
        if place.path == "/done" and not self.done.done():
            self.done.set_result(json.loads(urllib.parse.unquote(place.query)))
        return http.HTTPStatus.OK, [("Content-Type", "text/html; charset=utf-8")], PAGE.encode() if place.path == "/" else b"ok"


def browse(url, profile):
    return subprocess.Popen(["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", f"--user-data-dir={profile}", url],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def visit(work):
    site = Site()
    async with websockets.serve(echo, "127.0.0.1", 0, process_request=site.answer) as server:
        with between(work / "case", server.sockets[0].getsockname()[1]) as (recorder, before, behind):
            browser = browse(f"http://127.0.0.1:{before.port}/", work / "profile")
            try:
                result = await asyncio.wait_for(site.done, 60)
                await asyncio.sleep(0.2)
            finally:
                browser.kill()
                browser.wait()
    return result, recorder, before, behind


def check_browser(work):
    result, recorder, before, behind = asyncio.run(visit(work))
    tap.point(result["login"] == "welcome" and result["heard"][:2] == ["hello", '{"type":"ask","id":7}'] and result["heard"][4] == "0,255,128,7" and
              (result["code"], result["reason"]) == (4001, "as you wish"), "Chromium: the page logs in and talks", result)
    check_untouched("Chromium", before, behind)
    events = recorder.events()
    opened = [event for event in events if event["kind"] == "ws.open"]
    tap.point(len(opened) == 1 and "permessage-deflate" in opened[0]["attrs"]["extensions"] == result["extensions"], "Chromium: it agrees on compression, which is recorded", opened)
    tap.point(all([len(messages(events, direction)) == 5 and messages(events, direction)[3]["body"] == "x" * 70000 for direction in ("client", "server")]),
              "Chromium: its messages are recorded plain", [str(event)[:150] for event in events])
    requests = [urllib.parse.urlsplit(event["attrs"]["url"]).path for event in events if event["kind"] == "http.request"]
    answers = [event for event in events if event["kind"] == "http.response"]
    tap.point({"/", "/login", "/done"} <= set(requests) and any(event.get("body") == "welcome" for event in answers), "Chromium: so are the requests around it", requests)
    verified = subprocess.run([INQUEST, "store", "verify", work / "case"], capture_output=True, text=True)
    tap.point(recorder.process.returncode == 0 and verified.returncode == 0, "Chromium: the recording is sealed, and verifies", verified.stdout + verified.stderr)


def main():
    with tempfile.TemporaryDirectory(prefix="iq-foreign-", dir="/tmp") as work:
        for compressed in ("yes", "no"):
            check_node(pathlib.Path(work) / compressed, compressed)
        check_browser(pathlib.Path(work))
    tap.end()


main()
