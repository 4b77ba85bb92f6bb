/* SPDX-License-Identifier: MIT */
/* startup.c - from what the firmware says to kmalloc, a line of the boot log for each step.
 *
 *     device tree -> bootinfo -> memblock -> zone -> slab -> kmalloc
 *                      ^            |
 *                      |            +- metadata: the zone's bits and bytes, the trace rings
 *                      +- what only we know: board, kernel image, the tree itself, RAM out of reach
 *
 * A tree that is absent, broken, or describes memory in which this kernel cannot live is replaced
 * by the board's default map; the log says why.
 */
#include "arch.h"
#include "board.h"
#include "console.h"
#include "image.h"
#include "kern.h"
#include "loam/fdt.h"
#include "words.h"

enum {
    SPANS = LOAM_BOOTINFO_RAM + LOAM_BOOTINFO_HELD + 64,
    LEAST_FREE = 256 /* frames that a map must leave for this kernel to be of any use */
};

kern kern_this;

static loam_span ram_spans[SPANS], held_spans[SPANS], early_spans[SPANS];
static const void *tree_blob; /* NULL: none that can be used */

/* ---- what the firmware says ---- */

static uint64_t mapped_end(void)
{
    return board_this.mapped.base + board_this.mapped.len;
}

/* Bytes that may be read at an address the firmware gave; 0: it cannot be a device tree. */
static uint64_t readable_at(uint64_t address)
{
    bool inside = address >= board_this.mapped.base + LOAM_PAGE_SIZE &&
                  address < mapped_end() - 8; /* not the first page: it is never mapped */
    return inside ? mapped_end() - address : 0;
}

static void use_default_map(void)
{
    kern *k = &kern_this;
    const char *line = k->bootinfo.cmdline; /* still good: it lies in the tree */
    loam_bootinfo_init(&k->bootinfo);
    if (k->tree)
        k->bootinfo.cmdline = line;
    (void)loam_bootinfo_add(&k->bootinfo, loam_pa_of(board_this.default_ram.base),
                            board_this.default_ram.len);
}

static void ignore_option(const char *why, const char *word)
{
    (void)why;
    (void)word;
}

static void warn_option(const char *why, const char *word)
{
    klog("command line: %s: '%s'", why, word);
}

/* The name of the node that stdout-path names, or NULL. */
static const char *stdout_name(void)
{
    loam_fdt fdt;
    if (!kern_this.tree || loam_fdt_is_none(kern_this.bootinfo.console))
        return NULL;
    if (loam_fdt_open(&fdt, tree_blob, kern_this.bootinfo.blob_len, NULL) != LOAM_OK)
        return NULL;
    return loam_fdt_name(&fdt, kern_this.bootinfo.console);
}

static void choose_console(void)
{
    const char *node = stdout_name();
    const char *word = kern_this.options.console;
    if (word != NULL && board_console(word))
        return;
    if (word != NULL)
        klog("command line: console=%s is not one of: %s", word, board_this.console_names);
    if (node != NULL && !board_console(node))
        klog("device tree: no driver for the console %s; using %s", node,
             board_this.console_default);
}

static void log_tree(uint64_t address, const char *why)
{
    const kern *k = &kern_this;
    if (!k->tree) {
        klog("device tree: %s (x0 = 0x%X): using the default map", why, address);
        return;
    }
    klog("device tree: at 0x%X, %U bytes, %u nodes, %U processors%s%s", address,
         (uint64_t)k->bootinfo.blob_len, k->bootinfo.nodes, (uint64_t)k->bootinfo.cpu_count,
         k->bootinfo.model != NULL ? ", " : "", k->bootinfo.model != NULL ? k->bootinfo.model : "");
    if (k->bootinfo.note != NULL)
        klog("device tree: ignored a part: %s", k->bootinfo.note);
}

void startup_find(const void *firmware)
{
    kern *k = &kern_this;
    uint64_t address = (uintptr_t)firmware, len = readable_at(address);
    const char *why = "none given";
    if (address >= (uintptr_t)__image_start && address < (uintptr_t)__image_end)
        why = "it lay inside the kernel's memory and is lost";
    else if (len != 0 && address % 4 == 0 && loam_fdt_size_at(firmware) != 0)
        k->tree = loam_bootinfo_from_fdt(&k->bootinfo, firmware, len, &why) == LOAM_OK;
    if (k->tree)
        tree_blob = firmware;
    else
        use_default_map();
    options_parse(&k->options, k->bootinfo.cmdline, ignore_option); /* where the console is */
    choose_console();
    kprintf("\nLoam on a %s (%s)\n", board_this.name, arch_describe());
    log_tree(address, why);
    klog("command line: %s", k->bootinfo.cmdline[0] != '\0' ? k->bootinfo.cmdline : "(empty)");
    options_parse(&k->options, k->bootinfo.cmdline, warn_option);
    if (k->options.semihost)
        board_exit_by_semihosting();
}

/* ---- the map ---- */

static void hold(uint64_t base, uint64_t len, const char *why)
{
    loam_err err = loam_bootinfo_hold(&kern_this.bootinfo, loam_pa_of(base), len, why);
    if (err != LOAM_OK)
        kpanic("cannot hold [0x%X, +0x%X) for %s: %s", base, len, why, loam_err_name(err));
}

/* RAM this kernel has no address for: it exists, and nobody uses it. */
static void hold_unreachable(void)
{
    const loam_bootinfo *info = &kern_this.bootinfo;
    for (size_t i = 0; i < info->ram_count; i++) {
        uint64_t base = info->ram[i].base, last = base + (info->ram[i].len - 1);
        if (last < mapped_end())
            continue;
        if (base < mapped_end())
            base = mapped_end();
        hold(base, last - base + 1, "beyond this kernel's map");
    }
}

/* Firmware that lays the initramfs right behind the image file lays it into our bss: it is gone. */
static void drop_lost_initrd(void)
{
    loam_span *initrd = &kern_this.bootinfo.initrd;
    uint64_t start = (uintptr_t)__image_start, end = (uintptr_t)__image_end;
    if (initrd->len == 0 || initrd->base >= end || initrd->base + initrd->len <= start)
        return;
    klog("initramfs: at 0x%X it lies inside the kernel and is lost; load it at 0x8000000",
         initrd->base);
    initrd->len = 0;
}

static void hold_own(void)
{
    drop_lost_initrd();
    for (size_t i = 0; i < board_this.held_count; i++)
        hold(board_this.held[i].span.base, board_this.held[i].span.len, board_this.held[i].why);
    hold((uintptr_t)__image_start, (uint64_t)(__image_end - __image_start), "kernel image");
    if (kern_this.tree)
        hold((uintptr_t)tree_blob, kern_this.bootinfo.blob_len, "device tree");
    hold_unreachable();
}

/* "[0x0, 0x1000)"; a span that ends at 2^64 has that end in words. */
static void span_text(loam_text *t, uint64_t base, uint64_t len)
{
    uint64_t end = base + len;
    loam_text_fmt(t, end == 0 ? "[0x%X, 2^64)" : "[0x%X, 0x%X)", base, end);
}

static void log_span(const char *what, loam_span span, const char *note)
{
    char buf[64];
    loam_text t;
    loam_text_init(&t, buf, sizeof(buf));
    span_text(&t, span.base, span.len);
    klog("%s %s %U KiB%s%s", what, buf, span.len >> 10, note[0] != '\0' ? ", " : "", note);
}

static loam_err fill_map(void)
{
    kern *k = &kern_this;
    loam_err err =
        loam_memblock_init(&k->map, ram_spans, SPANS, held_spans, SPANS, early_spans, SPANS);
    for (size_t i = 0; i < k->bootinfo.ram_count && err == LOAM_OK; i++) {
        log_span("ram:    ", k->bootinfo.ram[i], "");
        err =
            loam_memblock_add(&k->map, loam_pa_of(k->bootinfo.ram[i].base), k->bootinfo.ram[i].len);
    }
    for (size_t i = 0; i < k->bootinfo.held_count && err == LOAM_OK; i++) {
        const loam_bootinfo_held *h = &k->bootinfo.held[i];
        log_span("reserve:", h->span, h->name);
        err = loam_memblock_reserve(&k->map, loam_pa_of(h->span.base), h->span.len);
    }
    return err;
}

/* ---- metadata and the hand-over ---- */

typedef struct metadata {
    loam_pa zone, trace;
    uint64_t zone_len, trace_len;
} metadata;

static bool shrink_slabs(void *ctx, loam_zone *zone, unsigned order)
{
    uint64_t before = loam_zone_free_pages(zone);
    (void)ctx;
    (void)order;
    if (kern_this.slabs == NULL)
        return false;
    loam_slabs_shrink(kern_this.slabs);
    return loam_zone_free_pages(zone) > before;
}

static loam_zone_config zone_config(void)
{
    loam_zone_config config;
    loam_zone_config_init(&config);
    config.limit = mapped_end() >> LOAM_PAGE_SHIFT;
    config.linear.pa = board_this.mapped.base;
    config.linear.len = board_this.mapped.len;
    config.linear.va = (unsigned char *)(uintptr_t)board_this.mapped.base; /* identity map */
    config.trace = &kern_this.trace;
    config.trace_max_order = KERN_VIEW_ORDER;
    config.shrink = shrink_slabs;
    return config;
}

static bool take_metadata(metadata *m, const loam_zone_config *config)
{
    loam_memblock *map = &kern_this.map;
    loam_memblock_sum sum;
    m->zone_len = loam_zone_measure(map->ram.span, map->ram.count, config);
    m->trace_len = (uint64_t)KERN_TRACE_EVENTS * sizeof(loam_trace_event);
    loam_memblock_count(map, &sum);
    if (m->zone_len == 0 || sum.free < LEAST_FREE)
        return false;
    m->zone_len = loam_align_up(m->zone_len, LOAM_PAGE_SIZE);
    return loam_memblock_alloc(map, m->zone_len, LOAM_PAGE_SIZE, loam_pa_of(0),
                               loam_pa_of(mapped_end()), LOAM_MEMBLOCK_BOTTOM_UP,
                               &m->zone) == LOAM_OK &&
           loam_memblock_alloc(map, m->trace_len, LOAM_PAGE_SIZE, loam_pa_of(0),
                               loam_pa_of(mapped_end()), LOAM_MEMBLOCK_BOTTOM_UP,
                               &m->trace) == LOAM_OK;
}

/* The map of the device tree, or else the default one, with room for the metadata in it. */
static void find_room(metadata *m, const loam_zone_config *config)
{
    loam_err err = LOAM_OK;
    hold_own();
    err = fill_map();
    if (err == LOAM_OK && take_metadata(m, config))
        return;
    if (!kern_this.tree)
        kpanic("no room for the page allocator's metadata: %s", loam_err_name(err));
    klog("device tree: its memory has no room for this kernel (%s): using the default map",
         err != LOAM_OK ? loam_err_name(err) : "too little is free");
    use_default_map();
    hold_own();
    err = fill_map();
    if (err != LOAM_OK || !take_metadata(m, config))
        kpanic("no room for the page allocator's metadata: %s", loam_err_name(err));
}

static void *identity(loam_pa pa)
{
    return (void *)(uintptr_t)pa.v;
}

static loam_err give(void *zone, loam_pfn first, uint64_t count)
{
    klog("hand over: frames [0x%X, 0x%X), %U pages", first.v, first.v + count, count);
    return loam_zone_add(zone, first, count);
}

static void hand_over(const metadata *m, const loam_zone_config *config)
{
    kern *k = &kern_this;
    loam_err err;
    k->zone = loam_zone_init(identity(m->zone), m->zone_len, false, k->map.ram.span,
                             k->map.ram.count, config);
    if (k->zone == NULL)
        kpanic("the zone refuses its metadata");
    err = loam_memblock_handover(&k->map, give, k->zone);
    if (err != LOAM_OK)
        kpanic("hand-over: %s", loam_err_name(err));
    loam_memblock_count(&k->map, &k->sum);
    kprintf("frames: %U = %U free + %U held + %U metadata\n", k->sum.total, k->sum.free,
            k->sum.held, k->sum.metadata);
    klog("partial pages at the edges of RAM: %U bytes, not used", k->sum.edge_bytes);
    if (k->sum.total != k->sum.free + k->sum.held + k->sum.metadata ||
        k->sum.free != loam_zone_free_pages(k->zone))
        kpanic("the zone counts %U free frames, the map %U", loam_zone_free_pages(k->zone),
               k->sum.free);
}

void kern_trace_lines(bool on)
{
    loam_trace_set_on(&kern_this.trace, on);
}

static void print_line(void *ctx, const char *text)
{
    (void)ctx;
    kprintf("    %s\n", text);
}

loam_policy kern_misuse_default(bool in_shell)
{
    switch (kern_this.options.misuse) {
    case MISUSE_PANIC:
        return loam_port_set_policy(LOAM_POLICY_PANIC);
    case MISUSE_REPORT:
        return loam_port_set_policy(LOAM_POLICY_REPORT);
    default:
        return loam_port_set_policy(in_shell ? LOAM_POLICY_REPORT : LOAM_POLICY_PANIC);
    }
}

void startup_memory(void)
{
    kern *k = &kern_this;
    metadata m;
    static loam_trace_lines lines = {print_line, NULL};
    loam_zone_config config = zone_config();
    const char *broken;

    (void)kern_misuse_default(false);
    find_room(&m, &config);
    log_span("metadata:", (loam_span){m.zone.v, m.zone_len}, "page allocator");
    log_span("metadata:", (loam_span){m.trace.v, m.trace_len}, "trace ring");
    if (loam_trace_init(&k->trace, 1, KERN_TRACE_EVENTS, identity(m.trace)) != LOAM_OK)
        kpanic("the trace ring cannot be made");
    loam_trace_set_sink(&k->trace, loam_trace_sink_lines, &lines);
    loam_trace_set_on(&k->trace, k->options.trace);
    hand_over(&m, &config);

    k->options.slab.trace = &k->trace;
    k->slabs = loam_slabs_init(k->zone, &k->options.slab);
    k->kmalloc = k->slabs != NULL ? loam_kmalloc_init(k->slabs) : NULL;
    if (k->kmalloc == NULL)
        kpanic("no memory for the object allocator");
    klog("kmalloc: ready");
    broken = kern_check();
    if (broken != NULL)
        kpanic("after the boot a rule is broken: %s", broken);
}
