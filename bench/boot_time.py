#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How long a kernel takes from the firmware's map to all pages free, against how much RAM there is.

    bench/boot_time.py [--quick | --tiny] [--csv FILE]

Boots every kernel that is built and takes any RAM (pc64, virt64) with 64 MiB to 900 GiB, which QEMU
reserves and nobody touches, and reads the kernel's own words: the time to make the zones (frame
tables are cleared), the time to hand the pages over, the bytes of metadata. Each size boots twice:
once under `-icount shift=0`, where a microsecond of the kernel's clock is a thousand instructions
whatever else the host does, and once on the clock. Both steps write the frame tables, a byte a
page, and no page itself.
"""
import argparse
import os
import re
import shutil
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "test/target"))
import rpi3_qemu as qemu  # noqa: E402

SIZES = ("64M", "256M", "1G", "4G", "16G", "64G", "256G", "900G")
QUICK = ("64M", "8G", "900G")
ICOUNT = ("-icount", "shift=0,sleep=off")
TIMES = re.compile(r"hand over: (\d+) us to make the zones, (\d+) us to give the frames")
BYTES = re.compile(r"metadata: (\d+) bytes for (\d+) pages")
LIMIT = 120
COLUMNS = "bench,workload,allocator,unit,median,min,max,rounds,ratio,bar,verdict"


class Board:
    def __init__(self, name, kernel, good, *command):
        self.name, self.good = name, good
        self.kernel = os.path.join(ROOT, "build", name, kernel)
        self.qemu, self.command = command[0], command

    def is_here(self):
        return shutil.which(self.qemu) is not None and os.path.exists(self.kernel)

    def boot(self, words, size, more):
        """(exit code, output) of a boot with so much RAM, which the host does not reserve."""
        base = [*self.command, "-display", "none", "-monitor", "none", "-serial", "stdio"]
        machine = type("Machine", (qemu.Machine,), {"BASE": base})
        return machine(["-object", f"memory-backend-ram,id=m0,size={size},reserve=off",
                        "-machine", "memory-backend=m0", "-m", size, "-cpu", "max", *more,
                        "-kernel", self.kernel, "-append", words], LIMIT).finish()


BOARDS = (Board("pc64", "kernel.elf", 33, "qemu-system-x86_64", "-no-reboot", "-device",
                "isa-debug-exit,iobase=0xf4,iosize=0x04"),
          Board("virt64", "kernel.img", 0, "qemu-system-aarch64", "-M", "virt"))


def measure(board, size, more=()):
    """(microseconds for the zones, for the pages, bytes of metadata, pages) of one boot."""
    code, output = board.boot("off", size, more)
    times, metadata = TIMES.search(output), BYTES.search(output)
    if code != board.good or times is None or metadata is None:
        sys.exit(f"boot_time.py: {board.name} with {size} does not boot:\n"
                 + "\n".join(output.splitlines()[-20:]))
    return (*map(int, times.groups()), *map(int, metadata.groups()))


def rows_of(board, sizes):
    """(size, thousands of instructions for zones, pages, microseconds for both, metadata)."""
    for size in sizes:
        zones, give, metadata, pages = measure(board, size, ICOUNT)
        clock_zones, clock_give, _, _ = measure(board, size)
        yield size, zones, give, clock_zones, clock_give, metadata, pages


def print_table(board, rows):
    print(f"\n{board.name}: the hand-over against RAM (QEMU; thousands of instructions by -icount, "
          "and microseconds)")
    print(f"  {'RAM':<8}{'zones, k insn':>15}{'pages, k insn':>15}{'zones, us':>12}"
          f"{'pages, us':>12}{'metadata, KiB':>15}{'bytes/page':>12}")
    for size, zones, give, clock_zones, clock_give, metadata, pages in rows:
        print(f"  {size:<8}{zones:>15}{give:>15}{clock_zones:>12}{clock_give:>12}"
              f"{metadata >> 10:>15}{metadata / pages:>12.3f}")


def csv_lines(board, rows):
    for size, zones, give, clock_zones, clock_give, metadata, pages in rows:
        for what, unit, value in (("zones", "kinsn", zones), ("pages", "kinsn", give),
                                  ("zones", "us", clock_zones), ("pages", "us", clock_give),
                                  ("metadata", "bytes/page", metadata / pages)):
            row = f"{what}_{unit.split('/')[0]}_{board.name}_{size}"
            v = f"{value:.4f}"
            yield f"boot,{row},loam,{unit},{v},{v},{v},1,,,"


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--csv")
    p.add_argument("--quick", action="store_true")
    p.add_argument("--tiny", action="store_true")
    args = p.parse_args()
    sizes = SIZES[:1] if args.tiny else QUICK if args.quick else SIZES
    lines = [COLUMNS]
    for board in BOARDS:
        if not board.is_here():
            print(f"boot_time.py: {board.name}: no {board.qemu}, or no kernel: not measured")
            continue
        rows = list(rows_of(board, sizes))
        print_table(board, rows)
        lines += csv_lines(board, rows)
    if args.csv:
        with open(args.csv, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
