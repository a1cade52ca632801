"""The chat: runs of an agent, judged by lifecycles. What `check` and plain queries manage, against `zstd -3` on the same bytes."""
import json
import os
import random

from measure import clock

RUNS = int(os.environ.get("BENCH_RUNS", "40000"))
QUERIES = {"sql-group-by-type": "SELECT type, count(*) FROM events GROUP BY type",
           "sql-one-session": "SELECT count(*) FROM events WHERE session = 's7'",
           "sql-body-regexp": "SELECT count(*) FROM events WHERE body REGEXP 'refund.*late'"}


def event_lines(runs):
    """Runs of an agent chat, a session each ten, as a proxy would write them."""
    rng = random.Random(1)
    now = 1795403232.0
    for session in range(runs // 10):
        def line(kind, **fields):
            nonlocal now
            now += rng.expovariate(200)
            return json.dumps({"ts": f"{now:.6f}", "source": "proxy", "session": f"c{session}", "kind": kind, **fields}) + "\n"

        yield line("ws.open", attrs={"url": "ws://chat:8000/ws", "status": 101})
        for run in range(session * 10, session * 10 + 10):
            run_id, tool = f"{rng.getrandbits(64):016x}", f"call_{rng.getrandbits(48):012x}"
            text = " ".join(rng.choice(("order", "parcel", "invoice", "refund", "address", "late", "cancel", "please")) for _ in range(12))
            yield line("ws.message", direction="client", body=json.dumps({"type": "user_message", "text": text}))
            for kind, extra in (("agent_started", {}), ("agent_thinking", {"text": text[:40]}), ("tool_executing", {"tool_id": tool}),
                                ("tool_completed", {"tool_id": tool, "hits": rng.randrange(9)}), ("agent_completed", {"text": text})):
                yield line("ws.message", direction="server", body=json.dumps({"type": kind, "run_id": run_id, **extra}))
        yield line("ws.close", direction="client", attrs={"code": 1000})


def measure(report, inquest, spec, work):
    source, store = work / "chat.ndjson", work / "chat"
    with open(source, "w") as file:
        file.writelines(event_lines(RUNS))
    zstd = clock.best(3, lambda: clock.run(["zstd", "-3", "-T1", "-q", "-f", "-o", work / "chat.zst", source])[0])
    clock.run([inquest, "ingest", source, "--store", store])
    events = int(clock.text([inquest, "sql", store, "SELECT count(*) FROM events", "--format", "csv"]).splitlines()[-1])
    for name, command in {"check": [inquest, "check", store, "--spec", spec],
                          **{name: [inquest, "sql", store, query] for name, query in QUERIES.items()}}.items():
        took = clock.best(3, lambda: clock.run(command, codes=(0, 1, 3))[0])
        report.note(bench=name, events=events, events_per_s=round(events / took), time_to_zstd3=round(took / zstd, 2))
