/* SPDX-License-Identifier: MIT */
/* shell_paging.c - commands of boards whose kernel makes its own page tables. */
#include "arch.h"
#include "console.h"
#include "image.h"
#include "kern.h"
#include "memview.h"
#include "paging.h"
#include "shell.h"
#include "smp.h"
#include "words.h"

/* ---- tlb ---- */

static void print_flushes(const loam_tlb_stats *s)
{
    kprintf("flushes: %U batches; %U pages one by one, %U times everything\n", s->batches, s->pages,
            s->fulls);
    if (smp_count() > 1)
        kprintf("other processors: told of %U batches%s\n", s->told,
                kern_this.tlb.others != NULL ? ", by an interrupt each" : "; a flush reaches them");
}

static void do_tlb(size_t count, const char *const *word)
{
    const kern *k = &kern_this;
    char text[160];
    loam_text t;
    (void)count;
    (void)word;
    loam_text_init(&t, text, sizeof(text));
    arch_paging_describe(&t);
    kprintf("processor: %s\n", arch_describe());
    kprintf("tables: %s, %U pages of them; %s\n", loam_pt_format_name(k->pt.format), k->pt.tables,
            text);
    if (k->tlb.page != NULL)
        kprintf("a batch of up to %u pages: one by one with %s; more: everything, by %s\n",
                (int)k->tlb.threshold, arch_tlb_word(false), arch_tlb_word(true));
    else
        kprintf("no %s, an 80386: every batch flushes everything, by %s\n", arch_tlb_word(false),
                arch_tlb_word(true));
    print_flushes(&k->tlb.stats);
}

/* ---- vmap ---- */

/* "kmalloc_large+0x12", or the bare address. */
static void site_text(loam_text *t, const void *site)
{
    uint64_t offset = 0;
    const char *name = image_symbol_of((uintptr_t)site, &offset);
    if (site == NULL)
        return;
    if (name == NULL)
        loam_text_fmt(t, ", by 0x%X", (uint64_t)(uintptr_t)site);
    else
        loam_text_fmt(t, ", by %s+0x%X", name, offset);
}

static bool print_area(void *ctx, const loam_vmap_area *area)
{
    char site[80];
    loam_text t;
    (void)ctx;
    loam_text_init(&t, site, sizeof(site));
    site_text(&t, area->site);
    kprintf("  0x%08X %8U bytes, %4U pages, r%s%s%s%s%s%s, guards 0x%X 0x%X%s\n", area->va,
            area->wanted, area->size / LOAM_PAGE_SIZE,
            (area->flags & LOAM_PT_WRITE) != 0 ? "w" : "-",
            (area->flags & LOAM_PT_EXEC) != 0 ? "x" : "-",
            (area->flags & LOAM_PT_USER) != 0 ? " user" : "",
            (area->flags & LOAM_PT_DEVICE) != 0 ? " device" : "",
            (area->flags & LOAM_VMAP_BORROW) != 0 ? " borrowed" : "",
            (area->flags & LOAM_VMAP_KMALLOC) != 0 ? " kmalloc" : "", area->va - LOAM_PAGE_SIZE,
            area->va + area->size, site);
    return true;
}

static void print_vmap(loam_vmap *vmap)
{
    loam_vmap_stats s;
    if (vmap == NULL) {
        kprintf("window: there is none\n");
        return;
    }
    loam_vmap_stat(vmap, &s);
    kprintf("window: %U KiB, %U KiB of them mapped in %U areas, room for %U KiB in a row\n",
            s.window >> 10, s.mapped >> 10, s.areas, s.largest >> 10);
    loam_vmap_each(vmap, print_area, NULL);
    kprintf("  calls: %U allocated, %U freed, %U without memory, %U refused\n", s.allocs, s.frees,
            s.failures, s.refusals);
}

static void vmap_alloc(const char *command, const char *word)
{
    uint64_t size, va;
    loam_err err;
    if (!shell_number(command, word, &size))
        return;
    err = loam_vmap_alloc(kern_this.vmap, size, 0, LOAM_PT_WRITE, &va);
    if (err == LOAM_OK)
        kprintf("0x%X: %U bytes\n", va, size);
    else
        kprintf("%s: %s\n", command, loam_err_name(err));
}

static void vmap_free(const char *command, const char *word)
{
    uint64_t va;
    if (!shell_number(command, word, &va))
        return;
    if (loam_vmap_free(kern_this.vmap, va) == LOAM_OK)
        kprintf("0x%X: free\n", va);
    else
        kprintf("%s: refused, nothing has changed\n", command);
}

static void do_vmap(size_t count, const char *const *word)
{
    if (count == 1) {
        print_vmap(kern_this.vmap);
        print_flushes(&kern_this.tlb.stats);
    } else if (count == 3 && word_is(word[1], "alloc") && kern_this.vmap != NULL) {
        vmap_alloc(word[0], word[2]);
    } else if (count == 3 && word_is(word[1], "free") && kern_this.vmap != NULL) {
        vmap_free(word[0], word[2]);
    } else {
        shell_usage(word[0]);
    }
}

const shell_command shell_paging_commands[] = {
    {"memview", 0, 1, "[text|churn]", "a picture of all of memory", memview_command},
    {"vmap", 0, 2, "[alloc BYTES|free ADDRESS]", "areas of the kernel's windows", do_vmap},
    {"tlb", 0, 0, "", "how page tables are flushed, and how often", do_tlb},
    {NULL, 0, 0, NULL, NULL, NULL},
};
