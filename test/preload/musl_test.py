#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Programs on musl, whose malloc is libloam.so's or libloam.a's: preloaded, linked, static, and
static at any address. What the C library does with malloc, threads and forks, what is told and
refused; and what is not there says so."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import ROOT, Tap, run as command  # noqa: E402

FOLDER = os.path.join(ROOT, "build/musl")
LIBRARY = os.path.join(FOLDER, "libloam.so")
ARCHIVE = os.path.join(FOLDER, "libloam.a")
LINKED = ["-L" + FOLDER, "-l:libloam.so.0", "-Wl,-rpath," + FOLDER]
CC = ["musl-gcc", "-O1", "-g", "-Wall", "-fno-builtin"]

PROGRAM = r"""
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
enum { THREADS = 8, ROUNDS = 10, BLOCKS = 200, FORKS = 20 };
void *_Znwm(size_t size);
void *_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow);
void _ZdlPv(void *p);
#pragma weak _Znwm
#pragma weak _ZnwmRKSt9nothrow_t
#pragma weak _ZdlPv
static int told;
static void want(int good, const char *what)
{
    if (good)
        return;
    printf("not so: %s\n", what);
    told = 1;
}
/* Blocks that the C library makes are the program's to free, and the other way round. */
static void libc(void)
{
    char *text = NULL, *line = NULL, *name = strdup("a name");
    size_t len = 0, room = 0;
    FILE *out = open_memstream(&text, &len);
    for (int i = 0; i < 10000; i++)
        fprintf(out, "%d\n", i);
    fclose(out);
    FILE *in = fmemopen(text, len, "r");
    int lines = 0;
    while (getline(&line, &room, in) > 0)
        lines++;
    fclose(in);
    want(lines == 10000 && malloc_usable_size(line) >= room, "getline");
    for (int i = 0; i < 100; i++) {
        DIR *folder = opendir("/proc/self");
        while (readdir(folder) != NULL)
            ;
        closedir(folder);
        setenv("LOAM_MUSL", i % 2 ? "long, long, long, long, long, long" : "short", 1);
    }
    want(asprintf(&text, "%s %s", text, name) > 48890, "asprintf");
    free(text);
    free(line);
    free(name);
    free(realpath("/proc/self/..", NULL));
    want(dlopen("no such file", RTLD_NOW) == NULL && dlerror() != NULL, "dlerror");
}
static void calls(void)
{
    void *volatile p = malloc(100);
    errno = 7;
    free(p);
    want(errno == 7, "free keeps errno");
    want(malloc(SIZE_MAX / 2 + 1) == NULL && errno == ENOMEM, "no memory: errno");
    p = realloc(malloc(10), 0);
    want(p != NULL, "realloc to nothing: a block, as musl's own");
    free(p);
    p = aligned_alloc(4096, 100); /* which musl refuses where malloc alone is another one */
    want(p != NULL && (uintptr_t)p % 4096 == 0, "aligned_alloc");
    free(p);
    want(posix_memalign((void **)&p, 64, 100) == 0 && (uintptr_t)p % 64 == 0, "posix_memalign");
    free(p);
    char *zero = calloc(1000, 100);
    for (int i = 0; i < 100000; i++)
        want(zero[i] == 0, "calloc");
    memset(zero, 1, 100000);
    free(zero);
    p = reallocarray(NULL, SIZE_MAX / 2, 3);
    want(p == NULL && errno == ENOMEM, "reallocarray");
    if (_Znwm == NULL)
        return;
    _ZdlPv(_Znwm(100));
    if (_ZnwmRKSt9nothrow_t != NULL) /* the archive leaves it to C++'s own library */
        want(_ZnwmRKSt9nothrow_t(SIZE_MAX / 2, "") == NULL, "new (nothrow)");
}
static char *volatile handed[THREADS][BLOCKS];
static void *allocates(void *arg)
{
    char **mine = arg;
    for (int i = 0; i < BLOCKS; i++)
        memset(mine[i] = malloc(16 + i * 37 % 3000), 1, 16);
    for (int i = 0; i < BLOCKS; i += 2) {
        free(mine[i]);
        mine[i] = NULL;
    }
    return NULL;
}
static void threads(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t thread[THREADS];
        for (int i = 0; i < THREADS; i++)
            want(pthread_create(&thread[i], NULL, allocates, (void *)handed[i]) == 0, "thread");
        for (int i = 0; i < THREADS; i++)
            pthread_join(thread[i], NULL);
        for (int i = 0; i < THREADS; i++)
            for (int b = 0; b < BLOCKS; b++)
                free(handed[i][b]);
    }
}
static volatile int enough;
static void *is_busy(void *arg)
{
    void *few[64] = {NULL};
    for (unsigned i = 0; !enough; i++) {
        free(few[i % 64]);
        few[i % 64] = malloc(i * 7919 % 70000);
    }
    for (int i = 0; i < 64; i++)
        free(few[i]);
    return arg;
}
static int forks_well(void)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        alarm(20);
        for (int i = 0; i < 1000; i++)
            free(malloc(i * 97 % 70000));
        pthread_create(&thread, NULL, allocates, (void *)handed[0]);
        pthread_join(thread, NULL);
        _exit(0);
    }
    return waitpid(child, &status, 0) == child && status == 0;
}
static void forks(void)
{
    pthread_t thread[2];
    want(forks_well(), "a fork from one thread");
    for (int i = 0; i < 2; i++)
        pthread_create(&thread[i], NULL, is_busy, NULL);
    alarm(20);
    for (int i = 0; i < FORKS; i++)
        want(forks_well(), "a fork beside busy threads");
    enough = 1;
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
}
/* Of one thread: a handler that interrupts malloc forks, and finds no lock that it waits for. */
static void forks_in_handler(int number)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(number != SIGALRM);
    if (child > 0)
        want(waitpid(child, &status, 0) == child && status == 0, "a fork in a handler");
}
static void interrupted(void)
{
    struct itimerval often = {{0, 300}, {0, 300}}, never = {{0, 0}, {0, 0}};
    struct sigaction action = {.sa_handler = forks_in_handler, .sa_flags = SA_RESTART};
    struct timespec until, now;
    sigaction(SIGALRM, &action, NULL);
    clock_gettime(CLOCK_MONOTONIC, &until);
    setitimer(ITIMER_REAL, &often, NULL);
    do {
        for (int i = 1; i < 200; i++)
            free(malloc(i * 1000));
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec - until.tv_sec < 1);
    setitimer(ITIMER_REAL, &never, NULL);
}
/* Addresses that are reserved are no program's loss when it limits itself. */
static void limits(int by_prlimit)
{
    struct rlimit few = {(size_t)1 << 30, (size_t)1 << 30};
    free(malloc(100));
    want((by_prlimit ? prlimit(0, RLIMIT_AS, &few, NULL) : setrlimit(RLIMIT_AS, &few)) == 0,
         "a limit");
    void *p = mmap(NULL, 500 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    want(p != MAP_FAILED, "addresses below the limit");
}
int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    char *volatile p = malloc(64);
    if (strcmp(word, "double") == 0) {
        free(p);
        free(p);
    } else if (strcmp(word, "over") == 0) {
        p[64] ^= 1;
        free(p);
    } else if (strcmp(word, "new") == 0) {
        _Znwm(SIZE_MAX / 2);
    } else if (strcmp(word, "open") == 0) {
        puts(dlopen(argv[2], RTLD_NOW) == NULL ? dlerror() : "opened");
    } else if (strncmp(word, "limit", 5) == 0) {
        limits(word[5] != '\0');
    } else if (strcmp(word, "interrupted") == 0) {
        interrupted();
    } else if (*word == '\0') {
        libc();
        calls();
        threads();
        forks();
        libc();
    }
    puts("end");
    return told;
}
"""

# A library's constructor, before libloam.so's and before any block: its handler of forks allocates.
EARLY = r"""
#include <pthread.h>
#include <stdlib.h>
static void before(void) { free(malloc(300000)); free(malloc(5000)); }
__attribute__((constructor)) static void first(void) { pthread_atfork(before, NULL, NULL); }
int early(void) { return 0; }
"""
EARLY_PROGRAM = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int early(void);
static void *waits(void *arg) { pause(); return arg; }
int main(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, waits, NULL);
    alarm(10);
    if (fork() == 0)
        _exit(early());
    wait(NULL);
    puts("end");
    return 0;
}
"""

# gcc's static unwinder, as Debian has it, looks for tables by a function of GNU's C library.
STACKS = r"""
#define _GNU_SOURCE
#include <link.h>
#include <stdlib.h>
struct found { unsigned long long flags; void *from, *to, *map, *tables, *more[8]; };
static int look(struct dl_phdr_info *info, size_t size, void *found)
{
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_GNU_EH_FRAME)
            ((struct found *)found)->tables =
                (char *)info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    return 1; /* of the program itself, which is all there is */
}
int _dl_find_object(void *at, struct found *found)
{
    dl_iterate_phdr(look, found);
    return found->tables == NULL;
}
static void *volatile kept;
__attribute__((noinline)) void inner(void) { kept = malloc(5000); }
__attribute__((noinline)) void outer(void) { inner(); __asm__ volatile(""); }
int main(void) { outer(); outer(); return 0; }
"""


def compile_to(path, text, *words):
    subprocess.run([*CC, "-x", "c", "-", "-x", "none", "-o", path, *words], input=text, text=True,
                   check=True)
    return path


def static_pie():
    """The words by which musl-gcc, whose -static-pie is none, links such a program."""
    _, words = command(["musl-gcc", "-###", "-x", "c", "-"], text="")
    start = next(word for word in words.replace('"', " ").split() if word.endswith("/crti.o"))
    folder = os.path.dirname(start)
    return ["-static", "-nostartfiles", "-Wl,-pie,--no-dynamic-linker,-z,text",
            *(f"{folder}/{name}.o" for name in ("rcrt1", "crti", "crtn"))]


def build(folder):
    """{way: (program, what is preloaded)}"""
    ways = {"preloaded": ([], LIBRARY), "linked": (LINKED, ""),
            "static": (["-static", ARCHIVE], ""), "static-pie": ([*static_pie(), ARCHIVE], "")}
    return {way: (compile_to(f"{folder}/{way}", PROGRAM, *words), library)
            for way, (words, library) in ways.items()}


def run(program, library, conf="", *words):
    env = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}
    env.update(LOAM_CONF=conf, **({"LD_PRELOAD": library} if library else {}))
    try:
        done = subprocess.run([program, *words], env=env, text=True, capture_output=True,
                              timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return None, "", "it waits for ever"
    return done.returncode, done.stdout, done.stderr


def check_way(tap, way, program, library):
    for conf in ("", "hardened"):
        name = f"{way}, {conf or 'default'}"
        done = run(program, library, conf)
        tap.check(done == (0, "end\n", ""), f"{name}: calls, threads, forks, the C library's own",
                  [str(done)])
        code, _, errors = run(program, library, conf, "double")
        tap.check(code == -6 and errors.count("\n") == 1 and
                  errors.startswith("loam: slab: double free: address "),
                  f"{name}: a double free is told", [str(code), errors])
        done = run(program, library, conf, "new")
        tap.check(done == (-6, "", ""), f"{name}: new without memory and C++ ends the program",
                  [str(done)])
    done = run(program, library, "", "interrupted")
    tap.check(done == (0, "end\n", ""), f"{way}: a handler that interrupts malloc forks",
              [str(done)])
    code, _, errors = run(program, library, "hardened", "over")
    tap.check(code == -6 and "S9 the bytes around a block hold their magic" in errors,
              f"{way}: hardened: an overrun is told", [str(code), errors])
    code, output, errors = run(program, library, "help", "none")
    tap.check(code == 0 and output == "end\n" and errors.startswith("LOAM_CONF=word"),
              f"{way}: help", [output, errors])


def check_dynamic(tap, way, program, library):
    for word in ("limit", "limit by prlimit"):
        done = run(program, library, "", word)
        tap.check(done == (0, "end\n", ""), f"{way}: a {word}: what is reserved goes back",
                  [str(done)])


def samples_of(path):
    """The calls of each sample of a profile."""
    with open(path, encoding="ascii") as file:
        lines = file.read().split("MAPPED_LIBRARIES", maxsplit=1)[0].split("\n")
    return [line.split("@")[1].split() for line in lines[1:] if line]


def check_stacks(tap, folder):
    program = compile_to(f"{folder}/stacks", STACKS, "-static", ARCHIVE, "-Wl,--eh-frame-hdr",
                         "-Wl,-u,_Unwind_Backtrace,-u,_Unwind_GetIP", "-lgcc_eh", "-lc")
    code, _, errors = run(program, "", f"profile={folder}/stacks.profile,profile_rate=1")
    samples = samples_of(f"{folder}/stacks.profile")
    tap.check(code == 0 and errors == "" and sum(len(calls) >= 3 for calls in samples) == 2,
              "a profile with an unwinder: whole stacks", [errors, str(samples)])


def check_told(tap, folder, program):
    code, _, errors = run(program, LIBRARY, f"stats,file={folder}/none/x", "limit")
    tap.check(code == 0 and f"file={folder}/none/x: No such file or directory; here" in errors,
              "an errno is told in words", [errors])
    code, _, errors = run(program, LIBRARY, f"profile={folder}/profile,profile_rate=1", "limit")
    samples = samples_of(f"{folder}/profile")
    tap.check(code == 0 and errors == "" and samples and all(len(calls) == 1 for calls in samples),
              "a profile without an unwinder: each block's caller", [errors, str(samples)])
    for library, name in ((LIBRARY, "the library"), (f"{folder}/libuser.so", "one that needs it")):
        code, output, errors = run(f"{folder}/alone", "", "", "open", library)
        tap.check(code == 0 and "initial-exec TLS" in output and errors == "",
                  f"dlopen of {name} is refused", [output, errors])
        code, output, errors = run(f"{folder}/alone", LIBRARY, "", "open", library)
        tap.check((code, output, errors) == (0, "opened\nend\n", ""),
                  f"dlopen of {name}, preloaded: opened", [output, errors])


def check_early(tap, folder):
    compile_to(f"{folder}/libearly.so", EARLY, "-shared", "-fPIC")
    program = compile_to(f"{folder}/early", EARLY_PROGRAM, "-L" + folder, "-learly", *LINKED,
                         "-Wl,-rpath," + folder)
    done = run(program, "")
    tap.check(done == (0, "end\n", ""), "handlers of forks, asked for before ours, may allocate",
              [str(done)])


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="loam-musl-") as folder:
        ways = build(folder)
        for way, (program, library) in ways.items():
            check_way(tap, way, program, library)
        for way in ("preloaded", "linked"):
            check_dynamic(tap, way, *ways[way])
        compile_to(f"{folder}/alone", PROGRAM)
        compile_to(f"{folder}/libuser.so", "void *malloc(unsigned long);\n"
                   "void *user(void) { return malloc(3); }\n", "-shared", "-fPIC", *LINKED)
        check_told(tap, folder, ways["preloaded"][0])
        check_stacks(tap, folder)
        check_early(tap, folder)
    for name in ("malloc_api", "malloc_mix"):
        code, output, errors = run(os.path.join(ROOT, "build/preloadmusl", name), "", "hardened")
        tap.check(code == 0, f"hardened: {name}", [output, errors])
    tap.done()


if __name__ == "__main__":
    main()
