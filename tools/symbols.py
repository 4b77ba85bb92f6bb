#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""symbols.py [POINTER] - reads `nm -n` of a kernel, writes its table of function names as assembly.

The kernel is linked twice: first with an empty table, then with the one made from that. The table
lies behind the text, so that the addresses of functions are the same in both. POINTER is the
assembler's word for a pointer: .quad unless it is given, .long where pointers have 32 bits.
"""
import sys


def functions(lines):
    for line in lines:
        fields = line.split()
        if len(fields) == 3 and fields[1] in "tT" and not fields[2].startswith(("$", ".L", "__")):
            yield int(fields[0], 16), fields[2]


def main():
    found = list(functions(sys.stdin))
    pointer = sys.argv[1] if len(sys.argv) > 1 else ".quad"
    print('.section .symbols, "a"')
    print(".balign 8")
    print(".global image_symbols, image_symbol_count")
    print(f"image_symbol_count: .quad {len(found)}")
    print("image_symbols:")
    for i, (address, _) in enumerate(found):
        print(f"    .quad {address:#x}\n    {pointer} name_{i}")
    for i, (_, name) in enumerate(found):
        print(f'name_{i}: .asciz "{name}"')


if __name__ == "__main__":
    main()
