#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""floppy.py KERNEL SECTOR IMAGE WORDS - a 1.44 MB floppy that starts the PC's kernel.

SECTOR is the boot sector (kern/boards/pc32/floppy_boot.S) as an ELF file; the kernel's loadable
parts are laid on the disk as they shall lie in memory from 1 MiB on. WORDS is the command line.
"""
import os
import re
import subprocess
import sys
import tempfile

TRACK = 18 * 512
SIZE = 160 * TRACK
BASE = 0x100000
TRACKS_AT, ENTRY_AT = 4, 8


def flat(path):
    """The bytes of an ELF file's loadable parts, in a row."""
    with tempfile.TemporaryDirectory(prefix="loam-floppy-") as folder:
        out = os.path.join(folder, "flat")
        subprocess.run(["objcopy", "-O", "binary", path, out], check=True)
        with open(out, "rb") as file:
            return file.read()


def main():
    kernel, sector, image, words = sys.argv[1:5]
    header = subprocess.run(["readelf", "-hlW", kernel], stdout=subprocess.PIPE, text=True,
                            check=True).stdout
    entry = int(re.search(r"Entry point (?:address:)? *(0x[0-9a-f]+)", header).group(1), 16)
    first = int(re.search(r"^ +LOAD +\S+ +\S+ +(0x[0-9a-f]+)", header, re.M).group(1), 16)
    body, boot = flat(kernel), bytearray(flat(sector))
    tracks = -(-len(body) // TRACK)
    if first != BASE or len(boot) != 512 or (1 + tracks) * TRACK > SIZE:
        sys.exit(f"floppy.py: the kernel has {len(body)} bytes from {first:#x} on; a floppy takes "
                 f"{SIZE - TRACK} from {BASE:#x} on")
    boot[TRACKS_AT:TRACKS_AT + 2] = tracks.to_bytes(2, "little")
    boot[ENTRY_AT:ENTRY_AT + 4] = entry.to_bytes(4, "little")
    at = boot.index(b"<words>")
    text = words.encode("ascii") + b"\0"
    if at + len(text) > 510:
        sys.exit(f"floppy.py: at most {509 - at} characters of words")
    boot[at:at + len(text)] = text
    with open(image, "wb") as file:
        file.write(bytes(boot).ljust(TRACK, b"\0") + body.ljust(SIZE - TRACK, b"\0"))


if __name__ == "__main__":
    main()
