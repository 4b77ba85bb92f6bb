#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Several processors: started, counted, told to forget pages; locks that are used wrongly."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import smp_machines as smp  # noqa: E402
from smp_machines import MT, RR, on_pc64, on_rpi3, on_virt64  # noqa: E402
from qemu_machine import PROMPT  # noqa: E402
from taplib import Tap, parallel  # noqa: E402

BOARDS = [("pc64", on_pc64, smp.pc64.CLANG), ("rpi3", on_rpi3, smp.rpi3.CLANG),
          ("virt64", on_virt64, smp.virt64.CLANG)]


def tail(output):
    return output.splitlines()[-25:]


def words(tap, name, boot):
    """cpus and stress in the shell; tlb after it."""
    machine, want = boot("shell", 4)
    machine.wait_for(PROMPT)
    stress = machine.command("stress 4000 7")
    one_word = machine.command("stress 600,7,offline")
    cpus = machine.command("cpus")
    tlb = machine.command("tlb")
    machine.type("off\r")
    code, _ = machine.finish()
    online = re.findall(r"^ +(\d) +0  online +([1-9]\d*) +([1-9]\d*) ", cpus, re.M)
    tap.check("stress: passed" in stress and code == want, f"{name}: stress in the shell: passed",
              tail(stress))
    tap.check("ops=600 seed=0x7 offline" in one_word and "stress: passed" in one_word,
              f"{name}: stress in the shell: as on the command line", tail(one_word))
    tap.check(len(online) == 4, f"{name}: cpus: each core has had ticks and interrupts",
              tail(cpus))
    told = re.search(r"told of (\d+) batches(, by an interrupt each)?", tlb)
    by_interrupt = name == "pc64"
    tap.check(told is not None and (told[2] is not None) == by_interrupt and
              (int(told[1]) > 0) == by_interrupt, f"{name}: tlb: batches are told", tail(tlb))


def stale(tap, name, boot):
    """A page of vmap that was freed: the other core's read faults."""
    machine, _ = boot("shell", 4)
    machine.wait_for(PROMPT)
    output = machine.command("stale 3")
    machine.finish()
    tap.check("stale: core 3 reads" in output and "on core 3 of 4" in output and
              "went through" not in output, f"{name}: a freed page: another core's read faults",
              tail(output))


def untold(tap):
    """The same when nobody tells the other: so the test above can fail."""
    machine, _ = on_pc64("shell", 2, accel=MT)
    machine.wait_for(PROMPT)
    output = machine.command("stale 1 untold")
    machine.type("off\r")
    machine.finish()
    tap.check("stale: the read went through" in output,
              "pc64: untold, the other core still finds the page", tail(output))


def locks(tap, name, boot, kernel):
    for bug, rule, seen in (("lock-again", "O1", "area of a zone"),
                            ("lock-release", "O2", "area of a zone"),
                            ("lock-order", "O3", "face of another system")):
        machine, _ = boot("shell", 3, kernel=kernel)
        machine.wait_for(PROMPT)
        output = machine.command(f"bug {bug} 2")
        machine.finish()
        tap.check(re.search(rf"lock: {rule} .*{seen}", output) is not None and
                  "on core 2 of" in output, f"{name}: {bug}: rule, lock and core are named",
                  tail(output))


def fewer(tap):
    machine, want = on_virt64("cpus=3 off", 4)
    code, output = machine.finish()
    tap.check(code == want and "cpus: 3 online" in output and "3 of 4 are used" in output,
              "cpus=3: three of four", tail(output))
    machine, want = on_pc64("cpus=0 off", 2, accel=RR)
    code, output = machine.finish()
    tap.check(code == want and "cpus: 2 online" in output and "a number from 1 on" in output,
              "cpus=0: a line, all start", tail(output))


def seeds(tap):
    words = ("stress=300 off", "seed=7 stress=300 off", "seed=7 stress=300,9 off")
    results = parallel(lambda given: on_virt64(given, 2)[0].finish(), words)
    for given, seed, (_, output) in zip(words, ("1", "7", "9"), results):
        tap.check(f"ops=300 seed=0x{seed}\n" in output and "stress: passed" in output,
                  f"{given}: its seed is {seed}", tail(output))


def main():
    tap = Tap()
    for name, boot, kernel in BOARDS:
        words(tap, name, boot)
        stale(tap, name, boot)
        locks(tap, name, boot, kernel)
    untold(tap)
    fewer(tap)
    seeds(tap)
    tap.done()


if __name__ == "__main__":
    main()
