#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""stacsos_commands.py - the document's commands in compat/stacsos, the self-test's dumps, the
library and README's program."""
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import OUTSIDE, ROOT, Tap, read, run  # noqa: E402

FOLDER = "compat/stacsos"
LIBRARY = "build/host/libstacsos.a"
TITLE = "*** buddy page allocator - free list ***"

# After each step: what the lists of orders 0 to 3 say, free pages, used pages.
FIRST = ("13 1306", "14--15 1304--1305", "1300--1303", "0--7", 18, 0)
SECOND = ("13 1306", "14--15 1304--1305", "20--23 1300--1303", "0--7 24--31 32--39", 38, 0)
STEPS = [
    ("insert 0+8", ("(empty)", "(empty)", "(empty)", "0--7", 8, 0)),
    ("insert 13+3", ("13", "14--15", "(empty)", "0--7", 11, 0)),
    ("insert 1300+7", FIRST),
    ("allocate order 0 -> page 13", ("1306", *FIRST[1:4], 17, 1)),
    ("free page 13, order 0", FIRST),
    ("insert 2+1 again: an error on purpose\n"
     "insert_free_pages: page 2 is free already, nothing inserted", FIRST),
    ("insert 20+20", SECOND),
    ("allocate order 1 -> page 14", (SECOND[0], "1304--1305", *SECOND[2:4], 36, 2)),
    ("free page 14, order 1", SECOND),
    ("allocate order 3 -> page 0", (*SECOND[:3], "24--31 32--39", 30, 8)),
    ("free page 3, order 0", ("3 13 1306", *SECOND[1:3], "24--31 32--39", 31, 7)),
    ("free page 2, order 0",
     ("13 1306", "2--3 14--15 1304--1305", SECOND[2], "24--31 32--39", 32, 6)),
    ("free page 0, order 1",
     (*SECOND[:2], "0--3 20--23 1300--1303", "24--31 32--39", 34, 4)),
    ("free page 4, order 2", SECOND),
]


def dump(lists):
    lines = [TITLE] + [f"[{k:02}] {text}" for k, text in enumerate(lists[:4])]
    lines += [f"[{k:02}] (empty)" for k in range(4, 17)]
    return "\n".join([*lines, f"stats: free={lists[4]}, used={lists[5]}", ""])


def selftest_text():
    return "*** buddy page allocator - self-test ***\n" + "".join(
        f"selftest: {what}\n{dump(lists)}" for what, lists in STEPS) + "selftest: passed\n"


def demos(tap):
    for variant in ("host", "hostclang", "asan", "host32"):
        code, output = run([f"build/{variant}/stacsos-demo"])
        tap.check(code == 0 and output == selftest_text(),
                  f"stacsos: {variant}: self-test: every list, to the letter", output.splitlines())


def library(tap):
    _, table = run(["nm", "--defined-only", "--extern-only", LIBRARY])
    names = re.findall(r"^[0-9a-f]+ [A-Z] (\w+)$", table, re.M)
    tap.check("stacsos_allocate_pages" in names, "libstacsos.a: has the allocator")
    tap.none([n for n in names if not n.startswith(("stacsos_", "loam_"))],
             "libstacsos.a: exports stacsos_* and loam_* alone")
    programs = re.findall(r"```c\n(.*?)```", read(ROOT, f"{FOLDER}/README.md"), re.S)
    tap.check(len(programs) == 1, "README: one program")
    wanted = dump(("13", "(empty)", "(empty)", "0--7", 9, 2))
    with tempfile.TemporaryDirectory() as folder:
        source, binary = os.path.join(folder, "x.c"), os.path.join(folder, "x")
        with open(source, "w", encoding="utf-8") as file:
            file.write("".join(programs))
        for compiler in ("gcc", "clang"):
            code, output = run([compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", "-Iinclude",
                                "-Iport/hosted", f"-I{FOLDER}", source, LIBRARY, "-o", binary])
            if code == 0:
                code, output = run([binary])
            tap.check(code == 0 and output == wanted, f"README: its program: {compiler}",
                      output.splitlines())


def machine_faults(output, cores):
    """What is wrong with a boot of pgalloc=buddy: on the machine's memory, all cores at once."""
    faults = []
    done = re.search(r"^pgalloc: (\d+) cores at once: (\d+) calls, (\d+) from interrupts, 0 wrong$",
                     output, re.M)
    if done is None or int(done.group(1)) != cores or int(done.group(3)) == 0:
        faults.append("not all cores, or none of the interrupts, or something went wrong")
    if f"cpus: {cores} online" not in output or "pgalloc: every page is back" not in output:
        faults.append("not the cores, or not the pages")
    # what is excluded, and what is inserted, is all of RAM
    inserted = re.search(r"page descriptors in \d+ KiB; (\d+) pages inserted$", output, re.M)
    excluded = re.search(r"^pgalloc: excluded: (\d+) pages below 1 MiB, (\d+) of early tables, "
                         r"(\d+) of the kernel image, (\d+) of page descriptors, (\d+) that the "
                         r"kernel keeps$", output, re.M)
    frames = re.search(r"^frames: (\d+) = ", output, re.M)
    if None in (inserted, excluded, frames):
        return [*faults, "lines are missing"]
    parts = [int(n) for n in excluded.groups()]
    if int(inserted.group(1)) + sum(parts) != int(frames.group(1)) or 0 in parts[:1] + parts[2:]:
        faults.append("pages do not add up")
    dumps = [d.split("stats:")[0] for d in output[inserted.start():].split(TITLE)[1:]]
    if len(dumps) != 2 or dumps[0] != dumps[1] or f"free={inserted.group(1)}, used=0" not in output:
        faults.append("the free lists are not as they were")
    if any(int(first) < 256 for first in re.findall(r" (\d+)", "".join(re.findall(
            r"^\[\d\d\](.*)$", "".join(dumps), re.M)).replace("--", " "))):
        faults.append("a page below 1 MiB is free")
    return faults


def commands(tap):
    first = re.search(r"```bash\n(make run [^#\n]*?) *#", read(ROOT, f"{FOLDER}/README.md"))
    tap.check(first is not None and
              first.group(1) == 'make run kernel-args="pgalloc=buddy pgalloc-selftest=yes"',
              "README: begins with the document's command")
    for words, passes in (("pgalloc=buddy pgalloc-selftest=yes", True), ("pgalloc=plan9", False)):
        code, output = run([*OUTSIDE, "make", "-C", FOLDER, "--no-print-directory", "run",
                            f"kernel-args={words}"])
        output = output.replace("\r", "")
        tap.check(code == 0 and (selftest_text() in output) == passes and
                  ("pgalloc= knows only buddy" in output) != passes,
                  f"stacsos: make run kernel-args=\"{words}\"", output.splitlines()[-30:])
        if passes:
            faults = machine_faults(output, 4)
            tap.check(not faults and "frames: 20970" in output,
                      "stacsos: 4 cores, 8 GiB: the machine's memory, and back",
                      faults + output.splitlines()[-50:])
    code, output = run([*OUTSIDE, "make", "--no-print-directory", "run",
                        "kernel-args=pgalloc=buddy pgalloc-selftest=yes"])
    faults = machine_faults(output.replace("\r", ""), 4)
    tap.check(code == 0 and not faults and selftest_text() in output.replace("\r", ""),
              "stacsos: the same words at the root: on the Pi", faults + output.splitlines()[-50:])
    code, output = run([*OUTSIDE, "make", "-n", "-C", FOLDER, "test"])
    tap.check(code == 0 and "stacsos_model_test" in output,
              "stacsos: make test: the root's test-stacsos", output.splitlines()[-8:])


def main():
    tap = Tap()
    for part in (demos, library, commands):
        part(tap)
    tap.done()


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
