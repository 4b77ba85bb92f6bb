#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Charts and tables of what libloam.so takes beside other mallocs: from build/bench/programs.csv,
and objects.csv and insn.csv where they are, to bench.md and bench/*.svg in a folder.

    bench/bench_charts.py [--from build/bench] [--to docs]

The pictures are gnuplot's; without it only the tables are written.
"""
import argparse
import csv
import os
import platform
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench_programs import BARS, BASE, HARDENED, LOAM, program_table, programs  # noqa: E402
import peers  # noqa: E402

ORDER = [BASE, LOAM, HARDENED, *peers.NAMES]
# Told apart by those who see few colours, too.
COLOURS = {BASE: "#7f7f7f", LOAM: "#0072b2", HARDENED: "#8ecae6", "jemalloc": "#e69f00",
           "mimalloc": "#009e73", "tcmalloc": "#cc79a7"}
BAR_TEXT = {
    "time_mean": "processor time, geometric mean over all programs, of glibc's",
    "time_mean_over_best_peer": "the same, of the best peer's",
    "memory_mean": "peak memory, geometric mean over all programs, of glibc's",
    "time_slowest_over_best_peer": "the slowest program beside the best of the others",
    "time_hardened_over_default": "processor time, hardened, of the default's",
}
SECTIONS = [("real", "Real programs"), ("pattern", "Patterns")]
WHATS = [("time", "Processor time", "ms"), ("memory", "Peak memory", "MiB")]


def rows_of(path):
    """(workload, allocator) -> row."""
    with open(path, newline="", encoding="utf-8") as file:
        return {(row["workload"], row["allocator"]): row for row in csv.DictReader(file)}


def number(rows, workload, allocator, column):
    text = rows.get((workload, allocator), {}).get(column, "")
    return float(text) if text else None


def names_of(rows):
    return [name for name in ORDER if any(allocator == name for _, allocator in rows)]


def groups_of(rows, kind, what):
    """(title, workload) of the mean and of all programs of a kind that were measured."""
    titles = {"real": "geometric mean", "pattern": "geometric mean"}
    groups = [(titles[kind], f"mean_{kind}_{what}")]
    groups += [(p.name, f"{p.id}_{what}") for p in program_table() if p.kind == kind]
    return [(title, w) for title, w in groups if (w, BASE) in rows]


# ---- pictures ----

HEAD = """set terminal svg size {width},{height} enhanced font 'Helvetica,Arial,sans-serif,13' \\
    background '#ffffff'
set output '{path}'
set label "{title}" at screen 0.5,{title_at} center font ',16'
set xlabel "{label}"
set border 1 lc '#555555'
set tics nomirror textcolor '#222222'
set grid xtics lc '#dddddd' lt 1
set key at screen 0.53,{key_at} center top horizontal maxrows 1 samplen 1.5
set lmargin {left}
set tmargin 6
set rmargin 6
"""


def head(width, height, **words):
    """The start of a picture's script; its title and its key stand so many dots below the top."""
    return HEAD.format(width=width, height=height, title_at=f"screen {1 - 24 / height:.4f}",
                       key_at=f"screen {1 - 46 / height:.4f}", **words)


def quoted(text):
    return text.replace('"', "'").replace("_", "\\\\_")


def gnuplot(script):
    done = subprocess.run(["gnuplot"], input=script, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit("bench_charts.py: gnuplot: " + done.stderr)


def bar_lines(name, place, groups, names, most):
    """gnuplot's boxes of one malloc, and a number where a bar is longer than the picture."""
    boxes, labels = [], []
    height = 0.8 / len(names)
    for g, (_, values) in enumerate(groups):
        value = values.get(name)
        if value is None:
            continue
        top = g - 0.4 + place * height
        end = min(value, most)
        boxes.append(f"{end / 2} {top + height / 2} 0 {end} {top} {top + height * 0.9}")
        if value > most:
            labels.append(f'set label "{value:.1f}" at {most * 1.005},{top + height * 0.48} '
                          f"left font ',9' textcolor '#222222'")
    return boxes, labels


def bar_chart(path, title, label, groups, names, most):
    """Bars to the right, one group a program, one colour a malloc, glibc's as the line at 1.

    groups: (title, {name: times glibc's})
    """
    blocks, plots, labels = [], [], []
    for place, name in enumerate(names):
        boxes, more = bar_lines(name, place, groups, names, most)
        labels += more
        key = f"$bars{place}"
        blocks.append(f"{key} << END\n" + "\n".join(boxes or ["NaN NaN NaN NaN NaN NaN"]) + "\nEND")
        plots.append(f"{key} using 1:2:3:4:5:6 with boxxyerror fs solid noborder "
                     f"lc '{COLOURS[name]}' title '{name}'")
    tics = ", ".join(f'"{quoted(text)}" {g}' for g, (text, _) in enumerate(groups))
    height = 180 + len(groups) * (14 + 8 * len(names))
    gnuplot("\n".join([
        head(width=960, height=height, path=path, title=title, label=label, left=34),
        f"set xrange [0:{most}]", f"set yrange [{len(groups) - 0.4}:-0.6]",
        f"set ytics ({tics}) scale 0", "set xtics 0.25 format '%.2f'",
        f"set arrow from 1,{len(groups) - 0.4} to 1,-0.6 nohead lw 2 lc '{COLOURS[BASE]}' front",
        f"set label '{BASE} = 1' at 1,-0.78 center font ',11' textcolor '#444444'",
        "set object rectangle from graph 0,first -0.5 to graph 1,first 0.5 fc '#f3f3f3' "
        "fs solid noborder behind",
        *labels, *blocks, "plot " + ", \\\n    ".join(plots), ""]))


def program_charts(rows, folder):
    """Four pictures: real programs and patterns, time and memory."""
    names = [name for name in names_of(rows) if name != BASE]
    for kind, title in SECTIONS:
        for what, text, _ in WHATS:
            groups = [(name, {n: number(rows, w, n, "ratio") for n in names})
                      for name, w in groups_of(rows, kind, what)]
            if groups:
                bar_chart(f"{folder}/{kind}-{what}.svg",
                          f"{title}: {text.lower()} beside glibc's",
                          f"times glibc's {text.lower()}, median of the rounds (less is better)",
                          groups, names, 2.0 if what == "time" else 3.0)


OBJECT_NAMES = {"malloc": BASE, "libloam": LOAM, HARDENED: HARDENED,
                **{name: name for name in peers.NAMES}}


def size_of(workload):
    """pair_64k -> 65536."""
    digits, letter = re.fullmatch(r"[a-z]+_(\d+)([km]?)", workload).groups()
    return int(digits) << {"": 0, "k": 10, "m": 20}[letter]


def pair_chart(rows, folder):
    """Lines: one pair of malloc and free, by the block's size."""
    blocks, plots = [], []
    workloads = sorted({w for w, _ in rows if w.startswith("pair_")}, key=size_of)
    for place, (column, name) in enumerate(OBJECT_NAMES.items()):
        points = [f"{size_of(w)} {number(rows, w, column, 'median')}" for w in workloads
                  if (w, column) in rows]
        if points:
            blocks.append(f"$line{place} << END\n" + "\n".join(points) + "\nEND")
            plots.append(f"$line{place} using 1:2 with linespoints lw {3 if name == LOAM else 2} "
                         f"pt 7 ps 0.5 lc '{COLOURS[name]}' title '{name}'")
    unit = next(iter(rows.values()))["unit"]
    gnuplot("\n".join([
        head(width=960, height=500, path=f"{folder}/pairs.svg", left=11,
                    title="One malloc and free, by size", label="bytes of the block"),
        "set border 3", f'set ylabel "{quoted(unit)}, median of the rounds (less is better)"',
        "set logscale x 2", "set logscale y 10", "set grid ytics lc '#dddddd' lt 1",
        "set xrange [12:1400000]", "set xtics ('16' 16, '64' 64, '256' 256, '1 KiB' 1024, "
        "'4 KiB' 4096, '16 KiB' 16384, '64 KiB' 65536, '256 KiB' 262144, '1 MiB' 1048576)",
        *blocks, "plot " + ", \\\n    ".join(plots), ""]))


# ---- text ----

def first_line(path, pattern):
    try:
        with open(path, encoding="utf-8") as file:
            found = re.search(pattern, file.read(), re.M)
    except OSError:
        found = None
    return found.group(1).strip() if found else "unknown"


def output_of(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              cwd=programs.ROOT)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def machine():
    cpu = first_line("/proc/cpuinfo", r"^model name\s*:\s*(.*)$")
    memory = first_line("/proc/meminfo", r"^MemTotal:\s*(\d+)")
    gib = f"{int(memory) / 2**20:.0f} GiB" if memory.isdigit() else "unknown"
    system = first_line("/etc/os-release", r'^PRETTY_NAME="?([^"\n]*)')
    return (f"{cpu}, {os.cpu_count()} processors, {gib} of RAM; Linux {platform.release()}, "
            f"{system}; {output_of('gcc', '--version').splitlines()[0]}")


def versions(names):
    paths = {**peers.newest({BASE: "libc.so.6"}), **peers.found()}
    found = {name: peers.version(path) for name, path in paths.items() if name in names}
    return ", ".join(f"{name} {version}" for name, version in found.items() if version)


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def ratio_cells(rows, workload, names):
    """The ratios to glibc's; the least one, hardened apart, in bold."""
    values = {name: number(rows, workload, name, "ratio") for name in names if name != BASE}
    least = min([v for name, v in values.items() if v is not None and name != HARDENED] + [1.0])
    return ["-" if v is None else f"**{v:.2f}**" if v == least and name != HARDENED else f"{v:.2f}"
            for name, v in values.items()]


def program_tables(rows, pictures):
    names = names_of(rows)
    text = []
    for kind, title in SECTIONS:
        for what, said, unit in WHATS:
            groups = groups_of(rows, kind, what)
            if not groups:
                continue
            scale = 1024 if unit == "MiB" else 1
            body = []
            for name, workload in groups:
                own = number(rows, workload, BASE, "median")
                body.append([name, "" if workload.startswith("mean_") else f"{own / scale:.0f}",
                             *ratio_cells(rows, workload, names)])
            text += [f"## {title}: {said.lower()}", ""]
            if pictures:
                text += [f"![{title}: {said.lower()} beside glibc's](bench/{kind}-{what}.svg)", ""]
            text += [table([title.lower(), f"glibc, {unit}", *names[1:]], body), ""]
    return text


def call_bars(object_rows, insn_rows):
    """The bars on single calls."""
    body = []
    pair = insn_rows.get(("object_pair_64", LOAM))
    if pair:
        body.append(["instructions of a 64-byte malloc and its free",
                     f"{float(pair['median']):.1f}", pair["bar"], pair["verdict"]])
    for workload, size in (("remote_64", "64 bytes"), ("remote_1k", "1 KiB"),
                           ("remote_16k", "16 KiB")):
        ours = number(object_rows, workload, LOAM, "median")
        others = [number(object_rows, workload, c, "median") for c in ("malloc", *peers.NAMES)]
        others = [value for value in others if value]
        if ours and others:
            body.append([f"another thread frees, {size}: time, of the best other's",
                         f"{ours / min(others):.2f}", "1.00",
                         object_rows[workload, LOAM]["verdict"]])
    return body


def bar_table(rows, object_rows, insn_rows):
    body = []
    for key, said in BAR_TEXT.items():
        row = rows.get((f"bar_{key}", LOAM))
        if row:
            body.append([said, f"{float(row['median']):.2f}", f"{BARS[key]:.2f}", row["verdict"]])
    body += call_bars(object_rows, insn_rows)
    for word, said in (("real", "real programs"), ("pattern", "patterns")):
        for what, of in (("time", "processor time"), ("memory", "peak memory")):
            value = number(rows, f"mean_{word}_{what}", LOAM, "ratio")
            if value:
                body.append([f"{of}, {said} alone, of glibc's", f"{value:.2f}", "", ""])
    return table(["libloam", "measured", "at most", ""], body)


def call_table(rows, part=""):
    """One line a workload whose name has this part."""
    columns = [c for c in OBJECT_NAMES if any(a == c for _, a in rows)]
    body = []
    for workload in dict.fromkeys(w for w, _ in rows if part in w):
        values = [number(rows, workload, c, "median") for c in columns]
        if any(v is not None for v in values):
            unit = rows[workload, columns[0]]["unit"]
            body.append([workload, *("-" if v is None else f"{v:.1f}" for v in values), unit])
    return table(["row", *(OBJECT_NAMES[c] for c in columns), "unit"], body)


def page(args, program_rows, object_rows, insn_rows, pictures):
    when = time.strftime("%d %B %Y", time.localtime(
        os.path.getmtime(os.path.join(args.source, "programs.csv"))))
    commit = output_of("git", "rev-parse", "--short", "HEAD") or "unknown"
    rounds = max(int(row["rounds"]) for row in program_rows.values())
    text = [
        "# libloam beside other mallocs", "",
        "Written by `make bench-report` from what `make bench` measured; "
        "[numbers.md](numbers.md) says how, and what each row means.", "",
        f"{when.lstrip('0')}, commit {commit}. {machine()}. "
        f"{versions(names_of(program_rows))}. {rounds} "
        f"round{'s' if rounds > 1 else ''}, interleaved.", "",
        "## Bars", "", bar_table(program_rows, object_rows, insn_rows), "",
        "Ratios are medians of the ratios within each round, to the C library's malloc in that "
        "round. Processor time is user and system time of the whole tree of processes, peak memory "
        "that of its largest process. In bold: the least of a row, libloam-hardened apart.", "",
        *program_tables(program_rows, pictures)]
    if object_rows:
        text += ["## Single calls", ""]
        if pictures:
            text += ["![One malloc and free, by size](bench/pairs.svg)", ""]
        text += ["glibc is told to keep its memory here.", "", call_table(object_rows), ""]
    if insn_rows:
        text += ["## Single calls: instructions", "", "Inside malloc and free, a pair of calls; "
                 "exact.", "", call_table(insn_rows, "object_"), ""]
    return "\n".join(text)


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--from", dest="source", default=os.path.join(programs.ROOT, "build/bench"))
    p.add_argument("--to", dest="target", default=os.path.join(programs.ROOT, "docs"))
    args = p.parse_args()
    paths = [os.path.join(args.source, name) for name in ("programs.csv", "objects.csv",
                                                            "insn.csv")]
    if not os.path.exists(paths[0]):
        sys.exit(f"bench_charts.py: no {paths[0]}: `make bench-programs` writes it")
    program_rows = rows_of(paths[0])
    object_rows, insn_rows = (rows_of(path) if os.path.exists(path) else {} for path in paths[1:])
    folder = os.path.join(args.target, "bench")
    os.makedirs(folder, exist_ok=True)
    pictures = shutil.which("gnuplot") is not None
    if pictures:
        program_charts(program_rows, folder)
        if object_rows:
            pair_chart(object_rows, folder)
    with open(os.path.join(args.target, "bench.md"), "w", encoding="utf-8") as file:
        file.write(page(args, program_rows, object_rows, insn_rows, pictures))


if __name__ == "__main__":
    main()
