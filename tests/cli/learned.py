#!/usr/bin/env python3
"""What `learn` drafts of sessions that keep a known rule, two in a hundred of which are broken: the draft accepts all that keep it,
and finds what is planted.

    learned.py INQUEST

IQ_TEST_SEED repeats a run."""
import json
import pathlib
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from tap import Tap, seed

INQUEST = pathlib.Path(sys.argv[1]).resolve()
COUNT = 200


# ---- Rules: what a good session says, a list of (type, fields) ----

def sequence():
    return ["connect", "login", "ready", "bye"]


def choice():
    return ["ask", *random.choice([["answer"], ["refusal"], ["redirect", "answer"]]), "end"]


def loop():
    return ["begin", *["item", "ack"] * random.randint(1, 5), "end"]


def optional():
    return ["start", *(["warm"] if random.random() < 0.5 else []), "work", *(["note"] if random.random() < 0.3 else []), "stop"]


def interleave():
    left, right, out = ["a1", "a2"], ["b1", "b2"], ["open-all"]
    while left or right:
        out.append(random.choice([side for side in (left, right) if side]).pop(0))
    return [*out, "close-all"]


def tools():
    """Runs with tool calls in them, one or two at once."""
    run, out, going, left = f"r{random.getrandbits(40):x}", ["agent_started", "agent_thinking"], [], random.randint(0, 3)
    out = [(name, {"run_id": run}) for name in out]
    while left or going:
        if left and len(going) < 2 and (not going or random.random() < 0.4):
            going.append(f"t{random.getrandbits(40):x}")
            out.append(("tool_executing", {"run_id": run, "tool_id": going[-1]}))
            left -= 1
        else:
            out.append(("tool_completed", {"run_id": run, "tool_id": going.pop(random.randrange(len(going)))}))
    return [*out, ("agent_completed", {"run_id": run})]


# ---- How they break: a step left out, one said twice, two the wrong way round, the end missing ----

def broken(steps):
    steps, kind = list(steps), random.choice(["missing", "end", "swapped"])
    if kind == "end":
        return steps[:-1]
    if kind == "swapped":
        return [steps[-1], *steps[:-1]]
    return steps[1:]


def records(name, steps, at):
    yield {"ts": at, "source": "p", "session": name, "kind": "ws.open"}
    for step in steps:
        at += random.choice([0.01, 0.02, 0.05])
        kind, fields = step if isinstance(step, tuple) else (step, {"id": name})
        yield {"ts": round(at, 3), "source": "p", "session": name, "kind": "ws.message", "direction": "server", "body": {"type": kind, **fields}}
    yield {"ts": round(at + 0.01, 3), "source": "p", "session": name, "kind": "ws.close", "attrs": {"code": 1000}}


def write(path, sessions):
    lines = [json.dumps(record) for number, steps in enumerate(sessions) for record in records(f"c{number}", steps, 1700000000 + 10 * number)]
    path.write_text("".join(line + "\n" for line in lines))


def inquest(*words):
    return subprocess.run([INQUEST, *map(str, words)], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)


def verdicts(evidence, draft):
    report = json.loads(inquest("check", evidence, "--spec", draft, "--format", "json").stdout)
    return [session["verdict"] for session in report["sessions"]]


def judge(tap, work, rule):
    sessions = [rule() for _ in range(COUNT)]
    for number in random.sample(range(COUNT), COUNT // 50):
        sessions[number] = broken(sessions[number])
    write(work / "seen.ndjson", sessions)
    learned = inquest("learn", work / "seen.ndjson", "--good", "1", "--output", work / "draft.yaml")
    draft = (work / "draft.yaml").read_text() if (work / "draft.yaml").exists() else ""
    told = f"{learned.stdout}{learned.stderr}{draft}"
    tap.point(learned.returncode == 0, f"{rule.__name__}: a draft", told)
    write(work / "good.ndjson", [rule() for _ in range(COUNT)])
    found = verdicts(work / "good.ndjson", work / "draft.yaml")
    tap.point(set(found) == {"ok"}, f"{rule.__name__}: accepts what keeps the rule", f"{found.count('ok')} of {len(found)}\n{told}")
    write(work / "bad.ndjson", [broken(rule()) for _ in range(COUNT)])
    found = verdicts(work / "bad.ndjson", work / "draft.yaml")
    tap.point(set(found) == {"violated"}, f"{rule.__name__}: finds what breaks it", f"{found.count('violated')} of {len(found)}\n{told}")
    # Without it, all that was learned from is accepted.
    whole = inquest("learn", work / "seen.ndjson", "--good", "1", "--noise", "0", "--output", work / "whole.yaml")
    tap.point(whole.returncode == 0 and "violated" not in verdicts(work / "seen.ndjson", work / "whole.yaml"),
              f"{rule.__name__}: with --noise 0 everything is learned from", whole.stdout + whole.stderr)


def main():
    seed()
    tap = Tap()
    for rule in (sequence, choice, loop, optional, interleave, tools):
        with tempfile.TemporaryDirectory(prefix="inquest-learned-") as directory:
            judge(tap, pathlib.Path(directory), rule)
    tap.end()


main()
