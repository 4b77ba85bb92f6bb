/* SPDX-License-Identifier: MIT */
/* driver_objects.c - the words of the object layers, and the two forms of `reset`.
 *
 * `reset PAGES` makes a machine of one region at OBJECTS_BASE which lies in real memory in one
 * piece, so that it has a linear map. PAGES are those that are free when it starts: the zone's
 * arrays are outside of the region, and what the object layers take for themselves comes on top.
 * Addresses in answers and arguments are physical.
 *
 * Blocks and freed memory may be written at will, past their ends too: that is how misuse is shown.
 * The pages that the layers keep for themselves may not: such a fill is answered "bad".
 */
#include "driver.h"

#define OBJECTS_BASE 0x40000000ULL
#define OBJECTS_MAX  (1ULL << 40) /* pages */
#define OBJECTS_OWN  8 /* pages; more, when there are too few for the layers themselves */

static bool refuse_request(void *ctx, unsigned order)
{
    (void)order;
    return driver_fails(ctx);
}

static bool objects_make(driver *d, uint64_t len)
{
    const driver_machine *m = d->machine;
    void *va = m->map(m->ctx, OBJECTS_BASE, len);
    if (va == NULL || loam_memblock_add(&d->map, loam_pa_of(OBJECTS_BASE), len) != LOAM_OK)
        return false;
    d->linear = (loam_linear){OBJECTS_BASE, len, va};

    loam_zone_config config;
    loam_zone_config_init(&config);
    config.linear = d->linear;
    config.refuse = refuse_request;
    config.refuse_ctx = d;
    uint64_t need = loam_zone_measure(d->map.ram.span, d->map.ram.count, &config);
    void *mem = need != 0 && need <= DRIVER_ARRAYS ? m->outside(m->ctx, need) : NULL;
    if (mem == NULL)
        return false;
    d->zone = loam_zone_init(mem, need, true, d->map.ram.span, d->map.ram.count, &config);
    if (d->zone == NULL || loam_memblock_handover(&d->map, loam_zone_add, d->zone) != LOAM_OK)
        return false;
    d->slabs = loam_slabs_init(d->zone, &d->config);
    d->kmalloc = d->slabs != NULL ? loam_kmalloc_init(d->slabs) : NULL;
    d->max_order = LOAM_ZONE_MAX_ORDER;
    d->stage = DRIVER_OBJECTS;
    return d->kmalloc != NULL;
}

/* A machine that starts with so many free pages: what the layers take is seen, and put on top. */
bool driver_objects(driver *d, uint64_t pages)
{
    uint64_t all = pages;
    for (unsigned tries = 0; tries < 8; tries++) {
        driver_reset(d);
        bool made = objects_make(d, all << LOAM_PAGE_SHIFT);
        if (d->zone == NULL)
            return false;
        uint64_t have = made ? loam_zone_free_pages(d->zone) : 0;
        if (made && have == pages)
            return true;
        all += made ? pages - have : OBJECTS_OWN; /* pages - have: either way */
    }
    return false;
}

static void word_reset(driver *d, const uint64_t *arg, unsigned n)
{
    driver_reset(d);
    if (n == 0) {
        driver_put(d, "ok");
        return;
    }
    if (arg[0] <= OBJECTS_MAX && arg[0] != 0 && driver_objects(d, arg[0])) {
        driver_put_hex(d, arg[0]);
        return;
    }
    driver_reset(d);
    driver_refuse(d, "no machine of so many pages");
}

/* ---- objects ---- */

static bool objects_running(driver *d)
{
    if (d->kmalloc == NULL)
        driver_refuse(d, "no object layers: `reset PAGES` first");
    return d->kmalloc != NULL;
}

/* The pointer for an address. One outside of the machine becomes a pointer outside of it. */
static void *pointer_of(driver *d, uint64_t addr)
{
    uint64_t off = addr - d->linear.pa;
    if (addr == 0)
        return NULL;
    uintptr_t va = (uintptr_t)d->linear.va + (uintptr_t)off;
    if (off >= d->linear.len && ((uintptr_t)off != off || va == 0))
        return d; /* no such pointer here: any foreign one will do */
    return (void *)va;
}

static void put_pointer(driver *d, const void *p)
{
    if (p == NULL)
        driver_put(d, "null");
    else
        driver_put_hex(d, d->linear.pa + ((uintptr_t)p - (uintptr_t)d->linear.va));
}

static void word_kmalloc(driver *d, const uint64_t *arg, unsigned n)
{
    (void)n;
    if (objects_running(d))
        put_pointer(d, arg[0] <= SIZE_MAX ? loam_kmalloc_alloc(d->kmalloc, (size_t)arg[0]) : NULL);
}

static void word_kcalloc(driver *d, const uint64_t *arg, unsigned n)
{
    (void)n;
    if (!objects_running(d))
        return;
    bool fit = arg[0] <= SIZE_MAX && arg[1] <= SIZE_MAX;
    put_pointer(d, fit ? loam_kmalloc_calloc(d->kmalloc, (size_t)arg[0], (size_t)arg[1]) : NULL);
}

static void word_krealloc(driver *d, const uint64_t *arg, unsigned n)
{
    (void)n;
    if (!objects_running(d))
        return;
    void *p = pointer_of(d, arg[0]);
    bool fit = arg[1] <= SIZE_MAX;
    put_pointer(d, fit ? loam_kmalloc_realloc(d->kmalloc, p, (size_t)arg[1]) : NULL);
}

static void word_kfree(driver *d, const uint64_t *arg, unsigned n)
{
    (void)n;
    if (!objects_running(d))
        return;
    loam_err err = loam_kmalloc_free(d->kmalloc, pointer_of(d, arg[0])); /* says why it refuses */
    driver_put(d, err == LOAM_OK ? "ok" : "err");
}

/* ---- contents ---- */

/* The machine's bytes [addr, addr + len), or NULL when it does not have all of them. */
static unsigned char *bytes_of(const driver *d, uint64_t addr, uint64_t len)
{
    uint64_t off = addr - d->linear.pa;
    if (off >= d->linear.len || len > d->linear.len - off)
        return NULL;
    return d->linear.va + (size_t)off;
}

/* Does a page belong to nobody, to a slab, or to whoever got it by `alloc`? */
static bool is_loose(const driver *d, uint64_t page)
{
    loam_pfn pfn = loam_pfn_of(page);
    loam_frame_state state = loam_zone_state(d->zone, pfn);
    if (state == LOAM_FRAME_FREE || loam_cache_of(d->slabs, loam_zone_to_va(d->zone, pfn)) != NULL)
        return true;
    while (state == LOAM_FRAME_INNER || state == LOAM_FRAME_JOINED)
        state = loam_zone_state(d->zone, loam_pfn_of(--page));
    return state == LOAM_FRAME_HEAD;
}

typedef struct page_walk {
    const driver *d;
    uint64_t next, end; /* pages; those before next may be written */
} page_walk;

static void walk_loose(page_walk *walk, uint64_t end)
{
    while (walk->next < end && is_loose(walk->d, walk->next))
        walk->next++;
}

static bool walk_block(void *ctx, void *p, size_t size, const char *cache, const void *site)
{
    page_walk *walk = ctx;
    const loam_linear *linear = &walk->d->linear;
    uint64_t at = linear->pa + ((uintptr_t)p - (uintptr_t)linear->va);
    uint64_t first = at >> LOAM_PAGE_SHIFT, last = (at + (size - 1)) >> LOAM_PAGE_SHIFT;
    (void)cache;
    (void)site;
    walk_loose(walk, first < walk->end ? first : walk->end);
    if (walk->next >= first && walk->next <= last)
        walk->next = last + 1;
    return walk->next < walk->end;
}

bool driver_may_write(const driver *d, uint64_t addr, uint64_t len)
{
    if (d->kmalloc == NULL || len == 0)
        return !driver_holds_table(d, addr, len);
    page_walk walk = {d, addr >> LOAM_PAGE_SHIFT, ((addr + (len - 1)) >> LOAM_PAGE_SHIFT) + 1};
    walk_loose(&walk, walk.end);
    if (walk.next < walk.end) /* a large block, or the layers' own */
        loam_kmalloc_each(d->kmalloc, walk_block, &walk);
    walk_loose(&walk, walk.end);
    return walk.next >= walk.end;
}

static void word_kfill(driver *d, const uint64_t *arg, unsigned n)
{
    (void)n;
    if (!objects_running(d))
        return;
    unsigned char *at = bytes_of(d, arg[0], arg[1]);
    bool ok = at != NULL && arg[2] <= 0xff && driver_may_write(d, arg[0], arg[1]);
    if (ok && arg[1] != 0)
        __builtin_memset(at, (int)arg[2], (size_t)arg[1]);
    driver_put(d, ok ? "ok" : "bad");
}

static void word_kcheck(driver *d, const uint64_t *arg, unsigned n)
{
    (void)n;
    if (!objects_running(d))
        return;
    const unsigned char *at = bytes_of(d, arg[0], arg[1]);
    bool ok = at != NULL && arg[2] <= 0xff;
    for (uint64_t i = 0; ok && i < arg[1]; i++)
        ok = at[i] == arg[2];
    driver_put(d, ok ? "ok" : "bad");
}

static void word_kshrink(driver *d, const uint64_t *arg, unsigned n)
{
    (void)arg;
    (void)n;
    if (!objects_running(d))
        return;
    loam_kmalloc_shrink(d->kmalloc);
    driver_put(d, "ok");
}

static void word_kinfo(driver *d, const uint64_t *arg, unsigned n)
{
    (void)arg;
    (void)n;
    if (objects_running(d))
        driver_put_hex(d, loam_zone_free_pages(d->zone));
}

const driver_word driver_object_words[] = {
    {"reset", NULL, 0, 1, word_reset},     {"kmalloc", NULL, 1, 1, word_kmalloc},
    {"kcalloc", NULL, 2, 2, word_kcalloc}, {"krealloc", NULL, 2, 2, word_krealloc},
    {"kfree", NULL, 1, 1, word_kfree},     {"kfill", NULL, 3, 3, word_kfill},
    {"kcheck", NULL, 3, 3, word_kcheck},   {"kshrink", NULL, 0, 0, word_kshrink},
    {"kinfo", NULL, 0, 0, word_kinfo},     {NULL, NULL, 0, 0, NULL},
};
