#!/usr/bin/python3
"""Journals of journald, as TAP: journal.py INQUEST

They are made by systemd-journal-remote from the export format; what journalctl writes of them is what has to come out."""
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from tap import Tap

INQUEST = pathlib.Path(sys.argv[1]).resolve()
MAKERS = ("/lib/systemd/systemd-journal-remote", "/usr/lib/systemd/systemd-journal-remote")
BOOTS = ("6c7c6013a26343b29e964691ff25d04c", "0123456789abcdef0123456789abcdef")
START, COUNT = 1795480000000000, 400
OBJECT_ENTRY = 3
tap = Tap()


def inquest(*words, **options):
    return subprocess.run([INQUEST, *map(str, words)], capture_output=True, text=True, timeout=60, **options)


def events(store):
    columns = "ts, observed, source, type, key, seq, severity, body, attrs, offset, length"
    return json.loads(inquest("sql", store, f"SELECT {columns} FROM events ORDER BY id", "--format", "json").stdout)


def entry(number):
    """Texts, binary values, pieces that belong together, two boots, fields that repeat."""
    fields = [("__REALTIME_TIMESTAMP", str(START + number * 1000)), ("__MONOTONIC_TIMESTAMP", str(number * 1000)),
              ("_BOOT_ID", BOOTS[number < COUNT // 2]), ("PRIORITY", str(number % 8)), ("_HOSTNAME", "web1")]
    if number % 4:
        fields += [("_SYSTEMD_UNIT", f"chat{number % 3}.service"), ("MESSAGE", (f"line {number}", f"two\nlines {number}", f"an \u00e4 {number}")[number % 3])]
    else:
        fields += [("CONTAINER_NAME", "chat-backend-1"), ("CONTAINER_ID_FULL", "4f" * 32), ("MESSAGE", f"piece {number}")]
        fields += [("CONTAINER_PARTIAL_MESSAGE", "true")] * (number % 8 == 0)
    data = b""
    for name, value in fields:
        value = value.encode()
        data += name.encode() + (b"\n" + struct.pack("<Q", len(value)) if b"\n" in value else b"=") + value + b"\n"
    return data + b"\n"


def make(path, numbers):
    source = path.with_suffix(".export")
    source.write_bytes(b"".join(map(entry, numbers)))
    maker = next(maker for maker in MAKERS if os.path.exists(maker))
    subprocess.run([maker, "-o", path, source], check=True, capture_output=True)
    source.unlink()
    return path


def exported(path):
    return subprocess.run(["journalctl", "--file", path, "-o", "export"], check=True, capture_output=True).stdout


def entries_of(data):
    """Where the entries lie in the file (https://systemd.io/JOURNAL_FILE_FORMAT/)."""
    at, = struct.unpack_from("<Q", data, 88)
    tail, = struct.unpack_from("<Q", data, 136)
    found = []
    while at <= tail:
        if data[at] == OBJECT_ENTRY:
            found.append(at)
        at = at + struct.unpack_from("<Q", data, at + 8)[0] + 7 & ~7
    return found


def test_whole(work, journal):
    text = work / "export"
    text.write_bytes(exported(journal))
    direct, by_text = work / "direct", work / "by-text"
    done = inquest("ingest", journal, "--store", direct)
    inquest("ingest", text, "--store", by_text)
    have, want = events(direct), events(by_text)
    tap.point(done.returncode == 0 and len(want) == COUNT - COUNT // 8 and have == want, "the same events as from journalctl -o export", (done.stderr, len(have), len(want)))
    raw = work / "raw"
    inquest("export", direct, "--format", "raw", "--output", raw)
    tap.point([path.read_bytes() for path in raw.rglob("*") if path.is_file()] == [text.read_bytes()], "the evidence is that stream, byte for byte")
    numbers = [event["seq"] for event in have]
    tap.point(max(numbers) == COUNT and len(set(numbers)) == len(numbers), "entries have their number in the journal", numbers[-3:])
    tap.point({json.loads(event["attrs"])["_BOOT_ID"] for event in have} == set(BOOTS), "and their boot")
    tap.point(any(event["body"] == "piece 8piece 12" and event["source"] == "chat-backend-1" for event in have), "pieces of a container's line are one event")
    tap.point(inquest("store", "verify", direct).returncode == 0, "store verify proves it again")
    return direct


def test_known(work, journal, store):
    """However it comes, it is known."""
    with tarfile.open(work / "logs.tar.xz", "w:xz") as tar:
        tar.add(journal, "var/log/journal/0123/system.journal")
    subprocess.run(["gzip", "-k", journal], check=True)
    for path in work / "logs.tar.xz", journal.with_suffix(".journal.gz"), work / "export":
        done = inquest("ingest", path, "--store", store)
        tap.point(done.returncode == 0 and "0 taken in, 1 known already" in done.stdout, f"{path.name}: known already", done.stdout + done.stderr)
    with open(journal, "rb") as file:
        done = inquest("ingest", "-", "--store", store, stdin=file)
    tap.point("0 taken in, 1 known already" in done.stdout, "from a pipe: known already", done.stdout + done.stderr)


def test_directory(work):
    """As journald names them: the one that is written last comes last."""
    place = work / "journal" / "0123456789abcdef0123456789abcdef"
    place.mkdir(parents=True)
    make(place / f"system@{'ab' * 16}-{1:016x}-{START:016x}.journal", range(3))
    make(place / "system.journal", range(6, 9))
    make(place / f"system@{START + 3000:016x}-{'cd' * 8}.journal", range(3, 6))
    (place / f"system@{START + 3000:016x}-{'cd' * 8}.journal").rename(place / f"system@{START + 3000:016x}-{'cd' * 8}.journal~")
    done = inquest("ingest", work / "journal", "--store", work / "of-directory")
    paths = [line.split("  ")[0] for line in done.stdout.splitlines()[1:4]]
    tap.point(done.returncode == 0 and [path[-8:] for path in paths] == [".journal", "journal~", ".journal"] and paths[2].endswith("/system.journal") and
              len(events(work / "of-directory")) == 8, "a directory of journals, in their order", done.stdout + done.stderr)


def test_growing(work):
    journal, store = make(work / "growing.journal", range(50)), work / "grown"
    inquest("ingest", journal, "--store", store)
    journal.unlink()
    make(journal, range(50))
    maker = next(maker for maker in MAKERS if os.path.exists(maker))
    subprocess.run([maker, "-o", journal, "-"], input=b"".join(map(entry, range(50, 90))), check=True, capture_output=True)
    done = inquest("ingest", journal, "--store", work / "grown-2")
    before = len(events(work / "grown-2"))
    subprocess.run([maker, "-o", journal, "-"], input=b"".join(map(entry, range(90, 120))), check=True, capture_output=True)
    done = inquest("ingest", journal, "--store", work / "grown-2")
    tap.point("continued" in done.stdout and len(events(work / "grown-2")) == before + 30 - 4, "a journal that has grown goes on", done.stdout + done.stderr)


def test_damaged(work, journal):
    data = journal.read_bytes()
    places = entries_of(data)
    torn = bytearray(data)
    torn[places[100] + 1:places[100] + 60] = b"\xff" * 59
    torn[places[300] + 1:places[300] + 60] = b"\xff" * 59
    for name, bytes_, least in ("torn", torn, COUNT - 2), ("cut", data[:places[200]], 190), ("cut in its header", data[:150], 0), ("trimmed", data[:(places[-1] + 4096)], COUNT):
        path, store = work / f"{name}.journal", work / name
        path.write_bytes(bytes_)
        done = inquest("ingest", path, "--store", store)
        count = sum(event["body"].count("line") + event["body"].count("piece") + event["body"].count("an ä") for event in events(store)) if least else 0
        whole = least == COUNT
        said = done.returncode == (0 if whole else 3) and (whole or ("entries could be read" if least else "within its header") in done.stderr)
        tap.point(said and (count == COUNT if whole else least <= count < COUNT or not least), f"{name}: what can be read is there, and what cannot is said", (count, done.stderr))
        sizes = inquest("sql", store, "SELECT bytes - accounted AS missing FROM evidence", "--format", "csv").stdout.split()[1:] if least else ["0"]
        tap.point(sizes == ["0"], f"{name}: every byte is accounted for", sizes)


def test_hostile(work, journal):
    """Nothing that is in a journal stops inquest, or closes files of others."""
    generator = random.Random(7)
    data = journal.read_bytes()
    bad = []
    for number in range(12):
        torn = bytearray(data)
        for _ in range(1 << number):
            torn[generator.randrange(8, len(data) // 8 if number % 2 else len(data))] ^= 1 << generator.randrange(8)
        path = work / f"hostile-{number}.journal"
        path.write_bytes(torn)
        done = inquest("ingest", path, "--store", work / f"hostile-{number}")
        if done.returncode not in (0, 3) or inquest("store", "verify", work / f"hostile-{number}").returncode not in (0, 4):
            bad.append((number, done.returncode, done.stderr))
    tap.point(not bad, "flipped bits: exit 0 or 3", bad)


def main():
    missing = [name for name, there in (("systemd-journal-remote", any(map(os.path.exists, MAKERS))), ("journalctl", shutil.which("journalctl"))) if not there]
    if missing:
        tap.point(os.environ.get("CI") != "true", f"journals # SKIP {', '.join(missing)} is not here")
        tap.end()
    with tempfile.TemporaryDirectory(prefix="iq-journal-", dir="/tmp") as work:
        work = pathlib.Path(work)
        journal = make(work / "system.journal", range(COUNT))
        store = test_whole(work, journal)
        test_known(work, journal, store)
        test_directory(work)
        test_growing(work)
        test_damaged(work, journal)
        test_hostile(work, journal)
    tap.end()


main()
