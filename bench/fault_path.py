#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Instructions of a page fault on the PC, from the access to its return, counted by QEMU.

    bench/fault_path.py [--csv FILE]

The PC's kernel runs bin/faults under `-icount shift=0`: a tick of the time-stamp counter is one
instruction then, whatever else the host does. Rows: `touch`, the first write to a page (a zeroed
frame); `copy`, the first write after a clone (a copied frame); `keep`, a write to a page that was
shared and is not any more. The median of 64, the least and the most (these made a table).
"""
import argparse
import os
import re
import shutil
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "test/target"))
import pc32_qemu as pc  # noqa: E402

LINE = re.compile(r"^faults: (\w+): (\d+) ticks, (\d+) to (\d+)$", re.M)
ROWS = ("touch", "copy", "keep")


def counted():
    """{row: (median, least, most)} of one boot."""
    machine = pc.console("shell", initrd=os.path.join(pc.BUILD, "initrd.cpio"),
                         more=("-icount", "shift=0,sleep=off"))
    if machine.wait_for(pc.PROMPT) is None:
        sys.exit("fault_path.py: no shell:\n" + "\n".join(pc.tail(machine.output)))
    answer = machine.command("run faults")
    pc.ends(machine)
    found = {name: tuple(map(int, rest)) for name, *rest in LINE.findall(answer)}
    if any(row not in found for row in ROWS):
        sys.exit("fault_path.py: bin/faults does not tell:\n" + answer)
    return found


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--csv")
    args = p.parse_args()
    if shutil.which("qemu-system-i386") is None:
        print("fault_path.py: qemu-system-i386 is not installed: no page faults counted")
        return
    found = counted()
    print("\npage faults, instructions from the access to its return (QEMU, -icount)")
    for row in ROWS:
        median, least, most = found[row]
        print(f"  fault_{row:<16}{median:10}   {least} to {most}")
    if args.csv:
        with open(args.csv, "w", encoding="utf-8") as f:
            f.write("bench,workload,allocator,unit,median,min,max,rounds,ratio,bar,verdict\n")
            for row in ROWS:
                median, least, most = found[row]
                f.write(f"faults,fault_{row},loam,instructions/fault,"
                        f"{median},{least},{most},64,,,\n")


if __name__ == "__main__":
    main()
