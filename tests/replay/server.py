#!/usr/bin/python3
"""An agent chat for the replay tests. It prints the port it listens on; the path says how it behaves.

It closes with 4000 when the client does not wait for its turn, so a driver that only sends fails.
"""
import asyncio
import http
import json
import sys

import websockets


def message(kind, **fields):
    return json.dumps({"type": kind, **fields})


async def expect(socket, kind):
    answer = json.loads(await socket.recv())
    if answer["type"] != kind:
        await socket.close(4000, f"{answer['type']} before its turn")
        raise websockets.ConnectionClosedOK(None, None)


async def chat(socket):
    await asyncio.sleep(0.05)
    await socket.send(message("welcome"))
    await expect(socket, "ask")
    await socket.send(message("agent_started", run_id="r1"))
    try:
        early = await asyncio.wait_for(socket.recv(), 0.1)
        await socket.close(4000, f"{early} before its turn")
        return
    except asyncio.TimeoutError:
        pass
    await socket.send(message("tool_completed", run_id="r1"))
    await expect(socket, "confirm")
    await socket.send(message("agent_completed", run_id="r1"))
    await socket.wait_closed()


async def stall(socket):
    await socket.send(message("welcome"))
    await expect(socket, "ask")
    await socket.wait_closed()


async def chatter(socket):
    """As stall, while what nobody waits for keeps coming."""
    await socket.send(message("welcome"))
    for _ in range(400):
        await socket.send(message("heartbeat"))
        await asyncio.sleep(0.05)


async def cut(socket):
    await socket.send(message("welcome"))
    await expect(socket, "ask")
    socket.transport.abort()


async def close(socket):
    await socket.send(message("welcome"))
    await expect(socket, "ask")
    await socket.close(4001, "go \x1b[31maway")


async def opcodes(socket):
    """Echoes each message with its opcode."""
    async for body in socket:
        await socket.send(message("binary" if isinstance(body, bytes) else "text"))
        await socket.send(body)


BEHAVIOURS = {"/chat": chat, "/stall": stall, "/chatter": chatter, "/cut": cut, "/close": close, "/opcodes": opcodes}


async def serve(socket, path):
    try:
        await BEHAVIOURS[path.split("?")[0]](socket)
    except websockets.ConnectionClosed:
        pass


async def refuse_unknown(path, _headers):
    return None if path.split("?")[0] in BEHAVIOURS else (http.HTTPStatus.NOT_FOUND, [], b"")


async def main():
    async with websockets.serve(serve, "127.0.0.1", 0, process_request=refuse_unknown, subprotocols=["chat.v1"]) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        # The test holds the other end of stdin: when it is gone, so are we.
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
