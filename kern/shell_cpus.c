/* SPDX-License-Identifier: MIT */
/* shell_cpus.c - commands about the processors. */
#include "console.h"
#include "kern.h"
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

static void do_stress(size_t count, const char *const *word)
{
    stress_wish wish = {.ops = 20000, .seed = 1};
    uint64_t *number[] = {&wish.ops, &wish.seed};
    for (size_t i = 1; i < count; i++) {
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

const shell_command shell_cpus_commands[] = {
    {"stress", 0, 3, "[OPS [SEED]] [offline]", "all processors allocate at once", do_stress},
    {"cpus", 0, 0, "", "the processors, and what they did", do_cpus},
    {NULL, 0, 0, NULL, NULL, NULL},
};
