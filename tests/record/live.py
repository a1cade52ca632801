#!/usr/bin/python3
"""`record ws --spec`: lifecycles are checked while they are recorded, as TAP: live.py INQUEST"""
import asyncio
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile

import websockets

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from peers import Recorder, wait_for
from tap import Tap

INQUEST = pathlib.Path(sys.argv[1]).resolve()
SPEC = """lifecycle: run
select:   { kind: ws.message, direction: server }
instance: /run
order: started, step*, ended
"""
GOOD, BAD, OPEN = ("started", "step", "ended"), ("started", "ended", "step"), ("started", "step")
HOSTILE = "b'$(touch planted)\x1b[2J"
tap = Tap()


async def serve(peer, *_):
    with contextlib.suppress(websockets.ConnectionClosed):
        async for wanted in peer:
            key, types = json.loads(wanted)
            for name in types:
                await peer.send(json.dumps({"type": name, "run": key}))


async def ask(client, key, types):
    await client.send(json.dumps([key, types]))
    for _ in types:
        await client.recv()


async def converse(port, *runs):
    async with websockets.connect(f"ws://127.0.0.1:{port}/") as client:
        for key, types in runs:
            await ask(client, key, types)


def told(recorder):
    return [line.strip() for line in recorder.heard if "VIOLATED" in line]


async def test_live(work):
    spec, seen = work / "run.yaml", work / "seen"
    spec.write_text(SPEC)
    async with websockets.serve(serve, "127.0.0.1", 0) as server:
        upstream = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        recorder = Recorder(INQUEST, work / "live", {"server": upstream}, "--spec", spec, "--exec", f"cat >> {seen}")
        await converse(recorder.ports["server"], ("a", GOOD), (HOSTILE, BAD))
        first = await asyncio.to_thread(wait_for, lambda: told(recorder), 20)
        tap.point(len(first) == 1 and "run b'$(touch planted)" in first[0] and "step" in first[0] and "\x1b" not in first[0],
                  "a violated instance is told while it is recorded", recorder.heard)
        await asyncio.to_thread(wait_for, lambda: seen.exists() and seen.read_text().count("\n") == 1, 20)
        async with websockets.connect(f"ws://127.0.0.1:{recorder.ports['server']}/") as client:
            await ask(client, "c", OPEN)
            await ask(client, "d", BAD)
            await asyncio.to_thread(wait_for, lambda: len(told(recorder)) == 2, 20)
            status = await asyncio.to_thread(recorder.stop)
        await asyncio.to_thread(recorder.reader.join, 10)
    tap.point(status == 1 and "run: 2 violated, 1 undetermined, 1 ok" in recorder.said, "the end: counts, and exit 1", (status, recorder.said))
    tap.point(len(told(recorder)) == 2, "each is told once", recorder.heard)
    handed = [json.loads(line) for line in seen.read_text().splitlines()]
    tap.point([one["key"] for one in handed] == [HOSTILE, "d"] and handed[0]["lifecycle"] == "run" and handed[0]["sessions"] == ["s1"],
              "the command reads them as JSON lines", handed)
    tap.point(not list(pathlib.Path.cwd().glob("planted*")), "and a shell sees nothing of what they say")
    afterwards = recorder.run("check", "--spec", str(spec), "--format", "json")
    verdicts = {one["key"]: one["verdict"] for one in json.loads(afterwards.stdout)["lifecycles"][0]["instances"]}
    tap.point(verdicts == {"a": "ok", HOSTILE: "violated", "c": "undetermined", "d": "violated"}, "`check` gives the same verdicts afterwards", verdicts)
    events = subprocess.run([INQUEST, "export", recorder.store, "--format", "ndjson"], capture_output=True, check=True).stdout
    piped = subprocess.run([INQUEST, "check", "-", "--spec", spec, "--format", "json"], input=events, capture_output=True, timeout=60)
    verdicts_piped = {one["key"]: one["verdict"] for one in json.loads(piped.stdout)["lifecycles"][0]["instances"]}
    tap.point(verdicts_piped == verdicts, "and so it does of standard input", verdicts_piped)


def test_wrong_use(work):
    for words, what in ((("--exec", "true"), "--exec without --spec"), (("--spec", work / "none.yaml"), "a spec that is not there")):
        done = subprocess.run([INQUEST, "record", "ws", "--store", work / "wrong", "--map", "0=ws://127.0.0.1:1", *words], capture_output=True, text=True, timeout=20)
        tap.point(done.returncode == 2 and not (work / "wrong").exists(), f"{what}: exit 2, before anything is recorded", done.stderr)


with tempfile.TemporaryDirectory(prefix="iq-live-") as directory:
    asyncio.run(test_live(pathlib.Path(directory)))
    test_wrong_use(pathlib.Path(directory))
tap.end()
