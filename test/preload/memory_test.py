#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A process near to what it may have: what it does not use goes back to the system, by
LOAM_CONF=memory and in a group of processes of its own (cgroup 1 or 2, where this may make one).

    test/preload/memory_test.py --table      how much may live in 64 and 100 MiB, by every malloc
    test/preload/memory_test.py --table --allocators glibc,libloam --rounds 10
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile

for folder in ("../../tools", "../../bench"):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), folder))
import peers  # noqa: E402
from taplib import ROOT, Tap  # noqa: E402

LIBRARY = os.path.join(ROOT, "build/host/libloam.so")
GROUPS = "/sys/fs/cgroup"
NONE = "100000000"  # MiB

# A system in which the process is in a group whose files are in a folder. What it uses is its own.
SYSTEM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
static long (*real)(long, ...);
__attribute__((constructor)) static void begin(void)
{
    *(void **)&real = dlsym(RTLD_NEXT, "syscall");
}
static void count(const char *path)
{
    int file = real(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    real(SYS_write, file, ".", (size_t)1);
    real(SYS_close, file);
}
static void use(const char *path)
{
    char text[100] = {0};
    int statm = real(SYS_openat, AT_FDCWD, "/proc/self/statm", O_RDONLY, 0);
    real(SYS_read, statm, text, sizeof(text) - 1);
    real(SYS_close, statm);
    int file = real(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int len = snprintf(text, sizeof(text), "%ld\n", atol(strchr(text, ' ')) * 4096);
    real(SYS_write, file, text, (size_t)len);
    real(SYS_close, file);
}
long syscall(long number, ...)
{
    char path[500];
    long of[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        of[i] = va_arg(list, long);
    va_end(list);
    const char *name = number == SYS_openat ? (const char *)of[1] : "", *root = getenv("ROOT");
    if (root != NULL && (strstr(name, "/cgroup") != NULL || strstr(name, "/mountinfo") != NULL)) {
        snprintf(path, sizeof(path), "%s%s", root, name);
        if (strstr(name, "/self/cgroup") != NULL)
            count(getenv("LOOKS"));
        if (strstr(name, "memory.current") != NULL)
            use(path);
        of[1] = (long)path;
    }
    return real(number, of[0], of[1], of[2], of[3], of[4], of[5]);
}
"""

# churn KIND MIB TIMES [THREADS]: so many MiB of blocks are out, of which random ones are replaced
# until so many times as much was asked for. What is not the allocator's is mapped.
PROGRAM = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static char kind;
static size_t most, times;
static int wrong;
static long full; /* KiB in memory, at the end of a churn */
static uint64_t next(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s >> 8;
}
static size_t any(uint64_t *s)
{
    unsigned log2 = 4 + next(s) % (kind == 'a' ? 12 : 8); /* 16 bytes to 64 KiB, or to 4 KiB */
    if (kind == 'l')
        return 1 + next(s) % 200000;
    return ((size_t)1 << log2) + next(s) % ((size_t)1 << log2);
}
static long resident(void) /* KiB */
{
    long kib = 0;
    char line[200];
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    while (fgets(line, sizeof(line), file) != NULL)
        sscanf(line, "Rss: %ld", &kib);
    fclose(file);
    return kib;
}
static void *churn(void *seed)
{
    size_t cap = most / 16 + 1000, n = 0, live = 0, asked = 0;
    void *map = mmap(NULL, 16 * cap, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    unsigned char **p = map;
    size_t *size = (size_t *)map + cap;
    uint64_t s = 88172645463325252 + (uintptr_t)seed;
    while (asked < most * times) {
        size_t want = any(&s);
        while (live + want > most) {
            size_t i = next(&s) % n;
            wrong |= p[i][0] != (unsigned char)size[i];
            wrong |= p[i][size[i] - 1] != (unsigned char)size[i];
            errno = 77;
            free(p[i]);
            wrong |= errno != 77;
            live -= size[i];
            p[i] = p[--n];
            size[i] = size[n];
        }
        errno = 77;
        p[n] = malloc(want);
        wrong |= errno != 77;
        if (p[n] == NULL)
            _exit(5);
        memset(p[n], (int)want, want);
        size[n++] = want;
        live += want;
        asked += want;
    }
    full = resident();
    while (n > 0)
        free(p[--n]);
    munmap(map, 16 * cap);
    return NULL;
}
int main(int argc, char **argv)
{
    pthread_t of[16];
    unsigned threads = argc > 4 ? atoi(argv[4]) : 1;
    int first = dup(0);
    struct rusage used;
    close(first);
    kind = argv[1][0];
    most = (size_t)atoi(argv[2]) << 20;
    times = atoi(argv[3]);
    if (kind == 't') { /* nine of ten go, and what they leave */
        static void *p[20000];
        for (int i = 0; i < 20000; i++)
            memset(p[i] = malloc(1500), 1, 1500);
        for (int i = 0; i < 20000; i++)
            if (i % 10 != 0)
                free(p[i]);
        long before = resident();
        int did = malloc_trim(0);
        printf("%ld %ld %d\n", before, resident(), did);
        for (int i = 0; i < 20000; i += 10)
            wrong |= *((char *)p[i] + 1499) != 1;
        return wrong;
    }
    if (kind == 'c' || kind == 's') { /* limits that change; looked at again after a second */
        if (kind == 's') { /* a filter that lets all pass */
            struct sock_filter all = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
            struct sock_fprog filter = {1, &all};
            wrong |= prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0;
            wrong |= prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0;
        }
        kind = 'a';
        for (int i = 4; i < argc; i++) {
            malloc_trim(0); /* a group may refuse a limit below what it uses */
            FILE *file = fopen(getenv("LIMIT"), "w");
            fprintf(file, "%ld\n", atol(argv[i]) << 20);
            wrong |= fclose(file) != 0;
            sleep(i > 4 ? 2 : 0);
            churn(NULL);
            printf("%ld ", full >> 10);
        }
        return wrong;
    }
    if (kind == 'f') { /* a child of one that is near its limit, and has threads */
        kind = 'a';
        pthread_create(&of[0], NULL, churn, (void *)1);
        churn(NULL);
        for (int i = 0; i < 20; i++)
            if (fork() == 0) {
                times = 2;
                churn(NULL);
                _exit(wrong);
            }
        for (int status; wait(&status) > 0;)
            wrong |= status != 0;
        pthread_join(of[0], NULL);
        return wrong;
    }
    most /= threads;
    for (unsigned i = 1; i < threads; i++)
        pthread_create(&of[i], NULL, churn, (void *)(uintptr_t)i);
    churn(NULL);
    for (unsigned i = 1; i < threads; i++)
        pthread_join(of[i], NULL);
    wrong |= dup(0) != first;
    getrusage(RUSAGE_SELF, &used);
    printf("%ld %.2f\n", used.ru_maxrss, clock() / (double)CLOCKS_PER_SEC);
    return wrong;
}
"""


class Group:
    """A group of processes that may have so many bytes; path None: there can be none, and why."""

    def __init__(self, mib):
        self.path, self.why = None, "no cgroup has a memory controller here"
        for line in open("/proc/self/cgroup", encoding="ascii"):
            _, controllers, path = line.strip().split(":", 2)
            if "memory" in controllers.split(","):
                self.make(f"{GROUPS}/memory{path}", "memory.limit_in_bytes", mib)
            elif controllers == "" and os.path.exists(f"{GROUPS}/cgroup.controllers"):
                self.make(f"{GROUPS}{path}", "memory.max", mib)

    def make(self, parent, file, mib):
        path = f"{parent}/loam-test-{os.getpid()}"
        try:
            os.mkdir(path)
        except OSError as error:
            self.why = str(error)
            return
        try:
            limit = os.open(f"{path}/{file}", os.O_WRONLY)  # the system makes the files
            os.write(limit, str(mib << 20).encode())
            os.close(limit)
            self.path, self.file = path, file
        except OSError as error:
            self.why = str(error)
            os.rmdir(path)

    def enter(self):
        with open(f"{self.path}/cgroup.procs", "w", encoding="ascii") as procs:
            procs.write(str(os.getpid()))

    def end(self):
        while self.path is not None:
            try:
                os.rmdir(self.path)
                self.path = None
            except OSError:  # the last process is on its way
                pass


def run(words, conf="", group=None, library=LIBRARY, **more):
    environment = {**os.environ, "LD_PRELOAD": library, "LOAM_CONF": conf, **more}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False,
                          preexec_fn=group.enter if group is not None else None)
    return done.returncode, done.stdout.split(), done.stderr


def by_option(tap, program):
    for kind, mib, may, conf in (("a", 40, 46, ""), ("l", 40, 46, ""), ("a", 40, 46, ",range=16M"),
                                 ("l", 40, 46, ",range=32M"), ("a", 40, 46, ",poison"),
                                 ("a", 38, 46, ",hardened")):
        words = [program, kind, str(mib), "10"]
        code, out, _ = run(words, f"memory=0{conf}")
        far = int(out[0]) >> 10 if code == 0 else 0
        code, out, errors = run(words, f"memory={may}M{conf}")
        near = int(out[0]) >> 10 if out else 0
        tap.check(code == 0 and far > may + 2 and near <= may + 2,
                  f"memory={may}M{conf}: {kind}, {mib} MiB of blocks stay within it",
                  [f"{code}: {near} MiB, and {far} without", errors])
    for conf in ("memory=1", "memory=20M,hardened", "memory=20M,poison", "memory=20M,zero_free",
                 "memory=20M,guard", "memory=20M,owner", "memory=20M,arenas=1",
                 "memory=20M,range=32M", "memory=20M,limit=80M", "memory=20M,huge_pages",
                 "memory=20M,shift=12", "memory=20M,shift=14", "memory=20M,shift=0"):
        code, out, errors = run([program, "a", "30", "6", "3"], conf)
        tap.check(code == 0 and errors == "", f"{conf}: every byte stays", [f"{code}", errors])
    code, _, errors = run([program, "f", "16", "8"], "memory=24M")
    tap.check(code == 0, "forks near the limit", [f"{code}", errors])
    code, _, errors = run([program, "a", "1", "1"], "memory=much")
    tap.check(code == 0 and "memory: wrong value" in errors, "memory=much: said", [errors])
    for conf in ("", "shift=13", "shift=14", "shift=15"):
        code, out, errors = run([program, "t", "0", "0"], conf)
        tap.check(code == 0 and int(out[1]) < int(out[0]) - 4096 and out[2] == "1",
                  f"malloc_trim: pages between blocks that are out{conf and ': '}{conf}",
                  [f"{code}", *out, errors])


def by_change(tap, program, system, folder):
    """46 MiB are near, 1000 far; 300 are near, but the next look is long to come. The machine's
    memory alone is looked at once, and so it is where system calls are filtered from then on."""
    place = os.path.join(folder, "sys/fs/cgroup/a")
    counted = os.path.join(folder, "looks")
    mounted = "25 1 0:23 / /cgroup\\040there rw - cgroup2 group rw\n"
    for name, where, limits, kind, conf in (
            ("which ends lower, and goes up", place, ("1000", "46", "1000"), "c", ""),
            ("which changes near it", place, ("300", "46"), "c", "trim_ms=0"),
            ("which begins, and ends", place, (NONE, "46", NONE), "c", ""),
            ("beyond the machine's, filtered", place, (NONE, NONE), "s", ""),
            ("with a filter", place, ("1000", "46"), "s", ""),
            ("of another's", os.path.join(folder, "sys/fs/cgroup/b"), (NONE, NONE), "c", ""),
            ("mounted elsewhere", os.path.join(folder, "cgroup there/a"), ("1000", "46"), "c",
             "")):
        for path, text in (("proc/self/cgroup", "0::/a\n"), ("proc/self/mountinfo", mounted)):
            os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
            with open(os.path.join(folder, path), "w", encoding="ascii") as file:
                file.write(text)
        os.makedirs(where)
        code, out, errors = run([program, kind, "40", "10", *limits], conf, None,
                                f"{system} {LIBRARY}", ROOT=folder, LOOKS=counted,
                                LIMIT=f"{where}/memory.max")
        shutil.rmtree(where)
        looks = os.path.getsize(counted)
        os.remove(counted)
        tap.check((looks == 1) == ("46" not in limits),
                  f"a group's limit, {name}: looked for again?", [f"{looks} looks"])
        tap.check(code == 0 and [int(mib) > 48 for mib in out] == [mib != "46" for mib in limits],
                  f"a group's limit, {name}: {', '.join(limits)} MiB", [f"{code}", *out, errors])


def by_group(tap, program):
    group = Group(64)
    if group.path is None:
        tap.skip("a container of 64 MiB", group.why)
        return
    for kind, mib in (("a", 52), ("l", 54)):
        words = [program, kind, str(mib), "10"]
        ended = run(words, "memory=0", group)[0]
        code, out, errors = run(words, "", group)
        tap.check(code == 0 and ended == -9,
                  f"a container of 64 MiB: {mib} MiB of blocks ({kind}) live, which did not",
                  [f"{code}, and {ended} without", *out, errors])
    code, out, errors = run([program, "c", "52", "10", "200", "64"], "", group,
                            LIMIT=f"{group.path}/{group.file}")
    tap.check(code == 0, "a container whose limit goes from 200 MiB to 64: 52 MiB of blocks live",
              [f"{code}", *out, errors])
    group.end()


def table(program, allocators, rounds):
    """The most MiB that live; seconds of the processor at 60 percent, at 80, and at the most."""
    for limit in (64, 100):
        group = Group(limit)
        if group.path is None:
            sys.exit(f"no group: {group.why}")
        print(f"{limit} MiB" + "".join(f"{name:>22}" for name in allocators))
        for kind, name in (("a", "16 bytes to 64 KiB"), ("s", "16 bytes to 4 KiB"),
                           ("l", "1 to 200,000 bytes")):
            cells = []
            for library, conf in allocators.values():
                best, seconds = 0, {}
                for mib in range(limit * 6 // 10, limit):
                    code, out, _ = run([program, kind, str(mib), str(rounds)], conf, group, library)
                    if not out:  # it was ended, or got no memory; some change errno, and live
                        break
                    best, seconds[mib] = mib, out[1]
                at = (limit * 6 // 10, limit * 8 // 10, best)
                cells.append(f"{best:3} " + "/".join(seconds.get(mib, "-") for mib in at))
            print(f"  {name:20}" + "".join(f"{cell:>22}" for cell in cells), flush=True)
        group.end()


def main():
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--table", action="store_true")
    words.add_argument("--allocators", default="glibc,jemalloc,mimalloc,tcmalloc,without,libloam")
    words.add_argument("--rounds", type=int, default=20)
    words = words.parse_args()
    every = {"glibc": ("", ""), **{name: (path, "") for name, path in peers.found().items()},
             "without": (LIBRARY, "memory=0"), "libloam": (LIBRARY, "")}
    with tempfile.TemporaryDirectory(prefix="loam-memory-") as folder:
        source, program = os.path.join(folder, "churn.c"), os.path.join(folder, "churn")
        with open(source, "w", encoding="ascii") as file:
            file.write(PROGRAM)
        subprocess.run(["gcc", "-O1", "-w", "-pthread", source, "-o", program], check=True)
        system = os.path.join(folder, "system.so")
        subprocess.run(["gcc", "-O1", "-w", "-shared", "-fPIC", "-xc", "-", "-o", system],
                       input=SYSTEM, text=True, check=True)
        if words.table:
            table(program, {name: every[name] for name in words.allocators.split(",")},
                  words.rounds)
            return
        tap = Tap()
        by_option(tap, program)
        by_change(tap, program, system, os.path.join(folder, "root"))
        by_group(tap, program)
        tap.done()


if __name__ == "__main__":
    main()
