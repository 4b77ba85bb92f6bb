#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which functions of libloam.so programs come by: the list in port/preload/often.ld.

    tools/hot_order.py            prints those that are missing there, and those that nobody ran
    tools/hot_order.py --write    writes the list

Runs a few programs under callgrind with build/host/libloam.so; needs the patterns of bench/ built.
A function that is not in the list works as well, and costs up to 64 KiB of resident file pages.
"""
import collections
import glob
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
LIBRARY = os.path.join(ROOT, "build/host/libloam.so.0")
SCRIPT = os.path.join(ROOT, "port/preload/often.ld")
PATTERNS = ["pipeline", "cross_free", "server_churn", "temporaries", "aligned", "buffers",
            "many_threads", "linked", "big_blocks"]
SQL = ("create table t(a integer primary key, b text); with recursive c(x) as (select 1 union all "
       "select x + 1 from c where x < 3000) insert into t select x, hex(randomblob(20)) from c;")
PYTHON = ("import json, threading; [json.dumps({str(i): [i] * 3}) for i in range(1000)]\n"
          "t = threading.Thread(target=lambda: bytearray(300000)); t.start(); t.join()")


BEGIN, END = "/* the list */\n", "/* behind it */\n"

# By their objects or the kinds of their sections.
ELSEWHERE = {"pthread_atfork", "__pthread_atfork", "at_end", "profile_start", "loam_notes_runs"}


def programs():
    yield ["git", "-C", ROOT, "log", "--oneline", "-5"]
    yield ["sqlite3", ":memory:", SQL]
    yield ["python3", "-c", PYTHON]
    for name in PATTERNS:
        yield [os.path.join(ROOT, "build/host/bench/patterns", name), "--tiny"]


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


def functions_of_all():
    """Those that most programs run first."""
    count = collections.Counter()
    with tempfile.TemporaryDirectory() as place:
        env = dict(os.environ, LD_PRELOAD=LIBRARY, LOAM_CONF="valgrind=no")
        for i, program in enumerate(programs()):
            # What reads LOAM_CONF is taken out below: most processes have none.
            subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={place}/{i}.%p"]
                           + program, env=env, check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
        for path in glob.glob(os.path.join(place, "*")):
            count.update(functions_run(path))
    defined = subprocess.run(["nm", LIBRARY], check=True, capture_output=True, text=True).stdout
    defined = {line.split()[-1] for line in defined.splitlines() if re.search(" [tTwW] ", line)}
    return [name for name in sorted(count, key=lambda name: (-count[name], name))
            if name in defined - ELSEWHERE and not name.startswith("loam_text_") and
            name != "read_text"]


def main():
    with open(SCRIPT) as file:
        text = file.read()
    listed = set(re.findall(r"^\*\(\.text\.(\w[\w.]*)\)$", text, re.M))
    run = functions_of_all()
    for title, names in (("not listed", set(run) - listed),
                         ("listed, not run", listed - set(run) - ELSEWHERE)):
        print(f"{title}: {' '.join(sorted(names)) or 'none'}")
    if sys.argv[1:] == ["--write"]:
        head, rest = text.split(BEGIN)
        with open(SCRIPT, "w") as file:
            file.write(head + BEGIN + "".join(f"*(.text.{name})\n" for name in run) + END +
                       rest.split(END)[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
