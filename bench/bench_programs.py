#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whole programs, each with every malloc: the C library's, libloam.so, libloam.so hardened, and
those of jemalloc, mimalloc and tcmalloc where they are installed.

    bench/bench_programs.py [--quick | --tiny] [--rounds N] [--only TEXT,TEXT] [--kind KIND]
                            [--allocators A,B] [--musl] [--csv FILE]

Real programs are those of test/preload/programs.py; patterns are bench/patterns/*.c. Rounds are
interleaved: each program runs with one malloc after the other, and who is first changes. Counted
are processor time (user and system, the whole tree of processes) and the peak of the largest
process. Every output must be what it was with the C library's malloc. Times are reported only; the
exit code is 1 when a program failed with libloam.so. --musl: the patterns alone, as programs on
that C library, each with its malloc and libloam's (make bench-musl builds them).
"""
import argparse
import csv
import math
import os
import re
import shutil
import statistics
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "../test/preload"))
import peers  # noqa: E402
import programs  # noqa: E402

PATTERNS = os.path.join(programs.ROOT, "build/host/bench/patterns")
MUSL_PATTERNS = os.path.join(programs.ROOT, "build/musl/bench/patterns")
MUSL_LIBRARY = os.path.join(programs.ROOT, "build/musl/libloam.so")
BASE, LOAM, HARDENED, MUSL = "glibc", "libloam", "libloam-hardened", "musl"
BARS = {"time_mean": 0.70, "time_mean_over_best_peer": 1.0, "memory_mean": 0.95,
        "time_slowest_over_best_peer": 1.3, "time_hardened_over_default": 1.5}

PATTERN_TABLE = [
    ("server churn, handed over", "server_churn"),
    ("cross-thread frees", "cross_free"),
    ("pipeline of four threads", "pipeline"),
    ("shared lines, active", "shared_lines active"),
    ("shared lines, passive", "shared_lines passive"),
    ("random lifetimes", "lifetimes"),
    ("random lifetimes, 4 threads", "lifetimes 4"),
    ("small busy heap", "busy_heap"),
    ("small busy heap, 4 threads", "busy_heap 4"),
    ("25 MiB blocks", "big_blocks"),
    ("threads that leak", "thread_leaks"),
    ("64 threads, again and again", "many_threads"),
    ("linked structures", "linked"),
    ("strings", "strings"),
    ("compiler's trees", "compiler"),
    ("buffers that grow", "buffers"),
    ("temporary arrays", "temporaries"),
    ("cache of values", "lru_cache"),
    ("aligned blocks", "aligned"),
]
# Programs that cannot run with a malloc, by the start of their names, and why.
LEFT_OUT = {
    ("stress-ng", HARDENED): "it writes 8 bytes into blocks of calloc(0, n), which hardened tells",
}
# What --quick and --tiny leave of the real ones.
QUICK_REAL = ("gcc", "perl", "zstd")
TINY_REAL = ("zstd",)


class Program:
    def __init__(self, kind, name, command, setup=None):
        self.kind, self.name, self.command, self.setup = kind, name, command, setup
        words = name if kind == "real" else " ".join(os.path.basename(w) for w in command)
        self.id = kind + "_" + "_".join(w for w in re.findall(r"\w+", words)
                                        if w not in ("quick", "tiny"))


def program_table(scale=None):
    real = [Program("real", *row) for row in programs.QUICK]
    if scale:
        wanted = QUICK_REAL if scale == "--quick" else TINY_REAL
        real = [p for p in real if p.name.split(":")[0] in wanted]
    patterns = []
    for name, words in PATTERN_TABLE:
        patterns.append(pattern_of(PATTERNS, name, words, scale))
    return real + patterns


def pattern_of(folder, name, words, scale):
    program, *rest = words.split()
    command = [os.path.join(folder, program), *rest] + ([scale] if scale else [])
    return Program("pattern", name, command)


def musl_table(scale=None):
    rows = [("pairs of 64 bytes", "pairs"), *PATTERN_TABLE]
    return [pattern_of(MUSL_PATTERNS, name, words, scale) for name, words in rows]


def allocators():
    """name -> (library, LOAM_CONF) of all that are here, the C library's first."""
    found = {BASE: (programs.GLIBC, None), LOAM: (programs.LIBRARY, None),
             HARDENED: (programs.LIBRARY, "hardened")}
    found.update({name: (path, None) for name, path in peers.found().items()})
    return found


def musl_allocators():
    return {MUSL: (programs.OWN, None), LOAM: (MUSL_LIBRARY, None),
            HARDENED: (MUSL_LIBRARY, "hardened")}


class Results:
    """Samples by (program, what, allocator), what being "time" (ms) or "memory" (KiB)."""

    def __init__(self, table, names):
        self.table, self.names, self.base = table, names, names[0]
        self.samples, self.failed, self.expected = {}, [], {}
        self.baseless = {}  # id -> program that does not run with the C library's malloc

    def add(self, program, name, outcome):
        output = programs.plain(outcome.output)
        expected = self.expected.setdefault(program.id, (0, output))
        if (outcome.code, output) != expected:
            self.failed.append((program, name, outcome))
            return
        for what, value in (("time", outcome.cpu * 1000), ("memory", outcome.peak)):
            self.samples.setdefault((program.id, what, name), []).append(value)

    def ratios(self, program, what, name, base=None):
        """The median of the ratios within each round; None: it failed."""
        ours = self.samples.get((program.id, what, name), [])
        theirs = self.samples.get((program.id, what, base or self.base), [])
        each = [a / b for a, b in zip(ours, theirs) if b > 0]
        return statistics.median(each) if each else None

    def mean(self, kinds, what, name, base=None):
        """The geometric mean over the programs of these kinds."""
        found = [self.ratios(p, what, name, base) for p in self.table if p.kind in kinds]
        logs = [math.log(r) for r in found if r]
        return math.exp(sum(logs) / len(logs)) if logs else None

    def over_best(self, program, what="time"):
        """libloam's ratio over the best other's: above 1, somebody is better."""
        others = [self.ratios(program, what, n) for n in self.names if n not in (LOAM, HARDENED)]
        others = [r for r in others if r]
        ours = self.ratios(program, what, LOAM)
        return ours / min(others) if ours and others else None


def measure(table, found, rounds):
    results = Results(table, list(found))
    with tempfile.TemporaryDirectory(prefix="loam-bench-") as ground:
        for number in range(rounds):
            for program in table:
                if sys.stderr.isatty():
                    print(f"\r\033[K# round {number + 1}: {program.name}", end="", file=sys.stderr)
                one_round(program, found, number, ground, results)
            print(f"# round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return results


def one_round(program, found, number, ground, results):
    """Every malloc in turn, each from a fresh copy of the program's folder."""
    origin = os.path.join(ground, program.id)
    if not os.path.exists(origin):
        os.mkdir(origin)
        if program.setup:
            program.setup(origin)
    names = list(found)
    start = number % len(names) if program.id in results.expected else 0
    for name in names[start:] + names[:start]:
        if (program.name.split(":")[0], name) in LEFT_OUT or program.id in results.baseless:
            continue
        folder = os.path.join(ground, "run")
        shutil.copytree(origin, folder)
        library, conf = found[name]
        outcome = programs.run(program.command, folder, library, conf)
        if name == results.base and outcome.code != 0 and program.id not in results.expected:
            results.baseless[program.id] = program
        else:
            results.add(program, name, outcome)
        shutil.rmtree(folder)


# ---- what is said about it ----

def cell(value):
    return f"{value:17.2f}x" if value is not None else f"{'-':>18}"


def print_table(results, what, unit, scale):
    names = results.names
    print(f"\n{what} of {results.base} in {unit}, and how many times that the others take")
    print(f"  {'':<32}{results.base:>10}" + "".join(f"{n:>18}" for n in names[1:])
          + "  over the best")
    for kind, title in (("real", "real programs"), ("pattern", "patterns")):
        rows = [p for p in results.table if p.kind == kind]
        for p in rows:
            samples = results.samples.get((p.id, what, results.base), [0])
            over = results.over_best(p, what)
            print(f"  {p.name[:31]:<32}{statistics.median(samples) * scale:10.1f}"
                  + "".join(cell(results.ratios(p, what, n)) for n in names[1:])
                  + (f"{over:10.2f}x" if over is not None else ""))
        if rows:
            print_mean(results, [kind], what, f"geometric mean, {title}")
    print_mean(results, ["real", "pattern"], what, "geometric mean, all")


def print_mean(results, kinds, what, title):
    print(f"  {title:<32}{'':>10}"
          + "".join(cell(results.mean(kinds, what, n)) for n in results.names[1:]))


def bars_of(results):
    """name -> (value, text), of the bars that can be judged; they are set beside glibc."""
    if results.base != BASE:
        return {}
    kinds = ["real", "pattern"]
    ours = results.mean(kinds, "time", LOAM)
    peers = {n: results.mean(kinds, "time", n) for n in results.names
             if n not in (results.base, LOAM, HARDENED)}
    best = min((v, n) for n, v in peers.items() if v) if any(peers.values()) else None
    over = [(results.over_best(p), p.name) for p in results.table]
    slowest = max(((v, n) for v, n in over if v), default=None)
    hardened = results.mean(kinds, "time", HARDENED, LOAM) if HARDENED in results.names else None
    found = {"time_mean": (ours, f"time, geometric mean, of {results.base}'s"),
             "memory_mean": (results.mean(kinds, "memory", LOAM),
                             f"memory, geometric mean, of {results.base}'s"),
             "time_hardened_over_default": (hardened, "time, hardened, of the default's")}
    if best and ours:
        text = f"time, geometric mean, of the best peer's ({best[1]})"
        found["time_mean_over_best_peer"] = (ours / best[0], text)
    if slowest:
        text = f"the slowest beside its best other ({slowest[1]})"
        found["time_slowest_over_best_peer"] = (slowest[0], text)
    return {key: value for key, value in found.items() if value[0]}


def verdict(key, value):
    return "reached" if value <= BARS[key] else "not reached"


def report(results, rounds):
    print(f"programs: medians of {rounds} interleaved rounds; processor time of the whole tree, "
          "peak of its\nlargest process")
    print_table(results, "time", "ms", 1)
    print_table(results, "memory", "MiB", 1 / 1024)
    bars = bars_of(results)
    print("\nbars (libloam)" if bars else "")
    for key, (value, text) in bars.items():
        print(f"  {text:<72}{value:7.2f}  <={BARS[key]:.2f} {verdict(key, value)}")
    for (start, name), why in LEFT_OUT.items():
        if any(p.name.startswith(start) for p in results.table):
            print(f"# {start} is left out with {name}: {why}")
    for program in results.baseless.values():
        print(f"# {program.name}: does not run with {results.base}'s malloc, left out")
    for program, name, outcome in results.failed:
        print(f"# {program.name}: with {name}: exit code {outcome.code}, or another output:")
        for line in outcome.output.splitlines()[-5:]:
            print(f"#     {line}")


def csv_row(workload, name, unit, samples, ratio, bar=("", "")):
    return [workload, name, unit, f"{statistics.median(samples):.4f}",
            f"{min(samples):.4f}", f"{max(samples):.4f}", len(samples),
            f"{ratio:.4f}" if ratio is not None else "", *bar]


def write_csv(path, results):
    bench = "programs" if results.base == BASE else results.base
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["bench", "workload", "allocator", "unit", "median", "min", "max", "rounds",
                      "ratio", "bar", "verdict"])
        for p in results.table:
            for what, unit in (("time", "ms"), ("memory", "KiB")):
                for name in results.names:
                    samples = results.samples.get((p.id, what, name))
                    if samples:
                        out.writerow([bench, *csv_row(f"{p.id}_{what}", name, unit, samples,
                                                      results.ratios(p, what, name))])
        for kinds, word in ((["real"], "real"), (["pattern"], "pattern"),
                            (["real", "pattern"], "all")):
            for what in ("time", "memory"):
                for name in results.names:
                    value = results.mean(kinds, what, name)
                    if value:
                        out.writerow([bench, *csv_row(f"mean_{word}_{what}", name,
                                                      f"of {results.base}", [value], value)])
        for key, (value, _) in bars_of(results).items():
            out.writerow([bench, *csv_row(f"bar_{key}", LOAM, "times", [value], None,
                                          (f"{BARS[key]:g}", verdict(key, value)))])


def arguments():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", dest="scale", action="store_const", const="--quick")
    p.add_argument("--tiny", dest="scale", action="store_const", const="--tiny")
    p.add_argument("--rounds", type=int)
    p.add_argument("--only", default="", help="parts of names or ids")
    p.add_argument("--kind", choices=["real", "pattern"])
    p.add_argument("--allocators", default="", help="the C library's is always among them")
    p.add_argument("--musl", action="store_true")
    p.add_argument("--csv")
    return p.parse_args()


def main():
    args = arguments()
    found = musl_allocators() if args.musl else allocators()
    table = musl_table(args.scale) if args.musl else program_table(args.scale)
    if args.allocators:
        wanted = [BASE, MUSL, *args.allocators.split(",")]
        found = {n: v for n, v in found.items() if n in wanted}
    only = [text for text in args.only.split(",") if text]
    table = [p for p in table if args.kind in (None, p.kind)
             and (not only or any(text in p.name or text in p.id for text in only))]
    if not table:
        sys.exit("bench_programs.py: no program of that name")
    rounds = args.rounds or (1 if args.scale else 5)
    results = measure(table, found, rounds)
    report(results, rounds)
    if args.csv:
        write_csv(args.csv, results)
    sys.exit(1 if any(name in (LOAM, HARDENED) for _, name, _ in results.failed) else 0)


if __name__ == "__main__":
    main()
