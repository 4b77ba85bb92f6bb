#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Processors of the PC with 64 bits: 1 to 32 of them, in any order of their APICs' numbers; each
has its tick; one that is named and not there; none named at all."""
import os
import re
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc64_qemu as pc  # noqa: E402
from pc32_boot_test import clean  # noqa: E402
from pc64_qemu import PROMPT, ROOT, tail  # noqa: E402
from taplib import Tap, parallel  # noqa: E402

# QEMU's words for processors -> how many there are, and the name of the case
COUNTS = {
    "1": (1, "one"),
    "2": (2, "two"),
    "7": (7, "seven"),
    "12,sockets=2,cores=3,threads=2": (12, "numbers of APICs with gaps"),
    "32": (32, "32"),
    "40": (32, "40: the 32 that this kernel can count"),
    "2,maxcpus=8": (2, "two, six more may be plugged in"),
}


def table(output):
    """The rows of the shell's word `cpus`: number, state, ticks, interrupts, requests."""
    return [(int(row[0]), row[1], *(int(n) for n in row[2:])) for row in
            re.findall(r"^ +(\d+) +\d+ +(\w[\w ]*?) +(\d+) +(\d+) +(\d+) +\d+$", output, re.M)]


def counts(tap):
    def run(words):
        machine = pc.console("shell", memory="128", cpu="max", more=["-smp", words])
        if machine.wait_for(PROMPT):
            machine.command("demo irq")  # takes a while: all of them tick
        area = re.search(r"0x([0-9a-f]+):", machine.command("vmap alloc 65536"))
        if area:
            machine.command(f"vmap free 0x{area.group(1)}")  # all of them have to forget it
        text = machine.command("cpus")
        machine.type("off\r")
        return machine.finish(), text
    for (count, name), (result, text) in zip(COUNTS.values(), parallel(run, COUNTS)):
        clean(tap, f"processors: {name}: all come", result, rf"cpus: {count} online\n")
        rows = table(text)
        tap.check(len(rows) == count and all(row[1] == "online" and row[2] > 0 for row in rows),
                  f"processors: {name}: each ticks", [text])
        tap.check(len(rows) == count and all(row[3] > 0 and row[4] > 0 for row in rows[1:]),
                  f"processors: {name}: each of the others is interrupted and answers", [text])


def fewer(tap):
    result = pc.boot("off cpus=3", more=["-smp", "4"])
    clean(tap, "processors: cpus=3 of 4", result, r"cpus: 3 online\n", "3 of 4 are used")
    result = pc.boot("off", more=["-M", "q35", "-smp", "4"])
    clean(tap, "processors: a machine of the kind q35", result, r"cpus: 4 online\n")
    result = pc.boot("demo=irq off", more=["-smp", "2", "-machine", "acpi=off"])
    clean(tap, "processors: no ACPI: one, by the old timer", result,
          r"local APIC: ACPI names none: one processor", r"cpus: 1 online\n",
          r"[1-9]\d* allocations in interrupts")


def madt(ids):
    """A table of processors with these APICs."""
    rows = b"".join(struct.pack("<BBBBI", 0, 8, i, i, 1) for i in ids)
    body = struct.pack("<II", 0xFEE00000, 1) + rows
    text = bytearray(struct.pack("<4sIBB6s8sI4sI", b"APIC", 36 + len(body), 3, 0, b"LOAM  ",
                                 b"TEST    ", 1, b"LOAM", 1) + body)
    text[9] = -sum(text) & 255
    return bytes(text)


def with_table(ids, menu_words):
    """Boots three processors by GRUB, which puts a table of our own in the firmware's place."""
    with tempfile.TemporaryDirectory(prefix="loam-madt-") as folder:
        image, config, data = (os.path.join(folder, name) for name in ("k.iso", "cfg", "madt"))
        with open(data, "wb") as file:
            file.write(madt(ids))
        with open(config, "w", encoding="ascii") as file:
            file.write("set timeout=0\nmenuentry k {\nacpi --exclude=APIC /boot/initrd.cpio\n"
                       f"multiboot2 /boot/kernel.elf {menu_words}\n}}\n")
        subprocess.run([os.path.join(ROOT, "tools/grub_iso.sh"), image, pc.KERNEL, data, config,
                        "multiboot2 mmap acpi iso9660 biosdisk normal"], check=True)
        machine = pc.Machine(["-cdrom", image, "-m", "64", "-smp", "3"], pc.LIMIT)
        machine.wait_for("Loam")
        return machine.finish()


def missing(tap):
    cases = ((0, 77, 1, 2, 78), (2, 1, 0), (1, 2))
    results = parallel(lambda ids: with_table(ids, "demo=irq off"), cases)
    clean(tap, "processors: two that are not there: named, the others come", results[0],
          r"processor 1: it did not come within five seconds",
          r"processor 4: it did not come within five seconds", r"cpus: 3 online\n")
    tap.check(not re.search(r"processor [23]:", results[0][1]),
              "processors: only those that do not come are named", tail(results[0][1], 20))
    clean(tap, "processors: listed in any order: the one that booted is the first", results[1],
          r"cpus: 3 online\n")
    clean(tap, "processors: the one that booted is not listed: it counts", results[2],
          r"cpus: 3 online\n")


def low_memory(tap):
    """The page at which they begin lies where low memory is free."""
    menu = "insmod mmap\ncutmem 0x1000 0x43800\nmultiboot2 /boot/kernel.elf off"
    result = pc.grub(menu=menu, more=["-smp", "3"]).finish()
    clean(tap, "processors: low memory that is the firmware's: they begin behind it", result,
          r"metadata: \[0x44000, 0x45000\) 4 KiB, start of other", r"cpus: 3 online\n")


def main():
    tap = Tap()
    for part in (counts, fewer, missing, low_memory):
        part(tap)
    tap.done()


if __name__ == "__main__":
    main()
