/* SPDX-License-Identifier: MIT */
/* shell_memory.c - commands that look at memory and take some. */
#include "console.h"
#include "kern.h"
#include "loam/port.h"
#include "loam/stats.h"
#include "shell.h"
#include "words.h"

enum { CACHES_SHOWN = 64, TEXT_CAP = 32768 };

static char text_buffer[TEXT_CAP]; /* longer reports are put together here */

/* ---- mem ---- */

static void print_spans(const char *title, const loam_spanset *set)
{
    kprintf("%s\n", title);
    for (size_t i = 0; i < set->count; i++)
        kprintf("  0x%010X  %U KiB\n", set->span[i].base, set->span[i].len >> 10);
}

static bool print_run(void *ctx, loam_pfn first, uint64_t count, loam_frame_state state)
{
    unsigned *left = ctx;
    if (*left == 0) {
        console_write("  ...\n");
        return false;
    }
    (*left)--;
    kprintf("  0x%010X  %U pages  %s\n", loam_pfn_to_pa(first).v, count,
            loam_frame_state_name(state));
    return true;
}

static void do_mem(size_t count, const char *const *word)
{
    const kern *k = &kern_this;
    unsigned runs = 40;
    (void)count;
    (void)word;
    print_spans("RAM at boot", &k->map.ram);
    console_write("reserved at boot\n");
    for (size_t i = 0; i < k->bootinfo.held_count; i++)
        kprintf("  0x%010X  %U bytes  %s\n", k->bootinfo.held[i].span.base,
                k->bootinfo.held[i].span.len, k->bootinfo.held[i].name);
    print_spans("metadata", &k->map.early);
    kprintf("frames: %U = %U free + %U held + %U metadata\n", k->sum.total, k->sum.free,
            k->sum.held, k->sum.metadata);
    console_write("pages now\n");
    for (unsigned i = k->zones.count; i-- > 0;) {
        if (k->zones.count > 1)
            kprintf("zone %s\n", loam_zone_config_of(k->zones.zone[i])->name);
        loam_zone_drain(k->zones.zone[i]);
        loam_zone_walk(k->zones.zone[i], print_run, &runs);
    }
    kprintf("free: %U pages\n", kern_free_pages());
}

/* ---- statistics ---- */

typedef struct gathered {
    loam_stats all;
    loam_stats_memblock memblock;
    loam_stats_zone zone[LOAM_ZONE_LISTS];
    loam_stats_cache cache[CACHES_SHOWN];
    loam_stats_kmalloc kmalloc;
    loam_stats_vmap vmap;
    loam_stats_tlb tlb;
    loam_stats_named event[LOAM_TRACE_KINDS];
} gathered;

static gathered stats;

static bool gather_cache(void *ctx, loam_cache *cache)
{
    gathered *g = ctx;
    loam_cache_stats from;
    if (g->all.caches == CACHES_SHOWN)
        return false;
    loam_cache_stat(cache, &from);
    LOAM_STATS_COPY(LOAM_STATS_CACHE, &g->cache[g->all.caches], &from);
    g->cache[g->all.caches++].name = from.name;
    return true;
}

static void gather_zone(loam_stats_zone *to, loam_zone *from)
{
    static loam_zone_stats zone;
    loam_zone_stat(from, &zone);
    LOAM_STATS_COPY(LOAM_STATS_ZONE, to, &zone);
    to->name = zone.name;
    for (size_t i = 0; i < LOAM_STATS_ORDERS; i++)
        to->blocks[i] = zone.blocks[i];
}

static void gather_events(gathered *g)
{
    for (size_t i = 1; i < LOAM_TRACE_KINDS; i++) /* 0 is none */
        g->event[i - 1] =
            (loam_stats_named){loam_trace_kind_name((unsigned)i),
                               loam_trace_count(&kern_this.trace, (loam_trace_kind)i)};
    g->all.event = g->event;
    g->all.events = LOAM_TRACE_KINDS - 1;
}

/* Of kernels that make their own page tables. */
static void gather_addresses(gathered *g)
{
    const loam_tlb *tlb = &kern_this.tlb;
    loam_vmap_stats vmap;
    if (kern_this.vmap != NULL) {
        loam_vmap_stat(kern_this.vmap, &vmap);
        LOAM_STATS_COPY(LOAM_STATS_VMAP, &g->vmap, &vmap);
        g->all.vmap = &g->vmap;
    }
    if (kern_this.pt.format != NULL) {
        g->tlb = (loam_stats_tlb){.threshold = tlb->page != NULL ? tlb->threshold : 0,
                                  .batches = tlb->stats.batches,
                                  .fulls = tlb->stats.fulls,
                                  .pages = tlb->stats.pages};
        g->all.tlb = &g->tlb;
    }
}

static const loam_stats *gather(void)
{
    loam_kmalloc_stats kmalloc;
    gathered *g = &stats;
    g->all = (loam_stats){.memblock = &g->memblock,
                          .zone = g->zone,
                          .zones = kern_this.zones.count,
                          .cache = g->cache,
                          .kmalloc = &g->kmalloc};
    LOAM_STATS_COPY(LOAM_STATS_MEMBLOCK, &g->memblock, &kern_this.sum);
    for (unsigned i = 0; i < kern_this.zones.count; i++)
        gather_zone(&g->zone[i], kern_this.zones.zone[kern_this.zones.count - 1 - i]);
    loam_slabs_each_cache(kern_this.slabs, gather_cache, g);
    loam_kmalloc_stat(kern_this.kmalloc, &kmalloc);
    LOAM_STATS_COPY(LOAM_STATS_KMALLOC, &g->kmalloc, &kmalloc);
    gather_addresses(g);
    gather_events(g);
    return &g->all;
}

static void print_text(const loam_text *t)
{
    console_write(text_buffer);
    if (t->len > 0 && text_buffer[t->len - 1] != '\n')
        console_put('\n');
    if (t->cut)
        console_write("(cut)\n");
}

static void do_buddyinfo(size_t count, const char *const *word)
{
    kern_free_lists lists;
    loam_text t;
    const loam_stats *s = gather();
    (void)count;
    (void)word;
    loam_text_init(&t, text_buffer, sizeof(text_buffer));
    loam_stats_buddyinfo(&t, s->zone, s->zones, KERN_VIEW_ORDER + 1);
    print_text(&t);
    kern_free_lists_read(&lists);
    kern_free_lists_print("free lists (a larger block counts as several of order 10)", &lists);
}

static void do_slabinfo(size_t count, const char *const *word)
{
    loam_text t;
    const loam_stats *s = gather();
    (void)count;
    (void)word;
    loam_text_init(&t, text_buffer, sizeof(text_buffer));
    loam_stats_slabinfo(&t, s->cache, s->caches);
    print_text(&t);
}

static void do_stats(size_t count, const char *const *word)
{
    loam_text t;
    const loam_stats *s = gather();
    bool json = count == 2 && word_is(word[1], "json");
    if (count == 2 && !json) {
        shell_usage(word[0]);
        return;
    }
    loam_text_init(&t, text_buffer, sizeof(text_buffer));
    if (json)
        loam_stats_json(&t, s);
    else
        loam_stats_text(&t, s);
    print_text(&t);
}

/* ---- pages ---- */

static void do_palloc(size_t count, const char *const *word)
{
    uint64_t order;
    loam_pfn pfn;
    (void)count;
    if (!shell_number(word[0], word[1], &order))
        return;
    if (order > LOAM_ZONE_MAX_ORDER) {
        kprintf("%s: the largest order is %u\n", word[0], (int)LOAM_ZONE_MAX_ORDER);
        return;
    }
    pfn = loam_zonelist_alloc(&kern_this.zones, (unsigned)order, LOAM_ZONE_NORMAL);
    if (loam_pfn_is_none(pfn))
        kprintf("%s: no free block of order %U\n", word[0], order);
    else
        kprintf("0x%X: %U pages of order %U, frame 0x%X\n", loam_pfn_to_pa(pfn).v, 1ULL << order,
                order, pfn.v);
}

static void do_pfree(size_t count, const char *const *word)
{
    uint64_t address;
    int order = -1;
    (void)count;
    if (!shell_number(word[0], word[1], &address))
        return;
    if (address % LOAM_PAGE_SIZE != 0) {
        kprintf("%s: 0x%X is no page's address\n", word[0], address);
        return;
    }
    for (unsigned i = 0; i < kern_this.zones.count && order < 0; i++)
        order = loam_zone_order(kern_this.zones.zone[i], loam_pa_to_pfn(loam_pa_of(address)));
    if (loam_zonelist_free(&kern_this.zones, loam_pa_to_pfn(loam_pa_of(address))) == LOAM_OK)
        kprintf("0x%X: %U pages are free\n", address, order < 0 ? 0 : 1ULL << (unsigned)order);
    else
        kprintf("%s: refused, nothing has changed\n", word[0]);
}

/* ---- bytes ---- */

static void do_kmalloc(size_t count, const char *const *word)
{
    size_t size;
    void *p;
    (void)count;
    if (!shell_size(word[0], word[1], &size))
        return;
    p = loam_kmalloc_alloc(kern_this.kmalloc, size);
    if (p == NULL)
        kprintf("%s: no memory for %U bytes\n", word[0], (uint64_t)size);
    else
        kprintf("%p: %U bytes usable\n", p, (uint64_t)loam_kmalloc_size(kern_this.kmalloc, p));
}

/* Reads an address, or prints why it is none. Cut to what fits it would be another one. */
static bool read_pointer(const char *command, const char *word, void **p)
{
    uint64_t address;
    if (!shell_number(command, word, &address))
        return false;
    *p = (void *)(uintptr_t)address;
    if ((uintptr_t)*p == address)
        return true;
    kprintf("%s: 0x%X is beyond this machine's addresses\n", command, address);
    return false;
}

static void do_kfree(size_t count, const char *const *word)
{
    void *p;
    (void)count;
    if (!read_pointer(word[0], word[1], &p))
        return;
    if (loam_kmalloc_free(kern_this.kmalloc, p) == LOAM_OK)
        kprintf("0x%X: free\n", (uint64_t)(uintptr_t)p);
    else
        kprintf("%s: refused, nothing has changed\n", word[0]);
}

static void do_krealloc(size_t count, const char *const *word)
{
    size_t size;
    void *p;
    (void)count;
    if (!read_pointer(word[0], word[1], &p) || !shell_size(word[0], word[2], &size))
        return;
    p = loam_kmalloc_realloc(kern_this.kmalloc, p, size);
    if (p != NULL)
        kprintf("%p: %U bytes usable\n", p, (uint64_t)loam_kmalloc_size(kern_this.kmalloc, p));
    else
        kprintf("%s: %s\n", word[0], size == 0 ? "free" : "refused, nothing has changed");
}

static bool print_block(void *ctx, void *p, size_t size, const char *cache, const void *site)
{
    uint64_t *blocks = ctx;
    (*blocks)++;
    kprintf("  %p  %U bytes  %s", p, (uint64_t)size, cache != NULL ? cache : "pages");
    if (site != NULL)
        kprintf("  from %p", site);
    console_put('\n');
    return *blocks < 200;
}

static void do_blocks(size_t count, const char *const *word)
{
    uint64_t blocks = 0;
    (void)count;
    (void)word;
    loam_kmalloc_each(kern_this.kmalloc, print_block, &blocks);
    kprintf("%U blocks are out\n", blocks);
}

static void do_shrink(size_t count, const char *const *word)
{
    uint64_t before = kern_free_pages();
    (void)count;
    (void)word;
    loam_kmalloc_shrink(kern_this.kmalloc);
    loam_slabs_shrink(kern_this.slabs);
    kprintf("%U pages came back\n", kern_free_pages() - before);
}

static void do_check(size_t count, const char *const *word)
{
    const char *broken = kern_check();
    (void)count;
    (void)word;
    if (broken == NULL)
        console_write("every rule holds\n");
    else
        kprintf("broken: %s\n", broken);
}

/* ---- trace ---- */

static void print_event(void *ctx, const loam_trace_event *event)
{
    char buf[160];
    loam_text t;
    (void)ctx;
    loam_text_init(&t, buf, sizeof(buf));
    loam_trace_text(&t, event);
    kprintf("  %s\n", buf);
}

static void do_trace(size_t count, const char *const *word)
{
    (void)count;
    if (word_is(word[1], "on")) {
        kern_trace_lines(true);
        console_write("trace: every event is a line from now on\n");
    } else if (word_is(word[1], "off")) {
        kern_trace_lines(false);
        console_write("trace: off\n");
    } else if (word_is(word[1], "show")) {
        loam_trace_each(&kern_this.trace, print_event, NULL);
    } else {
        shell_usage(word[0]);
    }
}

const shell_command shell_memory_commands[] = {
    {"mem", 0, 0, "", "the map: RAM, reserved, metadata, pages", do_mem},
    {"buddyinfo", 0, 0, "", "free blocks of each order", do_buddyinfo},
    {"slabinfo", 0, 0, "", "caches and their slabs", do_slabinfo},
    {"stats", 0, 1, "[json]", "all counters", do_stats},
    {"palloc", 1, 1, "ORDER", "take 2^ORDER pages", do_palloc},
    {"pfree", 1, 1, "ADDRESS", "free pages", do_pfree},
    {"kmalloc", 1, 1, "BYTES", "take bytes", do_kmalloc},
    {"krealloc", 2, 2, "ADDRESS BYTES", "change the size of a block", do_krealloc},
    {"kfree", 1, 1, "ADDRESS", "free bytes", do_kfree},
    {"memAlloc", 1, 1, "BYTES", "take bytes (the course's word)", do_kmalloc},
    {"blocks", 0, 0, "", "what kmalloc has given out", do_blocks},
    {"shrink", 0, 0, "", "empty slabs go back to the pages", do_shrink},
    {"check", 0, 0, "", "test every rule of every unit", do_check},
    {"trace", 1, 1, "on|off|show", "events of the allocators", do_trace},
    {NULL, 0, 0, NULL, NULL, NULL},
};
