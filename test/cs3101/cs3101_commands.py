#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cs3101_commands.py - the document's build lines, in a copy of compat/cs3101 and of nothing else
but the files that it includes: exact outputs, no warnings, both compilers."""
import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import OUTSIDE, ROOT, Tap, read, run  # noqa: E402

FOLDER = "compat/cs3101"
NEEDED = ["include/loam/base.h", "include/loam/range.h",
          "core/range.c", "core/range_check.c", "core/range_impl.h"]
ALLOC = r"hello from a\nb-size:128\nallocated d at 0x[0-9a-f]+\nDone\n"
EALLOC = r"hello elastic\nd allocated at 0x[0-9a-f]+\nelastic done\n"
PROGRAMS = {"alloc": ALLOC, "ealloc": EALLOC}
STRICT = "-O2 -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"
FLAGS = ["", "-Wall -Wextra", STRICT, "-m32 -Wall -Wextra",
         "-g -fsanitize=address,undefined -fno-sanitize-recover=all"]

# Both in one program: one's blocks are foreign to the other.
BOTH = """#include "alloc.h"
#include "ealloc.h"
#include <stdio.h>
int main(void)
{
    if (init_alloc() != 0 || einit_alloc() != 0)
        return 1;
    char *a = alloc_mem(256), *e = ealloc_mem(256);
    if (a == NULL || e == NULL || a == e)
        return 2;
    dealloc_mem(e);
    edealloc_mem(a);
    if (alloc_mem(8) != a + 256 || ealloc_mem(256) != e + 256)
        return 3;
    if (alloc_warnings() != 1 || ealloc_warnings() != 1)
        return 4;
    puts(cleanup_alloc() == 0 && ecleanup_alloc() == 0 ? "both" : "cleanup failed");
    return 0;
}
"""

# Misuse told: a line each, counted through both lives.
TOLD = """#include "alloc.h"
#include "ealloc.h"
int main(void)
{
    char here;
    alloc_warn(1);
    ealloc_warn(1);
    cleanup_alloc();
    ecleanup_alloc();
    dealloc_mem(&here);
    edealloc_mem(&here);
    for (int life = 0; life < 2; life++) {
        init_alloc();
        einit_alloc();
        char *a = alloc_mem(64), *e = ealloc_mem(512);
        init_alloc();
        einit_alloc();
        dealloc_mem(&here);
        edealloc_mem(&here);
        dealloc_mem(a + 8);
        edealloc_mem(e + 256);
        dealloc_mem(a);
        edealloc_mem(e);
        dealloc_mem(a);
        edealloc_mem(e);
        dealloc_mem((char *)0);
        edealloc_mem((char *)0);
        cleanup_alloc();
        ecleanup_alloc();
        alloc_warn(0);
        ealloc_warn(0);
    }
    return alloc_warnings() == 10 && ealloc_warnings() == 10 ? 0 : 1;
}
"""


def told_lines():
    """What TOLD prints: calls, addresses left out."""
    lines = []
    for step in [(1, "cleanup_alloc", "not initialised"), (2, "dealloc_mem(P)", "not initialised"),
                 (3, "init_alloc", "initialised already"), (4, "dealloc_mem(P)", "not of {}"),
                 (5, "dealloc_mem(P)", "inside a block, not its start"),
                 (6, "dealloc_mem(P)", "free: freed twice, or never given out")]:
        for prefix, pages in (("", "this page"), ("e", "these pages")):
            lines.append(f"{prefix}alloc: warning {step[0]}: {prefix}{step[1]}: "
                         f"{step[2].format(pages)}")
    return lines


# The document's headers: prototypes, nothing else.
HEADER = "int {0}init_alloc(void);\nint {0}cleanup_alloc(void);\n" \
    "char *{0}alloc_mem(int size);\nvoid {0}dealloc_mem(char *ptr);\n"


def copy_into(root):
    here = os.path.join(root, FOLDER)
    shutil.copytree(FOLDER, here, ignore=shutil.ignore_patterns("test_alloc", "test_ealloc"))
    for path in NEEDED:
        to = os.path.join(root, path)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copy(path, to)
    return here


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)


def built(tap, here, command, wanted, name=None):
    """A build line prints nothing, and its program what is wanted; both streams, exit code 0."""
    code, output = run(["bash", "-c", command], here)
    if code == 0 and output == "":
        code, output = run([f"./{command.split()[-1]}"], here)
    tap.check(code == 0 and re.fullmatch(wanted, output), f"cs3101 commands: {name or command}",
              [f"exit code {code}", *output.splitlines()])


def build_lines(tap, here):
    for compiler in ("gcc", "clang"):
        for flags in FLAGS:
            line = f"{compiler} {flags} ".replace("  ", " ")
            for program, wanted in PROGRAMS.items():
                built(tap, here, f"{line}{program}.c test_{program}.c -o test_{program}", wanted)
            built(tap, here, f"{line}alloc.c ealloc.c both.c -o both", "both\n")


def told(tap, here):
    code, output = run(["bash", "-c", "gcc alloc.c ealloc.c told.c -o told && ./told"], here)
    lines = re.sub(r"\(0x[0-9a-f]+\)", "(P)", output).splitlines()
    tap.check(code == 0 and lines == told_lines(),
              "cs3101 commands: warnings: a line each when asked for, counted always",
              [f"exit code {code}", *lines])


def symbols(tap, here):
    for compiler in ("gcc", "clang"):
        run([compiler, "-c", "alloc.c", "ealloc.c"], here)
        _, table = run(["nm", "--defined-only", "--extern-only", "alloc.o", "ealloc.o"], here)
        names = re.findall(r"^[0-9a-f]+ [A-Z] (\w+)$", table, re.M)
        tap.check("cs3101_ealloc_mem" in names, f"cs3101 commands: {compiler}: symbols there")
        tap.none([name for name in names if not name.startswith("cs3101_")],
                 f"cs3101 commands: {compiler}: exports cs3101_* alone")


def readme(tap, here):
    text = read(ROOT, f"{FOLDER}/README.md")
    commands = re.search(r"```bash\n(.*?)```", text, re.S).group(1)
    shown = re.search(r"It prints\n\n```\n(.*?)```", text, re.S).group(1)
    code, output = run(["bash", "-ec", commands], here)
    tap.check(code == 0 and re.sub(r"0x\w+", "0x7f...", output) == shown,
              "cs3101 commands: README: its commands print what it says",
              [f"exit code {code}", *output.splitlines()])
    programs = re.findall(r"```c\n(.*?)```", text, re.S)
    tap.check(len(programs) == 1, "cs3101 commands: README: one program")
    write(here, "readme.c", programs[0])
    built(tap, here, f"gcc {STRICT} alloc.c ealloc.c readme.c -o readme", "two pages\n",
          "README: its program")


def make(tap):
    code, output = run([*OUTSIDE, "make", "-C", FOLDER, "--no-print-directory", "run"])
    lines = [line for line in output.splitlines(True) if not line.startswith("make")]
    tap.check(code == 0 and re.fullmatch(ALLOC + EALLOC, "".join(lines)),
              "cs3101 commands: make run", [f"exit code {code}", *output.splitlines()])
    code, output = run([*OUTSIDE, "make", "-n", "-C", FOLDER, "test"])
    tap.check(code == 0 and "cs3101_model_test" in output,
              "cs3101 commands: make test: the root's test-cs3101", output.splitlines()[-8:])


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as root:
        here = copy_into(root)
        write(here, "both.c", BOTH)
        write(here, "told.c", TOLD)
        build_lines(tap, here)
        told(tap, here)
        symbols(tap, here)
        readme(tap, here)
        write(here, "alloc.h", HEADER.format(""))
        write(here, "ealloc.h", HEADER.format("e"))
        for program, wanted in PROGRAMS.items():
            built(tap, here, f"gcc {program}.c test_{program}.c -o test_{program}", wanted,
                  f"{program}: with the document's own header")
    make(tap)
    tap.done()


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
