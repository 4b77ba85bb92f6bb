#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""broken_elfs.py GOOD FOLDER - writes program files that lie, each in one way, from a good one.

broken_elfs.py --list names them. A kernel has to refuse each with a line, and start none.
"""
import os
import struct
import sys

TYPE, OFFSET, VA, FILESZ, MEMSZ, FLAGS, ALIGN = 0, 4, 8, 16, 20, 24, 28
DYNAMIC, INTERP = 2, 3


class Elf:
    def __init__(self, data):
        self.data = bytearray(data)
        self.table, = struct.unpack_from("<I", data, 28)
        self.count, = struct.unpack_from("<H", data, 44)

    def put(self, at, form, value):
        struct.pack_into(form, self.data, at, value)

    def segment(self, which, field, value=None):
        at = self.table + which % self.count * 32 + field
        if value is None:
            return struct.unpack_from("<I", self.data, at)[0]
        return self.put(at, "<I", value & 0xffffffff)


def set_at(at, form, value):
    return lambda e: e.put(at, form, value)


def set_in(which, field, value):
    return lambda e: e.segment(which, field, value)


def overlap(e):
    e.segment(-1, VA, e.segment(0, VA))
    e.segment(-1, OFFSET, e.segment(0, OFFSET))


def one_page(e):
    size = e.segment(0, MEMSZ)
    e.segment(1, VA, e.segment(0, VA) + size)
    e.segment(1, OFFSET, e.segment(0, OFFSET) + size)


def backwards(e):
    first = bytes(e.data[e.table:e.table + 32])
    e.data[e.table:e.table + 32] = e.data[e.table + 32:e.table + 64]
    e.data[e.table + 32:e.table + 64] = first


BROKEN = {
    "not-elf": lambda e: e.data.__setitem__(slice(0, 4), b"#!/b"),
    "empty": lambda e: e.data.clear(),
    "cut-header": lambda e: e.data.__delitem__(slice(40, None)),
    "cut-table": lambda e: e.data.__delitem__(slice(60, None)),
    "cut-text": lambda e: e.data.__delitem__(slice(e.segment(0, FILESZ) - 8, None)),
    "class64": set_at(4, "B", 2),
    "big-endian": set_at(5, "B", 2),
    "version": set_at(20, "<I", 9),
    "shared-object": set_at(16, "<H", 3),
    "machine": set_at(18, "<H", 62),
    "no-table": set_at(44, "<H", 0),
    "table-size": set_at(42, "<H", 56),
    "table-far": set_at(28, "<I", 0xfffffff0),
    "table-long": set_at(44, "<H", 0xffff),
    "interpreter": set_in(1, TYPE, INTERP),
    "dynamic": set_in(1, TYPE, DYNAMIC),
    "file-beyond": set_in(0, OFFSET, 0x7ffff000),
    "file-wraps": set_in(0, OFFSET, 0xfffff000),
    "less-memory": set_in(0, MEMSZ, 8),
    "memory-wraps": set_in(-1, MEMSZ, 0xffff0000),
    "page-0": lambda e: (e.segment(0, VA, 0), e.segment(0, OFFSET, 0)),
    "in-kernel": set_in(-1, VA, 0xc0100000),
    "into-stack": set_in(-1, MEMSZ, 0xbfbc0000),
    "alignment": set_in(0, ALIGN, 3),
    "crooked": lambda e: e.segment(-1, VA, e.segment(-1, VA) + 4),
    "write-execute": set_in(0, FLAGS, 7),
    "overlap": overlap,
    "one-page": one_page,
    "backwards": backwards,
    "nothing": lambda e: [e.segment(i, TYPE, 0) for i in range(e.count)],
    "entry-0": set_at(24, "<I", 0),
    "entry-data": lambda e: e.put(24, "<I", e.segment(-1, VA)),
    "entry-kernel": set_at(24, "<I", 0xc0100000),
}


def main():
    if sys.argv[1:] == ["--list"]:
        print("\n".join(sorted(BROKEN)))
        return
    with open(sys.argv[1], "rb") as file:
        good = file.read()
    for name, spoil in BROKEN.items():
        elf = Elf(good)
        spoil(elf)
        assert bytes(elf.data) != good, name
        with open(os.path.join(sys.argv[2], name), "wb") as file:
            file.write(elf.data)


if __name__ == "__main__":
    main()
