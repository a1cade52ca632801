#!/usr/bin/python3
"""A chat with a log-in on python3-websockets, whose ids are new each time: peer_server.py [CERTIFICATE KEY] FAULT. Prints its port; ends with its stdin."""
import asyncio
import base64
import http
import json
import secrets
import ssl
import sys

import websockets

FAULT = sys.argv[-1]
TLS = None
if len(sys.argv) > 2:
    TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    TLS.load_cert_chain(sys.argv[1], sys.argv[2])
tokens, cookies = set(), set()


async def process(path, headers):
    # The library knows GET alone; a log-in is read in handle_login().
    if path.startswith("/ws/chat"):
        token = path.partition("token=")[2]
        if token not in tokens or headers.get("Cookie", "").partition("=")[2] not in cookies:
            return http.HTTPStatus.FORBIDDEN, [], b"who are you?\n"
    return None


async def chat(socket, _path):
    room, nonce, member = f"room_{secrets.token_hex(6)}", secrets.token_urlsafe(12) + "7", secrets.token_hex(8)
    state = base64.b64encode(json.dumps({"cursor": secrets.token_hex(6), "page": 2}).encode()).decode()

    async def say(**fields):
        await socket.send(json.dumps(fields))
    await say(type="welcome", data={"room_id": room}, nonce=nonce)
    joined = json.loads(await socket.recv())
    if (joined["room"], joined["nonce"]) != (room, nonce):
        await socket.close(4003, "not my room")
        return
    await say(type="joined", state=state, **({} if FAULT == "no-member" else {"member": {"id": member}}))
    asked = json.loads(await socket.recv())
    if asked["state"] != state or json.loads(asked["arguments"])["member"] != member:
        await socket.close(4003, "not my state")
        return
    run = secrets.token_hex(4)
    await say(type="agent_started", run_id=run)
    if FAULT == "extra":
        await say(type="agent_error", text="oops")
    await say(type="found", hits="3" if FAULT == "text-state" else 3)
    if FAULT != "silent":
        await say(type="agent_completed", run_id=run, answer="there")
    await socket.recv()
    await socket.close(1011 if FAULT == "close-code" else 4000, "bye")


async def handle_login(reader, writer, head):
    length = int(next(line.split(":")[1] for line in head.lower().splitlines() if line.startswith("content-length")))
    good = json.loads(await reader.readexactly(length))["password"] == "correct horse 9 battery"
    token, cookie = secrets.token_urlsafe(24), secrets.token_hex(10)
    tokens.add(token)
    cookies.add(cookie)
    body = json.dumps({"access_token": token} if good else {"error": "no"}).encode()
    writer.write(f"HTTP/1.1 {'200 OK' if good else '401 Unauthorized'}\r\nSet-Cookie: sid={cookie}; HttpOnly\r\nContent-Type: application/json\r\n"
                 f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
    await writer.drain()
    writer.close()


async def front(reader, writer, port):
    """One port for both: log-ins are answered here, everything else goes to the library."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    if head.startswith("POST"):
        await handle_login(reader, writer, head)
        return
    back_reader, back_writer = await asyncio.open_connection("127.0.0.1", port)
    back_writer.write(head.encode())

    async def pump(source, sink):
        try:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        sink.close()
    await asyncio.gather(pump(reader, back_writer), pump(back_reader, writer))


async def main():
    async with websockets.serve(chat, "127.0.0.1", 0, process_request=process) as server:
        port = server.sockets[0].getsockname()[1]
        listener = await asyncio.start_server(lambda reader, writer: front(reader, writer, port), "127.0.0.1", 0, ssl=TLS)
        print(listener.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
