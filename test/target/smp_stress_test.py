#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""All processors allocate at once, on every board: kern/stress.c. SEED=n for other choices."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import smp_machines as smp  # noqa: E402
from smp_machines import MT, NUMA, RR, on_pc64, on_rpi3, on_virt64  # noqa: E402
from taplib import Tap  # noqa: E402

SEED = os.environ.get("SEED", "1")
OPS = 20000

ROWS = [
    ("pc64, 1 core", on_pc64, 1, MT, {}, ""),
    ("pc64, 2 cores, a thread each", on_pc64, 2, MT, {}, ""),
    ("pc64, 4 cores, leaving and coming back", on_pc64, 4, RR, {}, ",offline"),
    ("pc64, 8 cores", on_pc64, 8, RR, {}, ""),
    ("rpi3, 4 cores, leaving and coming back", on_rpi3, 4, RR, {}, ",offline"),
    ("rpi3, 4 cores, the order of locks looked at", on_rpi3, 4, RR, {"kernel": smp.rpi3.CLANG},
     ""),
    ("virt64, 1 core", on_virt64, 1, MT, {}, ""),
    ("virt64, 2 cores, a thread each", on_virt64, 2, MT, {}, ""),
    ("virt64, 4 cores, two memory nodes", on_virt64, 4, RR, {"more": NUMA}, ",offline"),
    ("virt64, 16 cores", on_virt64, 16, RR, {}, ",offline"),
]


def faults_of(result, want, cores, more):
    code, output = result
    faults = [] if code == want else [f"exit code {code}, want {want}"]
    for text in (rf"^cpus: {cores} online$", rf"^stress: cpus={cores} ops=\d+ seed=0x",
                 r"^stress: 3 times all memory: \d+ pages, 0 left, [1-9]", r"^stress: passed$"):
        if not re.search(text, output, re.M):
            faults.append(f"missing: {text}")
    near = re.search(r"near: (\d+) of (\d+) blocks", output)
    if "numa" in str(more) and (near is None or int(near[1]) * 10 < int(near[2]) * 8):
        faults.append("most blocks of frames are of a far node")
    if cores > 1 and not re.search(r", [1-9]\d* freed by another core", output):
        faults.append("no core freed what another had taken")
    if "offline" in output and not re.search(r"stress: [1-9]\d* times a core was away", output):
        faults.append("no core was away")
    return faults + (output.splitlines()[-12:] if faults else [])


def run(tap, rows, ops, seed, limit):
    for name, boot, cores, accel, more, mode in rows:
        machine, want = boot(f"stress={ops},{seed}{mode} off", cores, accel=accel, limit=limit,
                             **more)
        faults = faults_of(machine.finish(), want, cores, more)
        faults += [f"SEED={seed}"] if faults else []
        tap.check(not faults, f"stress: {name}: passed", faults)


def main():
    tap = Tap()
    run(tap, ROWS, OPS, SEED, 200)
    tap.done()


if __name__ == "__main__":
    main()
