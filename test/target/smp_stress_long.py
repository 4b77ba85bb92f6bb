#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The rows of smp_stress_test.py with more than ten million operations in all, and with a thread of
the host for each processor; a new seed each time, unless SEED= is given."""
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from smp_machines import MT, RR, on_pc64, on_rpi3, on_virt64  # noqa: E402
from smp_stress_test import ROWS, run  # noqa: E402
from taplib import Tap  # noqa: E402

THREADS = [
    ("pc64, 4 cores, a thread each", on_pc64, 4, MT, {}, ",offline"),
    ("rpi3, 4 cores, a thread each", on_rpi3, 4, MT, {}, ""),
    ("virt64, 4 cores, a thread each", on_virt64, 4, MT, {}, ",offline"),
]
ONE_THREAD = [("pc64, 32 cores", on_pc64, 32, RR, {}, "")]


def main():
    tap = Tap()
    seed = os.environ.get("SEED") or str(random.randrange(1, 1 << 32))
    print(f"# SEED={seed}")
    run(tap, ROWS, 1100000, seed, 1800)
    run(tap, ONE_THREAD, 200000, seed, 1800)
    run(tap, THREADS, 40000, seed, 1800)
    tap.done()


if __name__ == "__main__":
    main()
