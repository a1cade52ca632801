#!/usr/bin/python3
"""A chat server with 50 planted regressions: each must be caught by a replay, and none where nothing is wrong.

    mutants.py INQUEST [--all] [--healthy N]

The server is honest at /chat, in a natural way: answers differ in length, tools run side by side and end in any order, heartbeats come
when they like, ids are new each time. At /chat?m=NAME it has one fault. Eight recordings of the honest server are the golden file.
Without --all a sample is run."""
import argparse
import asyncio
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time
import uuid

import websockets

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from tap import Tap  # noqa: E402

arguments = argparse.ArgumentParser()
arguments.add_argument("inquest")
arguments.add_argument("--all", action="store_true")
arguments.add_argument("--healthy", type=int, default=6)
arguments.add_argument("--seed", type=int, default=int(time.time()))
options = arguments.parse_args()
chance = random.Random(options.seed)


# ---- The honest server ----

def message(kind, **fields):
    return {"type": kind, **fields}


def welcome(conversation):
    return [message("welcome", conversation={"id": conversation}, protocol="chat.v1", features=["tools", "stream"])]


def answer(question):
    run = uuid.uuid4().hex[:12]
    tools = [f"call_{uuid.uuid4().hex[:8]}" for _ in range(2)]
    executing = [message("tool_executing", run_id=run, tool_id=tool, tool="search", query=question) for tool in tools]
    completed = [message("tool_completed", run_id=run, tool_id=tool, hits=chance.randrange(9), took=chance.random()) for tool in tools]
    chance.shuffle(completed)
    middle = [executing[0], executing[1], *completed]
    if chance.random() < 0.5 and completed[0]["tool_id"] == tools[0]:
        middle = [executing[0], completed[0], executing[1], completed[1]]
    events = [message("agent_started", run_id=run, model="small-1"), message("agent_thinking", run_id=run, text="hm"), *middle]
    events += [message("token", run_id=run, text="x" * n) for n in range(chance.randint(2, 5))]
    events.append(message("agent_completed", run_id=run, answer=f"found {chance.random()}", usage={"tokens": chance.randrange(100), "cost": 0.1},
                          sources=[{"title": "a", "url": "/a"} for _ in range(chance.randint(1, 3))], cached=False))
    return events


# ---- Its faults: each takes what would be sent ----

def first(events, kind):
    return next((index for index, event in enumerate(events) if event["type"] == kind), None)


def drop(kind):
    return lambda events: [event for event in events if event["type"] != kind]


def twice(kind):
    return lambda events: [copy for event in events for copy in ([event, event] if event["type"] == kind else [event])]


def move(kind, to):
    """The first of `kind` to right before the first of `to`, or to the end."""
    def change(events):
        index = first(events, kind)
        if index is None:
            return events
        event, rest = events[index], events[:index] + events[index + 1:]
        place = first(rest, to)
        return rest[:place] + [event] + rest[place:] if place is not None else rest + [event]
    return change


def last(kind):
    return move(kind, None)


def change(kind, function):
    def apply(events):
        events = json.loads(json.dumps(events))
        for event in events:
            if event["type"] == kind:
                function(event)
        return events
    return apply


def without(kind, *path):
    def remove(event):
        for step in path[:-1]:
            event = event[step]
        del event[path[-1]]
    return change(kind, remove)


def put(kind, value, *path):
    def replace(event):
        for step in path[:-1]:
            event = event[step]
        event[path[-1]] = value
    return change(kind, replace)


CLOSE, ABORT, BINARY, TEXT, WAIT = "close", "abort", "binary", "text", "wait"


def then(kind, what, before=False):
    """Something else than a message, at the first of `kind`."""
    def apply(events):
        index = first(events, kind)
        if index is None:
            return events
        return events[:index] + [what] + events[index:] if before else events[:index + 1] + [what] + events[index + 1:]
    return apply


def instead(kind, function):
    return lambda events: [function(event) if event["type"] == kind else event for event in events]


MUTANTS = {
    "drop-welcome": drop("welcome"), "drop-started": drop("agent_started"), "drop-thinking": drop("agent_thinking"),
    "drop-executing": drop("tool_executing"), "drop-tool-completed": drop("tool_completed"), "drop-tokens": drop("token"),
    "drop-completed": drop("agent_completed"),
    "twice-welcome": twice("welcome"), "twice-started": twice("agent_started"), "twice-thinking": twice("agent_thinking"),
    "twice-executing": twice("tool_executing"), "twice-tool-completed": twice("tool_completed"), "twice-completed": twice("agent_completed"),
    "thinking-first": move("agent_thinking", "agent_started"), "tool-before-start": move("tool_executing", "agent_started"),
    "tool-completed-first": move("tool_completed", "tool_executing"), "completed-before-tokens": move("agent_completed", "token"),
    "completed-before-tools": move("agent_completed", "tool_completed"), "started-last": last("agent_started"), "token-last": last("token"),
    "no-conversation-id": without("welcome", "conversation", "id"), "no-conversation": without("welcome", "conversation"),
    "no-features": without("welcome", "features"), "no-model": without("agent_started", "model"), "no-run-id": without("agent_completed", "run_id"),
    "no-tool-id": without("tool_completed", "tool_id"), "no-hits": without("tool_completed", "hits"), "no-answer": without("agent_completed", "answer"),
    "no-usage": without("agent_completed", "usage"), "no-tokens": without("agent_completed", "usage", "tokens"),
    "no-title": change("agent_completed", lambda event: [source.pop("title") for source in event["sources"]]),
    "no-query": without("tool_executing", "query"),
    "answer-number": put("agent_completed", 7, "answer"), "usage-text": put("agent_completed", "12", "usage"),
    "tokens-text": put("agent_completed", "12", "usage", "tokens"), "sources-object": put("agent_completed", {"a": 1}, "sources"),
    "hits-text": put("tool_completed", "3", "hits"), "cached-text": put("agent_completed", "no", "cached"),
    "model-null": put("agent_started", None, "model"), "source-text": put("agent_completed", ["a"], "sources"),
    "close-at-once": then("welcome", CLOSE), "close-in-run": then("agent_started", CLOSE), "close-at-end": then("agent_completed", CLOSE),
    "abort-in-run": then("tool_executing", ABORT), "abort-tokens": then("token", ABORT),
    "late-start": then("agent_started", WAIT, before=True), "late-end": then("agent_started", WAIT, before=True),
    "an-error-more": then("agent_thinking", message("agent_error", run_id="r", text="oops")),
    "renamed": instead("agent_thinking", lambda event: {**event, "type": "agent_thinks"}),
    "binary": instead("agent_completed", lambda event: (BINARY, event)), "no-json": instead("agent_thinking", lambda event: (TEXT, event)),
}
SAMPLE = ["drop-thinking", "drop-completed", "twice-thinking", "completed-before-tokens", "tool-completed-first", "no-conversation-id", "no-tokens",
          "sources-object", "close-in-run", "abort-in-run", "late-start", "an-error-more", "binary"]
# What the explanation must say.
WORDS = {"drop-thinking": "agent_thinking", "no-tokens": "/usage/tokens", "sources-object": "/sources is an object, not an array", "late-start": "took",
         "an-error-more": "agent_error", "close-in-run": "closed", "abort-in-run": "cut the connection", "no-conversation-id": "/conversation/id",
         "binary": "binary, not text"}


async def send(socket, events):
    for event in events:
        await asyncio.sleep(chance.random() * 0.004)
        if event == CLOSE:
            await socket.close(1011, "oops")
            return
        if event == ABORT:
            socket.transport.abort()
            return
        if event == WAIT:
            await asyncio.sleep(1.5)
        elif isinstance(event, tuple):
            await socket.send(json.dumps(event[1]).encode() if event[0] == BINARY else "oops")
        else:
            await socket.send(json.dumps(event))
        if chance.random() < 0.05:
            await socket.send(json.dumps(message("heartbeat")))


async def serve(socket, path):
    mutate = MUTANTS.get(path.partition("m=")[2], lambda events: events)
    conversation = f"conv_{uuid.uuid4().hex[:12]}"
    try:
        await send(socket, mutate(welcome(conversation)))
        async for text in socket:
            asked = json.loads(text)
            if asked["conversation_id"] != conversation:
                await socket.close(4003, "another conversation")
                return
            await send(socket, mutate(answer(asked["text"])))
    except websockets.ConnectionClosed:
        pass


# ---- Recording and replaying ----

async def record(port, path, sessions):
    with open(path, "w") as out:
        for number in range(sessions):
            def write(**fields):
                out.write(json.dumps({"ts": time.time_ns(), "source": "proxy", "session": f"c{number + 1}", **fields}) + "\n")

            async with websockets.connect(f"ws://127.0.0.1:{port}/chat") as socket:
                write(kind="ws.open", attrs={"url": f"ws://127.0.0.1:{port}/chat", "status": 101})

                async def hear(until):
                    while True:
                        text = await socket.recv()
                        write(kind="ws.message", direction="server", body=text)
                        if json.loads(text)["type"] == until:
                            return json.loads(text)
                hello = await hear("welcome")
                for question in ("where is my order", "thanks, and when"):
                    text = json.dumps({"type": "ask", "conversation_id": hello["conversation"]["id"], "text": question})
                    await socket.send(text)
                    write(kind="ws.message", direction="client", body=text)
                    await hear("agent_completed")
            write(kind="ws.close", direction="client", attrs={"code": 1000})


async def replay(work, port, name, gate):
    # Only what is about time has a budget: the machine may be busy.
    budget = ["--max-slowdown", "5x"] if name.startswith("late") else []
    async with gate:
        done = await asyncio.create_subprocess_exec(
            options.inquest, "replay", work / "golden.seg", "--session", "s1", "--target", f"ws://127.0.0.1:{port}/chat?m={name}", "--run", work / name,
            "--timeout", "3s", *budget, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said = (await done.communicate())[0].decode()
    return done.returncode, said


async def main(work, tap):
    names = list(MUTANTS) if options.all else SAMPLE
    healthy = [f"healthy-{number}" for number in range(options.healthy)]
    gate = asyncio.Semaphore(6)
    async with websockets.serve(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await record(port, work / "golden.ndjson", 8)
        subprocess.run([options.inquest, "ingest", work / "golden.ndjson", "--store", work / "case"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([options.inquest, "export", work / "case", "--format", "segment", "--output", work / "golden.seg"], check=True,
                       stdout=subprocess.DEVNULL)
        for name, (status, said) in zip(names + healthy, await asyncio.gather(*(replay(work, port, name, gate) for name in names + healthy))):
            if name in healthy:
                tap.point(status == 0, f"seed {options.seed}: {name}: no false alarm", said)
            else:
                tap.point(status == 1 and WORDS.get(name, "") in said, f"seed {options.seed}: {name} is caught", f"exit {status}\n{said}")


tap = Tap()
with tempfile.TemporaryDirectory(prefix="inquest-mutants-") as work:
    asyncio.run(main(pathlib.Path(work), tap))
tap.end()
