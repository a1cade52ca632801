"""Test points in the Test Anything Protocol, for the suites that are written in Python.

    tap = Tap()                        # prints the seed if the suite is random
    tap.point(good, "what is promised", "what was seen instead")
    tap.end()                          # prints the plan and exits
"""
import os
import random
import sys

LINES, COLUMNS = 20, 2000


class Tap:
    def __init__(self):
        self.number, self.failed = 0, False

    def point(self, good, what, detail=""):
        """One test point; `detail` is printed where it failed, cut to what a person reads."""
        self.number += 1
        self.failed |= not good
        print("ok" if good else "not ok", self.number, "-", what, flush=True)
        if not good:
            for line in str(detail).splitlines()[:LINES]:
                self.note(line[:COLUMNS])

    @staticmethod
    def note(text):
        print("#", text, flush=True)

    def end(self):
        print(f"1..{self.number}")
        sys.exit(self.failed)


def seed():
    """Seeds `random`, from IQ_TEST_SEED where a run is to be repeated, and says with what."""
    value = int(os.environ.get("IQ_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
    random.seed(value)
    Tap.note(f"IQ_TEST_SEED={value}")
    return value


def rounds(default):
    """How often, from IQ_TEST_ROUNDS: few in the ordinary tests, many in `make soak`."""
    return int(os.environ.get("IQ_TEST_ROUNDS", default))
