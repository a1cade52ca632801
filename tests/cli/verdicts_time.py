#!/usr/bin/env python3
"""Verdicts of rules that read times and numbers, each against what it means: deadlines, sequences, and orders that clocks leave open.

    verdicts_time.py INQUEST

IQ_TEST_ROUNDS: how often each is judged (4), IQ_TEST_SEED repeats a run.
"""
import json
import pathlib
import random
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import verdicts
from tap import Tap, rounds, seed

SESSIONS, MS = 60, 1_000_000
START = 1700000000_000_000_000


def stamp(ns):
    return f"{ns // 10**9}.{ns % 10**9:09d}"


def line(source, session, at, **record):
    return json.dumps({"ts": 0, "source": source, "session": session, **record}).replace('"ts": 0', f'"ts": {stamp(at)}')


def message(source, session, at, name, **attrs):
    return line(source, session, at, kind="ws.message", direction="server", type=name, key=session.split("-")[0], **({"attrs": attrs} if attrs else {}))


# ---- Deadlines. A trace: start and end seen?, [(ms, name or None for a gap)], how long its source goes on. ----

def random_trace(in_order):
    at, items, names = 0, [], ["a"] if in_order else []
    names += random.choices("c" if in_order else "abc", k=random.randint(0, 4))
    if in_order and random.random() < 0.6:
        names.append("b")
    for name in names or ["a"]:
        at += random.choice([1, 3, 5, 7, 9]) * 1000
        items.append((at, name))
    if random.random() < 0.4:
        place = random.randint(0, len(items))
        items.insert(place, (items[place - 1][0] + 1 if place else 1, None))
    return {"start": random.random() < 0.8, "end": random.random() < 0.5, "items": items, "until": at + random.choice([10, 4000, 12000, 40000])}


def judge_deadlines(trace, rules, in_order):
    """violated: in every filling; ok: in every one as well."""
    items, until = trace["items"], trace["until"]
    seen = [(at, name) for at, name in items if name]
    # Behind the end nothing can come; b ends what is in order, and nothing comes behind it either.
    complete = in_order and seen[-1][1] == "b"
    dark = [i for i, item in enumerate(items) if item[1] is None]
    inside = [i for i in dark if not (complete and i > items.index(seen[-1]))]
    whole = trace["start"] and (trace["end"] or complete) and not inside
    broken = False
    if "within" in rules:
        for i, (at, name) in enumerate(items):
            rest = items[i + 1:]
            # A gap lies somewhere between its neighbours.
            hidden = any(there is None and (rest[j - 1][0] if j else at) <= at + rules["within"] for j, (_, there) in enumerate(rest))
            answered = any(there == "b" and when - at <= rules["within"] for when, there in rest)
            due = trace["end"] or complete or until >= at + rules["within"] or any(there for when, there in rest if when > at + rules["within"])
            broken |= name == "a" and not answered and not hidden and bool(due)
    going_on = in_order and not complete
    # Behind what was seen last the b may have been lost; before it there was no place for it.
    lost = any(i > items.index(seen[-1]) for i in dark)
    if "idle" in rules:
        for (at, name), (when, there) in zip(items, items[1:]):
            broken |= bool(name and there) and when - at > rules["idle"]
        broken |= going_on and not trace["end"] and bool(items[-1][1]) and until - items[-1][0] > rules["idle"]
    if "total" in rules:
        broken |= seen[-1][0] - seen[0][0] > rules["total"]
        broken |= going_on and not trace["end"] and until - seen[0][0] > rules["total"] and not lost
    if going_on and trace["end"] and not lost:
        broken = True
    return "violated" if broken else "ok" if whole else "undetermined"


def check_deadlines(inquest, folder, tally):
    in_order = random.random() < 0.5
    rules = {rule: random.choice([2, 4, 6, 8, 12]) * 1000 for rule in random.sample(["within", "idle", "total"], random.randint(1, 3))}
    spec = "lifecycle: l\nselect: { kind: ws.message }\ninstance: key\norder: " + ("a, c*, b\n" if in_order else "(a | b | c)*\n")
    for rule, limit in rules.items():
        spec += f"within:\n  - a -> b: {limit}ms\n" if rule == "within" else f"{rule}: {limit}ms\n"
    traces = [random_trace(in_order) for _ in range(SESSIONS)]
    lines = []
    for i, trace in enumerate(traces):
        source, session, base = f"p{i}", f"c{i}", START + i * 10**12
        if trace["start"]:
            lines.append(line(source, session, base, kind="ws.open"))
        for at, name in trace["items"]:
            lines.append(message(source, session, base + at * MS, name) if name else line(source, session, base + at * MS, kind="gap", reason="lost"))
        if trace["end"]:
            lines.append(line(source, session, base + (trace["items"][-1][0] + 5) * MS, kind="ws.close"))
        # Its source goes on for a while.
        lines.append(line(source, None, base + trace["until"] * MS, kind="log", body="still here"))
    for trace, got in zip(traces, verdicts.checked(inquest, folder, spec, lines), strict=True):
        note(tally, got, judge_deadlines(trace, rules, in_order), f"{spec!r} {trace}")


# ---- Sequences ----

def check_sequences(inquest, folder, tally):
    restarts = random.random() < 0.4
    spec = "lifecycle: l\nselect: { kind: ws.message }\ninstance: key\n"
    spec += "order: (u | s)*\nsequence: { first: '@n', restart: s }\n" if restarts else "sequence: '@n'\n"
    sessions = []
    for _ in range(SESSIONS):
        number, items = random.randint(1, 9), []
        for _ in range(random.randint(1, 6)):
            kind = random.choice("uuus" if restarts else "u")
            number = random.randint(1, 9) if kind == "s" else max(1, number + random.choice([1, 1, 1, 1, 1, 1, 0, 2, -1]))
            items.append((kind, number))
        if random.random() < 0.4:
            items.insert(random.randint(0, len(items)), ("gap", random.choice([None, 1, 2])))
        sessions.append({"start": random.random() < 0.8, "end": random.random() < 0.8, "items": items})
    lines, at = [], START
    for i, session in enumerate(sessions):
        records = [line("p", f"c{i}", at, kind="ws.open")] if session["start"] else []
        for kind, number in session["items"]:
            at += MS
            records.append(message("p", f"c{i}", at, kind, n=number) if kind != "gap" else
                           line("p", f"c{i}", at, kind="gap", reason="lost", **({"count": number} if number else {})))
        lines += records + ([line("p", f"c{i}", at, kind="ws.close")] if session["end"] else [])
    for session, got in zip(sessions, verdicts.checked(inquest, folder, spec, lines), strict=True):
        note(tally, got, judge_sequence(session, restarts), f"{spec!r} {session}")


def judge_sequence(session, restarts):
    """Whether each number follows the one before, in some way of filling what lies between."""
    last, gap, fresh, broken, dark = None, None, False, False, not session["end"]
    for kind, number in session["items"]:
        if kind == "gap":
            gap = (number,)
            continue
        if kind == "s" or last is None:
            last, gap, fresh = number, None, kind == "s"
            continue
        # Behind a restart what is older is passed over.
        good = number <= last + 1 if fresh else number == last + 1
        # A gap may have held the numbers between, or a restart; numbers that follow one another prove that it held neither.
        reach = last + 1 + (gap[0] or 99) if gap else 0
        dark |= bool(gap) and not good
        broken |= not good and not (gap and restarts) and not last + 1 < number <= reach
        gap = None
        if not (fresh and number < last):
            last, fresh = number, False
    return "violated" if broken else "undetermined" if dark else "ok"


# ---- Orders that clocks leave open: one source is between `low` and `high` behind, the same for all of its events ----

def check_clocks(inquest, folder, tally):
    order = verdicts.random_order(random.randint(1, 3))
    once = random.random() < 0.5
    if once:
        order = (",", ("name", "s"), (",", order, ("name", "e")))
    oracle = verdicts.Oracle(order, set())
    low, high = random.choice([(-1000, 1000), (0, 0), (200, 1500), (-2500, -500)])
    spec = f"lifecycle: l\nselect: {{ kind: ws.message }}\ninstance: key\norder: {verdicts.written(order)}\n"
    lines, truth, at = [], [], START
    for i in range(SESSIONS // 2):
        names = [item for item in verdicts.random_session(oracle)["items"] if isinstance(item, str)]
        if once:
            names = ["s", *(name for name in names if name not in "se"), "e"]
        events, when = [], 0
        for name in names:
            when += random.choice([2, 400, 900, 2600])
            source = random.choice("pq")
            # Odd and even, so that no shift makes two of them the same.
            events.append((source, when + (source == "q") - (random.choice([low, high, 0]) if source == "q" else 0), name))
        streams = {source: sorted(event for event in events if event[0] == source) for source in "pq"}
        for source, stream in streams.items():
            if stream:
                lines.append(line(source, f"c{i}-{source}", at + stream[0][1] * MS - 1, kind="ws.open"))
                lines += [message(source, f"c{i}-{source}", at + when * MS, name) for _, when, name in stream]
                lines.append(line(source, f"c{i}-{source}", at + stream[-1][1] * MS + 1, kind="ws.close"))
        truth.append((streams, worlds(oracle, streams, low, high)))
        at += 100_000 * MS
    # Each source writes an evidence of its own.
    got = iter(verdicts.checked(inquest, folder, spec, lines, "--skew", f"q={low:+d}ms..{high:+d}ms"))
    for streams, wanted in truth:
        # One instance, of one or two sessions; a second instance may be in one of them alone.
        mine = [next(got) for stream in streams.values() if stream]
        worst = max(mine, key=["ok", "undetermined", "violated"].index)
        # Instances with one key that follow each other closer than the clocks tell are not taken apart.
        if once or worst != "undetermined":
            note(tally, worst, wanted, f"{spec!r} {low}..{high} {streams}")


def worlds(oracle, streams, low, high):
    """Under every shift that is left open."""
    cuts = sorted({p[1] - q[1] for p in streams["p"] for q in streams["q"] if low < p[1] - q[1] < high} | {low, high})
    shifts = {low, high} | {(a + b) / 2 for a, b in zip(cuts, cuts[1:])}
    found = set()
    for shift in shifts:
        merged = sorted([(when, i, name) for i, (_, when, name) in enumerate(streams["p"])] +
                        [(when + shift, i, name) for i, (_, when, name) in enumerate(streams["q"])])
        found.add(oracle.verdict({"start": True, "end": True, "items": [name for _, _, name in merged]}))
    return found.pop() if len(found) == 1 else "undetermined"


def note(tally, got, wanted, what):
    tally["total"] += 1
    if got != wanted:
        tally["vague" if got == "undetermined" else "wrong"].append(f"{got}, not {wanted}: {what}")


def main():
    seed()
    tap = Tap()
    count = rounds(4)
    for check, what in ((check_deadlines, "deadlines"), (check_sequences, "sequences"), (check_clocks, "clocks")):
        tally = {"wrong": [], "vague": [], "total": 0}
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(count):
                check(sys.argv[1], folder, tally)
        tap.note(f"{what}: {tally['total']} instances, {len(tally['vague'])} vague")
        tap.point(not tally["wrong"], f"{what}: ok and violated are right", "\n".join(tally["wrong"]))
        tap.point(len(tally["vague"]) <= tally["total"] / 20, f"{what}: undetermined is said where it must be, and nearly nowhere else", "\n".join(tally["vague"]))
    tap.end()


if __name__ == "__main__":
    main()
