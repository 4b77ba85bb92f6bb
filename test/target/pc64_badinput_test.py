#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a loader can do wrong to the 64-bit PC's kernel, by Multiboot 2 and by PVH: each boot ends
in a clear line and a shell, never in a reset. How it is entered: pc32_badinput_test.py.

    SEED=7 test/target/pc64_badinput_test.py
"""
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc64_qemu as pc  # noqa: E402
from pc32_badinput_test import (ARCHIVE, INFO, MIB, REFUSED, anything, case,  # noqa: E402
                                enter, made)
from taplib import Tap  # noqa: E402

MB2, PVH = 0x36D76289, 0x336EC578
IMAGE = MIB + 0x8000  # inside the kernel
TOP = 1 << 64


def entry(base, length, kind=1):
    """The same in both maps: a Multiboot 2 entry, and one of PVH."""
    return struct.pack("<QQII", base, length, kind, 0)


LOW, HIGH = entry(0, 0x9F000), entry(MIB, 63 * MIB)


# ---- Multiboot 2 ----

def tag(kind, data=b"", size=None):
    raw = struct.pack("<II", kind, len(data) + 8 if size is None else size) + data
    return raw + bytes(-len(raw) % 8)


def memory_map(regions=LOW + HIGH, each=24, size=None):
    return tag(6, struct.pack("<II", each, 0) + regions, size)


def module(start, end, text=b"initrd\0"):
    return tag(3, struct.pack("<II", start, end) + text)


END = tag(0)
WORDS = tag(1, b"misuse=report\0")


def info(*tags, total=None, end=END):
    """Multiboot 2 information: a head and these tags."""
    body = b"".join(tags) + end
    return struct.pack("<II", len(body) + 8 if total is None else total, 0) + body


def mb2(data, *arguments, **options):
    options.setdefault("magic", MB2)
    return enter(data, *arguments, machine=pc, **options)


RIGHT = info(WORDS, memory_map())

MB2_CASES = [
    case("multiboot2: as it should be", [r"ram: +\[0x100000, 0x4000000\)"], RIGHT),
    case("magic: Multiboot 1's: said, default map", [f"0x2badb002.*{REFUSED}"], RIGHT,
         magic=0x2BADB002),
    case("information: at address 0: whatever lies there ends in a shell", [], RIGHT, info=0),
    case("information: inside the kernel: said, default map", [f"J2 .*{REFUSED}"], RIGHT,
         info=IMAGE),
    case("information: not aligned: said, default map", [f"J2 .*{REFUSED}"], RIGHT, info=INFO + 4),
    case("information: no tag: said, default map", [f"no memory map.*{REFUSED}"], info()),
    case("information: 4 GiB long: said, default map", [f"J2 .*{REFUSED}"],
         info(memory_map(), total=0xFFFFFFF8)),
    case("information: without an end: said, default map", [f"J4 .*{REFUSED}"],
         info(memory_map(), end=b"")),
    case("a tag: of size 0: said, default map", [f"J3 .*{REFUSED}"],
         info(tag(99, size=0), memory_map())),
    case("a tag: larger than all: said, default map", [f"J3 .*{REFUSED}"],
         info(tag(99, size=0x10000), memory_map())),
    case("a tag: of no known type: skipped", [r"ram: +\[0x100000, 0x4000000\)"],
         info(tag(0x12345678, b"?" * 99), WORDS, memory_map())),
    case("map: entries of size 8: said, default map", [f"J6 .*{REFUSED}"],
         info(memory_map(each=8))),
    case("map: cut in its last entry: said, default map", [f"J6 .*{REFUSED}"],
         info(memory_map(LOW + HIGH[:16]))),
    case("map: empty: said, default map", [f"no .*{REFUSED}"], info(memory_map(b""))),
    case("map: no RAM in it: said, default map", [f"no RAM.*{REFUSED}"],
         info(memory_map(entry(MIB, 63 * MIB, 2)))),
    case("map: an entry that wraps: said, default map", [f"leaves the address space.*{REFUSED}"],
         info(memory_map(LOW + HIGH + entry(TOP - 0x1000, 0x2000)))),
    case("map: more RAM entries than fit: said, default map", [f"more than 256 .*{REFUSED}"],
         info(memory_map(b"".join(entry(MIB + i * 0x2000, 0x1000) for i in range(300))))),
    case("map: unsorted, overlapping, repeated: the union counts", [r"frames: 16\d\d\d = "],
         info(WORDS, memory_map(entry(32 * MIB, 32 * MIB) + LOW + entry(MIB, 40 * MIB) + LOW))),
    case("map: the kernel lies outside of it: said, default map", ["the kernel .*default map"],
         info(memory_map(LOW + entry(0x4C4C99983, 63 * MIB)))),
    case("map: RAM beyond every address: held, said", ["beyond this kernel's map"],
         info(WORDS, memory_map(LOW + HIGH + entry(1 << 50, 64 * MIB)))),
    case("module: inside the kernel: lost, said", ["lies inside the kernel and is lost"],
         info(WORDS, memory_map(), module(IMAGE, IMAGE + 0x1000))),
    case("module: ends before it starts: said, default map", [f"ends before .*{REFUSED}"],
         info(memory_map(), module(45 * MIB, 44 * MIB))),
    case("module: where there is no RAM: lost, said, and ls knows",
         ["there is no memory; it is lost", "ls: there is no initramfs"],
         info(WORDS, memory_map(), module(0xF0000000, 0xF0001000)), commands=("check", "ls")),
    case("module: text instead of an archive: said", ["ls: the initramfs is broken here: "],
         info(WORDS, memory_map(), module(ARCHIVE, ARCHIVE + 512)), commands=("check", "ls"),
         more=[(ARCHIVE, b"this is no archive, " * 26)]),
    case("command line: without an end: cut, said", ["command line is cut|too long"],
         info(tag(1, b"florble " * 300), memory_map())),
    case("ACPI: a first structure that is broken: said, one processor", ["cpus: 1 online"],
         info(WORDS, memory_map(), tag(14, b"RSD PTR " + b"\xff" * 12))),
]


# ---- PVH ----

MAP, MODULES, LINE = INFO + 0x100, INFO + 0x1800, INFO + 0x1c00


def start(regions=LOW + HIGH, modules=(), words=b"misuse=report\0", **fields):
    """A PVH start information at INFO, and behind it all it points to. fields: words of it by name,
    as they shall be; where: that of the modules."""
    values = {"magic": PVH, "version": 1, "flags": 0, "count": len(modules), "where": MODULES,
              "cmdline": LINE, "rsdp": 0, "map": MAP, "entries": len(regions) // 24}
    values.update(fields)
    head = struct.pack("<IIIIQQQQII", *values.values(), 0)
    listing = b"".join(struct.pack("<QQQQ", at, length, text, 0) for at, length, text in modules)
    data = bytearray(0x2800)
    for at, what in ((0, head), (MAP - INFO, regions), (MODULES - INFO, listing),
                     (LINE - INFO, words)):
        data[at:at + len(what)] = what
    return bytes(data)


def pvh(data, *arguments, **options):
    return enter(data, *arguments, magic=PVH, machine=pc, **options)


PVH_CASES = [
    case("pvh: as it should be", [r"ram: +\[0x100000, 0x4000000\)"], start()),
    case("pvh: at address 0: said, default map", [f"W1 .*{REFUSED}"], start(), info=0),
    case("pvh: inside the kernel: said, default map", [f"W1 .*{REFUSED}"], start(), info=IMAGE),
    case("pvh: another magic: said, default map", [f"W1 .*{REFUSED}"], start(magic=0x12345678)),
    case("pvh: version 0, without a map: said, default map", [f"W2 .*{REFUSED}"],
         start(version=0)),
    case("pvh: a map where nothing can be read: said, default map", [f"W3 .*{REFUSED}"],
         start(map=TOP - 0x1000)),
    case("pvh: a map of 4 billion entries: said, default map", [f"W3 .*{REFUSED}"],
         start(entries=0xFFFFFFFF)),
    case("pvh: a map inside the kernel: said, default map", [f"W3 .*{REFUSED}"],
         start(map=IMAGE)),
    case("pvh: no RAM: said, default map", [f"no RAM.*{REFUSED}"],
         start(entry(MIB, 63 * MIB, 2))),
    case("pvh: an entry that wraps: said, default map", [f"leaves the address space.*{REFUSED}"],
         start(LOW + HIGH + entry(TOP - 0x1000, 0x2000))),
    case("pvh: modules where nothing can be read: said, default map", [f"W4 .*{REFUSED}"],
         start(count=3, where=TOP - 64)),
    case("pvh: a module that wraps: said, default map", [f"leaves the address .*{REFUSED}"],
         start(modules=[(TOP - 0x1000, 0x2000, 0)])),
    case("pvh: a module inside the kernel: lost, said", ["lies inside the kernel and is lost"],
         start(modules=[(IMAGE, 0x1000, 0)])),
    case("pvh: no RAM below 1 MiB: other processors cannot start, said",
         ["no page is free below 640 KiB"], start(HIGH)),
    case("pvh: a command line out of reach: said", ["command line is cut"],
         start(cmdline=TOP - 0x1000)),
    case("pvh: ACPI out of reach: one processor, a shell", ["cpus: 1 online"],
         start(rsdp=TOP - 0x1000)),
]


# ---- anything ----

def spoiled(rng):
    """Right information with a few words of it made wrong; how it is entered says its length."""
    data = bytearray(info(WORDS, memory_map(), module(ARCHIVE, ARCHIVE + 64)) if rng.random() < 0.5
                     else start(modules=[(ARCHIVE, 64, 0)]))
    for _ in range(rng.randrange(1, 6)):
        at = rng.choice([rng.randrange(0, 56, 4), rng.randrange(0, min(len(data), 0x140) - 4, 4)])
        word = rng.choice([0, 1, 0xFFFFFFFF, rng.getrandbits(32), rng.getrandbits(8),
                           INFO + rng.randrange(256), MIB + rng.randrange(4 * MIB)])
        struct.pack_into("<I", data, at, word)
    return bytes(data)


def enter_spoiled(data):
    return (pvh if len(data) == len(start()) else mb2)(data, commands=())


def main():
    tap = Tap()
    made(tap, MB2_CASES, mb2)
    made(tap, PVH_CASES, pvh)
    anything(tap, spoiled, enter_spoiled)
    tap.done()


if __name__ == "__main__":
    main()
