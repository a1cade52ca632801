#!/usr/bin/python3
"""A small agent chat over WebSocket: each user_message starts a run, whose events stream back.

    chat_server.py [--port N] [--name backend-1] [--fault NAME] [--fault-after N] [--max-seconds N]

The first line on standard output is `listening ws://127.0.0.1:PORT/chat`. Faults: missing-tool-completed (the tool worker hangs
and the run goes on without it), out-of-order (a tool's completion overtakes its start), stall (nothing more is said), cut (the
connection is torn down in the middle of a run). Log lines go to standard output as JSON and to standard error as text.
"""
import argparse
import asyncio
import itertools
import json
import os
import sys

import websockets

FAULTS = ("none", "missing-tool-completed", "out-of-order", "stall", "cut")
arguments = argparse.ArgumentParser()
arguments.add_argument("--port", type=int, default=0)
arguments.add_argument("--name", default="backend")
arguments.add_argument("--fault", choices=FAULTS, default="none")
arguments.add_argument("--fault-after", type=int, default=0, help="runs that go well first")
arguments.add_argument("--pace", type=float, default=0.02, help="seconds between two events")
arguments.add_argument("--max-seconds", type=float, default=120)
options = arguments.parse_args()
runs = itertools.count(1)


def log(level, event, **fields):
    print(json.dumps({"level": level, "event": event, "server": options.name, **fields}), flush=True)


def run_events(run, tool, text, fault):
    """The events of one run, in the order in which they are sent."""
    executing = {"type": "tool_executing", "run_id": run, "tool_id": tool, "tool": "search", "query": text}
    completed = {"type": "tool_completed", "run_id": run, "tool_id": tool, "hits": 3}
    middle = [executing, completed]
    if fault == "missing-tool-completed":
        middle = [executing]
    elif fault == "out-of-order":
        middle = [completed, executing]
    return [
        {"type": "agent_started", "run_id": run, "model": "small-1"},
        {"type": "agent_thinking", "run_id": run, "text": "looking that up"},
        *middle,
        {"type": "agent_completed", "run_id": run, "text": "Here is what I found about: " + text},
    ]


async def answer(socket, message):
    number = next(runs)
    fault = options.fault if number > options.fault_after else "none"
    # A client may ask for a fault of its own, which is how a mixed recording is made.
    fault = message.get("fault", fault)
    run, tool = f"run-{options.name}-{number}", f"tool-{options.name}-{number}"
    log("info", "run_accepted", run_id=run)
    for event in run_events(run, tool, message.get("text", ""), fault):
        await asyncio.sleep(options.pace)
        if event["type"] == "tool_executing" and fault == "stall":
            log("warning", "tool_worker_hangs", run_id=run, tool_id=tool)
            return
        await socket.send(json.dumps(event))
        if event["type"] == "tool_executing" and fault == "missing-tool-completed":
            log("error", "tool_worker_timeout", run_id=run, tool_id=tool)
            print(f"ERROR tool worker gave no answer for {tool}", file=sys.stderr, flush=True)
        if event["type"] == "tool_executing" and fault == "cut":
            socket.transport.abort()
            return
    log("info", "run_finished", run_id=run)


async def serve(socket, *_):
    log("info", "client_connected")
    try:
        async for text in socket:
            message = json.loads(text)
            if message.get("type") == "user_message":
                await answer(socket, message)
    except (websockets.ConnectionClosed, json.JSONDecodeError) as problem:
        log("warning", "client_lost", reason=str(problem))
    log("info", "client_gone")


async def main():
    server = await websockets.serve(serve, "127.0.0.1", options.port)
    port = server.sockets[0].getsockname()[1]
    print(f"listening ws://127.0.0.1:{port}/chat", flush=True)
    await asyncio.sleep(options.max_seconds)


try:
    asyncio.run(main())
except KeyboardInterrupt:
    os._exit(0)
