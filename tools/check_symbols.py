#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the core exports, needs and keeps, read from its objects. Prints TAP.

Linked into one object, the core (core/, boot/) exports loam_* alone, and needs memcpy, memset,
memmove, memcmp and the port alone: so no C library, no 64-bit division of libgcc on 32 bits. It
keeps nothing: no writable data, no thread-local data. `make check` builds the objects first.
"""
import os
import re

from taplib import Sample, Tap, core_objects, run

VARIANTS = ("host", "hostclang", "host32")

NEEDED = re.compile(r"^(mem(cpy|set|move|cmp)|loam_port_\w+|loam_hosted_\w+|_GLOBAL_OFFSET_TABLE_"
                    r"|__x86\.get_pc_thunk\.\w+)$")
EXPORTED = re.compile(r"^(loam_\w+|__x86\.get_pc_thunk\.\w+)$")
WRITABLE = re.compile(r"^(\.t?(data|bss)\b(?!\.rel\.ro)|\*COM\*)")
SYMBOL = re.compile(r"^[0-9a-f]+ (.{7}) (\S+)\t[0-9a-f]+ +(?:\.hidden )?(\S+)$", re.M)


def symbols_of(objects, work):
    """([(is global, section, name)], faults) of the objects, linked with each other."""
    joined = os.path.join(work, "joined.o")
    _, kind = run(["readelf", "-h", objects[0]])
    emulation = "elf_i386" if "ELF32" in kind else "elf_x86_64"
    code, output = run(["ld", "-r", "-m", emulation, "-o", joined, *objects])
    if code != 0:
        return [], output.splitlines()
    _, table = run(["objdump", "-t", joined])
    return [(flags[0] in "gu" or "w" in flags, section, name)
            for flags, section, name in SYMBOL.findall(table)], []


def faults_of(objects, work):
    symbols, faults = symbols_of(objects, work)
    for is_global, section, name in symbols:
        if section == "*UND*":
            if not NEEDED.match(name):
                faults.append(f"needs {name}")
        elif WRITABLE.match(section) and name != section:
            faults.append(f"keeps {name} in {section}")
        elif is_global and not EXPORTED.match(name):
            faults.append(f"exports {name}")
    if not symbols and not faults:
        faults.append("no symbols: this check reads the wrong thing")
    return faults


def self_test(tap):
    broken = [
        ("int stray(void);\nint stray(void) { return 1; }\n", "exports stray", "a foreign name"),
        ("void puts(const char *);\nvoid loam_x(void);\nvoid loam_x(void) { puts(\"\"); }\n",
         "needs puts", "a call of the C library"),
        ("unsigned loam_x(void);\nunsigned loam_x(void) { static unsigned n; return n++; }\n",
         "keeps n", "a counter that is kept"),
        ("typedef unsigned long long u64;\nu64 loam_x(u64 a, u64 b);\n"
         "u64 loam_x(u64 a, u64 b) { return a / b; }\n",
         "needs __udivdi3", "a 64-bit division on 32 bits"),
    ]
    for text, part, name in broken:
        with Sample({"x.c": text}) as root:
            code, output = run(["gcc", "-m32", "-O2", "-ffreestanding", "-c", "x.c"], root)
            faults = faults_of([os.path.join(root, "x.o")], root) if code == 0 else [output]
            tap.caught([re.sub(r"\bn\.\d+", "n", fault) for fault in faults], part, name)


def main():
    tap = Tap()
    self_test(tap)
    for variant in VARIANTS:
        with Sample({}) as work:
            tap.none(faults_of(core_objects(variant), work),
                     f"symbols: {variant}: exports loam_*, needs mem* and port, keeps nothing")
    tap.done()


if __name__ == "__main__":
    main()
