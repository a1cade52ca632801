#!/usr/bin/python3
"""The users behind the proxy: users.py GOOD_URL BAD_URL. Each session is one conversation."""
import asyncio
import json
import sys

import websockets

good, bad = sys.argv[1:3]


async def converse(url, texts, stay=0.05):
    async with websockets.connect(url) as socket:
        for text in texts:
            await socket.send(json.dumps({"type": "user_message", "text": text}))
            async for answer in socket:
                if json.loads(answer)["type"] == "agent_completed":
                    break
        await asyncio.sleep(stay)


async def last_words(url, text):
    """Asks, and never hears the end of it."""
    try:
        async with websockets.connect(url) as socket:
            await socket.send(json.dumps({"type": "user_message", "text": text}))
            async for _ in socket:
                pass
    except websockets.ConnectionClosed:
        pass


async def main():
    await converse(good, ["where is my order", "and the invoice"])
    await converse(bad, ["change my address"])              # still well: the fault begins with the second run
    await converse(good, ["cancel order 12"])
    for text in ("size chart", "gift card", "pick-up point"):
        await converse(bad, [text])                          # tool_completed never comes
    await converse(good, ["newsletter"])
    print("before-kill", flush=True)
    await last_words(bad, "is anybody there")                # the server is killed in the middle of this run
    await last_words(bad, "hello?")                          # and refuses afterwards
    print("after-kill", flush=True)
    await last_words(good, "a long story")                   # still open when the capture ends


asyncio.run(main())
