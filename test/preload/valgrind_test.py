#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A program on libloam.so under memcheck: every error is found and named, and none that is not.

Valgrind leaves the library's malloc alone (nouserintercepts), and is told of its blocks. Prints
TAP.
"""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import ROOT, Tap, run  # noqa: E402

LIBRARY = os.path.join(ROOT, "build/host")

PROGRAM = r"""
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "loam/process_heap.h"
static volatile char sink;
static volatile int many;
#define OWN __attribute__((noinline, noclone)) static void
OWN use_after_free(void) { char *p = malloc(100); free(p); sink = p[5]; }
OWN after_others(void) { char *p = malloc(200); free(p);
                         for (int i = 0; i < 1000; i++) free(malloc(200)); sink = p[7]; }
OWN overrun(void) { char *p = malloc(33); sink = p[33]; free(p); }
OWN underrun(void) /* not the first of its slab: nothing may lie before that */
{
    char *first = malloc(100), *p = malloc(100);
    p[-1] = 0;
    free(p);
    free(first);
}
OWN never_written(void) { char *p = malloc(100); if (p[50] == 1) many++; free(p); }
OWN far_overrun(void) { char *p = malloc(1000); sink = p[5000]; free(p); }
OWN leak(void) { char *volatile p = malloc(123); p = NULL; }
OWN leak_large(void) { char *volatile p = malloc(234567); p = NULL; }
OWN large(void) { char *p = malloc(300000); sink = p[300000]; free(p); sink = p[200000]; }
OWN shrunk(void) { char *p = malloc(100); p = realloc(p, 60); sink = p[60]; free(p); }
OWN of_heap(void)
{
    loam_process_heap heap;
    loam_process_heap_create(&heap, "heap", 1 << 20);
    char *p = loam_process_heap_alloc(heap, 50);
    sink = p[50];
    loam_process_heap_free(heap, p);
    sink = p[3];
    loam_process_heap_destroy(heap, NULL);
}
OWN of_heap_whole(void) /* of its class's size, others behind it */
{
    loam_process_heap heap;
    char *p[40];
    loam_process_heap_create(&heap, "heap", 1 << 20);
    for (int i = 0; i < 40; i++)
        p[i] = loam_process_heap_alloc(heap, 64);
    sink = p[20][64];
    loam_process_heap_destroy(heap, NULL);
}
OWN free_twice(void) { char *p = malloc(100); free(p); free(p); }
OWN free_inner(void) { char *p = malloc(100); free(p + 16); }
OWN free_stack(void) { char local[64]; char *volatile p = local + 16; free(p); }

static void *busy(void *arg)
{
    for (unsigned i = 1; i < 3000; i++) {
        char *p = calloc(1, i % 3000), *q = aligned_alloc(64 << i % 5, i), *r = strdup("text");
        sink = p[i / 2] | p[i % 3000 - 1];
        p = realloc(p, (i * 7) % 5000 + 1);
        memset(q, 1, malloc_usable_size(q));
        p[0] = q[0] = r[0];
        free(r);
        free(q);
        free(p);
    }
    free(malloc(40000000));
    return arg;
}
OWN right(void)
{
    pthread_t t[3];
    loam_process_heap heap;
    loam_process_heap_create(&heap, "right", 1 << 20);
    for (int i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, busy, NULL);
    for (int i = 1; i < 500; i++) {
        char *p = loam_process_heap_calloc(heap, 1, i);
        sink = p[i - 1];
        p = loam_process_heap_realloc(heap, p, 2 * i);
        sink = p[i - 1];
        if (i % 3)
            loam_process_heap_free(heap, p);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    loam_process_heap_destroy(heap, NULL);
    malloc_trim(0);
    if (fork() == 0) {
        busy(NULL);
        exit(0);
    }
    int status;
    wait(&status);
    sink = 0;
    exit(status != 0);
}
static const struct { const char *name; void (*fn)(void); } all[] = {
#define ROW(name) {#name, name}
    ROW(use_after_free), ROW(after_others), ROW(overrun), ROW(underrun), ROW(never_written),
    ROW(far_overrun), ROW(leak), ROW(leak_large), ROW(large), ROW(shrunk), ROW(of_heap),
    ROW(of_heap_whole), ROW(free_twice), ROW(free_inner), ROW(free_stack), ROW(right)};
int main(int argc, char **argv)
{
    for (int k = 1; k < argc; k++)
        for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
            if (strcmp(argv[k], all[i].name) == 0)
                all[i].fn();
    return 0;
}
"""

READ = "Invalid read of size 1"
FOUND = {  # in one run: what is said, and where the address is
    "use_after_free": [(READ, "5 bytes inside a block of size 100 free'd")],
    "after_others": [(READ, "7 bytes inside a block of size 200 free'd")],
    "overrun": [(READ, "0 bytes after a block of size 33 alloc'd")],
    "underrun": [("Invalid write of size 1", "1 bytes before a block of size 100 alloc'd")],
    "never_written": [("Conditional jump or move depends on uninitialised", "")],
    "far_overrun": [(READ, "")],
    "large": [(READ, "0 bytes after a block of size 300,000 alloc'd"),
              (READ, "200,000 bytes inside a block of size 300,000 free'd")],
    "shrunk": [(READ, "0 bytes after a block of size 60 alloc'd")],
    "of_heap": [(READ, "0 bytes after a block of size 50 alloc'd"),
                (READ, "3 bytes inside a block of size 50 free'd")],
    "of_heap_whole": [(READ, "0 bytes after a block of size 64 alloc'd")],
    "leak": [("123 bytes in 1 blocks are definitely lost", "")],
    "leak_large": [("234,567 bytes in 1 blocks are definitely lost", "")],
}
STOPPED = {
    "free_twice": "0 bytes inside a block of size 100 free'd",
    "free_inner": "16 bytes inside a block of size 100 alloc'd",
    "free_stack": "is on thread 1's stack",
}


def memcheck(program, words, conf=""):
    command = ["valgrind", "--soname-synonyms=somalloc=nouserintercepts", "--leak-check=full",
               "--error-exitcode=99", "-q", program, *words]
    environment = {**os.environ, "LOAM_CONF": conf}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, re.sub(r"^==\d+== ?", "", done.stdout, flags=re.M)


NOTED = {  # of the core in a program of its own, by what the block was
    "slab_freed": "8 bytes inside a block of size 64 free'd",
    "slab_never_out": "",
    "kmalloc_freed": "100 bytes inside a block of size 1,024 free'd",
    "kmalloc_kept": "",
    "kmalloc_moved": "",  # of those without a text memcheck may tell of an older block there
    "heap_freed": "50 bytes inside a block of size 112 free'd",
    "heap_reset": "",
    "heap_shrunk": "",
    "pool_freed": "",
    "pool_ended": "",
}


def check_core(tap):
    """Caches, kmalloc, heaps and pools of the hosted port, told of by LOAM_HOSTED_NOTES 2."""
    program = os.path.join(ROOT, "build/notes/memory_notes")
    _, text = memcheck(program, NOTED)
    for function, where in NOTED.items():
        told = reports_of(text, function)
        tap.check(len(told) == 1 and where in told[0] and "Invalid" in told[0],
                  f"memcheck: core: {function}", told or text.splitlines())
    code, text = memcheck(program, ["right"])
    tap.check(code == 0 and text == "", "memcheck: core: a right program: nothing",
              text.splitlines())


def reports_of(text, function):
    """The paragraphs about what the function did, not those that name it as a block's maker."""
    parts = re.split(r"\n\s*\n", text)
    return [part for part in parts
            if re.search(rf"\b{function}\b", part.partition(" Address ")[0])]


# What we call the requests, by the words of Valgrind's own headers.
REQUESTS = {
    "VALGRIND_RUNS": "RUNNING_ON_VALGRIND", "VALGRIND_ALLOC": "MALLOCLIKE_BLOCK",
    "VALGRIND_FREE": "FREELIKE_BLOCK", "VALGRIND_POOL_BEGIN": "CREATE_MEMPOOL",
    "VALGRIND_POOL_END": "DESTROY_MEMPOOL", "VALGRIND_POOL_ALLOC": "MEMPOOL_ALLOC",
    "VALGRIND_POOL_FREE": "MEMPOOL_FREE", "VALGRIND_POOL_CHANGE": "MEMPOOL_CHANGE",
    "VALGRIND_POOL_EXISTS": "MEMPOOL_EXISTS", "MEMCHECK_HIDE": "MAKE_MEM_NOACCESS",
    "MEMCHECK_UNDEFINED": "MAKE_MEM_UNDEFINED", "MEMCHECK_SHOW": "MAKE_MEM_DEFINED",
    "MEMCHECK_GET_BITS": "GET_VBITS",
}


def check_requests(tap):
    text = '#include "loam_valgrind.h"\n#include <valgrind/memcheck.h>\n' + "".join(
        f'_Static_assert((int){ours} == (int)VG_USERREQ__{theirs}, "{ours}");\n'
        for ours, theirs in REQUESTS.items())
    code, output = run(["gcc", "-fsyntax-only", "-Iinclude", "-Iport/hosted", "-xc", "-"], ROOT,
                       text)
    tap.check(code == 0, "the requests have Valgrind's numbers", output.splitlines())


def main():
    tap = Tap()
    check_requests(tap)
    with tempfile.TemporaryDirectory(prefix="loam-valgrind-") as folder:
        program = os.path.join(folder, "program")
        subprocess.run(["gcc", "-g", "-O0", "-fno-builtin", "-w",
                        "-I", os.path.join(ROOT, "include"), "-x", "c", "-", "-o", program,
                        f"-L{LIBRARY}", "-l:libloam.so",
                        f"-Wl,-rpath,{LIBRARY}", "-lpthread"], input=PROGRAM, text=True, check=True)
        code, text = memcheck(program, FOUND)
        for function, errors in FOUND.items():
            told = reports_of(text, function)
            tap.check(len(told) == len(errors) and
                      all(what in part and where in part
                          for part, (what, where) in zip(told, errors)),
                      f"memcheck: {function}", told or text.splitlines())
        tap.check(code == 99, "memcheck: the errors are its exit code", [str(code)])
        for function, where in STOPPED.items():
            code, text = memcheck(program, [function])
            tap.check(code not in (0, 99) and "Invalid free()" in text and where in text and
                      "loam: " in text, f"memcheck: {function}: told by both, the end",
                      text.splitlines())
        code, text = memcheck(program, ["right"], "hardened")
        tap.check(code == 0 and text == "", "memcheck: a right program, threads, a fork: nothing",
                  text.splitlines())
        check_core(tap)
        code, _ = run([program, "use_after_free", "overrun"])
        tap.check(code == 0, "without Valgrind nothing of this is asked")
    tap.done()


if __name__ == "__main__":
    main()
