/* SPDX-License-Identifier: MIT */
/* shell_cpus.c - commands about the processors. */
#include "console.h"
#include "kern.h"
#include "loam/port.h"
#include "shell.h"
#include "smp.h"
#include "stress.h"
#include "words.h"

static uint64_t pages_in_fronts(void)
{
    uint64_t pages = 0;
    for (unsigned i = 0; i < kern_this.zones.count; i++) {
        loam_zone_stats stats;
        loam_zone_stat(kern_this.zones.zone[i], &stats);
        pages += stats.in_fronts;
    }
    return pages;
}

static void do_cpus(size_t count, const char *const *word)
{
    (void)count;
    (void)word;
    kprintf("cpus: %u online\n", (int)smp_online());
    kprintf("  cpu node  state             ticks  interrupts  requests  rounds\n");
    for (unsigned c = 0; c < smp_count(); c++) {
        smp_view v;
        char line[40];
        loam_text t;
        smp_look(c, &v);
        loam_text_init(&t, line, sizeof(line));
        loam_text_fmt(&t, "%5u%5u  %s", (int)c, (int)kern_node_of_cpu(c), v.state);
        while (t.len < 24)
            loam_text_char(&t, ' ');
        kprintf("%s %11U %11U %9U %7U\n", line, v.ticks, v.calls, v.served, v.works);
    }
    kprintf("in fronts: %U pages\n", pages_in_fronts());
}

/* Also as on the kernel's command line, in one word with commas. */
static void do_stress(size_t count, const char *const *word)
{
    stress_wish wish = {.ops = 20000};
    uint64_t *number[] = {&wish.ops, &wish.seed};
    bool one_word = count == 2 && stress_parse(word[1], &wish);
    if (!one_word)
        wish = (stress_wish){.ops = 20000};
    for (size_t i = 1; i < count && !one_word; i++) {
        if (i + 1 == count && word_is(word[i], "offline"))
            wish.offline = true;
        else if (i > LOAM_ARRAY_LEN(number) || !shell_number(word[0], word[i], number[i - 1]))
            return;
    }
    if (wish.ops == 0)
        shell_usage(word[0]);
    else
        (void)stress_run(&wish);
}

/* ---- stale ---- */

typedef struct stale_read {
    volatile unsigned char *at;
    unsigned cpu; /* that reads; smp_count(): all do */
} stale_read;

static void read_there(void *ctx)
{
    const stale_read *s = ctx;
    if (s->cpu == smp_count() || s->cpu == loam_port_cpu())
        (void)*s->at;
}

/* All processors read a page of vmap, so that each remembers where it is; it is freed; one of them
 * reads it again. told: the others are told to forget it, as ever. */
static void read_stale(unsigned cpu, bool told)
{
    loam_tlb *tlb = &kern_this.tlb;
    bool (*others)(void *ctx, const uint64_t *va, uint32_t count) = tlb->others;
    stale_read s = {NULL, smp_count()};
    uint64_t va;
    if (kern_this.vmap == NULL ||
        loam_vmap_alloc(kern_this.vmap, LOAM_PAGE_SIZE, 0, LOAM_PT_WRITE, &va) != LOAM_OK) {
        kprintf("stale: no vmap, or no memory\n");
        return;
    }
    s.at = (volatile unsigned char *)(uintptr_t)va;
    smp_run(read_there, &s);
    if (!told)
        tlb->others = NULL;
    (void)loam_vmap_free(kern_this.vmap, va);
    tlb->others = others;
    s.cpu = cpu;
    kprintf("stale: core %u reads 0x%X, which is free\n", (int)cpu, va);
    smp_run(read_there, &s);
    kprintf("stale: the read went through\n");
}

static void do_stale(size_t count, const char *const *word)
{
    uint64_t cpu;
    bool untold = count == 3 && word_is(word[2], "untold");
    if (count == 3 && !untold)
        shell_usage(word[0]);
    else if (shell_number(word[0], word[1], &cpu)) {
        if (cpu >= smp_count())
            kprintf("%s: there is no processor %U\n", word[0], cpu);
        else
            read_stale((unsigned)cpu, !untold);
    }
}

const shell_command shell_cpus_commands[] = {
    {"stale", 1, 2, "CORE [untold]", "read a page of vmap after its end: a fault", do_stale},
    {"stress", 0, 3, "[OPS [SEED]] [offline]", "all processors allocate at once", do_stress},
    {"cpus", 0, 0, "", "the processors, and what they did", do_cpus},
    {NULL, 0, 0, NULL, NULL, NULL},
};
