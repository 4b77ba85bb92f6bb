/* SPDX-License-Identifier: MIT */
/* vmap_threads.c - several processors in one vmap, and a shrinker that frees areas while another
 * call waits for memory. Threads play the processors; also run with TSan. */
#include "loam/vmap.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PAGE = LOAM_PAGE_SIZE,
    THREADS = 4,
    SLOTS = 12,
    VICTIMS = 16, /* areas that the shrinker may free */
    FRAMES = 420, /* too few for all: the shrinker is needed */
    WINDOW = 600,
    TABLES = 64,
    TAGS = 2,  /* of the vmap's array: all others come from the source */
    MORE = 256 /* more than can ever be wanted at once */
};

static struct {
    loam_zone *zone;
    loam_zonelist frames;
    loam_pt pt;
    loam_tlb tlb;
    loam_vmap *v;
    loam_range_tag tag[TAGS], more[MORE];
    uint32_t tag_is_out[MORE]; /* [atomic] */
    bool table_is_out[TABLES];
    uint32_t victim[VICTIMS]; /* [atomic] page of the window at which one is, or 0 */
    uint32_t shrunk, failed;  /* [atomic] */
    _Alignas(LOAM_PAGE_SIZE) unsigned char tables[TABLES][PAGE];
    _Alignas(64) unsigned char meta[256 * 1024];
    _Alignas(8) unsigned char mem[4096];
} m;

static const uint64_t base = 0xd0000000;

/* ---- tables: asked under the vmap's lock ---- */

static bool table_alloc(void *ctx, loam_pa *table)
{
    (void)ctx;
    for (unsigned i = 0; i < TABLES; i++) {
        if (m.table_is_out[i])
            continue;
        m.table_is_out[i] = true;
        memset(m.tables[i], 0, PAGE);
        *table = loam_pa_of((i + 1) * (uint64_t)PAGE);
        return true;
    }
    return false;
}

static void table_free(void *ctx, loam_pa table)
{
    (void)ctx;
    m.table_is_out[table.v / PAGE - 1] = false;
}

static void *table_at(void *ctx, loam_pa table)
{
    (void)ctx;
    return m.tables[table.v / PAGE - 1];
}

static void forget_page(void *ctx, uint64_t va)
{
    (void)ctx;
    (void)va;
}

static void forget_all(void *ctx)
{
    (void)ctx;
}

/* ---- tags: asked without any lock ---- */

static loam_range_tag *tag_get(void *ctx)
{
    (void)ctx;
    for (unsigned i = 0; i < MORE; i++)
        if (loam_atomic_exchange(&m.tag_is_out[i], 1) == 0)
            return &m.more[i];
    return NULL;
}

static void tag_put(void *ctx, loam_range_tag *tag)
{
    (void)ctx;
    (void)loam_atomic_exchange(&m.tag_is_out[tag - m.more], 0);
}

static unsigned tags_out(void)
{
    unsigned out = 0;
    for (unsigned i = 0; i < MORE; i++)
        out += loam_atomic_load(&m.tag_is_out[i]);
    return out;
}

/* ---- the shrinker ---- */

static void fail(const char *what)
{
    loam_atomic_add(&m.failed, 1);
    printf("# %s\n", what);
}

static bool shrink(void *ctx, loam_zone *zone, unsigned order)
{
    (void)ctx;
    (void)zone;
    (void)order;
    for (unsigned i = 0; i < VICTIMS; i++) {
        uint32_t page = loam_atomic_exchange(&m.victim[i], 0);
        if (page == 0)
            continue;
        if (loam_vmap_free(m.v, base + page * (uint64_t)PAGE) != LOAM_OK)
            fail("a victim is no area");
        loam_atomic_add(&m.shrunk, 1);
        return true;
    }
    return false;
}

/* Leaves an area for the shrinker, or takes one back to free it here. */
static void offer(unsigned i, uint64_t va)
{
    uint32_t old = loam_atomic_exchange(&m.victim[i], (uint32_t)((va - base) / PAGE));
    if (old != 0 && loam_vmap_free(m.v, base + old * (uint64_t)PAGE) != LOAM_OK)
        fail("an area that was offered is none");
}

static bool start(void)
{
    loam_zone_config z;
    const loam_span ram = {0x1000000, FRAMES * (uint64_t)PAGE};
    memset(&m, 0, sizeof m);
    loam_zone_config_init(&z);
    z.ncpus = THREADS;
    z.shrink = shrink;
    m.zone = loam_zone_init(m.meta, sizeof m.meta, false, &ram, 1, &z);
    if (m.zone == NULL || loam_zone_add(m.zone, loam_pfn_of(0x1000), FRAMES) != LOAM_OK)
        return false;
    loam_zonelist_add_zone(&m.frames, m.zone);
    const loam_pt_memory memory = {NULL, table_alloc, table_free, table_at};
    m.tlb = (loam_tlb){.page = forget_page, .all = forget_all, .threshold = 8};
    if (loam_pt_init(&m.pt, &loam_pt_i386, 0, &memory) != LOAM_OK)
        return false;
    const loam_vmap_config config = {.base = base,
                                     .len = WINDOW * (uint64_t)PAGE,
                                     .pt = &m.pt,
                                     .tlb = &m.tlb,
                                     .frames = &m.frames,
                                     .tag = m.tag,
                                     .tag_count = TAGS,
                                     .source = {NULL, tag_get, tag_put}};
    m.v = loam_vmap_init(m.mem, sizeof m.mem, &config);
    return m.v != NULL;
}

/* ---- a processor ---- */

typedef struct worker {
    pthread_t thread;
    unsigned cpu, steps;
    uint64_t rng;
    uint64_t va[SLOTS], size[SLOTS];
} worker;

static uint64_t below(worker *w, uint64_t n)
{
    w->rng ^= w->rng << 13;
    w->rng ^= w->rng >> 7;
    w->rng ^= w->rng << 17;
    return (w->rng >> 11) % n;
}

static bool is_whole(void *ctx, const loam_vmap_area *area)
{
    if (area->size == 0 || area->wanted > area->size)
        fail("an area without a size");
    return --*(unsigned *)ctx > 0;
}

static void look(const worker *w, unsigned i)
{
    loam_vmap_area area;
    loam_vmap_stats stats;
    bool guard;
    unsigned most = 5;
    if (!loam_vmap_find(m.v, w->va[i] + w->size[i] - 1, &area, &guard) || guard ||
        area.va != w->va[i] || area.wanted != w->size[i])
        fail("an area is not found as it was made");
    loam_vmap_stat(m.v, &stats);
    loam_vmap_each(m.v, is_whole, &most);
}

static void make(worker *w, unsigned i)
{
    uint64_t va;
    w->size[i] = 1 + below(w, 14 * PAGE);
    if (loam_vmap_alloc(m.v, w->size[i], 0, LOAM_PT_WRITE, &va) != LOAM_OK)
        return;
    if (below(w, 5) == 0)
        offer((unsigned)below(w, VICTIMS), va);
    else
        w->va[i] = va;
}

static void step(worker *w)
{
    unsigned i = (unsigned)below(w, SLOTS);
    if (w->va[i] == 0) {
        make(w, i);
        return;
    }
    uint64_t size = 1 + below(w, 20 * PAGE);
    switch (below(w, 6)) {
    case 0:
        if (loam_vmap_resize(m.v, w->va[i], size) == LOAM_OK)
            w->size[i] = size;
        break;
    case 1:
        if (loam_vmap_protect(m.v, w->va[i], below(w, 2) != 0 ? LOAM_PT_WRITE : 0) != LOAM_OK)
            fail("protect");
        break;
    case 2:
        look(w, i);
        break;
    default:
        if (loam_vmap_free(m.v, w->va[i]) != LOAM_OK)
            fail("free");
        w->va[i] = 0;
    }
}

static void *work(void *arg)
{
    worker *w = arg;
    loam_hosted_set_cpu(w->cpu);
    for (unsigned n = 0; n < w->steps; n++)
        step(w);
    for (unsigned i = 0; i < SLOTS; i++)
        if (w->va[i] != 0 && loam_vmap_free(m.v, w->va[i]) != LOAM_OK)
            fail("free at the end");
    return NULL;
}

static bool ends_well(void)
{
    while (shrink(NULL, NULL, 0)) {
    }
    loam_zone_drain_all(m.zone);
    const char *broken = loam_vmap_check(m.v);
    if (broken == NULL)
        broken = loam_zone_check(m.zone);
    if (broken != NULL)
        printf("# broken: %s\n", broken);
    unsigned tables = 0;
    for (unsigned i = 0; i < TABLES; i++)
        tables += m.table_is_out[i];
    return broken == NULL && m.failed == 0 && tables == 1 && tags_out() <= 1 &&
           loam_zone_free_pages(m.zone) == FRAMES;
}

/* One processor: memory comes from an area that the shrinker frees in the middle of an alloc. */
static bool shrinker_alone(void)
{
    uint64_t va[2] = {0, 0};
    loam_vmap_stats s;
    if (!start() || loam_vmap_alloc(m.v, 300 * PAGE, 0, 0, &va[0]) != LOAM_OK)
        return false;
    offer(0, va[0]);
    if (loam_vmap_alloc(m.v, 250 * PAGE, 0, 0, &va[1]) != LOAM_OK)
        return false;
    loam_vmap_stat(m.v, &s);
    return m.shrunk == 1 && s.areas == 1 && loam_vmap_free(m.v, va[1]) == LOAM_OK && ends_well();
}

static bool all_together(uint64_t seed)
{
    static worker workers[THREADS];
    if (!start())
        return false;
    memset(workers, 0, sizeof workers);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].cpu = i;
        workers[i].steps = getenv("LOAM_LONG") != NULL ? 60000 : 3000;
        workers[i].rng = (seed + i) * 0x9e3779b97f4a7c15ULL | 1;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            return false;
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    return ends_well();
}

int main(void)
{
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761U;
    printf("1..2\n");
    bool alone = shrinker_alone(), together = all_together(seed);
    printf("%sok 1 - vmap_threads: a shrinker frees an area in the middle of an alloc\n",
           alone ? "" : "not ");
    printf("%sok 2 - vmap_threads: %d processors, all goes back\n", together ? "" : "not ",
           THREADS);
    if (!together)
        printf("# SEED=%llu\n", (unsigned long long)seed);
    return !alone || !together;
}
