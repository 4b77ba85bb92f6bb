/* SPDX-License-Identifier: MIT */
/* kmalloc_model.c - random calls on kmalloc, and the same on a list of what should be out.
 *
 * Each block is filled with bytes that only it has. A block that overlaps another, moves without
 * its bytes, or is given out twice spoils them. Between the calls come wrong ones: each must be
 * refused and change nothing. Modes, slab size and memory differ from life to life; at the end of
 * a life, with everything freed and shrunk, the zone's free blocks are those of its start.
 */
#include "loam/kmalloc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ARENA = 24 << 20, META = 1 << 20, BLOCKS = 400, FREE_MAX = 4096, PA = 0x40000000 };

typedef struct block {
    unsigned char *p;
    size_t size;
    uint64_t key;
} block;

typedef struct snapshot {
    uint32_t count;
    uint64_t unit[FREE_MAX];
    unsigned order[FREE_MAX];
} snapshot;

typedef struct world {
    loam_zone *zone;
    loam_slabs *slabs;
    loam_kmalloc *k;
    loam_slab_config config;
    uint64_t frames;
    block out[BLOCKS];
    unsigned count;
    snapshot before, after;
} world;

static uint64_t rng;
static char why[300];
static unsigned char *arena, *meta;
static unsigned reports;

static uint64_t below(uint64_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (rng >> 11) % n;
}

static size_t below_size(size_t n)
{
    return (size_t)below(n);
}

static bool fail(const char *text, uint64_t a, uint64_t b)
{
    snprintf(why, sizeof why, "%s: %llx, %llx", text, (unsigned long long)a, (unsigned long long)b);
    return false;
}

static void on_report(void *ctx, const loam_report *r)
{
    char buf[300];
    loam_text text;
    (void)ctx;
    reports++;
    loam_text_init(&text, buf, sizeof buf);
    loam_report_text(&text, r);
    snprintf(why, sizeof why, "%.290s", buf);
}

/* ---- contents ---- */

static unsigned char byte_of(uint64_t key, size_t i)
{
    return (unsigned char)((key + i * 37) >> (i & 7));
}

static void fill(const block *b)
{
    for (size_t i = 0; i < b->size; i++)
        b->p[i] = byte_of(b->key, i);
}

static bool intact(const unsigned char *p, uint64_t key, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != byte_of(key, i))
            return fail("bytes spoiled: address, offset", (uintptr_t)p, i);
    }
    return true;
}

static bool all_zero(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != 0)
            return fail("not zero: address, offset", (uintptr_t)p, i);
    }
    return true;
}

/* ---- a life's zone ---- */

static bool note_free(void *ctx, uint64_t unit, unsigned order)
{
    snapshot *s = ctx;
    if (s->count < FREE_MAX) {
        s->unit[s->count] = unit;
        s->order[s->count] = order;
    }
    s->count++;
    return true;
}

static void look(const world *w, snapshot *s)
{
    s->count = 0;
    loam_zone_drain_all(w->zone);
    loam_zone_each_free(w->zone, 20, note_free, s);
}

static bool same(const snapshot *a, const snapshot *b)
{
    if (a->count != b->count || a->count > FREE_MAX)
        return fail("free blocks before, after", a->count, b->count);
    for (uint32_t i = 0; i < a->count; i++) {
        if (a->unit[i] != b->unit[i] || a->order[i] != b->order[i])
            return fail("free block differs", a->unit[i], b->unit[i]);
    }
    return true;
}

static bool start(world *w)
{
    static const uint64_t sizes[] = {60, 500, 2000, 6000};
    w->frames = sizes[below(4)];
    loam_span ram = {PA + below(3) * 0x5000, w->frames << LOAM_PAGE_SHIFT};
    loam_zone_config z;
    loam_zone_config_init(&z);
    z.fronts = below(2) != 0;
    z.linear = (loam_linear){PA, ARENA, arena};
    w->zone = loam_zone_init(meta, META, false, &ram, 1, &z);
    if (w->zone == NULL || loam_zone_add(w->zone, loam_pa_to_pfn(loam_pa_of(ram.base)), w->frames))
        return fail("zone", w->frames, 0);
    loam_slab_config *c = &w->config;
    loam_slab_config_init(c);
    c->shift = w->frames < 100 || below(4) == 0 ? 12 : 12 + (unsigned)below(5);
    c->modes = below(3) == 0 ? 0 : (unsigned)below(64);
    c->keep_empty = below(4) != 0;
    c->keep_large = below(3) == 0 ? (uint32_t)below(1 << 20) : 0;
    c->quarantine_bytes = w->frames < 100 ? 4096 : (uint32_t)(4096 << below(6));
    c->seed = below(1000);
    w->slabs = loam_slabs_init(w->zone, c);
    w->k = w->slabs != NULL ? loam_kmalloc_init(w->slabs) : NULL;
    w->count = 0;
    look(w, &w->before);
    return w->k != NULL || fail("kmalloc_init", c->shift, w->frames);
}

static bool sound(const world *w)
{
    const char *bad = loam_kmalloc_check(w->k);
    if (bad == NULL)
        bad = loam_zone_check(w->zone);
    return bad == NULL || fail(bad, 0, 0);
}

/* ---- steps ---- */

static size_t some_size(void)
{
    switch (below(8)) {
    case 0:
        return 1 + below_size(40000);
    case 1:
        return 1 + below_size(300000);
    case 2:
    case 3:
        return 1 + below_size(3000);
    default:
        return 1 + below_size(200);
    }
}

static bool keep(world *w, unsigned char *p, size_t size, size_t align)
{
    if (p == NULL)
        return true; /* no memory: small lives meet it often */
    if (((uintptr_t)p & (align - 1)) != 0)
        return fail("alignment", (uintptr_t)p, align);
    size_t usable = loam_kmalloc_size(w->k, p);
    bool exact = (w->config.modes & LOAM_SLAB_GUARD) != 0;
    if (usable < size || (exact && usable != size))
        return fail("usable size, asked", usable, size);
    w->out[w->count] = (block){p, size, below(UINT64_MAX)};
    fill(&w->out[w->count++]);
    return true;
}

static bool step_alloc(world *w)
{
    size_t size = some_size(), align = 16;
    unsigned char *p;
    unsigned kind = (unsigned)below(8);
    if (kind == 0) {
        align = (size_t)1 << below(23);
        p = loam_kmalloc_aligned(w->k, size, align);
    } else if (kind == 1) {
        p = loam_kmalloc_calloc(w->k, 1 + size / 7, 7);
        size = (1 + size / 7) * 7;
        if (p != NULL && !all_zero(p, size))
            return false;
    } else {
        p = kind == 2 ? loam_kmalloc_realloc(w->k, NULL, size) : loam_kmalloc_alloc(w->k, size);
        if (p != NULL && (w->config.modes & LOAM_SLAB_ZERO) != 0 && !all_zero(p, size))
            return false;
    }
    return keep(w, p, size, align);
}

static bool step_free(world *w, unsigned i)
{
    block b = w->out[i];
    if (!intact(b.p, b.key, b.size))
        return false;
    w->out[i] = w->out[--w->count];
    if (below(8) == 0)
        return loam_kmalloc_realloc(w->k, b.p, 0) == NULL && reports == 0;
    return loam_kmalloc_free(w->k, b.p) == LOAM_OK || fail("free refused", (uintptr_t)b.p, b.size);
}

static bool step_realloc(world *w, unsigned i)
{
    block *b = &w->out[i];
    size_t size = below(2) != 0 ? some_size() : 1 + below_size(b->size + 64);
    unsigned char *p = loam_kmalloc_realloc(w->k, b->p, size);
    if (p == NULL)
        return size > b->size ? intact(b->p, b->key, b->size) : fail("smaller", b->size, size);
    if (!intact(p, b->key, size < b->size ? size : b->size))
        return false;
    *b = w->out[--w->count];
    return keep(w, p, size, 1);
}

static bool step_wrong(world *w, unsigned i)
{
    static const size_t huge[] = {0,
                                  SIZE_MAX,
                                  SIZE_MAX - 15,
                                  PTRDIFF_MAX,
                                  (size_t)PTRDIFF_MAX + 1,
                                  SIZE_MAX / 2,
                                  SIZE_MAX - 4095};
    const block *b = &w->out[i];
    unsigned char *bad = below(2) != 0 ? b->p + 1 + below_size(b->size) : (unsigned char *)&bad;
    size_t h = huge[below(7)];
    if (loam_kmalloc_alloc(w->k, h) != NULL || loam_kmalloc_aligned(w->k, h, 64) != NULL ||
        loam_kmalloc_calloc(w->k, h, 3) != NULL || loam_kmalloc_calloc(w->k, 16, h) != NULL ||
        loam_kmalloc_aligned(w->k, 8, 24) != NULL || loam_kmalloc_aligned(w->k, 8, 0) != NULL)
        return fail("a size or alignment that cannot be was given out", h, 0);
    for (unsigned n = 0; n < w->count; n++) {
        if (w->out[n].p == bad) /* the next block begins right there */
            return true;
    }
    if (loam_kmalloc_free(w->k, bad) != LOAM_EINVAL || reports != 1)
        return fail("wrong free let pass", (uintptr_t)bad, (uintptr_t)b->p);
    if (loam_kmalloc_realloc(w->k, bad, 10) != NULL || loam_kmalloc_size(w->k, bad) != 0)
        return fail("wrong realloc let pass", (uintptr_t)bad, (uintptr_t)b->p);
    reports = 0;
    return intact(b->p, b->key, b->size);
}

static bool step_double(world *w, unsigned i)
{
    unsigned char *p = w->out[i].p;
    if (!step_free(w, i))
        return false;
    if (loam_kmalloc_free(w->k, p) != LOAM_EINVAL || reports != 1)
        return fail("double free let pass", (uintptr_t)p, 0);
    reports = 0;
    return true;
}

/* ---- views ---- */

static bool count_block(void *ctx, void *p, size_t size, const char *cache, const void *site)
{
    world *w = ctx;
    (void)cache;
    (void)site;
    for (unsigned i = 0; i < w->count; i++) {
        if (w->out[i].p == p) {
            reports += size < w->out[i].size && (w->config.modes & LOAM_SLAB_OWNER) != 0;
            reports += 2;
            return true;
        }
    }
    reports += 1000000;
    return true;
}

static bool views(world *w)
{
    loam_kmalloc_stats stats;
    loam_kmalloc_stat(w->k, &stats);
    loam_kmalloc_each(w->k, count_block, w);
    unsigned seen = reports;
    reports = 0;
    if (seen != 2 * w->count)
        return fail("each: seen twice, out", seen, w->count);
    return stats.used_blocks == w->count || fail("used blocks", stats.used_blocks, w->count);
}

static bool step(world *w)
{
    unsigned kind = (unsigned)below(100), i = w->count != 0 ? (unsigned)below(w->count) : 0;
    bool grow = w->count == 0 || (kind < 45 && w->count < BLOCKS);
    if (grow)
        return step_alloc(w);
    if (kind < 82)
        return step_free(w, i);
    if (kind < 92)
        return step_realloc(w, i);
    if (kind < 95)
        return step_wrong(w, i);
    if (kind < 98)
        return step_double(w, i);
    if (kind < 99)
        return views(w);
    loam_kmalloc_shrink(w->k);
    return true;
}

static bool life(world *w, unsigned steps)
{
    if (!start(w))
        return false;
    unsigned every = w->config.modes == 0 ? 8 : 32;
    for (unsigned i = 0; i < steps; i++) {
        if (!step(w) || reports != 0 || (i % every == 0 && !sound(w)))
            return false;
    }
    while (w->count != 0) {
        if (!step_free(w, w->count - 1) || reports != 0)
            return false;
    }
    if (!sound(w))
        return false;
    loam_kmalloc_shrink(w->k);
    look(w, &w->after);
    return same(&w->before, &w->after) && sound(w);
}

int main(void)
{
    static world w;
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) << 20;
    unsigned lives = getenv("LOAM_LONG") ? 3000 : 60;
    bool ok = true;
    arena = aligned_alloc(1 << 22, ARENA);
    meta = aligned_alloc(64, META);
    if (arena == NULL || meta == NULL)
        return 1;
    loam_port_set_policy(LOAM_POLICY_REPORT);
    loam_port_on_report(on_report, NULL);
    printf("1..1\n");
    for (unsigned i = 0; i < lives && ok; i++, seed++) {
        rng = seed * 0x9e3779b97f4a7c15ULL | 1;
        ok = life(&w, 1500);
        if (!ok) /* the seed of this life, which is then the first */
            printf("# SEED=%llu: shift %u modes %u frames %llu keep %d: %s\n",
                   (unsigned long long)seed, w.config.shift, w.config.modes,
                   (unsigned long long)w.frames, w.config.keep_empty, why);
    }
    printf("%sok 1 - kmalloc_model: random calls in every mode: as the list says\n",
           ok ? "" : "not ");
    free(arena);
    free(meta);
    return !ok;
}
