#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The core's unit tests inside the PC's kernel, and the kernel that clang makes of the same files.
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc32_qemu  # noqa: E402
from rpi3_kernel_test import segments, suites  # noqa: E402
from taplib import Tap, seed_word  # noqa: E402


def passed(pc, code, output):
    """What is wrong with a run of the tests."""
    plan = re.search(r"^1\.\.(\d+)$", output, re.M)
    good = len(re.findall(r"^ok \d+ - ", output, re.M))
    faults = [f"exit code {code}"] if code != pc.GOOD else []
    faults += ["no pass line"] if "\nloam: all tests passed\n" not in output else []
    faults += ["no plan"] if not plan else []
    faults += [f"{good} of {plan.group(1)} passed"] if plan and good != int(plan.group(1)) else []
    return faults + [line for line in output.splitlines() if line.startswith("not ok")]


def in_kernel(tap, pc):
    code, output = pc.boot("test" + seed_word(), limit=400)
    faults = passed(pc, code, output)
    tap.check(not faults, "kernel: unit tests: all pass, pass line, exit code 33",
              faults + pc.tail(output))
    planned = int((re.search(r"^1\.\.(\d+)$", output, re.M) or [0, 0])[1])
    tap.check(planned >= 5 * len(suites()), "kernel: unit tests: every suite is linked",
              [f"{planned} cases of {len(suites())} suites"])
    print(f"# {planned} cases ran in the kernel")


def chosen(tap, pc):
    code, output = pc.boot('"test=memblock_add"')
    names = re.findall(r"^ok \d+ - (\w+)", output, re.M)
    tap.check(code == pc.GOOD and names and set(names) == {"memblock_add"},
              "kernel: test=TEXT: only those, and they pass", pc.tail(output))


def by_clang(tap, pc):
    code, output = pc.boot("demo=tour off", kernel=pc.CLANG)
    tap.check(code == pc.GOOD and pc.frames(output) is not None and "tour: done" in output,
              "kernel by clang and lld: boots, the tour passes", pc.tail(output))


def images(tap, pc):
    for path in (pc.KERNEL, pc.CLANG):
        flags = segments(path)
        tap.check(len(flags) >= 4 and not [f for f in flags if "W" in f and "E" in f],
                  f"image: {os.path.relpath(path, pc.ROOT)}: no segment writable and executable",
                  flags)


def main(pc):
    """All of it, on this kind of PC."""
    tap = Tap()
    for part in (images, chosen, by_clang, in_kernel):
        part(tap, pc)
    tap.done()


if __name__ == "__main__":
    main(pc32_qemu)
