#!/usr/bin/env python3
"""Verdicts of nested lifecycles against an oracle: runs whose calls overlap, with gaps, unseen starts and unseen ends. A run
is right where its own order and those of all its calls are; the oracle follows every filling and every choice of ends.

    verdicts_nested.py INQUEST

IQ_TEST_ROUNDS: how often 40 sessions are judged (10), IQ_TEST_SEED repeats a run.
"""
import functools
import json
import pathlib
import random
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import verdicts
from tap import Tap, rounds, seed
from verdicts import EMPTY, NOTHING, both, either, then

SESSIONS, MAX_WORLDS = 40, 400
BROKEN, OVER = frozenset(), "over"


class TooMany(Exception):
    """More than an oracle can follow."""


# ---- Orders of a run: those of verdicts, and ("calls", names, least, most, open ones, begun) ----

@functools.lru_cache(None)
def accepts(order):
    if order[0] == "calls":
        return not order[4] and order[5] >= order[2]
    if order[0] in ",&":
        return accepts(order[1]) and accepts(order[2])
    if order[0] == "|":
        return any(accepts(part) for part in order[1:])
    return verdicts.accepts(order) if order[0] != "repeat" else order[2] == 0 or accepts(order[1])


def after_calls(order, letter):
    _, names, least, most, going, begun = order
    if letter[0] == "begin" and letter[1][0] in names and (most is None or begun < most):
        return ("calls", names, least, most, going | {letter[1]}, min(begun + 1, least) if most is None else begun + 1)
    if letter[0] == "end" and letter[1] in going:
        left = (*order[:4], going - {letter[1]}, begun)
        return EMPTY if begun == most and not left[4] else left
    return NOTHING


@functools.lru_cache(None)
def after(order, letter):
    kind = order[0]
    if kind == "calls":
        return after_calls(order, letter) if isinstance(letter, tuple) else NOTHING
    if kind == ",":
        skipped = after(order[2], letter) if accepts(order[1]) else NOTHING
        return either(then(after(order[1], letter), order[2]), skipped)
    if kind == "|":
        return either(*(after(part, letter) for part in order[1:]))
    if kind == "&":
        return either(both(after(order[1], letter), order[2]), both(order[1], after(order[2], letter)))
    if kind == "repeat":
        _, inner, least, most = order
        return then(after(inner, letter), EMPTY if most == 1 else ("repeat", inner, max(least - 1, 0), most and most - 1))
    return verdicts.after(order, letter)


def names_of(order):
    return set() if order[0] == "calls" else verdicts.names_of(order) if order[0] == "name" else \
        set().union(*(names_of(part) for part in order[1:] if isinstance(part, tuple)))


def calls(names, least, most):
    return ("calls", names, least, most, frozenset(), 0)


def star(order):
    return ("repeat", order, 0, None)


THINK, NOTE, C, F = ("name", "think"), ("name", "note"), calls(("C",), 1, 1), calls(("F",), 1, 1)
BODIES = [
    ("C*", calls(("C",), 0, None)), ("(C | F)*", calls(("C", "F"), 0, None)), ("C{2}", calls(("C",), 2, 2)),
    ("(think | C)*", star(("|", THINK, calls(("C",), 1, None)))), ("think* & C*", ("&", star(THINK), calls(("C",), 0, None))),
    ("C, note, C", then(C, then(NOTE, C))), ("C+, note?", then(calls(("C",), 1, None), ("repeat", NOTE, 0, 1))),
    ("(C, note)*", star(then(C, NOTE))), ("C?, F", then(("repeat", C, 0, 1), F)), ("think?, (C & F)", then(("repeat", THINK, 0, 1), both(C, F))),
    ("(C | F), note", then(("|", C, F), NOTE)), ("(C | F){1,2}", calls(("C", "F"), 1, 2)), ("(C & note), C*", then(both(C, NOTE), calls(("C",), 0, None))),
]
X, Y, Z, U, V = (("name", name) for name in "xyzuv")
INNER = {
    "C": [("x, y", then(X, Y)), ("x, y*, z", then(X, then(star(Y), Z))), ("x, y?", then(X, ("repeat", Y, 0, 1))), ("x | y", ("|", X, Y)),
          ("x, (y & z)", then(X, both(Y, Z))), ("x{2}", then(X, X)), ("x, y*", then(X, star(Y)))],
    "F": [("u, v", then(U, V)), ("u+", then(U, star(U))), ("u", U)],
}


# ---- The oracle: a world is one filling of the dark so far: (was any of the run seen, every choice of ends that is right so far), a choice
# (what the run still asks for, open calls, ended calls). Without a choice the run is broken. ----

class Oracle:
    def __init__(self, body, inner):
        self.order = then(("name", "start"), then(body, ("name", "done")))
        self.inner = inner
        self.names = {name: sorted(verdicts.names_of(order)) for name, order in inner.items()}
        self.plain = sorted(names_of(self.order))

    def fresh(self):
        return (False, frozenset([(self.order, frozenset(), frozenset())]))

    def call_step(self, choice, call, name):
        """All choices after an event of a call: whether it was its last one may be open."""
        state, going, ended = choice
        rest = dict(going)
        if call in ended:
            return
        if call not in rest:
            state = after(state, ("begin", call))
        left = verdicts.after(rest.pop(call, self.inner[call[0]]), name)
        goes_on = any(verdicts.after(left, other) != NOTHING for other in self.names[call[0]])
        if goes_on and left != NOTHING:
            yield state, frozenset({**rest, call: left}.items()), ended
        if verdicts.accepts(left):
            yield after(state, ("end", call)), frozenset(rest.items()), ended | {call} if goes_on else ended

    def step(self, world, event, seen):
        """The world after an event, or None where nobody would tell."""
        call, name = event
        touched, choices = world
        if choices == OVER:
            if name != "start":
                return (True, BROKEN) if seen else world
            touched, choices = self.fresh()
        touched = touched or seen
        new = [after_one for choice in choices for after_one in
               (self.call_step(choice, call, name) if call else [(after(choice[0], name), *choice[1:])])]
        choices = frozenset(choice for choice in new if choice[0] != NOTHING)
        if not choices and not touched:
            return None
        return (touched, OVER if any(choice[0] == EMPTY for choice in choices) else choices)

    def fill(self, worlds, count, ids):
        alphabet = [(None, name) for name in self.plain]
        alphabet += [((inner, i), name) for inner in self.inner for i in (*ids, "8", "9") for name in self.names[inner]]
        new = worlds
        while new and count != 0:
            found = {after_one for world in new for event in alphabet if (after_one := self.step(world, event, False))}
            # What nobody saw and nobody will is forgotten once it is ended, so that there are only so many worlds.
            new = {(touched, choices if choices == OVER else
                    frozenset((*choice[:2], frozenset(call for call in choice[2] if call[1] in ids)) for choice in choices))
                   for touched, choices in found} - worlds
            worlds, count = worlds | new, None if count is None else count - 1
            if len(worlds) > MAX_WORLDS:
                raise TooMany
        return worlds

    def verdict(self, session):
        ids = {item[0][1] for item in session["items"] if len(item) == 2 and item[0]}
        worlds = {self.fresh()}
        if not session["start"]:
            worlds = self.fill(worlds, None, ids)
        for item in session["items"]:
            if len(item) == 2:
                worlds = {self.step(world, item, True) for world in worlds}
            else:
                worlds = self.fill(worlds, item[0], ids)
        over = session["end"] or all(choices == OVER or not touched for touched, choices in worlds)
        if not session["end"]:
            worlds = self.fill(worlds, None, ids)
        broken = {touched and choices != OVER for touched, choices in worlds}
        return "violated" if broken == {True} else "ok" if broken == {False} and over else "undetermined"


# ---- Sessions ----

def events_of(oracle):
    return [(None, name) for name in oracle.plain] + \
           [((inner, i), name) for inner in oracle.inner for i in "12" for name in oracle.names[inner]]


def random_session(oracle):
    session = {"start": random.random() < 0.8, "end": random.random() < 0.75, "items": []}
    world, alphabet = oracle.fresh(), events_of(oracle)
    for _ in range(random.randint(2, 8)):
        fitting = [event for event in alphabet if oracle.step(world, event, True)[1] != BROKEN]
        event = random.choice(fitting if fitting and random.random() < 0.93 else alphabet)
        session["items"].append(event)
        world = oracle.step(world, event, True)
    for _ in range(random.choice([0, 0, 0, 1, 1])):
        session["items"].insert(random.randint(0, len(session["items"])), (random.choice([None, None, 1]),))
    return session


def lines_of(name, session):
    stamp = {"source": "p", "session": name}
    if session["start"]:
        yield {**stamp, "kind": "ws.open"}
    for item in session["items"]:
        if len(item) == 1:
            yield {**stamp, "kind": "gap", "reason": "lost", **({} if item[0] is None else {"count": item[0]})}
        else:
            attrs = {"attrs": {"t": item[0][1]}} if item[0] else {}
            yield {**stamp, "kind": "ws.message", "direction": "server", "type": item[1], "key": "k", **attrs}
    if session["end"]:
        yield {**stamp, "kind": "ws.close", "attrs": {"code": 1000}}


def judge(inquest, folder, tally):
    body, inner = random.choice(BODIES), {name: random.choice(orders) for name, orders in INNER.items()}
    used = {name: order for name, (_, order) in inner.items() if name in body[0]}
    oracle = Oracle(body[1], used)
    spec = "lifecycle: run\nselect: { kind: ws.message }\ninstance: [session, key]\n"
    spec += f"order: start, ({body[0]}), done\n"
    spec += "".join(f"---\nlifecycle: {name}\ninstance: '@t'\norder: {inner[name][0]}\n" for name in used)
    sessions = [random_session(oracle) for _ in range(SESSIONS)]
    records = [{"ts": 1700000000 + number, **record} for number, record in
               enumerate(record for i, session in enumerate(sessions) for record in lines_of(f"c{i}", session))]
    for session, got in zip(sessions, verdicts.checked(inquest, folder, spec, [json.dumps(record) for record in records]), strict=True):
        try:
            wanted = oracle.verdict(session)
        except TooMany:
            continue
        # Where any number of calls may overlap there is no end of states, and the dark makes the order undetermined.
        endless = any(sign in body[0] for sign in "*+") and got == "undetermined"
        tally["total"] += not endless
        if got != wanted and not endless:
            tally["vague" if got == "undetermined" else "wrong"].append(f"{got}, not {wanted}: {body[0]} {used and inner} {session}")


def main():
    seed()
    tally = {"wrong": [], "vague": [], "total": 0}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds(10)):
            judge(sys.argv[1], folder, tally)
    tap = Tap()
    tap.note(f"{tally['total']} sessions, {len(tally['vague'])} vague")
    tap.point(not tally["wrong"], "ok and violated are never said against a way of filling the dark", "\n".join(tally["wrong"]))
    tap.point(len(tally["vague"]) <= tally["total"] / 25, "undetermined is said where the dark decides, and nearly nowhere else", "\n".join(tally["vague"]))
    tap.end()


if __name__ == "__main__":
    main()
