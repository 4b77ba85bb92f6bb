#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The PC with 64 bits and the virtual Arm machine with 64 MiB to 64 GiB of RAM, with memory nodes
of uneven size, and, by GRUB, with holes. Larger ones: ram_sizes_long.py."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc64_qemu as pc  # noqa: E402
from pc32_boot_test import clean  # noqa: E402
from ram_sizes import BOARDS, boot, check, nodes, number, plain  # noqa: E402
from qemu_machine import frames  # noqa: E402
from taplib import Tap, parallel  # noqa: E402

SIZES = ("64M", "512M", "4G", "64G")
UNEVEN = (("512M", 1), ("1536M", 2), ("64M", 1))
FAR = ((0, 1, 15), (0, 2, 30), (1, 2, 21))


def sizes(tap):
    jobs = [(board, plain(size), size) for size in SIZES for board in BOARDS]
    for job, result in zip(jobs, parallel(boot, jobs)):
        check(tap, f"{job[0].name}: {job[2]}", result, number(job[2]))


def pages_of_node(output, node):
    found = re.search(rf"node {node}: (\d+) pages free, processors ([\d ]+), distances ([\d ]+)",
                      output)
    return (int(found.group(1)), found.group(2).strip(), found.group(3).strip()) if found else None


def uneven(tap):
    jobs = [(board, nodes(UNEVEN, FAR)) for board in BOARDS]
    for (board, _), result in zip(jobs, parallel(boot, jobs)):
        name = f"{board.name}: nodes of 512, 1536 and 64 MiB"
        check(tap, name, result, sum(number(size) for size, _ in UNEVEN))
        got = [pages_of_node(result[2], i) for i in range(3)]
        want = [("0", "10 15 30"), ("1 2", "15 10 21"), ("3", "30 21 10")]
        tap.check(None not in got and [node[1:] for node in got] == want,
                  f"{name}: their processors and distances are named", [f"{got}"])
        whole = [number(size) >> 12 for size, _ in UNEVEN]
        tap.check(None not in got and all(w - 8192 < n[0] <= w for n, w in zip(got, whole)),
                  f"{name}: each has its pages", [f"{got} of {whole}"])


def holes(tap):
    """A hole of 1 GiB and 16 small ones, by GRUB, which can cut below 4 GiB."""
    cuts = [(0x40000000, 0x80000000)]
    cuts += [(0x2000000 + i * 0x300000, 0x2000000 + i * 0x300000 + 0x101000) for i in range(16)]
    menu = "insmod mmap\n" + "".join(f"cutmem {a:#x} {b:#x}\n" for a, b in cuts)
    machines = parallel(lambda cut: pc.grub(
        menu=(menu if cut else "") + "multiboot2 /boot/kernel.elf demo=tour off",
        memory="5G", more=nodes((("4G", 1), ("1G", 1)))).finish(), (False, True))
    whole, cut = [(frames(result[1]) or (0, 0, 0, 0)) for result in machines]
    clean(tap, "GRUB: holes: boots, the tour passes", machines[1], "tour: done",
          r"node 1: \d+ pages", r"hand over: \d+ us to make the zones", r"metadata: \d+ bytes for")
    # A hole is not RAM, or it is RAM that GRUB says is reserved.
    lost = sum(b - a for a, b in cuts) >> 12
    tap.check(lost - 1024 <= whole[1] - cut[1] <= lost + 1024,
              "GRUB: holes: their pages are not free", [f"{whole}, {cut}, {lost}"])
    handed = re.findall(r"hand over: frames \[0x([0-9a-f]+), 0x([0-9a-f]+)\)", machines[1][1])
    inside = [(a, b) for a, b in handed for x, y in cuts
              if int(a, 16) < y >> 12 and int(b, 16) > x >> 12]
    tap.check(len(handed) >= len(cuts) and not inside, "GRUB: holes: none of them is handed over",
              [f"{handed}", f"{inside}"])


def main():
    tap = Tap()
    for part in (sizes, uneven, holes):
        part(tap)
    tap.done()


if __name__ == "__main__":
    main()
