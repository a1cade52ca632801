#!/usr/bin/python3
"""The scripts of `inquest collect`, as TAP: collect.py INQUEST

docker runs against a real Engine; kubectl and gcloud are programs that answer as the real ones do. All of them note what they are asked,
which must be nothing that changes anything."""
import hashlib
import io
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
KUBECTL = NOTE + r"""case "$*" in
"version -o json") echo '{"clientVersion":{}}' ;;
"get nodes -o json") echo "nodes is forbidden" >&2; exit 1 ;;
"get namespaces"*) printf 'shop\nempty\n' ;;
"get pods,events --namespace shop -o json") echo '{"kind":"List","items":[]}' ;;
"get pods,events --namespace empty -o json") echo '{"kind":"List","items":[]}' ;;
"get pods --namespace shop -o jsonpath"*) printf 'api-1 setup:0 api:2\nweb-1 web:0\n' ;;
"get pods --namespace empty -o jsonpath"*) ;;
"logs --prefix --timestamps --namespace shop api-1 --container api --previous") echo '[pod/api-1/api] 2026-11-24T03:07:11Z before' ;;
"logs --prefix --timestamps --namespace shop "*" --container "*) echo "[pod/$6/$8] 2026-11-24T03:07:12Z hello" ;;
*) echo "unexpected: $*" >&2; exit 9 ;;
esac
"""
GCLOUD = NOTE + r"""case "$*" in
"version --format=json") echo '{"Google Cloud SDK":"500"}' ;;
"config get-value project") echo chat-prod ;;
"logging read  --project chat-prod --freshness 2h --limit 100000 --order asc --format json") echo '[{"insertId":"a"}]' ;;
"run services list --project chat-prod --format json") echo '[]' ;;
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


def test_kubectl(work, shell):
    run = Run("kubectl", KUBECTL, work, shell)
    run.check("kubectl")
    logs = {path: run.text(path) for path in run.files if path.endswith(".log")}
    want = {f"kubernetes/shop/{pod}_{name}.log": f"[pod/{pod}/{name}] 2026-11-24T03:07:12Z hello\n" for pod, name in (("api-1", "setup"), ("api-1", "api"), ("web-1", "web"))}
    want["kubernetes/shop/api-1_api.previous.log"] = "[pod/api-1/api] 2026-11-24T03:07:11Z before\n"
    tap.point(logs == want, "kubectl: each container's log, and that of the run before", logs)
    tap.point("forbidden" in run.text("errors.txt") and b"errors.txt" in run.done.stderr, "kubectl: what could not be had is said", run.files)


def test_gcloud(work, shell):
    run = Run("gcloud", GCLOUD, work, shell, COLLECT_SINCE="2h")
    run.check("gcloud")
    tap.point(run.text("gcloud/chat-prod/logs.json") == '[{"insertId":"a"}]\n' and run.text("gcloud/chat-prod/limit.txt") == "limit 100000\n",
              "gcloud: the entries of the project that is configured, and the limit", run.files)


def test_docker(engine, work, shell):
    real = shutil.which("docker")
    run = Run("docker", NOTE + f'exec {real} "$@"\n', work, shell, DOCKER_HOST=engine.host)
    run.check("docker")
    have = [line.split(" ", 1)[1] for line in run.text("docker/logs/iq-collected.log").splitlines()]
    tap.point({"one", "two"} <= set(have), "docker: logs of both streams, with times", [line[:60] for line in have])
    tap.point('"ExitCode": 4' in run.text("docker/inspect/iq-collected.json"), "docker: states")
    tap.point('"die"' in run.text("docker/events.ndjson") and "iq-collected" in run.text("docker/ps.ndjson"), "docker: events, and the list")
    one = Run("docker", NOTE + f'exec {real} "$@"\n', work, shell, "iq-collected", "no-such", DOCKER_HOST=engine.host)
    tap.point([path for path in one.files if path.startswith("docker/logs/")] == ["docker/logs/iq-collected.log"] and "no-such" in one.text("errors.txt"),
              "docker: only the containers that are named; one that is not there is said", one.files.keys())


def main():
    for name in READS:
        check_syntax(name)
    with tempfile.TemporaryDirectory(prefix="iq-collect-", dir="/tmp") as work:
        for shell in shells()[:2]:
            test_kubectl(work, shell)
            test_gcloud(work, shell)
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
            finally:
                engine.close()
    tap.end()


main()
