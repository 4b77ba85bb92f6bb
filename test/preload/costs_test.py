#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What headers and pages say a call costs is what it costs, in instructions, as callgrind counts.

Two runs of different length are compared, so that starts and ends cancel out.
"""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import ROOT, Tap, read  # noqa: E402

LIBRARY = os.path.join(ROOT, "build/host/libloam.so")
SHORT, LONG = 10000, 30000

PROGRAM = r"""
#include "loam/process_heap.h"
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
    loam_process_heap heap;
    long n = atol(argv[2]);
    loam_process_heap_create(&heap, "x", (size_t)16 << 20);
    if (strcmp(argv[1], "malloc") == 0)
        for (long i = 0; i < n; i++)
            free(malloc(64));
    if (strcmp(argv[1], "heap") == 0)
        for (long i = 0; i < n; i++)
            loam_process_heap_free(heap, loam_process_heap_alloc(heap, 64));
    if (strcmp(argv[1], "heap_alloc") == 0)
        for (long i = 0; i < n; i++)
            loam_process_heap_alloc(heap, 64);
    return 0;
}
"""


def count(program, what, n):
    environment = {**os.environ, "LOAM_CONF": "valgrind=no"}  # not told of the blocks
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                           program, what, str(n)], env=environment, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, check=True)
    return int(re.search(r"Collected\s*:\s*(\d+)", done.stderr).group(1))


def cost(program, what):
    return (count(program, what, LONG) - count(program, what, SHORT)) / (LONG - SHORT)


def said(path, pattern):
    found = re.findall(pattern, read(ROOT, path))
    return int(found[0]) if len(found) == 1 else None


def near(is_, should):
    return should is not None and abs(is_ - should) <= max(8, 0.2 * should)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="loam-costs-") as folder:
        program = os.path.join(folder, "program")
        subprocess.run(["gcc", "-O2", "-fno-builtin", "-w", f"-I{ROOT}/include", "-x", "c", "-",
                        "-x", "none", LIBRARY, "-o", program,
                        f"-Wl,-rpath,{os.path.dirname(LIBRARY)}"],
                       input=PROGRAM, text=True, check=True)
        pair, both, alloc = (cost(program, what) for what in ("malloc", "heap", "heap_alloc"))
    tap.check(pair <= 85, "malloc and free of 64 bytes, the loop included: 85 instructions at most",
              [f"{pair:.1f}"])
    header = "include/loam/process_heap.h"
    line = r"cost        O\(1\), mostly about (\d+) instructions"
    costs = [int(n) for n in re.findall(line, read(ROOT, header))]
    tap.check(len(costs) == 2 and near(alloc, costs[0]) and near(both - alloc, costs[1]),
              f"{header}: alloc, free: as they say", [f"{alloc:.0f} {both - alloc:.0f}"])
    for path, pattern in (("port/preload/heaps.c", r"COST   (\d+) instructions a pair"),
                          ("docs/decisions/0007-named-heaps.md", r"of 64 bytes is (\d+) instruct")):
        tap.check(near(both, said(path, pattern)), f"{path}: a pair: as it says",
                  [f"{both:.1f}", str(said(path, pattern))])
    tap.done()


if __name__ == "__main__":
    main()
