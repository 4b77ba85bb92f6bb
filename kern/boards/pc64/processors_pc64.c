/* SPDX-License-Identifier: MIT */
/* processors_pc64.c - the processors of a PC: their start, ticks and calls.
 *
 * The numbers are those of bootinfo.cpu[]: 0 is the one that booted, the others follow as ACPI
 * lists them, each with the number of its local APIC. Where there is no such list, or the APIC does
 * not work, there is one processor, and its tick is the 8253's.
 *
 * They begin in 16 bits, so that a page below 1 MiB has to be taken before the zones get all that
 * is free. A machine that has none there, because its firmware wants it all, runs on one processor.
 *
 *     low memory  [data | page ... ]     x64_trampoline, copied before each start
 */
#include "processors_pc64.h"
#include "board.h"
#include "board_pc.h"
#include "console.h"
#include "kern.h"
#include "smp.h"
#include "startup.h"
#include "x64_apic.h"
#include "x64_percpu.h"

static bool works;       /* the local APIC */
static unsigned started; /* the processor that was started last; 0: none */
static loam_pa page;     /* where it begins; 0: there is none */

enum { LOW_END = 0xa0000 /* where video memory begins */ };

static uint32_t id_of(unsigned cpu)
{
    return (uint32_t)kern_this.bootinfo.cpu[cpu].id;
}

void processors_pc64_reserve(void)
{
    if (loam_memblock_alloc(&kern_this.map, LOAM_PAGE_SIZE, LOAM_PAGE_SIZE,
                            loam_pa_of(LOAM_PAGE_SIZE), loam_pa_of(LOW_END),
                            LOAM_MEMBLOCK_BOTTOM_UP, &page) == LOAM_OK)
        startup_log_span("metadata:", (loam_span){page.v, LOAM_PAGE_SIZE},
                         "start of other processors");
    else
        klog("processors: no page is free below 640 KiB: the others cannot start");
}

void processors_pc64_init(void)
{
    uint64_t at = kern_this.bootinfo.local_apic;
    const char *why = at == 0 ? "ACPI names none" : x64_apic_init(at);
    works = why == NULL;
    if (!works)
        klog("local APIC: %s: one processor", why);
    else
        x64_apic_on_call(smp_interrupted);
}

unsigned board_cpus(void)
{
    size_t n = kern_this.bootinfo.cpu_count;
    if (kern_this.bootinfo.local_apic == 0)
        return 1;
    return (unsigned)(n < LOAM_BOOTINFO_CPUS ? n : LOAM_BOOTINFO_CPUS);
}

/* One that was started and did not come must not come now: the page and what x64_secondary_prepare
 * noted are another's from here on. */
static void forget_last(void)
{
    if (started != 0 && (smp_online_set() >> started & 1) == 0)
        x64_apic_reset(id_of(started));
    started = 0;
}

bool board_cpu_start(unsigned cpu, void *stack_top)
{
    if (!works || page.v == 0 || !x64_apic_can_reach(id_of(cpu)))
        return false;
    forget_last();
    if (!x64_secondary_prepare(cpu, stack_top))
        return false;
    __builtin_memcpy(virt_of(page), x64_trampoline, (size_t)(x64_trampoline_end - x64_trampoline));
    started = cpu;
    x64_apic_start(id_of(cpu), (uint32_t)page.v);
    return true;
}

void board_cpu_init(void)
{
    x64_apic_join();
    x64_apic_tick_start(KERN_TICK_HZ, smp_tick);
}

void board_cpu_interrupt(unsigned cpu)
{
    x64_apic_call(id_of(cpu));
}

void board_tick_start(unsigned hz, void (*fn)(void))
{
    if (works)
        x64_apic_tick_start(hz, fn);
    else
        board_pc_tick_start(hz, fn);
}
