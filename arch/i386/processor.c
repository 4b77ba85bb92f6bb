/* SPDX-License-Identifier: MIT */
/* processor.c - which x86 this is, and the instructions that not every one has.
 *
 *     EFLAGS.AC cannot be set            80386
 *     xadd is an invalid opcode          80386 (or less than a 486 in an emulator)
 *     EFLAGS.ID cannot be set            80486 without cpuid
 *     cpuid says what else there is
 *
 * Everything in this file that an 80386 does not know stands in a function of its own, so that
 * tools/check_386.py can tell it from a slip of the compiler.
 */
#include "processor.h"

enum {
    EFLAGS_AC = 1 << 18,
    EFLAGS_ID = 1 << 21,

    /* cpuid leaf 1, edx */
    HAS_PSE = 1 << 3,
    HAS_TSC = 1 << 4,
    HAS_PGE = 1 << 13,

    CR4_PSE = 1 << 4,
    CR4_PGE = 1 << 7
};
#define CR0_EM (1U << 2) /* floating point traps */
#define CR0_WP (1U << 16)

processor processor_this;

extern const char processor_probe_from[], processor_probe_to[];

/* True when the bit of EFLAGS can be changed. */
static bool flag_changes(uint32_t bit)
{
    uint32_t before, after;
    __asm__ volatile("pushfl\n\t"
                     "pushfl\n\t"
                     "popl %0\n\t"
                     "movl %0, %1\n\t"
                     "xorl %2, %1\n\t"
                     "pushl %1\n\t"
                     "popfl\n\t"
                     "pushfl\n\t"
                     "popl %1\n\t"
                     "popfl"
                     : "=&r"(before), "=&r"(after)
                     : "r"(bit)
                     : "cc");
    return ((before ^ after) & bit) != 0;
}

/* False when xadd is an invalid opcode: the trap handler then goes on at processor_probe_to, and
 * the answer stays 0. */
static LOAM_NOINLINE bool probe_xadd(void)
{
    uint32_t answer = 0, one = 1;
    __asm__ volatile(".globl processor_probe_from, processor_probe_to\n"
                     "processor_probe_from:\n\t"
                     "xaddl %1, %0\n"
                     "processor_probe_to:"
                     : "+r"(answer), "+r"(one)
                     :
                     : "cc");
    return answer == 1;
}

bool processor_probe_trapped(uint32_t eip, uint32_t *resume)
{
    if (eip != (uint32_t)(uintptr_t)processor_probe_from)
        return false;
    *resume = (uint32_t)(uintptr_t)processor_probe_to;
    return true;
}

static LOAM_NOINLINE void read_cpuid(uint32_t leaf, uint32_t reg[4])
{
    __asm__ volatile("cpuid" : "=a"(reg[0]), "=b"(reg[1]), "=c"(reg[2]), "=d"(reg[3]) : "a"(leaf));
}

static void ask_cpuid(processor *p)
{
    uint32_t reg[4], leaves;
    read_cpuid(0, reg);
    leaves = reg[0];
    for (unsigned i = 0; i < 4; i++) {
        p->vendor[i] = (char)(reg[1] >> 8 * i);
        p->vendor[4 + i] = (char)(reg[3] >> 8 * i);
        p->vendor[8 + i] = (char)(reg[2] >> 8 * i);
    }
    if (leaves == 0)
        return;
    read_cpuid(1, reg);
    p->family = reg[0] >> 8 & 0xf;
    p->has_tsc = (reg[3] & HAS_TSC) != 0;
    p->has_large = (reg[3] & HAS_PSE) != 0;
    p->has_globals = (reg[3] & HAS_PGE) != 0;
}

static void add_cr0(uint32_t bits)
{
    uint32_t cr0;
    __asm__ volatile("movl %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("movl %0, %%cr0" : : "r"(cr0 | bits) : "memory");
}

void processor_detect(void)
{
    processor *p = &processor_this;
    bool is_486 = flag_changes(EFLAGS_AC) && probe_xadd();
    *p = (processor){.family = is_486 ? 4 : 3, .has_invlpg = is_486};
    p->has_cpuid = is_486 && flag_changes(EFLAGS_ID);
    if (p->has_cpuid)
        ask_cpuid(p);
    add_cr0(CR0_EM); /* neither the kernel nor its programs have any: nothing to save */
}

static LOAM_NOINLINE void add_cr4(uint32_t bits)
{
    uint32_t cr4;
    __asm__ volatile("movl %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("movl %0, %%cr4" : : "r"(cr4 | bits) : "memory");
}

void processor_paging_features(void)
{
    const processor *p = &processor_this;
    if (p->has_invlpg) /* WP came with the 486 */
        add_cr0(CR0_WP);
    if (p->has_large || p->has_globals)
        add_cr4((p->has_large ? CR4_PSE : 0U) | (p->has_globals ? CR4_PGE : 0U));
}

uint32_t processor_cr3(void)
{
    uint32_t cr3;
    __asm__ volatile("movl %%cr3, %0" : "=r"(cr3));
    return cr3;
}

void processor_set_cr3(uint32_t cr3)
{
    __asm__ volatile("movl %0, %%cr3" : : "r"(cr3) : "memory");
}

LOAM_NOINLINE void processor_flush_page(uint32_t va)
{
    __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

/* A reload of CR3 keeps global pages; switching the feature off and on again does not. */
static LOAM_NOINLINE void flush_globals(void)
{
    uint32_t cr4;
    __asm__ volatile("movl %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("movl %0, %%cr4" : : "r"(cr4 & ~(uint32_t)CR4_PGE) : "memory");
    __asm__ volatile("movl %0, %%cr4" : : "r"(cr4) : "memory");
}

void processor_flush_all(void)
{
    if (processor_this.has_globals)
        flush_globals();
    else
        processor_set_cr3(processor_cr3());
}

LOAM_NOINLINE uint64_t processor_tsc(void)
{
    uint64_t ticks;
    __asm__ volatile("rdtsc" : "=A"(ticks));
    return ticks;
}
