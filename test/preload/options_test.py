#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""LOAM_CONF: its help is docs/options.md, wrong words are said, and what it promises happens.

    test/preload/options_test.py --write     makes the page in docs/ anew
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import ROOT, Tap, read  # noqa: E402

LIBRARY = os.path.join(ROOT, "build/host/libloam.so")
PAGE = "docs/options.md"

PROGRAM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static pthread_barrier_t all;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static int often;
static void *one(void *arg)
{
    for (int i = 0; i < often; i++)
        free(malloc(7000));
    pthread_mutex_lock(&turn); /* two that share a front may both find it empty, and fill it */
    *(char *)malloc(7000) = 1;
    pthread_mutex_unlock(&turn);
    pthread_barrier_wait(&all);
    pthread_barrier_wait(&all); /* nobody comes */
    return arg;
}
static void *brief(void *arg)
{
    void *volatile p = malloc(7000);
    pthread_barrier_wait(&all);
    free(p);
    return arg;
}
int main(int argc, char **argv)
{
    char *volatile p = malloc(100);
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "overrun") == 0)
        p[100] ^= 1;
    if (strcmp(what, "underrun") == 0)
        p[-1] ^= 1;
    if (strcmp(what, "leak") != 0)
        free(p);
    if (strcmp(what, "late") == 0) {
        p[5] = 77;
        for (int i = 0; i < 10000; i++)
            free(malloc(100));
    }
    if (strcmp(what, "zero") == 0) {
        memset(p = malloc(100), 0xff, 100);
        free(p);
        p = malloc(100);
        printf("%d\n", p[0] | p[99]);
    }
    if (strcmp(what, "large") == 0 && *(char *)calloc(1, 50) == 0)
        for (size_t size = (size_t)1 << 20; size < (size_t)32 << 20; size += (size_t)3 << 20)
            *(char *)malloc(size) = 1;
    if (strcmp(what, "huge") == 0)
        *(char *)malloc((size_t)40 << 20) = 1;
    if (strcmp(what, "info") == 0) {
        *(char *)malloc((size_t)40 << 20) = 1;
        *(char *)malloc(300000) = 1;
        fflush(stdout);
        malloc_info(0, stdout);
    }
    if (strcmp(what, "threads") == 0) {
        pthread_t t;
        pthread_barrier_init(&all, NULL, 9);
        *(char *)malloc(7000) = 1;
        for (int i = 0; i < 8; i++)
            pthread_create(&t, NULL, one, NULL);
        pthread_barrier_wait(&all);
    }
    if (strcmp(what, "many") == 0) { /* one to a slab, where each has slabs of its own */
        pthread_t t;
        pthread_barrier_init(&all, NULL, 81);
        often = argc > 2 ? atoi(argv[2]) : 0;
        for (int i = 0; i < 80; i++)
            pthread_create(&t, NULL, one, NULL);
        pthread_barrier_wait(&all);
    }
    if (strcmp(what, "ended") == 0) {
        pthread_t t[20];
        pthread_barrier_init(&all, NULL, 20);
        for (int i = 0; i < 20; i++)
            pthread_create(&t[i], NULL, brief, NULL);
        for (int i = 0; i < 20; i++)
            pthread_join(t[i], NULL);
    }
    if (strcmp(what, "heap") == 0) {
        int (*create)(void *, const char *, size_t) = dlsym(RTLD_DEFAULT,
                                                            "loam_process_heap_create");
        unsigned handle[2];
        create(handle, "\"a\\<&\n\x1b\xff", 1 << 20);
    }
    if (strcmp(what, "random") == 0)
        for (int i = 0; i < 8; i++)
            printf("%d ", (int)((char *)malloc(32) - (char *)malloc(32)));
    return 0;
}
"""


# The machine has a hundred processors.
WIDE = r"""
#define _GNU_SOURCE
#include <sched.h>
#include <string.h>
int sched_getaffinity(pid_t pid, size_t len, cpu_set_t *set)
{
    memset(set, 0, len);
    for (int i = 0; i < 100 && pid == 0; i++)
        CPU_SET(i, set);
    return 0;
}
"""


def run(program, words, conf, **more):
    environment = {**os.environ, "LD_PRELOAD": LIBRARY, "LOAM_CONF": conf, **more}
    done = subprocess.run([program, *words], env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def page(program):
    table = run(program, [], "help")[2]
    return ("# LOAM_CONF\n\nWhat a user may choose for a program that runs on `libloam.so`, in the "
            "environment:\n\n    LOAM_CONF=stats,guard LD_PRELOAD=libloam.so program\n\n"
            "Words are separated by commas; a switch alone means yes, as do `on` and `1`; `off` "
            "and `0` mean no, which numbers that may be 0\nand paths take, too (a file of that "
            "name is `./no`); numbers may end in K, M or G. A word that is not known is said on\n"
            "standard error, and the program goes on. A program that runs with more rights than "
            "its user (set-user-ID) reads none.\n\n"
            "This table is what `LOAM_CONF=help` prints; `test/preload/options_test.py --write` "
            "puts it here, and a test compares.\n\n```\n" + table + "```\n")


def off_and_on(tap, program, folder):
    """Each word takes what its row says it is, and `no` by each of its names."""
    rows = [re.split(r"  +", line.strip()) for line in page(program).split("\n")
            if re.match(r"  [a-z]", line)][1:]
    start = {row[0]: row[1] for row in rows if len(row) >= 5 or row[0] == "help"}
    paths = ("file", "profile", "trace")
    tap.check(len(rows) == 33 and all(name in [row[0] for row in rows] for name in paths),
              "the table has 33 rows, three of paths", [str(len(rows))])
    said = run(program, [], ",".join(f"{name}={value}" for name, value in start.items()))[2]
    tap.check(said == "", "each word may be given its default", said.splitlines())
    known = ("arenas", "profile_rate", "range", "trace_most")  # numbers that cannot be 0
    for off in ("no", "off", "0"):
        words = [row[0] for row in rows if row[0] not in known]
        done = subprocess.run([program, "leak"], cwd=folder, stderr=subprocess.PIPE, check=False,
                              env={**os.environ, "LD_PRELOAD": LIBRARY, "LOAM_CONF": "stats,leaks,"
                                   "guard,file=a,profile=b,trace=c," +
                                   ",".join(f"{word}={off}" for word in words)})
        tap.check((done.returncode, done.stderr, os.listdir(folder)) == (0, b"", ["program"]),
                  f"{off}: turns each word off that can be", [str(done), str(os.listdir(folder))])
    for on in ("yes", "on", "1"):
        code, _, errors = run(program, ["leak"], f"stats={on},json={on},owner={on}")
        tap.check(code == 0 and json.loads(errors)["blocks"] >= 1, f"{on}: turns a word on",
                  [errors])
    code, _, errors = run(program, [], "help=1")
    tap.check(code == 0 and errors == run(program, [], "help")[2], "help=1: the list", [errors])


def checks(tap, program, folder):
    tap.check(page(program) == read(ROOT, PAGE), f"{PAGE} is what LOAM_CONF=help prints",
              page(program).splitlines()[-30:])
    for conf in ("florble", "stats=maybe", "range=3", "range=12Q", "trim_ms=", "guard=perhaps",
                 "file=" + "x" * 300, "help=2", "arenas=0", "arenas=512", "arenas", "hardened=2",
                 "range=16M" + "0" * 300, "stats=2", "stats=", "arenas=no", "range=off",
                 "profile_rate=no", "trace_most=0", "limit=1", "huge_from=found", "file",
                 "memory=yes"):
        code, _, errors = run(program, [], conf)
        tap.check(code == 0 and "loam: LOAM_CONF: " in errors and errors.count("\n") >= 1,
                  f"{conf[:20]}: said, the program goes on", [f"{code}", errors])
    for word, conf, what in (("overrun", "guard", "magic"), ("underrun", "guard", "magic"),
                             ("late", "poison", "poison|write|filled"),
                             ("overrun", "hardened", "magic"), ("late", "hardened", "")):
        code, _, errors = run(program, [word], conf)
        good = code == -6 and errors.startswith("loam: ") and re.search(what, errors)
        tap.check(good, f"{conf}: {word}: stopped, one line", [f"{code}", errors])
        code, _, errors = run(program, [], conf)
        tap.check(code == 0 and errors == "", f"{conf}: a right program goes on", [errors])
    code, _, errors = run(program, ["overrun"], " stats , guard,, ")
    tap.check(code == -6 and "magic" in errors and "LOAM_CONF" not in errors,
              "blanks around words: these are words all the same", [errors])
    code, out, _ = run(program, ["zero"], "zero")
    tap.check((code, out) == (0, "0\n"), "zero: blocks read 0", [out])
    outs = {run(program, ["random"], f"random,seed={seed}")[1] for seed in (1, 2, 3)}
    tap.check(len(outs) > 1, "random: other seeds, other places", list(outs))
    for conf, slabs in (("", 9), ("arenas=511,", 9), ("arenas=4,", 5), ("arenas=1,", 2)):
        code, _, errors = run(program, ["threads"], conf + "stats,json")
        known = {c["size"]: c["slabs"] for c in json.loads(errors)["classes"]}
        tap.check((code, known[7168]) == (0, slabs),
                  f"{conf}nine threads: slabs of {slabs - (slabs < 9)} and shared ones", [errors])
    for words, all_own in ((["many"], False), (["many", "10000"], True)):
        code, _, errors = run(program, words, "stats,json")
        slabs = next(c["slabs"] for c in json.loads(errors)["classes"] if c["size"] == 7168)
        tap.check(code == 0 and (slabs >= 80 if all_own else 63 <= slabs < 70),
                  f"80 threads, {' '.join(words)}: who asks often has slabs of its own", [errors])
    code, _, errors = run(program, ["leak"], "leaks")
    tap.check(code == 0 and re.search(r"still out: 0x\w+, 100 bytes, from 0x", errors),
              "leaks: a block is told", [errors])
    code, _, errors = run(program, ["huge"], "leaks,stats")
    tap.check(code == 0 and re.search(r"still out: 0x\w+, 41943040 bytes, huge", errors) and
              re.search(r"^loam: 419\d+ bytes in \d+ blocks are out", errors, re.M),
              "leaks, stats: a huge block is told", [errors])
    code, _, errors = run(program, ["leak"], "stats=no,hardened=no,json,leaks=no,trim_ms=0")
    tap.check((code, errors) == (0, ""), "what is `no` is silent", [errors])
    code, _, errors = run(program, ["leak"], "stats,json")
    figures = json.loads(errors)
    tap.check(code == 0 and figures["blocks"] >= 1 and figures["used"] >= 100,
              "stats,json: figures at the end", [errors])
    classes = figures["classes"]
    tap.check(sum(c["used"] for c in classes) ==
              figures["blocks"] - figures["large_blocks"] - figures["huge_blocks"] and
              sum(c["used"] * c["size"] for c in classes) + figures["large"] == figures["used"] and
              sum(c["slabs"] for c in classes) == figures["slabs"] and
              all(c["used"] <= c["slots"] for c in classes),
              "stats,json: the classes add up to the sums", [errors])
    tap.check(figures["used"] <= figures["peak"] <= figures["ready"] <= figures["reserved"] and
              figures["free"] < figures["ready"] and figures["resident_peak"] > figures["used"] and
              sum(r["ready"] for r in figures["ranges"]) == figures["ready"],
              "stats,json: pages, peaks and ranges fit together", [errors])
    code, _, errors = run(program, ["heap"], "stats,json")
    names = [heap["name"] for heap in json.loads(errors)["heaps"]]
    tap.check((code, names) == (0, ['"a\\<&??\xff']), "stats,json: any name of a heap", [errors])
    code, _, errors = run(program, ["huge"], "stats,json")
    figures = json.loads(errors)
    tap.check(code == 0 and figures["huge"] == figures["huge_peak"] == 40 << 20 and
              figures["huge_blocks"] == 1, "stats,json: huge blocks and their peak", [errors])
    code, _, errors = run(program, ["large"], "stats")
    tap.check(code == 0 and
              re.search(r"^loam: kmalloc-\d+: \d+ bytes, \d+ out of \d+ slots", errors, re.M) and
              re.search(r"^loam: of these 1\d{8} bytes in 11 large blocks", errors, re.M),
              "stats: classes and large blocks", [errors])
    code, out, errors = run(program, ["info"], "")
    tree = xml.etree.ElementTree.fromstring(out)
    total = {t.get("type"): t for t in tree.iter("total")}
    tap.check(code == 0 and total["mmap"].get("size") == str(40 << 20) and
              total["mmap"].get("count") == "1" and int(total["large"].get("size")) >= 300000 and
              sum(int(c.get("used")) for c in tree.iter("class")) +
              int(total["large"].get("count")) == int(total["used"].get("count")),
              "malloc_info: XML with classes, large and huge blocks", [out])
    path = os.path.join(folder, "out.%p")
    code, _, errors = run(program, ["leak"], f"stats,file={path}")
    written = [name for name in os.listdir(folder) if re.fullmatch(r"out\.\d+", name)]
    tap.check(code == 0 and errors == "" and len(written) == 1 and
              "blocks are out" in read(folder, written[0]), "file=: figures go there", [errors])
    for conf in ("range=16M", "range=1G,huge_pages", "trim_ms=0", "hardened,range=64M"):
        code, _, errors = run(program, ["late" if "hard" not in conf else "x"], conf)
        tap.check(code == 0 and errors == "", f"{conf}: a program runs", [errors])
    for conf in ("range=16M", "range=40M", "range=17M,guard"):
        code, _, errors = run(program, ["large"], conf)
        tap.check(code == 0 and errors == "", f"{conf}: blocks larger than a range", [errors])


def slabs_of(program, word, **more):
    code, _, errors = run(program, [word], "stats,json", **more)
    return code, next(c["slabs"] for c in json.loads(errors)["classes"] if c["size"] == 7168)


def processors(tap, program):
    with tempfile.TemporaryDirectory(prefix="loam-wide-") as folder:
        wide = os.path.join(folder, "wide.so")
        subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", wide], input=WIDE,
                       text=True, check=True)
        for word, least, most in (("many", 80, 99), ("ended", 20, 21)):
            code, slabs = slabs_of(program, word, LD_PRELOAD=f"{wide} {LIBRARY}")
            tap.check(code == 0 and least <= slabs <= most,
                      f"a hundred processors, {word}: each thread has slabs of its own", [slabs])
    code, slabs = slabs_of(program, "ended")
    most = max(len(os.sched_getaffinity(0)), 4) + 1
    tap.check(code == 0 and slabs <= most,
              "threads that ended: as many as there are processors left slabs", [slabs])


def main():
    with tempfile.TemporaryDirectory(prefix="loam-options-") as folder:
        program = os.path.join(folder, "program")
        subprocess.run(["gcc", "-O0", "-fno-builtin", "-w", "-x", "c", "-", "-o", program,
                        "-lpthread"], input=PROGRAM, text=True, check=True)
        if sys.argv[1:] == ["--write"]:
            with open(os.path.join(ROOT, PAGE), "w", encoding="ascii") as file:
                file.write(page(program))
            return
        tap = Tap()
        off_and_on(tap, program, folder)
        checks(tap, program, folder)
        processors(tap, program)
        tap.done()


if __name__ == "__main__":
    main()
