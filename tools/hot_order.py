#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which functions of libloam.so programs come by: the lists in port/preload/often.ld, of what runs
after the start, and port/preload/start.ld, of what runs at the start alone.

    tools/hot_order.py            prints those that are missing there, and those that nobody ran
    tools/hot_order.py --write    writes the lists

Runs a few programs under callgrind with build/host/libloam.so; needs the patterns of bench/ built.
A function that is in no list works as well, and costs up to 64 KiB of resident file pages.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
LIBRARY = os.path.join(ROOT, "build/host/libloam.so.0")
OFTEN, START = (os.path.join(ROOT, "port/preload", name) for name in ("often.ld", "start.ld"))
# Small processes first: what they run is to lie within 64 KiB.
SMALL = ["shared_lines passive", "many_threads", "linked", "strings", "busy_heap", "cross_free",
         "pipeline", "server_churn", "temporaries"]
LARGE = ["aligned", "buffers", "big_blocks"]
SQL = ("create table t(a integer primary key, b text); with recursive c(x) as (select 1 union all "
       "select x + 1 from c where x < 3000) insert into t select x, hex(randomblob(20)) from c;")
PYTHON = ("import json, threading; [json.dumps({str(i): [i] * 3}) for i in range(1000)]\n"
          "t = threading.Thread(target=lambda: bytearray(300000)); t.start(); t.join()")


BEGIN, END = "/* the list */\n", "/* behind it */\n"

# By their objects or the kinds of their sections.
ELSEWHERE = {"pthread_atfork", "__pthread_atfork", "at_end", "profile_start",
             "threads_expect_forks", "loam_notes_runs", "process_start"}


def pattern(words):
    name, *rest = words.split()
    return [os.path.join(ROOT, "build/host/bench/patterns", name), *rest, "--tiny"]


def programs():
    yield from map(pattern, SMALL)
    yield ["git", "-C", ROOT, "log", "--oneline", "-5"]
    yield ["sqlite3", ":memory:", SQL]
    yield ["python3", "-c", PYTHON]
    yield from map(pattern, LARGE)


def functions_run(path):
    """Those of the library in one file of callgrind's, which gives a name once and then its
    number."""
    names = {"ob": {}, "fn": {}}
    inside, seen = False, set()
    with open(path) as lines:
        for line in lines:
            found = re.match(r"c?(ob|fn)=\((\d+)\)\s*(.*)$", line)
            if not found:
                continue
            kind, number, name = found.groups()
            if name:
                names[kind][number] = name.strip()
            if line[0] == "c":
                continue
            if kind == "ob":
                inside = os.path.basename(names["ob"][number]) == os.path.basename(LIBRARY)
            elif inside:
                seen.add(names["fn"][number].split("'")[0])
    return seen


def functions_of(program):
    """Those that it runs at the start, and after it."""
    start, after = set(), set()
    env = dict(os.environ, LD_PRELOAD=LIBRARY, LOAM_CONF="valgrind=no")
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(["valgrind", "--tool=callgrind", "--dump-after=process_start",
                        f"--callgrind-out-file={place}/%p"] + program, env=env, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for path in glob.glob(os.path.join(place, "*")):
            (start if path.endswith(".1") else after).update(functions_run(path))
    return start, after


def functions_of_all():
    """Those that run after the start, of the smallest process first; those of the start alone."""
    defined = subprocess.run(["nm", LIBRARY], check=True, capture_output=True, text=True).stdout
    # What reads LOAM_CONF is taken out: most processes have none.
    ours = {line.split()[-1] for line in defined.splitlines() if re.search(" [tTwW] ", line)}
    ours = {name for name in ours - ELSEWHERE if not name.startswith("loam_text_")}
    often, once = [], set()
    for program in programs():
        start, after = functions_of(program)
        often += sorted((after & ours) - set(often))
        once |= start & ours - {"read_text"}
    return often, sorted(once - set(often))


def compare(path, run, write):
    """Prints how the list in a file differs from what was run, or writes it."""
    with open(path) as file:
        text = file.read()
    listed = set(re.findall(r"^\*\(\.text\.(\w[\w.]*)\)$", text, re.M))
    for title, names in (("not listed", set(run) - listed),
                         ("listed, not run", listed - set(run) - ELSEWHERE)):
        print(f"{os.path.basename(path)}: {title}: {' '.join(sorted(names)) or 'none'}")
    if write:
        head, rest = text.split(BEGIN)
        with open(path, "w") as file:
            file.write(head + BEGIN + "".join(f"*(.text.{name})\n" for name in run) + END +
                       rest.split(END)[1])


def main():
    for path, run in zip((OFTEN, START), functions_of_all()):
        compare(path, run, sys.argv[1:] == ["--write"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
