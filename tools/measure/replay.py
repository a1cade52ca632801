"""A replay as load, on loopback against an echo server in C: what a message costs, and what a session."""
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import time

from . import clock, record, rivals

ROUNDS = 3
AT_A_TIME = 64
MESSAGES = 1000  # of a session
HELD = 18_000
PACED, EACH = 500, 500  # sessions with a hundred messages a second, and how many each
MS = 1_000_000
START = 1_790_000_000_000_000_000


def text_of(number):
    return json.dumps({"type": "quote", "seq": number, "symbol": "ABC", "price": 100 + number / 8, "note": "x" * 60})


def recording(path, times):
    """One session whose client sends a message at each of the times (in ns) and gets it back, as inquest's own evidence."""
    def line(at, kind, direction, **fields):
        return json.dumps({"ts": START + at, "source": "bench", "session": "load", "kind": kind, "direction": direction, **fields}) + "\n"

    with open(path, "w", encoding="utf-8") as file:
        file.write(line(0, "ws.open", "client", attrs={"url": "ws://127.0.0.1/load", "status": 101}))
        for number, at in enumerate(times, 1):
            for direction, late in (("client", 0), ("server", 100_000)):
                file.write(line(at + late, "ws.message", direction, type="quote", body=text_of(number)))
        file.write(line(times[-1] + MS, "ws.close", "client", attrs={"code": 1000}))


class Ws(rivals.FromNpm):
    NAME, PACKAGE = "ws_loop", "ws"

    def command(self, url, sessions):
        return ["node", self.home / "ws_loop.mjs", url, text_of(1), sessions, AT_A_TIME, MESSAGES]


class Artillery(rivals.FromNpm):
    """Its scenarios are written, not recorded; it starts as many a second as it is told."""
    NAME, PACKAGE = "artillery", "artillery"
    # One of its packages would fetch browsers.
    INSTALL = [*rivals.FromNpm.INSTALL, "--ignore-scripts"]

    def command(self, url, sessions):
        script = {"config": {"target": url, "phases": [{"duration": 2, "arrivalCount": sessions}]},
                  "scenarios": [{"engine": "ws", "flow": [{"loop": [{"send": text_of(1)}], "count": MESSAGES}]}]}
        (self.home / "load.json").write_text(json.dumps(script))
        return [self.home / "node_modules/.bin/artillery", "run", "--quiet", self.home / "load.json"]


class Measure:
    def __init__(self, report, inquest, work, port):
        self.report, self.inquest, self.work, self.url, self.runs = report, inquest, work, f"ws://127.0.0.1:{port}/load", 0

    def case(self, name, times):
        store, evidence = self.work / name, self.work / f"{name}.ndjson"
        recording(evidence, times)
        clock.run([self.inquest, "ingest", evidence, "--store", store])
        return store

    def command(self, store, *options):
        self.runs += 1
        self.run_path = self.work / f"run-{self.runs}"
        return [self.inquest, "replay", store, "--target", self.url, "--run", self.run_path, "--json", self.work / "results.json", *options]

    def results(self):
        return json.loads((self.work / "results.json").read_text())

    # What a message costs: each side alone, by its processor time.

    def per_core(self, store, sessions):
        seconds = clock.processor_seconds(self.command(store, "--pace", "max", "--repeat", sessions, "--concurrency", AT_A_TIME))
        results = self.results()
        if results["ok"] != sessions:
            raise RuntimeError(f"{results['ok']} of {sessions} sessions are ok")
        shutil.rmtree(self.run_path)
        return sessions * MESSAGES / seconds

    def messages(self, rival, sessions, their_sessions, least):
        if rival.why_not:
            self.report.note(row="replay: messages/s of a core", against=rival.PACKAGE, skipped=rival.why_not)
            return
        store = self.case(f"messages-{rival.NAME}", [number * MS for number in range(1, MESSAGES + 1)])
        ours, theirs = clock.rounds(ROUNDS, lambda: self.per_core(store, sessions),
                                    lambda: their_sessions * MESSAGES / clock.processor_seconds(rival.command(self.url, their_sessions)))
        self.report.row("replay: messages/s of a core", f"{MESSAGES} a session, {AT_A_TIME} sessions at a time, --pace max", f"npm's {rival.PACKAGE}", clock.paired(ours, theirs),
                        least=least, per_second=statistics.median(ours), reference_per_second=statistics.median(theirs))

    # What a session costs: silent ones, all at once, after one message.

    @staticmethod
    def sockets(process):
        return sum(1 for entry in os.scandir(f"/proc/{process.pid}/fd") if re.match(r"socket:", os.readlink(entry.path)))

    @staticmethod
    def resident(process):
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{process.pid}/status").read_text())[1])

    def hold(self, store, count):
        """How many sockets there are once no more come, and the resident set in KiB."""
        command = [str(word) for word in self.command(store, "--pace", "recorded", "--repeat", count)]
        with open(self.work / "log", "ab") as log, subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as process:
            held, until = 0, time.monotonic() + 60
            while held < count and process.poll() is None and time.monotonic() < until:
                time.sleep(0.5)
                held = self.sockets(process)
            time.sleep(5)
            taken = (min(self.sockets(process), count), self.resident(process)) if process.poll() is None else (0, 0)
            process.send_signal(signal.SIGINT)
            process.wait(120)
        shutil.rmtree(self.run_path, ignore_errors=True)
        return taken

    def memory(self, quick):
        count, store = HELD // (10 if quick else 1), self.case("silent", [1000 * MS, 200_000 * MS])
        held, resident = self.hold(store, count)
        self.report.row("replay: sessions held by one process", "one message each, then silence", "", held, least=count)
        if held:
            self.report.row("replay: KiB of memory a session", f"all memory of the process with {held}", "", resident / held, most=40)

    # Whether it keeps the time: sessions whose messages fall between each other's.

    def lateness(self, quick):
        messages = EACH // (10 if quick else 1)
        store = self.case("paced", [number * 10 * MS for number in range(1, messages + 1)])
        found = []
        for _ in range(ROUNDS):
            clock.run(self.command(store, "--pace", "recorded", "--repeat", PACED, "--ramp", "997ms"))
            found.append(self.results())
            shutil.rmtree(self.run_path)
        sent = min(one["late"]["count"] for one in found)
        if sent != PACED * messages or any(one["ok"] != PACED for one in found):
            raise RuntimeError(f"{sent} messages were sent")
        self.report.row("replay: p99 of how late messages are sent, ms", f"{PACED} sessions, {100 * PACED} messages/s", "", statistics.median(one["late"]["p99_ns"] for one in found) / 1e6,
                        most=1, p50_ms=statistics.median(one["late"]["p50_ns"] for one in found) / 1e6, max_ms=max(one["late"]["max_ns"] for one in found) / 1e6)


def measure(report, build, cache, work, quick):
    port = record.free_port()
    with record.running([build / "tools/measure/ws-load", "echo", port], port, work / "echo"):
        rows = Measure(report, build / "cli/inquest", work, port)
        rows.messages(Ws(cache), 30 if quick else 300, 30 if quick else 300, 3)
        rows.messages(Artillery(cache), 30 if quick else 300, 10 if quick else 40, 20)
        rows.memory(quick)
        rows.lateness(quick)
