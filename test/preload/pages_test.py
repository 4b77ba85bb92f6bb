#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""libloam.so where the system's pages are larger than its frames of 4 KiB, as on many 64-bit ARM
machines: 16 and 64 KiB. Here a library that is preloaded first stands for such a system: rights,
memory that comes and goes, and moves are those of whole pages, and what begins inside of one is
refused. Prints TAP.
"""
import os
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import ROOT, Tap  # noqa: E402

BUILD = os.path.join(ROOT, "build/host")
LIBRARY = os.path.join(BUILD, "libloam.so")
KIB = 1 << 10

# The system's calls with pages of PAGE bytes. Files are mapped as they are: their loader's matter.
SYSTEM = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
unsigned long __getauxval(unsigned long type);
static size_t up(size_t len) { return (len + PAGE - 1) & ~(size_t)(PAGE - 1); }
static int begins_inside(const void *at)
{
    if ((uintptr_t)at % PAGE == 0)
        return 0;
    errno = EINVAL;
    return 1;
}
unsigned long getauxval(unsigned long type)
{
    return type == AT_PAGESZ ? PAGE : __getauxval(type);
}
int getpagesize(void) { return PAGE; }
int munmap(void *at, size_t len)
{
    return begins_inside(at) ? -1 : (int)syscall(SYS_munmap, at, up(len));
}
int mprotect(void *at, size_t len, int rights)
{
    return begins_inside(at) ? -1 : (int)syscall(SYS_mprotect, at, up(len), rights);
}
int madvise(void *at, size_t len, int advice)
{
    return begins_inside(at) ? -1 : (int)syscall(SYS_madvise, at, up(len), advice);
}
void *mmap(void *at, size_t len, int rights, int flags, int file, off_t from)
{
    if (file >= 0 || (flags & MAP_FIXED) != 0)
        return (flags & MAP_FIXED) != 0 && begins_inside(at)
                   ? MAP_FAILED
                   : (void *)syscall(SYS_mmap, at, up(len), rights, flags, file, from);
    char *map = (char *)syscall(SYS_mmap, NULL, up(len) + PAGE, rights, flags, file, from);
    if (map == MAP_FAILED)
        return map;
    char *good = (char *)up((uintptr_t)map);
    if (good != map)
        syscall(SYS_munmap, map, good - map);
    if (good != map + PAGE)
        syscall(SYS_munmap, good + up(len), map + PAGE - good);
    return good;
}
void *mremap(void *at, size_t was, size_t len, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    void *to = (flags & MREMAP_FIXED) != 0 ? va_arg(rest, void *) : NULL, *map = MAP_FAILED;
    va_end(rest);
    if (begins_inside(at) || begins_inside(to))
        return MAP_FAILED;
    if (to == NULL && (flags & ~MREMAP_MAYMOVE) == 0)
        map = (void *)syscall(SYS_mremap, at, up(was), up(len), 0);
    if (map != MAP_FAILED || (flags & MREMAP_MAYMOVE) == 0)
        return map;
    if (to == NULL)
        to = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return to == MAP_FAILED
               ? to
               : (void *)syscall(SYS_mremap, at, up(was), up(len), flags | MREMAP_FIXED, to);
}
int mincore(void *at, size_t len, unsigned char *in)
{
    unsigned char of[PAGE / 4096];
    if (begins_inside(at))
        return -1;
    for (size_t i = 0; i < up(len) / PAGE; i++) {
        if (syscall(SYS_mincore, (char *)at + i * PAGE, PAGE, of) != 0)
            return -1;
        in[i] = 0;
        for (unsigned k = 0; k < sizeof(of); k++)
            in[i] |= of[k];
    }
    return 0;
}
"""

# Blocks of all lengths, that change theirs, keep their bytes, and go; a page is the system's. With
# "over": writes so far behind a long block that it meets the page that guards it. With "trim": of
# 20 MB of short ones each hundredth stays; KiB in memory then.
BLOCKS = r"""
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
enum { BLOCKS = 500 };
static unsigned char *block[BLOCKS];
static size_t size[BLOCKS];
static unsigned draw(void)
{
    static unsigned long long state = 1;
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(state >> 33);
}
static size_t draw_size(void)
{
    unsigned kind = draw() % 100;
    return 1 + draw() % (kind < 70 ? 3000 : kind < 96 ? 200000 : kind < 99 ? 5000000 : 40000000);
}
static int check(int i)
{
    unsigned char *p = block[i];
    return p != NULL && (p[0] != (unsigned char)i || p[size[i] - 1] != (unsigned char)(i + 1));
}
static void mark(int i)
{
    block[i][0] = (unsigned char)i;
    block[i][size[i] - 1] = (unsigned char)(size[i] > 1 ? i + 1 : i);
    if (size[i] == 1)
        size[i] = 0; /* no last byte to look at */
}
static int trim(void)
{
    static char *one[20000], line[200];
    for (int i = 0; i < 20000; i++)
        memset(one[i] = malloc(1000), 1, 1000);
    for (int i = 0; i < 20000; i++)
        if (i % 100 != 0)
            free(one[i]);
    malloc_trim(0);
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, "Rss:", 4) == 0)
            printf("%d\n", atoi(line + 4));
    return 0;
}
int main(int argc, char **argv)
{
    int wrong = 0;
    size_t page = getauxval(AT_PAGESZ);
    if (argc > 1 && argv[1][0] == 't')
        return trim();
    if (argc > 1)
        ((volatile char *)malloc(1000000))[1000000 + page] = 1;
    for (int step = 0; step < 20000; step++) {
        int i = (int)(draw() % BLOCKS);
        size_t want = draw_size();
        wrong += size[i] != 0 && check(i);
        if (draw() % 4 == 0 && size[i] != 0) {
            unsigned char *q = realloc(block[i], want);
            wrong += q == NULL || q[0] != (unsigned char)i;
            block[i] = q;
        } else {
            free(block[i]);
            block[i] = draw() % 8 != 0 ? malloc(want) : aligned_alloc(page, (want + page) & -page);
        }
        size[i] = want;
        wrong += block[i] == NULL;
        mark(i);
        if (step % 4000 == 0)
            malloc_trim(0);
    }
    for (int i = 0; i < BLOCKS; i++)
        free(block[i]);
    malloc_trim(0);
    printf("%zu %d %d\n", page, wrong, (int)((uintptr_t)valloc(1) % page));
    return 0;
}
"""

# A system that takes any address would show nothing.
INSIDE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
int main(void)
{
    char *map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("%d %d\n", mprotect(map, 4096, PROT_READ), mprotect(map + 4096, 4096, PROT_READ));
    map[1 << 14 >> 1] = 1; /* read only, as all of its page */
    return 0;
}
"""


def compiled(folder, name, source, *flags, compiler="gcc"):
    path = os.path.join(folder, name)
    with open(path + ".c", "w", encoding="ascii") as file:
        file.write(source)
    subprocess.run([compiler, "-O1", "-w", *flags, path + ".c", "-o", path], check=True)
    return path


def run(command, conf, *libraries):
    env = {**os.environ, "LOAM_CONF": conf, "LD_PRELOAD": " ".join(libraries)}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False,
                          timeout=300)


def shown(done):
    return [str(done.returncode), *(done.stdout + done.stderr).splitlines()[:20]]


def with_pages(tap, folder, page):
    system = compiled(folder, f"system{page}.so", SYSTEM, "-shared", "-fPIC", f"-DPAGE={page}")
    blocks = os.path.join(folder, "blocks")
    done = run([os.path.join(folder, "inside")], "", system)
    tap.check((done.returncode, done.stdout) == (-signal.SIGSEGV, ""),
              f"self-test: pages of {page // KIB} KiB: their rights are one", shown(done))
    for conf in ("", "hardened", "guard,poison,quarantine=64K,owner", "guard_pages", "memory=64M",
                 "limit=900M", "huge_from=0"):
        done = run([blocks], conf, system, LIBRARY)
        tap.check((done.returncode, done.stdout, done.stderr) == (0, f"{page} 0 0\n", ""),
                  f"pages of {page // KIB} KiB: blocks of all lengths: {conf or 'default'}",
                  shown(done))
    done = run([blocks, "over"], "guard_pages", system, LIBRARY)
    tap.check(done.returncode == -signal.SIGSEGV,
              f"pages of {page // KIB} KiB: one guards a long block", shown(done))
    if page <= 16 * KIB:  # one of 64 KiB is a slab
        for conf in ("", "hardened"):
            done = run([blocks, "trim"], conf, system, LIBRARY)
            tap.check(done.stdout.strip().isdigit() and int(done.stdout) < 9000, "malloc_trim: "
                      f"pages of 16 KiB between blocks: gone: {conf or 'default'}", shown(done))
    for name in ("malloc_mix", "heaps_model", "large_blocks"):
        done = run([os.path.join(ROOT, "build/preload", name)], "", system)
        tap.check(done.returncode == 0, f"pages of {page // KIB} KiB: {name}", shown(done))


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="loam-pages-") as folder:
        compiled(folder, "blocks", BLOCKS)
        compiled(folder, "inside", INSIDE)
        for page in (16 * KIB, 64 * KIB):
            with_pages(tap, folder, page)
    tap.done()


if __name__ == "__main__":
    main()
