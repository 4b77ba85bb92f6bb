#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots of the PC with 64 bits: by -kernel (PVH) and by GRUB (Multiboot 2), little memory and more
than the start code's tables reach, processors without what newer ones have, holes."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc64_qemu as pc  # noqa: E402
from pc32_boot_test import by_make, clean, kib, sums, words  # noqa: E402
from taplib import Tap, parallel  # noqa: E402


def plain(tap):
    result = pc.boot("off", initrd=os.path.join(pc.BUILD, "initrd.cpio"))
    clean(tap, "boot: every step is logged", result, r"pvh: .* RAM, .* 1 modules",
          r"pvh: ACPI at 0x", r"command line: off\n", r"ram: +\[0x100000, 0x3fe0000\)",
          r"reserve: \[0x0, 0x1000\)", r"metadata: \[0x1000, 0x2000\) 4 KiB, start of other",
          r"reserve: \[0x100000, .*kernel image", r"reserve: .*, module\n",
          r"metadata: .* pages of tables", r"metadata: \[0x1000000, .*zone dma\n",
          r"metadata: .*zone dma32\n", r"metadata: .*trace ring", r"hand over: frames",
          r"zone dma32: .*kmalloc stands on it", r"paging: final tables, .*cannot be executed",
          r"vmap: \[0xffffc00000000000, ", r"kmalloc: ready", r"cpus: 1 online", r"\] off")
    sums(tap, result)


# memory -> what has to be there, by -kernel and by an ISO
SIZES = {
    "16": (r"metadata: .*page allocator, zone dma\n",),
    "64": (r"zone dma:", r"zone dma32: .*kmalloc stands on it"),
    "5G": (r"zone dma:", r"zone dma32:", r"zone normal: .* pages free"),
}


def sizes(tap):
    cases = [(memory, by_grub) for memory in SIZES for by_grub in (False, True)]

    def run(case):
        memory, by_grub = case
        return pc.grub("demo=pages demo=irq off", memory=memory).finish() if by_grub else \
            pc.boot("demo=pages demo=irq off", memory=memory)
    for (memory, by_grub), result in zip(cases, parallel(run, cases)):
        name = f"memory: {memory} by {'GRUB' if by_grub else '-kernel'}"
        clean(tap, f"{name}: pages, interrupts", result, "yes, to the block", *SIZES[memory])
        total = (pc.frames(result[1]) or (0,))[0]
        want = 5 << 18 if memory == "5G" else int(memory) * 256
        tap.check(want - 300 < total <= want, f"{name}: all of it is counted", [f"{total} frames"])


def processors(tap):
    cases = {
        "qemu64,-nx": r"pages of 4 KiB, 2 MiB;.* executes whatever it can read",
        "qemu64": r"pages of 4 KiB, 2 MiB;.* data cannot be executed",
        "max": r"pages of 4 KiB, 2 MiB and 1 GiB;.* data cannot be executed",
    }
    results = parallel(lambda cpu: pc.boot("demo=tour off", cpu=cpu, memory="2G"), cases)
    for (cpu, text), result in zip(cases.items(), results):
        clean(tap, f"processor: {cpu}: its pages are named, the tour passes", result, text,
              "tour: done")
    for how, boot in (("-kernel", pc.console), ("GRUB", pc.grub)):
        code, output = boot("off", cpu="qemu64,-lm").finish()
        tap.check(code == pc.BAD and "no 64-bit mode" in output and "panic" not in output,
                  f"processor: without 64 bits by {how}: says so, failing exit code",
                  [f"exit code {code}", output])
    lacking = ("tsc", "msr", "pae", "cx8", "cmov")
    results = parallel(lambda what: pc.console("off", cpu=f"qemu64,-{what}").finish(), lacking)
    for what, (code, output) in zip(lacking, results):
        tap.check(code == pc.BAD and "lacks one of" in output and "trap" not in output,
                  f"processor: without {what}: says so, failing exit code",
                  [f"exit code {code}", output])


def by_grub(tap):
    machine = pc.grub()
    listing = machine.command("ls") if machine.wait_for(pc.PROMPT) else ""
    text = machine.command("cat hello.txt")
    clean(tap, "GRUB: loam.iso: tour, shell", pc.ends(machine), "multiboot2: .* loader GRUB",
          "multiboot2: ACPI at", "tour: done")
    tap.check("hello.txt" in listing and "Hello from the initramfs" in text,
              "GRUB: the module is the initramfs: ls, cat", [listing, text])
    holes = "insmod mmap\n" + "".join(
        f"cutmem {0x1000000 + i * 0x400000:#x} {0x1100000 + i * 0x400000:#x}\n" for i in range(6))
    result = pc.grub(menu=holes + "multiboot2 /boot/kernel.elf demo=tour off").finish()
    clean(tap, "GRUB: six holes: tour", result, "tour: done", "0 modules")
    total = (pc.frames(result[1]) or (0,))[0]
    whole = (pc.frames(pc.boot("off")[1]) or (0,))[0]
    held = kib(result[1], r"reserve: \[0x[12][0-9a-f]00000, 0x[12][0-9a-f]00000\) (\d+) KiB") >> 2
    tap.check(whole - total in (6 * 256 - held, 6 * 256), "GRUB: cutmem: the holes are not free",
              [f"{total} of {whole}, held {held}"])


def main():
    tap = Tap()
    for part in (plain, sizes, processors, by_grub):
        part(tap)
    by_make(tap, "run-pc64")
    words(tap, pc.boot)
    tap.done()


if __name__ == "__main__":
    main()
