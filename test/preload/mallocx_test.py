#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The calls with flags, as jemalloc has them: by themselves, and in a program that is linked with
another malloc which has them, too. And the C library's second names of its calls, in a program
whose own malloc is made of them. And strdup, which another malloc may have, too. Prints TAP.
"""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import ROOT, Tap  # noqa: E402

LIBRARY = os.path.join(ROOT, "build/host/libloam.so")
MODES = ["", "hardened", "guard", "poison", "owner"]

CALLS = r"""
#include <stddef.h>
void *mallocx(size_t size, int flags);
void *rallocx(void *p, size_t size, int flags);
size_t xallocx(void *p, size_t size, size_t extra, int flags);
size_t sallocx(const void *p, int flags);
void dallocx(void *p, int flags);
void sdallocx(void *p, size_t size, int flags);
size_t nallocx(size_t size, int flags);
"""

# Exit code: the line of the first thing that is wrong, modulo 256, or 0.
PROGRAM = CALLS + r"""
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define WANT(what) ((what) ? (void)0 : (printf("%d: %s\n", __LINE__, #what), exit(1)))
enum { ZERO = 0x40, NO_CACHE = 0x100, ARENA_3 = 4 << 20 };
static const size_t sizes[] = {1, 15, 16, 100, 1000, 4200, 5000, 32768, 40000, 100000, 3 << 20,
                               40 << 20};
static int reads(const unsigned char *p, size_t from, size_t to, int byte)
{
    while (from < to && p[from] == byte)
        from++;
    return from == to;
}
static void one(size_t size, int lg, int flags)
{
    int all = flags | lg;
    size_t align = (size_t)1 << lg, told = nallocx(size, all);
    for (int i = 0; i < 3; i++) { /* what was written before may come again */
        unsigned char *p = mallocx(size, all);
        WANT(p != NULL && (uintptr_t)p % (align < 16 ? 16 : align) == 0);
        size_t real = sallocx(p, all);
        WANT(real >= size && real == malloc_usable_size(p) && told >= size && told <= real);
        WANT(!(flags & ZERO) || reads(p, 0, real, 0));
        memset(p, 0x5a, real);
        WANT(xallocx(p, size, 100, all) >= size && reads(p, 0, real, 0x5a));
        unsigned char *q = rallocx(p, size * 2, all);
        WANT(q != NULL && (uintptr_t)q % align == 0 && reads(q, 0, size, 0x5a));
        WANT(!(flags & ZERO) || sallocx(q, all) < real || reads(q, real, sallocx(q, all), 0));
        q = rallocx(q, (size + 1) / 2, all);
        WANT(q != NULL && (uintptr_t)q % align == 0 && reads(q, 0, (size + 1) / 2, 0x5a));
        if (i == 0)
            dallocx(q, all);
        else if (i == 1)
            free(q);
        else
            sdallocx(q, (size + 1) / 2, all);
    }
}
int main(void)
{
    static const int flags[] = {0, ZERO, NO_CACHE, ARENA_3 | ZERO};
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        for (unsigned f = 0; f < sizeof(flags) / sizeof(*flags); f++)
            for (int lg = 0; lg <= 16; lg += sizes[i] > 100000 ? 13 : lg == 0 ? 3 : 1)
                one(sizes[i], lg, flags[f]);
    size_t impossible = (size_t)PTRDIFF_MAX + 1;
    WANT(mallocx(impossible, 0) == NULL && mallocx(impossible, ZERO | 6) == NULL);
    WANT(nallocx(impossible, 0) == 0 && nallocx(1, 62) == 0);
    WANT(mallocx(1, 62) == NULL && mallocx(1, 63 | ZERO) == NULL);
    char *p = mallocx(100, 0);
    strcpy(p, "stays");
    WANT(rallocx(p, impossible, 0) == NULL && rallocx(p, impossible, 6 | ZERO) == NULL);
    WANT(strcmp(p, "stays") == 0);
    free(p);
    p = malloc(100);
    WANT(sallocx(p, 0) >= 100);
    p = rallocx(p, 200, 0);
    dallocx(p, 0);
    puts("right");
    return 0;
}
"""

TWICE = CALLS + r"""
#include <stdlib.h>
int main(void)
{
    void *p = mallocx(100, 0);
    dallocx(p, 0);
    dallocx(p, 0);
    return 0;
}
"""

# Another malloc, as a library: blocks of the one freed in the other would be found out.
OTHER = CALLS + r"""
#include <stdlib.h>
static _Alignas(64) char arena[1 << 20];
static size_t used;
static void *mine(size_t size)
{
    void *p = arena + used;
    used += (size + 63) / 64 * 64;
    return p;
}
static void want(const void *p)
{
    if ((const char *)p < arena || (const char *)p >= arena + sizeof(arena))
        abort();
}
void *mallocx(size_t size, int flags) { return flags < 0 ? NULL : mine(size); }
void *rallocx(void *p, size_t size, int flags) { want(p); return mallocx(size, flags); }
size_t xallocx(void *p, size_t size, size_t extra, int flags)
{
    want(p);
    return size + extra * (flags < 0);
}
size_t sallocx(const void *p, int flags) { want(p); return (size_t)(flags == 0); }
void dallocx(void *p, int flags) { if (flags == 0) want(p); }
void sdallocx(void *p, size_t size, int flags) { if (size != (size_t)flags) want(p); }
size_t nallocx(size_t size, int flags) { return size + (size_t)flags; }
"""

MIXED = CALLS + r"""
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
    for (int i = 0; i < 1000; i++) {
        void *p = mallocx(100, 0x100), *q = malloc(100);
        if (malloc_usable_size(p) < 100 || sallocx(q, 0) < 100)
            return 2;
        free(rallocx(p, 3000, 0));
        if (i % 2)
            dallocx(q, 0);
        else
            sdallocx(q, 100, 0);
    }
    puts("right");
    return 0;
}
"""

# The program's own calls, made of those with flags: none of ours comes back to them.
AROUND = CALLS + r"""
#include <stdio.h>
#include <string.h>
void *malloc(size_t size) { return mallocx(size ? size : 1, 0); }
void free(void *p) { if (p != NULL) dallocx(p, 0); }
void *calloc(size_t n, size_t size) { return mallocx(n * size ? n * size : 1, 0x40); }
void *realloc(void *p, size_t size) { return p != NULL ? rallocx(p, size, 0) : malloc(size); }
size_t malloc_usable_size(void *p) { return p != NULL ? sallocx(p, 0) : 0; }
int main(void)
{
    char *p = strcpy(malloc(20), "stays");
    for (size_t size = 20; size < 5000000; size = size * 3 / 2)
        if ((p = realloc(p, size)) == NULL || malloc_usable_size(p) < size || strcmp(p, "stays"))
            return 2;
    if ((p = rallocx(p, 30, 6)) == NULL || strcmp(p, "stays") || xallocx(p, 30, 0, 0) < 30)
        return 3;
    free(p);
    p = calloc(3, 50);
    if (p[0] != 0 || p[149] != 0)
        return 4;
    free(p);
    puts("right");
    return 0;
}
"""

# Some of the calls are the program's own, made of the C library's second names.
SECOND = r"""
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define TAKEN(type, name, takes, gives) \
    type __libc_##name takes; \
    static unsigned name##_calls; \
    type name takes { name##_calls++; return __libc_##name gives; }
TAKEN(void *, malloc, (size_t size), (size))
void __libc_free(void *p);
static unsigned free_calls;
void free(void *p) { free_calls++; __libc_free(p); }
#ifdef ALL
TAKEN(void *, calloc, (size_t n, size_t size), (n, size))
TAKEN(void *, realloc, (void *p, size_t size), (p, size))
TAKEN(void *, memalign, (size_t align, size_t size), (align, size))
TAKEN(void *, valloc, (size_t size), (size))
TAKEN(void *, pvalloc, (size_t size), (size))
#else
enum { calloc_calls = 1, realloc_calls = 1, memalign_calls = 1, valloc_calls = 1,
       pvalloc_calls = 1 };
#endif
int main(void)
{
    void *aligned;
    unsigned frees = free_calls, mallocs = malloc_calls;
    char *p = malloc(20);
    strcpy(p, "stays");
    p = realloc(p, 50000);
    if (malloc_usable_size(p) < 50000 || strcmp(p, "stays") != 0)
        return 2;
    free(p);
    p = calloc(3, 50);
    if (p[0] != 0 || p[149] != 0)
        return 3;
    free(p);
    free(memalign(256, 100));
    free(valloc(10));
    free(pvalloc(10));
    free(aligned_alloc(64, 10));
    if (posix_memalign(&aligned, 4096, 10) != 0)
        return 4;
    free(aligned);
    free(reallocarray(malloc(10), 10, 10));
    free(strdup("x"));
    p = __libc_malloc(30);
    free(p);
    if (malloc_calls < mallocs + 2 || free_calls < frees + 10)
        return 5;
    if (!calloc_calls || !realloc_calls || !memalign_calls || !valloc_calls || !pvalloc_calls)
        return 6;
    puts("right");
    return 0;
}
"""

# Another malloc's, as mimalloc has them: blocks out of its own memory.
OTHER_COPIES = r"""
#include <stddef.h>
static char arena[64];
char *strdup(const char *s) { arena[0] = *s; return arena; }
char *strndup(const char *s, size_t most) { arena[1] = most ? *s : 0; return arena + 1; }
"""

COPIES = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef OWN
static _Alignas(16) char mine[1 << 20];
static size_t used, freed;
void *malloc(size_t size) { void *p = mine + used; used += (size + 31) / 16 * 16; return p; }
void *calloc(size_t n, size_t size) { return memset(malloc(n * size), 0, n * size); }
void *realloc(void *p, size_t size) { return p ? memcpy(malloc(size), p, size) : malloc(size); }
void free(void *p)
{
    if (p != NULL && ((char *)p < mine || (char *)p >= mine + sizeof(mine)))
        abort();
    freed += p != NULL;
}
#endif
static int is(char *p, const char *s)
{
    int same = p != NULL && strcmp(p, s) == 0;
    free(p);
    return same;
}
int main(void)
{
    static const char no_end[3] = "abc";
    for (size_t len = 0; len < 100; len++) {
        char s[101] = "";
        memset(s, 'x', len);
        if (!is(strdup(s), s) || !is(strndup(s, len), s) || !is(strndup(s, 1000), s))
            return 2;
    }
    if (!is(strndup(no_end, 3), "abc") || !is(strndup(no_end, 2), "ab") || !is(strndup("", 0), ""))
        return 3;
#ifdef OWN
    if (freed != 303)
        return 4;
#endif
    puts("right");
    return 0;
}
"""


def build(folder, name, text, *flags):
    path = os.path.join(folder, name)
    subprocess.run(["gcc", "-O1", "-w", "-fno-builtin", "-xc", "-", "-xnone", "-o", path, *flags],
                   input=text, text=True, check=True)
    return path


def run(program, conf):
    environment = {**os.environ, "LD_PRELOAD": LIBRARY, "LOAM_CONF": conf}
    done = subprocess.run([program], env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="loam-mallocx-") as folder:
        linked = [LIBRARY, f"-Wl,-rpath,{os.path.dirname(LIBRARY)}"]
        program = build(folder, "program", PROGRAM, *linked)
        twice = build(folder, "twice", TWICE, *linked)
        other = build(folder, "libother.so", OTHER, "-shared", "-fPIC")
        mixed = build(folder, "mixed", MIXED, other, f"-Wl,-rpath,{folder}")
        around = build(folder, "around", AROUND, *linked)
        some = build(folder, "some", SECOND, "-rdynamic")
        every = build(folder, "every", SECOND, "-DALL", "-rdynamic")
        copies = build(folder, "libcopies.so", OTHER_COPIES, "-shared", "-fPIC")
        copied = build(folder, "copied", COPIES, copies, f"-Wl,-rpath,{folder}")
        own = build(folder, "own", COPIES, "-DOWN", "-rdynamic")
        for conf in MODES:
            for name, copier in (("whatever malloc has it", copied), ("by the program's", own)):
                result = run(copier, conf)
                tap.check(result == (0, "right\n", ""), f"{conf or 'default'}: strdup, {name}",
                          [str(part) for part in result])
            for name, second in (("two", some), ("all", every)):
                result = run(second, conf)
                tap.check(result == (0, "right\n", ""),
                          f"{conf or 'default'}: {name} of the calls made of the second names",
                          [str(part) for part in result])
            result = run(program, conf)
            tap.check(result == (0, "right\n", ""), f"{conf or 'default'}: as jemalloc has them",
                      [str(part) for part in result])
            result = run(mixed, conf)
            tap.check(result == (0, "right\n", ""), f"{conf or 'default'}: in place of another's",
                      [str(part) for part in result])
            result = run(around, conf)
            tap.check(result == (0, "right\n", ""), f"{conf or 'default'}: a malloc made of them",
                      [str(part) for part in result])
        code, _, errors = run(twice, "")
        tap.check(code == -6 and "double free" in errors, "twice by dallocx: told, the end",
                  [f"{code}", errors])
    tap.done()


if __name__ == "__main__":
    main()
