#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Exceptions on purpose: each ends the 64-bit PC's kernel with its reason, core, registers, a
backtrace and a failing exit code. Never a reset: that would be code 0."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc64_qemu  # noqa: E402
from pc32_fault_test import each, ways_to_end  # noqa: E402
from taplib import Tap  # noqa: E402

FAULTS = {
    "null": r"page fault on write of address 0x8: nothing is mapped.*\n.*a NULL pointer",
    "invalid": r"trap: invalid opcode",
    "divide": r"trap: divide error",
    "write-text": r"page fault on write of address 0xffffffff80101000: no right.*\n.*'s code",
    "write-rodata": r"page fault on write of address 0xf{8}80[0-9a-f]+: no right.*\n.*constants",
    "alias": r"page fault on write of address 0xffff800000101000: nothing is mapped there",
    "exec": r"page fault on execution of address 0xffffffff80[0-9a-f]+: no right to do that",
    "unmapped": r"page fault on read of address 0x40000000: nothing is mapped",
    "wild": r"trap: general protection fault \(vector 13, error code 0x0\), on core 0",
    "jump": r"page fault on execution of address 0x12345678: nothing is mapped",
    "breakpoint": r"trap: breakpoint",
    "general": r"trap: general protection fault \(vector 13, error code 0x100\)",
    "fp": r"trap: floating point is off",
    "nmi": r"trap: non-maskable interrupt \(vector 2",
    "stack": r"trap: double fault.*, on core 0\n.* a fault could not be reported on the stack .*\n"
             r".*guard page below the main stack of core 0: stack overflow",
}
REPORT = (r"^trap: .*, on core 0$", r"^panic: on core 0 of 1", r"^rax [0-9a-f]{16}  rbx ",
          r"^r15 [0-9a-f]{16}  rip [0-9a-f]{16}  rflags ",
          r"^cr0 [0-9a-f]{8}  cr2 [0-9a-f]{16}  cr3 ",
          r"panic: trap in the kernel", r"#\d 0x[0-9a-f]+ shell_run\+0x",
          r"#\d 0x[0-9a-f]+ kern_main\+0x", r"panic: stopped")


def main():
    tap = Tap()
    each(tap, pc64_qemu, FAULTS, REPORT)
    ways_to_end(tap, pc64_qemu)
    tap.done()


if __name__ == "__main__":
    main()
