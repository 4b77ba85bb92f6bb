#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Exact instructions an operation, by valgrind: what n operations execute beyond none.

    bench/insn.py build/host/bench/bench_insn [--csv FILE] [--only TEXT,TEXT] [--allocators A,B]

Time plays no part, so two runs agree to the instruction and other programs do not disturb. Of
objects, areas and page tables the instructions inside the calls are counted; of frames the caller's
loop counts too (6 to 12 an operation), as it does in the times of bench_frames, for every allocator
the same. Objects are taken from libloam.so, as it is and hardened, and from Debian's mallocs, too:
the loops of "malloc" with those loaded before the C library. --only takes parts of workload names;
--allocators takes names (stack loam engine textbook linux malloc libloam libloam-hardened jemalloc
mimalloc tcmalloc list).
"""
import argparse
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import peers  # noqa: E402

# DESIGN.md, section 8: what Loam is to stay below.
FORMATS = ("i386", "x86_64", "aarch64")
BARS = {"object_pair_64": 80,
        **{f"{row}_1024_{format}": 40 for row in ("vmap_map", "pt_map", "pt_frames")
           for format in FORMATS}}
# The calls of which the inside is counted, by the workload's first word; none: everything is.
CALLS = {
    "object": {"loam": ["loam_kmalloc_alloc", "loam_kmalloc_free"], "malloc": ["malloc", "free"]},
    "vmap_map": {"loam": ["loam_vmap_alloc"]},
    "vmap_unmap": {"loam": ["loam_vmap_free"]},
    "pt_map": {"loam": ["loam_pt_map"]},
    "pt_frames": {"loam": ["loam_pt_map_frames"]},
    "pt_unmap": {"loam": ["loam_pt_unmap", "loam_tlb_flush"]},
}
# What is loaded before the C library; the bench itself then runs its "malloc".
PRELOADED = {"libloam": "build/host/libloam.so", **peers.found()}
OURS = ("loam", "libloam")
HARDENED = "libloam-hardened"  # the same file; there it does not look for Valgrind
PRELOADED[HARDENED] = PRELOADED["libloam"]
UNITS = {"object": "instructions/pair", "range": "instructions/pair", "vmap": "instructions/page",
         "pt": "instructions/page"}


def calls_of(allocator, workload):
    """What is counted of a workload."""
    for start, calls in CALLS.items():
        if workload.startswith(start + "_"):
            return calls["malloc" if allocator in PRELOADED else allocator]
    return []


def unit_of(workload):
    """What its instructions are divided by."""
    return UNITS.get(workload.split("_")[0], "instructions/op")


def instructions(program, allocator, workload, n):
    """Instructions of one run under callgrind."""
    calls = calls_of(allocator, workload)
    preload = os.path.abspath(PRELOADED[allocator]) if allocator in PRELOADED else ""
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
         *(f"--toggle-collect={call}" for call in calls),
         program, "malloc" if preload else allocator, workload, str(n)],
        env={**os.environ, "LD_PRELOAD": preload,
             "LOAM_CONF": "hardened,valgrind=no" if allocator == HARDENED else ""},
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, check=False)
    found = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or found is None:
        sys.exit(f"insn.py: {allocator} {workload} {n} failed:\n{run.stderr}")
    return int(found.group(1))


def plan(program, only, allocators):
    """(allocator, workload, n, operations) of every combination that is wanted."""
    out = subprocess.run([program, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout
    rows = [line.split() for line in out.splitlines()]
    rows += [[name, *row[1:]] for name, path in PRELOADED.items() if os.path.exists(path)
             for row in rows if row[0] == "malloc"]
    return [(a, w, int(n), int(ops)) for a, w, n, ops in rows
            if (not only or any(text in w for text in only))
            and (not allocators or a in allocators)]


def table(results):
    """The results for people: a row a workload, a column an allocator."""
    names = []
    for allocator, _ in results:
        if allocator not in names:
            names.append(allocator)
    widths = {n: max(10, len(n) + 2) for n in names}
    print("\ninstructions, exact (callgrind): frames an operation, objects and spans a pair, "
          "areas and\ntables a page; of objects, areas and tables inside the calls")
    print(f"  {'':<22}" + "".join(f"{n:>{w}}" for n, w in widths.items()) + "  bar")
    for workload in dict.fromkeys(w for _, w in results):
        cells = "".join(f"{results[a, workload]:{w}.1f}" if (a, workload) in results
                        else f"{'-':>{w}}" for a, w in widths.items())
        values = [results[name, workload] for name in OURS if (name, workload) in results]
        verdict = verdict_of(workload, max(values, default=None))
        bar = f"  <={BARS[workload]} {verdict}" if verdict else ""
        print(f"  {workload:<22}{cells}{bar}")


def verdict_of(workload, value):
    """Reached or not, empty where there is no bar."""
    if value is None or workload not in BARS:
        return ""
    return "reached" if value <= BARS[workload] else "not reached"


def write_csv(path, results):
    """The results in the benches' CSV format."""
    with open(path, "w", encoding="utf-8") as f:
        f.write("bench,workload,allocator,unit,median,min,max,rounds,ratio,bar,verdict\n")
        for (allocator, workload), v in results.items():
            base = next((results[a, workload] for a in ("stack", "malloc", "list")
                         if (a, workload) in results), None)
            ratio = f"{v / base:.4f}" if base else ""
            verdict = verdict_of(workload, v) if allocator in OURS else ""
            bar = BARS[workload] if verdict else ""
            f.write(f"insn,{workload},{allocator},{unit_of(workload)},"
                    f"{v:.4f},{v:.4f},{v:.4f},1,{ratio},{bar},{verdict}\n")


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("program")
    p.add_argument("--csv")
    p.add_argument("--only", default="")
    p.add_argument("--allocators", default="")
    args = p.parse_args()
    if shutil.which("valgrind") is None:
        print("insn.py: valgrind is not installed: no instruction counts")
        return
    results = {}
    wanted = plan(args.program, list(filter(None, args.only.split(","))),
                  list(filter(None, args.allocators.split(","))))
    for allocator, workload, n, ops in wanted:
        none = instructions(args.program, allocator, workload, 0)
        results[allocator, workload] = (
            instructions(args.program, allocator, workload, n) - none) / ops
    table(results)
    if args.csv:
        write_csv(args.csv, results)


if __name__ == "__main__":
    main()
