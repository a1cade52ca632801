"""The inputs of the bench, made by tools/workloads and kept in a cache, since two of them take programs and a minute to make.

An Input is a file or a directory of files; references take the files one after another, as `cat` would give them."""
import json
import pathlib
import subprocess
import sys

TOOLS = pathlib.Path(__file__).resolve().parent.parent


class Input:
    def __init__(self, name, path, entropy=None):
        self.name, self.path, self.entropy = name, path, entropy
        self.files = sorted(path.iterdir()) if path.is_dir() else [path]
        self.bytes = sum(file.stat().st_size for file in self.files)

    def joined(self):
        """One file with all of it."""
        if len(self.files) == 1:
            return self.files[0]
        whole = self.path.with_suffix(".whole")
        if not whole.exists() or whole.stat().st_size != self.bytes:
            with open(whole, "wb") as out:
                subprocess.run(["cat", *self.files], check=True, stdout=out)
        return whole


def make(cache, name, suffix, command):
    """Runs command(path) unless the cache has it; what was interrupted is not taken for whole. Returns path and standard error."""
    path, notes, partial = cache / f"{name}{suffix}", cache / f"{name}.notes", cache / f"{name}{suffix}.partial"
    if not notes.exists():
        subprocess.run(["rm", "-rf", path, partial], check=True)
        made = subprocess.run(command(partial), check=False, capture_output=True, text=True)
        if made.returncode:
            raise RuntimeError((made.stderr.strip().splitlines() or ["no output"])[-1])
        partial.rename(path)
        notes.write_text(made.stderr)
    return path, notes.read_text()


def websocket(cache, build, megabytes):
    path, notes = make(cache, "W", ".ndjson", lambda to: ["sh", "-c", '"$1" "$2" "$3" >"$4"', "sh", build / "tools/workloads/ws-events",
                                                          TOOLS / "workloads/words.txt", str(megabytes), to])
    return Input("W", path, json.loads(notes)["entropy_bytes"])


def docker(cache, _, megabytes):
    return Input("D", make(cache, "D", "", lambda to: [TOOLS / "workloads/docker-logs", to, str(megabytes)])[0])


def trace(cache, _, megabytes):
    return Input("T", make(cache, "T", "-json.log", lambda to: [TOOLS / "workloads/clickhouse-trace", to, str(megabytes)])[0])


def kubernetes(cache, build, megabytes):
    """D again, in the frames of the container runtime interface: the time, the stream and a tag in front of the text."""
    given = docker(cache, build, megabytes)
    return Input("C", make(cache, "C", "", lambda to: [sys.executable, TOOLS / "workloads/cri-frames", to, *given.files])[0])


MAKERS = {"W": websocket, "D": docker, "T": trace, "C": kubernetes}
