"""Each parser alone, on one thread and without a store: its speed, and its time against the least that reading lines can take."""
import statistics

from measure import clock

ROUNDS = 3
# Which format on which input, and how many megabytes a second are wanted.
CASES = (("docker-json", "D", 400), ("docker-json", "T", 400), ("cri", "C", 400), ("jsonl", "W", 250), ("ndjson", "W", 250))


def seconds(program, side, format_name, given):
    """Of one pass, with the events and gaps that it gave."""
    took, events, gaps = clock.text([program, side, format_name, *given.files]).split()
    return float(took), int(events), int(gaps)


def counted(given):
    """`wc -l` on all files, as a program."""
    return clock.run(["wc", "-l", *given.files])[0]


def measure_case(report, program, format_name, given, least):
    events, gaps = seconds(program, "parse", format_name, given)[1:]
    ours, described, lines, wc = clock.rounds(ROUNDS, *(lambda side=side: seconds(program, side, format_name, given)[0] for side in ("parse", "describe", "lines")),
                                              lambda: counted(given))
    rate = lambda taken: given.bytes / 1e6 / statistics.median(taken)
    report.row(f"{format_name} parsed, MB/s", given.name, "", rate(ours), least=least, described_mb_s=rate(described), events=events, gaps=gaps)
    report.row(f"{format_name} parsed", given.name, "wc -l and lines by memchr", clock.paired(ours, [a + b for a, b in zip(lines, wc)]), most=1.5,
               to_wc=clock.paired(ours, wc), to_memchr=clock.paired(ours, lines))


def measure(report, program, given):
    """`given`: inputs by name; one that could not be made costs its rows."""
    for format_name, name, least in CASES:
        if name in given:
            measure_case(report, program, format_name, given[name], least)
