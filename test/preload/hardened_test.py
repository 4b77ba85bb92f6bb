#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What LOAM_CONF=hardened promises, by small programs; the line in a core dump; real programs that
go on. And the table of SECURITY.md: twelve wrong frees, what libloam and other mallocs do with each
(ours is judged, theirs only told).

    test/preload/hardened_test.py --table      prints that table alone
"""
import glob
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile

for folder in ("../../tools", "../../bench"):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), folder))
import peers  # noqa: E402
from taplib import ROOT, Tap  # noqa: E402

LIBRARY = os.path.join(ROOT, "build/host/libloam.so")
MATRIX = os.path.join(ROOT, "build/preload/hardened_free")

PROGRAM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>
static char *volatile p;
static char data[64];
static pthread_barrier_t told;
static int frees_inner;
typedef struct { unsigned slot, generation; } named_heap; /* loam_process_heap */
static int in_heap(size_t size, long at, int gone)
{
    named_heap heap;
    int (*create)(named_heap *, const char *, size_t) =
        dlsym(RTLD_DEFAULT, "loam_process_heap_create");
    void *(*alloc)(named_heap, size_t) = dlsym(RTLD_DEFAULT, "loam_process_heap_alloc");
    int (*destroy)(named_heap, void *) = dlsym(RTLD_DEFAULT, "loam_process_heap_destroy");
    if (create(&heap, "h", 1 << 20) != 0)
        return 1;
    p = alloc(heap, size);
    p[at] ^= 0x40;
    return gone ? destroy(heap, NULL) : 0;
}
static void *later(void *arg)
{
    pthread_barrier_wait(&told);
    free(p + (frees_inner ? 16 : 0));
    return arg;
}
static void elsewhere(size_t size, int inner)
{
    pthread_t thread;
    frees_inner = inner;
    pthread_barrier_init(&told, NULL, 2);
    pthread_create(&thread, NULL, later, NULL);
    p = malloc(size);
    if (!inner)
        free(p);
    pthread_barrier_wait(&told);
    pthread_join(thread, NULL);
}
static void *busy(void *arg)
{
    char *block[50];
    for (unsigned turn = 0;; turn++) {
        for (unsigned i = 0; i < 50; i++)
            memset(block[i] = malloc((turn + i * 13) % 900 + 1), 1, (turn + i * 13) % 900 + 1);
        for (unsigned i = 0; i < 50; i++)
            block[i] = realloc(block[i], (turn + i * 17) % 900 + 1);
        for (unsigned i = 0; i < 50; i++)
            free(block[i]);
    }
    return arg;
}
static int is(const char *word, const char *name)
{
    return strcmp(word, name) == 0;
}
static void wrong_free(const char *w)
{
    int local[16];
    size_t size = strstr(w, "large") ? 200000 : 64;
    if (strncmp(w, "double", 6) == 0) {
        free(p = malloc(size));
        free(p);
    } else if (strncmp(w, "inner", 5) == 0) {
        p = malloc(size);
        free(p + 16);
    } else if (strncmp(w, "misaligned", 10) == 0) {
        p = malloc(size);
        free(p + 3);
    } else if (is(w, "stack")) {
        p = (char *)&local[4];
        free(p);
    } else if (is(w, "data")) {
        p = data + 16;
        free(p);
    } else if (is(w, "mapping")) {
        p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        p += 4096;
        free(p);
    } else if (strncmp(w, "thread-double", 13) == 0) {
        elsewhere(size, 0);
    } else {
        elsewhere(size, 1);
    }
}
/* Does a child live that writes so much over a byte of a freed block? It reads 0 before. */
static int survives(size_t size, long at, int value)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        freopen("/dev/null", "w", stderr);
        p = memset(malloc(size), 0xff, size);
        free(p);
        for (size_t i = 0; i < size; i++)
            if (p[i] != 0)
                _exit(1);
        p[at] = (char)value;
        for (int i = 0; i < 4000; i++)
            free(malloc(size - (size_t)i % 2));
        _exit(0);
    }
    waitpid(pid, &status, 0);
    return status != SIGABRT;
}
int main(int argc, char **argv)
{
    const char *w = argv[1];
    size_t size = argc > 2 ? strtoul(argv[2], NULL, 10) : 100;
    long at = argc > 3 ? atol(argv[3]) : 0, sum = 0;
    if (is(w, "write")) { /* one byte somewhere, then free */
        p = malloc(size);
        p[at] ^= 0x40;
        free(p);
    } else if (is(w, "moved")) { /* the same, and it moves to another class */
        p = malloc(size);
        p[at] ^= 0x40;
        p = realloc(p, 3 * size);
    } else if (is(w, "kept")) { /* the same, and no free; threads that go on meanwhile */
        pthread_t thread;
        for (int i = argc > 4 ? atoi(argv[4]) : 0; i > 0; i--)
            pthread_create(&thread, NULL, busy, NULL);
        p = malloc(size);
        p[at] ^= 0x40;
        puts("written");
    } else if (is(w, "heap")) { /* the same in a named heap, which goes, or stays */
        if (in_heap(size, at, argc > 4) != 0)
            return 1;
        puts("written");
    } else if (is(w, "late")) { /* one byte of a freed block, then on */
        free(p = malloc(size));
        p[at] = 1;
        for (int i = 0; i < 20000; i++)
            free(malloc(size));
    } else if (is(w, "sweep")) { /* the same of many bytes, and of blocks that were read back */
        for (long i = 0; i < (long)size; i += 1 + (long)size / 17)
            sum += survives(size, i, 1) + survives(size, (long)size - 1 - i, 1);
        printf("%ld %ld\n", sum, survives(size, 0, 0));
    } else if (is(w, "grown")) { /* of 0 bytes, then of more and more */
        p = malloc(0);
        sum = (long)malloc_usable_size(p);
        for (size_t n = 1; n < size; memset(p, 1, n), n = n * 5 + 3)
            if ((p = realloc(n % 2 ? p : malloc(0), n)) == NULL)
                return 1;
        for (int i = 0; i < 2000; i++)
            free(i % 3 ? calloc(0, 8) : aligned_alloc(1u << i % 18, 0));
        free(p);
        printf("%ld\n", sum);
    } else if (is(w, "zero")) {
        memset(p = malloc(size), 0xff, size);
        free(p);
        for (size_t i = 0; i < size; i++)
            sum += p[i] != 0;
        printf("%ld\n", sum);
    } else if (is(w, "places")) {
        for (int i = 0; i < 16; i++) {
            p = malloc(size);
            printf("%lx ", (unsigned long)p & 0xffff);
        }
    } else {
        wrong_free(w);
    }
    return 0;
}
"""

WRONG = ["double-small", "double-large", "inner-small", "inner-large", "misaligned-small",
         "misaligned-large", "stack", "data", "mapping", "thread-double-small",
         "thread-double-large", "thread-inner-small"]

REAL = [
    ("python3", "/usr/bin/python3 -c \"import json, re; d = [{'k%d' % i: [i, str(i)]} for i in "
     "range(20000)]; print(len(json.dumps(d)), len(re.findall('1', json.dumps(d))))\""),
    ("gcc", "echo 'int f(int x) { return x * 7 % 5; }' | gcc -O2 -x c -S -o - - | md5sum"),
    ("git", "git init -q r && cd r && for i in 1 2 3; do seq $((i * 900)) >f$i; done && git add . "
     "&& git write-tree && git gc -q && git fsck"),
    ("sqlite3", "sqlite3 :memory: 'CREATE TABLE t(a); WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL "
     "SELECT x + 1 FROM n WHERE x < 30000) INSERT INTO t SELECT x * 7919 % 1003 FROM n; "
     "SELECT count(*), sum(a), count(DISTINCT a) FROM t'"),
    ("perl", "perl -e 'my %h; $h{$_ % 5000} .= $_ for 1 .. 60000; print scalar(keys %h), qq{ }, "
     "length(join q{,}, map { $h{$_} } sort keys %h), qq{\\n}'"),
    ("node", "node -e \"const o = {}; for (let i = 0; i < 60000; i++) o['k' + i % 5000] = "
     "[i, 's' + i]; const b = []; for (let i = 0; i < 300; i++) b.push(Buffer.alloc(100000, i)); "
     "console.log(JSON.stringify(o).length, b[299][5])\""),
    ("xz", "seq 60000 >n && xz -1 -T2 -k n && xz -dc n.xz | md5sum"),
]


def environment(library, conf):
    clean = {key: value for key, value in os.environ.items()
             if key not in ("LD_PRELOAD", "LOAM_CONF")}
    clean.update(LC_ALL="C", PYTHONHASHSEED="1", GIT_CONFIG_GLOBAL="/dev/null")
    if library:
        clean.update(LD_PRELOAD=library, LOAM_CONF=conf)
    return clean


def run(command, conf, library=LIBRARY, folder=None, core=False):
    def limit():
        most = resource.getrlimit(resource.RLIMIT_CORE)[1] if core else 0
        resource.setrlimit(resource.RLIMIT_CORE, (most, most if core else 0))
    done = subprocess.run(command, env=environment(library, conf), cwd=folder, timeout=120,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                          errors="replace", preexec_fn=limit)
    return done.returncode, done.stdout, done.stderr


def stopped(result, words):
    code, _, errors = result
    return (code == -6 and errors.startswith("loam: ") and errors.count("\n") == 1 and
            re.search(words, errors) is not None)


# Each way there is to look at a room: of a pair, brief, short, of two to four turns, longer.
SWEPT = (16, 32, 64, 100, 128, 240, 256, 300, 500, 640, 900, 1024, 1500, 5000)


def writes(tap, program):
    """One byte too far, or too late: a line; where a page nobody can touch lies, the system's."""
    for size, cache in ((24, "kmalloc-"), (100, "kmalloc-"), (4000, "kmalloc-"),
                        (20000, "kmalloc-"), (60000, "large"), (200001, "huge")):
        for at in (size, -1):
            result = run([program, "write", str(size), str(at)], "hardened")
            guarded = cache == "huge" and at == -1
            good = result[0] == -11 if guarded else stopped(result, f"S9 .*{cache}")
            tap.check(good, f"hardened: {size} bytes, one written at {at}: stopped", [str(result)])
        result = run([program, "write", str(size), str(size - 1)], "hardened")
        tap.check(result[0] == 0 and result[2] == "", f"hardened: {size} bytes, the last one "
                  "written: goes on", [str(result)])
        if cache == "huge":
            result = run([program, "write", str(size), str(size + 4096)], "hardened")
            tap.check(result[0] == -11, "hardened: huge, a page too far: faults", [str(result)])
        result = run([program, "late", str(size), str(size // 2)], "hardened")
        tap.check(stopped(result, f"S10 .*{cache}"),
                  f"hardened: {size} bytes, written after free: stopped", [str(result)])
    for size, at in ((24, 24), (24, -1), (100, 100), (300, -1), (1000, 1000), (3000, 3000)):
        result = run([program, "moved", str(size), str(at)], "hardened")
        tap.check(stopped(result, "S9 .*kmalloc-"), f"hardened: {size} bytes, one written at {at}, "
                  "moved by realloc: stopped", [str(result)])
    for size in SWEPT:
        result = run([program, "sweep", str(size)], "hardened")
        tap.check(result == (0, "0 1\n", ""), f"hardened: {size} bytes, wherever one is written "
                  "after free: stopped", [str(result)])
    for conf in ("hardened", "guard"):
        for word in ("write", "kept"):
            result = run([program, word, "0", "0"], conf)
            tap.check(stopped(result, "S9 .*after the block"),
                      f"{conf}: 0 bytes, one {word}: stopped", [str(result)])
        result = run([program, "grown", str(9 << 20)], conf)
        tap.check(result == (0, "0\n", ""), f"{conf}: 0 bytes, grown: goes on", [str(result)])
    for size in (24, 100, 4000, 20000, 60000):
        result = run([program, "zero", str(size)], "hardened")
        tap.check(result[:2] == (0, "0\n"), f"hardened: {size} bytes read 0 when freed",
                  [str(result)])


def kept(tap, program):
    """The same of a block that nobody frees, when the program ends."""
    for size in (24, 100, 4000, 20000, 60000, 200001):
        result = run([program, "kept", str(size), str(size)], "hardened")
        tap.check(stopped(result, r"S9 .*after the block.* (\w+-\w+|large|huge), "),
                  f"hardened: {size} bytes, one more written, never freed: stopped at the end",
                  [str(result)])
    for conf, at, code in (("guard", 100, -6), ("guard", -1, -6), ("guard", 99, 0),
                           ("guard,last_look=no", 100, 0), ("", 100, 0)):
        result = run([program, "kept", "100", str(at)], conf)
        tap.check(result[:2] == (code, "written\n") and (code == 0) == (result[2] == ""),
                  f"{conf or 'no mode'}: 100 bytes, written at {at}, never freed: the end is "
                  f"{code}, and what was printed is there", [str(result)])
    for words in (["heap", "100", "100"], ["heap", "100", "100", "gone"]):
        result = run([program, *words], "guard")
        tap.check(stopped(result, "S9 .*after the block, never freed") and
                  (result[1] == "") == ("gone" in words),
                  f"guard: {' '.join(words)}: stopped", [str(result)])
    for conf in ("guard", "hardened"):
        results = [run([program, "kept", "100", "99", "4"], conf) for _ in range(3)]
        tap.check(all(r == (0, "written\n", "") for r in results),
                  f"{conf}: threads that go on when the program ends: no false alarm",
                  [str(r) for r in results])


def places(tap, program):
    def seen(conf):
        return run([program, "places", "48"], conf)[1]
    tap.check(seen("hardened,seed=5") == seen("hardened,seed=5"),
              "hardened: the same seed, the same places")
    tap.check(len({seen("hardened") for _ in range(4)}) == 4,
              "hardened: without a seed other places each time")


def line_in_core(program, folder):
    """The line on standard error, and whether a core dump holds it beside; None: no dump is to be
    had here, nor a debugger."""
    with open("/proc/sys/kernel/core_pattern", encoding="ascii") as file:
        pattern = file.read().strip()
    code, _, errors = run([program, "double-small"], "", folder=folder, core=True)
    line = errors.strip().encode()
    dumps = glob.glob(os.path.join(folder, "*core*"))
    if code == -6 and not pattern.startswith(("|", "/")) and dumps:
        with open(dumps[0], "rb") as file:
            return line, line in file.read()
    if shutil.which("gdb") is None:
        return line, None
    done = subprocess.run(["gdb", "-q", "-batch", "-ex", "set startup-with-shell off", "-ex",
                           f"set environment LD_PRELOAD {LIBRARY}", "-ex", "run double-small",
                           "-ex", "print (char *)&loam_last_report", program],
                          env=environment(None, ""), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, timeout=120)
    return line, re.search(r'"loam: slab: double free: address ', done.stdout) is not None


def core_dump(tap, program, folder):
    line, found = line_in_core(program, folder)
    if found is None:
        print("# no core dump and no debugger here")
    tap.check(line.startswith(b"loam: slab: double free: address ") and found is not False,
              "a core dump holds the line", [line.decode()])


def real_programs(tap):
    for name, command in REAL:
        results = []
        for library in (None, LIBRARY):
            with tempfile.TemporaryDirectory(prefix="loam-hardened-") as folder:
                results.append(run(["bash", "-c", command], "hardened", library, folder))
        tap.check(results[0][0] == 0 and results[0] == results[1],
                  f"hardened: {name}: as with the C library's malloc", [str(r) for r in results])


def answers(program, library):
    """Of each wrong free: was the program stopped, by a line or a signal?"""
    return [run([program, word], "", library)[0] != 0 for word in WRONG]


def libraries():
    found = [("libloam", LIBRARY), ("glibc", None)]
    return found + list(peers.found().items())


def table(program):
    columns = [(name, answers(program, library)) for name, library in libraries()]
    lines = ["| wrong free | " + " | ".join(name for name, _ in columns) + " |",
             "|---|" + "---|" * len(columns)]
    for i, word in enumerate(WRONG):
        cells = ["stopped" if column[i] else "-" for _, column in columns]
        lines.append(f"| {word.replace('-', ', ')} | " + " | ".join(cells) + " |")
    sums = [f"{sum(column)} of {len(WRONG)}" for _, column in columns]
    return lines + ["| | " + " | ".join(sums) + " |"]


def main():
    with tempfile.TemporaryDirectory(prefix="loam-hardened-") as folder:
        program = os.path.join(folder, "program")
        subprocess.run(["gcc", "-O0", "-fno-builtin", "-w", "-x", "c", "-", "-o", program,
                        "-lpthread"], input=PROGRAM, text=True, check=True)
        if sys.argv[1:] == ["--table"]:
            print("\n".join(table(program)))
            return
        tap = Tap()
        writes(tap, program)
        kept(tap, program)
        places(tap, program)
        core_dump(tap, program, folder)
        for conf in ("hardened", "guard", "quarantine,owner"):
            result = run([MATRIX], conf)
            tap.check(result[0] == 0, f"{conf}: every wrong free of hardened_free is told",
                      (result[1] + result[2]).splitlines()[:20])
        result = run([os.path.join(ROOT, "build/preload/malloc_api")], "hardened")
        tap.check(result[0] == 0, "hardened: the words of malloc's standards",
                  [line for line in result[1].splitlines() if line[:2] != "ok"][:20])
        for word in WRONG:
            result = run([program, word], "")
            tap.check(stopped(result, "free"), f"{word}: one line, the end", [str(result)])
        real_programs(tap)
        for line in table(program):
            print("# " + line)
        tap.done()


if __name__ == "__main__":
    main()
