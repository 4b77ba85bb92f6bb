/* SPDX-License-Identifier: MIT */
/* main.c - the boot order, on every board. */
#include "arch.h"
#include "board.h"
#include "console.h"
#include "image.h"
#include "kern.h"
#include "smp.h"
#include "stacks.h"
#include "stress.h"

void kern_main(const uintptr_t word[BOARD_FIRMWARE_WORDS]);

static bool run_demos(void)
{
    const options *o = &kern_this.options;
    bool good = true;
    for (size_t i = 0; i < o->demo_count; i++) {
        int result = demo_run(o->demo[i]);
        if (result < 0) {
            klog("command line: no demo of this name: '%s'", o->demo[i]);
            demo_list();
        }
        good = good && result == 0;
    }
    return good;
}

static bool run_play(const char *how)
{
    if (shomp_run == NULL) {
        klog("command line: play is not in this kernel");
        return false;
    }
    return shomp_run(how) == 0;
}

static bool run_pgalloc(void)
{
    const options *o = &kern_this.options;
    bool good = true;
    if (!o->pgalloc && !o->pgalloc_selftest)
        return true;
    if (stacsos_selftest == NULL || stacsos_boot == NULL) {
        klog("command line: pgalloc is not in this kernel");
        return false;
    }
    if (o->pgalloc_selftest)
        good = stacsos_selftest() == 0;
    return (!o->pgalloc || stacsos_boot() == 0) && good;
}

/* Called by the processor's start code, on the main stack, interrupts off, bss cleared. word:
 * whatever the firmware left in registers; not to be trusted. */
void kern_main(const uintptr_t word[BOARD_FIRMWARE_WORDS])
{
    bool good;
    (void)stacks_add("main stack", 0, __stack_bottom, __stack_top);
    (void)stacks_add("trap stack", 0, __trap_stack_bottom, __trap_stack_top);
    board_early();
    startup_find(word);
    startup_memory();
    board_paging();
    startup_objects();
    board_tick_start(KERN_TICK_HZ, smp_tick);
    arch_irq_on();
    smp_start();
    if (kern_this.options.test)
        board_off(tests_run(kern_this.options.test_only, kern_this.options.seed) ? 0 : 1);
    good = run_pgalloc();
    if (kern_this.options.stress.ops != 0)
        good = stress_run(&kern_this.options.stress) && good;
    good = run_demos() && good;
    if (kern_this.options.play != NULL)
        good = run_play(kern_this.options.play) && good;
    if (kern_this.options.off) {
        klog("off");
        board_off(good ? 0 : 1);
    }
    shell_run();
}
