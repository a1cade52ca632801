"""The checker: against windowFunnel and sequenceMatch in chDB, window functions in DuckDB and SQLite, and for itself its automaton, its
memory, its alignments, and a process-mining log.

The others have the rows in a table of their own, sorted as they like best, and are asked for less: which instances do not go from their
first step to their last, with no repair. Loading is not in the figures, on either side; `check` is a process that starts, reads the sealed
store and prints its report."""
import gzip
import multiprocessing
import random
import re
import shutil
import statistics
import subprocess
import sys

from measure import clock, rivals

ROUNDS = 3
STEPS = ("agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed")
SPEC = """lifecycle: run
instance: key
order: agent_started, (agent_thinking | tool_executing | tool_completed)*, agent_completed
"""
CONNECTION = """lifecycle: connection
instance: session
order: >
  ws.open, ({types})*, ws.close?
"""
# Fifty events, each a step of an exact order, so that one fault has one place.
EXACT = """lifecycle: run
instance: key
ends: complete
order: agent_started, (tool_executing, tool_completed){24}, agent_completed
"""


class ChDB(rivals.FromNpm):
    """One thread for each processor, as all have."""
    NAME = PACKAGE = "chdb"

    def seconds(self, directory, *statements):
        return self.run(directory, *statements)


# ---- Inputs ----

def run_lines(instances, at_once, steps, key="run-{:07d}", change=None):
    """Instances, so many open at a time, a line for each step. `change` may make other steps of an instance's own."""
    now = 1795403232_000_000
    for first in range(0, instances, at_once):
        batch = [(key.format(i), change(i, steps) if change else steps) for i in range(first, min(first + at_once, instances))]
        for step in range(max(len(own) for _, own in batch)):
            for name, own in batch:
                if step < len(own):
                    now += 37
                    yield (f'{{"ts":{now},"source":"app","kind":"ws.message","type":"{own[step]}","key":"{name}"}}\n')


def twenty_steps(number, steps):
    """What an agent does in twenty events; of one in fifty a tool gives no answer, and it never ends."""
    own = [steps[0], steps[1]] + [steps[2], steps[3]] * 8 + [steps[1], steps[4]]
    return own[:-1] if number % 50 == 7 else own


def broken(number, steps):
    """Up to three events lost, doubled or moved."""
    del steps
    own, rng = ["agent_started"] + ["tool_executing", "tool_completed"] * 24 + ["agent_completed"], random.Random(number)
    for _ in range(1 + number % 3):
        at = rng.randrange(1, len(own) - 1)
        what = rng.randrange(3)
        if what == 0:
            del own[at]
        elif what == 1:
            own.insert(at, own[at])
        else:
            own.insert(rng.randrange(1, len(own)), own.pop(at))
    return own


def loan_trace(rng):
    """One application for a loan, as such processes are: stages, of which some repeat, some are left out, two are done side by side."""
    yield from ("A_SUBMITTED", "A_PARTLYSUBMITTED")
    if rng.random() < 0.2:
        yield "A_DECLINED"
        return
    yield "A_PREACCEPTED"
    for _ in range(1 + min(6, int(rng.expovariate(0.7)))):
        yield "W_Completing application"
    yield "A_ACCEPTED"
    yield from rng.choice((("A_FINALIZED", "O_SELECTED"), ("O_SELECTED", "A_FINALIZED")))
    for _ in range(1 + min(4, int(rng.expovariate(1.2)))):
        yield from ("O_CREATED", "O_SENT")
        for _ in range(min(12, int(rng.expovariate(0.3)))):
            yield "W_Calling after offer"
        if rng.random() < 0.6:
            yield "O_SENT_BACK"
    for _ in range(1 + min(16, int(rng.expovariate(0.16)))):
        yield "W_Validating application"
    yield from rng.choice((("A_APPROVED", "A_REGISTERED"), ("O_CANCELLED", "A_CANCELLED"), ("A_DECLINED",)))


def disturbed(rng, trace):
    for _ in range(1 + rng.randrange(4)):
        at = rng.randrange(len(trace))
        if rng.random() < 0.4 and len(trace) > 2:
            del trace[at]
        else:
            trace.insert(rng.randrange(len(trace) + 1), rng.choice(trace))
    return trace


def write_log(path, traces):
    """A log of process mining; of four traces one departs from the process, and has a name that ends in `*`. Returns how many events."""
    rng, events, now = random.Random(2012), 0, 1317427200
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<log xes.version="1.0" xes.features="nested-attributes">\n')
        for number in range(traces):
            odd = number % 4 == 3
            trace = list(loan_trace(rng))
            trace = disturbed(rng, trace) if odd else trace
            file.write(f'<trace><string key="concept:name" value="case {number}{"*" if odd else ""}"/>\n')
            for at, name in enumerate(trace):
                seconds = now + number * 900 + at * 60
                day, clock_time = divmod(seconds - 1317427200, 86400)
                stamp = f"{2011 + day // 336}-{1 + day // 28 % 12:02d}-{1 + day % 28:02d}T{clock_time // 3600:02d}:{clock_time // 60 % 60:02d}:{clock_time % 60:02d}.000+02:00"
                file.write(f'<event><string key="concept:name" value="{name}"/><string key="lifecycle:transition" value="COMPLETE"/>'
                           f'<string key="org:resource" value="{rng.randrange(68)}"/><date key="time:timestamp" value="{stamp}"/></event>\n')
            file.write("</trace>\n")
            events += len(trace)
        file.write("</log>\n")
    return events


# ---- Measuring ----

class Checking:
    def __init__(self, report, build, work, chdb, duckdb):
        self.report, self.inquest, self.work, self.chdb, self.duckdb = report, build / "cli/inquest", work, chdb, duckdb

    def store(self, name, lines):
        """A sealed store of these lines. They are made by another process: what this one has ever held would count as the peak of each that it starts."""
        source, store = self.work / f"{name}.ndjson", self.work / name
        writer = multiprocessing.get_context("fork").Process(target=self.write, args=(source, lines))
        writer.start()
        writer.join()
        if writer.exitcode:
            raise RuntimeError(f"{source} cannot be written")
        clock.run([self.inquest, "ingest", source, "--store", store])
        source.unlink()
        return store

    @staticmethod
    def write(path, lines):
        with open(path, "w") as file:
            file.writelines(lines)

    def spec(self, text):
        path = self.work / "spec.yaml"
        path.write_text(text)
        return path

    def check(self, store, spec):
        """Seconds and peak memory; what it says is kept for not_ok()."""
        return clock.run([self.inquest, "check", store, "--spec", spec], codes=(0, 1, 3), output=self.work / "verdicts")

    def not_ok(self):
        """How many instances the last check did not find ok."""
        violated, undetermined = re.search(r"instances? +([0-9,]+) +([0-9,]+) +[0-9,]+", (self.work / "verdicts").read_text()).groups()
        return int(violated.replace(",", "")) + int(undetermined.replace(",", ""))

    def rows(self, store, key):
        """The same events as CSV, for the others."""
        path = self.work / "rows.csv"
        clock.run([self.inquest, "sql", store, f"SELECT id, ts, {key} AS key, type FROM events WHERE {key} IS NOT NULL AND type IS NOT NULL", "--format", "csv", "--timeout", "0s"], output=path)
        return path

    def against_chdb(self, csv, first, last):
        table = self.work / "chdb"
        shutil.rmtree(table, ignore_errors=True)
        load = ("CREATE DATABASE d", "CREATE TABLE d.events(id UInt64, ts UInt64, key LowCardinality(String), type LowCardinality(String)) ENGINE = MergeTree ORDER BY (key, ts)",
                f"INSERT INTO d.events SELECT * FROM file('{csv}', CSVWithNames, 'id UInt64, ts UInt64, key String, type String')", "OPTIMIZE TABLE d.events FINAL")
        query = ("SELECT count(), countIf(NOT matched), sum(reached) FROM (SELECT key, "
                 f"sequenceMatch('(?1).*(?2)')(ts, type = '{first}', type = '{last}') AS matched, "
                 f"windowFunnel(3600000000000)(ts, type = '{first}', type = '{last}') AS reached "
                 f"FROM d.events GROUP BY key) SETTINGS max_threads = {rivals.THREADS}")
        seconds = self.chdb.seconds(table, *load, *[query] * ROUNDS)[-ROUNDS:]
        return seconds, int(self.chdb.answers[-1].split(",")[1])

    @staticmethod
    def window_query(first, last):
        """How many never came to their last step, and how many events stand where they should not."""
        return (f"SELECT count(*) FILTER (WHERE before IS NULL) - count(*) FILTER (WHERE type = '{last}'), "
                f"count(*) FILTER (WHERE (type = '{first}') <> (before IS NULL) OR before = '{last}') "
                "FROM (SELECT type, lag(type) OVER (PARTITION BY key ORDER BY ts, id) AS before FROM events)")

    def against_duckdb(self, csv, first, last):
        load = f"CREATE TABLE events AS SELECT * FROM read_csv('{csv}') ORDER BY key, ts"
        seconds = self.duckdb.seconds(load, *[self.window_query(first, last)] * ROUNDS)[-ROUNDS:]
        return seconds, int(self.duckdb.answers[-1].split(",")[0])

    def against_sqlite(self, csv, first, last):
        path, script = self.work / "rows.db", self.work / "load.sql"
        path.unlink(missing_ok=True)
        script.write_text("PRAGMA journal_mode = off;\nPRAGMA synchronous = off;\nCREATE TABLE events(id INTEGER, ts INTEGER, key TEXT, type TEXT);\n"
                          f".import --csv --skip 1 {csv} events\nCREATE INDEX by_key ON events(key, ts, id, type);\n")
        clock.run(["sqlite3", "-bail", "-init", script, path, ""])
        seconds = [rivals.sqlite_statement(path, self.window_query(first, last), before=rivals.Rows.FAST)]
        return seconds, int(clock.text(["sqlite3", path, self.window_query(first, last)]).split("|")[0])

    def compare(self, name, store, spec, key, first, last):
        events = int(clock.text([self.inquest, "sql", store, "SELECT events FROM event_aggregates('', 'id')", "--format", "csv"]).split()[-1])
        csv = self.rows(store, key)
        ours = [self.check(store, spec)[0] for _ in range(ROUNDS)]
        unfinished = self.not_ok()
        mine, where = statistics.median(ours), f"{name}, {events} events"
        for against, why_not, measure, bound in (("chDB, windowFunnel and sequenceMatch", self.chdb.why_not, self.against_chdb, {"least": 1}),
                                                 ("DuckDB, lag()", self.duckdb.why_not, self.against_duckdb, {"least": 10}),
                                                 ("SQLite table, lag()", None, self.against_sqlite, {"least": 100})):
            if why_not:
                self.report.note(row="check speed", against=against, skipped=why_not)
                continue
            seconds, theirs = measure(csv, first, last)
            if theirs != unfinished:
                raise RuntimeError(f"{where}: {unfinished} instances are not ok, and {theirs} by {against}")
            taken = statistics.median(seconds)
            self.report.row("check speed", where, against, taken / mine, **bound, seconds=mine, reference_seconds=taken, events_per_second=events / mine, not_ok=unfinished)
        csv.unlink()

    def measure_runs(self, instances):
        store = self.store("runs", run_lines(instances, 400, STEPS, change=twenty_steps))
        self.compare("runs", store, self.spec(SPEC), "key", "agent_started", "agent_completed")
        shutil.rmtree(store)

    def measure_connections(self, given):
        """W: any of its messages between open and close."""
        if not given:
            return
        store = self.work / "W"
        clock.run([self.inquest, "ingest", given.path, "--store", store])
        types = clock.text([self.inquest, "sql", store, "SELECT type FROM event_counts('type') WHERE type NOT IN ('ws.open', 'ws.close')", "--format", "csv"]).splitlines()[1:]
        names = " | ".join("'" + name.strip('"') + "'" for name in types)
        self.compare(given.name, store, self.spec(CONNECTION.format(types=names)), "session", "ws.open", "ws.close")
        shutil.rmtree(store)

    def measure_automaton(self, rate, events):
        per_second = float(clock.text([rate, self.spec(SPEC), str(events)]))
        self.report.row("the automaton alone, events/s of one core", "an order of five names", "", per_second, least=50e6)

    def measure_memory(self, instances):
        """What so many instances that are open to the end take more than few do, of the same number of events."""
        peaks, few, steps = {}, 400, STEPS[:3]
        for at_once in (few, instances):
            lines = run_lines(at_once, at_once, steps[:1] + steps[1:] * (instances // at_once * len(steps) // 2))
            store = self.store(f"open-{at_once}", lines)
            peaks[at_once] = min(self.check(store, self.spec(SPEC))[1] for _ in range(2))
            if self.not_ok() != at_once:
                raise RuntimeError(f"{self.not_ok()} instances are open, and {at_once} were made")
            shutil.rmtree(store)
        self.report.row("memory of an open instance, bytes", f"{instances} open at the end", f"{few} open at the end",
                        (peaks[instances] - peaks[few]) / (instances - few), most=200, peak_mib=peaks[instances] / 2**20)

    def measure_alignments(self, instances):
        store = self.store("broken", run_lines(instances, 400, (), change=broken))
        seconds = statistics.median(self.check(store, self.spec(EXACT))[0] for _ in range(ROUNDS))
        self.report.row("a violated instance of 50 events, ms", f"{instances} instances", "", 1000 * seconds / instances, most=1, seconds=seconds)
        shutil.rmtree(store)

    def measure_log(self, traces):
        """The rule is mined from the traces that keep to the process."""
        path, store, draft = self.work / "loans.xes.gz", self.work / "loans", self.work / "draft.yaml"
        events = write_log(path, traces)
        ingest = clock.run([self.inquest, "ingest", path, "--store", store])[0]
        learn = clock.run([self.inquest, "learn", store, "--good", "name NOT LIKE '%*'", "--output", draft], codes=(0, 1))[0]
        seconds, peak = self.check(store, draft)
        self.report.row("process-mining log checked and aligned, s", f"{traces} traces, {events} events", "", seconds, most=60 * traces / 13_000,
                        ingest_seconds=ingest, learn_seconds=learn, peak_mib=peak / 2**20)


def measure(report, build, cache, work, given, quick):
    """`given` is W, or None where it cannot be had."""
    checking = Checking(report, build, work, ChDB(cache), rivals.DuckDB(build))
    parts = [lambda: checking.measure_automaton(build / "tools/measure/automaton-rate", 50_000_000 if quick else 400_000_000),
             lambda: checking.measure_runs(50_000 if quick else 500_000),
             lambda: checking.measure_connections(given),
             lambda: checking.measure_memory(100_000 if quick else 400_000),
             lambda: checking.measure_alignments(1_000 if quick else 10_000),
             lambda: checking.measure_log(1_300 if quick else 13_000)]
    for part in parts:
        try:
            part()
        except (RuntimeError, subprocess.CalledProcessError) as why:
            print(f"check: {why}", file=sys.stderr)
            report.note(part="check", skipped=str(why)[:300])
