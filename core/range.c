/* SPDX-License-Identifier: MIT */
/* range.c - pieces of any size out of an interval of numbers.
 *
 * WHAT   Kernel addresses, user addresses, the bytes of a page that must not hold a single byte of
 *        bookkeeping: each is an interval that is given out in pieces, and taken back in any order.
 *
 * MODEL  The pieces tile the interval; a tag outside of it describes each, free or taken. Tags are
 *        chained by address, and are the nodes of an AVL tree whose every node knows the longest
 *        free piece below it: the lowest one that is long enough is found by one descent.
 *
 *            base                                                  base + len
 *             |   taken   |  free  |taken|   taken   |      free      |
 *             tag  <--->  tag <--> tag <--> tag  <-->  tag              ordered by address
 *
 *                             (taken, largest 16)
 *                            /                   \                      asked for 10: the left
 *                  (free 8, 8)                   (taken, 16)            side has only 8, so
 *                 /                             /           \           down to the right
 *          (taken, 0)                     (taken, 0)     (free 16, 16)
 *
 * RULES  R1  the interval has a length, does not wrap, and is in whole quanta, a power of two
 *        R2  pieces tile the interval in whole quanta, chained both ways by address
 *        R3  no two free pieces are neighbours
 *        R4  the tree holds the chained tags, in their order
 *        R5  heights are right; two subtrees of a node differ by at most 1
 *        R6  each node's largest is the longest free piece below it
 *        R7  the counts of free units and of tags are those of the pieces
 *        R8  each tag of the array is in use or spare
 *        loam_range_check() tests exactly these, under these names.
 *
 * LOCKS  None: the owner's.
 * COST   Everything O(log pieces), at most 1.44 log2(pieces) steps down and as many up; a placed
 *        request that much for each free piece that is long enough and does not fit.
 * FROM   Balanced trees with parent links (Adelson-Velsky and Landis, 1962); boundary tags and
 *        external tags as in BSD's extent maps and illumos vmem; derived from none.
 * NOT    Size classes, caches of small pieces, best fit.
 */
#include "range_impl.h"

/* ---- tags: of the array first, then of the source ---- */

static loam_range_tag *range_get_tag(loam_range *r)
{
    loam_range_tag *t = r->spare;
    if (t != NULL)
        r->spare = t->next;
    else if (r->source.get != NULL)
        t = r->source.get(r->source.ctx);
    return t;
}

static void range_put_tag(loam_range *r, loam_range_tag *t)
{
    if (!range_is_of_array(r, t)) {
        r->source.put(r->source.ctx, t);
        return;
    }
    t->next = r->spare;
    r->spare = t;
}

/* ---- the tree ---- */

static void range_sum(loam_range_tag *t)
{
    t->largest = range_sum_largest(t);
    t->height = (uint8_t)range_sum_height(t);
}

/* Puts `in`, which may be NULL, where `out` hangs below its parent. */
static void range_replace(loam_range *r, const loam_range_tag *out, loam_range_tag *in)
{
    loam_range_tag *parent = out->parent;
    if (parent == NULL)
        r->root = in;
    else
        parent->child[parent->child[1] == out] = in;
    if (in != NULL)
        in->parent = parent;
}

static void range_set_child(loam_range_tag *t, unsigned side, loam_range_tag *child)
{
    t->child[side] = child;
    if (child != NULL)
        child->parent = t;
}

/* The child of one side goes up, t down to the other side. Returns the child. */
static loam_range_tag *range_rotate(loam_range *r, loam_range_tag *t, unsigned side)
{
    loam_range_tag *up = t->child[side];
    range_replace(r, t, up);
    range_set_child(t, side, up->child[!side]);
    range_set_child(up, !side, t);
    range_sum(t);
    range_sum(up);
    return up;
}

/* Turns a node one side of which is 2 higher; returns the node that is on top afterwards. */
static loam_range_tag *range_turn(loam_range *r, loam_range_tag *t, unsigned side)
{
    loam_range_tag *high = t->child[side];
    if (range_height(high->child[!side]) > range_height(high->child[side]))
        range_rotate(r, high, !side);
    return range_rotate(r, t, side);
}

/* Makes t and all above it right again after a change of t or below; stops where nothing shows. */
static void range_fix(loam_range *r, loam_range_tag *t)
{
    for (; t != NULL; t = t->parent) {
        uint64_t largest = t->largest;
        unsigned height = t->height;
        unsigned low = range_height(t->child[0]), high = range_height(t->child[1]);
        if (low > high + 1 || high > low + 1) {
            t = range_turn(r, t, high > low);
        } else {
            t->height = (uint8_t)(1 + (low > high ? low : high));
            t->largest = range_sum_largest(t);
        }
        if (t->largest == largest && t->height == height)
            return;
    }
}

static void range_set(loam_range_tag *t, uint64_t base, uint64_t len, bool taken)
{
    *t = (loam_range_tag){.base = base, .len = len, .taken = taken};
}

/* Hangs a tag that range_set filled right behind t, in the chain and in the tree. */
static void range_insert(loam_range *r, loam_range_tag *t, loam_range_tag *put)
{
    loam_range_tag *next = t->next;
    if (next == NULL || t->child[1] == NULL)
        range_set_child(t, 1, put);
    else
        range_set_child(next, 0, put); /* the lowest of t's right side: nothing is left of it */
    put->prev = t;
    put->next = next;
    t->next = put;
    if (next != NULL)
        next->prev = put;
    r->tags++;
    range_fix(r, put);
}

/* Takes t, which is not the first, out of chain and tree, and gives the tag back. */
static void range_remove(loam_range *r, loam_range_tag *t)
{
    loam_range_tag *next = t->next, *from = t->parent;
    t->prev->next = next;
    if (next != NULL)
        next->prev = t->prev;
    r->tags--;
    if (next == NULL || t->child[0] == NULL || t->child[1] == NULL) {
        range_replace(r, t, t->child[t->child[0] == NULL]);
        range_fix(r, from);
    } else {
        from = next->parent == t ? next : next->parent;
        range_replace(r, next, next->child[1]);
        range_set_child(next, 0, t->child[0]);
        range_set_child(next, 1, t->child[1]);
        next->height = t->height; /* what the nodes above reckon with */
        next->largest = t->largest;
        range_replace(r, t, next);
        range_fix(r, from);
        range_fix(r, next);
    }
    range_put_tag(r, t);
}

/* ---- finding: side 0 is low addresses ---- */

/* The first free piece of at least len from one side in a subtree that has one. */
static loam_range_tag *range_first_in(loam_range_tag *t, uint64_t len, unsigned side)
{
    for (;;) {
        if (range_largest_in(t->child[side]) >= len)
            t = t->child[side];
        else if (range_free_len(t) >= len)
            return t;
        else
            t = t->child[!side];
    }
}

/* The next such piece behind t, away from the side; NULL: none. */
static loam_range_tag *range_next_fit(loam_range_tag *t, uint64_t len, unsigned side)
{
    while (range_largest_in(t->child[!side]) < len) {
        while (t->parent != NULL && t->parent->child[!side] == t)
            t = t->parent;
        t = t->parent;
        if (t == NULL || range_free_len(t) >= len)
            return t;
    }
    return range_first_in(t->child[!side], len, side);
}

loam_range_tag *loam_range_find(const loam_range *r, uint64_t at)
{
    loam_range_tag *t = r->root;
    while (t != NULL && at - t->base >= t->len) /* below base the difference wraps */
        t = t->child[at > t->base];
    return t;
}

static loam_range_tag *range_find_taken(const loam_range *r, uint64_t base)
{
    loam_range_tag *t = loam_range_find(r, base);
    return t != NULL && t->base == base && t->taken ? t : NULL;
}

uint64_t loam_range_largest(const loam_range *r)
{
    return range_largest_in(r->root);
}

/* ---- placing ---- */

/* A request in the form in which it is looked for. */
typedef struct range_place {
    uint64_t len;
    uint64_t first, last; /* the piece lies in [first, last], which lies in the interval */
    uint64_t mask, phase; /* (base - phase) & mask == 0 */
    uint64_t boundary;    /* or 0 */
    unsigned side;        /* that is preferred */
} range_place;

static loam_err range_plan(const loam_range *r, uint64_t len, const loam_range_want *want,
                           range_place *p)
{
    uint64_t align = want->align == 0 ? r->quantum : want->align, last = want->limit - 1;
    if (len == 0 || !range_is_whole(r, len) || !loam_is_pow2(align))
        return LOAM_EINVAL;
    if (want->phase >= align || !range_is_whole(r, want->phase))
        return LOAM_EINVAL;
    if (want->boundary != 0 && (!loam_is_pow2(want->boundary) || want->boundary < len))
        return LOAM_EINVAL;
    *p = (range_place){.len = len, .phase = want->phase, .boundary = want->boundary};
    p->mask = (align > r->quantum ? align : r->quantum) - 1;
    p->first = want->lo > r->base ? want->lo : r->base;
    p->last = r->base + (r->len - 1) < last ? r->base + (r->len - 1) : last;
    p->side = want->high;
    return LOAM_OK;
}

/* Whether any place at all can be right: a piece as far behind a boundary as the alignment puts it
 * at best must end before the next one. */
static bool range_can_be(const loam_range *r, const range_place *p)
{
    if (p->first > p->last || loam_range_largest(r) < p->len)
        return false;
    return p->boundary == 0 || p->boundary - (p->phase & (p->boundary - 1)) >= p->len;
}

static bool range_holds(const range_place *p, uint64_t first, uint64_t last, uint64_t at)
{
    return at >= first && at <= last && last - at >= p->len - 1;
}

static bool range_crosses(const range_place *p, uint64_t at)
{
    return p->boundary != 0 && ((at ^ (at + (p->len - 1))) & ~(p->boundary - 1)) != 0;
}

/* The lowest right place in [first, last]. Where anything can cross a boundary, boundaries are
 * multiples of the alignment; what starts behind one does not cross the next: range_can_be. */
static bool range_place_low(const range_place *p, uint64_t first, uint64_t last, uint64_t *out)
{
    uint64_t at = first + ((p->phase - first) & p->mask);
    if (range_holds(p, first, last, at) && range_crosses(p, at)) {
        at = (at + (p->len - 1)) & ~(p->boundary - 1);
        at += p->phase;
    }
    *out = at;
    return range_holds(p, first, last, at);
}

static bool range_place_high(const range_place *p, uint64_t first, uint64_t last, uint64_t *out)
{
    if (last - first < p->len - 1)
        return false;
    uint64_t at = last - (p->len - 1);
    at -= (at - p->phase) & p->mask;
    if (range_holds(p, first, last, at) && range_crosses(p, at)) {
        at = ((at + (p->len - 1)) & ~(p->boundary - 1)) - p->len;
        at -= (at - p->phase) & p->mask;
    }
    *out = at;
    return range_holds(p, first, last, at);
}

static bool range_place_in(const range_place *p, const loam_range_tag *t, uint64_t *at)
{
    uint64_t first = t->base > p->first ? t->base : p->first;
    uint64_t last = range_last(t) < p->last ? range_last(t) : p->last;
    if (first > last)
        return false;
    return p->side == 0 ? range_place_low(p, first, last, at)
                        : range_place_high(p, first, last, at);
}

/* The first free piece of the length asked for, from the one on that holds the limit. */
static loam_range_tag *range_from(const loam_range *r, const range_place *p)
{
    loam_range_tag *t = loam_range_find(r, p->side == 0 ? p->first : p->last);
    return range_free_len(t) >= p->len ? t : range_next_fit(t, p->len, p->side);
}

/* The free piece that is used, and where in it; NULL: none. */
static loam_range_tag *range_search(const loam_range *r, const range_place *p, uint64_t *at)
{
    if (!range_can_be(r, p))
        return NULL;
    loam_range_tag *t = r->root;
    if (p->side == 0 ? p->first == r->base : p->last == r->base + (r->len - 1))
        t = range_first_in(t, p->len, p->side);
    else
        t = range_from(r, p);
    while (t != NULL && !range_place_in(p, t, at)) {
        if (p->side == 0 ? range_last(t) >= p->last : t->base <= p->first)
            return NULL;
        t = range_next_fit(t, p->len, p->side);
    }
    return t;
}

/* ---- changes ---- */

/* Takes [at, at + len) out of the free piece t: what is left in front and behind stays free. */
static loam_err range_carve(loam_range *r, loam_range_tag *t, uint64_t at, uint64_t len)
{
    uint64_t front = at - t->base, rear = t->len - front - len;
    loam_range_tag *piece = t, *behind = NULL;
    if (front > 0 && (piece = range_get_tag(r)) == NULL)
        return LOAM_ENOMEM;
    if (rear > 0 && (behind = range_get_tag(r)) == NULL) {
        if (front > 0)
            range_put_tag(r, piece);
        return LOAM_ENOMEM;
    }
    if (front > 0) {
        t->len = front;
        range_fix(r, t);
        range_set(piece, at, len, true);
        range_insert(r, t, piece);
    } else {
        t->len = len;
        t->taken = true;
        range_fix(r, t);
    }
    if (rear > 0) {
        range_set(behind, at + len, rear, false);
        range_insert(r, piece, behind);
    }
    r->free -= len;
    return LOAM_OK;
}

loam_err loam_range_alloc(loam_range *r, uint64_t len, const loam_range_want *want, uint64_t *base)
{
    static const loam_range_want nothing;
    range_place p;
    uint64_t at = 0;
    loam_err err = range_plan(r, len, want != NULL ? want : &nothing, &p);
    if (err != LOAM_OK)
        return err;
    loam_range_tag *t = range_search(r, &p, &at);
    if (t == NULL)
        return LOAM_ENOMEM;
    err = range_carve(r, t, at, len);
    if (err == LOAM_OK)
        *base = at;
    return err;
}

loam_err loam_range_alloc_at(loam_range *r, uint64_t base, uint64_t len)
{
    loam_range_tag *t = loam_range_find(r, base);
    if (t == NULL || len == 0 || !range_is_whole(r, base | len))
        return LOAM_EINVAL;
    if (r->len - (base - r->base) < len)
        return LOAM_EINVAL;
    if (t->taken || t->len - (base - t->base) < len)
        return LOAM_EBUSY;
    return range_carve(r, t, base, len);
}

loam_err loam_range_free(loam_range *r, uint64_t base, uint64_t *len)
{
    loam_range_tag *t = range_find_taken(r, base);
    if (t == NULL)
        return LOAM_EINVAL;
    if (len != NULL)
        *len = t->len;
    t->taken = false;
    t->owner = NULL;
    t->note = 0;
    r->free += t->len;
    loam_range_tag *next = t->next, *prev = t->prev;
    if (next != NULL && !next->taken) {
        t->len += next->len;
        range_remove(r, next);
    }
    if (prev != NULL && !prev->taken) {
        prev->len += t->len;
        range_remove(r, t);
        t = prev;
    }
    range_fix(r, t);
    return LOAM_OK;
}

loam_err loam_range_split(loam_range *r, uint64_t at)
{
    loam_range_tag *t = loam_range_find(r, at);
    if (t == NULL || !t->taken || !range_is_whole(r, at))
        return LOAM_EINVAL;
    if (t->base == at)
        return LOAM_OK;
    loam_range_tag *rest = range_get_tag(r);
    if (rest == NULL)
        return LOAM_ENOMEM;
    range_set(rest, at, t->len - (at - t->base), true);
    rest->owner = t->owner;
    rest->note = t->note;
    t->len = at - t->base;
    range_insert(r, t, rest);
    return LOAM_OK;
}

loam_err loam_range_join(loam_range *r, uint64_t base)
{
    loam_range_tag *t = range_find_taken(r, base);
    if (t == NULL || t->next == NULL || !t->next->taken)
        return LOAM_EINVAL;
    t->len += t->next->len;
    range_remove(r, t->next);
    return LOAM_OK;
}

static loam_err range_grow(loam_range *r, loam_range_tag *t, uint64_t more)
{
    loam_range_tag *next = t->next;
    if (next == NULL || range_free_len(next) < more)
        return LOAM_EBUSY;
    t->len += more;
    r->free -= more;
    next->base += more;
    next->len -= more;
    if (next->len == 0)
        range_remove(r, next);
    else
        range_fix(r, next);
    return LOAM_OK;
}

static loam_err range_shrink(loam_range *r, loam_range_tag *t, uint64_t less)
{
    loam_range_tag *next = t->next;
    if (next == NULL || next->taken) {
        next = range_get_tag(r);
        if (next == NULL)
            return LOAM_ENOMEM;
        range_set(next, t->base + t->len, 0, false);
        range_insert(r, t, next);
    }
    t->len -= less;
    r->free += less;
    next->base -= less;
    next->len += less;
    range_fix(r, next);
    return LOAM_OK;
}

loam_err loam_range_resize(loam_range *r, uint64_t base, uint64_t len)
{
    loam_range_tag *t = range_find_taken(r, base);
    if (t == NULL || len == 0 || !range_is_whole(r, len))
        return LOAM_EINVAL;
    if (len == t->len)
        return LOAM_OK;
    return len > t->len ? range_grow(r, t, len - t->len) : range_shrink(r, t, t->len - len);
}

/* ---- life ---- */

loam_err loam_range_init(loam_range *r, uint64_t base, uint64_t len, uint64_t quantum,
                         loam_range_tag *tag, size_t count, const loam_range_source *source)
{
    if (!loam_is_pow2(quantum) || len == 0 || ((base | len) & (quantum - 1)) != 0)
        return LOAM_EINVAL;
    if (base > UINT64_MAX - (len - 1))
        return LOAM_ERANGE;
    if ((tag == NULL) != (count == 0))
        return LOAM_EINVAL;
    *r = (loam_range){.array = tag, .array_count = count, .base = base, .len = len, .free = len};
    r->quantum = quantum;
    if (source != NULL)
        r->source = *source;
    if ((r->source.get == NULL) != (r->source.put == NULL))
        return LOAM_EINVAL;
    for (size_t i = count; i-- > 0; r->spare = &tag[i])
        tag[i].next = r->spare;
    loam_range_tag *all = range_get_tag(r);
    if (all == NULL)
        return LOAM_ENOMEM;
    range_set(all, base, len, false);
    range_sum(all);
    r->root = r->first = all;
    r->tags = 1;
    return LOAM_OK;
}

void loam_range_fini(loam_range *r)
{
    for (loam_range_tag *t = r->first, *next; t != NULL; t = next) {
        next = t->next;
        range_put_tag(r, t);
    }
    r->root = r->first = NULL;
    r->tags = 0;
}
