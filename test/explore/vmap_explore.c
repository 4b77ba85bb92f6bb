/* SPDX-License-Identifier: MIT */
/* vmap_explore.c - two processors in one vmap under every order, and a shrinker that frees an area
 * in the middle of another call.
 *
 * A TLB in software remembers each page that somebody touched; it must have forgotten a page before
 * that is given out again. At the end every frame, table and tag is back. */
#include "explore_case.h"
#include "loam/vmap.h"

enum { FRAMES = 12, FIRST = 0x1000, WINDOW = 10, TABLES = 3, TAGS = 12, MOST = 100000000 };

typedef struct machine {
    loam_zonelist frames;
    loam_pt pt;
    loam_tlb tlb;
    loam_range_tag tag[2], more[TAGS];
    uint32_t tag_is_out[TAGS]; /* [atomic] */
    uint32_t victim;           /* [atomic] page of an area */
    _Alignas(LOAM_PAGE_SIZE) unsigned char table[TABLES][LOAM_PAGE_SIZE]; /* [lock] of the vmap */
    bool table_is_out[TABLES];                                            /* [lock] */
} machine;

static machine *m;
static loam_zone *zone;
static loam_vmap *v;
static uint8_t *touched; /* notes: pages of the window that the TLB knows */
static const uint64_t base = 0xd0000000;

/* ---- what a vmap needs ---- */

static bool table_alloc(void *ctx, loam_pa *table)
{
    (void)ctx;
    for (unsigned i = 0; i < TABLES; i++) {
        if (m->table_is_out[i])
            continue;
        m->table_is_out[i] = true;
        __builtin_memset(m->table[i], 0, LOAM_PAGE_SIZE);
        *table = loam_pa_of((i + 1) * LOAM_PAGE_SIZE);
        return true;
    }
    return false;
}

static void table_free(void *ctx, loam_pa table)
{
    (void)ctx;
    m->table_is_out[table.v / LOAM_PAGE_SIZE - 1] = false;
}

static void *table_at(void *ctx, loam_pa table)
{
    (void)ctx;
    return m->table[table.v / LOAM_PAGE_SIZE - 1];
}

static void forget_page(void *ctx, uint64_t va)
{
    (void)ctx;
    touched[(va - base) / LOAM_PAGE_SIZE] = 0;
}

static void forget_all(void *ctx)
{
    (void)ctx;
    __builtin_memset(touched, 0, WINDOW);
}

static loam_range_tag *tag_get(void *ctx)
{
    (void)ctx;
    for (unsigned i = 0; i < TAGS; i++) {
        if (loam_atomic_exchange(&m->tag_is_out[i], 1) == 0)
            return &m->more[i];
    }
    return NULL;
}

static void tag_put(void *ctx, loam_range_tag *tag)
{
    (void)ctx;
    (void)loam_atomic_exchange(&m->tag_is_out[tag - m->more], 0);
}

static bool shrink(void *ctx, loam_zone *from, unsigned order)
{
    (void)ctx;
    (void)from;
    (void)order;
    uint32_t page = loam_atomic_exchange(&m->victim, 0);
    return page != 0 && loam_vmap_free(v, base + page * LOAM_PAGE_SIZE) == LOAM_OK;
}

static void setup(void)
{
    loam_zone_config z;
    const loam_span ram = {FIRST << LOAM_PAGE_SHIFT, FRAMES << LOAM_PAGE_SHIFT};
    const loam_pt_memory memory = {NULL, table_alloc, table_free, table_at};
    uintptr_t room = (uintptr_t)explore_shared(sizeof *m + LOAM_PAGE_SIZE);
    m = (machine *)((room + LOAM_PAGE_SIZE - 1) & ~(uintptr_t)(LOAM_PAGE_SIZE - 1));
    touched = explore_notes(WINDOW);
    loam_zone_config_init(&z);
    z.ncpus = 2;
    z.fronts = false;
    z.shrink = shrink;
    uint64_t need = loam_zone_measure(&ram, 1, &z);
    zone = loam_zone_init(explore_shared((size_t)need), need, true, &ram, 1, &z);
    (void)loam_zone_add(zone, loam_pfn_of(FIRST), FRAMES);
    (void)loam_zonelist_add_zone(&m->frames, zone);
    m->tlb = (loam_tlb){.page = forget_page, .all = forget_all, .threshold = 8};
    if (loam_pt_init(&m->pt, &loam_pt_i386, 0, &memory) != LOAM_OK)
        abort();
    const loam_vmap_config config = {.base = base,
                                     .len = WINDOW * LOAM_PAGE_SIZE,
                                     .pt = &m->pt,
                                     .tlb = &m->tlb,
                                     .frames = &m->frames,
                                     .tag = m->tag,
                                     .tag_count = LOAM_ARRAY_LEN(m->tag),
                                     .source = {NULL, tag_get, tag_put}};
    size_t bytes = loam_vmap_measure();
    v = loam_vmap_init(explore_shared(bytes), bytes, &config);
    if (v == NULL)
        abort();
    explore_label(m, sizeof *m, "machine");
    explore_label(zone, (size_t)need, "zone");
    explore_label(v, bytes, "vmap");
}

/* ---- the actors ---- */

/* A page that nobody else has, and that the TLB has forgotten. */
static void touch(uint64_t va, unsigned pages)
{
    for (unsigned i = 0; i < pages; i++) {
        uint8_t *page = &touched[(va - base) / LOAM_PAGE_SIZE + i];
        EXPLORE_WANT(*page == 0);
        *page = 1;
    }
}

static bool make(unsigned pages, uint64_t *va)
{
    if (loam_vmap_alloc(v, pages * LOAM_PAGE_SIZE, 0, LOAM_PT_WRITE, va) != LOAM_OK)
        return false;
    touch(*va, pages);
    return true;
}

static void make_and_free(void)
{
    uint64_t va, again;
    EXPLORE_WANT(make(2, &va));
    EXPLORE_WANT(loam_vmap_free(v, va) == LOAM_OK);
    EXPLORE_WANT(make(1, &again));
    EXPLORE_WANT(loam_vmap_free(v, again) == LOAM_OK);
}

static void make_and_look(void)
{
    uint64_t va;
    loam_vmap_area area;
    bool guard;
    EXPLORE_WANT(make(1, &va));
    EXPLORE_WANT(loam_vmap_find(v, va, &area, &guard) && !guard && area.va == va);
    (void)loam_vmap_resize(v, va, 2 * LOAM_PAGE_SIZE);
    EXPLORE_WANT(loam_vmap_free(v, va) == LOAM_OK);
}

/* Leaves an area for the shrinker, if there are frames. */
static void offer(void)
{
    uint64_t va;
    if (make(2, &va))
        loam_atomic_store(&m->victim, (uint32_t)((va - base) / LOAM_PAGE_SIZE));
}

/* More frames than there are beside what is offered. */
static void want_many(void)
{
    loam_pfn kept[FRAMES];
    size_t n = loam_zone_alloc_bulk(zone, 0, 0, kept, FRAMES - 3);
    uint64_t va;
    bool done = make(2, &va);
    if (done)
        EXPLORE_WANT(loam_vmap_free(v, va) == LOAM_OK);
    EXPLORE_WANT(loam_zone_free_bulk(zone, kept, n) == n);
}

static const char *all_is_back(void)
{
    uint32_t tags = 0;
    (void)shrink(NULL, zone, 0);
    const char *broken = loam_vmap_check(v);
    if (broken == NULL)
        broken = loam_zone_check(zone);
    for (unsigned i = 0; i < TAGS; i++)
        tags += m->tag_is_out[i];
    if (broken != NULL)
        return broken;
    return loam_zone_free_pages(zone) == FRAMES && tags == 0 ? NULL : "frames or tags are lost";
}

static void two_of_them(tap *t)
{
    explore_script script = {.name = "areas come and go on two processors",
                             .setup = setup,
                             .finish = all_is_back,
                             .switches = getenv("LOAM_LONG") != NULL ? 0 : 2,
                             .actor = {{make_and_free, 0, false}, {make_and_look, 1, false}}};
    explore_case(t, &script, MOST);
}

static void shrinker(tap *t)
{
    explore_script script = {.name = "a shrinker frees an area in the middle of a call",
                             .setup = setup,
                             .finish = all_is_back,
                             .switches = getenv("LOAM_LONG") != NULL ? 0 : 2,
                             .actor = {{want_many, 0, false}, {offer, 1, false}}};
    explore_case(t, &script, MOST);
}

static const tap_case cases[] = {
    {"vmap: areas on two processors: none is shared, each page was forgotten", two_of_them},
    {"vmap: a shrinker in the middle of a call: nothing lost", shrinker},
};
TAP_SUITE(vmap_explore, cases);

int main(int argc, char **argv)
{
    return tap_host_main(&tap_suite_vmap_explore, argc, argv);
}
