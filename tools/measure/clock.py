"""Time, memory and how they are told: rows as JSON lines, each with its target and by how much it is missed."""
import json
import os
import statistics
import subprocess
import time


def usage_of(command, output=None, codes=(0,)):
    """Runs a program to its end and returns (seconds, what the kernel says it used). What it prints goes to a file, or nowhere.

    posix_spawn, since a fork of this process would be in the figure where a program needs only milliseconds."""
    command = [str(word) for word in command]
    to = [(os.POSIX_SPAWN_OPEN, 1, str(output or os.devnull), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
          (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
    begun = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=to)
    _, status, usage = os.wait4(child, 0)
    took = time.perf_counter() - begun
    code = os.waitstatus_to_exitcode(status)
    if code not in codes:
        raise RuntimeError(f"exit status {code}: {' '.join(command)[:300]}")
    return took, usage


def run(command, output=None, codes=(0,)):
    """(seconds, peak memory in bytes)"""
    took, usage = usage_of(command, output, codes)
    return took, usage.ru_maxrss * 1024


def processor_seconds(command):
    """All its threads, the kernel's work for them included."""
    usage = usage_of(command)[1]
    return usage.ru_utime + usage.ru_stime


def text(command):
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout


def best(count, measure):
    return min(measure() for _ in range(count))


def rounds(count, *measures):
    """Takes all measures in turn, so that what disturbs one disturbs its pair: for each a list of its seconds."""
    taken = [[] for _ in measures]
    for _ in range(count):
        for seconds, measure in zip(taken, measures):
            seconds.append(measure())
    return taken


def paired(ours, theirs):
    """The median of the ratios of each round."""
    return statistics.median(a / b for a, b in zip(ours, theirs))


class Report:
    """Prints rows and remembers how many reached their target."""
    def __init__(self):
        self.rows, self.reached = 0, 0

    def row(self, what, where, against, value, most=None, least=None, **details):
        """A measured value with its bound: at most `most`, or at least `least`."""
        over = value / most if least is None else least / value
        reached = over <= 1
        self.rows += 1
        self.reached += reached
        line = {"row": what, "input": where, "against": against, "value": figure(value), "target": f"<= {most}" if least is None else f">= {least}",
                "reached": reached}
        if not reached:
            line["misses_by"] = f"{100 * (over - 1):.1f}%"
        print(json.dumps({**line, **{name: figure(detail) for name, detail in details.items()}}), flush=True)

    def note(self, **fields):
        print(json.dumps(fields), flush=True)

    def end(self):
        self.note(rows=self.rows, reached=self.reached, missed=self.rows - self.reached)


def figure(value):
    """Three or four digits say it."""
    return float(f"{value:.4g}") if isinstance(value, float) else value
