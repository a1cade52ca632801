#!/usr/bin/env python3
"""Each built-in spec on a conversation that is right and on one that is wrong: presets.py INQUEST

presets/NAME/ has right.ndjson, wrong.ndjson, and in `findings` what is found in the second one: LIFECYCLE KIND a line, sorted."""
import json
import pathlib
import subprocess
import sys

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent))
from tap import Tap

inquest = pathlib.Path(sys.argv[1]).resolve()
tap = Tap()


def check(*arguments):
    done = subprocess.run([inquest, "check", *arguments, "--format", "json"], capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout) if done.stdout else {"lifecycles": []}, done.stderr


def findings(report):
    return sorted(f"{lifecycle['lifecycle']} {finding['kind']}" for lifecycle in report["lifecycles"]
                  for instance in lifecycle["instances"] for finding in instance.get("findings", []))


listed = subprocess.run([inquest, "check", "--list-presets"], capture_output=True, text=True).stdout
names = [line.split()[0].removeprefix("preset:") for line in listed.splitlines()]
tap.point(names == sorted(path.name for path in (here / "presets").iterdir()), "every preset has its samples", names)

for name in names:
    folder = here / "presets" / name
    fits = (here.parent.parent / "presets" / f"{name}.yaml").read_text().splitlines()[1].startswith("# fits: ")
    status, report, said = check(folder / "right.ndjson", "--spec", f"preset:{name}")
    tap.point(status == 0 and findings(report) == [], f"{name}: right is ok", f"{said}{json.dumps(report, indent=1)}")
    status, report, said = check(folder / "wrong.ndjson", "--spec", f"preset:{name}")
    wanted = (folder / "findings").read_text().splitlines()
    tap.point(status == 1 and findings(report) == wanted, f"{name}: what is wrong is found", f"{said}{findings(report)}")
    if fits:
        lifecycles = {lifecycle["lifecycle"] for lifecycle in report["lifecycles"] if lifecycle["events"]}
        status, report, said = check(folder / "wrong.ndjson")
        taken = {lifecycle["lifecycle"] for lifecycle in report["lifecycles"]}
        tap.point(status == 1 and lifecycles <= taken, f"{name}: is taken without being asked for", f"{said}{taken}")
tap.end()
