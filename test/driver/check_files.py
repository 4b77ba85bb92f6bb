#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`loam-driver dtb FILE` against device trees that this checker writes itself: random maps, whose
hand-over is known, and broken files, which must be refused in one line. Prints TAP."""
import os
import struct
import subprocess
import tempfile

from driving import LONG, PAGE, ROOT, TOP, Bytes, Tap, WIDTHS, Wrong, hexes

BEGIN, END, PROP, NOP, FINISH = 1, 2, 3, 4, 9


class Tree:
    """Writes a flattened device tree, version 17."""

    def __init__(self, rng):
        self.rng = rng
        self.body, self.strings, self.reserves = b"", b"", b""

    def reserve(self, base, size):
        self.reserves += struct.pack(">QQ", base, size)

    def token(self, value):
        while self.rng.random() < 0.1:
            self.body += struct.pack(">I", NOP)
        self.body += struct.pack(">I", value)

    def begin(self, name):
        self.token(BEGIN)
        self.pad(name.encode() + b"\0")

    def end(self):
        self.token(END)

    def prop(self, name, value):
        at = self.strings.find(name.encode() + b"\0")
        if at < 0:
            at = len(self.strings)
            self.strings += name.encode() + b"\0"
        self.token(PROP)
        self.body += struct.pack(">II", len(value), at)
        self.pad(value)

    def pad(self, value):
        self.body += value + b"\0" * (-len(value) % 4)

    def blob(self):
        self.token(FINISH)
        reserves = self.reserves + bytes(16)
        structure = 40 + len(reserves)
        strings = structure + len(self.body)
        total = strings + len(self.strings)
        head = struct.pack(">10I", 0xd00dfeed, total, structure, strings, 40, 17, 16, 0,
                           len(self.strings), len(self.body))
        return head + reserves + self.body + self.strings


def cells(values, count):
    return struct.pack(">I" if count == 1 else ">Q", values)


def span_of(rng, wide):
    """Somewhere below 4 GiB, or anywhere."""
    if wide and rng.random() < 0.5:
        base = rng.choice((1 << 32, 1 << 52, 1 << 63, TOP - 0x400000)) + rng.randrange(0x200000)
    else:
        base = rng.randrange(0x200000)
    size = rng.choice((0, 1, rng.randrange(0x3000), rng.randrange(0x200000)))
    return base & -rng.choice((1, 0x100, PAGE)), size & -rng.choice((1, 0x100, PAGE))


def random_tree(rng):
    """A blob, and the ranges that it leaves."""
    tree, ram, held = Tree(rng), Bytes(), Bytes()
    wide, wide_held = rng.random() < 0.6, rng.random() < 0.6
    form, form_held = 2 if wide else 1, 2 if wide_held else 1

    def reg(count, known, kind):
        value = b""
        for _ in range(count):
            base, size = span_of(rng, kind == 2)
            known.add(base, base + size)
            value += cells(base, kind) + cells(size, kind)
        return value

    for _ in range(rng.randrange(4)):
        base, size = span_of(rng, True)
        if (base, size) != (0, 0):  # that is the end of the list
            tree.reserve(base, size)
            held.add(base, base + size)
    tree.begin("")
    tree.prop("#address-cells", struct.pack(">I", form))
    tree.prop("#size-cells", struct.pack(">I", form))
    tree.prop("compatible", b"a,board\0")
    parts = ["memory"] * rng.randint(1, 4) + ["uart", "off", "reserved", "chosen"]
    rng.shuffle(parts)
    for i, part in enumerate(parts):
        if part == "memory":
            tree.begin(f"memory@{i}")
            tree.prop("device_type", b"memory\0")
            tree.prop("reg", reg(rng.randint(1, 4), ram, form))
            tree.end()
        elif part == "uart":
            tree.begin("serial@1000")
            tree.prop("reg", reg(2, Bytes(), form))
            tree.end()
        elif part == "off":
            tree.begin("memory@ffff")
            tree.prop("device_type", b"memory\0")
            tree.prop("status", b"disabled\0")
            tree.prop("reg", reg(1, Bytes(), form))
            tree.end()
        elif part == "reserved":
            tree.begin("reserved-memory")
            tree.prop("#address-cells", struct.pack(">I", form_held))
            tree.prop("#size-cells", struct.pack(">I", form_held))
            tree.prop("ranges", b"")
            for k in range(rng.randrange(5)):
                tree.begin(f"carve@{k}")
                tree.prop("reg", reg(rng.randint(1, 2), held, form_held))
                if rng.random() < 0.3:
                    tree.prop("no-map", b"")
                tree.end()
            tree.end()
        else:
            tree.begin("chosen")
            if rng.random() < 0.5:
                base, size = span_of(rng, False)
                held.add(base, base + size)
                kind = rng.choice((1, 2))
                tree.prop("linux,initrd-start", cells(base, kind))
                tree.prop("linux,initrd-end", cells(base + size, kind))
            tree.prop("bootargs", b"test\0")
            tree.end()
    tree.end()
    return tree.blob(), ram, held


class Files:
    def __init__(self, width, folder):
        self.driver = os.path.join(ROOT, "build", width, "loam-driver")
        self.path = os.path.join(folder, "tree.dtb")

    def ask(self, blob):
        with open(self.path, "wb") as file:
            file.write(blob)
        done = subprocess.run([self.driver, "dtb", self.path], capture_output=True, check=False)
        lines = done.stdout.decode("ascii", "replace").split("\n")
        if done.returncode != 0 or len(lines) != 2 or lines[1] or done.stderr:
            raise Wrong(f"exit code {done.returncode}, {done.stdout!r}, {done.stderr[-900:]!r}")
        if lines[0] != "ok" and not lines[0].startswith(("ok ", "reject ")):
            raise Wrong(f"answer {lines[0]!r}")
        return lines[0]


def in_folder(check):
    def play(driver, rng):
        with tempfile.TemporaryDirectory(prefix="loam-dtb-") as folder:
            check(Files(driver.width, folder), rng)
    return play


def page_runs(pages):
    """Sorted page numbers as ranges of bytes."""
    runs = []
    for page in pages:
        if runs and runs[-1][1] == page:
            runs[-1][1] = page + 1
        else:
            runs.append([page, page + 1])
    return [(a * PAGE, (b - a) * PAGE) for a, b in runs]


@in_folder
def random_maps(files, rng):
    for _ in range(400 if LONG else 40):
        blob, ram, held = random_tree(rng)
        want = page_runs(sorted(ram.whole_pages() - held.touched_pages()))
        answer = files.ask(blob)
        if not ram.ranges:
            if not answer.startswith("reject "):
                raise Wrong(f"no memory: {answer}")
            continue
        numbers = hexes(answer[3:]) if answer.startswith("ok") else None
        if numbers is None or list(zip(numbers[::2], numbers[1::2])) != want:
            raise Wrong(f"{answer[:300]}\n#   wanted {want[:9]}\n#   {blob.hex()}")


@in_folder
def broken(files, rng):
    """Cut short, a byte changed, or no tree at all: one line and exit code 0, whatever it says."""
    for text in (b"", b"x", b"\xd0\x0d\xfe\xed", bytes(4096), b"\xff" * 100):
        if not files.ask(text).startswith("reject "):
            raise Wrong(f"{text[:9]!r} is a tree")
    for _ in range(300 if LONG else 30):
        blob = random_tree(rng)[0]
        if not files.ask(blob[:rng.randrange(len(blob))]).startswith("reject "):
            raise Wrong("a tree cut short is a tree")
        at = rng.randrange(len(blob))
        files.ask(blob[:at] + bytes([rng.randrange(256)]) + blob[at + 1:])


@in_folder
def no_file(files, _):
    done = subprocess.run([files.driver, "dtb", files.path + "/none"], capture_output=True,
                          check=False)
    if done.returncode != 0 or not done.stdout.startswith(b"reject "):
        raise Wrong(f"no such file: {done.stdout!r}")


def main():
    tap = Tap("files")
    for width in WIDTHS:
        tap.run("dtb: random maps: what is left after every reservation", width, random_maps)
        tap.run("dtb: broken files: one line", width, broken)
        tap.run("dtb: no file: reject", width, no_file)
    tap.done()


if __name__ == "__main__":
    main()
