#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Exceptions on purpose: each ends the PC's kernel with its reason, registers, a backtrace and a
failing exit code. Never a reset: that would be code 0."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc32_qemu as pc  # noqa: E402
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


def stopped(command, cpu=None):
    machine = pc.console("", cpu=cpu)
    machine.wait_for(pc.PROMPT)
    machine.type(command + "\r")
    return machine.finish()


def missing(result, *texts):
    code, output = result
    faults = [f"missing: {text}" for text in texts if not re.search(text, output, re.M)]
    return ([f"exit code {code}"] if code != pc.BAD else []) + faults


def main():
    tap = Tap()
    names = list(FAULTS)
    results = parallel(lambda name: stopped(f"fault {name}"), names)
    for name, result in zip(names, results):
        faults = missing(result, FAULTS[name], *REPORT)
        tap.check(not faults, f"fault {name}: named, registers, calls, exit code 35",
                  faults + pc.tail(result[1], 30))
    results = dict(zip(names, results))
    tap.check(not missing(results["divide"], r"at fault_divide\+0x"),
              "fault divide: the function is named", pc.tail(results["divide"][1], 20))
    result = stopped("fault stack", cpu="486")
    tap.check(not missing(result, FAULTS["stack"], *REPORT), "fault stack: on a 486, too",
              pc.tail(result[1], 30))
    result = stopped("panic")
    faults = missing(result, r"panic: as asked for", r"#\d 0x[0-9a-f]+ do_panic\+0x",
                     "panic: stopped")
    tap.check(not faults, "panic: reason, backtrace, exit code 35", faults + pc.tail(result[1], 20))
    machine = pc.console("")
    machine.wait_for(pc.PROMPT)
    text = machine.command("fault nonsense")
    tap.check("is not one of: null invalid" in text, "fault: unknown: the names are listed", [text])
    code, output = pc.ends(machine)
    tap.check(code == pc.GOOD, "fault: unknown: the shell goes on", pc.tail(output))
    machine = pc.console("")
    machine.wait_for(pc.PROMPT)
    machine.type("reboot\r")
    code, output = machine.finish()
    tap.check(code == 0 and output.rstrip().endswith("reboot"), "reboot: the machine resets",
              [f"exit code {code}", *pc.tail(output)])
    tap.done()


if __name__ == "__main__":
    main()
