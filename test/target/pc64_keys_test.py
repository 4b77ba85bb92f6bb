#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The 64-bit PC's keyboard and screen, as on one with 32 bits (pc32_keys_test.py), and what was
typed before the kernel ran. Prints TAP."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc64_qemu as pc  # noqa: E402
from pc32_keys_test import long_line, picture, typing  # noqa: E402
from taplib import Tap  # noqa: E402


def typed_ahead(tap):
    lines = ["tlb"] + ["hello"] * 30 + ["memview text", "off"]
    for name, more in (("a PC", []), ("q35, four processors", ["-M", "q35", "-smp", "4"]),
                       ("no screen", ["-vga", "none"])):
        machine = pc.console("shell", more=more)
        machine.type("".join(line + "\r" for line in lines))
        code, output = machine.finish()
        seen = [line[len(pc.PROMPT):] for line in output.splitlines()
                if line.startswith(pc.PROMPT)]
        tap.check(code == pc.GOOD and seen == lines and output.count("Hello World!\n") == 30,
                  f"serial line: {name}: typed ahead: all of it, and done", [str(code), *seen])


def main():
    tap = Tap()
    for part in (typing, long_line, picture):
        part(tap, pc.console)
    typed_ahead(tap)
    tap.done()


if __name__ == "__main__":
    main()
