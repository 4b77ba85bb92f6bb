#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots of the PC: by -kernel and by GRUB, little memory and much, old processors, holes, and
information that is absent, wrong, or a lie."""
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc32_qemu as pc  # noqa: E402
from by_make import make  # noqa: E402
from taplib import Tap, parallel  # noqa: E402

MIB = 1 << 20


def clean(tap, name, result, *texts, code=pc.GOOD):
    """Ended by itself with this code, a good sum, no panic, and all the texts."""
    got, output = result
    faults = [f"exit code {got}, want {code}"] if got != code else []
    faults += ["no frames line that adds up"] if pc.frames(output) is None else []
    faults += ["a panic"] if "panic:" in output else []
    faults += [f"missing: {text}" for text in texts if not re.search(text, output)]
    tap.check(not faults, name, faults + pc.tail(output, 30) if faults else ())


def kib(output, pattern):
    return sum(int(n) for n in re.findall(pattern, output))


def sums(tap, result):
    """What the log reserved and handed over is what the frames line counts; of 64 MiB."""
    total, free, held, metadata = pc.frames(result[1]) or (0, 0, 0, 0)
    image = re.search(r"reserve: \[0x100000, 0x([0-9a-f]+)\)", result[1])
    module = re.search(r"reserve: \[0x([0-9a-f]+), 0x([0-9a-f]+)\) .*, module", result[1])
    want = 1 + (int(image.group(1), 16) >> 12) - 256 if image else 0
    want += (int(module.group(2), 16) + 4095 >> 12) - (int(module.group(1), 16) >> 12)
    tap.check(total == 0x9F + 0x3EE0 and held == want, "boot: held frames: as reserved, each once",
              [f"total {total}, held {held}, want {want}", *pc.tail(result[1], 30)])
    want = kib(result[1], r"metadata: .*?(\d+) KiB") >> 2
    tap.check(metadata == want > 0, "boot: metadata frames: as allocated early",
              [f"metadata {metadata}, want {want}"])
    handed = sum(int(n) for n in re.findall(r"hand over: .*, (\d+) pages", result[1]))
    tap.check(handed == free, "boot: free frames: as handed over", [f"{handed}, free {free}"])


def plain(tap):
    result = pc.boot("off", initrd=os.path.join(pc.BUILD, "initrd.cpio"))
    clean(tap, "boot: every step is logged", result, r"multiboot: .* RAM, .* 1 modules",
          r"command line: off\n", r"ram: +\[0x100000, 0x3fe0000\)", r"reserve: \[0x0, 0x1000\)",
          r"reserve: \[0x100000, .*kernel image", r"reserve: .*, module\n",
          r"metadata: .*zone dma", r"metadata: .*zone low", r"metadata: .*trace ring",
          r"hand over: frames", r"zone low: .*kmalloc stands on it", r"paging: boot tables gone",
          r"paging: final tables", r"vmap: \[0xd0000000, ", r"kmalloc: ready", r"\] off")
    sums(tap, result)


# memory -> zones that have to be there, by -kernel and by the ISO
SIZES = {
    "16": (r"metadata: .*page allocator, zone dma",),
    "64": (r"zone dma:", r"zone low: .*kmalloc stands on it"),
    "1024": (r"zone dma:", r"zone low: .*kmalloc stands on it", r"zone high:"),
    "4096": (r"zone high:", r"0x100000000, .*beyond this kernel's map"),
}


def sizes(tap):
    cases = [(memory, iso) for memory in SIZES for iso in (False, True)]

    def run(case):
        memory, iso = case
        if iso:
            return pc.ends(pc.grub(memory=memory))
        return pc.boot("demo=tour demo=irq off", memory=memory)
    for (memory, iso), result in zip(cases, parallel(run, cases)):
        clean(tap, f"memory: {memory} MiB by {'GRUB' if iso else '-kernel'}: tour, off", result,
              "tour: done", *SIZES[memory])
        total = (pc.frames(result[1]) or (0,))[0]
        tap.check(int(memory) * 256 - 200 < total <= int(memory) * 256,
                  f"memory: {memory} MiB by {'GRUB' if iso else '-kernel'}: all of it is counted",
                  [f"{total} frames"])


def processors(tap):
    names = {"486": "80486", "pentium": "a Pentium,", "qemu32": "Pentium Pro"}
    results = parallel(lambda cpu: pc.boot("demo=tour demo=irq off", cpu=cpu), names)
    for (cpu, text), result in zip(names.items(), results):
        clean(tap, f"processor: {cpu}: named, tour, interrupts", result, text, "tour: done",
              "paging: up to [0-9]+ pages are flushed one by one")
    clean(tap, "processor: 486 without large pages: 4 KiB pages",
          pc.boot("demo=tour off", cpu="486,-pse"), "pages of 4 KiB;", "tour: done")
    clean(tap, "processor: 486 by GRUB", pc.ends(pc.grub(cpu="486")), "80486", "tour: done")


def by_grub(tap):
    machine = pc.grub()
    listing = machine.command("ls") if machine.wait_for(pc.PROMPT) else ""
    text = machine.command("cat hello.txt")
    clean(tap, "GRUB: loam.iso: tour, shell", pc.ends(machine), "loader GRUB", "tour: done")
    tap.check("hello.txt" in listing and "Hello from the initramfs" in text,
              "GRUB: the module is the initramfs: ls, cat", [listing, text])
    hole = "insmod mmap\ncutmem 0x1000000 0x2000000\nmultiboot /boot/kernel.elf demo=tour off"
    result = pc.grub(menu=hole).finish()
    clean(tap, "GRUB: cutmem 16 to 32 MiB: tour", result, "tour: done", r"zone low:")
    total = (pc.frames(result[1]) or (0,))[0]
    whole = (pc.frames(pc.boot("off")[1]) or (0,))[0]
    held = sum(int(n) for n in re.findall(r"reserve: \[0x1000000, 0x2000000\) (\d+) KiB",
                                          result[1])) >> 2
    tap.check(whole - total + held == 4096 or whole - total == 4096,
              "GRUB: cutmem: the hole is not free", [f"{total} of {whole}, held {held}"])
    holes = "insmod mmap\n" + "".join(
        f"cutmem {0x800000 + i * 0x400000:#x} {0x900000 + i * 0x400000:#x}\n" for i in range(10))
    clean(tap, "GRUB: ten holes: tour",
          pc.grub(menu=holes + "multiboot /boot/kernel.elf demo=tour off").finish(), "tour: done")
    clean(tap, "GRUB: no module: boots", pc.grub(menu="multiboot /boot/kernel.elf off").finish(),
          "0 modules")


def huge_initrd(tap):
    """300 MiB of it: of the frames with an address few are left, and the window is smaller."""
    with tempfile.NamedTemporaryFile(prefix="loam-initrd-") as file:
        file.truncate(300 << 20)
        clean(tap, "memory: an initrd over all of zone low: boots",
              pc.boot("off", memory="512", initrd=file.name),
              r"zone low: 0 pages free", r"vmap: \[0xd0000000, 0xd[0-7]")


def words(tap, boot=pc.boot):
    clean(tap, "command line: unknown and wrong words: a warning each",
          boot("off florble slab=nonsense misuse=maybe exit=never demo seed=x"),
          "unknown word: 'florble'", "bad slab option: 'slab'", "misuse= knows", "exit= knows",
          "a value is missing: 'demo'", "seed= wants a number")
    code, output = boot("test=florble off")[:2]
    tap.check(code == pc.BAD and "no test has 'florble' in its name" in output,
              "command line: test=: no test of this name: not a pass", output.splitlines()[-3:])
    clean(tap, "command line: the kernel's file name is none of its words", boot("off"),
          r"command line: off\n(?!.*unknown word)")
    clean(tap, "command line: slab modes: accepted, kmalloc works",
          boot("slab=guard,poison,quarantine=64K,owner demo=objects off"), "kmalloc\\(24\\) -> ")
    clean(tap, "command line: trace: events from the hand-over on", boot("trace off"),
          "list_add order")
    clean(tap, "console: serial alone", boot("off console=serial"), r"command line: off console")
    clean(tap, "console: unknown name: a warning", boot("off console=teletype"),
          "console=teletype is not one of: serial vga both")
    code, output = boot("demo=nonsense off")
    tap.check(code == pc.BAD and "no demo of this name" in output,
              "demo: unknown: said, failing exit code", pc.tail(output))
    code, output = boot("demo=misuse demo=osc4 off")
    tap.check(code == pc.GOOD and "refused: 7 of 7" in output, "demo: misuse, osc4: pass",
              pc.tail(output))


def told(tap):
    """Information made up by a loader of our own: (name, options, texts, its words are taken)."""
    top = 1 << 64
    default = "using the default map"
    ram = ((0, 0x9FC00, 1), (0x100000, 0x3EE0000, 1))
    cases = [
        ("bad magic", {"magic": 0x1BADB002}, [f"multiboot: .*magic.*0x1badb002.*{default}"], False),
        ("information out of reach", {"info": "0xfffffff0"}, [f"multiboot: .*{default}"], False),
        ("information inside the kernel", {"info": "0x110000"}, [f"multiboot: .*{default}"], False),
        ("neither map nor sizes", {"flags": 4}, [f"no memory map.*{default}"], False),
        ("sizes, no map", {"flags": 5}, [r"ram: +\[0x100000, 0x4000000\)"], True),
        ("an empty map", {"flags": 0x44, "map_len": 0}, [f"multiboot: .*{default}"], False),
        ("a truncated map", {"map_len": 30}, [f"multiboot: .*{default}"], False),
        ("a map that wraps", {"regions": ram + ((top - 0x1000, 0x2000, 1),)},
         [f"leaves the address space.*{default}"], False),
        ("more entries than fit", {"regions": ram + tuple(
            (0x10000000 + i * 0x10000, 0x1000, 1) for i in range(300))},
         [f"more than 256.*{default}"], False),
        ("unsorted and overlapping", {"regions": (ram[1], ram[0], (0x200000, 0x1000000, 1),
                                                  (0x1800000, 0x100000, 2), ram[1])},
         [r"reserve: \[0x1800000, 0x1900000\)"], True),
        ("a module over the kernel", {"flags": 0x4C, "modules": ((0x120000, 0x121000),)},
         ["inside the kernel and is lost"], True),
        ("a module that ends before it starts", {"flags": 0x4C, "modules": (
            (0x2800000, 0x2700000),)}, [f"a module ends before.*{default}"], False),
        ("a module beyond memory", {"flags": 0x4C, "modules": ((0x40000000, 0x40001000),)},
         ["at 0x40000000 there is no memory; it is lost"], True),
        ("a module in a hole", {"flags": 0x4C, "modules": ((0x6000000, 0x6001000),)},
         ["at 0x6000000 there is no memory; it is lost"], True),
        ("ACPI and bad RAM", {"regions": ram + ((0x2000000, 0x1000, 3), (0x2100000, 0x1000, 5))},
         ["ACPI tables", "bad RAM"], True),
        ("1 MiB above 1 MiB", {"regions": ((0, 0x9FC00, 1), (0x100000, 0x100000, 1))},
         [], None),
        ("RAM only above 256 MiB", {"regions": ((0x10000000, 0x1000000, 1),)},
         [f"no room for this kernel.*{default}"], None),
    ]

    def run(case):
        machine = pc.with_info(**case[1])
        return machine.finish() if case[3] else pc.ends(machine)
    for (name, _, texts, _), result in zip(cases, parallel(run, cases)):
        clean(tap, f"told: {name}: said, and a shell or off", result, *texts)


def by_make(tap, target="run-pc32"):
    clean(tap, f"make {target}: no terminal: the tour, then off", make(target), "page_split",
          "page_merge", "tour: done", r"\] off", code=0)
    clean(tap, f"make {target}: on a terminal: says how to leave, the tour, a shell",
          make(target, terminal=True), "Ctrl-A x", "tour: done", r"Shell: `help`", "loam> off",
          code=0)


def main():
    tap = Tap()
    for part in (by_make, plain, sizes, huge_initrd, processors, by_grub, words, told):
        part(tap)
    tap.done()


if __name__ == "__main__":
    main()
