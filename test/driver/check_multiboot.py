#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`loam-driver mb1 FILE LOADADDR INFOADDR BITS` against memory images that this checker writes
itself: random maps, whose hand-over is known, and broken ones, which must be refused in one line.
Prints TAP."""
import os
import struct
import subprocess
import tempfile

from check_files import page_runs
from driving import LONG, PAGE, ROOT, TOP, Bytes, Tap, WIDTHS, Wrong, hexes

SIZES, CMDLINE, MODULES, MAP, LOADER = 1 << 0, 1 << 2, 1 << 3, 1 << 6, 1 << 9
FOUR_GIB = 1 << 32
INFO_LEN = 116


class Image:
    """Physical memory from `base` on: the information first, then what it points to."""

    def __init__(self, rng):
        self.base = rng.choice((0x500, 0x9000, 0x10000, 0x100000, 0x7ff000, 0xfff00000))
        self.fields = {}
        self.flags = 0
        self.rest = b"\0" * rng.choice((0, 3, 12))

    def put(self, value):
        """Where these bytes lie."""
        at = self.base + INFO_LEN + len(self.rest)
        self.rest += value
        return at

    def field(self, flag, **values):
        self.flags |= flag
        self.fields.update(values)

    def bytes(self):
        info = bytearray(INFO_LEN)
        offsets = {"lower": 4, "upper": 8, "cmdline": 16, "mods_count": 20, "mods_addr": 24,
                   "mmap_length": 44, "mmap_addr": 48, "loader": 64}
        struct.pack_into("<I", info, 0, self.flags)
        for name, value in self.fields.items():
            struct.pack_into("<I", info, offsets[name], value)
        return bytes(info) + self.rest


def entry(base, size, kind, extra=0):
    return struct.pack("<IQQI", 20 + extra, base, size, kind) + b"\xaa" * extra


def span_of(rng):
    base = rng.choice((0, 0, 0x100000, FOUR_GIB - 0x200000, FOUR_GIB, 1 << 52, TOP - 0x400000))
    base += rng.randrange(0x200000)
    size = rng.choice((0, 1, rng.randrange(0x3000), rng.randrange(0x200000)))
    return base & -rng.choice((1, 0x400, PAGE)), size & -rng.choice((1, 0x400, PAGE))


def random_image(rng, entries=9):
    """An image, and the ranges of RAM and of everything else that it tells of."""
    image, ram, held, table = Image(rng), Bytes(), Bytes(), b""
    if rng.random() < 0.2:  # no map
        lower, upper = rng.choice((0, 639, 640, rng.randrange(640))), rng.randrange(0x4000)
        image.field(SIZES, lower=lower, upper=upper)
        ram.add(0, lower << 10)
        ram.add(1 << 20, (1 << 20) + (upper << 10))
        if rng.random() < 0.3:
            image.field(MAP, mmap_length=0, mmap_addr=rng.randrange(FOUR_GIB))
    else:
        for _ in range(rng.randint(1, entries)):
            base, size = span_of(rng)
            kind = rng.choice((1, 1, 1, 2, 3, 4, 5, 0, 6, 0xffffffff))
            (ram if kind == 1 else held).add(base, base + size)
            table += entry(base, size, kind, rng.choice((0, 0, 4, 8, 3, 100)))
        image.field(MAP, mmap_length=len(table), mmap_addr=image.put(table))
        if rng.random() < 0.5:  # not to be looked at
            image.field(SIZES, lower=rng.randrange(FOUR_GIB), upper=rng.randrange(FOUR_GIB))
    if rng.random() < 0.5:
        modules = b""
        count = rng.randrange(20)
        for _ in range(count):
            start = rng.randrange(0x400000)
            end = start + rng.choice((0, 1, rng.randrange(0x20000)))
            held.add(start, end)
            text = rng.choice((0, image.put(b"a module\0"), rng.randrange(FOUR_GIB)))
            modules += struct.pack("<4I", start, end, text, rng.randrange(FOUR_GIB))
        image.field(MODULES, mods_count=count, mods_addr=image.put(modules))
    if rng.random() < 0.5:
        line = rng.choice((0, rng.randrange(FOUR_GIB), image.put(b"test\0"),
                           image.put(b"x" * 3000)))
        image.field(CMDLINE | LOADER, cmdline=line, loader=line)
    image.flags |= rng.randrange(1 << 16) & ~(SIZES | CMDLINE | MODULES | MAP | LOADER)
    return image, ram, held


class Files:
    def __init__(self, width, folder):
        self.driver = os.path.join(ROOT, "build", width, "loam-driver")
        self.path = os.path.join(folder, "memory")

    def ask(self, data, load, at, bits):
        with open(self.path, "wb") as file:
            file.write(data)
        return self.ask_words(self.path, f"{load:x}", f"{at:x}", str(bits))

    def ask_words(self, *words):
        done = subprocess.run([self.driver, "mb1", *words], capture_output=True, check=False)
        lines = done.stdout.decode("ascii", "replace").split("\n")
        if done.returncode != 0 or len(lines) != 2 or lines[1] or done.stderr:
            raise Wrong(f"exit code {done.returncode}, {done.stdout!r}, {done.stderr[-900:]!r}")
        if lines[0] != "ok" and not lines[0].startswith(("ok ", "reject ")):
            raise Wrong(f"answer {lines[0]!r}")
        return lines[0]

    def refused(self, image, words, bits=32):
        answer = self.ask(image.bytes(), image.base, image.base, bits)
        if not answer.startswith("reject ") or words not in answer:
            raise Wrong(f"'{answer}', wanted a reject that says '{words}'")


def in_folder(check):
    def play(driver, rng):
        with tempfile.TemporaryDirectory(prefix="loam-mb1-") as folder:
            check(Files(driver.width, folder), rng)
    return play


def left_of(ram, held, bits):
    ram = ram.copy()
    if bits == 32:
        ram.remove(FOUR_GIB, TOP)
    return page_runs(sorted(ram.whole_pages() - held.touched_pages()))


@in_folder
def random_maps(files, rng):
    for _ in range(400 if LONG else 40):
        image, ram, held = random_image(rng)
        bits = rng.choice((32, 64))
        answer = files.ask(image.bytes(), image.base, image.base, bits)
        if not ram.ranges:
            if not answer.startswith("reject "):
                raise Wrong(f"no memory: {answer}")
            continue
        numbers = hexes(answer[3:]) if answer.startswith("ok") else None
        want = left_of(ram, held, bits)
        if numbers is None or list(zip(numbers[::2], numbers[1::2])) != want:
            raise Wrong(f"{answer[:300]}\n#   wanted {want[:9]}\n#   {image.bytes().hex()}")


@in_folder
def broken_maps(files, rng):
    def mapped(table, length=None, at=None):
        image = Image(rng)
        where = image.put(table)
        image.field(MAP, mmap_length=len(table) if length is None else length,
                    mmap_addr=where if at is None else at)
        return image

    good = entry(0x100000, 0x100000, 1)
    files.refused(mapped(good + entry(TOP - PAGE, 2 * PAGE, 1)), "leaves the address space", 64)
    files.refused(mapped(good + entry(TOP - PAGE, TOP - 1, 2)), "leaves the address space")
    files.refused(mapped(good + b"\0" * 24), "G4")
    files.refused(mapped(good + struct.pack("<I", 19) + b"\0" * 40), "G4")
    files.refused(mapped(good + struct.pack("<I", 0xfffffffc) + b"\0" * 40), "G4")
    for cut in range(1, 24):
        files.refused(mapped(good + good[:-cut]), "G4")
    files.refused(mapped(good, 4 * len(good)), "G3")
    files.refused(mapped(good, at=0x12345678), "G3")
    files.refused(mapped(good, 0xffffffff), "G3")
    files.refused(mapped(b"".join(entry(i << 13, PAGE, 1) for i in range(257))), "256")
    files.refused(mapped(good + b"".join(entry(i << 13, PAGE, 2) for i in range(513))), "512")
    files.refused(mapped(entry(0, 0x100000, 2)), "no RAM")
    files.refused(mapped(b""), "no memory map")
    files.refused(Image(rng), "no memory map")
    nothing = Image(rng)
    nothing.field(SIZES, lower=641, upper=0)
    files.refused(nothing, "640")


@in_folder
def broken_modules(files, rng):
    def with_modules(table, count, at=None):
        image = Image(rng)
        image.field(MAP, mmap_addr=image.put(entry(0x100000, 0x100000, 1)), mmap_length=24)
        image.field(MODULES, mods_count=count, mods_addr=image.put(table) if at is None else at)
        return image

    files.refused(with_modules(struct.pack("<4I", 2, 1, 0, 0), 1), "ends before it starts")
    files.refused(with_modules(struct.pack("<4I", 1, 2, 0, 0), 2), "G5")
    files.refused(with_modules(b"", 0xffffffff), "G5")
    files.refused(with_modules(struct.pack("<4I", 1, 2, 0, 0), 1, at=0x12345678), "G5")
    files.refused(with_modules(struct.pack("<4I", 1, 2, 0, 0) * 513, 513), "more than fit")


@in_folder
def broken_files(files, rng):
    """Cut short, a byte changed, no file: one line and exit code 0, whatever it says."""
    for data in (b"", b"x", bytes(4096), b"\xff" * 200):
        if not files.ask(data, 0x1000, 0x1000, 32).startswith("reject "):
            raise Wrong(f"{data[:9]!r} is taken")
    for at in (0, 0xfff, 0x2000, TOP - 1, TOP - 4):
        if not files.ask(bytes(4096), 0x1000, at, 32).startswith("reject "):
            raise Wrong(f"information at {at:x} is taken")
    for _ in range(300 if LONG else 30):
        image = random_image(rng)[0]
        data = bytearray(image.bytes())
        files.ask(data[:rng.randrange(len(data))], image.base, image.base, rng.choice((32, 64)))
        data[rng.randrange(len(data))] = rng.randrange(256)
        files.ask(data, image.base, image.base, rng.choice((32, 64)))
    for words in ((files.path + "/none", "0", "0", "32"), (files.path, "x", "0", "32"),
                  (files.path, "0", "", "32"), (files.path, "0", "0", "16"),
                  (files.path, "11112222333344445", "0", "32")):
        if not files.ask_words(*words).startswith("reject "):
            raise Wrong(f"{words} are taken")


def main():
    tap = Tap("multiboot")
    for width in WIDTHS:
        tap.run("mb1: random maps: what is left after every reservation", width, random_maps)
        tap.run("mb1: broken maps: a line that says why", width, broken_maps)
        tap.run("mb1: broken lists of modules: a line that says why", width, broken_modules)
        tap.run("mb1: broken files: one line", width, broken_files)
    tap.done()


if __name__ == "__main__":
    main()
