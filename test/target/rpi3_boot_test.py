#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots of the Raspberry Pi 3: what is found, reserved, handed over, and what happens when the
firmware tells nothing, or nonsense."""
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rpi3_qemu as pi  # noqa: E402
from by_make import make  # noqa: E402
from taplib import Tap, parallel, run  # noqa: E402

MIB = 1 << 20
DEFAULT_FRAMES = 0x3C000000 >> 12


def clean(tap, name, result, *texts, code=0):
    """Ended by itself with this code, a good sum, no panic, and all the texts."""
    got, output = result
    faults = [f"exit code {got}, want {code}"] if got != code else []
    faults += ["no frames line that adds up"] if pi.frames(output) is None else []
    faults += ["a panic"] if "panic:" in output else []
    faults += [f"missing: {text}" for text in texts if not re.search(text, output)]
    tap.check(not faults, name, faults + pi.tail(output, 25) if faults else ())


def pen(tap):
    """A core that wrote its word in the pen could clear the release that core 0 writes meanwhile,
    which no boot shows often: so the pen is read."""
    _, text = run(["aarch64-linux-gnu-objdump", "-d", "--disassemble=board_pen",
                   "build/rpi3/kernel8.elf"])
    stores = re.findall(r"\t(?:st|ld(?:add|clr|set|smax)|cas|swp)\w*\t.*\[(\w+)", text)
    tap.check("wfi" in text and stores == ["x3"], "boot: the pen writes no word, but the mailbox's",
              text.splitlines())


def plain(tap):
    result = pi.boot("off")
    clean(tap, "boot: with tree and initramfs: every step is logged", result,
          r"device tree: at 0x8200000", r"command line: off", r"ram: +\[0x0, 0x3c000000\)",
          r"reserve: \[0x0, 0x1000\).*spin tables", r"reserve: \[0x80000, .*kernel image",
          r"reserve: \[0x8000000, .*initrd", r"reserve: \[0x8200000, .*device tree",
          r"metadata: .*page allocator", r"hand over: frames", r"kmalloc: ready", r"\] off")
    total, _, held, metadata = pi.frames(result[1]) or (0, 0, 0, 0)
    image = re.search(r"reserve: \[0x80000, 0x([0-9a-f]+)\)", result[1])
    want = 1 + (int(image.group(1), 16) - 0x80000 >> 12) + 1 + 6 if image else 0
    tap.check(total == DEFAULT_FRAMES and held == want, "boot: held frames: as reserved, each once",
              [f"total {total}, held {held}, want {want}", *pi.tail(result[1], 20)])
    spans = re.findall(r"metadata: \[0x([0-9a-f]+), 0x([0-9a-f]+)\)", result[1])
    want = sum(int(end, 16) - int(base, 16) for base, end in spans) >> 12
    tap.check(metadata == want > 0, "boot: metadata frames: as allocated early",
              [f"metadata {metadata}, want {want}"])
    handed = sum(int(n) for n in re.findall(r"hand over: .*, (\d+) pages", result[1]))
    tap.check(handed == (pi.frames(result[1]) or (0, 0))[1], "boot: free frames: as handed over")


def tour(tap):
    result = pi.boot("demo=tour off")
    clean(tap, "tour: pages split and merge, objects share a slab", result, "page_split",
          "page_merge", "slab_new", "the three of 24 bytes lie in one page", "tour: done")
    tap.check(result[1].count("free lists as at the start: yes") == 2,
              "tour: free lists: as before, twice", pi.tail(result[1]))


def words(tap):
    clean(tap, "command line: unknown and wrong words: a warning each",
          pi.boot("off florble slab=nonsense misuse=maybe exit=never demo seed=x"),
          "unknown word: 'florble'", "bad slab option: 'slab'", "misuse= knows", "exit= knows",
          "a value is missing: 'demo'", "seed= wants a number")
    clean(tap, "command line: slab modes: accepted, kmalloc works",
          pi.boot("slab=guard,poison,quarantine=64K,owner demo=objects off"), "kmalloc\\(24\\) -> ")
    clean(tap, "command line: trace: events from the hand-over on", pi.boot("trace off"),
          "list_add order")
    clean(tap, "command line: 3000 characters: cut, said, booted",
          pi.boot("off " + "florble " * 375), "too long")
    clean(tap, "console: PL011 by its word", pi.boot("off console=pl011", serial=("stdio", "null")),
          r"command line: off console=pl011")
    with open(pi.DTS, encoding="ascii") as file:
        source = file.read()
    for node, serial, text in (("serial0", ("stdio", "null"), "command line: off"),
                               ("/cpus", ("null", "stdio"), "no driver for the console cpus")):
        with tempfile.NamedTemporaryFile(suffix=".dtb") as file:
            file.write(pi.dtb(source.replace("serial1:115200n8", node)))
            file.flush()
            clean(tap, f"console: stdout-path {node}: followed or said",
                  pi.boot("off", dtb=file.name, serial=serial), text)
    clean(tap, "console: unknown name: a warning", pi.boot("off console=teletype"),
          "console=teletype is not one of")
    code, output = pi.boot("demo=nonsense off")
    tap.check(code == 1 and "no demo of this name" in output, "demo: unknown: said, exit code 1",
              pi.tail(output))


RESERVED = """reserved-memory { #address-cells = <1>; #size-cells = <1>; ranges;
    frame_buffer@10000000 { reg = <0x10000000 0x00400000>; no-map; };
    odd@12345678 { reg = <0x12345678 0x1001>; };
    pool { size = <0x100000>; };
};
"""


def reserved(tap):
    with open(pi.DTS, encoding="ascii") as file:
        source = file.read()
    source = source.replace("/dts-v1/;", "/dts-v1/;\n/memreserve/ 0x20000000 0x3000;", 1)
    end = source.rindex("};")
    with tempfile.NamedTemporaryFile(suffix=".dtb") as file:
        file.write(pi.dtb(source[:end] + RESERVED + source[end:]))
        file.flush()
        result = pi.boot("off", dtb=file.name)
    clean(tap, "reserved-memory: nodes and reservation block: each is logged", result,
          r"reserve: \[0x10000000, 0x10400000\).*frame_buffer", r"reserve: \[0x12345678, .*odd",
          r"reserve: \[0x20000000, 0x20003000\)")
    held = (pi.frames(result[1]) or (0, 0, 0))[2]
    base = (pi.frames(pi.boot("off")[1]) or (0, 0, 0))[2]
    tap.check(held - base == 1024 + 2 + 3, "reserved-memory: held grows by the frames touched",
              [f"held {held}, without {base}"])


def no_tree(tap):
    machine = pi.console("", dtb=None, initrd=None)
    clean(tap, "no device tree: said, default map, shell", pi.ends(machine),
          "device tree: none given .x0 = 0x100.*default map", r"ram: +\[0x0, 0x3c000000\)")
    machine = pi.console("", kernel=pi.KERNEL[:-3] + "elf", dtb=None, initrd=None)
    clean(tap, "entry: QEMU with the ELF file: boots", pi.ends(machine), "default map")
    for level in (1, 2, 3):
        blob = pi.dtb(pi.tree_source([(0, 0x3C000000)]))
        clean(tap, f"entry: at EL{level}, on four cores: boots",
              pi.with_tree(blob, level=level).finish(), "device tree: at", "EL1")


SPIN = """cpus { #address-cells = <1>; #size-cells = <0>;
    cpu@0 { device_type = "cpu"; reg = <0>; };
    cpu@1 { device_type = "cpu"; reg = <1>; enable-method = "spin-table";
            cpu-release-addr = <0x0 0xe0>; };
    cpu@2 { device_type = "cpu"; reg = <2>; %s };
    cpu@3 { device_type = "cpu"; reg = <3>; enable-method = "spin-table";
            cpu-release-addr = <0x0 0xf0>; };
};
"""


def cores(tap):
    """The other three: from the firmware's spin table, or arrived with the first one."""
    clean(tap, "cores: released through the device tree: four", pi.boot("off"),
          "cpus: 4 online")
    clean(tap, "cores: cpus=2: two are used", pi.boot("off cpus=2"), "cpus: 2 online")
    clean(tap, "cores: PL011 as console: all the same",
          pi.boot("off console=pl011", serial=("stdio", "null")), "cpus: 4 online")
    machine = pi.console("", kernel=pi.KERNEL[:-3] + "elf", dtb=None, initrd=None)
    clean(tap, "cores: an ELF's arrive together: four", pi.ends(machine), "cpus: 4 online")
    source = pi.tree_source([(0, 0x3C000000)])
    end = source.rindex("};")
    for level in (1, 2, 3):
        blob = pi.dtb(source[:end] + SPIN % (
            'enable-method = "spin-table"; cpu-release-addr = <0x0 0xe8>;') + source[end:])
        clean(tap, f"cores: all arrive at EL{level}: four",
              pi.with_tree(blob, level=level).finish(), "cpus: 4 online")
    for name, text in (("no release address", 'enable-method = "spin-table";'),
                       ("a release address that is odd",
                        'enable-method = "spin-table"; cpu-release-addr = <0x0 0xe7>;'),
                       ("a release address elsewhere",
                        'enable-method = "spin-table"; cpu-release-addr = <0x1 0x80000>;')):
        blob = pi.dtb(source[:end] + SPIN % text + source[end:])
        clean(tap, f"cores: {name}: said, three", pi.with_tree(blob).finish(),
              r"processor 2: the firmware refuses", "cpus: 3 online")


def broken_trees():
    """(name, blob, x0): none of these is a device tree."""
    good = pi.dtb(pi.tree_source([(0, 0x3C000000)]))
    garbage = bytes((i * 7 + i // 256) & 0xFF for i in range(4096))
    return [
        ("bad magic", pi.cut(good, f0=0xD00DFEEC), pi.TREE_AT),
        ("garbage", garbage, pi.TREE_AT),
        ("garbage after the magic", good[:4] + garbage, pi.TREE_AT),
        ("cut in the middle", good[:len(good) // 2] + bytes(4096), pi.TREE_AT),
        ("totalsize 4 GiB", pi.cut(good, f1=0xFFFFFFFF), pi.TREE_AT),
        ("totalsize 0", pi.cut(good, f1=0), pi.TREE_AT),
        ("structure outside", pi.cut(good, f2=0x7FFFFFFC), pi.TREE_AT),
        ("strings outside", pi.cut(good, f3=0xFFFFFFF0), pi.TREE_AT),
        ("address beyond memory", b"", 0x7FFFFFFFFFFFFFF8),
        ("address of a peripheral", b"", 0x3F200000),
        ("address inside the kernel", good, 0x200000),
        ("misaligned address", good, pi.TREE_AT + 2),
        ("no memory node", pi.dtb('/dts-v1/; / { chosen { bootargs = "off"; }; };'), pi.TREE_AT),
        ("cells of 5", pi.dtb(pi.tree_source([(0, 0x3C000000)]).replace(
            "#size-cells = <2>", "#size-cells = <5>")), pi.TREE_AT),
        ("range that wraps", pi.dtb(pi.tree_source([(0xFFFFFFFFFFFFF000, 0x2000)])), pi.TREE_AT),
    ]


def broken(tap):
    trees = broken_trees()
    results = parallel(lambda t: pi.ends(pi.with_tree(t[1], x0=t[2])), trees)
    for (name, _, _), result in zip(trees, results):
        clean(tap, f"broken device tree: {name}: said, default map, shell", result,
              r"device tree: .*using the default map", r"ram: +\[0x0, 0x3c000000\)")


def maps():
    """(name, blob, texts, total frames): memory maps the kernel has to live with."""
    gib = 1 << 30
    source = pi.tree_source
    far = "beyond this kernel's map"
    default = DEFAULT_FRAMES
    return [
        ("cells 1 and 1", source([(0, 0x3B400000)], (1, 1)), [], 0x3B400),
        ("cells 2 and 1", source([(0, 0x3B400000)], (2, 1)), [], 0x3B400),
        ("cells 1 and 2", source([(0, 0x20000000)], (1, 2)), [], 0x20000),
        ("several ranges, unsorted", source([(0x30000000, 0x1000000), (0, 0x10000000),
                                             (0x20000000, 0x123000)]), [], 0x11123),
        ("overlapping ranges", source([(0, 0x20000000), (0x10000000, 0x20000000)]), [], 0x30000),
        ("odd edges", source([(0, 0x10000000), (0x20000123, 0x2000)]), ["edges of RAM: 4096 bytes"],
         0x10001),
        ("8 GiB", source([(0, 8 * gib)]), [far], 8 * gib >> 12),
        ("a range above 1 GiB", source([(0, 0x3C000000), (4 * gib, gib)]), [far],
         default + (gib >> 12)),
        ("2^63 bytes at 2^63", source([(0, 0x10000000), (1 << 63, 1 << 63)]), [far],
         0x10000 + (1 << 51)),
        ("64 KiB", source([(0, 0x10000)]), ["no room for this kernel.*default map"], default),
        ("nothing below 1 GiB", source([(4 * gib, gib)]), ["no room.*default map"], default),
        ("everything reserved", source([(0, 0x3C000000)], reserve=[(0, 0x3C000000)]),
         ["no room.*default map"], default),
        ("without the kernel's own place", source([(0x10000000, 0x10000000)]),
         ["default map"], default),
        ("initramfs inside the kernel", source([(0, 0x3C000000)], chosen=(
            "linux,initrd-start = <0x90000>; linux,initrd-end = <0x91000>;")),
         ["inside the kernel and is lost"], default),
        ("initramfs beyond memory", source([(0, 0x3C000000)], chosen=(
            "linux,initrd-start = <0xfff00000>; linux,initrd-end = <0xfff01000>;")), [], default),
        ("many ranges", source([(0, 0x10000000)] + [(0x10000000 + i * 0x200000, 0x100000)
                                                    for i in range(1, 120)]), [],
         0x10000 + 119 * 256),
        ("more ranges than the tables hold", source([(0, 0x10000000)] + [
            (0x10000000 + i * 0x10000, 0x8000) for i in range(1, 400)]), ["default map"], None),
    ]


def memory(tap):
    cases = maps()
    results = parallel(lambda m: pi.ends(pi.with_tree(pi.dtb(m[1]))), cases)
    for (name, _, texts, total), result in zip(cases, results):
        clean(tap, f"memory map: {name}: boots, sum is right", result, *texts)
        if total is not None:
            got = (pi.frames(result[1]) or (0,))[0]
            tap.check(got == total, f"memory map: {name}: {total} frames", [f"got {got}"])


def by_make(tap):
    clean(tap, "make run: no terminal: the tour, then off", make("run"), "page_split", "page_merge",
          "tour: done", r"\] off")
    clean(tap, "make run: on a terminal: says how to leave, the tour, a shell",
          make("run", terminal=True), "Ctrl-A x", "tour: done", r"Shell: `help`", "loam> off")


def main():
    tap = Tap()
    for part in (by_make, pen, plain, tour, words, reserved, no_tree, cores, broken, memory):
        part(tap)
    tap.done()


if __name__ == "__main__":
    main()
