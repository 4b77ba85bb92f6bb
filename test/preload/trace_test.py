#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""LOAM_CONF=trace: the file tells every event once, in an order in which it can have happened."""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
from taplib import Tap, run  # noqa: E402
from trace_sums import ALLOC, FREE, MOVE, RESIZE, events_of, sums_of  # noqa: E402

LIBRARY = os.path.join(ROOT, "build/host/libloam.so")

PROGRAM = r"""
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static void *shared[64];
static void *work(void *arg)
{
    unsigned r = (unsigned)(size_t)arg * 7919 + 1;
    for (int i = 0; i < 4000; i++) {
        r = r * 1664525 + 1013904223;
        void *p = malloc(1 + (r >> 8) % 3000);
        free(__atomic_exchange_n(&shared[r >> 26], p, __ATOMIC_ACQ_REL));
    }
    return arg;
}
int main(int argc, char **argv)
{
    pthread_t t[40]; /* more than there are fronts */
    int threads = argc > 1 ? atoi(argv[1]) : 0;
    char *p = malloc(1000);
    p = realloc(p, 990);
    p = realloc(p, 5000);
    p = realloc(p, 40000000);
    free(p);
    free(calloc(10, 10));
    free(aligned_alloc(256, 1000));
    for (long i = 0; i < threads; i++)
        pthread_create(&t[i], NULL, work, (void *)i);
    for (long i = 0; i < threads; i++)
        pthread_join(t[i], NULL);
    if (argc > 2 && fork() == 0) {
        free(malloc(77777));
        exit(0);
    }
    wait(NULL);
    return 0;
}
"""


def start(program, words, conf):
    environment = {**os.environ, "LD_PRELOAD": LIBRARY, "LOAM_CONF": conf}
    done = subprocess.run([program, *words], env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def load(path):
    with open(path, "rb") as file:
        return events_of(file.read())


def order_faults(events):
    """No address is given out twice, or freed while it is free."""
    out, faults = set(), []
    for event in events:
        if event.kind == ALLOC and event.a in out:
            faults.append(f"{event}: is out")
        if event.kind in (FREE, RESIZE, MOVE) and event.a not in out:
            faults.append(f"{event}: is not out")
        if event.kind == ALLOC:
            out.add(event.a)
        if event.kind == FREE:
            out.discard(event.a)
    return faults


def checks(tap, program, folder):
    path = os.path.join(folder, "one")
    code, out = start(program, [], f"trace={path}")
    events, lost = load(path)
    tap.check(code == 0 and out == "", "trace: the program goes on, and says nothing", [out])
    first = next(i for i, e in enumerate(events) if e.kind == ALLOC and e.b == 1000)
    told = [(e.kind, e.b) for e in events[first:]]
    kinds = [kind for kind, _ in told[:12]]
    tap.check(kinds == [ALLOC, RESIZE, ALLOC, MOVE, FREE, ALLOC, MOVE, FREE, FREE, ALLOC, FREE,
                        ALLOC] and
              [b for kind, b in told if kind == ALLOC][:5] == [1000, 5000, 40000000, 100, 1000]
              and told[1] == (RESIZE, 990), "trace: what a program does, in order", [str(told)])
    tap.check(len({e.thread for e in events}) == 1 == len(lost) and
              {e.thread for e in events} == {e.process for e in events},
              "trace: its thread is the process's first")

    path = os.path.join(folder, "many")
    code, out = start(program, ["40"], f"trace={path}")
    events, lost = load(path)
    allocs = sum(e.kind == ALLOC for e in events)
    tap.check(code == 0 and allocs >= 40 * 4000 and not any(lost.values()),
              "trace: 40 threads, more than fronts: nothing lost", [str(allocs), str(lost)])
    tap.none(order_faults(events)[:5], "trace: 40 threads: no address is out twice")
    by_thread = sorted(next(iter(sums_of(events).values())).threads.values())[-41:]
    tap.check(len(by_thread) == 41 and by_thread[1] >= 4000, "trace: each thread's events are its",
              [str(by_thread)])
    code, out = run([os.path.join(ROOT, "tools/trace_sums.py"), path])
    tap.check(code == 0 and f"{allocs} alloc, " in out and ", 0 lost" in out, "trace_sums: sums",
              [out])

    code, out = run(["bash", "-c", f"set -o pipefail; {ROOT}/tools/trace_sums.py --events {path} | "
                     "head -n 1; exit ${PIPESTATUS[0]}"])
    tap.check(out.count("\n") == 1 and code in (0, 141), "trace_sums: a reader that has enough",
              [str(code), out])

    path = os.path.join(folder, "most")
    start(program, ["4"], f"trace={path},trace_most=64K")
    events, lost = load(path)
    size = os.path.getsize(path)
    tap.check(size <= 65536 + 32 and sum(lost.values()) + len(events) >= 4 * 4000,
              "trace_most: no more bytes, the rest is counted", [str(size), str(lost)])

    for name in ("both", "both.%p"):
        start(program, ["0", "fork"], f"trace={os.path.join(folder, name)}")
    events, _ = load(os.path.join(folder, "both"))
    child = [e for e in events if e.kind == ALLOC and e.b == 77777]
    tap.check(len({e.process for e in events}) == 2 and len(child) == 1 and
              child[0].process == child[0].thread, "trace: a child goes on in the same file",
              [str(child)])
    files = [name for name in os.listdir(folder) if name.startswith("both.")]
    tap.check(len(files) == 2, "trace=...%p: a file for each process", files)
    with open(os.path.join(folder, "bad"), "wb") as file:
        file.write(b"loamevts" + b"\1" * 56)
    code, out = run([os.path.join(ROOT, "tools/trace_sums.py"), os.path.join(folder, "bad")])
    tap.check(code == 1 and "another format" in out, "trace_sums: what is no trace: a clear line",
              [out])
    code, out = start(program, [], "trace=/none/of/these")
    tap.check(code == 0, "trace: a path that cannot be: the program goes on", [out])


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="loam-trace-") as folder:
        program = os.path.join(folder, "program")
        subprocess.run(["gcc", "-O1", "-fno-builtin", "-w", "-x", "c", "-", "-o", program,
                        "-lpthread"], input=PROGRAM, text=True, check=True)
        checks(tap, program, folder)
    tap.done()


if __name__ == "__main__":
    main()
