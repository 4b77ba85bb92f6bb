#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""osc4_pi.py - Lab 4's demo on the Raspberry Pi 3, as `make qemu` in compat/osc4 boots it."""
import os
import re
import subprocess
import sys

from osc4_lines import KNOWN
from osc4_textbook import Wrong, expect, replay

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import OUTSIDE  # noqa: E402

LIMIT = 120  # seconds for make and the boot, on a busy machine

PI = KNOWN + [re.compile(p) for p in (
    r"usable memory: \[0x[0-9a-f]+, 0x[0-9a-f]+\)$",
    r"\[Reserve\] Reserve address \[0x[0-9a-f]+, 0x[0-9a-f]+\)\. Range of pages: \[\d+, \d+\)$",
    r"(spin tables|kernel image|initramfs|device tree|the kernel's own memory|"
    r"startup allocator):$",
    r"page array: \d+ bytes at 0x[0-9a-f]+$",
    r"osc4: all demos passed, memory is as it was$",
)]
NAMED = ["spin tables", "kernel image", "initramfs", "device tree"]


def boot():
    done = subprocess.run([*OUTSIDE, "make", "--no-print-directory", "-C", "compat/osc4", "qemu"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=LIMIT, check=False)
    lines = [line.rstrip("\r") for line in done.stdout.split("\n")]
    first = next((i for i, line in enumerate(lines) if line.startswith("usable memory")), None)
    last = next((i for i, line in enumerate(lines) if line.startswith("osc4: ")), None)
    if first is None or last is None:
        raise Wrong(f"no demo in the output: {lines[-5:]}")
    return done.returncode, lines[first:last + 1]


def passes(code, lines):
    expect((code, lines[-1]), (0, "osc4: all demos passed, memory is as it was"), "the end")


def only_known_lines(_, lines):
    for line in lines:
        expect(any(p.match(line) for p in PI), True, f"a line that is known: {line!r}")


def reservations(_, lines):
    """The document's order, its first one word for word, and the array from the startup one."""
    expect(lines[0], "usable memory: [0x0, 0x3c000000)", "RAM of the device tree")
    names = [line[:-1] for line in lines if re.match(r"[a-z' ]+:$", line)]
    expect(names[:4], NAMED, "order of the reservations")
    expect(names[-1], "startup allocator", "the startup allocator's own memory comes last")
    first = "[Reserve] Reserve address [0x0, 0x1000). Range of pages: [0, 1)"
    expect(lines[lines.index("spin tables:") + 1], first, "the document's line")
    array = next(line for line in lines if line.startswith("page array"))
    where = int(array.split()[-1], 16)
    size = int(array.split()[2])
    expect(0x3c000 < size < 0x3c000 * 12 // 10, True, f"{size} bytes for 0x3c000 pages")
    ends = re.findall(r"0x[0-9a-f]+", lines[lines.index("startup allocator:") + 1])
    expect(int(ends[0], 16) <= where and where + size <= int(ends[1], 16), True, "holds the array")


def free_lists(_, lines):
    """Every [+] and [-] fits the ones before; each demo ends with the lists it began with."""
    at = next(i for i, line in enumerate(lines) if line.startswith("=== Buddy System Demo"))
    lists, seen = set(), 0
    for line in lines[at:]:
        m = re.match(r"\[-\] Remove page (\d+) from order (\d+)\.", line)
        if m and (int(m.group(1)), int(m.group(2))) not in lists:
            lists.add((int(m.group(1)), int(m.group(2))))  # free since before the demos
            seen += 1
        replay(lists, [line])
    expect(seen > 0, True, "blocks came from the lists")
    shown = [i for i, line in enumerate(lines) if re.match(r"\[List\] free lists (before|after)",
                                                           line)]
    pictures = [lines[i + 1:i + 12] for i in shown]
    expect(len(pictures), 6, "three demos")
    for picture in pictures[1:]:
        expect(picture, pictures[0], "free lists")


def most_of_memory(_, lines):
    """All usable memory is used: what is not free is reserved by name or is the kernel's."""
    pages = re.search(r": (\d+) of (\d+) pages free", "\n".join(lines))
    expect(int(pages.group(2)), 0x3c000, "pages")
    expect(int(pages.group(1)) > 0x3c000 * 98 // 100, True, f"{pages.group(0)}")


CASES = [
    ("osc4 on the Pi: make qemu in compat/osc4: all demos pass, exit code 0", passes),
    ("osc4 on the Pi: every line is one that is known", only_known_lines),
    ("osc4 on the Pi: reservations in the document's order, array from simple_alloc", reservations),
    ("osc4 on the Pi: free lists: steps fit together, the same at each end", free_lists),
    ("osc4 on the Pi: all usable memory is used", most_of_memory),
]


def main():
    print(f"1..{len(CASES)}")
    failed = 0
    try:
        code, lines = boot()
    except (Wrong, subprocess.TimeoutExpired) as wrong:
        print(f"Bail out! {wrong}")
        return 1
    for number, (name, case) in enumerate(CASES, 1):
        try:
            case(code, lines)
            print(f"ok {number} - {name}")
        except (Wrong, StopIteration, ValueError) as wrong:
            failed += 1
            print(f"not ok {number} - {name}\n# {wrong!r}")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
