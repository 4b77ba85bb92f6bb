#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`loam-driver mb2` and `pvh FILE LOADADDR INFOADDR BITS` against memory images that this checker
writes itself: random maps and modules, whose hand-over is known, and damaged ones, which are
answered in one line whatever they say. Prints TAP."""
import os
import struct
import subprocess
import tempfile

from check_multiboot import left_of, span_of
from driving import LONG, ROOT, WIDTHS, Bytes, Tap, Wrong, hexes

BASE = 0x9000


def tag(kind, body):
    return struct.pack("<II", kind, 8 + len(body)) + body + b"\0" * (-len(body) % 8)


def mb2(rng, regions, modules):
    each = rng.choice((24, 32, 48))
    rows = b"".join(struct.pack("<QQI", *region).ljust(each, b"\xaa") for region in regions)
    tags = [tag(6, struct.pack("<II", each, 0) + rows), tag(1, b"words\0")]
    tags += [tag(3, struct.pack("<II", *module) + b"x\0") for module in modules]
    tags += [tag(rng.randrange(100, 2000), bytes(rng.randrange(40))) for _ in range(3)]
    first, rest = tags[0], tags[1:]
    rng.shuffle(rest)
    body = b"".join([first, *rest]) + tag(0, b"")
    return struct.pack("<II", 8 + len(body), 0) + body


def pvh(_, regions, modules):
    at = BASE + 56
    rows = b"".join(struct.pack("<QQQ", *region) for region in regions)
    files = b"".join(struct.pack("<QQQQ", a, b - a, 0, 0) for a, b in modules)
    return struct.pack("<IIIIQQQQII", 0x336ec578, 1, 0, len(modules), at + len(rows), 0, 0, at,
                       len(regions), 0) + rows + files


class Machine:
    def __init__(self, width, folder, protocol):
        self.driver = os.path.join(ROOT, "build", width, "loam-driver")
        self.path = os.path.join(folder, "image")
        self.protocol = protocol

    def ask(self, image, bits="64"):
        with open(self.path, "wb") as file:
            file.write(image)
        done = subprocess.run([self.driver, self.protocol, self.path, f"{BASE:x}", f"{BASE:x}",
                               bits], capture_output=True, check=False, timeout=60)
        lines = done.stdout.decode().split("\n")
        if done.returncode != 0 or len(lines) != 2 or not lines[0].startswith(("ok", "reject ")):
            raise Wrong(f"{done.returncode} {done.stdout[:200]!r} {done.stderr[-300:]!r}")
        return lines[0]


def told(rng):
    regions, modules, ram, held = [], [], Bytes(), Bytes()
    for _ in range(rng.randint(1, 9)):
        (base, size), kind = span_of(rng), rng.choice((1, 1, 1, 2, 3, 4, 5, 7, 0xffffffff))
        (ram if kind == 1 else held).add(base, base + size)
        regions.append((base, size, kind))
    regions.append((0x100000, 0x400000, 1))
    ram.add(0x100000, 0x500000)
    for _ in range(rng.randrange(4)):
        base = rng.randrange(0x100000, 0x600000)
        end = base + rng.choice((0, 1, 0x1000, rng.randrange(0x40000)))
        modules.append((base, end))
        held.add(base, end)
    return regions, modules, ram, held


def random_maps(machine, build, rng):
    for _ in range(300 if LONG else 25):
        regions, modules, ram, held = told(rng)
        bits = rng.choice((32, 64))
        answer = machine.ask(build(rng, regions, modules), str(bits))
        numbers = hexes(answer[3:]) if answer.startswith("ok") else None
        if numbers is None or list(zip(numbers[::2], numbers[1::2])) != left_of(ram, held, bits):
            raise Wrong(f"{answer[:300]} for {regions} {modules}")


def damaged(machine, build, rng):
    for _ in range(300 if LONG else 25):
        image = bytearray(build(rng, *told(rng)[:2]))
        for _ in range(rng.randint(1, 4)):
            image[rng.randrange(len(image))] = rng.choice((0, 1, 255, rng.randrange(256)))
        machine.ask(bytes(image[:rng.choice((len(image), rng.randrange(len(image))))]))


def main():
    tap = Tap("loaders")
    for width in WIDTHS:
        for protocol, build in (("mb2", mb2), ("pvh", pvh)):
            def play(check, protocol=protocol, build=build):
                def run(driver, rng):
                    with tempfile.TemporaryDirectory(prefix="loam-boot-") as folder:
                        check(Machine(driver.width, folder, protocol), build, rng)
                return run
            tap.run(f"{protocol}: random maps: what is left after every reservation", width,
                    play(random_maps))
            tap.run(f"{protocol}: damaged images: one line", width, play(damaged))
    tap.done()


if __name__ == "__main__":
    main()
