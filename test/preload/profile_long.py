#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""google-pprof reads the heap profile: names, sums scaled for chance. Prints TAP."""
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from profile_test import build, near, start  # noqa: E402
from taplib import Tap, run  # noqa: E402


def flat_of(text):
    """{function: its own megabytes}"""
    rows = re.findall(r"^ *([\d.]+) +[\d.]+% +[\d.]+% +[\d.]+ +[\d.]+% (\w+)$", text, re.M)
    return {name: float(size) for size, name in rows}


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="loam-pprof-") as folder:
        program, path = build(folder), os.path.join(folder, "heap")
        start(program, [], f"profile={path},profile_rate=16K")
        for words, want in ((["--inuse_space"], {"keep": 5.72, "grow": 2.86}),
                            (["--alloc_space"], {"keep": 11.4, "churn": 7.6, "mixed": 47.7})):
            code, text = run(["google-pprof", "--text", *words, program, path])
            flat = flat_of(text)
            tap.check(code == 0 and all(near(flat.get(name, 0), size, 0.25)
                                        for name, size in want.items()),
                      f"google-pprof {words[0]}: {', '.join(want)}", text.splitlines())
    tap.done()


if __name__ == "__main__":
    main()
