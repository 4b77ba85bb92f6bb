/* SPDX-License-Identifier: MIT */
/* slab_sparse_model.c - pages of slabs in which nothing lies: which go, whose slabs are looked at,
 * and that no block ever loses a byte; and what a port is told while memory is short. */
#include "slab_told.h"

enum { FRAME = LOAM_PAGE_SIZE, ALL = 0xffff };

/* What went, the last time. */
static struct {
    unsigned calls;
    unsigned char *va[8];
    size_t len[8];
    bool refuses;
} gone;

/* As new pages would be, the memory reads another thing then. */
static bool give(void *ctx, void *va, size_t len)
{
    (void)ctx;
    gone.va[gone.calls & 7] = va;
    gone.len[gone.calls & 7] = len;
    gone.calls++;
    if (!gone.refuses)
        memset(va, 0x5a, len);
    return !gone.refuses;
}

/* The slab that an address lies in. */
static unsigned char *slab_at(const void *p)
{
    return (unsigned char *)((uintptr_t)p & ~(uintptr_t)cpus.slabs->mask);
}

static uint64_t sweep(const void *p, uint32_t pages)
{
    gone.calls = 0;
    return loam_slab__sparse(cpus.slabs, slab_at(p), pages, LOAM_PAGE_SHIFT, give, NULL);
}

/* The same where the system's pages are larger than frames. */
static uint64_t sweep_wide(const void *p, uint32_t pages, unsigned shift)
{
    gone.calls = 0;
    return loam_slab__sparse(cpus.slabs, slab_at(p), pages, shift, give, NULL);
}

static loam_cache *start(tap *t, size_t size, const char *options, bool stacks)
{
    cpus.stacks = stacks;
    cpus_start(t, 3, 1024, options);
    cpus.stacks = false;
    return things(t, size);
}

/* A slab of 16 pages, 64 slots of a quarter of a page. */
static void whole_pages(tap *t)
{
    unsigned char *p[64];
    loam_cache *c = start(t, 1024, "shift=16", false);
    for (unsigned i = 0; i < 64; i++) {
        p[i] = loam_cache_alloc(c);
        memset(p[i], (int)i, 1024);
    }
    unsigned char *base = slab_at(p[0]);
    TAP_CHECK(t, p[63] == base + 63 * 1024);
    TAP_EQ(t, sweep(base, ALL), 0);
    for (unsigned i = 4; i < 15; i++) /* pages 1 and 2, and three slots of page 3 */
        TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
    TAP_EQ(t, loam_cache_free(c, p[63]), LOAM_OK);
    TAP_EQ(t, sweep(base, ALL), 2 * FRAME);
    TAP_CHECK(t, gone.calls == 1 && gone.va[0] == base + FRAME && gone.len[0] == 2 * FRAME);
    TAP_EQ(t, sweep(base, 1U << 2 | 1U << 3), FRAME); /* the port says which are there */
    TAP_CHECK(t, gone.calls == 1 && gone.va[0] == base + 2 * FRAME);
    for (unsigned i = 60; i < 63; i++)
        TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
    TAP_EQ(t, sweep(base, ALL), 3 * FRAME); /* the last page, too: a run apart */
    TAP_CHECK(t, gone.calls == 2 && gone.va[1] == base + 15 * FRAME && gone.len[1] == FRAME);
    gone.refuses = true;
    TAP_EQ(t, sweep(base, ALL), 0);
    gone.refuses = false;
    TAP_EQ(t, gone.calls, 2);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    TAP_CHECK(t, p[3][1023] == 3 && p[15][0] == 15 && p[59][1023] == 59);
}

/* A page of four frames goes when nothing lies in any of them, one of sixteen is the slab. */
static void wide_pages(tap *t)
{
    enum { SHIFT = LOAM_PAGE_SHIFT + 2 };
    unsigned char *p[64];
    loam_cache *c = start(t, 1024, "shift=16", false);
    for (unsigned i = 0; i < 64; i++)
        p[i] = loam_cache_alloc(c);
    unsigned char *base = slab_at(p[0]);
    for (unsigned i = 4; i < 16; i++) /* all but the first frame of the first page */
        TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
    TAP_EQ(t, sweep_wide(base, 0xf, SHIFT), 0);
    for (unsigned i = 16; i < 31; i++) /* of the next one all but a slot */
        TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
    TAP_EQ(t, sweep_wide(base, 0xf, SHIFT), 0);
    TAP_EQ(t, loam_cache_free(c, p[31]), LOAM_OK);
    TAP_EQ(t, sweep_wide(base, 0xf, SHIFT), 4 * FRAME);
    TAP_CHECK(t, gone.calls == 1 && gone.va[0] == base + 4 * FRAME && gone.len[0] == 4 * FRAME);
    TAP_EQ(t, sweep_wide(base, 1 << 0 | 1 << 2, SHIFT), 0); /* the port says which are there */
    TAP_EQ(t, sweep_wide(base, 1, 16), 0);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

/* Slots of 3 KiB lie on two pages: that of a neighbour that is out stays. Behind the last slot is
 * a page of nobody's. */
static void slots_across(tap *t)
{
    unsigned char *p[21];
    loam_cache *c = start(t, 3072, "shift=16", false);
    for (unsigned i = 0; i < 21; i++)
        p[i] = loam_cache_alloc(c);
    TAP_EQ(t, loam_cache_free(c, p[1]), LOAM_OK); /* 3072 to 6144 */
    TAP_EQ(t, sweep(p[0], ALL), 0);
    TAP_EQ(t, loam_cache_free(c, p[2]), LOAM_OK); /* to 9216: page 1 */
    TAP_EQ(t, sweep(p[0], ALL), FRAME);
    TAP_CHECK(t, gone.va[0] == slab_at(p[0]) + FRAME);
    TAP_EQ(t, loam_cache_free(c, p[20]), LOAM_OK); /* from 61440 on: page 15 */
    TAP_EQ(t, sweep(p[0], 1U << 15), FRAME);
    c = start(t, 20480, "shift=16", false); /* three slots: 15 pages */
    p[0] = loam_cache_alloc(c);
    TAP_EQ(t, sweep(p[0], ALL), 11 * FRAME);
    TAP_CHECK(t, gone.calls == 1 && gone.va[0] == slab_at(p[0]) + 5 * FRAME);
    p[1] = loam_cache_alloc(c);
    p[2] = loam_cache_alloc(c);
    TAP_EQ(t, sweep(p[0], ALL), FRAME);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

/* What waits on a stack is free: its memory goes, and it is given out all the same. Slabs with
 * stacks begin their slots a few lines later. */
static void stacked(tap *t)
{
    unsigned char *p[9];
    loam_cache *c = start(t, 7168, "shift=16", true);
    TAP_CHECK(t, c->shades > 1);
    for (unsigned n = 0; n < 3; n++)
        for (unsigned i = 0; i < 9; i++) {
            p[i] = loam_cache_alloc(c);
            memset(p[i], (int)i, 7168);
        }
    unsigned char *base = slab_at(p[0]);
    TAP_EQ(t, loam_cache_free(c, p[2]), LOAM_OK);
    TAP_EQ(t, sweep(base, ALL), FRAME);
    TAP_CHECK(t, gone.va[0] == base + 4 * FRAME && p[2] >= base + 2 * 7168);
    TAP_CHECK(t, loam_cache_alloc(c) == p[2]);
    TAP_EQ(t, sweep(base, ALL), 0);
    for (unsigned i = 0; i < 9; i++)
        TAP_CHECK(t, i == 2 || (p[i][0] == i && p[i][7167] == i));
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

/* Of other processors' slabs nothing goes; of those behind the lock anybody's, but for one that is
 * given up. */
static void whose(tap *t)
{
    loam_cache *c = start(t, 4096, "shift=16", true);
    void *p = loam_cache_alloc(c);
    TAP_CHECK(t, loam_slab__has_slab(cpus.slabs, slab_at(p)));
    TAP_CHECK(t, !loam_slab__has_slab(cpus.slabs, slab_at(p) + 0x10000));
    TAP_EQ(t, sweep(slab_at(p) + 0x10000, ALL), 0);
    CPUS_ON(1);
    TAP_EQ(t, sweep(p, ALL), 0);
    CPUS_ON(0);
    TAP_EQ(t, sweep(p, ALL), 15 * FRAME);
    loam_slabs_rest(cpus.slabs);
    CPUS_ON(1);
    TAP_EQ(t, sweep(p, ALL), 15 * FRAME);
    c = start(t, 4096, "shift=16", true);
    p = loam_cache_alloc(c);
    loam_slabs_offline(cpus.slabs);
    CPUS_ON(1);
    TAP_EQ(t, sweep(p, ALL), 15 * FRAME);
    slab_desc *d = slab_desc_at(cpus.slabs, slab_off(cpus.slabs, p));
    uint32_t state = slab_remote_of(d)->state;
    TAP_CHECK(t, loam_slab__kill(cpus.slabs, d));
    TAP_EQ(t, sweep(p, ALL), 0); /* somebody releases it, without the lock */
    slab_remote_of(d)->state = state;
    TAP_EQ(t, sweep(p, ALL), 15 * FRAME);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    CPUS_ON(0);
}

static void build(void *ctx, void *p)
{
    (void)ctx;
    memset(p, 7, 4096);
}

/* Objects that are built once stay. */
static void built(tap *t)
{
    cpus_start(t, 1, 1024, "shift=16");
    loam_cache *c = loam_cache_create(cpus.slabs, "built", 4096, 0, build, NULL);
    unsigned char *p = loam_cache_alloc(c);
    TAP_EQ(t, sweep(p, ALL), 0);
    TAP_CHECK(t, p[0] == 7 && gone.calls == 0);
}

/* Every byte of a slot that is not free: with seals 8 later than the slot itself. */
static uint32_t pages_of_none(const loam_cache *c, const void *slab)
{
    const slab_desc *d = desc_of(slab);
    uint32_t pages = ALL;
    for (unsigned i = 0; i < c->slots; i++) {
        size_t from = (size_t)(slab_slot_base(d, i) - (const unsigned char *)slab);
        from += slab_has_seals(cpus.slabs) ? 8 : 0;
        for (size_t at = from; !slab_bit(d->words, i) && at < from + c->stride; at++)
            pages &= ~(1U << at / FRAME);
    }
    return pages;
}

static uint32_t pages_gone(const unsigned char *slab)
{
    uint32_t pages = 0;
    for (unsigned i = 0; i < gone.calls; i++)
        for (size_t at = 0; at < gone.len[i]; at += FRAME)
            pages |= 1U << (size_t)(gone.va[i] + at - slab) / FRAME;
    return pages;
}

/* A full slab of which a row of slots is freed: what goes, and that nothing is missed there. */
static void row_goes(tap *t, size_t size, const char *options)
{
    enum { BLOCKS = 256 };
    unsigned char *p[BLOCKS], *slab;
    loam_cache *c = start(t, size, options, false);
    unsigned n = c->slots, from = n / 4, to = n - n / 4;
    for (unsigned i = 0; i < n; i++)
        memset(p[i] = loam_cache_alloc(c), 0xee, size);
    slab = slab_at(p[0]);
    TAP_EQ(t, sweep(slab, pages_of_none(c, slab)), FRAME * loam_popcount64(pages_of_none(c, slab)));
    for (unsigned i = from; i < to; i++)
        TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
    uint32_t pages = pages_of_none(c, slab);
    (void)sweep(slab, ALL);
    TAP_EQ(t, pages_gone(slab), pages);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    for (unsigned i = from; i < to; i++)
        REFUSED(t, 1, "double free", TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_EINVAL));
    for (unsigned i = 0; i < n; i++)
        if (i < from || i >= to)
            TAP_CHECK(t, p[i][0] == 0xee && p[i][size - 1] == 0xee);
    for (unsigned i = from; i < to; i++)
        memset(loam_cache_alloc(c), 0xdd, size);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

static void modes(tap *t)
{
    static const char *const options[] = {
        "shift=16,guard",  "shift=16,poison", "shift=16,zero_free", "shift=16,owner",
        "shift=16,random", "shift=16,zero",   "shift=16,hardened"};
    static const size_t sizes[] = {500, 1008, 1024, 3000, 4080, 4096, 7000, 12000, 16000};
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(options); i++)
        for (unsigned k = 0; k < LOAM_ARRAY_LEN(sizes); k++)
            row_goes(t, sizes[k], options[i]);
}

/* Where somebody wrote after a free nothing goes, so that it is told. */
static void written_after_free(tap *t)
{
    static const char *const options[] = {"shift=16,guard,poison", "shift=16,zero_free"};
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(options); i++) {
        loam_cache *c = start(t, 4000, options[i], false);
        unsigned char *p = loam_cache_alloc(c), *q = loam_cache_alloc(c), *slab = slab_at(p);
        TAP_EQ(t, loam_cache_free(c, q), LOAM_OK);
        TAP_EQ(t, slab_at(q) - slab, 0);
        unsigned char was = q[3000], out = (unsigned char)((q + 3000 - slab) / FRAME);
        q[3000] = 77;
        (void)sweep(slab, ALL);
        TAP_EQ(t, pages_gone(slab) & 1U << out, 0);
        TAP_RULE(t, loam_slabs_check(cpus.slabs), "S10 freed bytes hold the poison");
        q[3000] = was;
        (void)sweep(slab, ALL);
        TAP_EQ(t, pages_gone(slab), pages_of_none(c, slab));
        TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    }
}

/* Three processors, blocks of all sizes that go and come, some freed elsewhere; each sweeps now and
 * then, and every byte of what is out stays. */
static void contents_with(tap *t, const char *options)
{
    enum { BLOCKS = 400, STEPS = 20000 };
    static unsigned char *p[BLOCKS];
    static size_t size[BLOCKS];
    uint64_t bytes = 0;
    memset(p, 0, sizeof(p));
    cpus.stacks = true;
    cpus_start(t, 3, 8192, options);
    cpus.stacks = false;
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned i = (unsigned)tap_below(t, BLOCKS);
        CPUS_ON((unsigned)tap_below(t, 8) < 6 ? i % 3 : (unsigned)tap_below(t, 3));
        if (p[i] != NULL) {
            unsigned char want = (unsigned char)(i + size[i]);
            bool whole = p[i][0] == want && p[i][size[i] / 2] == want && p[i][size[i] - 1] == want;
            TAP_CHECK(t, whole);
            TAP_EQ(t, loam_kmalloc_free(cpus.k, p[i]), LOAM_OK);
            p[i] = NULL;
        } else {
            size[i] = 1 + (size_t)tap_below(t, 16ULL << tap_below(t, 12));
            p[i] = loam_kmalloc_alloc(cpus.k, size[i]);
            TAP_CHECK(t, p[i] != NULL);
            memset(p[i], (int)(i + size[i]), size[i]);
        }
        if (step % 64 == 0)
            for (unsigned at = 0; at < 8192 / 16; at++)
                bytes += sweep(cpus.arena + at * 0x10000, ALL);
        if (step % 1024 == 0)
            TAP_RULE(t, loam_kmalloc_check(cpus.k), NULL);
    }
    TAP_CHECK(t, bytes > 100 * FRAME);
    for (unsigned i = 0; i < BLOCKS; i++)
        TAP_EQ(t, loam_kmalloc_free(cpus.k, p[i]), LOAM_OK);
    TAP_RULE(t, loam_kmalloc_check(cpus.k), NULL);
    CPUS_ON(0);
}

static void contents(tap *t)
{
    contents_with(t, "shift=16");
}

static void contents_modes(tap *t)
{
    contents_with(t, "shift=16,hardened");
    contents_with(t, "shift=16,guard,poison,owner");
    contents_with(t, "shift=16,zero_free,quarantine=20000,random");
}

static struct {
    unsigned calls;
    size_t bytes;
} told;

static void tight(loam_slabs *slabs, size_t bytes)
{
    told.calls += slabs == cpus.slabs;
    told.bytes = bytes;
}

/* The port hears of a slab, of what comes out of one, and of a large block, while it wants to. */
static void tells(tap *t)
{
    cpus.tight = tight;
    loam_cache *c = start(t, 4096, "shift=16", true);
    cpus.tight = NULL;
    told.calls = 0;
    void *p = loam_cache_alloc(c);
    TAP_EQ(t, told.calls, 0);
    loam_slab__set_tight(cpus.slabs, 1, 0);
    TAP_CHECK(t, loam_cache_alloc(c) != p); /* four come onto the stack, and one is taken */
    TAP_EQ(t, told.calls, 1);
    TAP_EQ(t, told.bytes, 4 * FRAME + SLAB_TIGHT_UNIT);
    loam_cache *other = things(t, 64);
    TAP_CHECK(t, loam_cache_alloc(other) != NULL);
    TAP_EQ(t, told.calls, 2);
    TAP_EQ(t, told.bytes, 16 * FRAME + SLAB_TIGHT_UNIT);
    void *large = loam_kmalloc_alloc(cpus.k, 100000);
    TAP_CHECK(t, large != NULL);
    TAP_EQ(t, told.calls, 3);
    TAP_EQ(t, told.bytes, 25 * FRAME + SLAB_TIGHT_UNIT);
    loam_slab__set_tight(cpus.slabs, 1, 60 * FRAME);
    for (unsigned i = 0; i < 5; i++) { /* 25, 50, 75; 25, 50 */
        TAP_CHECK(t, loam_kmalloc_alloc(cpus.k, 100000) != NULL);
        TAP_EQ(t, told.calls, i < 2 ? 3 : 4);
    }
    TAP_EQ(t, told.bytes, 75 * FRAME + 3 * SLAB_TIGHT_UNIT);
    CPUS_ON(1);
    TAP_CHECK(t, loam_kmalloc_alloc(cpus.k, 100000) != NULL && told.calls == 4);
    CPUS_ON(0);
    TAP_CHECK(t, loam_kmalloc_alloc(cpus.k, 100000) != NULL && told.calls == 5);
    loam_slab__set_tight(cpus.slabs, 0, 0);
    TAP_CHECK(t, loam_kmalloc_alloc(cpus.k, 100000) != NULL);
    TAP_EQ(t, told.calls, 5);
    start(t, 4096, "shift=16", true); /* nobody is told */
    loam_slab__set_tight(cpus.slabs, 1, 0);
    TAP_CHECK(t, loam_kmalloc_alloc(cpus.k, 100000) != NULL && cpus.slabs->tight_now == 0);
}

static const tap_case cases[] = {
    {"slab sparse: whole pages alone go, in runs, of those that are there", whole_pages},
    {"slab sparse: pages of several frames go whole", wide_pages},
    {"slab sparse: slots on two pages; behind the last one", slots_across},
    {"slab sparse: what waits on a stack, slots that begin later", stacked},
    {"slab sparse: one's own, or those behind the lock; no slab, or one that goes", whose},
    {"slab sparse: objects that are built stay", built},
    {"slab sparse: with modes what is free goes, and is virgin", modes},
    {"slab sparse: with modes what was written to stays", written_after_free},
    {"slab sparse: no block loses a byte", contents},
    {"slab sparse: no block loses a byte, with modes", contents_modes},
    {"slab sparse: while memory is short the port is told", tells},
};
TAP_SUITE(slab_sparse_model, cases);

int main(int argc, char **argv)
{
    return cpus_main(&tap_suite_slab_sparse_model, argc, argv);
}
