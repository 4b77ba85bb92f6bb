#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a loader can do wrong to the PC's kernel: each boot ends in a clear line and a shell, never
in a reset.

The loader is made here: a few instructions that jump into the kernel with a magic number and the
address of a Multiboot information block, both made to order. QEMU puts kernel and block into
memory.

    SEED=7 test/target/pc32_badinput_test.py
"""
import os
import random
import re
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc32_qemu as pc  # noqa: E402
from taplib import Tap, parallel  # noqa: E402

MIB = 1 << 20
MAGIC = 0x2BADB002
INFO = 40 * MIB        # where the block lies, with all it points to behind it
LOADER = 48 * MIB
SIZES, CMDLINE, MODULES, MAP, NAME = 1, 1 << 2, 1 << 3, 1 << 6, 1 << 9
LONG = os.environ.get("LOAM_LONG") == "1"
SEED = int(os.environ.get("SEED") or 0) or (random.randrange(1, 1 << 32) if LONG else 20261121)

LOADER_CODE = """
.long 0x1badb002, 0, -0x1badb002
.global _start
_start: cli
    movl ${magic}, %eax
    movl ${info}, %ebx
    movl ${entry}, %ecx
    jmp *%ecx
"""


def entry_of(kernel):
    with open(kernel, "rb") as file:
        return struct.unpack_from("<I", file.read(32), 24)[0]


def loader(folder, magic, info, kernel):
    """The loader as a file that QEMU's -kernel starts."""
    source, elf = os.path.join(folder, "loader.S"), os.path.join(folder, "loader.elf")
    with open(source, "w", encoding="ascii") as file:
        file.write(LOADER_CODE.format(magic=magic, info=info, entry=entry_of(kernel)))
    subprocess.run(["gcc", "-m32", "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none,"
                    f"-Ttext={LOADER:#x}", source, "-o", elf], check=True)
    return elf


def enter(block, magic=MAGIC, info=INFO, block_at=INFO, commands=("check",), more=(), machine=pc):
    """(exit code, output): enters the kernel; in its shell these commands, then `off`. more: what
    else lies in memory, as (address, bytes)."""
    kernel = machine.KERNEL
    with tempfile.TemporaryDirectory(prefix="loam-bad-") as folder:
        arguments = ["-m", "64", "-kernel", loader(folder, magic, info, kernel),
                     "-device", f"loader,file={kernel}"]
        for number, (at, what) in enumerate([(block_at, block), *more]):
            path = os.path.join(folder, f"memory{number}.bin")
            with open(path, "wb") as file:
                file.write(what)
            arguments += ["-device", f"loader,file={path},addr={at:#x},force-raw=on"]
        running = machine.Machine(arguments, pc.LIMIT)
        running.wait_for(pc.PROMPT)  # QEMU has read the files by then
    for command in commands:
        running.command(command)
    running.type("off\r")
    return running.finish()


def region(base, length, kind=1, size=20):
    return struct.pack("<IQQI", size, base, length, kind)


LOW, HIGH = region(0, 0x9F000), region(MIB, 63 * MIB)


def block(regions=LOW + HIGH, flags=MAP | CMDLINE | NAME, modules=(), words=b"misuse=report",
          **fields):
    """A Multiboot information block at INFO, and behind it all it points to. fields: words of it
    by name, as they shall be in place of what is right."""
    offsets = {"flags": 0, "lower": 4, "upper": 8, "cmdline": 16, "count": 20, "modules": 24,
               "map_len": 44, "map": 48, "loader": 64}
    data, behind = bytearray(128), bytearray()

    def put(what):
        behind.extend(bytes(-len(behind) % 8))
        behind.extend(what)
        return INFO + 128 + len(behind) - len(what)

    listing = b"".join(struct.pack("<IIII", start, end, text if isinstance(text, int)
                                   else put(text + b"\0"), 0) for start, end, text in modules)
    values = {"flags": flags | (MODULES if modules else 0), "lower": 636, "upper": 63 * 1024,
              "cmdline": put(words + b"\0"), "count": len(modules), "modules": put(listing),
              "map_len": len(regions), "map": put(regions), "loader": put(b"a test\0")}
    values.update(fields)
    for name, value in values.items():
        struct.pack_into("<I", data, offsets[name], value)
    return bytes(data + behind)


REFUSED = "using the default map"


def faults_of(result, texts):
    """Ended by `off` in the shell, memory adds up, no panic, no rule broken, all texts there."""
    code, output = result
    faults = [f"exit code {code}, want {pc.GOOD}"] if code != pc.GOOD else []
    faults += ["no frames line that adds up"] if pc.frames(output) is None else []
    faults += ["a panic"] if "panic:" in output else []
    faults += ["check is not happy"] if "every rule holds" not in output else []
    faults += ["the kernel was entered twice"] if output.count("Loam on a PC") != 1 else []
    return faults + [f"missing: {text}" for text in texts if not re.search(text, output)]


def case(name, texts, *arguments, **options):
    return name, texts, arguments, options


def many(count, kind):
    return b"".join(region(MIB + i * 0x2000, 0x1000, kind) for i in range(count))


IMAGE = MIB + 0x8000  # inside the kernel

CASES = [
    case("magic: not Multiboot's: said, default map", [f"multiboot: G1 .*0x12345678.*{REFUSED}"],
         block(), magic=0x12345678),
    case("magic: Multiboot 2's: said, default map", [f"G1 .*{REFUSED}"], block(),
         magic=0x36D76289),
    case("information: at address 0: whatever lies there ends in a shell", [], block(), info=0),
    case("information: beyond RAM that has an address: said, default map", [f"G2 .*{REFUSED}"],
         block(), info=0xFFFFFFF0),
    case("information: inside the kernel: said, default map", [f"G2 .*{REFUSED}"], block(),
         info=IMAGE),
    case("map: none, and no sizes: said, default map", [f"no memory map.*{REFUSED}"],
         block(flags=CMDLINE)),
    case("map: none, sizes given: these count", [r"ram: +\[0x100000, 0x4000000\)"],
         block(flags=CMDLINE | SIZES)),
    case("map: none, impossible sizes: said, default map", [f"640 KiB.*{REFUSED}"],
         block(flags=SIZES, lower=4096)),
    case("map: empty: sizes count, there are none: said", [f"no memory map.*{REFUSED}"],
         block(regions=b"")),
    case("map: no RAM in it: said, default map", [f"no RAM.*{REFUSED}"],
         block(regions=region(MIB, 63 * MIB, 2))),
    case("map: an entry that wraps: said, default map", [f"leaves the address space.*{REFUSED}"],
         block(regions=LOW + HIGH + region((1 << 64) - 0x1000, 0x2000))),
    case("map: a reserved entry that wraps: said, default map", [f"leaves the .*{REFUSED}"],
         block(regions=LOW + HIGH + region(0x1000, (1 << 64) - 1, 2))),
    case("map: more RAM entries than fit: said, default map", [f"more than 256 .*{REFUSED}"],
         block(regions=many(300, 1))),
    case("map: more other entries than fit: said, default map", [f"more than 512 .*{REFUSED}"],
         block(regions=LOW + HIGH + many(600, 2))),
    case("map: an entry of size 0: said, default map", [f"G4 .*{REFUSED}"],
         block(regions=LOW + region(MIB, 63 * MIB, 1, 0))),
    case("map: cut in its last entry: said, default map", [f"G4 .*{REFUSED}"],
         block(map_len=len(LOW) + 10)),
    case("map: an entry larger than the map: said, default map", [f"G4 .*{REFUSED}"],
         block(regions=LOW + region(MIB, 63 * MIB, 1, 0xFFFFFFF0))),
    case("map: cannot be read: said, default map", [f"G3 .*{REFUSED}"], block(map=0xFFFFFF00)),
    case("map: lies inside the kernel: said, default map", [f"G3 .*{REFUSED}"],
         block(map=IMAGE)),
    case("map: 4 GiB long: said, default map", [f"G3 .*{REFUSED}"], block(map_len=0xFFFFFFFF)),
    case("map: unsorted, overlapping, repeated: the union counts", [r"frames: 16\d\d\d = "],
         block(regions=region(32 * MIB, 32 * MIB) + LOW + region(MIB, 40 * MIB) + LOW
               + region(0x9F000, 0x61000, 2))),
    case("map: RAM of which nobody can live: said, default map", ["no room.*default map"],
         block(regions=region(0x8000, 0x3000))),
    case("map: the kernel lies outside of it: said, default map", ["the kernel .*default map"],
         block(regions=LOW + region(0xC4C99983, 63 * MIB))),
    case("map: RAM that is not there behind the real: no reset", [],
         block(regions=LOW + HIGH + region(4096 * MIB, 4096 * MIB))),
    case("module: inside the kernel: lost, said", ["lies inside the kernel and is lost"],
         block(modules=[(IMAGE, IMAGE + 0x1000, b"initrd")]), commands=("check", "ls")),
    case("module: across the kernel's start: lost, said", ["lies inside the kernel and is lost"],
         block(modules=[(MIB - 0x1000, MIB + 0x1000, b"initrd")])),
    case("module: ends before it starts: said, default map", [f"ends before .*{REFUSED}"],
         block(modules=[(45 * MIB, 44 * MIB, b"initrd")])),
    case("module: beyond RAM: lost, said, and ls knows", ["there is no memory; it is lost",
                                                          "ls: there is no initramfs"],
         block(modules=[(0xF0000000, 0xF0001000, b"initrd")]), commands=("check", "ls")),
    case("module: its text cannot be read: said", ["text is cut"],
         block(modules=[(45 * MIB, 45 * MIB + 512, 0xFFFFFFF0)])),
    case("modules: the list cannot be read: said, default map", [f"G5 .*{REFUSED}"],
         block(flags=MAP | CMDLINE | MODULES, count=0x10000000)),
    case("modules: thirty of them: the first sixteen are listed", ["behind the sixteenth"],
         block(modules=[(44 * MIB + i * 0x1000, 44 * MIB + i * 0x1000 + 16, b"m")
                        for i in range(30)])),
    case("command line: cannot be read: said", ["the command line is cut"],
         block(cmdline=0xFFFFFFF0)),
    case("command line: without an end: cut, said", ["command line is cut|too long"],
         block(words=b"florble " * 2000)),
    case("loader: a name that cannot be read: said", ["name is cut"], block(loader=0xFFFFFFF0)),
]


# ---- the archive ----

ARCHIVE = 44 * MIB


def member(name, data=b"", mode=0o100644, magic=b"070701", namesize=None, size=None):
    """One entry of a newc archive; namesize, size: what the header claims."""
    def pad(raw):
        return raw + bytes(-len(raw) % 4)
    fields = [1, mode, 0, 0, 1, 0, len(data) if size is None else size, 0, 0, 0, 0,
              len(name) + 1 if namesize is None else namesize, 0]
    header = magic + b"".join(b"%08x" % field for field in fields)
    return pad(header + name + b"\0") + pad(data)


GOOD_MEMBER, END = member(b"motd", b"hello\n"), member(b"TRAILER!!!")
BROKEN = "ls: the initramfs is broken here: "

ARCHIVES = [
    ("empty of members: nothing is listed", END, [r"> ls\n+loam"], BROKEN),
    ("good: listed", GOOD_MEMBER + END, [r"- +6 motd"], BROKEN),
    ("a name that commands the terminal: shown without", member(b"a\x1b[2J\rb") + END,
     [r"- +0 a\?\[2J\?b"], r"a\x1b"),
    ("text in place of one: said", b"this is no archive, " * 20, [BROKEN], "- +6"),
    ("zeros: said", bytes(512), [BROKEN], "- +6"),
    ("a kernel in place of one: said", b"\x7fELF" + bytes(range(256)), [BROKEN], "- +6"),
    ("cut in a header: said", GOOD_MEMBER + END[:40], [r"- +6 motd", BROKEN], None),
    ("cut in a file: said", member(b"big", b"x" * 9999)[:200], [BROKEN], "9999"),
    ("without its end: said", GOOD_MEMBER, [r"- +6 motd", BROKEN], None),
    ("second header has another magic: said", GOOD_MEMBER + member(b"two", magic=b"070707"),
     [r"- +6 motd", BROKEN], r"\d two"),
    ("second header has no numbers: said", GOOD_MEMBER + b"070701" + b"z" * 200,
     [r"- +6 motd", BROKEN], None),
    ("a file of 4 GiB: said", GOOD_MEMBER + member(b"two", b"2", size=0xFFFFFFFF),
     [r"- +6 motd", BROKEN], r"\d two"),
    ("a name of 4 GiB: said", member(b"one", namesize=0xFFFFFFFF), [BROKEN], r"\d one"),
    ("a name of no length: said", member(b"one", namesize=0), [BROKEN], r"\d one"),
    ("a name that does not end: said", member(b"one" * 30, namesize=20) + END, [BROKEN], None),
]


def archive(data):
    return enter(block(modules=[(ARCHIVE, ARCHIVE + len(data), b"initrd")]),
                 commands=("check", "ls", "cat motd", "cat none"), more=[(ARCHIVE, data)])


def archives(tap):
    results = parallel(lambda case_of: archive(case_of[1]), ARCHIVES)
    for (name, _, texts, never), result in zip(ARCHIVES, results):
        faults = faults_of(result, texts)
        faults += [f"not wanted: {never}"] if never and re.search(never, result[1]) else []
        tap.check(not faults, f"archive: {name}", faults + pc.tail(result[1], 20))


# ---- programs ----

TEXT = 0x8048000
HEADER = "<4sBBB9xHHIIIIIHHHHHH"
EXIT = b"\xb8\x01\x00\x00\x00\x31\xdb\xcd\x80\xeb\xfe"  # never reached in a broken file


def program(va=TEXT, length=0x1000, file_length=None, flags=5, entry=None, offset=0, **header):
    """An ELF file of one segment, which is the whole file."""
    values = {"machine": 3, "kind": 2, "table": 52, "size": 32, "count": 1}
    values.update(header)
    body = bytearray(struct.pack(HEADER, b"\x7fELF", 1, 1, 1, values["kind"], values["machine"], 1,
                                 va + 0x100 if entry is None else entry, values["table"], 0, 0,
                                 52, values["size"], values["count"], 0, 0, 0))
    body += struct.pack("<IIIIIIII", 1, offset, va, va,
                        0x200 if file_length is None else file_length, length, flags, 0x1000)
    body += bytes(0x100 - len(body)) + EXIT
    return bytes(body + bytes(0x200 - len(body)))


REFUSALS = [
    ("no ELF: text", b"#!/bin/sh\necho hello\n", "X1 "),
    ("no ELF: empty", b"", "X1 "),
    ("no ELF: its magic and no more", b"\x7fELF", "X1 "),
    ("of another machine", program(machine=0x3E), "X2 "),
    ("its table of segments lies outside", program(table=0x10000), "X3 "),
    ("65535 segments", program(count=0xFFFF), "X3 "),
    ("no segment", program(count=0), "X3 "),
    ("a segment longer than the file", program(file_length=0x1000), "X5 "),
    ("more in the file than in memory", program(length=0x100), "X5 "),
    ("a segment behind the file", program(offset=0x7FFFF000), "X5 "),
    ("in the kernel's half", program(va=0xC0100000), "X6 "),
    ("over the end of the addresses", program(va=0xFFFFF000, length=0x2000), "X6 "),
    ("on page 0", program(va=0), "X6 "),
    ("4 GiB of memory", program(length=0xFFFFFFFF), "X6 "),
    ("written and executed", program(flags=7), "X8 "),
    ("begins outside of its text", program(entry=0x30000000), "X11 "),
    ("begins in the kernel", program(entry=0xC0100100), "X11 "),
]


def run_program(data):
    """Runs a file of the archive as a program, twice: nothing is left of the first time."""
    return enter(block(modules=[(ARCHIVE, ARCHIVE + len(data), b"initrd")]),
                 commands=("run x", "run x", "check"), more=[(ARCHIVE, data)])


def refused(tap):
    archives_of = [member(b"bin/x", data) + END for _, data, _ in REFUSALS]
    for (name, _, rule), result in zip(REFUSALS, parallel(run_program, archives_of)):
        faults = faults_of(result, [rf"x: cannot be run: {rule}"])
        faults += [] if result[1].count("all are back") == 2 else ["frames are lost"]
        tap.check(not faults, f"program: {name}: refused, named", faults + pc.tail(result[1], 20))
    for name, data, text in (("no archive", b"z" * 600, "cannot be run: N1 "),
                             ("not in the archive", END, "cannot be run: no such program")):
        result = run_program(data)
        faults = faults_of(result, [text])
        tap.check(not faults, f"program: {name}: refused, named", faults + pc.tail(result[1], 20))


# ---- by GRUB ----

GRUB_MODULES = "multiboot multiboot2 mmap iso9660 biosdisk normal"


def by_grub(tap):
    """The real loader, with a module that is no archive."""
    with tempfile.TemporaryDirectory(prefix="loam-bad-") as folder:
        initrd, image = (os.path.join(folder, name) for name in ("initrd", "bad.iso"))
        with open(initrd, "wb") as file:
            file.write(b"this is no archive, " * 5000)
        subprocess.run(["bash", os.path.join(pc.ROOT, "tools/grub_iso.sh"), image, pc.KERNEL,
                        initrd, os.path.join(pc.BUILD, "grub.cfg"), GRUB_MODULES], check=True)
        machine = pc.Machine(["-m", "64", "-cdrom", image], pc.LIMIT)
        machine.wait_for(pc.PROMPT)
        for command in ("check", "ls", "run hello"):
            machine.command(command)
        machine.type("off\r")
        result = machine.finish()
    faults = faults_of(result, [BROKEN, "hello: cannot be run: N1 "])
    tap.check(not faults, "GRUB: a module that is no archive: said, a shell",
              faults + pc.tail(result[1], 20))


# ---- anything ----

def spoiled(rng):
    """A right block with a few words of it made wrong."""
    data = bytearray(block(modules=[(ARCHIVE, ARCHIVE + 64, b"initrd")]))
    for _ in range(rng.randrange(1, 6)):
        at = rng.choice([rng.randrange(0, 72, 4), rng.randrange(128, len(data) - 4, 4)])
        word = rng.choice([0, 1, 0xFFFFFFFF, rng.getrandbits(32), rng.getrandbits(8),
                           INFO + rng.randrange(256), MIB + rng.randrange(4 * MIB)])
        struct.pack_into("<I", data, at, word)
    return bytes(data)


def anything(tap, spoil=spoiled, run=lambda data: enter(data, commands=())):
    """Spoiled maps may describe memory that is not there: then a report may end the kernel."""
    rng = random.Random(SEED)
    count = 60 if LONG else 12
    blocks = [spoil(rng) for _ in range(count)]
    results = parallel(run, blocks)
    bad = [(data, result) for data, result in zip(blocks, results)
           if not (result[0] == pc.GOOD or (result[0] == pc.BAD and "panic:" in result[1]))]
    more = [f"again with SEED={SEED}"]
    for data, (code, output) in bad[:2]:
        more += [f"exit code {code}", data.hex(), *pc.tail(output, 8)]
    tap.check(not bad, f"{count} spoiled blocks: a shell or a report, never a reset", more)


def made(tap, cases=tuple(CASES), run=enter):
    results = parallel(lambda c: run(*c[2], **c[3]), cases)
    for (name, texts, _, _), result in zip(cases, results):
        faults = faults_of(result, texts)
        tap.check(not faults, name, faults + pc.tail(result[1], 20))


def main():
    tap = Tap()
    for part in (made, archives, refused, by_grub, anything):
        part(tap)
    tap.done()


if __name__ == "__main__":
    main()
