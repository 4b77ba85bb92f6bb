#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Blocks that LOAM_CONF=guard_pages maps alone: where a page that nobody can touch lies, what is
found in a slot that is kept, what stays of a block that moves, and a model of many of them.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import ROOT, Tap  # noqa: E402

LIBRARY = os.path.join(ROOT, "build/host/libloam.so")
SEED = os.environ.get("SEED", "1")

PROGRAM = r"""
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
enum { PAGE = 4096, KIB = 1024, MIB = 1024 * 1024, BLOCKS = 24 };
typedef unsigned char byte;
static byte *volatile p;
static int is(const char *word, const char *name)
{
    return strcmp(word, name) == 0;
}
static void fail(const char *why)
{
    printf("%s\n", why);
    exit(1);
}
/* ---- the model: every block is filled by a rule ---- */
typedef struct block {
    byte *at;
    size_t size;
    uint32_t rule;
} block;
typedef struct model {
    uint64_t state;
    block block[BLOCKS];
} model;
static uint32_t draw(model *m, uint32_t below)
{
    m->state = m->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((m->state >> 33) % below);
}
static byte value(uint32_t rule, size_t i)
{
    return (byte)(rule + i / 61);
}
/* All of it, or the ends alone, by the rule. */
static size_t stride(const block *b)
{
    return b->rule % 3 == 0 && b->size > PAGE ? b->size - 1 : 1;
}
static void fill(block *b)
{
    for (size_t i = 0; i < b->size; i += stride(b))
        b->at[i] = value(b->rule, i);
}
static void look(const block *b, size_t size)
{
    for (size_t i = 0; i < size && i < b->size; i += stride(b))
        if (b->at[i] != value(b->rule, i))
            fail("a block lost what was in it");
}
static size_t some_size(model *m)
{
    return (size_t)1 + draw(m, (size_t)1 << (10 + draw(m, 13)));
}
static void make(model *m, block *b)
{
    size_t align = (size_t)16 << draw(m, 14);
    b->size = some_size(m);
    b->rule = draw(m, 1u << 30);
    switch (draw(m, 3)) {
    case 0:
        b->at = malloc(b->size);
        break;
    case 1:
        b->at = calloc(1, b->size);
        for (size_t i = 0; b->at != NULL && i < b->size; i += 1 + i % 61)
            if (b->at[i] != 0)
                fail("calloc: not zero");
        break;
    default:
        if (posix_memalign((void **)&b->at, align, b->size) != 0 || (uintptr_t)b->at % align != 0)
            fail("posix_memalign");
    }
    if (b->at == NULL || malloc_usable_size(b->at) < b->size)
        fail("no block, or too short");
    fill(b);
}
static void resize(model *m, block *b)
{
    size_t size = draw(m, 2) == 0 ? some_size(m) : 1 + b->size / 2 + draw(m, (uint32_t)b->size);
    byte *q = realloc(b->at, size);
    if (q == NULL)
        fail("realloc");
    b->at = q;
    look(b, size < b->size && stride(b) != 1 ? 1 : size);
    b->size = size;
    fill(b);
}
static void *churn(void *arg)
{
    model *m = arg;
    for (int i = 0; i < 400; i++) {
        block *b = &m->block[draw(m, BLOCKS)];
        if (b->at == NULL) {
            make(m, b);
        } else if (draw(m, 3) == 0) {
            resize(m, b);
        } else {
            look(b, b->size);
            free(b->at);
            b->at = NULL;
        }
    }
    for (int i = 0; i < BLOCKS; i++)
        free(m->block[i].at);
    return NULL;
}
static void models(uint64_t seed, int n)
{
    static model m[4];
    pthread_t thread[4];
    for (int i = 0; i < n; i++) {
        m[i].state = seed * 4 + i;
        pthread_create(&thread[i], NULL, churn, &m[i]);
    }
    for (int i = 0; i < n; i++)
        pthread_join(thread[i], NULL);
}
/* More of them at a time than a process may have mappings for; one byte behind the last one. */
static void many(size_t size, ptrdiff_t at)
{
    enum { MANY = 40000, FREED = 300 };
    static byte *block[MANY];
    for (int i = 0; i < MANY; i++) {
        block[i] = malloc(size);
        if (block[i] == NULL)
            fail("no memory");
        block[i][0] = block[i][size - 1] = (byte)i;
    }
    block[MANY - 1][at] ^= 0x40;
    for (int i = 0; i < FREED; i++) {
        byte *b = block[MANY / FREED * i + MANY / FREED - 1];
        if (b[0] != b[size - 1])
            fail("a block lost what was in it");
        free(b);
    }
    free(block[MANY - 1]);
    exit(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
}
/* Long blocks, whose memory goes from one to another: read 0 at first, and keep a number a page. */
static void carried(uint64_t seed)
{
    enum { LONG = 6 };
    static byte *block[LONG];
    static size_t pages[LONG];
    model m = {.state = seed};
    for (int i = 0; i < 300; i++) {
        int k = draw(&m, LONG), grows = block[k] != NULL && draw(&m, 4) == 0;
        size_t n = 600 + draw(&m, grows ? 9000 : 6500), old = grows ? pages[k] : 0;
        if (!grows)
            free(block[k]);
        size_t size = n * PAGE - n % 200; /* magic, or none */
        byte *q = grows ? realloc(block[k], size) : malloc(size);
        if (q == NULL)
            fail("no memory");
        for (size_t at = 0; at < n; at++)
            if ((grows ? at < old : 1) && *(uint32_t *)(q + at * PAGE) != (grows ? at + k : 0))
                fail("a page is not what it was");
        for (size_t at = 0; at < n; at++)
            *(uint32_t *)(q + at * PAGE) = at + k;
        block[k] = q;
        pages[k] = n;
    }
}
/* ---- single cases ---- */
static long status(const char *word)
{
    char line[100];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, word, strlen(word)) == 0)
            kib = atol(line + strlen(word));
    fclose(file);
    return kib;
}
static void sparse(void)
{
    for (int i = 0; i < 2000; i++) {
        byte *q[4];
        for (int k = 0; k < 4; k++) {
            size_t size = MIB + (size_t)(i * 37 + k * 11) % 8 * PAGE;
            q[k] = malloc(size);
            q[k][0] = q[k][size - 1] = 1;
        }
        for (int k = 0; k < 4; k++)
            free(q[k]);
    }
    printf("%ld\n", status("VmHWM:")); /* getrusage's peak is the parent's, too */
}
/* Small blocks, of which a few stay: pages between these go. */
static void trimmed(void)
{
    enum { MANY = 20000, EACH = 100, SIZE = 1000 };
    static byte *block[MANY];
    for (int i = 0; i < MANY; i++)
        memset(block[i] = malloc(SIZE), 1, SIZE);
    for (int i = 0; i < MANY; i++)
        if (i % EACH != 0)
            free(block[i]);
    int any = malloc_trim(0);
    for (int i = 0; i < MANY; i += EACH)
        if (block[i][0] != 1 || block[i][SIZE - 1] != 1)
            fail("a block lost what was in it");
    printf("%ld\n", any ? status("VmRSS:") : -1);
}
/* KiB of addresses that a block still has when it was freed, which was touched as far as that. As
 * much is out, so it may be kept. */
static void unused(size_t size, size_t touched)
{
    static byte *volatile other;
    other = malloc(2 * size);
    long before = status("VmSize:");
    p = malloc(size);
    memset(p, 1, touched);
    p[size - 1] = 1;
    free(p);
    printf("%ld\n", status("VmSize:") - before);
}
/* KiB more in memory: by the first long block, of which little is used; or, where it is filled and
 * grows, at the most. */
static void first(size_t size, size_t grows)
{
    long before = status("VmRSS:");
    p = malloc(size);
    memset(p, 1, grows != 0 ? size : 1);
    if (grows != 0)
        p = realloc(p, grows);
    printf("%ld\n", status("VmHWM:") - before);
}
int main(int argc, char **argv)
{
    const char *w = argv[1];
    size_t size = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    long at = argc > 3 ? atol(argv[3]) : 0;
    if (is(w, "model")) {
        models(size, (int)at);
    } else if (is(w, "again")) { /* in a slot that was a longer one's */
        free(memset(malloc(size + size / 2), 1, size + size / 2));
        p = malloc(size);
        p[at] ^= 0x40;
        free(p);
    } else if (is(w, "shorter")) {
        p = realloc(malloc(2 * size), size + size / 4);
        memset(p, 1, size + size / 4);
        p = realloc(p, size);
        p[at] ^= 0x40;
        free(p);
    } else if (is(w, "longer")) { /* what lies behind the old end is no secret any more */
        p = realloc(realloc(malloc(size), size - 300), size + at);
        for (size_t i = size - 300; i < size; i++)
            if (p[i] != 0)
                fail("magic in a block");
    } else if (is(w, "aligned")) {
        p = aligned_alloc(64 * KIB, size);
        p[at] ^= 0x40;
        free(p);
    } else if (is(w, "zero")) {
        memset(p = malloc(size), 0xff, size);
        free(p);
        p = malloc(size - at);
        for (size_t i = 0; i < size - at; i++)
            if (p[i] != 0)
                fail("another's bytes");
        free(p);
    } else if (is(w, "late")) {
        p = malloc(size);
        free(size > 2 * MIB ? memset(p, 1, size) : p);
        p[at] = 1;
        free(malloc(size));
    } else if (is(w, "carried")) {
        carried(size);
    } else if (is(w, "first")) {
        first(size, at);
    } else if (is(w, "unused")) {
        unused(size, at);
    } else if (is(w, "sparse")) {
        sparse();
    } else if (is(w, "trimmed")) {
        trimmed();
    } else if (is(w, "many")) {
        many(size, at);
    } else if (is(w, "again and again")) {
        for (int i = 0; i < 20; i++)
            free(memset(malloc(size), 1, size));
    }
    return 0;
}
"""

# A program runs another one, which is ended if it asks by mincore what is in memory.
FILTER = r"""
#include <stddef.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    struct sock_filter rule[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mincore, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog rules = {sizeof rule / sizeof *rule, rule};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &rules) != 0)
        return 77;
    execv(argv[1], argv + 1);
    return 2;
}
"""

# A system as before Linux 6.17, where every block is several mappings: no move succeeds. Who tries
# one learns it when the new addresses are gone, which another thread has at once, and what was to
# be cut off.
REFUSES = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
enum { OTHERS = 1000 };
static char *other[OTHERS];
static int others;
void *mremap(void *at, size_t was, size_t len, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    char *to = (flags & MREMAP_FIXED) != 0 ? va_arg(rest, char *) : NULL;
    va_end(rest);
    if (to != NULL && others < OTHERS) {
        int how = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
        other[others] = mmap(to, len, PROT_READ | PROT_WRITE, how, -1, 0);
        other[others++][0] = 1;
        if (was > len)
            munmap((char *)at + len, was - len);
    }
    errno = EFAULT;
    return MAP_FAILED;
}
__attribute__((destructor)) static void look(void)
{
    for (int i = 0; i < others; i++)
        if (other[i][0] != 1)
            abort();
}
"""


def run(program, words, conf, under=(), library=LIBRARY):
    clean = {key: value for key, value in os.environ.items()
             if key not in ("LD_PRELOAD", "LOAM_CONF")}
    clean.update(LC_ALL="C", LD_PRELOAD=library, LOAM_CONF=conf)
    done = subprocess.run([*under, program, *map(str, words)], env=clean, timeout=120, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    return done.returncode, done.stdout, done.stderr


def stopped(result, words):
    code, _, errors = result
    return code == -6 and errors.count("\n") == 1 and re.search(words, errors) is not None


VALGRIND = ["valgrind", "-q", "--soname-synonyms=somalloc=nouserintercepts"]
FAULTS, FINE = "faults", "fine"
K, M = 1 << 10, 1 << 20
# words of the program, what is to come of it
CASES = [
    ("a longer one's slot, before it", ["again", 200 * K, -1], "S9 .*before the block"),
    ("a longer one's slot, behind it", ["again", 200 * K - 9, 200 * K - 9], "S9 .*after the block"),
    ("a longer one's slot, a page behind it", ["again", 200 * K, 200 * K], FAULTS),
    ("a long slot, a page behind it", ["again", 5 * M, 5 * M], FAULTS),
    ("3 MiB in a longer one's slot, before it", ["again", 3 * M, -1], FAULTS),
    ("shorter, behind it", ["shorter", 200 * K - 9, 200 * K - 9], "S9 .*after the block"),
    ("shorter, a page behind it", ["shorter", 200 * K, 200 * K], FAULTS),
    ("shorter, its last byte", ["shorter", 200 * K, 200 * K - 1], FINE),
    ("shorter by bytes, then longer: reads 0", ["longer", 200 * K], FINE),
    ("longer, elsewhere: reads 0", ["longer", 200 * K, 400 * K], FINE),
    ("5 MiB, longer, elsewhere: reads 0", ["longer", 5 * M, 400 * M], FINE),
    ("aligned, a page behind it", ["aligned", 256 * K, 256 * K], FAULTS),
    ("aligned, its last byte", ["aligned", 256 * K, 256 * K - 1], FINE),
    ("filled, freed, again: reads 0", ["zero", 300 * K + 5], FINE),
    ("filled, freed, shorter again: reads 0", ["zero", 300 * K, 77777], FINE),
    ("3 MiB filled, freed, again: reads 0", ["zero", 3 * M], FINE),
    ("5 MiB filled, freed, shorter again: reads 0", ["zero", 5 * M, 500 * K], FINE),
    ("written after free", ["late", 400 * K, 5], "S10 .*written after free"),
    ("written after free, where nobody was", ["late", 400 * K, 200 * K], "S10 .*written after"),
    ("3 MiB, written after free", ["late", 3 * M, 5], FAULTS),
    ("40000 of them at a time", ["many", 130 * K, 5], FINE),
    ("the last of 40000, behind it", ["many", 130 * K - 3, 130 * K - 3], "S9 .*after the block"),
]


def single_cases(tap, program):
    for name, words, want in CASES:
        result = run(program, words, "hardened")
        good = (result[0] == -11 if want == FAULTS else
                result == (0, "", "") if want == FINE else stopped(result, want))
        tap.check(good, f"hardened: {name}", [str(result)])


def built(folder, name, text, *flags):
    program = os.path.join(folder, name)
    subprocess.run(["gcc", "-O1", "-fno-builtin", "-w", *flags, "-x", "c", "-", "-o", program,
                    "-lpthread"], input=text, text=True, check=True)
    return program


def sparse(tap, program, under, name):
    """Memory at the end, or at the most, in KiB."""
    for what, conf, most in (("sparse", "hardened", 6000), ("trimmed", "", 9000)):
        code, out, errors = run(program, [what], conf, under)
        if under and code == 77:
            tap.skip(f"{conf or 'default'}: {what}{name}", "no filters here")
            continue
        kib = int(out) if out.strip().isdigit() else -1
        tap.check(code == 0 and 0 < kib < most, f"{conf or 'default'}: {what}{name}: what lies "
                  "between takes no memory", [str(code), out, errors])


def unused(tap, program):
    for size, touched, kept in ((32 * M, 4 * K, False), (32 * M, 32 * M, True),
                                (32 * M, 8 * M, True)):
        code, out, errors = run(program, ["unused", size, touched], "hardened")
        good = code == 0 and out.strip().lstrip("-").isdigit() and (int(out) > size >> 11) == kept
        tap.check(good, f"hardened: {size >> 20} MiB, {touched >> 10} KiB of them touched, freed: "
                  f"{'kept' if kept else 'gone'}", [str(code), out, errors])


def first(tap, program):
    for size, grows, most, name in ((7 * M, 0, 400, "little of it used"),
                                    (7 * M, 40 * M, 9500, "filled, and grows")):
        code, out, errors = run(program, ["first", size, grows], "hardened")
        tap.check(code == 0 and out.strip().isdigit() and int(out) < most,
                  f"hardened: the first long block, {name}: {most} KiB more at most",
                  [str(code), out, errors])


def main():
    with tempfile.TemporaryDirectory(prefix="loam-guarded-") as folder:
        program, box = built(folder, "program", PROGRAM), built(folder, "filter", FILTER)
        tap = Tap()
        single_cases(tap, program)
        unused(tap, program)
        first(tap, program)
        sparse(tap, program, (), "")
        sparse(tap, program, (box,), ", where a filter ends who asks by mincore")
        for conf in ("hardened", "hardened,limit=512M", "hardened,huge_from=0"):
            result = run(program, ["carried", SEED], conf)
            tap.check(result == (0, "", ""), f"{conf}: SEED={SEED}: long blocks, whose memory goes "
                      "from one to another, keep what is in them", [str(result)])
        refuses = built(folder, "refuses.so", REFUSES, "-shared", "-fPIC")
        for conf in ("hardened", "hardened,limit=512M"):
            result = run(program, ["carried", SEED], conf, library=f"{refuses} {LIBRARY}")
            tap.check(result == (0, "", ""), f"{conf}: SEED={SEED}: the same where they cannot "
                      "move, and who tries loses addresses", [str(result)])
        if shutil.which("valgrind") is not None:
            result = run(program, ["again and again", 300 * K], "hardened", VALGRIND)
            tap.check(result == (0, "", ""), "hardened: under Valgrind freed blocks are not read",
                      [str(result)])
        for conf, threads in (("hardened", 4), ("guard_pages", 2), ("hardened,limit=512M", 1),
                              ("hardened,huge_from=0", 1)):
            result = run(program, ["model", SEED, threads], conf)
            tap.check(result == (0, "", ""), f"{conf}: SEED={SEED}: threads: {threads}: blocks of "
                      "all kinds keep what is in them", [str(result)])
        tap.done()


if __name__ == "__main__":
    main()
