#!/usr/bin/python3
"""A WebSocket tap: relays 127.0.0.1:PORT to an upstream server and writes what passes as NDJSON events (docs/events.md).

    tap.py OUTPUT ROUTE...        ROUTE is PORT=ws://HOST:PORT/PATH; port 0: any, which is printed
"""
import asyncio
import datetime
import itertools
import json
import sys

import websockets

sessions = itertools.count(1)


class Recorder:
    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8")

    def write(self, session, kind, **fields):
        now = datetime.datetime.now(datetime.timezone.utc)
        record = {"ts": now.isoformat().replace("+00:00", "Z"), "source": "proxy", "session": session, "kind": kind, **fields}
        self.file.write(json.dumps(record, separators=(",", ":")) + "\n")
        self.file.flush()


async def relay(recorder, session, reader, writer, direction):
    """Passes messages on; True when the reader's side sent a close frame."""
    try:
        async for message in reader:
            recorder.write(session, "ws.message", direction=direction, body=message)
            await writer.send(message)
    except websockets.ConnectionClosedError as problem:
        if problem.rcvd is None:
            recorder.write(session, "net.error", type="cut", direction=direction, attrs={"error": "the connection ended without a close frame"})
            await writer.close(1011)
            return
    if reader.close_rcvd is not None and reader.close_rcvd_then_sent:
        recorder.write(session, "ws.close", direction=direction,
                       attrs={"code": reader.close_rcvd.code, "reason": reader.close_rcvd.reason})
    await writer.close()


async def serve(recorder, upstream, client, *_):
    session = f"c{next(sessions)}"
    try:
        server = await websockets.connect(upstream)
    except OSError as problem:
        recorder.write(session, "net.error", type="refused", attrs={"url": upstream, "error": str(problem.strerror)})
        await client.close(1013)
        return
    recorder.write(session, "ws.open", direction="client", attrs={"url": upstream, "status": 101})
    await asyncio.gather(relay(recorder, session, client, server, "client"), relay(recorder, session, server, client, "server"))


async def main():
    recorder = Recorder(sys.argv[1])
    for route in sys.argv[2:]:
        port, upstream = route.split("=", 1)
        server = await websockets.serve(lambda client, *_, upstream=upstream: serve(recorder, upstream, client), "127.0.0.1", int(port))
        print("tapping on", server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
