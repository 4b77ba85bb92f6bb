/* SPDX-License-Identifier: MIT */
/* startup.c - from what the firmware says to the boot map, a line of the boot log for each step.
 *
 *     firmware -> bootinfo -> memblock -> zones -> slab -> kmalloc
 *                    ^           |        '------ handover.c -----'
 *                    |           +- metadata: the zones' bits and bytes, the trace rings
 *                    +- what only we know: board, kernel image, the firmware's own tables, RAM out
 *                       of reach
 *
 * A description that is absent, broken, or of memory in which this kernel cannot live is replaced
 * by the board's default map; the log says why.
 */
#include "startup.h"
#include "arch.h"
#include "board.h"
#include "console.h"
#include "image.h"
#include "kern.h"
#include "words.h"

enum { SPANS = LOAM_BOOTINFO_RAM + LOAM_BOOTINFO_HELD + 64 };

kern kern_this;

static loam_span ram_spans[SPANS], held_spans[SPANS], early_spans[SPANS];

/* ---- what the firmware says ---- */

static void use_default_map(void)
{
    kern *k = &kern_this;
    static char line[OPTIONS_CAP];
    (void)word_copy(line, sizeof(line), k->bootinfo.cmdline);
    loam_bootinfo_init(&k->bootinfo);
    if (k->told)
        k->bootinfo.cmdline = line;
    for (size_t i = 0; i < board_this.default_ram_count; i++)
        (void)loam_bootinfo_add(&k->bootinfo, loam_pa_of(board_this.default_ram[i].base),
                                board_this.default_ram[i].len);
    for (size_t i = 0; i < board_this.default_cpu_count; i++)
        k->bootinfo.cpu[k->bootinfo.cpu_count++] = board_this.default_cpu[i];
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

static void choose_console(void)
{
    const board_firmware *from = board_this.firmware;
    const char *wish = kern_this.told ? from->console(&kern_this.bootinfo) : NULL;
    const char *word = kern_this.options.console;
    if (word != NULL && board_console(word))
        return;
    if (word != NULL)
        klog("command line: console=%s is not one of: %s", word, board_this.console_names);
    if (wish != NULL && !board_console(wish))
        klog("%s: no driver for the console %s; using %s", from->name, wish,
             board_this.console_default);
}

void startup_find(const uintptr_t word[BOARD_FIRMWARE_WORDS])
{
    const board_firmware *from = board_this.firmware;
    kern *k = &kern_this;
    const char *why = NULL;
    k->told = from->find(word, &k->bootinfo, &why);
    if (!k->told) {
        loam_bootinfo_init(&k->bootinfo);
        use_default_map();
    }
    options_parse(&k->options, k->bootinfo.cmdline, ignore_option); /* where the console is */
    choose_console();
    kprintf("\nLoam on a %s (%s)\n", board_this.name, arch_describe());
    if (k->told)
        from->log(&k->bootinfo);
    else
        klog("%s: %s (%s = 0x%X): using the default map", from->name, why, from->word_name,
             (uint64_t)word[0]);
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

static uint64_t usable_end(void)
{
    const board_zone *last = &board_this.zones[board_this.zone_count - 1];
    return last->span.base + last->span.len;
}

/* RAM that lies in no zone of this kernel: it exists, and nobody uses it. */
static void hold_unreachable(void)
{
    const loam_bootinfo *info = &kern_this.bootinfo;
    for (size_t i = 0; i < info->ram_count; i++) {
        uint64_t base = info->ram[i].base, last = base + (info->ram[i].len - 1);
        if (last < usable_end())
            continue;
        if (base < usable_end())
            base = usable_end();
        hold(base, last - base + 1, "beyond this kernel's map");
    }
}

/* Firmware that lays the initramfs right behind the image file lays it into our bss: it is gone. */
static void drop_lost_initrd(void)
{
    loam_span *initrd = &kern_this.bootinfo.initrd;
    uint64_t start = phys_of(__image_start).v, end = phys_of(__image_end).v;
    loam_bootinfo_module lost;
    while (loam_bootinfo_drop_module(&kern_this.bootinfo, (loam_span){start, end - start}, &lost))
        klog("module: at 0x%X it lies inside the kernel and is lost: %s", lost.span.base,
             lost.text);
    if (initrd->len == 0 || initrd->base >= end || initrd->base + initrd->len <= start)
        return;
    klog("initramfs: at 0x%X it lies inside the kernel and is lost; load it %s", initrd->base,
         board_this.initrd_place);
    initrd->len = 0;
}

static void hold_own(void)
{
    loam_err err = LOAM_OK;
    drop_lost_initrd();
    for (size_t i = 0; i < board_this.held_count; i++)
        hold(board_this.held[i].span.base, board_this.held[i].span.len, board_this.held[i].why);
    hold(phys_of(__image_start).v, (uint64_t)(__image_end - __image_start), "kernel image");
    if (kern_this.told)
        err = board_this.firmware->hold(&kern_this.bootinfo);
    if (err != LOAM_OK)
        kpanic("cannot hold the %s: %s", board_this.firmware->name, loam_err_name(err));
    hold_unreachable();
}

/* "[0x0, 0x1000)"; a span that ends at 2^64 has that end in words. */
static void span_text(loam_text *t, uint64_t base, uint64_t len)
{
    uint64_t end = base + len;
    loam_text_fmt(t, end == 0 ? "[0x%X, 2^64)" : "[0x%X, 0x%X)", base, end);
}

void startup_log_span(const char *what, loam_span span, const char *note)
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
        startup_log_span("ram:    ", k->bootinfo.ram[i], "");
        err =
            loam_memblock_add(&k->map, loam_pa_of(k->bootinfo.ram[i].base), k->bootinfo.ram[i].len);
    }
    for (size_t i = 0; i < k->bootinfo.held_count && err == LOAM_OK; i++) {
        const loam_bootinfo_held *h = &k->bootinfo.held[i];
        startup_log_span("reserve:", h->span, h->name);
        err = loam_memblock_reserve(&k->map, loam_pa_of(h->span.base), h->span.len);
    }
    return err;
}

static bool in_ram(loam_span span)
{
    const loam_spanset *ram = &kern_this.map.ram;
    for (size_t i = 0; i < ram->count; i++)
        if (span.base >= ram->span[i].base && span.base - ram->span[i].base <= ram->span[i].len &&
            span.len <= ram->span[i].len - (span.base - ram->span[i].base))
            return true;
    return false;
}

/* What a loader says it put where there is no RAM is not there. */
static void drop_outside(void)
{
    loam_bootinfo *info = &kern_this.bootinfo;
    loam_bootinfo_module lost;
    size_t i = 0;
    while (i < info->module_count) {
        if (in_ram(info->module[i].span)) {
            i++;
            continue;
        }
        (void)loam_bootinfo_drop_module(info, info->module[i].span, &lost);
        klog("module: at 0x%X there is no memory; it is lost: %s", lost.span.base, lost.text);
        i = 0; /* it may have been another one that it overlaps */
    }
    if (info->initrd.len != 0 && !in_ram(info->initrd)) {
        klog("initramfs: at 0x%X there is no memory; it is lost", info->initrd.base);
        info->initrd.len = 0;
    }
}

/* The kernel runs, so where it lies there is RAM: a map without that is of some other machine. */
static bool image_in_ram(void)
{
    return in_ram((loam_span){phys_of(__image_start).v, (uint64_t)(__image_end - __image_start)});
}

/* Fills the map and finds room for the metadata. NULL, or why this kernel cannot live in it. */
static const char *try_map(void)
{
    loam_err err;
    hold_own();
    err = fill_map();
    if (err != LOAM_OK)
        return loam_err_name(err);
    if (!image_in_ram())
        return "the kernel itself lies outside of it";
    drop_outside();
    return handover_measure() ? NULL : "too little is free";
}

/* The map of the firmware, or else the default one, with room for the metadata in it. */
void startup_map(void)
{
    const char *why = try_map();
    if (why != NULL && kern_this.told) {
        klog("%s: its memory has no room for this kernel (%s): using the default map",
             board_this.firmware->name, why);
        use_default_map();
        why = try_map();
    }
    if (why != NULL)
        kpanic("no room for the page allocator's metadata: %s", why);
}
