/* SPDX-License-Identifier: MIT */
/* driver_ram.c - fake RAM: real memory where it is used, a note where only its contents count.
 *
 *     piece   [meta ---)                             given to the allocator: one mapping each
 *     run     ......[=======7========)[==9==)[5)     contents as filled, in frames; elsewhere 0
 *     frame         #  #   #                   #     filled in blocks up to 64 frames: real memory,
 *             ----------------------------------->   which must agree with the runs
 *                              physical address
 *
 * So a block of 2^40 frames near 2^64 can be filled and checked on a 32-bit machine.
 */
#define _DEFAULT_SOURCE
#include "driver_ram.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    PAGE_SHIFT = 12,
    PAGE = 1 << PAGE_SHIFT,
    ALIGN = 4 << 20,
    CHUNK = 1024, /* frames taken from the system at once */
    CHUNKS = 64,  /* 256 MiB; then contents become runs */
    REAL_MAX = 64 /* frames of the largest block that gets memory */
};

/* ---- pieces ---- */

static void *system_map(size_t len)
{
    void *p =
        mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* All of it may come to be written (kcalloc clears), so it must not be more than this machine can
 * give. */
static bool is_too_much(uint64_t len)
{
    uint64_t have = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    return len > SIZE_MAX / 2 - ALIGN || len > have / 2;
}

static void *piece_make(ram *r, uint64_t pa, uint64_t len, uint64_t at_len)
{
    if (r->pieces == RAM_PIECES || len == 0 || is_too_much(len))
        return NULL;
    ram_piece *p = &r->piece[r->pieces];
    p->raw_len = (size_t)len + ALIGN;
    p->raw = system_map(p->raw_len);
    if (p->raw == NULL)
        return NULL;
    p->va = (unsigned char *)(((uintptr_t)p->raw + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1));
    p->pa = pa;
    p->len = at_len;
    r->pieces++;
    return p->va;
}

void *ram_map(ram *r, uint64_t pa, uint64_t len)
{
    return piece_make(r, pa, len, len);
}

void *ram_outside(ram *r, uint64_t len)
{
    return piece_make(r, 0, len, 0);
}

/* The memory of [pa, pa + len) when all of it lies in one piece. */
static unsigned char *piece_find(const ram *r, uint64_t pa, uint64_t len)
{
    for (unsigned i = 0; i < r->pieces; i++) {
        const ram_piece *p = &r->piece[i];
        if (pa - p->pa < p->len && len <= p->len - (pa - p->pa))
            return p->va + (size_t)(pa - p->pa);
    }
    return NULL;
}

/* ---- frames ---- */

static ram_frame *frame_slot(ram_frame *table, size_t cap, uint64_t number)
{
    size_t i = (size_t)((number * 0x9e3779b97f4a7c15ULL) >> 32) & (cap - 1);
    while (table[i].number != 0 && table[i].number != number + 1)
        i = (i + 1) & (cap - 1);
    return &table[i];
}

static unsigned char *frame_find(const ram *r, uint64_t number)
{
    return r->frame_cap != 0 ? frame_slot(r->frame, r->frame_cap, number)->mem : NULL;
}

static bool frame_grow(ram *r)
{
    size_t cap = r->frame_cap != 0 ? 2 * r->frame_cap : 256;
    ram_frame *table = calloc(cap, sizeof *table);
    if (table == NULL)
        return false;
    for (size_t i = 0; i < r->frame_cap; i++)
        if (r->frame[i].number != 0)
            *frame_slot(table, cap, r->frame[i].number - 1) = r->frame[i];
    free(r->frame);
    r->frame = table;
    r->frame_cap = cap;
    return true;
}

static unsigned char *chunk_take(ram *r)
{
    if (r->chunks == 0 || r->chunk_used == CHUNK) {
        if (r->chunks == CHUNKS)
            return NULL;
        if (r->chunk == NULL)
            r->chunk = calloc(CHUNKS, sizeof *r->chunk);
        unsigned char *mem = r->chunk != NULL ? system_map((size_t)CHUNK * PAGE) : NULL;
        if (mem == NULL)
            return NULL;
        r->chunk[r->chunks++] = mem;
        r->chunk_used = 0;
    }
    return r->chunk[r->chunks - 1] + PAGE * r->chunk_used++;
}

/* The frame's memory, made when it has none. NULL: there is no more; contents are runs then. */
static unsigned char *frame_make(ram *r, uint64_t number)
{
    if (2 * r->frames >= r->frame_cap && !frame_grow(r))
        return NULL;
    ram_frame *f = frame_slot(r->frame, r->frame_cap, number);
    if (f->number == 0) {
        unsigned char *mem = chunk_take(r);
        if (mem == NULL)
            return NULL;
        *f = (ram_frame){number + 1, mem};
        r->frames++;
    }
    return f->mem;
}

/* ---- runs ---- */

/* Index of the first run that ends at or after the frame. */
static size_t run_find(const ram *r, uint64_t frame)
{
    size_t lo = 0, hi = r->runs;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (r->run[mid].last < frame)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* All of [first, last] holds the byte from now on. */
static bool run_set(ram *r, uint64_t first, uint64_t last, unsigned char byte)
{
    if (r->runs + 2 > r->run_cap) {
        size_t cap = 2 * r->run_cap + 64;
        ram_run *run = realloc(r->run, cap * sizeof *run);
        if (run == NULL)
            return false;
        r->run = run;
        r->run_cap = cap;
    }
    ram_run put[3];
    size_t n = 0, i = run_find(r, first), j = i;
    while (j < r->runs && r->run[j].first <= last)
        j++;
    if (i < j && r->run[i].first < first)
        put[n++] = (ram_run){r->run[i].first, first - 1, r->run[i].byte};
    put[n++] = (ram_run){first, last, byte};
    if (i < j && r->run[j - 1].last > last)
        put[n++] = (ram_run){last + 1, r->run[j - 1].last, r->run[j - 1].byte};
    memmove(r->run + i + n, r->run + j, (r->runs - j) * sizeof *r->run);
    memcpy(r->run + i, put, n * sizeof *put);
    r->runs = r->runs - (j - i) + n;
    return true;
}

/* Is [first, last] all `byte`? */
static bool run_all(const ram *r, uint64_t first, uint64_t last, unsigned char byte)
{
    for (size_t i = run_find(r, first); i < r->runs && r->run[i].first <= last; i++) {
        if (r->run[i].byte != byte || (byte != 0 && r->run[i].first > first))
            return false;
        if (r->run[i].last >= last)
            return true;
        first = r->run[i].last + 1;
    }
    return byte == 0;
}

/* ---- fill, check ---- */

static bool all_bytes(const unsigned char *at, uint64_t len, unsigned char byte)
{
    return len == 0 || (at[0] == byte && memcmp(at, at + 1, (size_t)len - 1) == 0);
}

bool ram_fill(ram *r, uint64_t pa, uint64_t len, unsigned char byte)
{
    uint64_t first = pa >> PAGE_SHIFT, count = len >> PAGE_SHIFT;
    unsigned char *at = piece_find(r, pa, len);
    if (at != NULL) {
        memset(at, byte, (size_t)len);
        return true;
    }
    if (!run_set(r, first, first + (count - 1), byte))
        return false;
    for (size_t i = 0; count > REAL_MAX && i < r->frame_cap; i++)
        if (r->frame[i].number != 0 && r->frame[i].number - 1 - first < count)
            memset(r->frame[i].mem, byte, PAGE);
    for (uint64_t i = 0; count <= REAL_MAX && i < count; i++)
        if ((at = frame_make(r, first + i)) != NULL)
            memset(at, byte, PAGE);
    return true;
}

bool ram_check(ram *r, uint64_t pa, uint64_t len, unsigned char byte)
{
    uint64_t first = pa >> PAGE_SHIFT, count = len >> PAGE_SHIFT;
    const unsigned char *at = piece_find(r, pa, len);
    if (at != NULL)
        return all_bytes(at, len, byte);
    if (!run_all(r, first, first + (count - 1), byte))
        return false;
    for (size_t i = 0; count > REAL_MAX && i < r->frame_cap; i++)
        if (r->frame[i].number != 0 && r->frame[i].number - 1 - first < count &&
            !all_bytes(r->frame[i].mem, PAGE, byte))
            return false;
    for (uint64_t i = 0; count <= REAL_MAX && i < count; i++)
        if ((at = frame_find(r, first + i)) != NULL && !all_bytes(at, PAGE, byte))
            return false;
    return true;
}

unsigned char *ram_frame_at(ram *r, uint64_t pa)
{
    unsigned char *at = piece_find(r, pa, PAGE);
    return at != NULL ? at : frame_make(r, pa >> PAGE_SHIFT);
}

/* ---- reading ---- */

static unsigned char peek_one(const ram *r, uint64_t pa)
{
    uint64_t number = pa >> PAGE_SHIFT;
    const unsigned char *at = piece_find(r, pa, 1);
    if (at != NULL)
        return *at;
    at = frame_find(r, number);
    if (at != NULL)
        return at[pa % PAGE];
    size_t i = run_find(r, number);
    return i < r->runs && r->run[i].first <= number ? r->run[i].byte : 0;
}

void ram_peek(const ram *r, uint64_t pa, unsigned char *byte, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        byte[i] = peek_one(r, pa + i);
}

void ram_reset(ram *r)
{
    for (unsigned i = 0; i < r->pieces; i++)
        munmap(r->piece[i].raw, r->piece[i].raw_len);
    for (size_t i = 0; i < r->chunks; i++)
        munmap(r->chunk[i], (size_t)CHUNK * PAGE);
    free(r->chunk);
    free(r->frame);
    free(r->run);
    memset(r, 0, sizeof *r);
}
