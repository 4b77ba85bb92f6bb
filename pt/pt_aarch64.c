/* SPDX-License-Identifier: MIT */
/* pt_aarch64.c - the tables of AArch64, 4 KiB granule, 48 bits: four levels, entries of 64 bits.
 *
 * WHAT   The bits of a descriptor. (The manual's levels are numbered from the root, 0 to 3; ours
 *        from the pages.)
 * MODEL  Tables of 512 entries: 9 + 9 + 9 + 9 + 12 bits of address.
 *
 *            63    59 58  56 55 54  53  52 48 47         12 11 10 9 8  7 6   5  4    2  1 0
 *            [ table |. s  k|  |UXN|PXN|     | address     |nG|AF| SH | AP |  |AttrIdx|kind]
 *
 *            kind 11: a table, at level 0 a page; 01: a page of 2 MiB or 1 GiB at levels 1 and 2
 *            AP   00 kernel writes, 01 both write, 10 kernel reads, 11 both read
 *
 *        Nobody executes what belongs to the other: a user's page is never executable for the
 *        kernel (PXN), nor the kernel's for a user (UXN), whatever EXEC says.
 *
 * RULES  T1, T2 as far as they speak of bits (pt.c).
 * LOCKS  None: pure functions.
 * COST   O(1).
 * FROM   Arm Architecture Reference Manual for A-profile, chapter D5 (DDI 0487).
 * NOT    MAIR_EL1 is expected to hold 0xff (normal, write-back) as attribute 0, and a device type,
 *        0x00 or 0x04, as attribute 1. The access flag is set at once: no fault tells of a first
 *        access; dirty is not noted. Addresses are those of one root: for TTBR1 without the 16 ones
 *        on top.
 */
#include "pt_impl.h"

#define A64_BIT(n) ((uint64_t)1 << (n))

#define A64_PAGE       A64_BIT(1) /* with PT_PRESENT: a table, or at level 0 a page */
#define A64_DEVICE     A64_BIT(2) /* AttrIndx 1 in place of 0 */
#define A64_USER       A64_BIT(6) /* AP[1] */
#define A64_READ_ONLY  A64_BIT(7) /* AP[2] */
#define A64_SHAREABLE  (A64_BIT(8) | A64_BIT(9))
#define A64_ACCESSED   A64_BIT(10)
#define A64_NOT_GLOBAL A64_BIT(11)
#define A64_PXN        A64_BIT(53)
#define A64_UXN        A64_BIT(54)
#define A64_KEPT       A64_BIT(55)
#define A64_SHARED     A64_BIT(56)

/* In a table: what it takes away from all below. */
#define A64_TABLE_PXN      A64_BIT(59)
#define A64_TABLE_UXN      A64_BIT(60)
#define A64_TABLE_NO_USER  A64_BIT(61)
#define A64_TABLE_NO_WRITE A64_BIT(62)
#define A64_TABLE_LESS     (A64_TABLE_PXN | A64_TABLE_UXN | A64_TABLE_NO_USER | A64_TABLE_NO_WRITE)

static bool aarch64_is_canonical(uint64_t va, uint64_t last)
{
    (void)va;
    return last >> 48 == 0;
}

static unsigned aarch64_largest(unsigned features)
{
    return (features & LOAM_PT_HUGE) != 0 ? 2 : 1;
}

static uint64_t aarch64_page(unsigned level, unsigned flags, unsigned features)
{
    (void)features; /* all of them are there on every processor */
    uint64_t entry = PT_PRESENT | A64_ACCESSED | (level == 0 ? A64_PAGE : 0);
    bool user = (flags & LOAM_PT_USER) != 0, exec = (flags & LOAM_PT_EXEC) != 0;
    entry |= (flags & LOAM_PT_WRITE) == 0 ? A64_READ_ONLY : 0;
    entry |= (flags & LOAM_PT_DEVICE) != 0 ? A64_DEVICE : A64_SHAREABLE;
    entry |= (flags & LOAM_PT_GLOBAL) == 0 ? A64_NOT_GLOBAL : 0;
    entry |= user ? A64_USER : 0;
    entry |= user || !exec ? A64_PXN : 0;
    return entry | (!user || !exec ? A64_UXN : 0);
}

static unsigned aarch64_flags(uint64_t page, unsigned features)
{
    (void)features;
    uint64_t no_exec = (page & A64_USER) != 0 ? A64_UXN : A64_PXN;
    unsigned flags = (page & A64_READ_ONLY) == 0 ? LOAM_PT_WRITE : 0;
    flags |= (page & A64_USER) != 0 ? LOAM_PT_USER : 0;
    flags |= (page & no_exec) == 0 ? LOAM_PT_EXEC : 0;
    flags |= (page & A64_DEVICE) != 0 ? LOAM_PT_DEVICE : 0;
    return flags | ((page & A64_NOT_GLOBAL) == 0 ? LOAM_PT_GLOBAL : 0);
}

/* Execution is lost when either side loses it: a table over both halves is nobody's. */
static unsigned aarch64_rights(uint64_t table)
{
    unsigned rights = (table & A64_TABLE_NO_WRITE) == 0 ? LOAM_PT_WRITE : 0;
    rights |= (table & A64_TABLE_NO_USER) == 0 ? LOAM_PT_USER : 0;
    return rights | ((table & (A64_TABLE_PXN | A64_TABLE_UXN)) == 0 ? LOAM_PT_EXEC : 0);
}

static bool aarch64_is_sound(unsigned level, uint64_t entry, unsigned features)
{
    if ((entry & A64_PAGE) != 0)
        return true;
    return level > 0 && level <= aarch64_largest(features);
}

const loam_pt_format loam_pt_aarch64 = {
    .name = "aarch64",
    .levels = 4,
    .index_bits = 9,
    .entry_shift = 3,
    .pa_bits = 48,
    .known = LOAM_PT_LARGE | LOAM_PT_HUGE | LOAM_PT_NX | LOAM_PT_GLOBALS,
    .always = LOAM_PT_LARGE | LOAM_PT_HUGE | LOAM_PT_NX | LOAM_PT_GLOBALS,
    .address = 0x0000fffffffff000,
    .kind = PT_PRESENT | A64_PAGE,
    .is_table = PT_PRESENT | A64_PAGE,
    .link = PT_PRESENT | A64_PAGE,
    .grants = A64_TABLE_LESS,
    .granted = 0,
    .kept = A64_KEPT,
    .shared = A64_SHARED,
    .accessed = A64_ACCESSED,
    .dirty = 0,
    .is_canonical = aarch64_is_canonical,
    .largest = aarch64_largest,
    .page = aarch64_page,
    .flags = aarch64_flags,
    .rights = aarch64_rights,
    .is_sound = aarch64_is_sound,
};
