#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Programs of sanitizers that have named heaps: malloc is the sanitizer's, whichever library they
take, and what is wrong with a heap's block is told by it. Prints TAP.
"""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import ROOT, Tap  # noqa: E402

BUILD = os.path.join(ROOT, "build/host")
LIBRARY = os.path.join(BUILD, "libloam.so")
SHARED = ["-l:libloam.so.0", f"-Wl,-rpath,{BUILD}"]
ARCHIVE = ["-l:libloam.a"]

PROGRAM = r"""
#include "loam/process_heap.h"
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
static loam_process_heap heap;
static volatile char sink;
static void **kept;
#define OWN __attribute__((noinline)) static void
OWN use_after_free(void) { char *p = loam_process_heap_alloc(heap, 100);
                           loam_process_heap_free(heap, p); sink = p[3]; }
OWN free_in_realloc(void) { char *p = loam_process_heap_alloc(heap, 100);
                            sink = *(char *)loam_process_heap_realloc(heap, p, 200); sink = p[3]; }
OWN overrun(void) { char *p = loam_process_heap_alloc(heap, 50); sink = p[50]; }
OWN whole_slots(void) { char *p[40]; /* of their class's size, one behind the other */
                        for (int i = 0; i < 40; i++) p[i] = loam_process_heap_alloc(heap, 64);
                        sink = p[20][64]; }
OWN aligned(void) { char *p = loam_process_heap_aligned(heap, 256, 256); sink = p[256]; }
OWN shrunk(void) { char *p = loam_process_heap_alloc(heap, 100);
                   p = loam_process_heap_realloc(heap, p, 60); sink = p[59]; sink = p[60]; }
OWN large(void) { char *p = loam_process_heap_alloc(heap, 100000); sink = p[100000]; }
OWN never_out(void) { char *p = loam_process_heap_alloc(heap, 500); sink = p[1500]; }
OWN gone(void) { char *p = loam_process_heap_alloc(heap, 100);
                 loam_process_heap_destroy(heap, NULL); sink = p[0]; }
OWN of_malloc(void) { char *p = malloc(100); sink = p[100]; free(p); }
OWN full(void) /* what is certain to succeed, with no byte behind it */
{
    loam_process_heap_stats figures;
    loam_process_heap_stat(heap, &figures);
    printf("%d\n", loam_process_heap_alloc(heap, figures.largest) != NULL);
}
OWN reached(void) /* a block of malloc's that only a heap's block leads to */
{
    kept = loam_process_heap_calloc(heap, 10, sizeof(void *));
    kept[5] = malloc(123);
}
OWN right(void)
{
    for (int round = 0; round < 40; round++) {
        char *p[200] = {NULL};
        for (int i = 1; i < 1000; i++) {
            char **at = &p[i * 7 % 200];
            size_t size = (size_t)(i % 97 == 0 ? 20000 : i * 31 % 1500 + 1);
            if (*at != NULL && i % 3 == 0) {
                loam_process_heap_free(heap, *at);
                *at = NULL;
            } else {
                *at = loam_process_heap_realloc(heap, *at, size);
                if (*at == NULL)
                    exit(3);
                memset(*at, round, size);
            }
        }
        loam_process_heap_destroy(heap, NULL);
        char *map = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memset(map, 1, 4 << 20); /* where a heap was, mostly */
        munmap(map, 4 << 20);
        loam_process_heap_create(&heap, "again", 2 << 20);
    }
}
static void *busy(void *arg)
{
    for (int i = 1; i < 2000; i++) {
        size_t size = (size_t)(i % 300 + 1);
        char *p = loam_process_heap_calloc(heap, 1, size);
        memset(p, 1, size);
        if (i % 3 == 0)
            p = loam_process_heap_realloc(heap, p, 400);
        loam_process_heap_free(heap, p);
    }
    return arg;
}
OWN threads(void)
{
    pthread_t t[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, busy, NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
}
OWN figures(void) { printf("%d\n", malloc_trim(0) + (int)mallinfo2().uordblks); }
static const struct { const char *name; void (*fn)(void); } all[] = {
#define ROW(name) {#name, name}
    ROW(use_after_free), ROW(free_in_realloc), ROW(overrun), ROW(whole_slots), ROW(aligned),
    ROW(shrunk), ROW(large), ROW(never_out), ROW(gone), ROW(of_malloc), ROW(full), ROW(reached),
    ROW(right), ROW(threads), ROW(figures)};
int main(int argc, char **argv)
{
    if (loam_process_heap_create(&heap, "heap", 1 << 20) != LOAM_OK)
        return 2;
    for (unsigned i = 0; argc > 1 && i < sizeof(all) / sizeof(all[0]); i++)
        if (strcmp(argv[1], all[i].name) == 0)
            all[i].fn();
    return 0;
}
"""

POISON = "AddressSanitizer: use-after-poison"
WRONG = {**dict.fromkeys(("use_after_free", "free_in_realloc", "overrun", "whole_slots", "aligned",
                          "shrunk", "large", "never_out"), POISON),
         "gone": "AddressSanitizer: SEGV",
         "of_malloc": "AddressSanitizer: heap-buffer-overflow"}
RIGHT = {"full": "1\n", "reached": "", "right": "", "threads": ""}


def build(folder, compiler, name, sanitizer, words):
    program = os.path.join(folder, f"{compiler}-{name}")
    command = [compiler, "-g", "-O1", f"-fsanitize={sanitizer}", f"-I{ROOT}/include", "-x", "c",
               "-", "-o", program, f"-L{BUILD}", *words, "-lpthread"]
    made = subprocess.run(command, input=PROGRAM, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    return program, made.stdout.splitlines()


def run(program, word, preload=None):
    environment = {name: text for name, text in os.environ.items() if name != "LD_PRELOAD"}
    if preload:
        environment["LD_PRELOAD"] = preload
    done = subprocess.run([program, word], env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def addresses(tap, folder, compiler, name, words, preload=None):
    program, said = build(folder, compiler, name, "address", words)
    named = compiler == "gcc" or shutil.which("llvm-symbolizer") is not None
    for word, text in WRONG.items():
        code, _, errors = run(program, word, preload)
        tap.check(code != 0 and text in errors and (f" in {word} " in errors or not named),
                  f"{compiler}, {name}: {word}: told", [str(code), *said, *errors.splitlines()[:6]])
    for word, text in RIGHT.items():
        done = run(program, word, preload)
        tap.check(done == (0, text, ""), f"{compiler}, {name}: {word}: nothing is told",
                  [str(done[:2]), *said, *done[2].splitlines()[:20]])


def quiet(tap, folder, compiler, sanitizer, word, words):
    """Of other sanitizers: malloc is theirs, and what is right is not told."""
    name = f"{sanitizer}-{words[0][3:]}"
    program, said = build(folder, compiler, name, sanitizer, words)
    done = run(program, word)
    tap.check(done == (0, "", ""), f"{compiler}, {name}: {word}: nothing is told",
              [str(done[:2]), *said, *done[2].splitlines()[:20]])


def figures(tap, folder, compiler):
    program, said = build(folder, compiler, "figures", "address", ARCHIVE)
    code, out, errors = run(program, "figures")
    tap.check(code == 0 and out != "", f"{compiler}: malloc_trim of the archive, malloc not",
              [str(code), *said, errors])


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="loam-sanitizers-") as folder:
        for compiler in ("gcc", "clang"):
            runtime = subprocess.run([compiler, "-print-file-name=libasan.so"], text=True,
                                     stdout=subprocess.PIPE, check=False).stdout.strip()
            first = os.path.realpath(runtime) + ":" if compiler == "gcc" else ""
            addresses(tap, folder, compiler, "libloam.a", ARCHIVE)
            addresses(tap, folder, compiler, "libloam.so", SHARED)
            addresses(tap, folder, compiler, "preloaded", SHARED, first + LIBRARY)
            figures(tap, folder, compiler)
            for words in (ARCHIVE, SHARED):
                quiet(tap, folder, compiler, "leak", "reached", words)
                quiet(tap, folder, compiler, "thread", "threads", words)
    tap.done()


if __name__ == "__main__":
    main()
