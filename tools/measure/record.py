"""What the recorder costs the traffic: the same load through it, through haproxy in TCP mode, through mitmproxy, and straight to the server."""
import contextlib
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import time

from . import clock

ROUNDS = 3
IN_FLIGHT = 16
IDLE = 9000
HAPROXY = """global
  maxconn 9000
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 300s
  timeout server 300s
listen tap
  bind 127.0.0.1:{port}
  server upstream 127.0.0.1:{upstream}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def running(command, port, log):
    """A program from when it listens on the port until it is told to end, which it may take its time for."""
    with open(log, "ab") as out:
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        until = time.monotonic() + 30
        while not listens(port):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{command[0]} does not listen: {pathlib.Path(log).read_text()[-300:]}")
            time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)


class Taps:
    """Each a program between a port of its own and the server's."""
    def __init__(self, inquest, work):
        self.inquest, self.work, self.runs = inquest, work, 0

    def inquest_tap(self, port, upstream):
        self.runs += 1
        self.store = self.work / f"case-{self.runs}"
        return [self.inquest, "record", "ws", "--listen", f"127.0.0.1:{port}", "--upstream", f"ws://127.0.0.1:{upstream}", "--store", self.store]

    def haproxy_tap(self, port, upstream):
        config = self.work / "haproxy.cfg"
        config.write_text(HAPROXY.format(port=port, upstream=upstream))
        return ["haproxy", "-q", "-f", config]

    def mitmproxy_tap(self, port, upstream):
        return ["mitmdump", "-q", "--mode", f"reverse:http://127.0.0.1:{upstream}", "--listen-host", "127.0.0.1", "--listen-port", port, "-w", self.work / "flows"]


class Measure:
    def __init__(self, report, build, work, upstream):
        self.report, self.load, self.work, self.upstream = report, build / "tools/measure/ws-load", work, upstream
        self.taps, self.recorded = Taps(build / "cli/inquest", work), 1.0

    def drive(self, port, connections, size, in_flight, messages):
        """Messages a second, and the median and the 99th percentile of the times to an answer."""
        return [float(word) for word in clock.text([str(word) for word in (self.load, "drive", port, connections, size, in_flight, messages)]).split()]

    def through(self, tap, *load):
        port = free_port()
        with running(tap(port, self.upstream), port, self.work / "log"):
            taken = self.drive(port, *load)
        if tap == self.taps.inquest_tap:
            self.note_recorded(load[-1] // load[0] * load[0])
        return taken

    def note_recorded(self, messages):
        """How much of both directions is in the store: what the disk did not take in time is a gap, and does not count."""
        found = clock.text([self.taps.inquest, "sql", self.taps.store, "SELECT count FROM event_counts('kind') WHERE kind = 'ws.message'", "--format", "csv"]).split()
        shutil.rmtree(self.taps.store)
        self.recorded = min(self.recorded, int(found[1]) / (2 * messages))

    def direct(self, *load):
        return self.drive(self.upstream, *load)

    def messages(self, quick):
        for size, connections, messages in ((64, 1, 600_000), (64, 100, 600_000), (4096, 1, 120_000), (4096, 100, 120_000)):
            load = (connections, size, IN_FLIGHT, messages // (10 if quick else 1))
            self.recorded = 1.0
            ours, theirs = clock.rounds(ROUNDS, lambda: self.through(self.taps.inquest_tap, *load)[0], lambda: self.through(self.taps.haproxy_tap, *load)[0])
            what = f"{size} bytes, {connections} connection{'s' * (connections > 1)}"
            self.report.row("record ws: messages/s", what, "haproxy in TCP mode", clock.paired(ours, theirs), least=0.7, per_second=statistics.median(ours),
                            reference_per_second=statistics.median(theirs))
            self.report.row("record ws: share recorded", what, "", self.recorded, least=1)

    def latency(self, quick):
        load = (1, 256, 1, 5_000 if quick else 50_000)
        ours, theirs, without = clock.rounds(ROUNDS, lambda: self.through(self.taps.inquest_tap, *load), lambda: self.through(self.taps.haproxy_tap, *load), lambda: self.direct(*load))
        for which, name in ((1, "p50"), (2, "p99")):
            added = [[tap[which] - straight[which] for tap, straight in zip(taps, without)] for taps in (ours, theirs)]
            self.report.row(f"record ws: latency added, {name}", "256 bytes", "haproxy in TCP mode", statistics.median(added[0]) / max(statistics.median(added[1]), 1), most=1.5,
                            microseconds=statistics.median(added[0]) / 1000, reference_microseconds=statistics.median(added[1]) / 1000)

    def against_echo(self, quick):
        load = (1, 150, IN_FLIGHT, 60_000 if quick else 600_000)
        ours, theirs = clock.rounds(ROUNDS, lambda: self.through(self.taps.inquest_tap, *load)[0], lambda: self.direct(*load)[0])
        self.report.row("record ws: messages/s", "150 bytes, 1 connection", "the server itself, without a tap", clock.paired(ours, theirs), least=0.25,
                        per_second=statistics.median(ours), reference_per_second=statistics.median(theirs))

    def against_mitmproxy(self, quick):
        ours = self.through(self.taps.inquest_tap, 1, 150, IN_FLIGHT, 60_000 if quick else 600_000)[0]
        theirs = self.through(self.taps.mitmproxy_tap, 1, 150, IN_FLIGHT, 2_000 if quick else 10_000)[0]
        self.report.row("record ws: messages/s", "150 bytes, 1 connection", "mitmdump -w", ours / theirs, least=100, per_second=ours, reference_per_second=theirs)

    def idle(self, quick):
        count, port = IDLE // (10 if quick else 1), free_port()
        with running(self.taps.inquest_tap(port, self.upstream), port, self.work / "log") as recorder:
            holder = subprocess.Popen([self.load, "hold", str(port), str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            said = holder.stdout.readline()
            memory = int(next(line.split()[1] for line in pathlib.Path(f"/proc/{recorder.pid}/status").read_text().splitlines() if line.startswith("VmHWM"))) / 1024
            holder.communicate()
        opened = clock.text([self.taps.inquest, "sql", self.taps.store, "SELECT count(*) FROM events WHERE kind = 'ws.open'", "--format", "csv"]).split()[1]
        if said.split()[0] != opened.encode():
            raise RuntimeError(f"{opened} connections recorded of {said}")
        self.report.row(f"record ws: MiB with {count} idle connections", "all recorded", "", memory, most=360)


def decoder(report, build, quick):
    rates = dict(line.split() for line in clock.text([str(build / "tools/measure/decode-rate"), "256" if quick else "2048"]).splitlines())
    ours = float(rates["decoder"])
    report.row("frames decoded", "unmasked texts of 1 KiB", "memcpy", ours / float(rates["memcpy"]), least=0.25, bytes_per_second=ours)
    report.row("frames decoded", "unmasked texts of 1 KiB", "wslay", ours / float(rates["wslay"]), least=2, bytes_per_second=ours)


def measure(report, build, work, quick):
    decoder(report, build, quick)
    upstream = free_port()
    with running([build / "tools/measure/ws-load", "echo", upstream], upstream, work / "echo"):
        rows = Measure(report, build, work, upstream)
        needs = {rows.messages: "haproxy", rows.latency: "haproxy", rows.against_echo: None, rows.against_mitmproxy: "mitmdump", rows.idle: None}
        for part, program in needs.items():
            if program and not shutil.which(program):
                report.note(row=f"record ws: {part.__name__.replace('_', ' ')}", skipped=f"{program} is not installed")
            else:
                part(quick)
