#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the 64-bit PC's shell shows of page tables, as on the other PC (pc32_views_test.py), on one
processor and on four. Prints TAP."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc64_qemu as pc  # noqa: E402
from pc32_views_test import lists, one_flush_a_call  # noqa: E402
from taplib import Tap  # noqa: E402


def main():
    tap = Tap()
    for cpus in ("1", "4"):
        machine = pc.console("shell", more=["-smp", cpus])
        machine.wait_for(pc.PROMPT)
        one_flush_a_call(tap, machine)
        lists(tap, machine)
        code, output = pc.ends(machine)
        tap.check(code == pc.GOOD, f"{cpus} processors: off", [str(code), *pc.tail(output)])
    tap.done()


if __name__ == "__main__":
    main()
