#!/usr/bin/python3
"""Ingests that are stopped and go on, files that change between two, the progress bar, as TAP: ingest_runs.py INQUEST"""
import fcntl
import gzip
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from tap import Tap

INQUEST = pathlib.Path(sys.argv[1]).resolve()
FIONREAD = struct.Struct("i")
tap = Tap()


def inquest(*words, **options):
    return subprocess.run([INQUEST, *map(str, words)], capture_output=True, text=True, timeout=60, **options)


def records(first, count):
    return "".join(f'{{"ts":{1795403232000 + i},"kind":"log","source":"api","body":"line {i}"}}\n' for i in range(first, first + count))


def rows(store):
    """Every event with its number, and the evidence."""
    query = "SELECT id, ts, body, evidence, offset, length FROM events ORDER BY id"
    return [inquest("sql", store, query, "--format", "json").stdout,
            inquest("sql", store, "SELECT id, bytes, accounted, records, gaps, sha256 FROM evidence", "--format", "json").stdout]


def outcome(done):
    """What the last column of the only row says."""
    return re.split(r"  +", done.stdout.splitlines()[1])[-1] if done.stdout else ""


def has_read_everything(process, pipe):
    """It waits for more than it was given."""
    unread = FIONREAD.unpack(fcntl.ioctl(pipe, termios.FIONREAD, bytes(FIONREAD.size)))[0]
    state = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    return unread == 0 and state == "S"


def interrupt(work, signal_number, text):
    """An ingest of a pipe that gets `text`, and then the signal."""
    pipe_out, pipe_in = os.pipe()
    process = subprocess.Popen([INQUEST, "ingest", "-", "--source", "api", "--store", work / "pipe"], stdin=pipe_out,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    os.write(pipe_in, text.encode())
    while not has_read_everything(process, pipe_out):
        pass
    process.send_signal(signal_number)
    # A read that comes after the signal's handler waits until the pipe ends.
    os.close(pipe_out)
    os.close(pipe_in)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_signals(work):
    text = records(0, 400)
    whole = work / "api.ndjson"
    whole.write_text(text)
    inquest("ingest", whole, "--store", work / "whole")
    for signal_number, name in ((signal.SIGINT, "SIGINT"), (signal.SIGTERM, "SIGTERM")):
        shutil.rmtree(work / "pipe", ignore_errors=True)
        status, out, err = interrupt(work, signal_number, text[:9000])
        tap.point(status == 3 and "run the same command again to go on" in err, f"{name} says how to go on", (status, out, err))
        taken = len(json.loads(rows(work / "pipe")[0]))
        tap.point(0 < taken < 400, f"{name} keeps what was read", taken)
        gaps = inquest("sql", work / "pipe", "SELECT reason FROM gaps", "--format", "csv").stdout
        tap.point("interrupted" in gaps, "what is missing is a gap", gaps)
        done = inquest("ingest", "-", "--source", "api", "--store", work / "pipe", input=text)
        tap.point(done.returncode == 0 and outcome(done) == "continued", f"the same goes on after {name}", done)
        tap.point(rows(work / "pipe") == rows(work / "whole"), "nothing is lost and nothing is there twice", rows(work / "pipe")[1])
    shutil.rmtree(work / "pipe")
    status, out, err = interrupt(work, signal.SIGKILL, text[:9000])
    done = inquest("ingest", "-", "--source", "api", "--store", work / "pipe", input=text)
    tap.point(status == -signal.SIGKILL and done.returncode == 0 and rows(work / "pipe") == rows(work / "whole"),
          "a killed ingest leaves a store that the next one fills", done)


def test_files(work):
    """One log through its life: cut line, grown, rotated, compressed, copied, truncated."""
    store, log = work / "case", work / "app.ndjson"
    text = records(0, 100)

    def ingest(path):
        return inquest("ingest", path, "--store", store)

    log.write_text(text[:1000])
    done = ingest(log)
    tap.point(done.returncode == 3 and "cut off in the middle" in done.stderr, "a line that is cut off is told", done)
    log.write_text(text)
    done = ingest(log)
    tap.point(done.returncode == 0 and outcome(done) == "continued", "a file that has grown continues", done)
    gaps = inquest("sql", store, "SELECT count(*) FROM gaps", "--format", "csv").stdout.split()[-1]
    tap.point(gaps == "0", "the line that was cut off is whole now", gaps)
    rotated = work / "app.ndjson.1"
    log.rename(rotated)
    log.write_text(records(500, 3))
    tap.point(outcome(ingest(rotated)) == "known already", "a rotated file is known")
    tap.point(outcome(ingest(log)) == "taken in", "its successor is new")
    packed = work / "app.ndjson.1.gz"
    packed.write_bytes(gzip.compress((text + records(100, 5)).encode()))
    tap.point(outcome(ingest(packed)) == "continued", "compressed and grown, it continues")
    log.write_text(text[:2000])
    tap.point(outcome(ingest(log)) == "known, was longer", "a file that lost its end is told")
    log.write_text(text.replace("line 50", "line L0"))
    tap.point(outcome(ingest(log)) == "taken in", "a file that was changed is new evidence")
    counts = inquest("sql", store, "SELECT records FROM evidence ORDER BY id", "--format", "csv").stdout.split()[1:]
    tap.point(counts == ["105", "3", "100"], "each record is there once", counts)
    done = inquest("export", store, "--format", "raw", "--output", work / "out")
    sizes = sorted(path.read_text() for path in (work / "out").rglob("*") if path.is_file())
    tap.point(sorted([text + records(100, 5), records(500, 3), text.replace("line 50", "line L0")]) == sizes,
          "export gives every byte back", done)
    done = inquest("store", "verify", store)
    tap.point(done.returncode == 0, "the store is intact", done.stdout)
    done = inquest("store", "compact", store)
    counts = inquest("sql", store, "SELECT records FROM evidence ORDER BY id", "--format", "csv").stdout.split()[1:]
    tap.point(done.returncode == 0 and counts == ["105", "3", "100"] and outcome(ingest(rotated)) == "known, was longer",
          "compacted, it is still known", (done, counts))


def test_dropped(work):
    """What retention removed does not come back, and the log goes on."""
    store, log = work / "case", work / "app.ndjson"
    text = records(0, 100)
    log.write_text(text[:3010])
    inquest("ingest", log, "--store", store)
    done = inquest("store", "drop", store, "--before", "2030-01-01T00:00:00Z")
    tap.point(done.returncode == 0, "all of it is dropped", done)
    log.write_text(text)
    done = inquest("ingest", log, "--store", store)
    first = inquest("sql", store, "SELECT min(offset), max(offset + length) FROM events", "--format", "csv").stdout.split()[-1]
    tap.point(outcome(done) == "continued" and first == f"{text[:3010].rindex(chr(10)) + 1},{len(text)}",
          "a file whose beginning was dropped continues with its unfinished line", (done, first))
    done = inquest("store", "verify", store)
    tap.point(done.returncode == 0, "the store is intact", done.stdout)


def on_terminal(environment, *words):
    """stderr of a run whose stderr is a terminal."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 90, 0, 0))
    process = subprocess.Popen([INQUEST, *map(str, words)], stdout=subprocess.DEVNULL, stderr=slave, env={**os.environ, **environment})
    os.close(slave)
    written = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:
            break
        if not piece:
            break
        written += piece
    process.wait()
    os.close(master)
    return written.decode()


def has_terminals():
    """A container or chroot may have no devpts."""
    try:
        for end in pty.openpty():
            os.close(end)
    except OSError:
        return False
    return True


def test_progress(work):
    log = work / "progress.ndjson"
    log.write_text(records(0, 5000))
    if has_terminals():
        test_bar(work, log)
    else:
        tap.point(True, "a bar on a terminal # SKIP no pseudo-terminals here")
    done = inquest("ingest", log, "--store", work / "quiet")
    tap.point(done.stderr == "", "none off a terminal", done.stderr)


def test_bar(work, log):
    shown = on_terminal({"TERM": "xterm", "NO_COLOR": "1"}, "ingest", log, "--store", work / "shown")
    tap.point(re.match(r"\r\[#*-*\] +\d+%  [0-9.]+ k?B of \d+ kB.*progress\.ndjson\x1b\[K", shown) and "\x1b[3" not in shown,
          "a bar on a terminal, without colour if so wished", repr(shown))
    tap.point(shown.endswith("\r\x1b[K"), "it is gone at the end", repr(shown))
    shown = on_terminal({"TERM": "xterm", "NO_COLOR": ""}, "ingest", log, "--store", work / "coloured")
    tap.point("\x1b[32m" in shown, "in colour otherwise", repr(shown))
    shown = on_terminal({"TERM": "dumb"}, "ingest", log, "--store", work / "dumb")
    tap.point(shown == "", "none where the terminal cannot", repr(shown))


def peak_memory(work, name, write):
    """The peak of an ingest of what `write` writes, in KiB."""
    path = work / name
    with open(path, "w") as file:
        write(file)
    process = subprocess.Popen([INQUEST, "ingest", path, "--store", work / (name + ".store")], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    path.unlink()
    return usage.ru_maxrss if os.waitstatus_to_exitcode(status) in (0, 3) else sys.maxsize


def many_sessions(file):
    """More than are kept in memory, and the first ones again."""
    for i in (*range(150000), *range(1000)):
        file.write(f'{{"ts":{1795403232000 + i},"kind":"ws.message","source":"p","session":"connection-{i * 2654435761:032x}"}}\n')


def long_lines(file):
    for i in range(2):
        file.write(f'{{"ts":{i},"kind":"log","body":"')
        for piece in range(64):
            file.write(f"{piece:x}" * (1 << 19))
        file.write('"}\n')


def large_entry(file):
    """One WebSocket with more messages than a person can read."""
    file.write('{"log":{"version":"1.2","entries":[{"startedDateTime":"2026-11-23T03:07:01.000Z","request":{"url":"ws://h/1"},'
               '"response":{"status":101},"_webSocketMessages":[')
    for i in range(30000):
        file.write(f'{"," if i else ""}{{"type":"send","time":1795403232.5,"opcode":1,"data":"{i} {"x" * 1000}"}}')
    file.write("]}]}}")


def test_memory(work):
    limit = 256 << 10
    instrumented = b"__asan_init" in INQUEST.read_bytes()
    for write in (many_sessions, long_lines, large_entry):
        peak = peak_memory(work, write.__name__, write)
        tap.point(peak < limit or (instrumented and peak != sys.maxsize), f"{write.__name__}: within 256 MiB", f"{peak} KiB")
    query = "SELECT count(*), min(events), max(events), sum(events) FROM sessions"
    counts = inquest("sql", work / "many_sessions.store", query, "--format", "csv").stdout.split()[-1]
    tap.point(counts == "150000,1,2,151000", "a session that comes again is the same one", counts)


with tempfile.TemporaryDirectory(prefix="inquest-runs-") as directory:
    for test in (test_signals, test_files, test_dropped, test_progress, test_memory):
        place = pathlib.Path(directory) / test.__name__
        place.mkdir()
        test(place)
tap.end()
