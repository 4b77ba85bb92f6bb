/* SPDX-License-Identifier: MIT */
/* pt_x86_64.c - the tables of x86-64 in long mode: four levels, entries of 64 bits.
 *
 * WHAT   The bits of an entry, and what each feature allows.
 * MODEL  Tables of 512 entries: 9 + 9 + 9 + 9 + 12 bits of address, bit 47 repeated above.
 *
 *            63  62   52 51            12 11  9  8  7  6  5  4   3   2   1   0
 *            [NX|       | address       |.s.k| G|PS| D| A|PCD|PWT|U/S|R/W| P ]
 *
 *            PS: a page of 2 MiB at level 1, of 1 GiB at level 2 where the processor has them
 *
 *            0 ............ 2^47 - 1   no addresses   2^64 - 2^47 ............ 2^64 - 1
 *
 * RULES  T1, T2 as far as they speak of bits (pt.c).
 * LOCKS  None: pure functions.
 * COST   O(1).
 * FROM   Intel SDM volume 3, section 4.5; AMD64 Architecture Programmer's Manual volume 2, 5.3.
 * NOT    Five levels, protection keys, the PAT bit. Without LOAM_PT_NX execution cannot be refused:
 *        bit 63 is reserved then, and pages say that they can be executed. A processor may have
 *        fewer than 52 bits of physical address: whoever maps knows.
 */
#include "pt_impl.h"

#define X64_NX ((uint64_t)1 << 63)

enum {
    X64_WRITE = 0x2,
    X64_USER = 0x4,
    X64_NO_CACHE = 0x18, /* PCD and PWT */
    X64_ACCESSED = 0x20,
    X64_DIRTY = 0x40,
    X64_LARGE = 0x80, /* above level 0 */
    X64_GLOBAL = 0x100,
    X64_KEPT = 0x200,
    X64_SHARED = 0x400
};

static bool x86_64_is_canonical(uint64_t va, uint64_t last)
{
    return last >> 47 == 0 || va >> 47 == loam_mask64(17);
}

static unsigned x86_64_largest(unsigned features)
{
    return (features & LOAM_PT_HUGE) != 0 ? 2 : 1;
}

static uint64_t x86_64_page(unsigned level, unsigned flags, unsigned features)
{
    uint64_t entry = PT_PRESENT;
    entry |= (flags & LOAM_PT_WRITE) != 0 ? X64_WRITE : 0;
    entry |= (flags & LOAM_PT_USER) != 0 ? X64_USER : 0;
    entry |= (flags & LOAM_PT_DEVICE) != 0 ? X64_NO_CACHE : 0;
    if ((flags & LOAM_PT_GLOBAL) != 0 && (features & LOAM_PT_GLOBALS) != 0)
        entry |= X64_GLOBAL;
    if ((flags & LOAM_PT_EXEC) == 0 && (features & LOAM_PT_NX) != 0)
        entry |= X64_NX;
    return entry | (level != 0 ? X64_LARGE : 0);
}

static unsigned x86_64_flags(uint64_t page, unsigned features)
{
    unsigned flags = (page & X64_NX) == 0 ? LOAM_PT_EXEC : 0;
    flags |= (page & X64_WRITE) != 0 ? LOAM_PT_WRITE : 0;
    flags |= (page & X64_USER) != 0 ? LOAM_PT_USER : 0;
    flags |= (page & X64_NO_CACHE) != 0 ? LOAM_PT_DEVICE : 0;
    if ((page & X64_GLOBAL) != 0 && (features & LOAM_PT_GLOBALS) != 0)
        flags |= LOAM_PT_GLOBAL;
    return flags;
}

static unsigned x86_64_rights(uint64_t table)
{
    unsigned rights = (table & X64_NX) == 0 ? LOAM_PT_EXEC : 0;
    rights |= (table & X64_WRITE) != 0 ? LOAM_PT_WRITE : 0;
    return rights | ((table & X64_USER) != 0 ? LOAM_PT_USER : 0);
}

static bool x86_64_is_sound(unsigned level, uint64_t entry, unsigned features)
{
    if ((entry & X64_NX) != 0 && (features & LOAM_PT_NX) == 0)
        return false;
    return level == 0 || (entry & X64_LARGE) == 0 || level <= x86_64_largest(features);
}

const loam_pt_format loam_pt_x86_64 = {
    .name = "x86_64",
    .levels = 4,
    .index_bits = 9,
    .entry_shift = 3,
    .pa_bits = 52,
    .known = LOAM_PT_LARGE | LOAM_PT_HUGE | LOAM_PT_NX | LOAM_PT_GLOBALS,
    .always = LOAM_PT_LARGE,
    .address = 0x000ffffffffff000,
    .kind = PT_PRESENT | X64_LARGE,
    .is_table = PT_PRESENT,
    .link = PT_PRESENT | X64_WRITE | X64_USER,
    .grants = X64_WRITE | X64_USER | X64_NX,
    .granted = X64_WRITE | X64_USER,
    .kept = X64_KEPT,
    .shared = X64_SHARED,
    .accessed = X64_ACCESSED,
    .dirty = X64_DIRTY,
    .is_canonical = x86_64_is_canonical,
    .largest = x86_64_largest,
    .page = x86_64_page,
    .flags = x86_64_flags,
    .rights = x86_64_rights,
    .is_sound = x86_64_is_sound,
};
