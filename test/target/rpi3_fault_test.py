#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Exceptions on purpose: each ends the kernel with its reason, registers, a backtrace, code 1."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rpi3_qemu as pi  # noqa: E402
from taplib import Tap, parallel  # noqa: E402

# {text}: the first address of the kernel's code; {odd}: the one behind it.
FAULTS = {
    "null": r"data abort on write of address 0x8: translation fault.*\n.*a NULL pointer",
    "undef": r"undefined instruction",
    "text": r"data abort on write of address {text}: permission fault",
    "rodata": r"data abort on write of address 0x[0-9a-f]+: permission fault",
    "exec": r"instruction abort on execution of address 0x[0-9a-f]+: permission fault",
    "unmapped": r"data abort on read of address 0x400000000000: translation fault",
    "align": r"data abort on read of address {odd}: alignment fault",
    "pc": r"program counter not aligned",
    "brk": r"BRK instruction",
    "svc": r"system call",
    "fp": r"floating point is off",
    "stack": r"data abort on write of .*translation fault(.*\n)+?.*stack overflow",
}
REPORT = (r"trap: synchronous, from the kernel", r"^ x0 [0-9a-f]{16} ", r"^elr [0-9a-f]{16}  spsr ",
          r"esr [0-9a-f]{8}  far ", r"panic: trap in the kernel", r"panic: stopped")


def stopped(board, command):
    machine = board.console("exit=semihost")
    machine.wait_for(pi.PROMPT)
    machine.type(command + "\r")
    return machine.finish()


def missing(result, *texts):
    code, output = result
    faults = [f"missing: {text}" for text in texts if not re.search(text, output, re.M)]
    return ([f"exit code {code}"] if code != 1 else []) + faults


def main(board):
    tap = Tap()
    names = list(FAULTS)
    results = parallel(lambda name: stopped(board, f"fault {name}"), names)
    for name, result in zip(names, results):
        text = FAULTS[name].replace("{text}", hex(board.TEXT)).replace("{odd}", hex(board.TEXT + 1))
        faults = missing(result, text, *REPORT)
        tap.check(not faults, f"fault {name}: named, registers, exit code 1",
                  faults + pi.tail(result[1], 30))
    backtraced = dict(zip(names, results))["null"]
    faults = missing(backtraced, r"at fault_null\+0x", r"panic: on core 0 of 4",
                     r"#\d 0x[0-9a-f]+ shell_run\+0x", r"#\d 0x[0-9a-f]+ kern_main\+0x")
    tap.check(not faults, "fault null: core, backtrace: function names down to kern_main",
              faults + pi.tail(backtraced[1], 20))
    result = stopped(board, "panic")
    faults = missing(result, r"panic: as asked for", r"#\d 0x[0-9a-f]+ do_panic\+0x",
                     "panic: stopped")
    tap.check(not faults, "panic: reason, backtrace, exit code 1", faults + pi.tail(result[1], 20))
    tap.done()


if __name__ == "__main__":
    main(pi)
