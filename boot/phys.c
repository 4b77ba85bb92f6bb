/* SPDX-License-Identifier: MIT */
/* phys.c - bytes of physical memory that nobody vouches for.
 *
 * WHAT   The two things that every parser of a loader's leavings does with bytes: it copies a
 *        string that may never end, and it adds up a table that claims to have been added up.
 *
 * MODEL
 *            at --> [k e r n e l   w o r d s 0 ......]      one byte asked for at a time: a string
 *                                           ^               near the end of memory is read up to
 *                                           the end         its 0, and not one byte more
 *
 * RULES  D1  no byte is looked at that the reader did not grant
 *        D2  a copy always ends with a 0, and never at or behind buf + cap
 *
 * LOCKS  None; nothing but buf is written.
 * COST   One call of the reader a character; one for a whole table.
 * FROM   What Multiboot, PVH and ACPI have in common.
 * NOT    What any byte means.
 */
#include "loam/phys.h"

bool loam_phys_string(const loam_phys *phys, uint64_t at, uint64_t most, char *buf, size_t cap)
{
    for (size_t i = 0; i < cap; i++) {
        const char *c = i < most ? phys->read(phys->ctx, at + i, 1) : NULL;
        buf[i] = '\0';
        if (c == NULL || *c == '\0')
            return c != NULL;
        if (i + 1 < cap)
            buf[i] = *c;
    }
    return false;
}

bool loam_phys_sums_to_zero(const loam_phys *phys, uint64_t at, uint64_t len)
{
    const unsigned char *p = phys->read(phys->ctx, at, len);
    unsigned sum = 0;
    for (uint64_t i = 0; p != NULL && i < len; i++)
        sum += p[i];
    return p != NULL && sum % 256 == 0;
}
