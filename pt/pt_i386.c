/* SPDX-License-Identifier: MIT */
/* pt_i386.c - the tables of the 80386 and its successors: two levels, entries of 32 bits.
 *
 * WHAT   The bits of an entry, and what each feature allows.
 * MODEL  A directory of 1,024 entries over tables of 1,024: 10 + 10 + 12 bits of address.
 *
 *            31            12 11  9  8  7  6  5  4   3   2   1   0
 *            [ address       |.s.k| G|PS| D| A|PCD|PWT|U/S|R/W| P ]      k kept, s shared: ours
 *
 *            directory, PS: a page of 4 MiB; its address has only bits 31 to 22, the others are 0
 *
 * RULES  T1, T2 as far as they speak of bits (pt.c).
 * LOCKS  None: pure functions.
 * COST   O(1).
 * FROM   80386 Programmer's Reference Manual, chapter 5; Intel SDM volume 3, section 4.3.
 * NOT    PAE, and PSE-36: every page lies below 4 GiB. Execution cannot be refused here: what can
 *        be read can be executed, and pages say so. The 80386 knows neither PCD nor PWT: it has no
 *        cache to keep off.
 */
#include "pt_impl.h"

enum {
    I386_WRITE = 0x2,
    I386_USER = 0x4,
    I386_NO_CACHE = 0x18, /* PCD and PWT */
    I386_ACCESSED = 0x20,
    I386_DIRTY = 0x40,
    I386_LARGE = 0x80, /* in the directory */
    I386_GLOBAL = 0x100,
    I386_KEPT = 0x200,
    I386_SHARED = 0x400
};

static bool i386_is_canonical(uint64_t va, uint64_t last)
{
    (void)va;
    return last <= UINT32_MAX;
}

static unsigned i386_largest(unsigned features)
{
    return (features & LOAM_PT_LARGE) != 0;
}

static uint64_t i386_page(unsigned level, unsigned flags, unsigned features)
{
    unsigned entry = PT_PRESENT;
    entry |= (flags & LOAM_PT_WRITE) != 0 ? I386_WRITE : 0;
    entry |= (flags & LOAM_PT_USER) != 0 ? I386_USER : 0;
    entry |= (flags & LOAM_PT_DEVICE) != 0 ? I386_NO_CACHE : 0;
    if ((flags & LOAM_PT_GLOBAL) != 0 && (features & LOAM_PT_GLOBALS) != 0)
        entry |= I386_GLOBAL;
    return entry | (level != 0 ? I386_LARGE : 0);
}

static unsigned i386_flags(uint64_t page, unsigned features)
{
    unsigned flags = LOAM_PT_EXEC; /* nothing here could refuse it */
    flags |= (page & I386_WRITE) != 0 ? LOAM_PT_WRITE : 0;
    flags |= (page & I386_USER) != 0 ? LOAM_PT_USER : 0;
    flags |= (page & I386_NO_CACHE) != 0 ? LOAM_PT_DEVICE : 0;
    if ((page & I386_GLOBAL) != 0 && (features & LOAM_PT_GLOBALS) != 0)
        flags |= LOAM_PT_GLOBAL;
    return flags;
}

static unsigned i386_rights(uint64_t table)
{
    return LOAM_PT_EXEC | ((table & I386_WRITE) != 0 ? LOAM_PT_WRITE : 0U) |
           ((table & I386_USER) != 0 ? LOAM_PT_USER : 0U);
}

static bool i386_is_sound(unsigned level, uint64_t entry, unsigned features)
{
    return level == 0 || (entry & I386_LARGE) == 0 || (features & LOAM_PT_LARGE) != 0;
}

const loam_pt_format loam_pt_i386 = {
    .name = "i386",
    .levels = 2,
    .index_bits = 10,
    .entry_shift = 2,
    .pa_bits = 32,
    .known = LOAM_PT_LARGE | LOAM_PT_GLOBALS,
    .always = 0,
    .address = 0xfffff000,
    .kind = PT_PRESENT | I386_LARGE,
    .is_table = PT_PRESENT,
    .link = PT_PRESENT | I386_WRITE | I386_USER,
    .grants = I386_WRITE | I386_USER,
    .granted = I386_WRITE | I386_USER,
    .kept = I386_KEPT,
    .shared = I386_SHARED,
    .accessed = I386_ACCESSED,
    .dirty = I386_DIRTY,
    .is_canonical = i386_is_canonical,
    .largest = i386_largest,
    .page = i386_page,
    .flags = i386_flags,
    .rights = i386_rights,
    .is_sound = i386_is_sound,
};
