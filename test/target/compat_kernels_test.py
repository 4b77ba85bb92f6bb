#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The systems of compat/ in one kernel: each keeps its names to itself, all run in one boot, on the
PCs and on the Pi; a word that names none is a warning."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc32_qemu as pc  # noqa: E402
import pc64_qemu as pc64  # noqa: E402
import rpi3_qemu as pi  # noqa: E402
from taplib import ROOT, Tap, run  # noqa: E402

# What the linked names of a system start with.
PREFIXES = {"osc4": ("osc4_",), "shomp": ("shomp_",), "higherhalf": ("hh_", "higherhalf_"),
            "stacsos": ("stacsos_",)}
# Names of the documents that several systems have, or the C library.
PLAIN = {"buddy_init", "buddy_alloc", "buddy_dealloc", "buddy_alloc_pages", "buddy_free_pages",
         "memblock", "memblock_init", "kmalloc", "kfree", "ksize", "kmem_init", "kmain", "dmalloc",
         "dfree", "init_heap", "allocate", "free", "malloc", "print_free_counts",
         "allocate_pages", "free_pages", "insert_free_pages", "dump", "perform_selftest"}
NM = {"pc32": "nm", "pc32clang": "nm", "pc64": "nm", "pc64clang": "nm",
      "rpi3": "aarch64-linux-gnu-nm", "rpi3clang": "aarch64-linux-gnu-nm"}


def symbols(tool, *files):
    """Names of the global symbols that files define."""
    _, output = run([tool, "-g", "--defined-only", *files])
    return [match.group(1) for match in re.finditer(r"^[0-9a-f]+ [A-Za-z] (\S+)$", output, re.M)]


def objects(variant, system):
    folder = os.path.join(ROOT, f"build/{variant}/obj/compat/{system}")
    return [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names
            if name.endswith(".o")]


def stray(names, prefixes):
    return [name for name in names if not name.startswith(prefixes)]


FOLDERS = {"rpi3": "aarch64", "rpi3clang": "aarch64clang"}  # where their objects are, if elsewhere


def own_names(tap):
    tap.check(stray(["osc4_x", "buddy_init"], ("osc4_",)) == ["buddy_init"],
              "self-test: a plain name is found")
    for variant, tool in NM.items():
        for system, prefixes in PREFIXES.items():
            names = symbols(tool, *objects(FOLDERS.get(variant, variant), system))
            faults = stray(names, prefixes)
            tap.check(len(names) > 10 and not faults,
                      f"compat: {variant}: {system} exports only {' and '.join(prefixes)}",
                      faults or [f"{len(names)} names"])


def one_kernel(tap):
    for variant, name in (("pc32", "kernel.elf"), ("pc64", "kernel.elf"), ("rpi3", "kernel8.elf")):
        names = symbols(NM[variant], os.path.join(ROOT, "build", variant, name))
        missing = [system for system, prefixes in PREFIXES.items()
                   if not any(n.startswith(prefixes) for n in names)]
        tap.check(names and not missing and not PLAIN & set(names),
                  f"compat: build/{variant}/{name}: all systems, no plain name",
                  [*missing, *sorted(PLAIN & set(names))])


DONE = {"osc4": "osc4: all demos passed, memory is as it was",
        "shomp": "shomp: every count as listed, memory is as it was",
        "stacsos": "stacsos: every list as expected, memory is as it was",
        "higherhalf": "higherhalf: every step went well, memory is as it was"}


def one_boot(tap):
    code, output = pc.boot("demo=osc4 demo=shomp compat=higherhalf compat=stacsos compat=osc4 "
                           "demo=tour off",
                           limit=180)
    faults = [system for system, line in DONE.items() if line not in output]
    tap.check(code == pc.GOOD and not faults and "tour: done" in output
              and output.count(DONE["osc4"]) == 2,
              "compat: PC: all systems in one boot, exit code 33", [*faults, *pc.tail(output)])
    for name, boot, good in (("Pi", pi.boot, 0), ("PC with 64 bits", pc64.boot, pc.GOOD)):
        code, output = boot("demo=osc4 demo=shomp compat=stacsos compat=osc4 demo=tour off",
                            limit=180)
        faults = [system for system in ("osc4", "shomp", "stacsos") if DONE[system] not in output]
        tap.check(code == good and not faults and "tour: done" in output,
                  f"compat: {name}: osc4, shomp and stacsos in one boot, exit code {good}",
                  [*faults, *pi.tail(output)])


def words(tap):
    """Where a system makes no sense, a line says why; a word that is none is a warning."""
    for name, boot, bad in (("Pi", pi.boot, 1), ("PC with 64 bits", pc64.boot, pc.BAD)):
        code, output = boot("compat=higherhalf off")
        tap.check(code == bad and "higherhalf: this kernel has no window at 0xd0000000" in output,
                  f"compat: {name}: compat=higherhalf: says what is missing", pi.tail(output))
    for name, result in (("PC", pc.boot("compat=plan9 off")), ("Pi", pi.boot("compat=plan9 off"))):
        tap.check("no demo of this name: 'plan9'" in result[1] and "panic:" not in result[1],
                  f"compat: {name}: compat=plan9: a warning", pc.tail(result[1]))


def page_allocator_words(tap):
    """pgalloc= and pgalloc-selftest=, in any order, on every board; what they do not know is a
    warning."""
    for name, boot, good in (("PC", pc.boot, pc.GOOD), ("Pi", pi.boot, 0),
                             ("PC with 64 bits", pc64.boot, pc.GOOD)):
        code, output = boot("pgalloc=buddy pgalloc-selftest=yes off")
        faults = [line for line in ("*** buddy page allocator - free list ***", "[00] 13 1306",
                                    "insert_free_pages: page 2 is free already, nothing inserted",
                                    "selftest: passed", "pgalloc: every page is back")
                  if line not in output]
        tap.check(code == good and not faults, f"compat: {name}: pgalloc-selftest=yes: passes",
                  [*faults, *pc.tail(output)])
        code, output = boot("pgalloc-selftest=no pgalloc=linear pgalloc-selftest=maybe off")
        faults = [line for line in ("pgalloc= knows only buddy", "pgalloc-selftest= knows yes and "
                                    "no") if line not in output]
        tap.check(code == good and not faults and "*** buddy" not in output,
                  f"compat: {name}: pgalloc=linear, pgalloc-selftest=maybe: warnings",
                  [*faults, *pc.tail(output)])


def main():
    tap = Tap()
    for part in (own_names, one_kernel, one_boot, words, page_allocator_words):
        part(tap)
    tap.done()


if __name__ == "__main__":
    main()
