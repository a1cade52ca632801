"""What a tap is tried with: the recorder itself, peers that speak for themselves, and a witness on each side of it.

    with Recorder(inquest, store, {"chat": address}) as recorder:
        ... recorder.ports["chat"] ...
    recorder.events()
"""
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time


class Recorder:
    """`inquest record ws` for some upstreams; at the end it is interrupted, and its exit status is kept."""

    def __init__(self, inquest, store, upstreams, *options, prefix=()):
        self.inquest, self.store, self.upstreams = inquest, store, upstreams
        words = [word for upstream in upstreams.values() for word in ("--map", f"0={upstream}")]
        self.process = subprocess.Popen([*prefix, inquest, "record", "ws", "--store", store, *words, *options], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "TZ": "UTC"})
        self.heard, self.ports = [], {}
        for name in upstreams:
            self.ports[name] = self.read_port()
        self.reader = threading.Thread(target=lambda: self.heard.extend(self.process.stderr), daemon=True)
        self.reader.start()

    def read_port(self):
        """Of the next route that it says it listens for."""
        for line in self.process.stderr:
            self.heard.append(line)
            if found := re.search(r" on \S+:(\d+)$", line):
                return int(found.group(1))
        raise RuntimeError("".join(self.heard))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, with_signal=signal.SIGINT):
        if self.process.returncode is None:
            self.process.send_signal(with_signal)
            self.said = self.process.stdout.read()
            self.process.wait(timeout=60)
            self.process.stdout.close()
        return self.process.returncode

    def events(self, heartbeats=False):
        done = subprocess.run([self.inquest, "export", self.store, "--format", "ndjson"], capture_output=True, text=True, timeout=60)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        return [event for event in events if heartbeats or event.get("type") != "heartbeat"]

    def run(self, *words):
        return subprocess.run([self.inquest, words[0], self.store, *words[1:]], capture_output=True, text=True, timeout=60)


class Relay:
    """A plain relay that keeps what went by in each direction: one stands on each side of the recorder."""

    def __init__(self, port):
        self.port_behind, self.listener = port, socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.sent, self.got = [], []  # bytes of each connection, towards the server and back
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.port_behind))
            sent, got = bytearray(), bytearray()
            self.sent.append(sent)
            self.got.append(got)
            threading.Thread(target=self.copy, args=(client, server, sent), daemon=True).start()
            threading.Thread(target=self.copy, args=(server, client, got), daemon=True).start()

    @staticmethod
    def copy(source, target, kept):
        try:
            while data := source.recv(1 << 16):
                kept += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()
            target.close()

    def close(self):
        self.listener.close()


def wait_for(condition, seconds=10):
    """Looks until it holds; what it said last."""
    until = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < until:
        time.sleep(0.01)
    return value


def talk(port, *lines, end=True, timeout=5):
    """Sends bytes as they are, and gives what came until the other side ended."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as peer:
        for line in lines:
            peer.sendall(line)
        if end:
            peer.shutdown(socket.SHUT_WR)
        got = bytearray()
        try:
            while data := peer.recv(1 << 16):
                got += data
        except OSError:
            pass
        return bytes(got)


class Answers:
    """A server that gives each connection fixed bytes, once it has seen the end of a head, and then ends (or holds) it."""

    def __init__(self, answer, after=b"\r\n\r\n", hold=False):
        self.answer, self.after, self.hold, self.seen = answer, after, hold, []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.held = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        seen = bytearray()
        self.seen.append(seen)
        try:
            while self.after not in seen and (data := peer.recv(1 << 16)):
                seen += data
            peer.sendall(self.answer)
            if self.hold:
                self.held.append(peer)
                while data := peer.recv(1 << 16):
                    seen += data
            peer.close()
        except OSError:
            pass

    def close(self):
        self.listener.close()
