/* SPDX-License-Identifier: MIT */
/* processors_pc64.c - the processors of a PC: their start, ticks and calls.
 *
 * The numbers are those of bootinfo.cpu[]: 0 is the one that booted, the others follow as ACPI
 * lists them, each with the number of its local APIC. Where there is no such list, or the APIC does
 * not work, there is one processor, and its tick is the 8253's.
 *
 *     page 0x8000 [ trampoline ]     a copy, made before each start: the loader may have had
 *                                    something there, and so may whoever else writes to low memory
 */
#include "processors_pc64.h"
#include "board.h"
#include "board_pc.h"
#include "console.h"
#include "kern.h"
#include "smp.h"
#include "x64_apic.h"
#include "x64_layout.h"
#include "x64_percpu.h"

static bool works;       /* the local APIC */
static unsigned started; /* the processor that was started last; 0: none */

static uint32_t id_of(unsigned cpu)
{
    return (uint32_t)kern_this.bootinfo.cpu[cpu].id;
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
    unsigned char *page = virt_of(loam_pa_of(X64_TRAMPOLINE));
    if (!works || !x64_apic_can_reach(id_of(cpu)))
        return false;
    forget_last();
    if (!x64_secondary_prepare(cpu, stack_top))
        return false;
    __builtin_memcpy(page, x64_trampoline, (size_t)(x64_trampoline_end - x64_trampoline));
    started = cpu;
    x64_apic_start(id_of(cpu), X64_TRAMPOLINE);
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
