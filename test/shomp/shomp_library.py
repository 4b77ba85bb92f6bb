#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""shomp_library.py - build/host/libshomp.a as a program meets it: README's code, the C library's
free beside it, and no name of somebody else's."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import ROOT, Tap, read, run  # noqa: E402

LIBRARY = "build/host/libshomp.a"
BOTH_FREES = """#include <stdio.h>
#include <stdlib.h>
#define SHOMP_NO_PLAIN_NAMES
#include <memory/heap.h>
#undef free
static char memory[SHOMP_HEAP_BYTES];
int main(void)
{
    char *theirs = malloc(100);
    shomp_init_heap(memory);
    void *ours = shomp_allocate(100);
    free(theirs);
    shomp_free(&ours);
    return ours != NULL;
}
"""


def program(tap, name, text, expected):
    with tempfile.TemporaryDirectory() as folder:
        source, binary = os.path.join(folder, "x.c"), os.path.join(folder, "x")
        with open(source, "w", encoding="utf-8") as file:
            file.write(text)
        for compiler in ("gcc", "clang"):
            code, output = run([compiler, "-std=c11", "-Wall", "-Wextra", "-Werror",
                                "-Icompat/shomp/inc", source, LIBRARY, "-o", binary])
            done = subprocess.run([binary], stdout=subprocess.PIPE, text=True,
                                  check=False) if code == 0 else None
            good = done is not None and done.returncode == 0 and done.stdout == expected
            tap.check(good, f"libshomp.a: {name}: {compiler}",
                      [output] if done is None else [f"exit code {done.returncode}", done.stdout])


def main():
    tap = Tap()
    _, table = run(["nm", "--defined-only", "--extern-only", LIBRARY])
    names = set(re.findall(r"^[0-9a-f]+ [A-Z] (\w+)$", table, re.M))
    tap.check("shomp_free" in names and "shomp_allocate" in names, "libshomp.a: has the heap")
    tap.none([n for n in sorted(names) if not re.match(r"(shomp|loam)_", n)],
             "libshomp.a: exports shomp_* and loam_* alone: no free")
    blocks = re.findall(r"```c\n(.*?)```", read(ROOT, "compat/shomp/README.md"), re.S)
    tap.check(len(blocks) == 1, "README: one program")
    wanted = re.search(r"prints\n\n```\n(.*?)```", read(ROOT, "compat/shomp/README.md"), re.S)
    program(tap, "the README's program prints what it says", "\n".join(blocks),
            wanted.group(1) if wanted else "")
    program(tap, "beside the C library's malloc and free", BOTH_FREES, "")
    tap.done()


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
