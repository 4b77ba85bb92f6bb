#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Cache lines that go from thread to thread inside of libloam: a table by workload and threads.

Each workload (bench/coherence_work.c) runs on the library that counts (bench/coherence.c). A cell:

    misses by coherence an operation / largest share of all work that is done with one lock held

without what threads do while they wait for a lock. The share bounds the gain of more processors:
25 % are four times one processor's throughput at most. An operation is a malloc and a free, a
realloc, or a thread that takes and frees 20 blocks; it does nothing else, unlike programs.
"""
import argparse
import csv
import os
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
FOLDER = os.path.join(ROOT, "build/coherence")
COLUMNS = ["bench", "workload", "allocator", "unit", "median", "min", "max", "rounds", "ratio",
           "bar", "verdict"]
MISS = 60  # as in coherence.c
# name, what is done, kind, size, operations of a thread
WORK = [
    ("pair_64", "64 bytes, pair", "pair", 64, 4000),
    ("pair_16k", "16 KiB, pair", "pair", 16384, 2000),
    ("pair_100k", "100 KB, pair", "pair", 100000, 1000),
    ("pair_1m", "1 MB, pair", "pair", 1000000, 1000),
    ("batch_64", "64 bytes, 64 at a time", "batch", 64, 4096),
    ("batch_1k", "1 KiB, 64 at a time", "batch", 1024, 4096),
    ("batch_16k", "16 KiB, 64 at a time", "batch", 16384, 1024),
    ("batch_100k", "100 KB, 64 at a time", "batch", 100000, 512),
    ("small", "2048 slots, 16 bytes to 1 KiB", "small", 0, 16000),
    ("lifetimes", "random lifetimes to 256 KiB", "lifetimes", 0, 8000),
    ("large", "16 slots, 40 KB to 1.3 MB", "large", 0, 300),
    ("grow", "realloc to 64 KiB", "grow", 65536, 2000),
    ("cross_64", "64 bytes, freed by the next thread", "cross", 64, 4000),
    ("cross", "16 bytes to 1 KiB, the same", "cross", 0, 4000),
    ("mixed", "one table of all, a random block goes", "mixed", 0, 3000),
    ("start", "threads that start and end", "start", 0, 10),
]


def functions(*names):
    """Where these functions of the library lie: bytes of the file."""
    told = subprocess.run(["nm", "-S", os.path.join(FOLDER, "libloam.so")], capture_output=True,
                          text=True, check=True).stdout
    rows = [line.split() for line in told.splitlines()]
    return [(int(r[0], 16), int(r[0], 16) + int(r[1], 16)) for r in rows
            if len(r) == 4 and r[3] in names]


def run(kind, size, threads, operations, conf):
    """Places of the code, {address: [accesses, fetched, invalidates, taken, locked]}; of each lock
    [takes, waits, cost]."""
    with tempfile.NamedTemporaryFile("r", prefix="loam-coherence-") as out:
        subprocess.run([os.path.join(FOLDER, "work"), kind, str(size), str(threads),
                        str(operations)], check=True,
                       env={**os.environ, "LD_PRELOAD": os.path.join(FOLDER, "libloam.so"),
                            "LOAM_CONF": conf, "COHERENCE_OUT": out.name})
        rows = [line.split() for line in out]
    return ({int(r[1], 16): [int(x) for x in r[2:]] for r in rows if r[0] == "site"},
            [[int(x) for x in r[1:]] for r in rows if r[0] == "lock"])


def misses(counts):
    return sum(counts[1:4])


def places(sites, operations, most):
    """The places with the most misses: function by function inlined there."""
    first = sorted(sites, key=lambda at: -misses(sites[at]))[:most]
    for at in (at for at in first if misses(sites[at]) != 0):
        told = subprocess.run(["addr2line", "-i", "-f", "-s", "-e",
                               os.path.join(FOLDER, "libloam.so"), hex(at - 1)],
                              capture_output=True, text=True, check=True).stdout.splitlines()
        pairs = [(f, at) for f, at in zip(told[::2], told[1::2])
                 if not f.startswith("loam_atomic_")]
        print(f"    {misses(sites[at]) / operations:8.4f}  {pairs[0][1].split(' ')[0]:28}"
              f"{' in '.join(f for f, _ in pairs[:4])}")


def measure(work, threads, args):
    name, _, kind, size, each = work
    each = max(each // (50 if args.tiny else 1), 4)
    sites, locks = run(kind, size, threads, each, args.conf)
    operations = each * threads
    waits = functions("loam_hosted_lock_wait", "loam_hosted_lock_pass")
    own = {at: c for at, c in sites.items() if not any(a < at <= b for a, b in waits)}
    missed, accesses = sum(map(misses, own.values())), sum(c[0] for c in own.values())
    held = max([cost for _, _, cost in locks], default=0)
    if args.top:
        print(f"{name}, {threads} threads: misses an operation, where")
        places(own, operations, args.top)
    return {"misses": missed / operations,
            "held": 100 * held / max(accesses + MISS * missed, 1),
            "locks": sum(takes for takes, _, _ in locks) / operations}


UNITS = {"misses": "misses/op", "held": "%", "locks": "locks/op"}


def write_csv(path, results):
    with open(path, "w", newline="", encoding="utf-8") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(COLUMNS)
        for (name, threads), figures in results.items():
            for figure, unit in UNITS.items():
                value = f"{figures[figure]:.4f}"
                out.writerow(["coherence", f"{name}_{threads}_{figure}", "libloam", unit, value,
                              value, value, 1, "", "", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="2,8,32,64", help="how many, by commas")
    parser.add_argument("--only", default="", help="workloads whose name contains this")
    parser.add_argument("--conf", default="", help="LOAM_CONF")
    parser.add_argument("--top", type=int, default=0, help="so many places of the code, too")
    parser.add_argument("--tiny", action="store_true", help="a fiftieth of it")
    parser.add_argument("--csv")
    args = parser.parse_args()
    threads = [int(n) for n in args.threads.split(",")]
    results = {}
    print("misses by coherence an operation / largest share of work with one lock held\n")
    print(f"{'threads':40}" + "".join(f"{n:>16}" for n in threads))
    for work in WORK:
        if args.only not in work[0]:
            continue
        cells = []
        for n in threads:
            figures = results[work[0], n] = measure(work, n, args)
            cells.append(f"{figures['misses']:10.3f} /{figures['held']:3.0f}%")
        print(f"{work[1]:40}" + "".join(cells), flush=True)
    if args.csv:
        write_csv(args.csv, results)


if __name__ == "__main__":
    sys.exit(main())
