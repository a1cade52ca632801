"""Frames what a program prints as Docker's json-file driver does: an object a line, with the time at which it was read.

Lines longer than 16 KiB are split into parts, the escapes are those of Go's JSON encoder and the time has no trailing zeros,
so that what comes out is what `/var/lib/docker/containers/ID/ID-json.log` would hold."""
import json
import os
import re
import subprocess
import threading
import time

PART = 16384
GO = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029", "\x7f": "\x7f"})
PLAIN = re.compile(rb'^[ !#-%\'-;=?-\[\]-~\n]*$')


class Clock:
    """RFC 3339 with nanoseconds; the part down to the second is made once a second."""
    def __init__(self):
        self.second, self.text = None, ""

    def stamp(self, ns):
        second, fraction = divmod(ns, 1_000_000_000)
        if second != self.second:
            self.second, self.text = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        digits = f".{fraction:09d}".rstrip("0")
        return f"{self.text}{digits if digits != '.' else ''}Z"


def quoted(line):
    if PLAIN.match(line):
        return '"' + line[:-1].decode() + '\\n"' if line.endswith(b"\n") else '"' + line.decode() + '"'
    return json.dumps(line.decode("utf-8", "replace"), ensure_ascii=False).translate(GO)


def parts(line):
    return [line] if len(line) <= PART else [line[at:at + PART] for at in range(0, len(line), PART)]


class Container:
    """A program and the log of its container; `limit` bytes, then its output is read but not kept."""
    def __init__(self, path, command, limit, **popen):
        self.path, self.limit, self.written, self.clock = path, limit, 0, Clock()
        self.lock, self.file = threading.Lock(), open(path, "w", encoding="utf-8")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, **popen)
        self.readers = [threading.Thread(target=self.copy, args=(pipe, name), daemon=True)
                        for pipe, name in ((self.process.stdout, "stdout"), (self.process.stderr, "stderr"))]
        for reader in self.readers:
            reader.start()

    def copy(self, pipe, stream):
        for line in pipe:
            if self.full():
                continue
            for part in parts(line):
                record = f'{{"log":{quoted(part)},"stream":"{stream}","time":"{self.clock.stamp(time.time_ns())}"}}\n'
                with self.lock:
                    self.file.write(record)
                    self.written += len(record)

    def full(self):
        return self.written >= self.limit

    def stop(self):
        self.process.terminate()
        self.process.wait()
        for reader in self.readers:
            reader.join()
        self.file.close()


def parallel(count, work):
    """Runs work(0) to work(count - 1), a thread each."""
    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def program(name, *places):
    """Where a program is that may not be in PATH; None if nowhere."""
    for place in [*os.environ["PATH"].split(os.pathsep), "/usr/sbin", *places]:
        if os.access(os.path.join(place, name), os.X_OK):
            return os.path.join(place, name)
    return None
