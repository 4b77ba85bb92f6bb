#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Exceptions on purpose: each ends the PC's kernel with its reason, registers, a backtrace and a
failing exit code. Never a reset: that would be code 0."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc32_qemu  # noqa: E402
from pc_qemu import BAD, GOOD, PROMPT, ends  # noqa: E402
from qemu_machine import tail  # noqa: E402
from taplib import Tap, parallel  # noqa: E402

FAULTS = {
    "null": r"page fault on write of address 0x8: nothing is mapped.*\n.*a NULL pointer",
    "invalid": r"trap: invalid opcode",
    "divide": r"trap: divide error",
    "write-text": r"page fault on write of address 0xc0101000: no right.*\n.*the kernel's code",
    "write-rodata": r"page fault on write of address 0xc0[0-9a-f]+: no right.*\n.*constants",
    "unmapped": r"page fault on read of address 0x40000000: nothing is mapped",
    "wild": r"page fault on execution of address 0x12345678: nothing is mapped",
    "breakpoint": r"trap: breakpoint",
    "general": r"trap: general protection fault \(vector 13, error code 0x100\)",
    "overflow": r"trap: overflow",
    "fp": r"trap: floating point is off",
    "stack": r"trap: double fault: .*\n.*guard page below the main stack of core 0: stack overflow",
}
REPORT = (r"^trap: ", r"^eax [0-9a-f]{8}  ebx ", r"^eip [0-9a-f]{8}  eflags ", r"^cr0 [0-9a-f]{8} ",
          r"panic: trap in the kernel", r"#\d 0x[0-9a-f]+ shell_run\+0x",
          r"#\d 0x[0-9a-f]+ kern_main\+0x", r"panic: stopped")


def stopped(pc, command, **options):
    machine = pc.console("", **options)
    machine.wait_for(PROMPT)
    machine.type(command + "\r")
    return machine.finish()


def missing(result, *texts):
    code, output = result
    faults = [f"missing: {text}" for text in texts if not re.search(text, output, re.M)]
    return ([f"exit code {code}"] if code != BAD else []) + faults


def each(tap, pc, faults, report, **options):
    """Every fault by name; gives the results by name."""
    names = list(faults)
    results = parallel(lambda name: stopped(pc, f"fault {name}", **options), names)
    for name, result in zip(names, results):
        bad = missing(result, faults[name], *report)
        tap.check(not bad, f"fault {name}: named, registers, calls, exit code 35",
                  bad + tail(result[1], 30))
    results = dict(zip(names, results))
    tap.check(not missing(results["divide"], r"at x86_fault_divide\+0x"),
              "fault divide: the function is named", tail(results["divide"][1], 20))
    return results


def ways_to_end(tap, pc):
    result = stopped(pc, "panic")
    faults = missing(result, r"panic: as asked for", r"#\d 0x[0-9a-f]+ do_panic\+0x",
                     "panic: stopped")
    tap.check(not faults, "panic: reason, backtrace, exit code 35", faults + tail(result[1], 20))
    machine = pc.console("")
    machine.wait_for(PROMPT)
    text = machine.command("fault nonsense")
    tap.check("is not one of: null invalid" in text, "fault: unknown: the names are listed", [text])
    code, output = ends(machine)
    tap.check(code == GOOD, "fault: unknown: the shell goes on", tail(output))
    machine = pc.console("")
    machine.wait_for(PROMPT)
    machine.type("reboot\r")
    code, output = machine.finish()
    tap.check(code == 0 and output.rstrip().endswith("reboot"), "reboot: the machine resets",
              [f"exit code {code}", *tail(output)])


def main():
    tap = Tap()
    each(tap, pc32_qemu, FAULTS, REPORT)
    result = stopped(pc32_qemu, "fault stack", cpu="486")
    tap.check(not missing(result, FAULTS["stack"], *REPORT), "fault stack: on a 486, too",
              tail(result[1], 30))
    ways_to_end(tap, pc32_qemu)
    tap.done()


if __name__ == "__main__":
    main()
