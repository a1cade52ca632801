"""A real Docker Engine for tests: one that is running, else an own one in a directory of its own.

Containers are labelled and removed afterwards. The image is busybox-static, imported."""
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
import uuid

IMAGE = "inquest-test:1"
LABEL = f"inquest.test={uuid.uuid4().hex[:12]}"
BUSYBOX = pathlib.Path("/bin/busybox"), pathlib.Path("/usr/bin/busybox")
PROGRAMS = "sh sleep echo cat seq head tr printf dd kill date true false awk tail yes wc test".split()


class CannotStart(Exception):
    pass


def busybox():
    for path in BUSYBOX:
        if path.exists() and b"interp" not in path.read_bytes()[:4096]:
            return path
    raise CannotStart("busybox-static is not installed")


class Engine:
    """`host` is its DOCKER_HOST."""
    def __init__(self, host):
        self.host = host

    def docker(self, *words, check=True, input=None):
        environment = {**os.environ, "DOCKER_HOST": self.host}
        done = subprocess.run(["docker", *words], env=environment, input=input, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if check and done.returncode:
            raise RuntimeError(f"docker {' '.join(words)}: {done.stderr.decode()}")
        return done.stdout.decode(errors="replace")

    def answers(self):
        return subprocess.run(["docker", "version"], env={**os.environ, "DOCKER_HOST": self.host}, capture_output=True).returncode == 0

    def make_image(self):
        root = io.BytesIO()
        with tarfile.open(fileobj=root, mode="w") as tar:
            tar.add(busybox(), "bin/busybox")
            for name in PROGRAMS:
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
        self.docker("import", "-", IMAGE, input=root.getvalue())

    def run(self, name, script, *options):
        """Starts a container in the background, and gives its id."""
        return self.docker("run", "-d", "--label", LABEL, "--network", "none", "--name", name, *options, IMAGE, "sh", "-c", script).strip()

    def logs(self, name, stream):
        """The lines of one stream that the Engine has."""
        done = subprocess.run(["docker", "logs", name], env={**os.environ, "DOCKER_HOST": self.host}, capture_output=True, check=True)
        return getattr(done, stream).decode().splitlines()

    def inspect(self, name):
        return json.loads(self.docker("inspect", name))[0]

    def wait(self, *names):
        for name in names:
            self.docker("wait", name)

    def remove_all(self):
        """And waits until they are gone: a recorder that comes next sees those whose removal is in progress."""
        until = time.monotonic() + 30
        while (found := self.docker("ps", "-aq", "--filter", f"label={LABEL}", check=False).split()) and time.monotonic() < until:
            self.docker("rm", "-f", *found, check=False)
            time.sleep(0.1)

    def close(self):
        self.remove_all()


class OwnEngine(Engine):
    """`dockerd` with its own data and socket; containers live through its restarts."""
    def __init__(self):
        if not shutil.which("dockerd") or not shutil.which("docker"):
            raise CannotStart("docker.io is not installed")
        if os.geteuid() != 0:
            raise CannotStart("only root can start dockerd")
        # Short: the paths of sockets are.
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="iq-engine-", dir="/tmp"))
        super().__init__(f"unix://{self.place}/docker.sock")
        (self.place / "daemon.json").write_text("{}")
        (self.place / "containerd.toml").write_text('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
        self.log = open(self.place / "log", "ab")
        self.process = None
        self.more = []  # options of dockerd
        self.containerd = self.spawn("containerd", "--config", self.place / "containerd.toml", "--root", self.place / "containerd", "--state",
                                     self.place / "state", "--address", self.place / "containerd.sock")
        try:
            self.start()
            self.make_image()
        except (CannotStart, RuntimeError) as why:
            self.close()
            raise CannotStart(str(why).strip()) from None

    def last_words(self):
        lines = (self.place / "log").read_text().splitlines()
        return lines[-1][-300:] if lines else "it says nothing"

    def spawn(self, *words):
        return subprocess.Popen(words, stdout=self.log, stderr=self.log, start_new_session=True)

    def start(self):
        self.process = self.spawn("dockerd", "--data-root", self.place / "data", "--exec-root", self.place / "exec", "--pidfile", self.place / "pid",
                                  "--config-file", self.place / "daemon.json", "--containerd", self.place / "containerd.sock", "-H", self.host,
                                  "--storage-driver=vfs", "--iptables=false", "--ip6tables=false", "--bridge=none", "--live-restore", *self.more)
        until = time.monotonic() + 30
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > until:
                raise CannotStart("dockerd does not start: " + self.last_words())
            time.sleep(0.1)

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(30)

    def close(self):
        if self.process and self.process.poll() is None:
            self.remove_all()
            self.stop()
        self.containerd.terminate()
        self.containerd.wait(30)
        self.log.close()
        for line in reversed(pathlib.Path("/proc/mounts").read_text().splitlines()):
            if line.split()[1].startswith(f"{self.place}/"):
                subprocess.run(["umount", "-l", line.split()[1]], check=False)
        shutil.rmtree(self.place, ignore_errors=True)


def running():
    """The Engine of the environment, or None."""
    engine = Engine(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    return engine if shutil.which("docker") and engine.answers() else None


def skip(tap, what, why):
    """Continuous integration has an Engine, or has failed."""
    if os.environ.get("CI") == "true":
        tap.point(False, what, f"with CI=true this may not be skipped: {why}")
    else:
        tap.point(True, f"{what} # SKIP {why}")


def running_or_own():
    engine = running() or OwnEngine()
    try:
        engine.make_image()
    except BaseException:
        engine.close()
        raise
    return engine
