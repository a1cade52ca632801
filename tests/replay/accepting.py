#!/usr/bin/python3
"""What follows a red replay: the smallest part that is still red, and the new answers as the golden recording.

    accepting.py INQUEST"""
import asyncio
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import websockets

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from tap import Tap  # noqa: E402

INQUEST = sys.argv[1]
ANSWERS = {"a": {"type": "letter", "n": 1}, "b": {"type": "letter", "n": 2}, "bad": {"type": "number", "value": 7}}


def recording(path):
    """Ten questions, of which one is answered otherwise today."""
    with open(path, "w") as out:
        def write(**fields):
            write.ts += 1000000
            out.write(json.dumps({"ts": write.ts, "source": "proxy", "session": "talk", **fields}) + "\n")
        write.ts = 1764000000000000000
        write(kind="ws.open", attrs={"url": "ws://recorded:8000/letters"})
        write(kind="ws.message", direction="server", body='{"type":"welcome"}')
        for question in ["a", "b", "a", "b", "a", "b", "bad", "a", "b", "a"]:
            write(kind="ws.message", direction="client", body=json.dumps({"type": "ask", "of": question}))
            write(kind="ws.message", direction="server", body=json.dumps(ANSWERS[question]))
        write(kind="ws.close", direction="client", attrs={"code": 1000})


async def serve(socket, *_):
    await socket.send('{"type":"welcome"}')
    async for text in socket:
        answer = dict(ANSWERS[json.loads(text)["of"]])
        if answer["type"] == "number":
            answer["value"] = "seven"
        await socket.send(json.dumps(answer))


async def inquest(*words, **environment):
    done = await asyncio.create_subprocess_exec(INQUEST, *map(str, words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                                env={**os.environ, "CI": "", **environment})
    return done, (await done.communicate())[0].decode()


async def main(work, tap):
    recording(work / "talk.ndjson")
    await inquest("ingest", work / "talk.ndjson", "--store", work / "case")
    golden = work / "golden.seg"
    await inquest("export", work / "case", "--format", "segment", "--name", "letters", "--output", golden)
    async with websockets.serve(serve, "127.0.0.1", 0) as server:
        target = ["--target", f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"]
        done, said = await inquest("replay", golden, *target, "--run", work / "red", "--minimize", work / "small.seg")
        tap.point(done.returncode == 1 and "/value is a string, not a number" in said, "red, with the reason", said)
        done, shown = await inquest("sql", work / "small.seg", "SELECT direction, body FROM events WHERE kind = 'ws.message'", "--format", "csv")
        tap.point("3 of 21 messages fail in the same way" in said and shown.count("\n") == 4 and "bad" in shown and "number" in shown,
                  "three messages are left: what begins it, the question and its answer", said + shown)
        done, shown = await inquest("sql", work / "small.seg", "SELECT body FROM events WHERE source = 'inquest'", "--format", "csv")
        tap.point("minimized from s1" in shown, "a note in the segment says how it was found", shown)
        done, said = await inquest("replay", work / "small.seg", *target, "--run", work / "small")
        tap.point(done.returncode == 1 and "/value is a string" in said, "the smallest part fails in the same way", said)
        before = golden.read_bytes()
        done, said = await inquest("replay", golden, *target, "--run", work / "ci", "--update", CI="true")
        tap.point(done.returncode == 2 and golden.read_bytes() == before and not (work / "ci").exists(), "with CI=true nothing is accepted", said)
        done, said = await inquest("replay", work / "case", *target, "--run", work / "store", "--update")
        tap.point(done.returncode == 2, "only a segment file can be written anew", said)
        done, said = await inquest("replay", golden, *target, "--run", work / "accept", "--update")
        tap.point(done.returncode == 0 and golden.read_bytes() != before, "accepted", said)
        done, said = await inquest("replay", golden, *target, "--run", work / "green")
        tap.point(done.returncode == 0 and "letters" in said, "and green from then on, under the same name", said)
        done, said = await inquest("replay", golden, *target, "--run", work / "load", "--repeat", "200", "--ramp", "300ms", "--compare", "none")
        tap.point(done.returncode == 0 and "200 sessions: 200 ok" in said and "answers: 2000, p50" in said, "200 times as load", said)


tap = Tap()
with tempfile.TemporaryDirectory(prefix="inquest-accepting-") as work:
    asyncio.run(main(pathlib.Path(work), tap))
tap.end()
