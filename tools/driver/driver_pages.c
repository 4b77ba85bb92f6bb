/* SPDX-License-Identifier: MIT */
/* driver_pages.c - the words of the page allocator: start, alloc, free, and what can be seen. */
#include "driver.h"

static bool pages_running(driver *d)
{
    if (d->zone == NULL)
        driver_refuse(d, "no zone yet: `start` or `reset PAGES` first");
    return d->zone != NULL;
}

/* Bytes of 2^order frames; 0: more than 64 bits. */
static uint64_t block_len(uint64_t order)
{
    return order < 64 - LOAM_PAGE_SHIFT ? (uint64_t)LOAM_PAGE_SIZE << order : 0;
}

/* ---- start ---- */

/* Zeroed memory for the zone's arrays: outside, or taken from the regions as a kernel would. */
static void *meta_take(driver *d, uint64_t len)
{
    const driver_machine *m = d->machine;
    d->meta = (loam_span){0, 0};
    if (len > DRIVER_ARRAYS)
        return NULL;
    if (d->meta_outside)
        return m->outside(m->ctx, len);
    loam_pa at;
    len = loam_align_up(len, LOAM_PAGE_SIZE);
    if (loam_memblock_alloc(&d->map, len, LOAM_PAGE_SIZE, loam_pa_of(0), loam_pa_of(0),
                            LOAM_MEMBLOCK_TOP_DOWN, &at) != LOAM_OK)
        return NULL;
    void *mem = m->map(m->ctx, at.v, len);
    if (mem == NULL)
        loam_memblock_release(&d->map, at, len);
    else
        d->meta = (loam_span){at.v, len};
    return mem;
}

/* Makes the zone with arrays of this size; the boot map is as before when that fails. */
static bool zone_make(driver *d, const loam_zone_config *config)
{
    uint64_t len = loam_zone_measure(d->map.ram.span, d->map.ram.count, config);
    void *mem = len != 0 ? meta_take(d, len) : NULL;
    if (mem == NULL)
        return false;
    d->zone = loam_zone_init(mem, len, true, d->map.ram.span, d->map.ram.count, config);
    if (d->zone == NULL && d->meta.len != 0)
        loam_memblock_release(&d->map, loam_pa_of(d->meta.base), d->meta.len);
    d->ncpus = config->ncpus;
    return d->zone != NULL;
}

/* Fronts cost memory for each processor, which small machines do not have: the most processors
 * whose arrays stay below a sixteenth of the frames, else the fewest that work at all. */
static bool zone_make_some(driver *d)
{
    loam_memblock_sum sum;
    loam_zone_config config;
    loam_memblock_count(&d->map, &sum);
    loam_zone_config_init(&config);
    for (config.ncpus = d->machine->cpus; config.ncpus > 1; config.ncpus /= 2) {
        uint64_t len = loam_zone_measure(d->map.ram.span, d->map.ram.count, &config);
        if (d->meta_outside || len >> LOAM_PAGE_SHIFT < sum.free / 16)
            break;
    }
    for (; config.ncpus >= 1; config.ncpus /= 2)
        if (zone_make(d, &config))
            return true;
    return false;
}

bool driver_start(driver *d, unsigned max_order)
{
    if (driver_fails(d) || !zone_make_some(d))
        return false;
    d->max_order = max_order;
    d->stage = DRIVER_PAGES;
    return loam_memblock_handover(&d->map, loam_zone_add, d->zone) == LOAM_OK;
}

static void word_start(driver *d, const uint64_t *arg, unsigned n)
{
    (void)n;
    if (d->stage != DRIVER_BOOT)
        driver_refuse(d, "started already");
    else if (arg[0] != LOAM_PAGE_SIZE || arg[1] > LOAM_ZONE_MAX_ORDER)
        driver_refuse(d, "pages have 1000 bytes, and the largest order is 28");
    else if (!driver_start(d, (unsigned)arg[1]))
        driver_refuse(d, "no memory for the allocator's arrays");
    else
        driver_put(d, "ok");
}

static void word_meta(driver *d, const uint64_t *arg, unsigned n)
{
    (void)arg;
    (void)n;
    if (!pages_running(d) || d->meta.len == 0)
        return;
    driver_put_hex(d, d->meta.base);
    driver_put(d, " ");
    driver_put_hex(d, d->meta.len);
}

/* ---- alloc, free ---- */

static void word_alloc(driver *d, const uint64_t *arg, unsigned n)
{
    (void)n;
    if (!pages_running(d))
        return;
    loam_pfn pfn = LOAM_NO_FRAME;
    if (arg[0] <= d->max_order) {
        pfn = loam_zone_alloc(d->zone, (unsigned)arg[0], LOAM_ZONE_NORMAL);
        if (loam_pfn_is_none(pfn)) { /* what it needs may lie in the fronts of other processors */
            loam_zone_drain_all(d->zone);
            pfn = loam_zone_alloc(d->zone, (unsigned)arg[0], LOAM_ZONE_NORMAL);
        }
    }
    if (loam_pfn_is_none(pfn))
        driver_put(d, "null");
    else
        driver_put_hex(d, loam_pfn_to_pa(pfn).v);
}

static void word_free(driver *d, const uint64_t *arg, unsigned n)
{
    (void)n;
    if (!pages_running(d))
        return;
    if (arg[1] > d->max_order) {
        driver_refuse(d, "order above the maximum");
        return;
    }
    if ((arg[0] & (block_len(arg[1]) - 1)) != 0) {
        driver_refuse(d, "address is not aligned to its order");
        return;
    }
    loam_pfn pfn = loam_pa_to_pfn(loam_pa_of(arg[0]));
    loam_err err = loam_zone_free_order(d->zone, pfn, (unsigned)arg[1]); /* says why it refuses */
    driver_put(d, err == LOAM_OK ? "ok" : "err");
}

/* ---- views ---- */

typedef struct state_view {
    driver *d;
    bool any;
} state_view;

static bool put_block(void *ctx, uint64_t unit, unsigned order)
{
    state_view *view = ctx;
    if (view->any)
        driver_put(view->d, " ");
    view->any = true;
    driver_put_hex(view->d, order);
    driver_put(view->d, ":");
    driver_put_hex(view->d, unit << LOAM_PAGE_SHIFT);
    return true;
}

static void word_state(driver *d, const uint64_t *arg, unsigned n)
{
    state_view view = {d, false};
    (void)arg;
    (void)n;
    if (!pages_running(d))
        return;
    loam_zone_drain_all(d->zone);
    loam_zone_each_free(d->zone, d->max_order, put_block, &view);
}

static void word_info(driver *d, const uint64_t *arg, unsigned n)
{
    (void)arg;
    (void)n;
    if (pages_running(d))
        driver_put_hex(d, loam_zone_free_pages(d->zone));
}

/* ---- contents ---- */

bool driver_is_ram(const driver *d, uint64_t addr, uint64_t len)
{
    uint64_t last = addr + (len - 1);
    for (size_t i = 0; i < d->map.ram.count && len != 0 && last >= addr; i++) {
        const loam_span *s = &d->map.ram.span[i];
        if (s->base <= addr && last <= s->base + (s->len - 1))
            return true;
    }
    return false;
}

/* Whole frames of RAM, without any of the allocator's own: what a block could be. */
static bool is_plain_ram(const driver *d, uint64_t base, uint64_t order)
{
    uint64_t len = block_len(order), last = base + (len - 1);
    if (base % LOAM_PAGE_SIZE != 0 || !driver_is_ram(d, base, len))
        return false;
    return d->meta.len == 0 || base > d->meta.base + (d->meta.len - 1) || last < d->meta.base;
}

static void word_fill(driver *d, const uint64_t *arg, unsigned n)
{
    (void)n;
    if (!pages_running(d))
        return;
    bool ok = arg[2] <= 0xff && is_plain_ram(d, arg[0], arg[1]) &&
              driver_may_write(d, arg[0], block_len(arg[1])) &&
              d->machine->fill(d->machine->ctx, arg[0], block_len(arg[1]), (unsigned char)arg[2]);
    driver_put(d, ok ? "ok" : "bad");
}

static void word_check(driver *d, const uint64_t *arg, unsigned n)
{
    (void)n;
    if (!pages_running(d))
        return;
    bool ok = arg[2] <= 0xff && is_plain_ram(d, arg[0], arg[1]) &&
              d->machine->check(d->machine->ctx, arg[0], block_len(arg[1]), (unsigned char)arg[2]);
    driver_put(d, ok ? "ok" : "bad");
}

const driver_word driver_page_words[] = {
    {"start", NULL, 2, 2, word_start}, {"meta", NULL, 0, 0, word_meta},
    {"alloc", NULL, 1, 1, word_alloc}, {"free", NULL, 2, 2, word_free},
    {"state", NULL, 0, 0, word_state}, {"info", NULL, 0, 0, word_info},
    {"fill", NULL, 3, 3, word_fill},   {"check", NULL, 3, 3, word_check},
    {NULL, NULL, 0, 0, NULL},
};
