#!/usr/bin/python3
"""`record docker` and `ingest docker://` against a real Docker Engine, as TAP: record.py INQUEST"""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import docker_engine as engines
from ports import free_port
from tap import Tap

INQUEST = pathlib.Path(sys.argv[1]).resolve()
MIXED = """i=0
while [ $i -lt {count} ]; do
  echo "out $i"; echo "err $i" >&2; i=$((i+1))
done"""
LONG = "head -c {size} /dev/zero | tr '\\0' {letter}; echo"
TRACE = r"""printf 'Traceback (most recent call last):\n  File "a.py", line 3, in <module>\nValueError: no\n' >&2"""

tap = Tap()
point = tap.point


def skip(what, why):
    engines.skip(tap, what, why)


class Recording:
    """A recorder that runs."""
    def __init__(self, host, store, *options):
        self.store = store
        self.process = subprocess.Popen([INQUEST, "record", "docker", "--store", store, *options], env={**os.environ, "DOCKER_HOST": host},
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.out, self.err = self.process.communicate(timeout=60)
        return self.process.returncode


def ingest(host, store, *options):
    return subprocess.run([INQUEST, "ingest", "docker://", "--store", store, *options], env={**os.environ, "DOCKER_HOST": host},
                          capture_output=True, text=True, timeout=120)


def query(store, statement):
    done = subprocess.run([INQUEST, "sql", store, statement, "--format", "json", "--timeout", "0s"], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def lines(store, source, stream="stdout"):
    """(body, attrs) of each line that was recorded, in order."""
    rows = query(store, f"SELECT body, attrs FROM events WHERE kind = 'log' AND source = '{source}' ORDER BY id")
    return [row["body"] for row in rows if attrs(row)["stream"] == stream]


def attrs(row):
    return row["attrs"] if isinstance(row["attrs"], dict) else json.loads(row["attrs"])


def happened(store, source, action):
    return [attrs(row) for row in query(store, f"SELECT attrs FROM events WHERE kind = 'container' AND source = '{source}' AND type = '{action}' ORDER BY id")]


def gaps(store):
    return [(row["source"], row["reason"]) for row in query(store, "SELECT source, reason FROM gaps")]


def numbered(word, count):
    return [f"{word} {i}" for i in range(count)]


def first_difference(have, want):
    for i, (a, b) in enumerate(zip(have, want)):
        if a != b:
            return f"{len(have)} lines of {len(want)}; at {i}: {a[:60]!r}, not {b[:60]!r}"
    return f"{len(have)} lines of {len(want)}"


def wait_for(what, seconds=20):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.05)
    return False


def verify(store):
    done = subprocess.run([INQUEST, "store", "verify", store], capture_output=True, text=True)
    return done.returncode == 0, done.stdout + done.stderr


# ---- What the Engine has ----

def test_what_there_is(engine, work):
    """Containers that ran and ended in every way, taken in afterwards."""
    engine.run("iq-json", "i=0; while [ $i -lt 3 ]; do echo \"{\\\"level\\\":\\\"error\\\",\\\"event\\\":\\\"step\\\",\\\"run_id\\\":\\\"r$i\\\"}\"; i=$((i+1)); done; exit 3")
    engine.run("iq-mixed", MIXED.format(count=200))
    engine.run("iq-long", LONG.format(size=100 * 1024, letter="a") + ";" + LONG.format(size=16384, letter="b") + ";" + "{ " + LONG.format(size=70000, letter="c") + "; } >&2")
    engine.run("iq-tty", "echo one; " + LONG.format(size=100 * 1024, letter="t") + "; printf open", "-t")
    engine.run("iq-trace", TRACE)
    engine.run("iq-oom", "tail /dev/zero", "--memory", "8m")
    engine.run("iq-sick", "sleep 60", "--health-cmd", "echo nobody home; false", "--health-interval", "0.5s", "--health-retries", "1")
    engine.run("iq-killed", "sleep 60")
    engine.run("iq-again", "echo up; sleep 60")
    engine.docker("kill", "--signal", "KILL", "iq-killed")
    engine.docker("restart", "-t", "0", "iq-again")
    engine.wait("iq-json", "iq-mixed", "iq-long", "iq-tty", "iq-trace", "iq-oom")
    wait_for(lambda: engine.inspect("iq-sick")["State"]["Health"]["Status"] == "unhealthy")
    store = work / "there"
    done = ingest(engine.host, store)
    point(done.returncode == 0, "ingest docker:// takes what the Engine has", done.stderr)
    bodies = query(store, "SELECT type, key, severity FROM events WHERE source = 'iq-json' AND kind = 'log' ORDER BY id")
    point([(row["type"], row["key"], row["severity"]) for row in bodies] == [("step", f"r{i}", "error") for i in range(3)], "type, key and severity of JSON lines", bodies)
    for stream, word in (("stdout", "out"), ("stderr", "err")):
        have = lines(store, "iq-mixed", stream)
        point(have == numbered(word, 200), f"each line of {stream}, in order, where both are written", first_difference(have, numbered(word, 200)))
    have = [(body[0], len(body)) for body in lines(store, "iq-long") + lines(store, "iq-long", "stderr")]
    point(have == [("a", 102400), ("b", 16384), ("c", 70000)], "lines over 16 KiB are joined", have)
    have = [(body[:3], len(body)) for body in lines(store, "iq-tty")]
    point(have == [("one", 3), ("ttt", 102400), ("ope", 4)], "a terminal's lines", have)
    point(lines(store, "iq-trace", "stderr") == ["Traceback (most recent call last):", '  File "a.py", line 3, in <module>', "ValueError: no"], "a stack trace")
    point([a.get("exit_code") for a in happened(store, "iq-json", "die")] == [3], "exit code", happened(store, "iq-json", "die"))
    point([a.get("exit_code") for a in happened(store, "iq-killed", "die")] == [137] and [a.get("signal") for a in happened(store, "iq-killed", "kill")] in (["9"], ["KILL"]),
          "kill and its signal", happened(store, "iq-killed", "kill"))
    point([a.get("health") for a in happened(store, "iq-sick", "health_status")] == ["unhealthy"], "an unhealthy container", happened(store, "iq-sick", "health_status"))
    checks = query(store, "SELECT body FROM events WHERE source = 'iq-sick' AND type = 'health_check'")
    point(checks and all("nobody home" in row["body"] for row in checks), "what the health check said", checks)
    point(len(happened(store, "iq-again", "start")) == 2 and len(happened(store, "iq-again", "restart")) == 1 and lines(store, "iq-again") == ["up", "up"],
          "a restart: two starts, and the lines of both", happened(store, "iq-again", "start"))
    if engine.inspect("iq-oom")["State"]["OOMKilled"]:
        point(happened(store, "iq-oom", "oom") and happened(store, "iq-oom", "die")[0]["exit_code"] == 137, "out of memory", happened(store, "iq-oom", "die"))
    else:
        skip("out of memory", "the cgroups of this machine do not let containers run out of memory")
    point(not gaps(store) and verify(store)[0], "no gap, and the store is intact", (gaps(store), verify(store)[1]))

    before = query(store, "SELECT count(*) AS n FROM events WHERE kind = 'log'")
    done = ingest(engine.host, store)
    point(done.returncode == 0 and query(store, "SELECT count(*) AS n FROM events WHERE kind = 'log'") == before, "taken in twice: nothing is doubled", done.stdout)


# ---- Following ----

def writer(count, pause="0.01"):
    """Numbered lines on both streams, every 50th of 20,000 bytes, in bursts."""
    return f"""i=0
while [ $i -lt {count} ]; do
  echo "out $i"; echo "err $i" >&2
  [ $((i % 50)) -ne 49 ] || {{ printf "long $i "; head -c 20000 /dev/zero | tr '\\0' x; echo; sleep {pause}; }}
  i=$((i+1))
done"""


def written(count):
    want = []
    for i in range(count):
        want.append(f"out {i}")
        if i % 50 == 49:
            want.append(f"long {i} " + "x" * 20000)
    return want


def compare(store, source, count, what):
    for stream, want in (("stdout", written(count)), ("stderr", numbered("err", count))):
        have = lines(store, source, stream)
        point(have == want, f"{what}: each line of {stream} once", first_difference(have, want))


def test_follow(engine, work):
    store = work / "followed"
    engine.run("iq-before", writer(300))
    recording = Recording(engine.host, store)
    engine.run("iq-after", writer(300))
    engine.docker("run", "--rm", "--label", engines.LABEL, "--network", "none", "--name", "iq-gone", engines.IMAGE, "sh", "-c", "echo short; sleep 1; exit 7", check=False)
    engine.run("iq-policy", "echo up; exit 1", "--restart", "on-failure:2")
    engine.wait("iq-before", "iq-after")
    wait_for(lambda: engine.inspect("iq-policy")["RestartCount"] == 2 and not engine.inspect("iq-policy")["State"]["Running"])
    engine.docker("rename", "iq-after", "iq-renamed")
    status = recording.stop()
    point(status == 0, "an interrupt ends the recording in order", recording.err)
    compare(store, "iq-before", 300, "a container that ran before")
    compare(store, "iq-after", 300, "one that came later")
    point(lines(store, "iq-gone") == ["short"] and [a.get("exit_code") for a in happened(store, "iq-gone", "die")] == [7], "one that came and went",
          (lines(store, "iq-gone"), happened(store, "iq-gone", "die"), gaps(store)))
    point(lines(store, "iq-policy") == ["up"] * 3 and len(happened(store, "iq-policy", "start")) == 3, "one that its policy started again",
          (lines(store, "iq-policy"), happened(store, "iq-policy", "start")))
    point([a.get("old_name", "").lstrip("/") for a in happened(store, "iq-after", "rename")] == ["iq-after"] or happened(store, "iq-renamed", "rename"), "a rename")
    point(verify(store)[0], "the store is intact", verify(store)[1])


def test_checked(engine, work):
    store = work / "checked"
    recording = Recording(engine.host, store, "--spec", "preset:container-life", "--container", "iq-fails", "--container", "iq-goes")
    engine.run("iq-fails", "sleep 1; exit 7")
    engine.run("iq-goes", "sleep 1")
    engine.wait("iq-fails", "iq-goes")
    wait_for(lambda: len(happened(store, "iq-goes", "die")) == 1)
    status = recording.stop()
    told = [line for line in recording.err.splitlines() if "VIOLATED" in line]
    point(status == 1 and len(told) == 1 and "container-life" in told[0] and "1 violated" in recording.out, "--spec: a container that fails is told, and exit 1",
          (status, recording.out, recording.err))


def test_compose(engine, work):
    def label(project, service, n):
        return [word for key, value in (("project", project), ("service", service), ("container-number", n))
                for word in ("--label", f"com.docker.compose.{key}={value}")]

    engine.run("chat-api-1", "echo from chat", *label("chat", "api", 1))
    engine.run("shop-api-1", "echo from shop", *label("shop", "api", 1))
    engine.wait("chat-api-1", "shop-api-1")
    done = ingest(engine.host, work / "project", "--project", "chat")
    rows = query(work / "project", "SELECT DISTINCT source, attrs FROM events WHERE kind = 'log'")
    point(done.returncode == 0 and [row["source"] for row in rows] == ["api-1"] and attrs(rows[0]).get("project") == "chat" and attrs(rows[0]).get("service") == "api",
          "--project takes the containers of a Compose project, named as Compose does", rows)
    ingest(engine.host, work / "both", "--project", "chat", "--project", "shop")
    have = sorted((row["source"], row["body"]) for row in query(work / "both", "SELECT source, body FROM events WHERE kind = 'log'"))
    point(sorted(body for _, body in have) == ["from chat", "from shop"] and len({source for source, _ in have}) == 2, "two projects with the same service are two sources", have)
    ingest(engine.host, work / "one", "--container", "shop-api-1")
    have = [row["body"] for row in query(work / "one", "SELECT body FROM events WHERE kind = 'log'")]
    point(have == ["from shop"], "--container takes one", have)


# ---- Interruptions ----

class Cutter:
    """A socket before the Engine's, at `path` or a port of this machine, whose connections can be cut."""
    def __init__(self, host, path):
        self.target = host.removeprefix("unix://")
        self.pairs, self.cuts = [], 0
        self.listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.listener.bind(str(path) if path else ("127.0.0.1", 0))
        self.listener.listen(64)
        self.port = None if path else self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            near, _ = self.listener.accept()
            far = socket.socket(socket.AF_UNIX)
            far.connect(self.target)
            self.pairs.append((near, far))
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    def pump(self, a, b):
        try:
            while data := a.recv(3001):
                b.sendall(data)
        except OSError:
            pass
        for end in (a, b):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        pairs, self.pairs = self.pairs, []
        self.cuts += 1
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


def test_cuts(engine, work):
    if not engine.host.startswith("unix://"):
        return skip("connections that are cut", "the Engine has no socket here")
    cutter, store = Cutter(engine.host, work / "cut.sock"), work / "cut"
    recording = Recording(f"unix://{work}/cut.sock", store)
    engine.run("iq-cut", writer(2000, "0.03"))
    engine.run("iq-cut-tty", writer(500, "0.1"), "-t")
    for _ in range(6):
        time.sleep(0.25)
        cutter.cut()
    engine.wait("iq-cut", "iq-cut-tty")
    time.sleep(0.5)
    status = recording.stop()
    point(status == 0 and "went away" in recording.err, f"connections that are cut {cutter.cuts} times: it says so and goes on", recording.err)
    compare(store, "iq-cut", 2000, "cut connections")
    have = lines(store, "iq-cut-tty")
    want = [line for i in range(500) for line in [f"out {i}", f"err {i}"] + ([f"long {i} " + "x" * 20000] if i % 50 == 49 else [])]
    point(have == want, "cut connections: each line of a terminal once", first_difference(have, want))
    point(not gaps(store), "nothing can be missing, so there is no gap", gaps(store))


SSH = """#!/bin/sh
printf '%s\\n' "$*" >>"$0.asked"
while [ "$1" != -- ]; do shift; done
shift 2
exec env DOCKER_HOST={host} "$@"
"""


def test_addresses(engine, work):
    """Through ssh, which is a program here that does what is asked of it on this machine, and over TCP."""
    engine.run("iq-far", "echo far away")
    engine.wait("iq-far")
    (work / "ssh").write_text(SSH.format(host=engine.host))
    (work / "ssh").chmod(0o755)
    done = subprocess.run([INQUEST, "ingest", "docker://", "--store", work / "by-ssh", "--container", "iq-far"], capture_output=True, text=True,
                          timeout=60, env={**os.environ, "DOCKER_HOST": "ssh://ops@far.example:2222", "PATH": f"{work}:{os.environ['PATH']}"})
    asked = set((work / "ssh.asked").read_text().splitlines()) if (work / "ssh.asked").exists() else None
    point(done.returncode == 0 and lines(work / "by-ssh", "iq-far") == ["far away"] and asked == {"-T -l ops -p 2222 -- far.example docker system dial-stdio"},
          "ssh://: through docker system dial-stdio", (done.stderr, asked))
    if not engine.host.startswith("unix://"):
        return
    cutter = Cutter(engine.host, None)
    done = ingest(f"tcp://127.0.0.1:{cutter.port}", work / "by-tcp", "--container", "iq-far")
    point(done.returncode == 0 and lines(work / "by-tcp", "iq-far") == ["far away"], "tcp://", done.stderr)


def test_redaction(engine, work):
    """Secrets of logs, labels and commands are gone before anything is kept; a recording that goes on knows what it has."""
    store, secret = work / "redacted", "hunter2" + uuid.uuid4().hex
    token = f"ghp_{uuid.uuid4().hex}abcd"
    script = f"echo 'password={secret} ok'; echo '{{\"token\":\"{secret}\"}}' >&2; echo {token}; echo plain"
    engine.run("iq-secret", script, "--label", f"api_token={secret}", "-e", f"PASSWORD={secret}")
    engine.wait("iq-secret")
    options = ["--container", "iq-secret", "--redact", "--redact-key", work / "redact.key", "--covers", "2020-01-01T00:00:00Z..2020-01-02T00:00:00Z"]
    first, again = ingest(engine.host, store, *options), ingest(engine.host, store, *options)
    known = [line for line, _ in [(row["body"], 0) for row in query(store, "SELECT body FROM events WHERE kind = 'log' ORDER BY id")]]
    point(first.returncode == 0 and again.returncode == 0 and sorted(line.split("\u2039")[0] for line in known) == sorted(["password=", '{"token":"', "", "plain"]),
          "a redacted recording has the lines, each once", (first.stderr, again.stderr, known))
    texts = query(store, "SELECT source || ' ' || coalesce(body, '') || ' ' || coalesce(attrs, '') AS text FROM events")
    exported = subprocess.run([INQUEST, "export", store, "--format", "raw", "--output", work / "raw"], capture_output=True, text=True)
    files = [path for place in (store, work / "raw") for path in place.rglob("*") if path.is_file()]
    found = [path for path in files if any(word.encode() in path.read_bytes() for word in (secret, token))]
    point(not found and not any(word in row["text"] for row in texts for word in (secret, token)) and exported.returncode == 0 and verify(store)[0],
          "and no secret is anywhere in it, nor in its raw bytes", (found, exported.stderr))
    evidence = query(store, "SELECT path, covers_from FROM evidence")
    point(all("redacted: all key " in row["path"] and row["covers_from"] == 1577836800000000000 for row in evidence), "its evidence says so, and what it covers", evidence)


def certificates(place):
    """An authority, and what it has signed for a server on this machine and for its client."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=place, check=True, capture_output=True)

    place.mkdir()
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=authority", "-keyout", "ca-key.pem", "-out", "ca.pem")
    for name, more in (("server", "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth"), ("client", "extendedKeyUsage=clientAuth")):
        (place / "extensions").write_text(more)
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}-key.pem", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-days", "2", "-extfile", "extensions",
                "-out", f"{name}-cert.pem")
    # As the Docker client names them.
    (place / "client-cert.pem").rename(place / "cert.pem")
    (place / "client-key.pem").rename(place / "key.pem")


def test_tls(engine, work):
    """The Engine wants a certificate of its client, and the client one of the Engine."""
    mine, foreign = work / "mine", work / "foreign"
    certificates(mine)
    certificates(foreign)
    port = free_port()
    engine.stop()
    engine.more = ["-H", f"tcp://127.0.0.1:{port}", "--tlsverify", "--tlscacert", mine / "ca.pem", "--tlscert", mine / "server-cert.pem", "--tlskey",
                   mine / "server-key.pem"]
    engine.start()
    engine.run("iq-tls", "echo over TLS")
    engine.wait("iq-tls")

    def ask(store, **environment):
        return subprocess.run([INQUEST, "ingest", "docker://", "--store", work / store, "--container", "iq-tls"], capture_output=True, text=True,
                              timeout=60, env={**os.environ, "DOCKER_HOST": f"tcp://127.0.0.1:{port}", **environment})

    done = ask("tls", DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(mine))
    point(done.returncode == 0 and lines(work / "tls", "iq-tls") == ["over TLS"], "tcp:// with TLS and certificates of both sides", done.stderr)
    for what, environment in (("certificates of another authority", {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(foreign)}), ("no TLS", {})):
        done = ask("refused", **environment)
        point(done.returncode == 4 and not (work / "refused").exists(), f"{what}: exit 4, and no store is made", (done.returncode, done.stderr))
    engine.stop()
    engine.more = []
    engine.start()
    engine.remove_all()


def test_restart(engine, work):
    """The Engine is stopped, and killed, while containers write."""
    store = work / "restarted"
    recording = Recording(engine.host, store)
    engine.run("iq-live", writer(3000, "0.1"))
    engine.run("iq-dies", "sleep 0.9; echo last; exit 9")
    time.sleep(0.6)
    for how in (signal.SIGTERM, signal.SIGKILL):
        engine.stop(how)
        time.sleep(0.6)
        engine.start()
        time.sleep(0.5)
    engine.wait("iq-live", "iq-dies")
    time.sleep(1)
    status = recording.stop()
    point(status == 3 and recording.err.count("there again") == 2, "the Engine is restarted twice: it says so and goes on", recording.err)
    # What an Engine has read and not written when it ends is lost; so this is compared with what it has.
    for name, stream in (("iq-live", "stdout"), ("iq-live", "stderr"), ("iq-dies", "stdout")):
        have, want = lines(store, name, stream), engine.logs(name, stream)
        point(have == want, f"a restarted Engine: each line of {stream} of {name} once", first_difference(have, want))
    point(len(lines(store, "iq-live")) > 2800 and lines(store, "iq-live", "stderr")[-1] == "err 2999", "and the container goes on to its end",
          (len(lines(store, "iq-live")), lines(store, "iq-live", "stderr")[-2:]))
    point([a.get("exit_code") for a in happened(store, "iq-dies", "die")] == [9], "the exit code of a container that ended while there was no Engine", happened(store, "iq-dies", "die"))
    point({source for source, reason in gaps(store) if "restarted" in reason} == {"iq-live", "iq-dies"} and verify(store)[0], "what such an Engine may have lost is a gap", gaps(store))


def test_without_engine(work):
    done = ingest(f"unix://{work}/nobody.sock", work / "none")
    point(done.returncode == 4 and "cannot be reached" in done.stderr and not (work / "none").exists(), "no Engine: exit 4, and no store is made", done.stderr)
    done = ingest("ftp://x", work / "none")
    point(done.returncode == 2 and "DOCKER_HOST" in done.stderr, "an address that is none: exit 2", done.stderr)


def get_engine():
    """One that is there, and one that can be restarted; or why not."""
    there = engines.running()
    try:
        return there, engines.OwnEngine(), None
    except engines.CannotStart as why:
        return there, None, str(why)


WITH_ENGINE = [test_what_there_is, test_follow, test_checked, test_compose, test_cuts, test_addresses, test_redaction]


def run_tests(there, own, why, work):
    test_without_engine(work)
    engine = there or own
    if there:
        there.make_image()
    for test in WITH_ENGINE:
        if engine:
            test(engine, work)
            engine.remove_all()
        else:
            skip(test.__name__.removeprefix("test_").replace("_", " "), why)
    if own:
        test_tls(own, work)
        test_restart(own, work)
    else:
        skip("an Engine with TLS", why)
        skip("an Engine that is restarted", why)


def main():
    there, own, why = get_engine()
    try:
        with tempfile.TemporaryDirectory(prefix="iq-docker-", dir="/tmp") as work:
            run_tests(there, own, why, pathlib.Path(work))
    finally:
        for one in (there, own):
            if one:
                one.close()
    tap.end()


main()
