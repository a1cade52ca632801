#!/usr/bin/python3
"""The scripts of `inquest collect`, as TAP: collect.py INQUEST

docker runs against a real Engine; kubectl and gcloud are programs that answer as the real ones do. All of them note what they are asked,
which must be nothing that changes anything."""
import datetime
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import docker_engine as engines
from tap import Tap

INQUEST = pathlib.Path(sys.argv[1]).resolve()
tap = Tap()
NOTE = '#!/bin/sh\nprintf "%s\\n" "$*" >>"$ASKED"\n'
PODS = r"""{"apiVersion":"v1","kind":"List","items":[
 {"kind":"Pod","metadata":{"namespace":"shop","name":"api-1"},"status":{"startTime":"2026-11-24T03:00:00Z","containerStatuses":[{"name":"api","image":"api:7","restartCount":2,
  "state":{"running":{"startedAt":"2026-11-24T03:07:12Z"}},"lastState":{"terminated":{"exitCode":137,"reason":"OOMKilled","startedAt":"2026-11-24T03:05:00Z","finishedAt":"2026-11-24T03:07:11Z"}}}]}},
 {"kind":"Event","reason":"BackOff","type":"Warning","message":"Back-off restarting failed container","count":1,"firstTimestamp":"2026-11-24T03:07:11Z","lastTimestamp":"2026-11-24T03:07:11Z",
  "involvedObject":{"kind":"Pod","namespace":"shop","name":"api-1","fieldPath":"spec.containers{api}"}}]}"""
KUBECTL = NOTE + r"""case "$*" in
"version -o json") echo '{"clientVersion":{"gitVersion":"v1.31.1"},"serverVersion":{"gitVersion":"v1.30.4"}}' ;;
"get nodes -o json") echo "nodes is forbidden" >&2; exit 1 ;;
"get namespaces"*) printf 'shop\nempty\n' ;;
"get pods,events --namespace shop -o json") echo '""" + PODS + r"""' ;;
"get pods,events --namespace empty -o json") echo '{"apiVersion":"v1","kind":"List","items":[]}' ;;
"get pods --namespace shop -o jsonpath"*) printf 'api-1 setup:0 api:2\nweb-1 web:0\n' ;;
"get pods --namespace empty -o jsonpath"*) ;;
"logs --prefix --timestamps --namespace shop api-1 --container api --previous") echo '[pod/api-1/api] 2026-11-24T03:07:11.000000000Z before' ;;
"logs --prefix --timestamps --namespace shop "*" --container "*) echo "[pod/$6/$8] 2026-11-24T03:07:12.000000000Z hello" ;;
*) echo "unexpected: $*" >&2; exit 9 ;;
esac
"""
ENTRIES = ",".join(f'{{"insertId":"a{second}","logName":"projects/chat-prod/logs/run.googleapis.com%2Fstdout","resource":{{"type":"cloud_run_revision","labels":{{"service_name":"chat"}}}},'
                   f'"timestamp":"2026-11-24T03:07:0{second}Z","severity":"INFO","textPayload":"line {second}"}}' for second in range(3))
GCLOUD = NOTE + r"""case "$*" in
"version --format=json") echo '{"Google Cloud SDK":"500.0.0","core":"2024.11.01"}' ;;
"config get-value project") echo chat-prod ;;
"logging read  --project chat-prod --freshness 2h --limit "*" --order asc --format json") echo '[""" + ENTRIES + r"""]' ;;
"run services list --project chat-prod --format json") echo '[{"kind":"Service","metadata":{"name":"chat"}}]' ;;
*) echo "unexpected: $*" >&2; exit 9 ;;
esac
"""
READS = {"docker": ("version", "info", "ps", "image ls", "events", "inspect", "logs"), "kubectl": ("version", "get", "logs"),
         "gcloud": ("version", "config get-value", "logging read", "run services list")}


def script(name):
    return subprocess.run([INQUEST, "collect", "--print", name], capture_output=True, check=True).stdout


def shells():
    found = [["sh"], [str(engines.busybox()), "sh"]] if any(path.exists() for path in engines.BUSYBOX) else [["sh"]]
    return found + [["bash", "--posix"]] * bool(shutil.which("bash"))


def check_syntax(name):
    for shell in shells():
        done = subprocess.run([*shell, "-n"], input=script(name), capture_output=True)
        tap.point(done.returncode == 0, f"{name}: {' '.join(map(os.path.basename, shell))} -n", done.stderr.decode())
    if shutil.which("shellcheck"):
        done = subprocess.run(["shellcheck", "-s", "sh", "-"], input=script(name), capture_output=True)
        tap.point(done.returncode == 0, f"{name}: shellcheck", done.stdout.decode())


class Run:
    """One run of a script from standard input, as `ssh HOST sh` gives it; its tar, unpacked in memory."""
    def __init__(self, name, program, work, shell, *words, **environment):
        place = pathlib.Path(tempfile.mkdtemp(dir=work))
        (place / name).write_text(program)
        (place / name).chmod(0o755)
        temporary = place / "tmp"
        temporary.mkdir()
        self.asked = place / "asked"
        self.done = subprocess.run([*shell, "-s", "--", *words], input=script(name), capture_output=True,
                                   env={"PATH": f"{place}:{os.environ['PATH']}", "ASKED": str(self.asked), "TMPDIR": str(temporary), **environment})
        self.tar = self.done.stdout
        self.files = {}
        if self.tar:
            with tarfile.open(fileobj=io.BytesIO(self.tar)) as tar:
                self.files = {member.name.removeprefix("collected/"): tar.extractfile(member).read() for member in tar if member.isfile()}
        self.left = list(temporary.iterdir())

    def text(self, name):
        return self.files.get(name, b"").decode()

    def check(self, name):
        """What holds for all of them."""
        listed = {}
        for line in self.text("manifest.tsv").splitlines():
            size, digest, path = line.split("\t")
            listed[path] = (int(size), digest)
        real = {path: (len(data), hashlib.sha256(data).hexdigest()) for path, data in self.files.items() if path != "manifest.tsv"}
        tap.point(self.done.returncode == 0 and listed == real, f"{name}: the manifest has size and SHA-256 of each file", (self.done.stderr.decode(), listed, real))
        host = dict(line.split(" ", 1) for line in self.text("host.txt").splitlines())
        tap.point(host.get("collected") == name and host.keys() >= {"began", "ended", "clock", "zone", "uname"}, f"{name}: the host's clock and the window", host)
        asked = self.asked.read_text().splitlines()
        tap.point(all(line.startswith(READS[name]) for line in asked), f"{name}: it only reads", asked)
        tap.point(not self.left, f"{name}: nothing stays on the host", self.left)


def ingest(work, tar, *words):
    """What becomes of the tar: the run, and its tables."""
    store = pathlib.Path(tempfile.mkdtemp(dir=work)) / "case"
    done = subprocess.run([INQUEST, "ingest", "-", "--store", store, *words], input=tar, capture_output=True)
    tables = {}
    for table, columns in (("events", "ts, source, kind, type, body, attrs, evidence"), ("gaps", "source, reason, ts_min, ts_max"), ("evidence", "id, path, format, bytes, accounted, covers_from, covers_to")):
        query = subprocess.run([INQUEST, "sql", store, f"SELECT {columns} FROM {table}", "--format", "json"], capture_output=True, text=True)
        tables[table] = json.loads(query.stdout or "[]")
    return done, tables


def changed(tar, path, change):
    """The tar with one file changed, or left out where `change` gives None."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(tar)) as old, tarfile.open(fileobj=out, mode="w") as new:
        for member in old:
            data = old.extractfile(member).read() if member.isfile() else None
            if member.name.endswith(path):
                data = change(data)
                if data is None:
                    continue
                member.size = len(data)
            new.addfile(member, io.BytesIO(data) if data is not None else None)
    return out.getvalue()


def nanoseconds(text):
    return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()) * 10**9


def check_ingested(work, name, run, log, notes, errors=0):
    """What the bundle says of itself is understood."""
    done, tables = ingest(work, run.tar)
    host = dict(line.split(" ", 1) for line in run.text("host.txt").splitlines())
    formats = {row["path"].split("collected/")[1]: row["format"] for row in tables["evidence"]}
    have = {path for path, form in formats.items() if form == "collected"}
    tap.point(done.returncode == 0 and have == notes, f"{name}: what it says of itself is not taken for logs", (done.stderr.decode(), formats))
    clock = [row for row in tables["events"] if row["kind"] == "clock"]
    tap.point(len(clock) == 1 and json.loads(clock[0]["attrs"])["clock"] == host["clock"] and clock[0]["ts"] == nanoseconds(host["ended"]), f"{name}: the host's clock is an event", clock)
    covers = [(row["covers_from"], row["covers_to"]) for row in tables["evidence"] if row["path"].endswith(log)]
    tap.point(len(covers) == 1 and covers[0][1] == nanoseconds(host["began"]) and covers[0][0] is not None and covers[0][0] < covers[0][1], f"{name}: logs are complete until it was collected", covers)
    versions = [json.loads(row["attrs"] or "{}") for row in tables["events"] if row["type"] == "collect.version"]
    tap.point(len(versions) == 1 and "client" in versions[0], f"{name}: versions are attrs", versions)
    tap.point(len([gap for gap in tables["gaps"] if gap["reason"].startswith("not collected: ")]) == errors and all(row["bytes"] == row["accounted"] for row in tables["evidence"]),
              f"{name}: what could not be had is a gap", tables["gaps"])
    for change, word in ((lambda data: data + b"2026-11-24T03:09:00Z more\n", "not as it was collected"), (lambda data: data.replace(b"T", b"t", 1), "not as it was collected"), (lambda data: None, "is not there any more")):
        done, torn = ingest(work, changed(run.tar, log, change))
        tap.point(done.returncode == 3 and any(word in gap["reason"] for gap in torn["gaps"]), f"{name}: {word}", done.stderr.decode())
    return tables


def test_kubectl(work, shell):
    run = Run("kubectl", KUBECTL, work, shell)
    run.check("kubectl")
    logs = {path: run.text(path) for path in run.files if path.endswith(".log")}
    want = {f"kubernetes/shop/{pod}_{name}.log": f"[pod/{pod}/{name}] 2026-11-24T03:07:12.000000000Z hello\n" for pod, name in (("api-1", "setup"), ("api-1", "api"), ("web-1", "web"))}
    want["kubernetes/shop/api-1_api.previous.log"] = "[pod/api-1/api] 2026-11-24T03:07:11.000000000Z before\n"
    tap.point(logs == want, "kubectl: each container's log, and that of the run before", logs)
    tap.point("forbidden" in run.text("errors.txt") and b"errors.txt" in run.done.stderr, "kubectl: what could not be had is said", run.files)


def kubectl_ingested(work, run):
    notes = {"errors.txt", "host.txt", "kubernetes/version.json", "manifest.tsv"}
    tables = check_ingested(work, "kubectl", run, "kubernetes/shop/api-1_api.log", notes, errors=1)
    logs = {(row["source"], row["body"]) for row in tables["events"] if row["kind"] == "log" and row["source"] != "collect"}
    tap.point(logs == {("api-1/api", "before"), ("api-1/api", "hello"), ("api-1/setup", "hello"), ("web-1/web", "hello")}, "kubectl: logs have their pods", logs)
    oom = [row for row in tables["events"] if row["type"] == "oom"]
    tap.point([row["source"] for row in oom] == ["api-1/api"], "kubectl: states have the same sources", oom)
    forgotten = [gap for gap in tables["gaps"] if "earlier run" in gap["reason"]]
    tap.point([(gap["source"], gap["ts_min"], gap["ts_max"]) for gap in forgotten] == [("api-1/api", nanoseconds("2026-11-24T03:00:00Z"), nanoseconds("2026-11-24T03:05:00Z"))],
              "kubectl: runs of which there are no logs any more are a gap", forgotten)


def gcloud_ingested(work, shell, run):
    notes = {"gcloud/chat-prod/limit.txt", "gcloud/chat-prod/services.json", "gcloud/version.json", "host.txt", "manifest.tsv"}
    tables = check_ingested(work, "gcloud", run, "gcloud/chat-prod/logs.json", notes)
    host = dict(line.split(" ", 1) for line in run.text("host.txt").splitlines())
    tap.point(not any("exactly" in gap["reason"] for gap in tables["gaps"]), "gcloud: below the limit nothing is cut", tables["gaps"])
    limited = Run("gcloud", GCLOUD, work, shell, COLLECT_SINCE="2h", COLLECT_LIMIT="3")
    done, tables = ingest(work, limited.tar)
    cut = [gap for gap in tables["gaps"] if "exactly 3 entries: the limit that was asked for" in gap["reason"]]
    tap.point(len(cut) == 1 and cut[0]["ts_min"] == nanoseconds("2026-11-24T03:07:02Z"), "gcloud: at the limit that was asked for it is cut, and where", (tables["gaps"], done.stderr))
    return host


def test_gcloud(work, shell):
    run = Run("gcloud", GCLOUD, work, shell, COLLECT_SINCE="2h")
    run.check("gcloud")
    tap.point(run.text("gcloud/chat-prod/logs.json").count("insertId") == 3 and run.text("gcloud/chat-prod/limit.txt") == "limit 100000\n",
              "gcloud: the entries of the project that is configured, and the limit", run.files)


def test_docker(engine, work, shell):
    real = shutil.which("docker")
    run = Run("docker", NOTE + f'exec {real} "$@"\n', work, shell, DOCKER_HOST=engine.host)
    run.check("docker")
    have = [line.split(" ", 1)[1] for line in (run.text("docker/logs/iq-collected/stdout.log") + run.text("docker/logs/iq-collected/stderr.log")).splitlines()]
    tap.point({"one", "two"} <= set(have), "docker: logs of both streams, with times", [line[:60] for line in have])
    tap.point('"ExitCode": 4' in run.text("docker/inspect/iq-collected.json"), "docker: states")
    tap.point('"die"' in run.text("docker/events.ndjson") and "iq-collected" in run.text("docker/ps.ndjson"), "docker: events, and the list")
    one = Run("docker", NOTE + f'exec {real} "$@"\n', work, shell, "iq-collected", "no-such", DOCKER_HOST=engine.host)
    tap.point({path for path in one.files if path.startswith("docker/logs/")} == {f"docker/logs/iq-collected/{stream}.log" for stream in ("stdout", "stderr")} and "no-such" in one.text("errors.txt"),
              "docker: only the containers that are named; one that is not there is said", one.files.keys())


def docker_ingested(engine, work):
    """There and back with the Engine: what the containers wrote and what became of them."""
    run = Run("docker", NOTE + f'exec {shutil.which("docker")} "$@"\n', work, ["sh"], "iq-collected", DOCKER_HOST=engine.host)
    notes = {"docker/version.json", "docker/info.json", "docker/images.ndjson", "host.txt", "manifest.tsv"} & run.files.keys() - {path for path, data in run.files.items() if not data}
    tables = check_ingested(work, "docker", run, "docker/logs/iq-collected/stdout.log", notes)
    logs = [row for row in tables["events"] if row["source"] == "iq-collected" and row["kind"] == "log"]
    streams = {row["body"]: json.loads(row["attrs"])["stream"] for row in logs}
    tap.point(streams == {"one": "stdout", "x" * 20000: "stdout", "two": "stderr"}, "docker: whole lines of the container, by stream", [(len(row["body"]), row["body"][:30], row["body"][16380:16420]) for row in logs])
    states = {row["type"] for row in tables["events"] if row["source"] == "iq-collected" and row["kind"] == "container"}
    tap.point({"start", "die"} <= states and all("container" in json.loads(row["attrs"]) for row in logs), "docker: with the id, and what happened to it, in one source", (states, logs[:1]))
    counts = {kind: sum(row["type"] == kind for row in tables["events"] if row["source"] == "iq-collected") for kind in ("create", "start", "die")}
    tap.point(set(counts.values()) == {1}, "docker: what events and states both tell counts once", counts)
    tap.point(not any("before its log begins" in gap["reason"] for gap in tables["gaps"]), "docker: a log that is kept whole begins with its container", tables["gaps"])


def main():
    for name in READS:
        check_syntax(name)
    with tempfile.TemporaryDirectory(prefix="iq-collect-", dir="/tmp") as work:
        for shell in shells()[:2]:
            test_kubectl(work, shell)
            test_gcloud(work, shell)
        kubectl_ingested(work, Run("kubectl", KUBECTL, work, ["sh"]))
        gcloud_ingested(work, ["sh"], Run("gcloud", GCLOUD, work, ["sh"], COLLECT_SINCE="2h"))
        nobody = Run("docker", "#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2; exit 1\n", work, ["sh"])
        tap.point(nobody.done.returncode == 4 and b"Cannot connect" in nobody.done.stderr and not nobody.tar, "docker: without an Engine it says so", nobody.done.stderr)
        try:
            engine = engines.running_or_own()
        except engines.CannotStart as why:
            engines.skip(tap, "docker: against an Engine", why)
        else:
            try:
                engine.run("iq-collected", "echo one; head -c 20000 /dev/zero | tr '\\0' x; echo; echo two >&2; sleep 1; exit 4")
                engine.wait("iq-collected")
                for shell in shells()[:2]:
                    test_docker(engine, work, shell)
                docker_ingested(engine, work)
            finally:
                engine.close()
    tap.end()


main()
