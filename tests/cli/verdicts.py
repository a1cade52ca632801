#!/usr/bin/env python3
"""Verdicts against an oracle: random orders, random sessions with gaps, unseen starts and unseen ends. The oracle follows
every way in which the dark could have been filled, event by event; ok and violated are right only where all of them agree.

    verdicts.py INQUEST

IQ_TEST_ROUNDS: how often 60 sessions are judged (12), IQ_TEST_SEED repeats a run.
"""
import functools
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from tap import Tap, rounds, seed

EMPTY, NOTHING = ("empty",), ("nothing",)


# ---- Orders: ("name", x), (",", a, b), ("|", a, b), ("&", a, b), ("repeat", a, least, most) ----

def then(a, b):
    return NOTHING if NOTHING in (a, b) else b if a == EMPTY else a if b == EMPTY else (",", a, b)


def either(*orders):
    """Flat and sorted, so that there are only so many different ones."""
    parts = {part for order in orders for part in (order[1:] if order[0] == "|" else [order])} - {NOTHING}
    return ("|", *sorted(parts, key=repr)) if len(parts) > 1 else parts.pop() if parts else NOTHING


def both(a, b):
    return NOTHING if NOTHING in (a, b) else b if a == EMPTY else a if b == EMPTY else ("&", *sorted((a, b), key=repr))


@functools.lru_cache(None)
def accepts(order):
    kind = order[0]
    if kind in ",&":
        return accepts(order[1]) and accepts(order[2])
    if kind == "|":
        return any(accepts(part) for part in order[1:])
    return kind == "empty" or (kind == "repeat" and (order[2] == 0 or accepts(order[1])))


@functools.lru_cache(None)
def after(order, name):
    """What the order still asks for after this name."""
    kind = order[0]
    if kind == "name":
        return EMPTY if order[1] == name else NOTHING
    if kind == ",":
        skipped = after(order[2], name) if accepts(order[1]) else NOTHING
        return either(then(after(order[1], name), order[2]), skipped)
    if kind == "|":
        return either(*(after(part, name) for part in order[1:]))
    if kind == "&":
        return either(both(after(order[1], name), order[2]), both(order[1], after(order[2], name)))
    if kind == "repeat":
        _, inner, least, most = order
        rest = EMPTY if most == 1 else ("repeat", inner, max(least - 1, 0), most and most - 1)
        return then(after(inner, name), rest)
    return NOTHING


def random_order(depth):
    kind = random.choice("nnn,,,,|&r") if depth else "n"
    if kind == "n":
        return ("name", random.choice("abc"))
    if kind == "r":
        return ("repeat", random_order(depth - 1), *random.choice([(0, 1), (0, None), (1, None), (2, 2), (1, 2), (0, 2)]))
    return (kind, random_order(depth - 1), random_order(depth - 1))


def written(order):
    if order[0] == "name":
        return order[1]
    if order[0] == "repeat":
        return f"({written(order[1])}){{{order[2]},{'' if order[3] is None else order[3]}}}"
    return f"({written(order[1])} {order[0]} {written(order[2])})"


def names_of(order):
    return {order[1]} if order[0] == "name" else set().union(*(names_of(part) for part in order[1:] if isinstance(part, tuple)))


# ---- The oracle: a world is (what the instance still asks for, was any of it seen, is a seen one broken) ----

OVER = "over"


class Oracle:
    def __init__(self, order, ends):
        self.order, self.ends = order, ends
        self.names = sorted(names_of(order) | ends)

    def step(self, world, name, seen):
        state, touched, broken = world
        if state == OVER and after(self.order, name) == NOTHING and name in names_of(self.order):
            return (NOTHING, True, True) if seen else world
        if state == OVER and name in names_of(self.order):
            state, touched = self.order, False
        touched = touched or seen
        if state == OVER or (state != NOTHING and name not in names_of(self.order)):
            return (OVER, touched, broken)
        state = after(state, name)
        if state != NOTHING and ((name in self.ends and accepts(state)) or all(after(state, n) == NOTHING for n in self.names)):
            state = OVER
        return (state, touched, broken or (state == NOTHING and touched))

    def fill(self, worlds, count):
        """Every world after up to `count` unseen events, or after any number."""
        new = worlds
        while new and count != 0:
            new = {self.step(world, name, False) for world in new for name in self.names} - worlds
            worlds, count = worlds | new, None if count is None else count - 1
        return worlds

    def verdict(self, session):
        worlds = {(self.order, False, False)}
        if not session["start"]:
            worlds = self.fill(worlds, None)
        for item in session["items"]:
            if isinstance(item, str):
                worlds = {self.step(world, item, True) for world in worlds}
            else:
                worlds = self.fill(worlds, item[0])
        over = session["end"] or all(state == OVER or not touched for state, touched, _ in worlds)
        if not session["end"]:
            worlds = self.fill(worlds, None)
        broken = {bad or (touched and state != OVER and not accepts(state)) for state, touched, bad in worlds}
        return "violated" if broken == {True} else "ok" if broken == {False} and over else "undetermined"


# ---- Sessions, as NDJSON ----

def random_session(oracle):
    session = {"start": random.random() < 0.75, "end": random.random() < 0.75, "items": []}
    state = oracle.order
    for _ in range(random.randint(1, 5)):
        fitting = [name for name in oracle.names if after(state, name) != NOTHING]
        name = random.choice(fitting if fitting and random.random() < 0.75 else oracle.names)
        session["items"].append(name)
        state = after(state, name)
        if all(after(state, n) == NOTHING for n in oracle.names):
            state = oracle.order
    for _ in range(random.choice([0, 0, 0, 1, 1, 2])):
        session["items"].insert(random.randint(0, len(session["items"])), (random.choice([None, None, 1, 2]),))
    return session


def records(name, session):
    """A session's records, each with the number of items that it leaves behind."""
    stamp = {"source": "p", "session": name}
    if session["start"]:
        yield 0, {**stamp, "kind": "ws.open"}
    for done, item in enumerate(session["items"], 1):
        if isinstance(item, str):
            yield done, {**stamp, "kind": "ws.message", "direction": "server", "type": item, "key": "k"}
        else:
            yield done, {**stamp, "kind": "gap", "reason": "lost", **({} if item[0] is None else {"count": item[0]})}
    if session["end"]:
        yield len(session["items"]), {**stamp, **random.choice([{"kind": "ws.close", "attrs": {"code": 1000}}, {"kind": "cut"}])}


def lines_of(sessions, first):
    """Some sessions at once, with damage between their lines that touches those that are going on."""
    left = [list(records(f"c{first + i}", session)) for i, session in enumerate(sessions)]
    going, damage, clock = {}, [], 1700000000 + first
    while any(left):
        i = random.choice([i for i, rest in enumerate(left) if rest])
        done, record = left[i].pop(0)
        clock += random.choice([0, 0.001])
        yield json.dumps({"ts": round(clock, 3), **record})
        going[i] = done
        if not left[i] and sessions[i]["end"]:
            del going[i]
        if random.random() < 0.03:
            yield random.choice(["{not JSON", json.dumps({"ts": round(clock, 3), "source": "p", "kind": "gap", "reason": "lost"})])
            damage += going.items()
    for i, done in sorted(damage, reverse=True):
        sessions[i]["items"].insert(done, (None,))


def checked(inquest, folder, spec, lines, *options):
    """Of each session, in the order in which they appear, the worst verdict of its instances."""
    with open(f"{folder}/recording.ndjson", "w") as out:
        out.writelines(line + "\n" for line in lines)
    with open(f"{folder}/spec.yaml", "w") as out:
        out.write(spec)
    result = subprocess.run([inquest, "check", f"{folder}/recording.ndjson", "--spec", f"{folder}/spec.yaml", "--format", "json", *options],
                            capture_output=True, check=False)
    assert result.returncode in (0, 1, 3), result.stderr.decode()
    verdicts = {session["session"]: session["verdict"] for session in json.loads(result.stdout)["sessions"]}
    return [verdicts[f"s{number}"] for number in range(1, len(verdicts) + 1)]


def judged(inquest, folder, spec, sessions):
    lines = [line for first in range(0, len(sessions), 5) for line in lines_of(sessions[first:first + 5], first)]
    found = checked(inquest, folder, spec, lines)
    # Sessions are numbered as they appear.
    names = dict.fromkeys(re.findall(r'"session": "(c[0-9]+)"', "\n".join(lines)))
    numbers = {name: number for number, name in enumerate(names)}
    return [found[numbers[f"c{i}"]] for i in range(len(sessions))]


def main():
    seed()
    wrong, vague, total = [], [], 0
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds(12)):
            order = random_order(random.randint(1, 3))
            ends = set(random.sample("abcx", 1)) & (names_of(order) | {"x"}) if random.random() < 0.4 else set()
            oracle = Oracle(order, ends)
            spec = f"lifecycle: l\nselect: {{ kind: ws.message }}\ninstance: [session, key]\norder: {written(order)}\n"
            spec += f"final: [{', '.join(ends)}]\n" if ends else ""
            sessions = [random_session(oracle) for _ in range(60)]
            for session, got in zip(sessions, judged(sys.argv[1], folder, spec, sessions), strict=True):
                wanted = oracle.verdict(session)
                total += 1
                if got != wanted:
                    (vague if got == "undetermined" else wrong).append(f"{got}, not {wanted}: {written(order)} {ends} {session}")
    tap = Tap()
    tap.note(f"{total} sessions")
    tap.point(not wrong, "ok and violated are never said against a way of filling the dark", "\n".join(wrong))
    # Instances that nobody saw are not told apart from seen ones, which costs a verdict now and then.
    tap.point(len(vague) <= total / 50, "undetermined is said where the dark decides, and nearly nowhere else", "\n".join(vague))
    tap.end()


if __name__ == "__main__":
    main()
