#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The test runner, tested: what it prints when a test fails, and how results are counted."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))

from tap_count import count  # noqa: E402
from taplib import Tap  # noqa: E402

PROGRAM = os.path.join(ROOT, "build/host/test/house/failing_test")
PRINTED = r"""1..5
ok 1 - failing: sound checks: pass
# FILE: failed: 1 > 2
# FILE: failed: 2 > 3
not ok 2 - failing: two false conditions: both told
# again with SEED=0x2a
# FILE: failed: 17 == ~0ULL
#     got 17 (0x11), want 18446744073709551615 (0xffffffffffffffff)
# FILE: failed: "a"
#     got  a
#     want (null)
# FILE: failed: "M1 each"
#     got  M1 each
#     want M3
# FILE: failed: NULL
#     got  (null)
#     want M3
# FILE: failed: "M1 each"
#     got  M1 each
#     want (null)
not ok 3 - failing: wrong values: what came and what was wanted
# again with SEED=0x2a
# failing: tap_catch left open: told and closed:0: failed: tap_catch without tap_caught
not ok 4 - failing: tap_catch left open: told and closed
# again with SEED=0x2a
# drawn RANDOM, below 10: N
ok 5 - failing: random numbers: from the seed
"""
COUNTED = [
    ("all passed", "1..2\nok 1\nok 2\n# exit code 0\n", (2, 0)),
    ("one failed", "1..2\nok 1\nnot ok 2 - b\n# exit code 1\n", (1, 1)),
    ("a plan at the end", "ok 1\n1..1\n# exit code 0\n", (1, 0)),
    ("a test that broke off", "1..5\nok 1\n# exit code 139\n", (1, 4)),
    ("no plan", "ok 1\n# exit code 0\n", (1, 1)),
    ("a bad end after the last subtest", "1..1\nok 1\n# exit code 134\n", (1, 1)),
    ("never started", "# never started\n", (0, 1)),
    ("more than planned", "1..1\nok 1\nok 2\n# exit code 0\n", (2, 1)),
    ("a skipped subtest", "1..1\nok 1 # SKIP no device\n# exit code 0\n", (1, 0)),
]


def run(seed=None, only=()):
    environment = {key: value for key, value in os.environ.items() if key != "SEED"}
    if seed is not None:
        environment["SEED"] = seed
    done = subprocess.run([PROGRAM, *only], env=environment, capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stdout


def main():
    tap = Tap()
    code, printed = run("0x2a")
    tidy = re.sub(r"\S+failing_test\.c:\d+", "FILE", printed)
    tidy = re.sub(r"drawn [0-9a-f]+, below 10: [0-9]", "drawn RANDOM, below 10: N", tidy)
    tap.check(tidy == PRINTED, "tap_run: failing cases: printed as documented", tidy.splitlines())
    tap.check(code == 1, "tap_main: failing cases: exit code 1")
    tap.check(run("0x2a")[1] == printed, "tap_main: the same SEED: the same run")
    tap.check(run("42")[1] == printed, "tap_main: a decimal SEED: the same run")
    drawn = {re.search("drawn [0-9a-f]+", run(seed)[1]).group(0)
             for seed in (None, None, "1", "2")}
    tap.check(len(drawn) == 4, "tap_main: other seeds or none: other numbers", drawn)
    code, printed = run("1", ["sound checks"])
    tap.check((code, printed) == (0, "1..1\nok 1 - failing: sound checks: pass\n"),
              "tap_main: a part of a name: those cases alone", [printed])
    for name, text, wanted in COUNTED:
        tap.check(count(text) == wanted, f"tap_count: {name}", [str(count(text))])
    tap.done()


if __name__ == "__main__":
    main()
