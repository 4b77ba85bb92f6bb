#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots of QEMU's virt machine: cores, interrupt controllers, exception levels, RAM, memory nodes,
ways to end, and device trees that are not what they should be."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import virt64_qemu as virt  # noqa: E402
from by_make import make  # noqa: E402
from taplib import Tap, parallel  # noqa: E402

MIB = 1 << 20


def clean(tap, name, result, *texts, code=0):
    """Ended by itself with this code, a good sum, no panic, and all the texts."""
    got, output = result
    faults = [f"exit code {got}, want {code}"] if got != code else []
    faults += ["no frames line that adds up"] if virt.frames(output) is None else []
    faults += ["a panic"] if "panic:" in output or "trap:" in output else []
    faults += [f"missing: {text}" for text in texts if not re.search(text, output, re.M)]
    tap.check(not faults, name, faults + virt.tail(output, 30) if faults else ())


def plain(tap):
    result = virt.boot("off", initrd=virt.INITRD)
    clean(tap, "boot: every step is logged", result,
          r"device tree: at 0x48200000, .*, 4 processors, linux,dummy-virt$",
          r"command line: off", r"ram: +\[0x40000000, 0x50000000\)",
          r"reserve: \[0x40200000, .*kernel image", r"reserve: .*initrd",
          r"reserve: .*device tree", r"pages of tables, .*all RAM has an address",
          r"metadata: .*page allocator", r"hand over: frames", r"boot tables gone",
          r"what can be written is never executed", r"vmap: \[0x800000000000, ", "kmalloc: ready",
          r"interrupts: GICv2, timer on line 27, serial port on line 33; firmware: PSCI \d\.\d",
          "^cpus: 4 online$", r"\] off")
    total = (virt.frames(result[1]) or (0,))[0]
    tap.check(total == 256 * MIB >> 12, "boot: every frame of the RAM is counted", [f"got {total}"])


# name, options of the machine, cores that come up, RAM in MiB, texts
MACHINES = [
    ("1 core, 64 MiB", {"cores": 1, "memory": "64M"}, 1, 64, ["GICv2"]),
    ("8 cores, the most of GICv2", {"cores": 8}, 8, 256, ["GICv2"]),
    ("GICv3, 2 cores", {"cores": 2, "machine": "virt,gic-version=3"}, 2, 256, ["GICv3"]),
    ("GICv3, 16 cores", {"cores": 16, "machine": "virt,gic-version=3"}, 16, 256, ["GICv3"]),
    ("GICv3, 20 cores: 16 are used", {"cores": 20, "machine": "virt,gic-version=3"}, 16, 256, []),
    ("at EL2, PSCI by SMC", {"machine": "virt,virtualization=on"}, 4, 256, ["GICv2", "PSCI"]),
    ("at EL2, GICv3", {"machine": "virt,virtualization=on,gic-version=3"}, 4, 256, ["GICv3"]),
    ("with a secure side, all that QEMU has, GICv3", {
        "machine": "virt,virtualization=on,secure=on,gic-version=3", "cpu": "max"}, 4, 256, []),
    ("with a secure side, GICv2", {"machine": "virt,secure=on"}, 4, 256, ["GICv2"]),
    ("Cortex-A53, 3000 MiB", {"cpu": "cortex-a53", "memory": "3000M"}, 4, 3000, []),
    ("6 GiB", {"memory": "6G"}, 4, 6144, [r"ram: +\[0x40000000, 0x1c0000000\)"]),
]


def machines(tap):
    results = parallel(lambda m: virt.boot("off", **m[1]), MACHINES)
    for (name, _, cores, mib, texts), result in zip(MACHINES, results):
        clean(tap, f"machine: {name}: boots", result, f"^cpus: {cores} online$", *texts)
        total = (virt.frames(result[1]) or (0,))[0]
        tap.check(total == mib * MIB >> 12, f"machine: {name}: every frame is counted",
                  [f"got {total}"])


def words(tap):
    clean(tap, "cpus=3: three are used", virt.boot("off cpus=3"), r"^cpus: 3 online$")
    clean(tap, "console=pl011: the one that there is", virt.boot("off console=pl011"))
    clean(tap, "console=vga: a warning", virt.boot("off console=vga"), "is not one of: pl011")
    clean(tap, "demo=tour: as on the other boards", virt.boot("demo=tour off"), "tour: done")
    machine = virt.console("exit=semihost", initrd=virt.INITRD)
    machine.wait_for(virt.PROMPT)
    for command, text in (("ls", r"hello\.txt"), ("vmap", "window: 536870912 KiB"),
                          ("tlb", "tables: aarch64, .*tlbi vaae1is"), ("check", "every rule holds"),
                          ("memview text", "Memory to 0x50000000"), ("memview", "frames: ")):
        output = machine.command(command)
        tap.check(re.search(text, output, re.S), f"shell: {command}: answers", virt.tail(output))
    clean(tap, "shell: off: code 0", virt.ends(machine))


def stays(machine, text):
    """Whether it says so, and does not end."""
    said = machine.wait_for(text) is not None
    try:
        machine.process.wait(1)
        return False
    except subprocess.TimeoutExpired:
        return said
    finally:
        machine.process.kill()


def by_make(tap):
    clean(tap, "make run-virt64: no terminal: the tour, then off", make("run-virt64"), "tour: done",
          "^cpus: 4 online$", r"\] off")
    clean(tap, "make run-virt64: on a terminal: says how to leave, the tour, a shell",
          make("run-virt64", "qemu-args=-smp 1", terminal=True), "Ctrl-A x", "^cpus: 1 online$",
          "loam> off")
    code, output = make("run-virt64", "kernel-args=stress=1000000000", LIMIT="5")
    tap.check(code != 0 and "not done after 5 seconds: LIMIT=seconds gives it longer" in output,
              "make run-virt64: no terminal, no end: says so", [f"exit code {code}", output])


def end(tap):
    tap.check(virt.boot("demo=nonsense off")[0] == 1, "off: a failure, exit=semihost: code 1")
    tap.check(stays(virt.console("demo=nonsense off"), "The machine has stopped."),
              "off: a failure without that word: said, never code 0")
    code, output = virt.console("off").finish()
    tap.check(code == 0 and "] off" in output, "off: all well, without that word: code 0",
              virt.tail(output))
    machine = virt.console("", more=("-no-reboot",))
    machine.wait_for(virt.PROMPT)
    machine.type("reboot\r")
    code, output = machine.finish()
    tap.check(code == 0 and "panic" not in output, "reboot: QEMU is told to", virt.tail(output))
    machine = virt.console("exit=semihost")
    machine.wait_for(virt.PROMPT)
    machine.type("reboot\r")
    again = machine.wait_for("Loam on", machine.wait_for("reboot\r\n") or 0)
    tap.check(again and machine.wait_for("cpus: 4 online", again), "reboot: all cores come again",
              virt.tail(machine.output))
    machine.process.kill()


def entries(tap):
    clean(tap, "entry: an ELF: the tree at the start of RAM is found",
          virt.ends(virt.console("", kernel=virt.ELF)), "device tree: at 0x40000000",
          code=0)
    machine = virt.with_tree(b"", x0=0)
    clean(tap, "entry: no tree at all: default map, no interrupts, a shell that polls",
          with_off(machine), "none given .*using the default map", "there are no interrupts",
          "^cpus: 1 online$", code=None)


def with_off(machine):
    """Types off at the prompt of a kernel that knows no firmware to end the machine."""
    if machine.wait_for(virt.PROMPT):
        machine.type("off\r")
    machine.wait_for("The machine has stopped.")
    machine.process.kill()
    machine.process.wait()
    machine.reader.join(5)
    return None, machine.output


def nodes(tap):
    """Two memory nodes of uneven size, the smaller one first, and their distance."""
    more = ("-object", "memory-backend-ram,id=a,size=96M", "-object",
            "memory-backend-ram,id=b,size=160M", "-numa", "node,nodeid=0,memdev=a,cpus=0",
            "-numa", "node,nodeid=1,memdev=b,cpus=1-3", "-numa", "dist,src=0,dst=1,val=30")
    result = virt.boot("off", more=more)
    clean(tap, "memory nodes: two of uneven size: a zone each, its processors, distances", result,
          "zone node0-normal: ", "zone node1-normal: .*kmalloc stands on it",
          "node 0: .*, processors 0, distances 10 30$",
          "node 1: .*, processors 1 2 3, distances 30 10$", "^cpus: 4 online$")
    total = (virt.frames(result[1]) or (0,))[0]
    tap.check(total == 256 * MIB >> 12, "memory nodes: every frame of both is counted",
              [f"got {total}"])


def fill_zone(machine, first):
    """Takes pages at or above `first`, the large ones before the small, until it has no slab more:
    no block of order 4."""
    for order in range(16, 3, -1):
        while True:
            said = re.search(r"^0x([0-9a-f]+): ", machine.command(f"palloc {order}"), re.M)
            if not said:
                break
            if int(said.group(1), 16) < first:
                machine.command(f"pfree 0x{said.group(1)}")
                break


def fallback(tap):
    """Processor 0 is on the larger node, on which kmalloc stands, too: its pages run out first."""
    first = 0x46000000
    machine = virt.console("exit=semihost", more=(
        "-object", "memory-backend-ram,id=a,size=96M", "-object",
        "memory-backend-ram,id=b,size=160M", "-numa", "node,nodeid=0,memdev=a,cpus=1-3",
        "-numa", "node,nodeid=1,memdev=b,cpus=0"))
    machine.wait_for(virt.PROMPT)
    fill_zone(machine, first)
    blocks = [re.search(r"0x([0-9a-f]+)", machine.command("kmalloc 3000")) for _ in range(24)]
    places = [int(block.group(1), 16) for block in blocks if block]
    tap.check(len(places) == 24 and any(place < first for place in places),
              "memory nodes: kmalloc's own has no frames: the other's are taken",
              [str([hex(place) for place in places]), *virt.tail(machine.output)])
    freed = [machine.command(f"kfree 0x{place:x}") for place in places]
    tap.check("every rule holds" in machine.command("check"),
              "memory nodes: blocks of both went back: every rule holds", freed[-1:])
    clean(tap, "memory nodes: and the kernel ends well", virt.ends(machine))


def changed(source, pattern, by):
    """The source with one place replaced; it has to be there."""
    text, count = re.subn(pattern, by, source, count=1, flags=re.S)
    assert count == 1, pattern
    return virt.dtb(text)


def odd_trees():
    """(name, blob, texts): trees of which a part is wrong that is not the memory."""
    two = virt.own_tree("exit=semihost")
    three = virt.own_tree("exit=semihost", machine="virt,gic-version=3")
    gic = r"reg = <0x00 0x8000000 0x00 0x10000"
    return [
        ("no interrupt controller", "virt",
         changed(two, r'compatible = "arm,cortex-a15-gic"', 'compatible = "a,b"'),
         ["there are no interrupts", "^cpus: 1 online$"]),
        ("an interrupt controller in the middle of RAM", "virt",
         changed(two, gic, "reg = <0x00 0x44000000 0x00 0x10000"),
         ["distributor at .0x44000000.*not there", "there are no interrupts"]),
        ("an interrupt controller at the end of all addresses", "virt",
         changed(two, gic, "reg = <0xffffffff 0xffff0000 0x00 0x20000"),
         ["there are no interrupts"]),
        ("redistributors of nobody", "virt,gic-version=3",
         changed(three, r"0x00 0x80a0000 0x00 0xf60000", "0x00 0x80a0000 0x00 0x10000"),
         ["does not know this processor", "^cpus: 1 online$"]),
        ("no firmware to call", "virt",
         changed(two, r'compatible = "arm,psci[^;]*;', 'compatible = "a,b";'),
         ["^cpus: 1 online$"]),
        ("a processor that is not there", "virt",
         changed(two, r"(cpu@1 \{.*?reg = <)0x01>", r"\g<1>0x77>"),
         ["processor 1: the firmware refuses", "^cpus: 1 online$"]),
        ("the booting processor is the second", "virt",
         changed(two, r"(cpu@0 \{.*?reg = <)0x00>(.*?cpu@1 \{.*?reg = <)0x01>",
                 r"\g<1>0x01>\g<2>0x00>"), ["^cpus: 2 online$"]),
        ("the booting processor is not named", "virt",
         changed(two, r"(cpu@0 \{.*?reg = <)0x00>", r"\g<1>0x77>"),
         ["processor 1: the firmware refuses", "^cpus: 2 online$"]),
        ("no timer", "virt", changed(two, r'compatible = "arm,armv8-timer[^;]*;',
                                     'compatible = "a,b";'),
         ["timer on line 27", "^cpus: 2 online$"]),
        ("no serial port", "virt", changed(two, r'compatible = "arm,pl011[^;]*;',
                                           'compatible = "a,b";'), ["^cpus: 2 online$"]),
        ("a serial port in RAM", "virt",
         changed(two, r"reg = <0x00 0x9000000 0x00 0x1000>",
                 "reg = <0x00 0x41000000 0x00 0x1000>"), ["using pl011", "^cpus: 2 online$"]),
    ]


def odd(tap):
    trees = odd_trees()
    results = parallel(lambda t: no_end(virt.with_tree(t[2], machine=t[1])), trees)
    for (name, _, _, texts), result in zip(trees, results):
        clean(tap, f"device tree: {name}: said, a shell", result, *texts, code=None)


def no_end(machine):
    """What it said until it answers at the prompt."""
    machine.wait_for(virt.PROMPT)
    start = len(machine.output)
    machine.type("check\r")
    machine.wait_for("every rule holds", start)
    machine.process.kill()
    machine.process.wait()
    machine.reader.join(5)
    return None, machine.output


def maps():
    """(name, memory of the machine, blob, texts, frames)."""
    source = virt.tree_source
    gib = 1 << 30
    far = "beyond this kernel's map"
    return [
        ("a hole", "256M", source([(virt.RAM, 0x6000000), (virt.RAM + 0x8000000, 0x4000000)]), [],
         0xA000),
        ("unsorted, overlapping", "256M", source([
            (virt.RAM + 0x8000000, 0x4000000), (virt.RAM, 0x9000000)]), [], 0xC000),
        ("RAM beyond a processor's 44 bits", "256M", source([(virt.RAM, 0x8000000),
                                                            (1 << 44, gib)]),
         [far], 0x8000 + (gib >> 12)),
        ("RAM that no table reaches", "256M", source([(virt.RAM, 0x8000000), (1 << 63, gib)]),
         [far], 0x8000 + (gib >> 12)),
        ("memory that wraps", "256M", source([(0xFFFFFFFFFFFFF000, 0x2000)]), ["default map"],
         0x4000),
        ("without the kernel's own place", "256M", source([(0x80000000, gib)]), ["default map"],
         0x4000),
    ]


def memory(tap):
    cases = maps()
    results = parallel(lambda m: no_end(virt.with_tree(virt.dtb(m[2]), memory=m[1])), cases)
    for (name, _, _, texts, total), result in zip(cases, results):
        clean(tap, f"memory map: {name}: boots, sum is right", result, *texts, code=None)
        got = (virt.frames(result[1]) or (0,))[0]
        tap.check(got == total, f"memory map: {name}: {total} frames", [f"got {got}"])


def main():
    tap = Tap()
    for part in (by_make, plain, machines, words, end, entries, nodes, fallback, odd, memory):
        part(tap)
    tap.done()


if __name__ == "__main__":
    main()
