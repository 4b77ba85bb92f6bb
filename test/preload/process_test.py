#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""libloam.so as a whole process's memory: limits of the system and of LOAM_CONF, locked memory, a
library that comes late, programs linked statically, children, C++ handlers, and what a start costs.
"""
import os
import re
import resource
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import ROOT, Tap  # noqa: E402

BUILD = os.path.join(ROOT, "build/host")
LIBRARY = os.path.join(BUILD, "libloam.so")
MIB = 1 << 20

# Takes blocks of 100,000 bytes until there are none, then says how it stands; three times.
FILLS = r"""
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static char *block[100000];
static long kib(const char *what)
{
    char line[200];
    long value = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, what, strlen(what)) == 0)
            value = atol(line + strlen(what));
    if (file != NULL)
        fclose(file);
    return value;
}
int main(void)
{
    long before = kib("VmSize:");
    for (int round = 0; round < 3; round++) {
        int n = 0;
        errno = 0;
        while (n < 100000 && (block[n] = malloc(100000)) != NULL)
            memset(block[n++], n, 100000);
        int why = errno;
        char *huge = malloc((size_t)40 << 20);
        for (int i = 0; i < n; i++) {
            if (block[i][5] != (char)(i + 1))
                return 2;
            free(block[i]);
        }
        for (int i = 0; i < 10; i++)
            free(malloc((size_t)1 << i));
        printf("%d %d %d\n", n, why == ENOMEM, huge != NULL);
    }
    printf("%ld\n", kib("VmSize:") - before);
    return 0;
}
"""

# All that may be promised goes to small blocks, which are freed, but for one in a thousand of the
# last; then others want it: a huge block, a thread, the system itself; and small blocks again.
PROMISES = r"""
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
static char *block[1000000];
static int fill(size_t size)
{
    int n = 0;
    while (n < 1000000 && (block[n] = malloc(size)) != NULL)
        block[n++][size - 1] = 1;
    return n;
}
static void *nothing(void *arg)
{
    return malloc(1000) != NULL ? arg : NULL;
}
int main(int argc, char **argv)
{
    static const size_t sizes[] = {200, 5000, 70000, 3000000};
    int first[4], wrong = 0;
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 4; i++) {
            int n = fill(sizes[i]);
            if (round == 0)
                first[i] = n;
            wrong += n < first[i] / 10 * 8 || (n == 1000000);
            while (n > 0)
                free(block[--n]);
            char *huge = malloc((size_t)40 << 20);
            wrong += huge == NULL ? 100 : 0;
            free(huge);
            malloc_trim(0);
            pthread_t thread;
            int failed = pthread_create(&thread, NULL, nothing, argv);
            if (failed == 0)
                pthread_join(thread, NULL);
            void *map = mmap(NULL, (size_t)40 << 20, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            wrong += (failed != 0) * 10000 + (map == MAP_FAILED ? 1000000 : 0);
            if (map != MAP_FAILED)
                munmap(map, (size_t)40 << 20);
            char *zero = calloc(1, 5000000);
            for (int k = 0; zero != NULL && k < 5000000; k++)
                wrong += zero[k] != 0;
            memset(zero, 1, 5000000);
            free(zero);
        }
    long promised = 0, kib = 0;
    char line[1000];
    FILE *file = fopen("/proc/self/smaps", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        (void)sscanf(line, "Size: %ld", &kib);
        if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " ac") != NULL)
            promised += kib;
    }
    printf("%d %ld\n", wrong, promised >> 10);
    return 0;
}
"""

LOCKS = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
int main(void)
{
    char line[200];
    long kib = 0;
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
        puts("refused");
        return 0;
    }
    char *p[100];
    for (int i = 0; i < 100; i++)
        memset(p[i] = malloc(60000), i, 60000);
    for (int i = 0; i < 100; i++)
        free(p[i]);
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    printf("%ld\n", kib);
    return 0;
}
"""

# Loads the library when there are no addresses left for it, and asks it again and again.
CRAMPED = r"""
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
int main(int argc, char **argv)
{
    long pages = 0, got = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%ld", &pages) != 1)
        return 1;
    struct rlimit limit = {(rlim_t)pages * 4096 + (2 << 20), (rlim_t)pages * 4096 + (2 << 20)};
    setrlimit(RLIMIT_AS, &limit);
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return 2;
    void *(*take)(size_t) = (void *(*)(size_t))dlsym(library, "malloc");
    for (int i = 0; i < 100; i++)
        got += take(100) != NULL;
    printf("%ld\n", got);
    return 0;
}
"""

# Three blocks that the system sees as one mapping; no mapping is left when the middle one goes.
MAPPINGS = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
static long kib(void)
{
    char line[200];
    long value = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0)
            value = atol(line + 6);
    fclose(file);
    return value;
}
int main(void)
{
    size_t size = (size_t)40 << 20;
    char *p[3], *pages;
    (void)kib();
    for (int i = 0; i < 3; i++)
        memset(p[i] = malloc(size), 1, size);
    long before = kib();
    for (int i = 0;; i++) {
        pages = mmap(NULL, 4096, i % 2 ? PROT_NONE : PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages == MAP_FAILED)
            break;
        if (i == 200000)
            return 7; /* as many as one likes */
    }
    free(p[1]);
    long after = kib();
    free(p[0]);
    free(p[2]);
    char *q = malloc(100);
    printf("%d %d\n", before - after > 30000, q != NULL);
    return 0;
}
"""

SPAWNS = r"""
#define _GNU_SOURCE
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
static volatile int done;
static void *churn(void *arg)
{
    while (!done)
        for (int i = 1; i < 3000; i += 7)
            free(malloc(i));
    return arg;
}
int main(void)
{
    pthread_t thread[3];
    char *argv[] = {"true", NULL};
    int failed = 0;
    for (int i = 0; i < 3; i++)
        pthread_create(&thread[i], NULL, churn, NULL);
    for (int i = 0; i < 30; i++) {
        pid_t pid;
        int status = 1;
        if (i % 2 == 0 && posix_spawnp(&pid, "true", NULL, NULL, argv, environ) != 0)
            failed++;
        if (i % 2 == 1 && (pid = vfork()) == 0) {
            execvp("true", argv);
            _exit(127);
        }
        waitpid(pid, &status, 0);
        failed += status != 0;
        free(malloc(100));
    }
    done = 1;
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    printf("%d\n", failed);
    return 0;
}
"""

# Children of a process whose threads are inside of malloc end as a program does.
EXITS = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile int done;
static void *churn(void *arg)
{
    char *block[64] = {NULL};
    for (unsigned i = 0, s = 1; !done; i++) {
        s = s * 1103515245U + 12345U;
        free(block[i % 64]);
        block[i % 64] = malloc((s >> 8) % (i % 4 == 0 ? 200000 : 600) + 1);
    }
    return arg;
}
int main(void)
{
    pthread_t thread[3];
    int failed = 0;
    for (int i = 0; i < 3; i++)
        pthread_create(&thread[i], NULL, churn, NULL);
    for (int i = 0; i < 120; i++) {
        int status = 1;
        pid_t pid = fork();
        if (pid == 0) {
            free(malloc(100));
            exit(0);
        }
        waitpid(pid, &status, 0);
        failed += status != 0;
    }
    done = 1;
    for (int i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    printf("%d\n", failed);
    return 0;
}
"""

HANDLERS = r"""
#include <cstdio>
#include <exception>
#include <new>
struct alignas(256) wide { char c[256]; };
static int asked;
static void throws() { if (++asked == 3) throw std::bad_alloc(); }
int main()
{
    volatile std::size_t many = (std::size_t)1 << 40;
    std::set_new_handler(throws);
    asked = 0;
    void *p = operator new(many * 1024, std::nothrow);
    std::printf("%d %d\n", p == nullptr, asked);
    asked = 0;
    p = operator new[](many * 1024, std::nothrow);
    std::printf("%d %d\n", p == nullptr, asked);
    asked = 0;
    p = new (std::nothrow) wide[many];
    std::printf("%d %d\n", p == nullptr, asked);
    asked = 0;
    try {
        p = operator new(many * 1024);
    } catch (const std::bad_alloc &) {
        std::printf("thrown %d\n", asked);
    }
    std::set_new_handler(nullptr);
    p = operator new(many * 1024, std::nothrow);
    std::printf("%d %d\n", p == nullptr, std::uncaught_exceptions());
}
"""

STATIC = r"""
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void *work(void *arg)
{
    for (int i = 0; i < 3000; i++)
        free(malloc((size_t)i * 7));
    return arg;
}
int main(void)
{
    pthread_t thread[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&thread[i], NULL, work, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    char *copy = strdup("ours"), *xml;
    size_t len;
    FILE *stream = open_memstream(&xml, &len);
    malloc_info(0, stream);
    fclose(stream);
    puts(strstr(xml, "<malloc") != NULL ? copy : "another's");
    return 0;
}
"""

LATE = r"""
import ctypes
late = ctypes.CDLL({library!r})
late.malloc.restype = ctypes.c_void_p
late.free.argtypes = [ctypes.c_void_p]
late.malloc_usable_size.argtypes = [ctypes.c_void_p]
blocks = [late.malloc(100 + i) for i in range(3000)]
print(all(blocks), min(late.malloc_usable_size(p) - 100 - i for i, p in enumerate(blocks)) >= 0)
for p in blocks:
    late.free(p)
"""


def environment(conf=None, library=LIBRARY):
    env = {key: value for key, value in os.environ.items()
           if key not in ("LD_PRELOAD", "LOAM_CONF")}
    if library:
        env["LD_PRELOAD"] = library
    if conf:
        env["LOAM_CONF"] = conf
    return env


def run(command, conf=None, library=LIBRARY, limits=()):
    def lower():
        for what, value in limits:
            resource.setrlimit(what, (value, value))
    return subprocess.run(command, env=environment(conf, library), preexec_fn=lower, text=True,
                          capture_output=True, timeout=300, check=False)


def build(folder, name, text, *flags, compiler="gcc"):
    source = os.path.join(folder, name + (".cc" if compiler == "g++" else ".c"))
    program = os.path.join(folder, name)
    with open(source, "w", encoding="ascii") as file:
        file.write(text)
    done = subprocess.run([compiler, "-O1", "-fno-builtin", source, *flags, "-o", program],
                          capture_output=True, text=True, check=False)
    return program, done


def fills(tap, program, name, most, **how):
    """Up to `most` bytes: refused, then as many again; no further range of addresses is taken."""
    done = run([program], **how)
    lines = [[int(word) for word in line.split()] for line in done.stdout.splitlines()]
    good = done.returncode == 0 and len(lines) == 4 and done.stderr == ""
    if good:
        rounds, (grown,) = lines[:3], lines[3]
        first = rounds[0][0]
        good = (most // 3 < first * 100000 < most and all(r[1:] == [1, 0] for r in rounds) and
                min(r[0] for r in rounds) > first * 8 // 10 and grown < 512 * 1024)
    tap.check(good, name, [done.stdout, done.stderr, f"exit code {done.returncode}"])


# How many MiB of so large blocks there are.
LARGE = r"""
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    size_t size = (size_t)atol(argv[argc - 1]), sum = 0;
    for (char *block; (block = malloc(size)) != NULL; sum += size)
        block[size - 1] = 1;
    printf("%zu\n", sum >> 20);
    return 0;
}
"""


# A program limits its addresses after its first block: then it has so many, malloc and all others
# together, and a block mapped where reserved addresses were is freed as any other.
FEWER = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
static void *nothing(void *arg) { return arg; }
static size_t fill(size_t size)
{
    void **last = NULL, **p;
    size_t sum = 0;
    for (; sum < (size_t)1 << 30 && (p = malloc(size)) != NULL; sum += size) {
        memset(p, 1, size);
        *p = last;
        last = p;
    }
    for (; last != NULL; last = p) {
        p = *last;
        free(last);
    }
    return sum >> 20;
}
int main(int argc, char **argv)
{
    struct rlimit limit = {(rlim_t)300 << 20, RLIM_INFINITY}, was;
    struct rlimit wrong = {(rlim_t)300 << 20, (rlim_t)200 << 20};
    char *kept = strdup("kept");
    pthread_t thread;
    if (setrlimit(RLIMIT_AS, &wrong) == 0 || errno != EINVAL)
        puts("a limit above the most");
    if (argc > 2) /* nobody else sees that, but who wants addresses and gets none */
        syscall(SYS_prlimit64, 0, RLIMIT_AS, &limit, NULL);
    else if (argc > 1 ? prlimit(0, RLIMIT_AS, &limit, &was) : setrlimit(RLIMIT_AS, &limit))
        perror("limit");
    printf("%zu\n", argc > 2 ? fill(40 << 20) : 240);
    if (pthread_create(&thread, NULL, nothing, NULL) != 0 || pthread_join(thread, NULL) != 0)
        puts("no thread");
    void *map = mmap(NULL, 100 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        puts("no addresses");
    munmap(map, 100 << 20);
    for (int i = 0; i < 2; i++)
        printf("%zu %zu %zu\n", fill(1000), fill(100000), fill(20 << 20));
    puts(kept);
    free(kept);
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_AS, &limit);
    printf("%zu\n", fill(50 << 20));
    return 0;
}
"""

# The C library comes first among what is loaded: the library's own calls find none behind it.
NONE_BEHIND = r"""
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
int main(int argc, char **argv)
{
    static const char *const names[] = {"setrlimit", "setrlimit64", "prlimit", "prlimit64"};
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD);
    struct rlimit limit = {1 << 20, 1 << 20};
    for (int i = 0; library != NULL && i < 4; i++) {
        void *call = dlsym(library, names[i]);
        errno = 0;
        int done = i < 2 ? ((int (*)(int, void *))call)(RLIMIT_AS, &limit)
                         : ((int (*)(int, int, void *, void *))call)(0, RLIMIT_AS, &limit, NULL);
        printf("%s %d %d\n", names[i], done, errno == ENOSYS);
    }
    return argc != 2;
}
"""


def fewer(tap, folder):
    program, _ = build(folder, "fewer", FEWER, "-pthread")
    static, _ = build(folder, "fewer_static", FEWER, os.path.join(BUILD, "libloam.a"), "-pthread")
    direct = ("the", "system")
    for conf, more in (("", ()), ("", ("prlimit",)), ("hardened", ()), ("huge_from=0", ()),
                       ("", direct), ("hardened", direct), ("libloam.a", direct)):
        done = run([program, *more], conf=conf) if conf != "libloam.a" else \
            run([static, *more], library=None)
        lines = done.stdout.splitlines()
        sums = [int(word) for line in lines[:3] for word in line.split() if word.isdigit()]
        tap.check((done.returncode, done.stderr, lines[3:]) == (0, "", ["kept", "1050"]) and
                  len(sums) == 7 and min(sums) >= 110 and max(sums) < 300,
                  f"RLIMIT_AS set in the middle: {conf or 'default'} {' '.join(more)}",
                  [done.stdout, done.stderr, str(done.returncode)])
    program, _ = build(folder, "none_behind", NONE_BEHIND, "-Wl,--no-as-needed", "-lc", LIBRARY,
                       f"-Wl,-rpath,{BUILD}")
    done = run([program, LIBRARY], library=None)
    tap.check(done.stdout == "setrlimit -1 1\nsetrlimit64 -1 1\nprlimit -1 1\nprlimit64 -1 1\n",
              "setrlimit, prlimit: no other one is behind the library's: ENOSYS",
              [done.stdout, done.stderr, str(done.returncode)])


def large(tap, folder):
    """Ranges take a quarter of the addresses each, and a block half of a range is the only one in
    it: large ones have to find what ranges leave. So do those that leave half of what they take,
    and those between guard pages, which have more room than they need where there is enough."""
    program, _ = build(folder, "large", LARGE)
    for size, least, conf in ((30 * MIB, 120, ""), (5 * MIB, 160, ""), (MIB, 170, ""),
                              (100000, 150, ""), (70000, 120, ""), (40000, 130, ""),
                              (33000, 110, ""), (1000, 170, ""), (40000, 115, "hardened"),
                              (4500000, 130, "hardened"), (17900000, 110, "hardened")):
        done = run([program, str(size)], conf, limits=[(resource.RLIMIT_AS, 200 * MIB)])
        tap.check(done.returncode == 0 and int(done.stdout) >= least,
                  f"ulimit -v: of 200 MiB, {least} in blocks of {size} bytes: {conf or 'default'}",
                  [done.stdout, done.stderr])


def limits(tap, folder):
    program, _ = build(folder, "fills", FILLS)
    fills(tap, program, "limit=64M: so much and no more; freed, as much again", 64 * MIB,
          conf="limit=64M")
    fills(tap, program, "RLIMIT_DATA: the same", 64 * MIB,
          limits=[(resource.RLIMIT_DATA, 64 * MIB)])
    cramped, _ = build(folder, "cramped", CRAMPED, "-ldl")
    done = subprocess.run([cramped, LIBRARY], env=environment("florble", None), text=True,
                          capture_output=True, check=False)
    tap.check((done.returncode, done.stdout, done.stderr.count("\n")) == (0, "0\n", 1),
              "no address is left: NULL each time, and what is wrong is said once",
              [str(done.returncode), done.stdout, done.stderr])
    fills(tap, program, "ulimit -v: the same", 256 * MIB, limits=[(resource.RLIMIT_AS, 256 * MIB)])
    for conf in ("", "hardened"):
        done = run(["bash", "-c", "for i in {1..2000}; do :; done; echo $i"], conf=conf,
                   limits=[(resource.RLIMIT_AS, 20 * MIB)])
        tap.check((done.returncode, done.stdout, done.stderr) == (0, "2000\n", ""),
                  f"ulimit -v: 20 MiB are enough for a shell, {conf or 'default'}",
                  [str(done.returncode), done.stdout, done.stderr])
    fewer(tap, folder)
    program, _ = build(folder, "promises", PROMISES, "-pthread")
    for name, how in (("RLIMIT_DATA", {"limits": [(resource.RLIMIT_DATA, 100 * MIB)]}),
                      ("RLIMIT_DATA, hardened", {"limits": [(resource.RLIMIT_DATA, 140 * MIB)],
                                                 "conf": "hardened"}),
                      ("limit", {"conf": "limit=100M"})):
        done = run([program], **how)
        tap.check(done.returncode == 0 and re.fullmatch(r"0 [0-9]{1,2}\n", done.stdout),
                  f"{name}: what was freed is promised to others", [done.stdout, done.stderr])
    done = run(["cat", "/proc/self/maps"], limits=[(resource.RLIMIT_AS, 1024 * MIB)])
    spans = [tuple(int(x, 16) for x in re.match(r"(\w+)-(\w+) ---p", line).groups())
             for line in done.stdout.splitlines() if " ---p 00000000 00:00" in line]
    tap.check(spans and max(b - a for a, b in spans) <= 256 * MIB,
              "ulimit -v: a quarter of the addresses at most is reserved", done.stdout.splitlines())


def reserved(tap):
    """Linux: a mapping with the flag `ac` counts as promised memory, also where overcommit is
    off (mode 2): the range must not, until it is made ready."""
    done = run(["cat", "/proc/self/smaps"])
    wide, counted = 0, []
    for part in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", done.stdout):
        span = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", part)
        size = int(span[2], 16) - int(span[1], 16)
        flags = re.search(r"VmFlags: (.*)", part)
        if size > 1 << 30:
            wide += 1
            if flags and (" ac" in flags[1] or span[3][:2] != "--"):
                counted.append(part)
    if wide == 0 and "VmFlags" not in done.stdout:
        tap.skip("what is reserved is no promised memory", "no smaps")
    else:
        tap.check(wide >= 1 and not counted, "what is reserved is no promised memory",
                  [f"{wide} wide mappings", *counted])


def locked(tap, folder):
    program, _ = build(folder, "locks", LOCKS)
    done = run([program])
    if done.stdout.strip() == "refused":
        tap.skip("mlockall: of 16 GiB reserved, what is in use is locked", "not allowed here")
        return
    kib = int(done.stdout) if done.stdout.strip().isdigit() else -1
    tap.check(0 < kib < 40 * 1024, "mlockall: of 16 GiB reserved, what is in use is locked",
              [done.stdout, done.stderr])

# A library's constructor, the first of all, asks for handlers of forks; they allocate.
ATFORK = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void *block[3];
static void before(void)
{
    static const size_t size[3] = {100, 50000, 64 << 20};
    for (int i = 0; i < 3; i++)
        memset(block[i] = malloc(size[i]), i, 100);
    fclose(fopen("/dev/null", "w"));
}
static void after(void)
{
    for (int i = 0; i < 3; i++)
        free(block[i]);
}
__attribute__((constructor(101))) static void begin(void)
{
    pthread_atfork(before, after, after);
}
"""

# A library with a getrandom of its own, which finds the C library's when it is asked for the first
# time, as libfaketime does: for a name that is not there the loader asks for a block.
GETRANDOM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>
static pthread_once_t once = PTHREAD_ONCE_INIT;
static ssize_t (*real)(void *, size_t, unsigned);
static void find(void)
{
    dlsym(RTLD_NEXT, "a_name_that_is_not_there");
    real = (ssize_t (*)(void *, size_t, unsigned))dlsym(RTLD_NEXT, "getrandom");
}
ssize_t getrandom(void *to, size_t len, unsigned flags)
{
    pthread_once(&once, find);
    return real(to, len, flags);
}
#ifdef __x86_64__
long syscall(long number, ...)
{
    pthread_once(&once, find);
    return -1;
}
#endif
__attribute__((constructor(101))) static void begin(void)
{
    alarm(20);
    pthread_once(&once, find);
}
"""

FORKS = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static void *busy(void *arg)
{
    for (;;)
        free(malloc(3000));
    return arg;
}
int main(void)
{
    pthread_t thread;
    int good = 0, status;
    alarm(20);
    pthread_create(&thread, NULL, busy, NULL);
    for (int i = 0; i < 30; i++) {
        pid_t child = fork();
        if (child == 0)
            exit((free(malloc(100)), 7));
        good += waitpid(child, &status, 0) == child && status == 7 << 8;
    }
    printf("%d\n", good);
    return 0;
}
"""


def forks(tap, folder):
    library, made = build(folder, "libatfork.so", ATFORK, "-shared", "-fPIC", "-pthread")
    program, _ = build(folder, "forks", FORKS, "-Wl,--no-as-needed", library,
                       f"-Wl,-rpath,{folder}", "-pthread")
    for conf in ("", "hardened"):
        done = run([program], conf)
        tap.check((done.returncode, done.stdout, done.stderr) == (0, "30\n", ""),
                  f"handlers of forks that were there first allocate: {conf or 'default'}",
                  [done.stdout, done.stderr, made.stderr, str(done.returncode)])

# A program that has pthread_once itself asks for handlers of forks before that works: so do
# programs of clang's thread sanitizer.
EARLY = r"""
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static int works;
int pthread_once(pthread_once_t *once, void (*fn)(void))
{
    if (!works)
        _exit(3);
    if (*once == PTHREAD_ONCE_INIT) {
        *once = 2;
        fn();
    }
    return 0;
}
static void after(void)
{
}
static void early(void)
{
    pthread_atfork(NULL, after, after);
    works = 1;
}
__attribute__((section(".preinit_array"), used)) static void (*first)(void) = early;
int main(void)
{
    int status;
    free(malloc(100));
    pid_t child = fork();
    if (child == 0)
        exit((free(malloc(100)), 7));
    return waitpid(child, &status, 0) == child && status == 7 << 8 ? 0 : 2;
}
"""


def early(tap, folder):
    program, made = build(folder, "early", EARLY, "-rdynamic", "-pthread")
    done = run([program])
    tap.check((done.returncode, done.stdout, done.stderr) == (0, "", ""),
              "handlers of forks are asked for before pthread_once works",
              [done.stdout, done.stderr, made.stderr, str(done.returncode)])


def seed(tap, folder):
    library, made = build(folder, "librandom.so", GETRANDOM, "-shared", "-fPIC", "-pthread")
    for conf in ("", "random", "hardened"):
        done = run(["cat", "/dev/null"], conf, f"{LIBRARY}:{library}")
        tap.check((done.returncode, done.stdout, done.stderr) == (0, "", ""),
                  f"a getrandom that allocates before the first block: {conf or 'default'}",
                  [done.stdout, done.stderr, made.stderr, str(done.returncode)])


# A long block of which two pages are used, time and again: memory for these.
SPARSE = r"""
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
    size_t size = (size_t)15 << 20;
    char line[200];
    int zeros = 1, kib = 0;
    for (int i = 0; i < 20; i++) {
        char *p = malloc(size);
        zeros &= p[size / 2] == 0 && p[0] == 0;
        p[0] = p[size / 2] = 1;
        free(p);
    }
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmHWM: %d", &kib) == 1)
            break;
    printf("%d %d\n", zeros, kib >> 10);
    return 0;
}
"""


def sparse(tap, folder):
    program, _ = build(folder, "sparse", SPARSE)
    for conf in ("hardened", "guard_pages,zero"):
        done = run([program], conf)
        zeros, mib = (int(word) for word in done.stdout.split())
        tap.check(zeros == 1 and mib < 10, f"15 MiB of which little is used: {conf}",
                  [done.stdout, done.stderr])


def others(tap, folder):
    program, _ = build(folder, "spawns", SPAWNS, "-pthread")
    done = run([program])
    tap.check(done.stdout == "0\n" and done.returncode == 0, "posix_spawn, vfork beside threads",
              [done.stdout, done.stderr])
    program, _ = build(folder, "exits", EXITS, "-pthread")
    for conf in ("hardened", "guard,poison,owner"):
        done = run([program], conf)
        tap.check((done.returncode, done.stdout, done.stderr) == (0, "0\n", ""),
                  f"{conf}: children of a process with threads end as others do",
                  [done.stdout, done.stderr])
    program, _ = build(folder, "mappings", MAPPINGS)
    done = run([program])
    tap.check(done.returncode == 7 or done.stdout == "1 1\n",
              "no mapping is left: a huge block's memory goes all the same",
              [done.stdout, done.stderr, str(done.returncode)])
    done = run(["/usr/bin/python3", "-c", LATE.format(library=LIBRARY)], library=None)
    tap.check(done.stdout == "True True\n", "dlopen: into a program that runs",
              [done.stdout, done.stderr])
    program, made = build(folder, "static", STATIC, "-static", f"-L{BUILD}", "-l:libloam.a",
                          "-pthread")
    tap.check(made.returncode == 0 and made.stderr == "", "libloam.a: links into a static program",
              made.stderr.splitlines())
    done = run([program], library=None)
    tap.check(done.stdout == "ours\n", "libloam.a: the program runs", [done.stdout, done.stderr])
    program, made = build(folder, "handlers", HANDLERS, "-std=c++17", "-O0", compiler="g++")
    done = run([program])
    tap.check(done.stdout == "1 3\n1 3\n1 3\nthrown 3\n1 0\n",
              "operator new: what a new handler throws passes through no nothrow",
              [done.stdout, done.stderr, *made.stderr.splitlines()])


# Pages that a shell and then `true` touch more with the library than without, loader and all.
START_PAGES = 110


def start(tap):
    def faults(library):
        least = None
        for _ in range(5):
            pid = os.posix_spawnp("sh", ["sh", "-c", "exec true"], environment(None, library))
            _, status, used = os.wait4(pid, 0)
            if status == 0:
                least = min(used.ru_minflt, least or used.ru_minflt)
        return least
    ours, theirs = faults(LIBRARY), faults(None)
    print(f"# true: {ours} page faults, with the C library's malloc {theirs}")
    tap.check(ours is not None and theirs is not None and ours - theirs <= START_PAGES,
              f"true: no more than {START_PAGES} pages are touched for the library")


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="loam-process-") as folder:
        limits(tap, folder)
        large(tap, folder)
        reserved(tap)
        locked(tap, folder)
        forks(tap, folder)
        early(tap, folder)
        seed(tap, folder)
        sparse(tap, folder)
        others(tap, folder)
        start(tap)
    tap.done()


main()
