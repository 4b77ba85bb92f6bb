/* SPDX-License-Identifier: MIT */
/* cpus.c - who is who among the processors, and what a new one needs before it has an MMU.
 *
 *     firmware's list   [ 0x0 ][ 0x1 ][ 0x100 ][ 0x101 ]      MPIDR affinities
 *     bootinfo.cpu      [ 0x100 ][ 0x0 ][ 0x1 ][ 0x101 ]      when 0x100 booted
 *     cpus_table        [ row 0 ][ row 1 ][ row 2 ][ row 3 ]   key, stacks, paging registers
 *
 * A row is written by the starting processor through its caches, then cleaned to memory: the new
 * one reads it with its own caches off (start.S), finds its number by its affinity, and is at home.
 */
#include "cpus.h"
#include "cpus_layout.h"
#include "image.h"
#include "kern.h"
#include "loam/port.h"
#include "stacks.h"

typedef struct cpus_row {
    uint64_t key; /* affinity | CPUS_VALID; 0: nobody is expected */
    uint64_t stack, trap_stack;
    uint64_t ttbr0, tcr, mair, sctlr;
    uint64_t unused;
} cpus_row;

_Static_assert(sizeof(cpus_row) == CPUS_ROW && offsetof(cpus_row, stack) == CPUS_STACK &&
                   offsetof(cpus_row, trap_stack) == CPUS_TRAP_STACK &&
                   offsetof(cpus_row, ttbr0) == CPUS_TTBR0 && offsetof(cpus_row, tcr) == CPUS_TCR &&
                   offsetof(cpus_row, mair) == CPUS_MAIR && offsetof(cpus_row, sctlr) == CPUS_SCTLR,
               "start.S reads rows");
_Static_assert(CPUS_ROWS == LOAM_PORT_MAX_CPUS, "a row for each");

enum { LINE = 64 };

cpus_row cpus_table[CPUS_ROWS] __attribute__((aligned(LINE)));

static size_t trap_stack_len(void)
{
    return (size_t)(__trap_stack_top - __trap_stack_bottom);
}

/* Trap stacks follow one another, each with its guard page: the linker script has them. */
static const char *trap_stack(unsigned cpu)
{
    return __trap_stack_bottom + cpu * (trap_stack_len() + LOAM_PAGE_SIZE);
}

static uint64_t boot_affinity;

void cpus_init(void)
{
    uint64_t mpidr;
    __asm__ volatile("mrs %0, mpidr_el1" : "=r"(mpidr));
    boot_affinity = mpidr & CPUS_AFFINITY;
    for (unsigned cpu = 1; cpu < CPUS_ROWS; cpu++)
        (void)stacks_add("trap stack", cpu, trap_stack(cpu), trap_stack(cpu) + trap_stack_len());
}

static size_t listed(void)
{
    const loam_bootinfo *info = &kern_this.bootinfo;
    return info->cpu_count < LOAM_BOOTINFO_CPUS ? info->cpu_count : LOAM_BOOTINFO_CPUS;
}

/* Moves the booting processor to the front of the firmware's list, or adds it there: it runs. From
 * then on the place in the list is the number, also for who looks there himself. */
static void boot_first(void)
{
    loam_bootinfo *info = &kern_this.bootinfo;
    loam_bootinfo_cpu boot = {.id = boot_affinity};
    size_t at = 0;
    while (at < listed() && info->cpu[at].id != boot_affinity)
        at++;
    if (at < listed())
        boot = info->cpu[at];
    else if (at == LOAM_BOOTINFO_CPUS)
        at--;
    else
        info->cpu_count++;
    for (; at > 0; at--)
        info->cpu[at] = info->cpu[at - 1];
    info->cpu[0] = boot;
}

unsigned cpus_count(void)
{
    boot_first();
    return listed() < LOAM_PORT_MAX_CPUS ? (unsigned)listed() : (unsigned)LOAM_PORT_MAX_CPUS;
}

const loam_bootinfo_cpu *cpus_info(unsigned cpu)
{
    return cpu < listed() ? &kern_this.bootinfo.cpu[cpu] : NULL;
}

uint64_t cpus_affinity(unsigned cpu)
{
    const loam_bootinfo_cpu *info = cpus_info(cpu);
    return info != NULL ? info->id & CPUS_AFFINITY : boot_affinity;
}

/* ---- a row ---- */

void cpus_clean(const void *p, uint64_t len)
{
    uintptr_t at = loam_align_down((uintptr_t)p, LINE);
    for (; at < (uintptr_t)p + len; at += LINE)
        __asm__ volatile("dc civac, %0" : : "r"(at) : "memory");
    __asm__ volatile("dsb sy" : : : "memory");
}

void cpus_expect(unsigned cpu, void *stack_top)
{
    cpus_row *row = &cpus_table[cpu];
    row->stack = (uintptr_t)stack_top;
    row->trap_stack = (uintptr_t)trap_stack(cpu) + trap_stack_len();
    __asm__ volatile("mrs %0, ttbr0_el1" : "=r"(row->ttbr0));
    __asm__ volatile("mrs %0, tcr_el1" : "=r"(row->tcr));
    __asm__ volatile("mrs %0, mair_el1" : "=r"(row->mair));
    __asm__ volatile("mrs %0, sctlr_el1" : "=r"(row->sctlr));
    row->key = cpus_affinity(cpu) | CPUS_VALID;
    cpus_clean(cpus_table, sizeof(cpus_table));
}
