/* SPDX-License-Identifier: MIT */
/* aspace_share.c - how many spaces have a frame.
 *
 * WHAT   A frame goes back to its zone when its last owner drops it, so somebody has to count. Most
 *        frames have one owner, and no count at all.
 *
 * MODEL  Two levels. A leaf is a byte for each of 4096 frames that follow one another: the owners
 *        besides the first. The directory has an entry for each leaf number between the lowest and
 *        the highest that were ever needed since it was last empty.
 *
 *            frame 0x12345:   directory[0x12 - first] --> leaf [ 0 0 1 0 ... 3 ... ]  used 2
 *                                                                byte 0x345
 *
 *        A leaf comes with the first count in it and goes with the last; so does the directory.
 *
 * RULES  A9 of aspace.c.
 * LOCKS  The world's, held by the caller.
 * COST   O(1); a leaf that comes or goes: clearing 4 KiB; a directory that grows: its length.
 * FROM   The count that Unix systems keep in each page's descriptor; here only where it is not 1.
 * NOT    More than 256 owners: the next one gets a copy.
 */
#include "aspace_impl.h"

static aspace_leaf *share_leaf(const loam_aspace_world *w, loam_pfn pfn)
{
    uint64_t i = (pfn.v >> ASPACE_LEAF_SHIFT) - w->shares.first; /* below first: wraps, too large */
    return i < w->shares.cap ? &w->shares.leaf[i] : NULL;
}

static uint8_t *share_count(const loam_aspace_world *w, loam_pfn pfn)
{
    const aspace_leaf *leaf = share_leaf(w, pfn);
    if (leaf == NULL || leaf->count == NULL)
        return NULL;
    return &leaf->count[pfn.v & (ASPACE_LEAF - 1)];
}

unsigned loam_aspace__sharers(const loam_aspace_world *w, loam_pfn pfn)
{
    const uint8_t *count = share_count(w, pfn);
    return count == NULL ? 0 : *count;
}

/* Makes the directory reach to an entry for this leaf number. */
static loam_err share_reach(loam_aspace_world *w, uint64_t number)
{
    aspace_shares *s = &w->shares, old = *s;
    uint64_t first = number, end = number + 1;
    if (number - s->first < s->cap)
        return LOAM_OK;
    if (s->cap != 0) {
        first = s->first < first ? s->first : first;
        end = s->first + s->cap > end ? s->first + s->cap : end;
    }
    uint64_t cap = 1ULL << loam_log2_ceil(end - first);
    cap = cap < ASPACE_DIRECTORY ? (uint64_t)ASPACE_DIRECTORY : cap;
    if (cap > PTRDIFF_MAX / sizeof(aspace_leaf))
        return LOAM_ENOMEM;
    aspace_leaf *leaf = aspace_alloc(w, (size_t)cap * sizeof *leaf);
    if (leaf == NULL)
        return LOAM_ENOMEM;
    if (old.cap != 0) {
        __builtin_memcpy(leaf + (old.first - first), old.leaf, (size_t)old.cap * sizeof *leaf);
        aspace_free(w, old.leaf, (size_t)old.cap * sizeof *leaf);
    }
    *s = (aspace_shares){leaf, first, cap, old.leaves};
    return LOAM_OK;
}

/* A leaf of zeros for the frames around pfn. */
static loam_err share_grow(loam_aspace_world *w, loam_pfn pfn)
{
    uint8_t *count = aspace_alloc(w, ASPACE_LEAF);
    if (count == NULL)
        return LOAM_ENOMEM;
    if (share_reach(w, pfn.v >> ASPACE_LEAF_SHIFT) != LOAM_OK) {
        aspace_free(w, count, ASPACE_LEAF);
        return LOAM_ENOMEM;
    }
    *share_leaf(w, pfn) = (aspace_leaf){count, 0};
    w->shares.leaves++;
    return LOAM_OK;
}

static void share_trim(loam_aspace_world *w, aspace_leaf *leaf)
{
    aspace_shares *s = &w->shares;
    if (leaf->used != 0)
        return;
    aspace_free(w, leaf->count, ASPACE_LEAF);
    leaf->count = NULL;
    if (--s->leaves != 0)
        return;
    aspace_free(w, s->leaf, (size_t)s->cap * sizeof *s->leaf);
    *s = (aspace_shares){NULL, 0, 0, 0};
}

loam_err loam_aspace__share(loam_aspace_world *w, loam_pfn pfn)
{
    uint8_t *count = share_count(w, pfn);
    if (count == NULL) {
        if (share_grow(w, pfn) != LOAM_OK)
            return LOAM_ENOMEM;
        count = share_count(w, pfn);
    }
    if (*count == ASPACE_SHARE_MAX)
        return LOAM_EFULL;
    if ((*count)++ == 0)
        share_leaf(w, pfn)->used++;
    return LOAM_OK;
}

void loam_aspace__drop(loam_aspace_world *w, loam_pfn pfn)
{
    uint8_t *count = share_count(w, pfn);
    if (count == NULL || *count == 0) {
        (void)loam_zonelist_free(w->config.frames, pfn);
        return;
    }
    aspace_leaf *leaf = share_leaf(w, pfn);
    if (--*count == 0) {
        leaf->used--;
        share_trim(w, leaf);
    }
}

/* ---- rules ---- */

static uint32_t share_used(const aspace_leaf *leaf, uint64_t *sum)
{
    uint32_t used = 0;
    for (unsigned i = 0; i < ASPACE_LEAF; i++) {
        used += leaf->count[i] != 0;
        *sum += leaf->count[i];
    }
    return used;
}

const char *loam_aspace__check_shares(const loam_aspace_world *w, uint64_t *sum)
{
    const aspace_shares *s = &w->shares;
    uint64_t leaves = 0;
    *sum = 0;
    if ((s->leaf == NULL) != (s->cap == 0) || (s->leaf == NULL) != (s->leaves == 0))
        return "A9 a directory is there exactly while a leaf is";
    for (uint64_t i = 0; i < s->cap; i++) {
        const aspace_leaf *leaf = &s->leaf[i];
        if (leaf->count == NULL)
            continue;
        leaves++;
        if (leaf->used == 0 || share_used(leaf, sum) != leaf->used)
            return "A9 a leaf is there exactly while a count in it is not 0";
    }
    return leaves == s->leaves ? NULL : "A9 a directory is there exactly while a leaf is";
}
