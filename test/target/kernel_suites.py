# SPDX-License-Identifier: MIT
"""The core's unit tests inside a kernel, and the kernel that clang makes of the same files, on any
board: what pc32_kernel_test.py and its like run."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from qemu_machine import ROOT, frames, tail  # noqa: E402
from taplib import Tap, seed_word  # noqa: E402

LIMIT = 400  # seconds for all suites, on a busy machine


def suites():
    return [name[:-2] for name in os.listdir(os.path.join(ROOT, "test/unit"))
            if name.endswith("_test.c")]


def good_code(board):
    return getattr(board, "GOOD", 0)


def passed(board, code, output):
    """What is wrong with a run of the tests."""
    plan = re.search(r"^1\.\.(\d+)$", output, re.M)
    good = len(re.findall(r"^ok \d+ - ", output, re.M))
    faults = [f"exit code {code}"] if code != good_code(board) else []
    faults += ["no pass line"] if "\nloam: all tests passed\n" not in output else []
    faults += ["no plan"] if not plan else []
    faults += [f"{good} of {plan.group(1)} passed"] if plan and good != int(plan.group(1)) else []
    return faults + [line for line in output.splitlines() if line.startswith("not ok")]


def in_kernel(tap, board):
    code, output = board.boot("test" + seed_word(), limit=LIMIT)
    faults = passed(board, code, output)
    tap.check(not faults, f"kernel: unit tests: all pass, pass line, exit code {good_code(board)}",
              faults + tail(output))
    planned = int((re.search(r"^1\.\.(\d+)$", output, re.M) or [0, 0])[1])
    tap.check(planned >= 5 * len(suites()), "kernel: unit tests: every suite is linked",
              [f"{planned} cases of {len(suites())} suites"])
    print(f"# {planned} cases ran in the kernel")


def chosen(tap, board):
    code, output = board.boot('"test=memblock_add"')
    names = re.findall(r"^ok \d+ - (\w+)", output, re.M)
    tap.check(code == good_code(board) and names and set(names) == {"memblock_add"},
              "kernel: test=TEXT: only those, and they pass", tail(output))


def by_clang(tap, board):
    code, output = board.boot("demo=tour off", kernel=board.CLANG)
    tap.check(code == good_code(board) and frames(output) is not None and "tour: done" in output,
              "kernel by clang and lld: boots, the tour passes", tail(output))


def segments(elf):
    text = subprocess.run(["readelf", "-lW", elf], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    return re.findall(r"^ +LOAD .* ([R ][W ][E ]) 0x", text, re.M)


def images(tap, board):
    for image in (board.KERNEL, board.CLANG):
        flags = segments(image[:-3] + "elf")
        folder = os.path.basename(os.path.dirname(image))
        tap.check(len(flags) >= 3 and not [f for f in flags if "W" in f and "E" in f],
                  f"image: {folder}: no segment both writable and executable", flags)


def main(board):
    tap = Tap()
    for part in (images, chosen, by_clang, in_kernel):
        part(tap, board)
    tap.done()
