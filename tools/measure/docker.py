"""What following a Docker Engine costs: containers that write, a real Engine, and the processor time of the recorder."""
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "tests/docker"))
import docker_engine as engines

CONTAINERS, RATE = 50, 20_000
# Each writes its part in bursts, ten a second, which is what programs do; a line is 100 bytes.
WRITER = """i=0
while [ $i -lt {bursts} ]; do
  j=0
  while [ $j -lt {burst} ]; do echo "$i.$j request handled in 12 ms path=/api/v1/chat/completions status=200 bytes=1834 peer=10.0.3.17"; j=$((j+1)); done
  i=$((i+1)); sleep 0.1
done"""


def recorded(inquest, store):
    """Different lines of each container, and all."""
    out = subprocess.run([inquest, "sql", store, "SELECT count(*) AS n, count(DISTINCT source || ' ' || body) AS distinct_n FROM events WHERE kind = 'log'",
                          "--format", "csv", "--timeout", "0s"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [int(word) for word in out.splitlines()[1].split(",")]


def follow(engine, inquest, store, seconds):
    burst = RATE // CONTAINERS // 10
    recorder = subprocess.Popen([inquest, "record", "docker", "--store", store], env={**os.environ, "DOCKER_HOST": engine.host},
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    names = [f"iq-bench-{i}" for i in range(CONTAINERS)]
    for name in names:
        engine.run(name, "while [ ! -e /tmp/go ]; do sleep 0.1; done; " + WRITER.format(bursts=seconds * 10, burst=burst), "-v", f"{store.parent}/go:/tmp")
    begun = time.monotonic()
    (store.parent / "go" / "go").touch()
    engine.wait(*names)
    took = time.monotonic() - begun
    recorder.send_signal(signal.SIGINT)
    _, status, usage = os.wait4(recorder.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise RuntimeError(recorder.stderr.read().decode())
    return took, usage.ru_utime + usage.ru_stime, CONTAINERS * seconds * 10 * burst


def measure(report, inquest, work, seconds):
    what = f"record docker: cores for {RATE} lines/s of {CONTAINERS} containers"
    try:
        engine = engines.OwnEngine()
    except engines.CannotStart as why:
        report.note(row=what, skipped=str(why))
        return
    try:
        engine.make_image()
        (work / "go").mkdir()
        took, processor, lines = follow(engine, inquest, work / "recorded", seconds)
        taken, distinct = recorded(inquest, work / "recorded")
        # The machine may not write as fast as is asked of it: what counts is the time for so many lines.
        report.row(what, f"{lines} lines in {took:.1f} s, Engine and writers on the same processors", "one core", processor / lines * RATE, most=0.5,
                   per_second=lines / took, processor_seconds=processor)
        report.row("record docker: lines recorded once", f"{CONTAINERS} containers", "lines written", min(distinct, 2 * lines - taken) / lines, least=1, lines=lines)
    finally:
        engine.close()
