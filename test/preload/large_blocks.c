/* SPDX-License-Identifier: MIT */
/* large_blocks.c - blocks of megabytes in a process: what of them is in memory, and how. */
#define _GNU_SOURCE
#include "loam_libc.h"
#include "smaps.h"
#include "tap_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MIB ((size_t)1 << 20)

/* Called through pointers: compilers know malloc, and would leave out what nobody reads. */
static void *(*volatile alloc)(size_t) = malloc;
static void *(*volatile alloc_zero)(size_t, size_t) = calloc;
static void *(*volatile resize)(void *, size_t) = realloc;
static void (*volatile release)(void *) = free;

/* A system may have large pages for all memory: a small process has none of them. */
static void small_pages(tap *t)
{
    enum { BLOCKS = 20 };
    unsigned char *little = alloc(100), *block[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++)
        TAP_CHECK(t, (block[i] = alloc(2 * MIB)) != NULL);
    if (!smaps_knows_large(little)) {
        tap_note(t, "the system has none, or does not say");
    } else {
        TAP_EQ(t, smaps_flag(little, " nh"), 1);
        TAP_EQ(t, smaps_flag(block[0], " nh"), 1);
        TAP_EQ(t, smaps_flag(block[BLOCKS - 1], " nh"), 0);
    }
    for (unsigned i = 0; i < BLOCKS; i++)
        release(block[i]);
    release(little);
}

static void huge_pages(tap *t)
{
    unsigned char *first = alloc(40 * MIB), *small = alloc(16 * MIB), *large = alloc(64 * MIB);
    TAP_CHECK(t, first != NULL && small != NULL && large != NULL);
    int at_first = smaps_flag(first + 8 * MIB, " hg"), at_once = smaps_flag(large + 8 * MIB, " hg");
    release(first);
    unsigned char *block = alloc(40 * MIB);
    TAP_CHECK(t, block != NULL);
    if (!smaps_knows_large(block + 8 * MIB)) {
        tap_note(t, "the system has none, or does not say");
    } else {
        TAP_EQ(t, at_first, 0);
        TAP_EQ(t, at_once, 1);
        TAP_EQ(t, smaps_flag(block + 8 * MIB, " hg"), 1);
        TAP_EQ(t, smaps_flag(small + 8 * MIB, " hg"), 0);
    }
    release(small);
    release(large);
    release(block);
}

static bool is_zero(const unsigned char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] != 0)
            return false;
    return true;
}

/* What nobody had reads 0 and is not in memory; what somebody had reads 0, too. */
static void zeros(tap *t)
{
    long before = smaps_resident();
    unsigned char *block = alloc_zero(3, MIB);
    TAP_CHECK(t, block != NULL);
    TAP_CHECK(t, before < 0 || smaps_resident() - before < 1024);
    TAP_CHECK(t, is_zero(block, 3 * MIB));
    memset(block, 1, 3 * MIB);
    release(block);
    for (size_t size = 100000; size < 6 * MIB; size += size / 3) {
        block = alloc_zero(1, size);
        TAP_CHECK(t, block != NULL && is_zero(block, size));
        memset(block, 1, size);
        release(block);
    }
}

/* Memory that went back reads 0, and calloc knows; what stayed in use does not. */
static void zeros_after_trim(tap *t)
{
    unsigned char *block = alloc(3 * MIB), *wall = alloc(100000);
    TAP_CHECK(t, block != NULL && wall != NULL);
    memset(block, 1, 3 * MIB);
    release(block);
    long before = smaps_resident();
    malloc_trim(0);
    TAP_CHECK(t, before < 0 || before - smaps_resident() > 1024);
    block = alloc_zero(3, MIB);
    TAP_CHECK(t, block != NULL && is_zero(block, 3 * MIB));
    release(block);
    release(wall);
}

/* Blocks that grow by halves, all together: what they leave behind is used again. */
static void growth(tap *t)
{
    enum { BLOCKS = 16 };
    unsigned char *block[BLOCKS] = {NULL};
    long before = smaps_resident(), most = 0;
    for (size_t size = 40000; size < MIB; size += size / 2)
        for (unsigned i = 0; i < BLOCKS; i++) {
            block[i] = resize(block[i], size);
            TAP_CHECK(t, block[i] != NULL);
            memset(block[i], (int)i, size);
            most = smaps_resident() > most ? smaps_resident() : most;
        }
    TAP_CHECK(t, before < 0 || most - before < 24 * 1024); /* of 14 MiB that are out at last */
    for (unsigned i = 0; i < BLOCKS; i++) {
        TAP_EQ(t, block[i][20000], i);
        release(block[i]);
    }
}

static bool can_move(void)
{
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *way = mremap(page, 4096, 4096, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    bool can = way != MAP_FAILED;
    if (can)
        munmap(way, 4096);
    munmap(page, 4096);
    return can;
}

/* Free runs that are too short for a block give it their memory, and blocks between them keep what
 * is in them; again and again. */
static void short_runs(tap *t)
{
    enum { RUNS = 12, ROUNDS = 8 };
    unsigned char *run[RUNS], *wall[RUNS];
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < RUNS; i++) {
            run[i] = alloc(3 * MIB + (size_t)tap_below(t, MIB));
            wall[i] = alloc(MIB / 2);
            TAP_CHECK(t, run[i] != NULL && wall[i] != NULL);
            memset(run[i], 1, 3 * MIB);
            memset(wall[i], (int)(i + 2), MIB / 2);
        }
        for (unsigned i = 0; i < RUNS; i++)
            release(run[i]);
        long before = smaps_resident();
        unsigned char *block = alloc(20 * MIB);
        TAP_CHECK(t, block != NULL);
        memset(block, 3, 20 * MIB);
        TAP_CHECK(t, before < 0 || !can_move() || smaps_resident() - before < 8 * 1024);
        for (unsigned i = 0; i < RUNS; i++) {
            for (size_t at = 0; at < MIB / 2; at += 64)
                TAP_CHECK(t, wall[i][at] == i + 2);
            release(wall[i]);
        }
        TAP_CHECK(t, block[0] == 3 && block[20 * MIB - 1] == 3);
        release(block);
    }
}

/* Somebody advises a part of a block, which is several mappings from then on: mremap refuses them.
 */
static void apart(tap *t)
{
    for (size_t size = 5 * MIB; size <= 40 * MIB; size += 35 * MIB) {
        unsigned char *block = alloc(size);
        TAP_CHECK(t, block != NULL);
        memset(block, 4, size);
        uintptr_t page = ((uintptr_t)block + MIB) & ~(uintptr_t)(MIB - 1);
        TAP_EQ(t, madvise((void *)page, MIB, MADV_DONTDUMP), 0);
        unsigned char *more = resize(block, 2 * size);
        TAP_CHECK(t, more != NULL && more[0] == 4 && more[size - 1] == 4);
        memset(more, 5, 2 * size);
        block = resize(more, 3 * size / 2);
        TAP_CHECK(t, block != NULL && block[0] == 5 && block[3 * size / 2 - 1] == 5);
        release(block);
    }
}

/* Blocks beside free runs that are too short for them: of these about as much goes as comes. */
static void spared(tap *t)
{
    enum { RUNS = 400, BLOCKS = 100, SHORT = 100 * 1000, LONG = 250 * 1000 };
    static unsigned char *wall[RUNS], *block[BLOCKS];
    static unsigned char *run[RUNS];
    for (unsigned i = 0; i < RUNS; i++) {
        run[i] = alloc(SHORT);
        wall[i] = alloc(SHORT);
        TAP_CHECK(t, run[i] != NULL && wall[i] != NULL);
        memset(run[i], 1, SHORT);
        memset(wall[i], (int)i, SHORT);
    }
    long before = smaps_resident(); /* some of it may go after a while, too */
    for (unsigned i = 0; i < RUNS; i++)
        release(run[i]);
    for (unsigned i = 0; i < BLOCKS; i++) {
        block[i] = alloc(LONG);
        TAP_CHECK(t, block[i] != NULL);
        memset(block[i], (int)i + 1, LONG);
    }
    TAP_CHECK(t, before < 0 || smaps_resident() - before < 18 * 1024); /* of 24 MiB */
    for (unsigned i = 0; i < RUNS; i++) {
        TAP_CHECK(t, wall[i][0] == (i & 255) && wall[i][SHORT - 1] == (i & 255));
        release(wall[i]);
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        TAP_CHECK(t, block[i][0] == i + 1 && block[i][LONG - 1] == i + 1);
        release(block[i]);
    }
}

/* The tables of a process reach so far at first; blocks behind that are known, too. */
static void beyond(tap *t)
{
    enum { BLOCKS = 2500 };
    static unsigned char *block[BLOCKS];
    uintptr_t least = UINTPTR_MAX, most = 0;
    if (sizeof(void *) == 4)
        return;
    for (unsigned i = 0; i < BLOCKS; i++) {
        block[i] = alloc(MIB);
        TAP_CHECK(t, block[i] != NULL && malloc_usable_size(block[i]) == MIB);
        least = (uintptr_t)block[i] < least ? (uintptr_t)block[i] : least;
        most = (uintptr_t)block[i] > most ? (uintptr_t)block[i] : most;
    }
    TAP_CHECK(t, most - least >= (BLOCKS - 1) * MIB);
    for (unsigned i = 0; i < BLOCKS; i++)
        release(block[i]);
    unsigned char *small = alloc(16);
    TAP_CHECK(t, small != NULL);
    release(small);
}

static const tap_case cases[] = {
    /* first: where huge pages were asked for a word is 2 MiB */
    {"calloc: megabytes: what nobody had is not touched, the rest is cleared", zeros},
    {"malloc: the first 16 MiB: no large pages, whatever the system does", small_pages},
    {"malloc: 64 MiB, and 40 once more: huge pages are asked for, else not", huge_pages},
    {"calloc: after malloc_trim: zeros", zeros_after_trim},
    {"realloc: blocks that grow: old places are used again", growth},
    {"malloc: 20 MiB beside shorter free runs: their memory moves there", short_runs},
    {"realloc: a block that is several mappings by now: copied", apart},
    {"malloc: 250 KB beside shorter free runs: these lose memory", spared},
    {"malloc: 2.5 GiB of blocks: found where the tables came later", beyond},
};
static const tap_suite suite = {"large_blocks", cases, LOAM_ARRAY_LEN(cases)};

int main(int argc, char **argv)
{
    return tap_host_main(&suite, argc, argv);
}
