#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A tiny run of every bench: does it work, and can its CSV be read? TAP on stdout; run from the
repository's root. Times are not judged."""
import csv
import os
import re
import shutil
import subprocess
import sys
import tempfile

BIN = "build/host/bench/"
COLUMNS = ["bench", "workload", "allocator", "unit", "median", "min", "max", "rounds", "ratio",
           "bar", "verdict"]
BENCHES = [
    ("frames", [BIN + "bench_frames", "--tiny"], {
        "pair_half", "fill", "free_in_order", "free_random", "churn_50", "churn_90",
        "churn_mixed_90", "order9_fill", "order9_free_random", "order9_pair", "scatter_2m",
        "metadata", "init_1g", "init_64g", "latency_p50", "latency_p9999", "second_first"}),
    ("objects", [BIN + "bench_objects", "--tiny"], {
        "pair_64", "pair_32k", "pair_1m", "batch_64", "batch_64_reversed", "batch_1m", "slots",
        "slots_large", "calloc_64k", "grow", "grow_4m", "aligned_4k", "overhead_64", "remote_64",
        "remote_64_rate"}),
    ("vm", [BIN + "bench_vm", "--tiny"], {
        "churn_10000", "area_1_i386", "area_1024_aarch64", "flushes_map_1024_i386",
        "flushes_unmap_1024_x86_64"}),
    ("free", [BIN + "bench_free", "--tiny"], {
        "free_alone_2e4_ns", "free_alone_2e12_ns", "free_merging_growth_ns",
        "free_alone_apart_2e12_ns", "free_alone_apart_spread_ns"}),
    ("locked", [BIN + "bench_locked", "--ops", "8"], {
        "pair_half", "churn_half", "fill", "free_random", "object_pair_64", "object_batch_64",
        "object_remote_64"}),
    ("insn", ["bench/insn.py", BIN + "bench_insn", "--only",
              "object_pair_64,fill,vmap_map_64_i,pt_unmap_64_i", "--allocators", "loam"],
     {"object_pair_64", "fill", "order9_fill", "vmap_map_64_i386", "pt_unmap_64_i386"}),
    ("programs", ["bench/bench_programs.py", "--tiny", "--allocators", "libloam"], {
        "pattern_server_churn_time", "pattern_shared_lines_passive_memory",
        "real_zstd_two_threads_time", "mean_all_time", "bar_time_mean", "bar_memory_mean"}),
    ("musl", ["bench/bench_programs.py", "--musl", "--tiny", "--allocators", "libloam"], {
        "pattern_pairs_time", "pattern_many_threads_memory", "mean_all_time"}),
    ("coherence", ["bench/coherence.py", "--tiny", "--threads", "2,8"], {
        "pair_64_8_misses", "mixed_8_misses", "start_2_locks", "large_8_held"}),
    ("faults", ["bench/fault_path.py"], {"fault_touch", "fault_copy", "fault_keep"}),
    ("boot", ["bench/boot_time.py", "--tiny"], {"zones_kinsn_pc64_64M", "metadata_bytes_pc64_64M"}),
]

NEEDED = {"insn": "valgrind", "programs": "zstd", "faults": "qemu-system-i386",
          "boot": "qemu-system-x86_64"}


def faults_of(path, bench, wanted):
    """What is wrong with a CSV, line by line."""
    faults = []
    with open(path, newline="", encoding="utf-8") as f:
        rows = list(csv.reader(f))
    if not rows or rows[0] != COLUMNS:
        return ["the heading is not " + ",".join(COLUMNS)]
    for row in rows[1:]:
        if len(row) != len(COLUMNS) or row[0] != bench:
            faults.append(f"not a row: {row}")
            continue
        r = dict(zip(COLUMNS, row))
        low, mid, high = float(r["min"]), float(r["median"]), float(r["max"])
        if not 0 <= low <= mid <= high or int(r["rounds"]) < 1:
            faults.append(f"values out of order: {row}")
        if (r["bar"] == "") != (r["verdict"] == "") or r["verdict"] not in (
                "", "reached", "not reached"):
            faults.append(f"bar without verdict, or the reverse: {row}")
    missing = wanted - {row[1] for row in rows[1:] if len(row) > 2
                        and row[2] in ("loam", "libloam")}
    return faults + [f"no row of loam's for {w}" for w in sorted(missing)]


def locked_faults(path):
    """Of the counts that are exact: Loam's hot path locks nothing, and the stack's lock is seen."""
    with open(path, newline="", encoding="utf-8") as f:
        rows = {(r["workload"], r["allocator"]): float(r["median"]) for r in csv.DictReader(f)}
    faults = [f"{w}: {rows.get((w, 'loam'))} locked instructions" for w in
              ("pair_half", "churn_half", "object_pair_64", "object_batch_64")
              if rows.get((w, "loam")) != 0]
    return faults + ([] if rows.get(("pair_half", "stack")) == 1 else ["the stack's lock: unseen"])


def coherence_faults(path):
    """Threads that share nothing take no line from each other, and those that do are seen."""
    with open(path, newline="", encoding="utf-8") as f:
        rows = {r["workload"]: float(r["median"]) for r in csv.DictReader(f)}
    return [f"{name}: {rows.get(name)}" for name, least, most in
            (("pair_64_8_misses", 0, 0.02), ("pair_64_8_locks", 0, 0.02),
             ("cross_64_8_misses", 0.02, 1), ("large_8_held", 20, 100))
            if not least <= rows.get(name, -1) <= most]


JUDGES = {"locked": locked_faults, "coherence": coherence_faults}


def check(bench, command, wanted):
    """Runs one bench; returns what was wrong."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "out.csv")
        run = subprocess.run(command + ["--csv", path], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, check=False, timeout=120)
        if run.returncode != 0:
            return [f"exit status {run.returncode}"] + run.stdout.splitlines()[-5:]
        if bench == "locked" and os.uname().machine != "x86_64":
            return []
        return faults_of(path, bench, wanted) + (JUDGES[bench](path) if bench in JUDGES else [])


def report_faults(folder):
    """Pages and pictures are made of the CSVs of tiny runs."""
    for name, command in (("objects", [BIN + "bench_objects", "--tiny"]),
                          ("programs", ["bench/bench_programs.py", "--tiny", "--only",
                                        "zstd,strings", "--allocators", "libloam"])):
        subprocess.run(command + ["--csv", os.path.join(folder, name + ".csv")], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
    run = subprocess.run(["bench/bench_charts.py", "--from", folder, "--to", folder],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                         timeout=120)
    if run.returncode != 0:
        return run.stdout.splitlines()[-5:]
    with open(os.path.join(folder, "bench.md"), encoding="utf-8") as file:
        text = file.read()
    wanted = ["## Bars", "| strings |", "| zstd: two threads |", "| pair_64 |"]
    faults = [f"bench.md lacks {part}" for part in wanted if part not in text]
    for picture in re.findall(r"\]\((bench/\S+\.svg)\)", text):
        with open(os.path.join(folder, picture), encoding="utf-8") as file:
            if "</svg>" not in file.read():
                faults.append(f"{picture} is no picture")
    return faults


def tell(n, name, faults):
    """One TAP line; 1: it failed."""
    print(f"{'not ' if faults else ''}ok {n} - {name}")
    for fault in faults:
        print(f"# {fault}")
    return bool(faults)


def check_report():
    with tempfile.TemporaryDirectory() as folder:
        return report_faults(folder)


def main():
    print(f"1..{len(BENCHES) + 1}")
    failed = 0
    for n, (bench, command, wanted) in enumerate(BENCHES, 1):
        name = f"bench_{bench}: tiny run: it works and its CSV is whole"
        if shutil.which(NEEDED.get(bench, "python3")) is None:
            print(f"ok {n} - {name} # SKIP {NEEDED[bench]} is not installed")
            continue
        faults = check(bench, command, wanted)
        failed += tell(n, name, faults)
    failed += tell(len(BENCHES) + 1, "bench_charts: tables and pictures of tiny runs",
                   check_report())
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
