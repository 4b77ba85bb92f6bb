/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_ASPACE_ORACLE_H
#define LOAM_TEST_ASPACE_ORACLE_H

/* aspace_oracle.h - several address spaces beside plain arrays that are obviously right.
 *
 * The window is a row of pages, and a space is an array of them, contents and all. Each step does
 * one thing to both and compares the answers: reads, writes, execution, copies, map, unmap,
 * protect, clone, destroy, with memory refused now and then. The includer defines the two functions
 * declared first.
 */
#include "aspace_ground.h"
#include <string.h>

enum { ORACLE_PAGES = 96, ORACLE_SPACES = 5, PAGE = LOAM_PAGE_SIZE };

uint64_t oracle_below(uint64_t n); /* 0 .. n - 1: what happens next */
_Noreturn void oracle_wrong(int line, const char *text);

typedef struct oracle_page {
    bool taken, present;
    bool asks;  /* present, and a write to it has to ask first: it was shared */
    bool floor; /* the guard page of a stack */
    unsigned flags;
    unsigned piece; /* pages of one region have one number */
    unsigned frame; /* spaces that share a frame have one number for it */
    unsigned char byte[PAGE];
} oracle_page;

typedef struct oracle_space {
    loam_aspace *as; /* NULL: none */
    loam_aspace_stats stats;
    oracle_page page[ORACLE_PAGES];
} oracle_space;

static struct {
    oracle_space space[ORACLE_SPACES];
    uint64_t base; /* address of page 0 of the row */
    unsigned pieces, frames;
} oracle;

#define ORACLE_CHECK(cond)                                                                         \
    do {                                                                                           \
        if (!(cond))                                                                               \
            oracle_wrong(__LINE__, #cond);                                                         \
    } while (0)

static bool oracle_is_shared(const oracle_page *page)
{
    unsigned owners = 0;
    for (const oracle_space *s = oracle.space; s < oracle.space + ORACLE_SPACES; s++)
        for (unsigned i = 0; s->as != NULL && i < ORACLE_PAGES; i++)
            owners += s->page[i].present && s->page[i].frame == page->frame;
    return owners > 1;
}

static uint64_t oracle_va(unsigned i)
{
    return oracle.base + (uint64_t)i * PAGE;
}

/* ---- what an access should do ---- */

static unsigned oracle_piece_end(const oracle_space *s, unsigned i)
{
    unsigned piece = s->page[i].piece;
    while (i < ORACLE_PAGES && s->page[i].taken && s->page[i].piece == piece)
        i++;
    return i;
}

/* The lowest page present of the piece that page i is in, or the piece's end. */
static unsigned oracle_low(const oracle_space *s, unsigned i)
{
    unsigned piece = s->page[i].piece, low = i;
    while (low > 0 && s->page[low - 1].taken && s->page[low - 1].piece == piece)
        low--;
    for (unsigned end = oracle_piece_end(s, i); low < end; low++)
        if (s->page[low].present)
            return low;
    return low;
}

static loam_aspace_verdict oracle_verdict(const oracle_space *s, unsigned i, unsigned access)
{
    const oracle_page *page = &s->page[i];
    if (!page->taken)
        return LOAM_FAULT_NOTHING;
    if ((page->flags & LOAM_ASPACE_GUARD) != 0)
        return LOAM_FAULT_GUARD;
    if (access == LOAM_ACCESS_WRITE && (page->flags & LOAM_PT_WRITE) == 0)
        return LOAM_FAULT_READ_ONLY;
    if (access == LOAM_ACCESS_EXEC && (page->flags & LOAM_PT_EXEC) == 0)
        return LOAM_FAULT_NO_EXEC;
    if (page->present || (page->flags & LOAM_ASPACE_STACK) == 0)
        return LOAM_FAULT_DONE;
    unsigned low = oracle_low(s, i);
    bool near = i >= low || (low - i) * PAGE <= LOAM_ASPACE_STACK_GAP;
    return page->floor || !near ? LOAM_FAULT_STACK : LOAM_FAULT_DONE;
}

/* The access succeeds: what changes besides contents. */
static void oracle_touch(oracle_space *s, unsigned i, unsigned access)
{
    oracle_page *page = &s->page[i];
    if (!page->present) {
        page->present = true;
        page->asks = false;
        page->frame = ++oracle.frames;
        memset(page->byte, 0, PAGE);
        s->stats.demand_zero++;
        s->stats.stack_grown += (page->flags & LOAM_ASPACE_STACK) != 0;
        return;
    }
    bool shared = oracle_is_shared(page);
    bool asks = access == LOAM_ACCESS_WRITE && (page->asks || shared);
    if (!asks && !(access == ASPACE_LOAD && shared))
        return;
    if (shared) {
        page->frame = ++oracle.frames;
        s->stats.cow_copied++;
    } else {
        s->stats.cow_reused++;
    }
    page->asks = false;
}

/* ---- the world as a whole ---- */

static uint64_t oracle_frames_out(void)
{
    static bool seen[1 << 20];
    uint64_t count = 0;
    for (unsigned pass = 0; pass < 2; pass++)
        for (const oracle_space *s = oracle.space; s < oracle.space + ORACLE_SPACES; s++)
            for (unsigned i = 0; s->as != NULL && i < ORACLE_PAGES; i++) {
                bool *at = &seen[s->page[i].frame % (1 << 20)];
                if (!s->page[i].present)
                    continue;
                count += pass == 0 && !*at;
                *at = pass == 0;
            }
    return count;
}

static void oracle_compare_page(const oracle_space *s, unsigned i)
{
    const oracle_page *page = &s->page[i];
    loam_pt_entry entry;
    bool present = loam_pt_query(&s->as->pt, oracle_va(i), &entry);
    ORACLE_CHECK(present == page->present);
    if (present)
        ORACLE_CHECK(memcmp(ground_bytes(loam_pa_to_pfn(entry.pa)), page->byte, PAGE) == 0);
    loam_aspace_region region;
    bool taken = loam_aspace_find(s->as, oracle_va(i), &region);
    ORACLE_CHECK(taken == page->taken);
    if (taken) {
        ORACLE_CHECK(region.flags == page->flags);
        ORACLE_CHECK(region.base + region.len == oracle_va(oracle_piece_end(s, i)));
    }
}

static inline void oracle_compare(void)
{
    const char *bad = loam_aspace_world_check(ground.world);
    if (bad != NULL)
        oracle_wrong(__LINE__, bad);
    ORACLE_CHECK(ground.windows == 0);
    ORACLE_CHECK(ground_frames_out() == oracle_frames_out());
    for (const oracle_space *s = oracle.space; s < oracle.space + ORACLE_SPACES; s++) {
        if (s->as == NULL)
            continue;
        loam_aspace_stats now;
        uint64_t resident = 0, shared = 0;
        loam_aspace_stat(s->as, &now);
        for (unsigned i = 0; i < ORACLE_PAGES; i++) {
            oracle_compare_page(s, i);
            resident += s->page[i].present;
            shared += s->page[i].present && oracle_is_shared(&s->page[i]);
        }
        ORACLE_CHECK(now.resident == resident);
        ORACLE_CHECK(now.shared == shared);
        ORACLE_CHECK(now.demand_zero == s->stats.demand_zero);
        ORACLE_CHECK(now.cow_copied == s->stats.cow_copied);
        ORACLE_CHECK(now.cow_reused == s->stats.cow_reused);
        ORACLE_CHECK(now.stack_grown == s->stats.stack_grown);
        ORACLE_CHECK(now.refused == s->stats.refused);
    }
}

/* ---- steps: the program's own ---- */

/* One byte read, written or executed, as the processor would: it asks only when it has to. */
static void oracle_access(oracle_space *s, unsigned i, unsigned access)
{
    oracle_page *page = &s->page[i];
    unsigned offset = (unsigned)oracle_below(PAGE);
    loam_aspace_verdict want = oracle_verdict(s, i, access), got;
    unsigned char *p = ground_reach(s->as, oracle_va(i) + offset, (loam_aspace_access)access, &got);
    if (got == LOAM_FAULT_NO_MEMORY && want == LOAM_FAULT_DONE) {
        s->stats.refused++;
        return;
    }
    /* tables that cannot refuse execution never ask */
    bool open = access == LOAM_ACCESS_EXEC && (s->as->pt.features & LOAM_PT_NX) == 0 &&
                page->present && want == LOAM_FAULT_NO_EXEC;
    ORACLE_CHECK(got == (open ? LOAM_FAULT_DONE : want));
    ORACLE_CHECK((p != NULL) == (got == LOAM_FAULT_DONE));
    s->stats.refused += got != LOAM_FAULT_DONE;
    if (want != LOAM_FAULT_DONE)
        return;
    oracle_touch(s, i, access);
    ORACLE_CHECK(*p == page->byte[offset]);
    if (access == LOAM_ACCESS_WRITE)
        *p = page->byte[offset] = (unsigned char)(1 + oracle_below(255));
}

/* ---- steps: the kernel's ---- */

/* How far a copy of len bytes comes, page by page; *verdict: why no further. */
static size_t oracle_copy(oracle_space *s, uint64_t at, unsigned char *kernel, size_t len,
                          unsigned access, loam_aspace_verdict *verdict)
{
    size_t done = 0;
    *verdict = LOAM_FAULT_DONE;
    while (done < len) {
        unsigned i = (unsigned)((at + done) / PAGE);
        size_t offset = (at + done) % PAGE, part = PAGE - offset;
        part = part > len - done ? len - done : part;
        *verdict = i < ORACLE_PAGES ? oracle_verdict(s, i, access) : LOAM_FAULT_KERNEL;
        if (*verdict != LOAM_FAULT_DONE)
            return done;
        oracle_touch(s, i, access);
        if (access == LOAM_ACCESS_READ)
            memcpy(kernel + done, s->page[i].byte + offset, part);
        else
            memcpy(s->page[i].byte + offset, kernel + done, part);
        done += part;
    }
    return done;
}

static void oracle_step_copy(oracle_space *s, unsigned access)
{
    static unsigned char real[3 * PAGE], plain[3 * PAGE];
    uint64_t at = oracle_below((uint64_t)ORACLE_PAGES * PAGE);
    size_t len = (size_t)oracle_below(sizeof real), done = len, want_done;
    loam_aspace_verdict got, want;
    memset(plain, (int)oracle_below(256), sizeof plain);
    memcpy(real, plain, sizeof real);
    if (access == LOAM_ACCESS_READ)
        got = loam_aspace_copy_from(s->as, real, oracle.base + at, len, &done);
    else if (access == LOAM_ACCESS_WRITE)
        got = loam_aspace_copy_to(s->as, oracle.base + at, real, len, &done);
    else
        got = loam_aspace_load(s->as, oracle.base + at, real, len);
    want_done = oracle_copy(s, at, plain, len, access, &want);
    ORACLE_CHECK(got == want);
    ORACLE_CHECK(access == ASPACE_LOAD || done == want_done);
    ORACLE_CHECK(memcmp(real, plain, sizeof real) == 0);
}

/* Makes a region begin at page i where one lies across it. */
static void oracle_cut(oracle_space *s, unsigned i)
{
    if (i == 0 || i >= ORACLE_PAGES || !s->page[i].taken || !s->page[i - 1].taken)
        return;
    unsigned piece = s->page[i].piece;
    if (s->page[i - 1].piece != piece)
        return;
    oracle.pieces++;
    for (; i < ORACLE_PAGES && s->page[i].taken && s->page[i].piece == piece; i++)
        s->page[i].piece = oracle.pieces;
}

static bool oracle_is_free(const oracle_space *s, unsigned i, unsigned n)
{
    if (i + n > ORACLE_PAGES)
        return false;
    for (unsigned k = i; k < i + n; k++)
        if (s->page[k].taken)
            return false;
    return true;
}

static loam_err oracle_place(const oracle_space *s, unsigned n, bool fixed, unsigned *i)
{
    if (fixed && *i + n > ORACLE_PAGES)
        return LOAM_ERANGE;
    if (oracle_is_free(s, *i, n))
        return LOAM_OK;
    if (fixed)
        return LOAM_EBUSY;
    for (*i = 0; *i + n <= ORACLE_PAGES; (*i)++)
        if (oracle_is_free(s, *i, n))
            return LOAM_OK;
    return LOAM_ENOMEM;
}

static void oracle_step_map(oracle_space *s)
{
    static const unsigned kinds[] = {0,
                                     LOAM_PT_WRITE,
                                     LOAM_PT_WRITE,
                                     LOAM_PT_EXEC,
                                     LOAM_PT_WRITE | LOAM_PT_EXEC,
                                     LOAM_ASPACE_GUARD,
                                     LOAM_PT_WRITE | LOAM_ASPACE_STACK,
                                     LOAM_PT_WRITE | LOAM_ASPACE_STACK};
    unsigned i = (unsigned)oracle_below(ORACLE_PAGES), n = 1 + (unsigned)oracle_below(24);
    unsigned flags = kinds[oracle_below(8)];
    bool fixed = oracle_below(2) != 0, stack = (flags & LOAM_ASPACE_STACK) != 0;
    uint64_t at = 0, len = (uint64_t)n * PAGE - oracle_below(PAGE);
    n += stack && n == 1;
    len = stack && len <= PAGE ? 2 * PAGE : len;
    uint64_t hint = oracle_va(i);
    loam_err got =
        loam_aspace_map(s->as, hint, len, flags | (fixed ? LOAM_ASPACE_FIXED : 0), "region", &at);
    loam_err want = oracle_place(s, n, fixed, &i);
    if (got == LOAM_ENOMEM)
        return; /* refused on purpose, or no room: nothing may have changed */
    ORACLE_CHECK(got == want);
    if (got != LOAM_OK)
        return;
    ORACLE_CHECK(at == oracle_va(i));
    oracle.pieces++;
    for (unsigned k = i; k < i + n; k++) {
        oracle_page *page = &s->page[k];
        page->taken = true;
        page->present = false;
        page->flags = flags;
        page->piece = oracle.pieces;
        page->floor = stack && k == i;
    }
}

static void oracle_step_unmap(oracle_space *s)
{
    unsigned i = (unsigned)oracle_below(ORACLE_PAGES);
    unsigned n = 1 + (unsigned)oracle_below(ORACLE_PAGES - i);
    n = n > 10 ? 10 : n;
    loam_err got = loam_aspace_unmap(s->as, oracle_va(i), (uint64_t)n * PAGE);
    if (got == LOAM_ENOMEM)
        return;
    ORACLE_CHECK(got == LOAM_OK);
    oracle_cut(s, i);
    oracle_cut(s, i + n);
    for (unsigned k = i; k < i + n; k++)
        s->page[k].taken = s->page[k].present = false;
}

static void oracle_step_protect(oracle_space *s)
{
    unsigned i = (unsigned)oracle_below(ORACLE_PAGES);
    unsigned n = 1 + (unsigned)oracle_below(ORACLE_PAGES - i);
    n = n > 12 ? 12 : n;
    unsigned rights = (unsigned)oracle_below(4); /* of LOAM_PT_WRITE and LOAM_PT_EXEC */
    loam_err want = LOAM_OK;
    rights = (rights & 1 ? LOAM_PT_WRITE : 0U) | (rights & 2 ? LOAM_PT_EXEC : 0U);
    for (unsigned k = i; k < i + n; k++)
        if (!s->page[k].taken || (s->page[k].flags & LOAM_ASPACE_GUARD) != 0)
            want = LOAM_ENOENT;
    loam_err got = loam_aspace_protect(s->as, oracle_va(i), (uint64_t)n * PAGE, rights);
    if (got == LOAM_ENOMEM && want == LOAM_OK)
        return;
    ORACLE_CHECK(got == want);
    if (got != LOAM_OK)
        return;
    oracle_cut(s, i);
    oracle_cut(s, i + n);
    for (unsigned k = i; k < i + n; k++) {
        oracle_page *page = &s->page[k];
        page->flags = (page->flags & LOAM_ASPACE_STACK) | rights;
        page->asks = page->present && oracle_is_shared(page);
    }
}

static oracle_space *oracle_vacant(void)
{
    for (oracle_space *s = oracle.space; s < oracle.space + ORACLE_SPACES; s++)
        if (s->as == NULL)
            return s;
    return NULL;
}

static void oracle_step_create(void)
{
    oracle_space *s = oracle_vacant();
    if (s == NULL)
        return;
    memset(s, 0, sizeof *s);
    s->as = loam_aspace_create(ground.world);
}

static void oracle_step_clone(oracle_space *s)
{
    oracle_space *child = oracle_vacant();
    loam_aspace *as = child != NULL ? loam_aspace_clone(s->as) : NULL;
    if (as == NULL)
        return;
    for (unsigned i = 0; i < ORACLE_PAGES; i++)
        s->page[i].asks = s->page[i].present;
    *child = *s;
    child->as = as;
    child->stats = (loam_aspace_stats){0};
}

static void oracle_step_destroy(oracle_space *s)
{
    loam_aspace_destroy(s->as);
    s->as = NULL;
}

/* ---- a life ---- */

static inline bool oracle_begin(const loam_pt_format *format)
{
    if (!ground_prepare(format))
        return false;
    memset(&oracle, 0, sizeof oracle);
    /* The row lies across the edge of a table, and of those above it. */
    oracle.base = (format == &loam_pt_i386 ? 0x800000ULL : 1ULL << 40) - ORACLE_PAGES / 3 * PAGE;
    ground.config.kernel = NULL;
    ground.config.base = oracle.base;
    ground.config.len = (uint64_t)ORACLE_PAGES * PAGE;
    ground.world = loam_aspace_world_init(&ground.config);
    return ground.world != NULL;
}

static inline void oracle_end(void)
{
    for (oracle_space *s = oracle.space; s < oracle.space + ORACLE_SPACES; s++)
        if (s->as != NULL)
            oracle_step_destroy(s);
    ORACLE_CHECK(loam_aspace_world_check(ground.world) == NULL);
    ORACLE_CHECK(loam_zone_check(ground.zone) == NULL);
    ORACLE_CHECK(ground_frames_out() == 0);
    ORACLE_CHECK(ground.table.out == ground.kernel.tables);
    ORACLE_CHECK(loam_aspace_world_fini(ground.world) == LOAM_OK);
    ORACLE_CHECK(ground.unit.out == 0);
}

static void oracle_refuse(uint64_t n)
{
    ground_source *const source[] = {&ground.frame, &ground.table, &ground.unit};
    for (unsigned i = 0; i < 3; i++)
        ground_refuse(source[i], GROUND_NEVER, false);
    if (n != 0)
        ground_refuse(source[oracle_below(3)], n, oracle_below(2) != 0);
}

/* A page of the row: mostly one in a region. */
static unsigned oracle_some_page(const oracle_space *s)
{
    unsigned i = 0;
    for (unsigned tries = 0; tries < 3; tries++) {
        i = (unsigned)oracle_below(ORACLE_PAGES);
        if (s->page[i].taken)
            break;
    }
    return i;
}

static void oracle_step_access(oracle_space *s)
{
    unsigned i = oracle_some_page(s), access = (unsigned)oracle_below(4);
    oracle_access(s, i, access == 3 ? LOAM_ACCESS_WRITE : access);
}

static inline void oracle_step(void)
{
    oracle_space *s = &oracle.space[oracle_below(ORACLE_SPACES)];
    unsigned kind = (unsigned)oracle_below(200);
    if (s->as == NULL) {
        if (kind < 10)
            oracle_step_create();
        return;
    }
    bool scarce = kind >= 30 && oracle_below(10) == 0;
    oracle_refuse(scarce ? 1 + oracle_below(6) : 0);
    if (kind < 10)
        oracle_step_copy(s, LOAM_ACCESS_READ);
    else if (kind < 22)
        oracle_step_copy(s, LOAM_ACCESS_WRITE);
    else if (kind < 30)
        oracle_step_copy(s, ASPACE_LOAD);
    else if (kind < 150)
        oracle_step_access(s);
    else if (kind < 175)
        oracle_step_map(s);
    else if (kind < 182)
        oracle_step_unmap(s);
    else if (kind < 188)
        oracle_step_protect(s);
    else if (kind < 197)
        oracle_step_clone(s);
    else
        oracle_step_destroy(s);
    oracle_refuse(0);
}

#endif
