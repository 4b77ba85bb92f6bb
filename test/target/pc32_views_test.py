#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the PC's shell shows of page tables: tlb, vmap and aspace, with their counters. Prints TAP.
"""
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc32_qemu as pc  # noqa: E402
from taplib import Tap  # noqa: E402

PAGE = 4096


def numbers(text, pattern):
    """The numbers of the line that fits."""
    found = re.search(pattern, text, re.M)
    return [int(word) for word in found.groups()] if found else []


def flushes(machine):
    """[batches, pages one by one, whole flushes]"""
    return numbers(machine.command("tlb"),
                   r"^flushes: (\d+) batches; (\d+) pages one by one, (\d+) times everything$")


def change(before, after):
    return [b - a for a, b in zip(before, after)]


def allocate(machine, size):
    """The address of a new area; 0: none."""
    said = machine.command(f"vmap alloc {size}")
    return int((re.search(r"^0x([0-9a-f]+): ", said, re.M) or [0, "0"])[1], 16)


def areas(machine):
    """{address: (bytes asked for, pages, rights)}; a block of kmalloc says so behind its rights."""
    lines = re.findall(r"^  0x([0-9a-f]+) +(\d+) bytes, +(\d+) pages, (\S+(?: kmalloc)?), guards",
                       machine.command("vmap"), re.M)
    return {int(va, 16): (int(size), int(pages), rights) for va, size, pages, rights in lines}


def one_flush_a_call(tap, machine):
    threshold = numbers(machine.command("tlb"), r"^a batch of up to (\d+) pages: one by one")
    tap.check(len(threshold) == 1 and 1 <= threshold[0] <= 32, "tlb: a threshold was measured",
              [str(threshold)])
    for pages, one_by_one in ((1, 1), (1000, 0)):
        va = allocate(machine, pages * PAGE)
        before = flushes(machine)
        said = machine.command(f"vmap free {va:#x}")
        told = change(before, flushes(machine))
        want = [1, one_by_one, 0 if one_by_one else 1]
        tap.check(va != 0 and ": free" in said and told == want,
                  f"vmap: {pages} pages unmapped: one flush", [f"{told}, wanted {want}", said])
    before = flushes(machine)
    va = allocate(machine, 1000 * PAGE)
    told = change(before, flushes(machine))
    tap.check(told == [0, 0, 0], "vmap: 1000 pages mapped where nothing was: no flush", [str(told)])
    machine.command(f"vmap free {va:#x}")


def lists(tap, machine):
    start = areas(machine)
    first, second = allocate(machine, 5000), allocate(machine, 123456)
    said = machine.command("kmalloc 200000")
    block = int((re.search(r"^0x([0-9a-f]+): ", said, re.M) or [0, "0"])[1], 16)
    seen = areas(machine)
    tap.check(seen.get(first) == (5000, 2, "rw-") and seen.get(second) == (123456, 31, "rw-"),
              "vmap: areas with size, pages and rights", [str(seen)])
    tap.check(block in seen and seen[block][0] >= 200000 and seen[block][2] == "rw- kmalloc",
              "vmap: a large block of kmalloc's", [hex(block), str(seen)])
    line = [line for line in machine.command("stats json").splitlines() if line.startswith("{")]
    stats = json.loads(line[0]) if line else {"vmap": {}, "tlb": {}}
    tap.check(stats["vmap"].get("areas") == len(seen) and
              stats["vmap"].get("mapped") == sum(pages * PAGE for _, pages, _ in seen.values()),
              "stats json: areas as `vmap` shows them", [str(stats["vmap"])])
    tap.check([stats["tlb"].get(k) for k in ("batches", "pages", "fulls")] == flushes(machine),
              "stats json: flushes as `tlb` shows them", [str(stats["tlb"])])
    tap.check(second >= first + 3 * PAGE, "vmap: a guard page between two areas",
              [hex(first), hex(second)])
    twice = [machine.command(f"vmap free {first:#x}") for _ in range(2)]
    tap.check("free" in twice[0] and "refused" in twice[1], "vmap: freed twice: refused", twice)
    said = machine.command(f"kfree {block + (1 << 32):#x}")
    refusal = "beyond this machine's addresses" if block >> 32 == 0 else "refused"
    tap.check(refusal in said and block in areas(machine),
              "kfree: an address of 33 bits is not its lower 32", [said])
    machine.command(f"kfree {block:#x}")
    machine.command(f"vmap free {second:#x}")
    tap.check(areas(machine) == start, "vmap: all gone", [str(areas(machine))])
    for words in ("alloc 0", "alloc 8000G", "alloc x", "free 0x1234", "free", "florble 1"):
        said = machine.command(f"vmap {words}")
        tap.check(len(said.splitlines()) >= 2, f"vmap {words}: an answer", [said])
    tap.check("every rule holds" in machine.command("check"), "check: every rule holds", [])


def spaces(tap):
    """aspace after programs have run: what their spaces were."""
    machine = pc.console("shell", initrd=os.path.join(pc.BUILD, "initrd.cpio"))
    machine.wait_for(pc.PROMPT)
    machine.command("run clone")
    machine.command("run stack")
    said = machine.command("aspace")
    told = re.findall(r"^(\w+) \(\d+\): (\d+) regions, (\d+) pages present", said, re.M)
    tap.check(told and told[-1][0] == "stack" and ("clone", "6") in [t[:2] for t in told[:-1]],
              "aspace: the last programs", said.splitlines())
    grown = numbers(said, r"^  \[0x\w+, 0x\w+\) rw- +\d+ pages, (\d+) present  stack, grows down$")
    tap.check(grown and grown[0] > 50, "aspace: regions, pages present", said.splitlines())
    copied = [int(n) for n in re.findall(r"copy on write: (\d+) copied", said)]
    tap.check(copied and max(copied) >= 8, "aspace: copies on write are counted",
              said.splitlines())
    tap.check(re.search(r"r-- +\d+ pages, 0 present  near NULL, guard$", said, re.M) is not None,
              "aspace: the guard at NULL", said.splitlines())
    code, output = pc.ends(machine)
    tap.check(code == pc.GOOD, "aspace: and off", [str(code), *pc.tail(output)])


def processors(tap):
    for cpu in ("486", "pentium", "max"):
        machine = pc.console("shell", cpu=cpu)
        machine.wait_for(pc.PROMPT)
        said = machine.command("tlb")
        code, _ = pc.ends(machine)
        tap.check(code == pc.GOOD and "processor: " in said and "invlpg" in said,
                  f"tlb: -cpu {cpu}", said.splitlines())


def main():
    tap = Tap()
    machine = pc.console("shell")
    machine.wait_for(pc.PROMPT)
    one_flush_a_call(tap, machine)
    lists(tap, machine)
    said = machine.command("aspace")
    tap.check("no program has run yet" in said, "aspace: no program has run yet", [said])
    code, output = pc.ends(machine)
    tap.check(code == pc.GOOD, "off", [str(code), *pc.tail(output)])
    spaces(tap)
    processors(tap)
    tap.done()


if __name__ == "__main__":
    main()
