#!/usr/bin/python3
"""The whole road against a foreign WebSocket server (python3-websockets), as TAP: end_to_end.py INQUEST EXAMPLE

Users talk to the server through the tap; what it wrote is ingested and checked, one session is replayed against a server, and
the run is judged."""
import asyncio
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import websockets

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from tap import Tap

INQUEST, EXAMPLE = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
SPEC = EXAMPLE / "lifecycle.yaml"
tap = Tap()


def inquest(*words):
    return subprocess.run([INQUEST, *map(str, words)], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60,
                          env={**os.environ, "TZ": "UTC"})


class Server:
    """chat_server.py on a free port; `address` is where it listens."""

    def __init__(self, *options):
        self.process = subprocess.Popen(["/usr/bin/python3", EXAMPLE / "chat_server.py", *options], stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.DEVNULL)
        self.address = self.process.stdout.readline().split()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


async def converse(address, texts):
    async with websockets.connect(address) as socket:
        for text in texts:
            await socket.send(json.dumps({"type": "user_message", "text": text}))
            async for answer in socket:
                if json.loads(answer)["type"] == "agent_completed":
                    break


def record(work):
    """A conversation through the tap, which writes recording.ndjson."""
    with Server() as server:
        tap = subprocess.Popen(["/usr/bin/python3", EXAMPLE / "tap.py", work / "recording.ndjson", f"0={server.address}"],
                               stdout=subprocess.PIPE, text=True)
        tap_port = tap.stdout.readline().split()[-1]
        asyncio.run(converse(f"ws://127.0.0.1:{tap_port}/chat", ["one", "two", "three"]))
        tap.kill()
        tap.wait()
        tap.stdout.close()


with tempfile.TemporaryDirectory(prefix="inquest-e2e-") as work:
    work = pathlib.Path(work)
    record(work)
    done = inquest("ingest", work / "recording.ndjson", "--store", work / "case")
    tap.point(done.returncode == 0, "the recording is taken in", done.stderr)
    done = inquest("check", work / "case", "--spec", SPEC)
    tap.point(done.returncode == 0 and "VERDICT: ok" in done.stdout, "the recording is ok", done.stdout + done.stderr)
    for name, options, status, words in (
            ("a healthy server", (), 0, "1 session: 1 ok"),
            ("a server that leaves out tool_completed", ("--fault", "missing-tool-completed"), 1, "missing tool_completed"),
            ("a server that answers out of order", ("--fault", "out-of-order"), 1, "out of order"),
            ("a server that cuts the connection", ("--fault", "cut"), 1, "cut the connection"),
            ("a server that falls silent", ("--fault", "stall"), 1, "waited")):
        with Server(*options) as server:
            run = work / f"run{tap.number}"
            done = inquest("replay", work / "case", "--target", server.address, "--spec", SPEC, "--run", run, "--timeout", "1s")
        tap.point(done.returncode == status and words in done.stdout, f"replay against {name}", f"{done.returncode}\n{done.stdout}{done.stderr}")
        verified = inquest("store", "verify", run)
        tap.point(verified.returncode == 0, f"the run against {name} is a store that verifies", verified.stdout + verified.stderr)
    done = inquest("replay", work / "case", "--target", "ws://127.0.0.1:1/chat", "--run", work / "none")
    tap.point(done.returncode == 4 and "exit 4" in done.stderr, "no server: exit 4", done.stdout + done.stderr)
tap.end()
