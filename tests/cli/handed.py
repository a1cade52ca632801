#!/usr/bin/python3
"""Evidence as it is handed over, as TAP: handed.py INQUEST

Directories of Docker and Kubernetes, and archives of them, give the same events; turns of a rotation are one log; what is gone is said;
limits hold."""
import gzip
import io
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from tap import Tap

INQUEST = pathlib.Path(sys.argv[1]).resolve()
ID = "4ff03fd3d012" + "0" * 52
POD = "shop_api-7d9f_0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"
PIECE = "x" * 16384
tap = Tap()


def inquest(*words, **options):
    return subprocess.run([INQUEST, *map(str, words)], capture_output=True, text=True, timeout=60, **options)


def sql(store, query):
    return json.loads(inquest("sql", store, query, "--format", "json").stdout)


def events(store):
    return sql(store, "SELECT ts, source, kind, body, attrs, offset, length FROM events ORDER BY id")


def gaps(store):
    return [gap["reason"] for gap in sql(store, "SELECT reason FROM gaps WHERE count IS NULL OR count > 0 ORDER BY id")]


def docker(text, second, end="\n", stream="stdout"):
    return (json.dumps({"log": text + end, "stream": stream, "time": f"2026-11-23T03:07:{second:02}.5Z"}) + "\n").encode()


def cri(text, second, tag="F", stream="stdout"):
    return f"2026-11-23T03:07:{second:02}.500000000Z {stream} {tag} {text}\n".encode()


def config(started="2026-11-23T03:07:09Z", name="/chat-api-1"):
    labels = {"com.docker.compose.project": "chat", "com.docker.compose.service": "api"}
    return json.dumps({"ID": ID, "Name": name, "State": {"StartedAt": started}, "Config": {"Labels": labels}}).encode()


def docker_files(started="2026-11-23T03:07:09Z"):
    """What lies in /var/lib/docker/containers: a line of three pieces lies across two turns, a line of the other stream between them."""
    log = f"containers/{ID}/{ID}-json.log"
    return {
        log: docker(PIECE, 30, "") + docker("end", 30) + docker("third turn", 31),
        log + ".1": docker("second turn", 20) + docker(PIECE, 30, "") + docker("between", 30, stream="stderr"),
        log + ".2.gz": gzip.compress(docker("first turn", 10), mtime=0),
        f"containers/{ID}/config.v2.json": config(started),
        f"containers/{ID}/hostconfig.json": json.dumps({"LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}}).encode(),
    }


def pod_files():
    log = f"pods/{POD}/api/0.log"
    return {log: cri("rest", 30, "F") + cri("after", 31), log + ".20261123-030725": cri("before", 20) + cri("begin ", 25, "P"),
            log + ".20261123-030710.gz": gzip.compress(cri("earliest", 9), mtime=0)}


def write(root, files):
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)


def tar(files, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def zipped(files, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return out.getvalue()


def without_place(rows):
    """The path of where a text began is another in an archive."""
    text = json.dumps(rows)
    start = text.find('begins_in')
    return text if start < 0 else text[:start] + text[text.index("}", start):]


def test_as_directory(work, what, files, bodies):
    root = work / what
    write(root, files)
    done = inquest("ingest", root, "--store", work / f"{what}.store")
    want = events(work / f"{what}.store")
    tap.point([event["body"] for event in want if event["kind"] == "log"] == bodies, f"{what}: turns are one log, oldest first, and what lies across them is whole",
              ([event["body"][:40] for event in want], done.stdout, done.stderr))
    backwards = dict(reversed(list(files.items())))
    nested = tar({"note.txt": b"2026-11-23T03:00:00Z first\n", "inner.tgz": tar(files, "w:gz")})
    forms = {"tar.gz": tar(files, "w:gz"), "backwards.tar": tar(backwards), "zip": zipped(files), "stored.zip": zipped(backwards, zipfile.ZIP_STORED), "nested.tar": nested}
    for name, data in forms.items():
        path, store = work / f"{what}.{name}", work / f"{what}.{name}.store"
        path.write_bytes(data)
        done = inquest("ingest", path, "--store", store)
        have = [event for event in events(store) if not event["body"].endswith("Z first")]
        tap.point(done.returncode == 0 and without_place(have) == without_place(want), f"{what}: {name} gives what the directory gives", (done.stdout, done.stderr, have, want))
        with open(path, "rb") as file:
            done = subprocess.run([INQUEST, "ingest", "-", "--store", work / f"{what}.{name}.pipe"], stdin=subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE).stdout,
                                  capture_output=True, timeout=60)
        have = [event for event in events(work / f"{what}.{name}.pipe") if not event["body"].endswith("Z first")]
        tap.point(done.returncode == 0 and without_place(have) == without_place(want), f"{what}: {name} from a pipe as well", (done.stdout, done.stderr))
    known = inquest("ingest", work / f"{what}.zip", "--store", work / f"{what}.store")
    tap.point(known.returncode == 0 and " 0 bytes, 0 events" in known.stdout, f"{what}: an archive is known where the directory was taken in", known.stdout + known.stderr)
    return want


def test_docker(work):
    bodies = ["first turn", "second turn", "between", PIECE + PIECE + "end", "third turn"]
    files = docker_files()
    del files[f"containers/{ID}/hostconfig.json"], files[f"containers/{ID}/config.v2.json"]
    want = test_as_directory(work, "docker-bare", files, bodies)
    tap.point({event["source"] for event in want} == {ID[:12]}, "docker: the id is the source where nothing describes the container", want)
    root = work / "docker"
    write(root, docker_files())
    inquest("ingest", root, "--store", work / "docker.store")
    for name, data in (("tar", tar(docker_files())), ("zip", zipped(dict(reversed(list(docker_files().items())))))):
        (work / f"described.{name}").write_bytes(data)
        inquest("ingest", work / f"described.{name}", "--store", work / f"described.{name}.store")
        have = {(event["source"], json.loads(event["attrs"])["service"]) for event in events(work / f"described.{name}.store") if "x-" not in event["source"] and "stream" in (event["attrs"] or "")}
        tap.point(have == {("chat-api-1", "api")}, f"docker: config.v2.json in a {name} names the container, wherever it lies", have)
    accounted = sql(work / "docker.store", "SELECT sum(bytes - accounted) AS missing, count(*) AS files FROM evidence")
    tap.point(accounted[0]["missing"] == 0 and inquest("store", "verify", work / "docker.store").returncode == 0, "docker: every byte is accounted for", accounted)


def test_pods(work):
    want = test_as_directory(work, "pods", pod_files(), ["earliest", "before", "begin rest", "after"])
    tap.point({event["source"] for event in want} == {"api-7d9f/api"} and json.loads(want[0]["attrs"])["namespace"] == "shop", "pods: their names come from the path", want)


def test_rotated_later(work):
    """The log was taken in before it was rotated: its last line, of which the beginning is stored, becomes whole in the next turn."""
    root, store = work / "later", work / "later.store"
    write(root, {"api.log": cri("one", 1) + cri("begin ", 2, "P")})
    inquest("ingest", root, "--store", store)
    (root / "api.log").rename(root / "api.log.1")
    write(root, {"api.log": cri("end", 3) + cri("two", 4)})
    done = inquest("ingest", root, "--store", store)
    tap.point(done.returncode == 0 and [event["body"] for event in events(store)] == ["one", "begin ", "begin end", "two"], "a log that was rotated since goes on", (done.stdout, events(store)))
    root, store = work / "before", work / "before.store"
    write(root, {"api.log": cri("end", 3) + cri("two", 4)})
    inquest("ingest", root, "--store", store)
    write(root, {"api.log.1": cri("one", 1) + cri("begin ", 2, "P")})
    done = inquest("ingest", root, "--store", store)
    tap.point(done.returncode == 3 and "6 bytes of a text that goes on here" in done.stderr, "what can no longer be put together is said", done.stderr)


def test_gone(work):
    """History that is not there any more."""
    cases = {
        "missing turn": ({"api.log": cri("now", 40), "api.log.1": cri("a", 30), "api.log.3": cri("c", 10)}, ["api.log.2 missing: turns of the rotation before and after are there"]),
        "missing turns": ({"api.log": cri("now", 40), "api.log.4.gz": gzip.compress(cri("a", 30))}, ["api.log.3 to .1 missing: turns of the rotation before and after are there"]),
        "no turn missing": ({"api.log": cri("now", 40), "api.log.1": cri("a", 30), "api.log.2": cri("c", 10)}, []),
        "cut gzip": ({"api.log.gz": gzip.compress(b"".join(cri(f"line {os.urandom(20).hex()}", number) for number in range(50)))[:600]},
                     ["gzip data ends too early: the file was cut short"]),
    }
    for name, (files, want) in cases.items():
        write(work / name, files)
        inquest("ingest", work / name, "--store", work / f"{name}.store")
        have = [reason for reason in gaps(work / f"{name}.store") if "cut off in the middle" not in reason]
        some = len(events(work / f"{name}.store"))
        tap.point([reason for reason in have if not reason.startswith("line ")] == want and some > 0, f"gone: {name}", (have, some))
    span = sql(work / "missing turn.store", "SELECT source, ts_min, ts_max FROM gaps")
    tap.point(len(span) == 1 and span[0]["source"] == "api" and span[0]["ts_min"] < span[0]["ts_max"] and span[0]["ts_max"] - span[0]["ts_min"] == 20 * 10**9,
              "gone: a missing turn lies between its neighbours, in the same source", span)


def late(name, work, files):
    write(work / name, files)
    inquest("ingest", work / name, "--store", work / f"{name}.store")
    return [reason for reason in gaps(work / f"{name}.store") if "before its log begins" in reason]


def test_late(work):
    host = f"containers/{ID}/hostconfig.json"
    tap.point(late("in time", work, docker_files()) == [], "a log that begins with its container misses nothing")
    tap.point(late("late", work, docker_files("2026-11-23T03:00:00Z")) == ["the container started 430 s before its log begins: what it wrote until then may be rotated away"],
              "a log that begins later than its container is a gap", gaps(work / "late.store"))
    whole = {**docker_files("2026-11-23T03:00:00Z"), host: b'{"LogConfig":{"Type":"json-file","Config":{}}}'}
    tap.point(late("whole", work, whole) == [], "but not where the log is never rotated")
    inspect = {"Id": ID, "Name": "/api", "Created": "2026-11-23T03:00:00Z", "State": {"Status": "running", "Running": True, "StartedAt": "2026-11-23T03:00:01Z"}, "Config": {}}
    text = b"2026-11-23T03:07:12.000000000Z hello\n2026-11-23T03:07:13.000000000Z world\n"
    for name, files in (("inspected", {"a-inspect.json": json.dumps([inspect]).encode(), "logs/api.log": text}), ("inspected after", {"api.log": text, "inspect.json": json.dumps([inspect]).encode()})):
        tap.point(len(late(name, work, files)) == 1, f"docker logs against docker inspect: {name}", (gaps(work / f"{name}.store"), events(work / f"{name}.store")))
    limited = {**inspect, "HostConfig": {"LogConfig": {"Type": "json-file", "Config": {}}}}
    tap.point(late("inspected whole", work, {"a.json": json.dumps([limited]).encode(), "api.log": text}) == [], "docker inspect tells that it is never rotated")


def refused(done, *words):
    return done.returncode == 3 and all(word in done.stderr for word in words)


def test_limits(work):
    store = work / "limits.store"
    line = cri("fine", 1)
    hostile = io.BytesIO()
    with tarfile.open(fileobj=hostile, mode="w") as archive:
        for name, kind, target in (("../out.log", None, ""), ("/etc/abs.log", None, ""), ("a/../../b.log", None, ""), ("link.log", tarfile.SYMTYPE, "/etc/passwd"),
                                   ("hard.log", tarfile.LNKTYPE, "fine.log"), ("fifo", tarfile.FIFOTYPE, ""), ("dev", tarfile.CHRTYPE, ""), ("twice.log", None, ""), ("twice.log", None, ""), ("fine.log", None, "")):
            member = tarfile.TarInfo(name)
            data = cri(f"{name} {archive.offset}", 2)
            if kind:
                member.type, member.linkname = kind, target
            else:
                member.size = len(data)
            archive.addfile(member, io.BytesIO(data) if not kind else None)
    (work / "hostile.tar").write_bytes(hostile.getvalue())
    done = inquest("ingest", work / "hostile.tar", "--store", store)
    paths = [row["path"].split("!/")[1] for row in sql(store, "SELECT path FROM evidence ORDER BY id")]
    tap.point(refused(done, "../out.log", "/etc/abs.log", "a/../../b.log", "leads out of the archive") and "passwd" not in done.stdout and paths == ["twice.log", "twice.log", "fine.log"],
              "paths that lead out are refused, links and devices passed over, a name that comes twice is taken twice", (done.stderr, paths))
    bomb = zipped({"bomb.log": cri("boom", 1) + bytes(200 << 20)})
    (work / "bomb.zip").write_bytes(bomb)
    done = inquest("ingest", work / "bomb.zip", "--store", work / "bomb.store")
    tap.point(refused(done, "expands to more than 1000 times its size", "unpack it yourself"), "a zip bomb ends at its limit, and says what to do", done.stderr)
    held = tar({"x.log": line, "x.log.1": cri("old", 0) + bytes(200 << 20)}, "w:gz")
    (work / "held.tar.gz").write_bytes(held)
    done = inquest("ingest", work / "held.tar.gz", "--store", work / "held.store")
    tap.point(refused(done, "expands to more than 1000 times its size") and "fine" in [event["body"] for event in events(work / "held.store")], "also where a member is held until its turn", done.stderr)
    deep = zipped({"a.zip": zipped({"b.zip": zipped({"x.log": line})})})
    (work / "deep.zip").write_bytes(deep)
    done = inquest("ingest", work / "deep.zip", "--store", store)
    tap.point(refused(done, "an archive within an archive within an archive; unpack it and name it"), "archives are nested once", done.stderr)
    for name, data in (("cut.tar", tar({f"{number}.log": cri(f"number {number}", 1) for number in range(9)})[:5000]), ("cut.zip", zipped({f"{number}.log": cri(os.urandom(200).hex(), 1) for number in range(9)})[:1500])):
        (work / name).write_bytes(data)
        done = inquest("ingest", work / name, "--store", work / f"{name}.store")
        tap.point(done.returncode == 3 and len(events(work / f"{name}.store")) > 1, f"{name}: what is before the end is taken in, and the end said", done.stderr)


def test_many(work):
    """More members than an archive may have, in bounded time and memory."""
    with open(work / "many.tar", "wb") as out:
        member = tarfile.TarInfo("x")
        for number in range(101000):
            member.name = f"d/{number}.d"
            member.type = tarfile.DIRTYPE if number % 100 else tarfile.REGTYPE
            out.write(member.tobuf())
        out.write(bytes(1024))
    done = subprocess.run([INQUEST, "ingest", work / "many.tar", "--store", work / "many.store"], capture_output=True, text=True, timeout=300)
    tap.point(refused(done) and "more than 100000 members; unpack the archive and name the directory" in done.stderr, "more than 100,000 members end at the limit", done.stderr[-300:])
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    tap.point(peak < 1 << 20, "and no ingest so far took a gigabyte", peak)


def test_no_room(work):
    (work / "pipe.tar").write_bytes(tar(docker_files()))
    with open(work / "pipe.tar", "rb") as file:
        cat = subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE)
        done = subprocess.run([INQUEST, "ingest", "-", "--store", work / "no-room.store"], stdin=cat.stdout, capture_output=True, text=True, timeout=60, env={**os.environ, "TMPDIR": str(work / "nowhere")})
    tap.point(done.returncode == 3 and "set TMPDIR" in done.stderr, "without room for temporary files it says what to do", done.stderr)


def main():
    with tempfile.TemporaryDirectory(prefix="iq-handed-", dir="/tmp") as work:
        work = pathlib.Path(work)
        (work / "tmp").mkdir()
        os.environ["TMPDIR"] = str(work / "tmp")
        for test in (test_docker, test_pods, test_rotated_later, test_gone, test_late, test_limits, test_many, test_no_room):
            test(work)
        tap.point(not list((work / "tmp").iterdir()), "no temporary file stays", list((work / "tmp").iterdir()))
    tap.end()


main()
