/* SPDX-License-Identifier: MIT */
/* range_check.c - the rules of a range, one function each.
 *
 * WHAT   Finds out whether a range is sound: for tests, for the shell, after damage.
 *
 * MODEL  The chain is proved first, against the interval alone; then the tree against the chain; so
 *        each test may rely on those before it, and each ends in any state of the tags.
 *
 *            interval ---> chain ---> tree ---> heights, longest free pieces, counts
 *              R1          R2 R3       R4          R5           R6            R7 R8
 *
 * RULES  Those of range.c.
 * LOCKS  None: the owner's.
 * COST   O(pieces), a few words of stack.
 * FROM   The walk of a tree by parent links that visits each edge twice.
 * NOT    Proving that a link points to a tag at all.
 */
#include "range_impl.h"

static bool range_r1(const loam_range *r)
{
    return loam_is_pow2(r->quantum) && r->len != 0 && range_is_whole(r, r->base | r->len) &&
           r->base <= UINT64_MAX - (r->len - 1);
}

/* Ends in any state: by the interval, since every piece counts at least one unit. */
static bool range_r2(const loam_range *r)
{
    const loam_range_tag *prev = NULL;
    uint64_t left = r->len, tags = 0;
    for (const loam_range_tag *t = r->first; t != NULL; prev = t, t = t->next) {
        if (t->prev != prev || t->base != r->base + (r->len - left) || tags++ == r->tags)
            return false;
        if (t->len == 0 || t->len > left || !range_is_whole(r, t->len))
            return false;
        left -= t->len;
    }
    return left == 0;
}

static bool range_r3(const loam_range *r)
{
    const loam_range_tag *t = r->first;
    for (; t->next != NULL; t = t->next)
        if (!t->taken && !t->next->taken)
            return false;
    return true;
}

/* Goes down to the lowest node; NULL when that takes more than *steps. */
static const loam_range_tag *range_lowest(const loam_range_tag *t, uint64_t *steps)
{
    for (; t != NULL && t->child[0] != NULL; t = t->child[0])
        if (t->child[0]->parent != t || (*steps)-- == 0)
            return NULL;
    return t;
}

/* Each edge of the tree is walked once down and once up, so that a circle is found out. */
static bool range_r4(const loam_range *r)
{
    uint64_t down = r->tags, up = down;
    if (r->root == NULL || r->root->parent != NULL)
        return false;
    const loam_range_tag *t = range_lowest(r->root, &down), *chained = r->first;
    for (; t != NULL && t == chained; chained = chained->next) {
        if (t->child[1] != NULL) {
            if (t->child[1]->parent != t || down-- == 0)
                return false;
            t = range_lowest(t->child[1], &down);
            continue;
        }
        for (; t->parent != NULL && t->parent->child[1] == t; t = t->parent)
            if (up-- == 0)
                return false;
        t = t->parent;
    }
    return t == NULL && chained == NULL;
}

static bool range_r5(const loam_range *r)
{
    for (const loam_range_tag *t = r->first; t != NULL; t = t->next) {
        unsigned low = range_height(t->child[0]), high = range_height(t->child[1]);
        if (t->height != range_sum_height(t) || low > high + 1 || high > low + 1)
            return false;
    }
    return true;
}

static bool range_r6(const loam_range *r)
{
    const loam_range_tag *t = r->first;
    while (t != NULL && t->largest == range_sum_largest(t))
        t = t->next;
    return t == NULL;
}

static bool range_r7(const loam_range *r)
{
    uint64_t free = 0, tags = 0;
    for (const loam_range_tag *t = r->first; t != NULL; t = t->next, tags++)
        free += range_free_len(t);
    return free == r->free && tags == r->tags;
}

static bool range_r8(const loam_range *r)
{
    size_t count = 0;
    for (const loam_range_tag *t = r->first; t != NULL; t = t->next)
        count += range_is_of_array(r, t);
    for (const loam_range_tag *t = r->spare; t != NULL; t = t->next)
        if (!range_is_of_array(r, t) || count++ == r->array_count)
            return false;
    return count == r->array_count;
}

const char *loam_range_check(const loam_range *r)
{
    static const struct {
        bool (*holds)(const loam_range *r);
        const char *rule;
    } rules[] = {
        {range_r1, "R1 the interval is in whole quanta"},
        {range_r2, "R2 pieces tile the interval"},
        {range_r3, "R3 no two free pieces are neighbours"},
        {range_r4, "R4 the tree holds the tags in order"},
        {range_r5, "R5 the tree is balanced"},
        {range_r6, "R6 the longest free piece below each node"},
        {range_r7, "R7 counts are those of the pieces"},
        {range_r8, "R8 each tag of the array is in use or spare"},
    };
    for (size_t i = 0; i < LOAM_ARRAY_LEN(rules); i++)
        if (!rules[i].holds(r))
            return rules[i].rule;
    return NULL;
}
