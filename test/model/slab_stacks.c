/* SPDX-License-Identifier: MIT */
/* slab_stacks.c - slots that wait on a stack of their processor's front: which comes next, what is
 * refused, when they leave; when a stack of short ones is on; and their rules, broken. */
#include "../../core/slab_stack.h"
#include "slab_told.h"

static loam_cache *start(tap *t, size_t size, const char *options)
{
    cpus.stacks = true;
    cpus_start(t, 3, 1024, options);
    cpus.stacks = false;
    loam_cache *c = things(t, size);
    TAP_CHECK(t, c->stacked);
    return c;
}

static slab_stack *stack_of(loam_cache *c)
{
    return slab_stack_at(c->front[loam_port_cpu()]);
}

static bool is_free(const void *p)
{
    slab_desc *d = desc_of(p);
    size_t slot = (size_t)((const unsigned char *)p - d->base) / slab_cache_of(d)->stride;
    return slab_slot_is_free(d, (unsigned)slot);
}

/* Does it wait on the stack of this processor's front? */
static bool waits(loam_cache *c, const void *p)
{
    const slab_stack *k = stack_of(c);
    for (const slab_held *held = k->held + 1; held <= k->top; held++) {
        if (held->at == p)
            return is_free(p);
    }
    return false;
}

static void last_is_first(tap *t)
{
    loam_cache *c = start(t, 2048, "shift=16");
    void *p[6];
    for (unsigned i = 0; i < 6; i++)
        p[i] = loam_cache_alloc(c);
    TAP_CHECK(t, (uintptr_t)p[1] - (uintptr_t)p[0] == 2048); /* lowest first */
    TAP_EQ(t, loam_cache_free(c, p[2]), LOAM_OK);
    TAP_EQ(t, loam_cache_free(c, p[0]), LOAM_OK);
    TAP_CHECK(t, waits(c, p[0]) && waits(c, p[2]) && !is_free(p[1]));
    TAP_EQ(t, used(c), 4);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    TAP_CHECK(t, loam_cache_alloc(c) == p[0]);
    TAP_CHECK(t, loam_cache_alloc(c) == p[2]);
    TAP_EQ(t, used(c), 6);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

static void full_and_empty(tap *t)
{
    enum { SLOTS = 64 };
    void *p[SLOTS];
    loam_cache *c = start(t, 4096, "shift=16");
    for (unsigned i = 0; i < SLOTS; i++)
        p[i] = loam_cache_alloc(c);
    slab_stack *k = stack_of(c);
    for (unsigned i = 0; i < SLOTS; i++) {
        TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
        TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    }
    TAP_CHECK(t, k->top == k->limit);
    TAP_CHECK(t, is_free(p[SLOTS - 1]) && !waits(c, p[SLOTS - 1])); /* there was no room */
    REFUSED(t, 1, "double free", loam_cache_free(c, p[SLOTS - 1]));
    TAP_EQ(t, used(c), 0);
    loam_cache_shrink(c);
    TAP_CHECK(t, k->top == k->held);
    TAP_EQ(t, slabs(c), 0);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

static void refused(tap *t)
{
    loam_cache *c = start(t, 3000, "shift=15"), *other = things(t, 2000);
    unsigned char *p = loam_cache_alloc(c);
    REFUSED(t, 1, "free to the wrong cache", loam_cache_free(other, p));
    REFUSED(t, 1, "inner free", loam_cache_free(c, p + 16));
    REFUSED(t, 0, "", loam_cache_free(c, p));
    REFUSED(t, 1, "double free", loam_cache_free(c, p)); /* it waits */
    CPUS_ON(1);
    REFUSED(t, 1, "double free, found when processors met",
            loam_cache_free(c, p) == LOAM_OK ? serve(1) : (void)0);
    CPUS_ON(0);
    unsigned char *q = loam_cache_alloc(c);
    CPUS_ON(1);
    REFUSED(t, 0, "", loam_cache_free(c, q));
    serve(1); /* it is told, and its owner has not looked yet */
    CPUS_ON(0);
    REFUSED(t, 0, "", loam_cache_free(c, q));
    REFUSED(t, 1, "double free, found when processors met", serve(0));
    loam_cache_shrink(c);
    REFUSED(t, 1, "double free", loam_cache_free(c, p)); /* its slab went */
}

/* What others free is free in its slab; who leaves leaves nothing on a stack. */
static void handed_on(tap *t)
{
    loam_cache *c = start(t, 5000, "shift=16");
    void *p = loam_cache_alloc(c), *q = loam_cache_alloc(c), *r = loam_cache_alloc(c);
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
    CPUS_ON(1);
    TAP_EQ(t, loam_cache_free(c, q), LOAM_OK);
    serve(1);
    serve(0);
    CPUS_ON(0);
    TAP_CHECK(t, is_free(q) && !waits(c, q) && waits(c, p));
    TAP_EQ(t, used(c), 1);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    loam_slabs_offline(cpus.slabs);
    TAP_CHECK(t, is_free(p) && !waits(c, p));
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    CPUS_ON(2);
    TAP_EQ(t, loam_cache_free(c, r), LOAM_OK); /* of the shared front, which has none */
    TAP_EQ(t, used(c), 0);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

/* Who rests keeps its stack; a slab that another takes over, or adopts, takes its slots along. */
static void rested(tap *t)
{
    loam_cache *c = start(t, 5000, "shift=16");
    void *p = loam_cache_alloc(c), *q = loam_cache_alloc(c), *r = loam_cache_alloc(c);
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
    TAP_CHECK(t, loam_slabs_rest(cpus.slabs));
    TAP_CHECK(t, waits(c, p));
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    CPUS_ON(1);
    TAP_EQ(t, loam_cache_free(c, q), LOAM_OK);
    serve(1);
    TAP_CHECK(t, slab_owner_of(desc_of(p))->cpu == 1 && is_free(p) && !waits(c, p));
    TAP_EQ(t, used(c), 1);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    p = loam_cache_alloc(c);
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
    TAP_CHECK(t, loam_slabs_rest(cpus.slabs));
    CPUS_ON(2);
    TAP_EQ(t, slab_owner_of(desc_of(loam_cache_alloc(c)))->cpu, 2);
    TAP_EQ(t, slabs(c), 1);
    TAP_EQ(t, loam_cache_free(c, r), LOAM_OK);
    TAP_EQ(t, used(c), 1);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    CPUS_ON(1);
    loam_slabs_online(cpus.slabs);
    TAP_EQ(t, slab_owner_of(desc_of(loam_cache_alloc(c)))->cpu, 1);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    CPUS_ON(2);
    loam_slabs_offline(cpus.slabs);
    CPUS_ON(0);
    loam_slabs_online(cpus.slabs);
    p = loam_cache_alloc(c);
    TAP_CHECK(t, loam_cache_free(c, p) == LOAM_OK && loam_slabs_rest(cpus.slabs));
    CPUS_ON(1);
    loam_slabs_shrink(cpus.slabs); /* what waits there goes, too */
    TAP_EQ(t, used(c), 2);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

/* Of two slabs one is taken over: what waits of the other stays. */
static void one_of_two(tap *t)
{
    enum { SLOTS = 26 }; /* two slabs whole */
    void *p[SLOTS];
    loam_cache *c = start(t, 5000, "shift=16");
    for (unsigned i = 0; i < SLOTS; i++)
        p[i] = loam_cache_alloc(c);
    TAP_CHECK(t, desc_of(p[0]) != desc_of(p[SLOTS - 1]));
    for (unsigned i = 0; i < 3; i++) {
        TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
        TAP_EQ(t, loam_cache_free(c, p[SLOTS - 1 - i]), LOAM_OK);
    }
    slab_stack *k = stack_of(c);
    TAP_EQ(t, k->top - k->held, 6);
    TAP_CHECK(t, loam_slabs_rest(cpus.slabs));
    CPUS_ON(1);
    TAP_EQ(t, loam_cache_free(c, p[4]), LOAM_OK);
    serve(1);
    TAP_EQ(t, slab_owner_of(desc_of(p[0]))->cpu, 1);
    TAP_EQ(t, k->top - k->held, 3);
    CPUS_ON(0);
    TAP_CHECK(t, is_free(p[0]) && !waits(c, p[0]) && waits(c, p[SLOTS - 1]));
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

static void rules(tap *t)
{
    const char *full = "S11 a stack is within its capacity";
    const char *marked = "S11 what a stack holds is a slot of its front's that waits";
    loam_cache *c = start(t, 2048, "shift=16");
    void *p = loam_cache_alloc(c), *q = loam_cache_alloc(c);
    slab_stack *k = stack_of(c);
    TAP_EQ(t, loam_cache_free(c, p), LOAM_OK);
    TAP_EQ(t, loam_cache_free(c, q), LOAM_OK);
    slab_held *top = k->top, was = *top;
    top->where ^= 1;
    TAP_RULE(t, loam_slabs_check(cpus.slabs), marked);
    *top = (slab_held){(char *)was.at + 16, was.where};
    TAP_RULE(t, loam_slabs_check(cpus.slabs), marked);
    *top = top[-1]; /* one of them twice */
    TAP_RULE(t, loam_slabs_check(cpus.slabs), marked);
    *top = was;
    k->top--;
    TAP_RULE(t, loam_slabs_check(cpus.slabs), "S11 what waits is in a ring");
    k->top = k->limit + 1;
    TAP_RULE(t, loam_slabs_check(cpus.slabs), full);
    k->top = top;
    k->held[0].at = p;
    TAP_RULE(t, loam_slabs_check(cpus.slabs), full);
    k->held[0].at = NULL;
    k->slab = desc_of(p);
    TAP_RULE(t, loam_slabs_check(cpus.slabs),
             "S11 a stack that is not on is empty, one that is has no word");
    k->slab = NULL;
    *slab_held_word(was.where) &= ~(1ULL << (was.where & 63));
    TAP_RULE(t, loam_slabs_check(cpus.slabs), marked);
    uint32_t were = slab_head_of(desc_of(p))->used;
    slab_head_of(desc_of(p))->used = 0;
    TAP_RULE(t, loam_slabs_check(cpus.slabs), "S3 used is the number of slots out");
    slab_head_of(desc_of(p))->used = were;
    *slab_held_word(was.where) |= 1ULL << (was.where & 63);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

/* Short slots have none until words with few free slots are what requests find, nor any more when
 * rows are taken and freed; which is asked less often each time. */
static void short_ones(tap *t)
{
    enum { WORDS = 160, BLOCKS = WORDS * 64 };
    static void *p[BLOCKS];
    loam_cache *c = start(t, 64, "shift=16");
    for (unsigned i = 0; i < BLOCKS; i++)
        p[i] = loam_cache_alloc(c);
    slab_stack *k = stack_of(c);
    const slab_cpu *me = &cpus.slabs->cpu[0];
    TAP_CHECK(t, !k->on && k->slab != NULL && me->misses == 0); /* rows */
    TAP_EQ(t, loam_cache_free(c, p[5]), LOAM_OK);
    TAP_CHECK(t, is_free(p[5]) && !waits(c, p[5]));
    REFUSED(t, 1, "double free", loam_cache_free(c, p[5]));
    REFUSED(t, 1, "inner free", loam_cache_free(c, (char *)p[6] + 16));
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    TAP_CHECK(t, loam_cache_alloc(c) == p[5]);
    for (unsigned i = 0; i < BLOCKS; i += 64)
        TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
    unsigned taken = 0;
    for (; taken < WORDS && !k->on; taken++)
        TAP_CHECK(t, loam_cache_alloc(c) != NULL);
    TAP_CHECK(t, k->on && me->stacked && taken > 8);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    REFUSED(t, 0, "", loam_cache_free(c, p[7]));
    REFUSED(t, 1, "double free", loam_cache_free(c, p[7]));
    TAP_CHECK(t, waits(c, p[7]));
    for (; taken < WORDS + 1; taken++)
        TAP_CHECK(t, loam_cache_alloc(c) != NULL);
    TAP_EQ(t, used(c), BLOCKS);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    TAP_EQ(t, me->patience, 0);
    for (unsigned i = 0; i < BLOCKS; i++)
        TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
    TAP_EQ(t, used(c), 0);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    for (unsigned i = 0; i < BLOCKS && k->on; i++)
        TAP_CHECK(t, loam_cache_alloc(c) != NULL);
    TAP_CHECK(t, !k->on && k->top == k->held && !me->stacked && me->patience == 2);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

/* Each word with one free slot: requests turn from word to word. */
static void turn_on(tap *t, loam_cache *c)
{
    enum { BLOCKS = 160 * 64 };
    static void *p[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++)
        p[i] = loam_cache_alloc(c);
    for (unsigned i = 0; i < BLOCKS; i += 64)
        TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
    for (unsigned i = 0; i < BLOCKS && !stack_of(c)->on; i += 64)
        p[i] = loam_cache_alloc(c);
    TAP_CHECK(t, stack_of(c)->on);
}

/* Rows: what waits is never enough. */
static void turn_off(tap *t, loam_cache *c)
{
    for (unsigned i = 0; i < 200 * 64 && stack_of(c)->on; i++)
        TAP_CHECK(t, loam_cache_alloc(c) != NULL);
    TAP_CHECK(t, !stack_of(c)->on);
}

/* All short classes of a processor have the same way; one where slots wait follows when none does.
 */
static void all_turn(tap *t)
{
    void *waiting[32];
    loam_cache *c = start(t, 64, "shift=16"), *other = things(t, 96), *busy = things(t, 128),
               *longer = things(t, 2048);
    void *p = loam_cache_alloc(other), *q = loam_cache_alloc(other), *l = loam_cache_alloc(longer);
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(waiting); i++)
        waiting[i] = loam_cache_alloc(busy);
    TAP_CHECK(t, !stack_of(other)->on && !stack_of(busy)->on && stack_of(longer)->on);
    turn_on(t, c);
    TAP_CHECK(t, stack_of(other)->on && stack_of(busy)->on && stack_of(longer)->on);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    TAP_EQ(t, loam_cache_free(other, p), LOAM_OK);
    TAP_CHECK(t, waits(other, p) && loam_cache_alloc(other) == p);
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(waiting); i++)
        TAP_EQ(t, loam_cache_free(busy, waiting[i]), LOAM_OK);
    turn_off(t, c);
    TAP_CHECK(t, !stack_of(other)->on && stack_of(busy)->on && stack_of(longer)->on);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    TAP_EQ(t, loam_cache_free(other, q), LOAM_OK);
    TAP_CHECK(t, is_free(q) && !waits(other, q));
    turn_off(t, busy);
    TAP_EQ(t, loam_cache_free(longer, l), LOAM_OK);
    TAP_CHECK(t, waits(longer, l));
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

/* Idle slabs turn with the others, and are as they were. */
static void idle_turn(tap *t)
{
    enum { BLOCKS = 4 * 680 };
    static void *p[BLOCKS];
    loam_cache *c = start(t, 64, "shift=16,keep_large=2M"), *other = things(t, 96);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < BLOCKS; i++)
            p[i] = loam_cache_alloc(other);
        for (unsigned i = 0; i < BLOCKS; i++)
            TAP_EQ(t, loam_cache_free(other, p[i]), LOAM_OK);
    }
    slab_front *f = slab_front_here(other);
    unsigned idle = f->idles;
    TAP_CHECK(t, idle >= 2 && !stack_of(other)->on);
    turn_on(t, c);
    TAP_CHECK(t, f->idles == idle && stack_of(other)->on);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    for (unsigned i = 0; i < BLOCKS; i++)
        p[i] = loam_cache_alloc(other);
    TAP_CHECK(t, f->idles == 0);
    for (unsigned i = 0; i < BLOCKS; i++)
        TAP_EQ(t, loam_cache_free(other, p[i]), LOAM_OK);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

/* A request that finds its word used up goes on in the lowest one of the slab that was begun and
 * has a slot; what is not sound, or new, or a matter for the whole front, it leaves alone. */
static void goes_on(tap *t)
{
    enum { BLOCKS = 3 * 64 };
    void *p[BLOCKS], *q = NULL;
    loam_cache *c = start(t, 64, "shift=16");
    for (unsigned i = 0; i < BLOCKS; i++)
        p[i] = loam_cache_alloc(c);
    slab_stack *k = stack_of(c);
    slab_cpu *me = &cpus.slabs->cpu[0];
    slab_desc *d = desc_of(p[0]);
    TAP_CHECK(t, !loam_slab__stack_go_on(k, &q)); /* no word that was begun has a slot */
    for (unsigned i = 66; i < 69; i++)
        TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
    TAP_EQ(t, loam_cache_free(c, p[130]), LOAM_OK);
    TAP_CHECK(t, !loam_slab__stack_go_on(k, &q)); /* its word has one */
    TAP_CHECK(t, loam_cache_alloc(c) == p[130] && k->word == &d->words[2] && *k->word == 0);
    uint32_t recip = d->recip;
    d->recip++;
    TAP_CHECK(t, !loam_slab__stack_go_on(k, &q));
    d->recip = recip;
    slab_head_of(d)->used += c->slots;
    TAP_CHECK(t, !loam_slab__stack_go_on(k, &q));
    slab_head_of(d)->used -= c->slots;
    me->misses = 127;
    TAP_CHECK(t, !loam_slab__stack_go_on(k, &q)); /* is it time for the stacks? */
    me->misses = 3;
    TAP_CHECK(t, loam_slab__stack_go_on(k, &q) && q == p[66]);
    TAP_CHECK(t, k->word == &d->words[1] && me->misses == 4);
    TAP_CHECK(t, loam_cache_alloc(c) == p[67] && loam_cache_alloc(c) == p[68]);
    TAP_CHECK(t, !loam_slab__stack_go_on(k, &q));
    TAP_EQ(t, used(c), BLOCKS);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    for (unsigned i = 0; i < 65; i++)
        TAP_EQ(t, loam_cache_free(c, p[i]), LOAM_OK);
    TAP_CHECK(t, loam_cache_alloc(c) == p[64]);
    TAP_CHECK(t, loam_slab__stack_go_on(k, &q) && q == p[0] && me->misses == 4); /* a row */
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

/* The last word has fewer slots: a bit behind them is nobody's. */
static void goes_on_soundly(tap *t)
{
    void *p[682], *q = NULL;
    loam_cache *c = start(t, 96, "shift=16");
    TAP_EQ(t, c->slots, LOAM_ARRAY_LEN(p));
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(p); i++)
        p[i] = loam_cache_alloc(c);
    slab_stack *k = stack_of(c);
    slab_desc *d = desc_of(p[0]);
    TAP_EQ(t, loam_cache_free(c, p[681]), LOAM_OK);
    TAP_EQ(t, loam_cache_free(c, p[0]), LOAM_OK);
    TAP_CHECK(t, loam_cache_alloc(c) == p[0]);
    uint64_t was = d->words[10];
    d->words[10] |= 1ULL << 63;
    TAP_CHECK(t, !loam_slab__stack_go_on(k, &q));
    d->words[10] = was;
    d->words[11] = 1; /* what lies behind them, and a bit of `any` that leads there */
    slab_head_of(d)->any |= 1ULL << 11;
    TAP_CHECK(t, !loam_slab__stack_go_on(k, &q));
    slab_head_of(d)->any = 1ULL << 11;
    TAP_CHECK(t, !loam_slab__stack_go_on(k, &q));
    slab_head_of(d)->any = 1ULL << 10;
    d->words[11] = 0;
    TAP_CHECK(t, loam_slab__stack_go_on(k, &q) && q == p[681]);
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

/* Slabs begin in turn at other places of their first page; what lies before is no slot's. */
static void shaded(tap *t)
{
    enum { SLOTS = 14, SLABS = 6 };
    unsigned char *p[SLOTS * SLABS];
    loam_cache *c = start(t, 4608, "shift=16");
    TAP_CHECK(t, c->shades == 3 && c->shade == 9 && c->slots == SLOTS);
    unsigned seen = 0;
    for (unsigned i = 0; i < SLOTS * SLABS; i++) {
        p[i] = loam_cache_alloc(c);
        uintptr_t from = (uintptr_t)desc_of(p[i])->base & 0xffff;
        TAP_CHECK(t, from % 512 == 0 && from <= 1024);
        TAP_EQ(t, ((uintptr_t)p[i] - (uintptr_t)desc_of(p[i])->base) % 4608, 0);
        seen |= 1U << from / 512;
        p[0] = from != 0 ? p[i] : p[0];
    }
    TAP_EQ(t, seen, 7);
    slab_desc *d = desc_of(p[0]);
    for (unsigned char *q = d->base - 1; q >= slab_frames_of(cpus.slabs, d); q--) {
        CPUS_ON((uintptr_t)q & 1);
        REFUSED(t, 1, ((uintptr_t)q & 7) != 0 ? "misaligned free" : "inner free",
                loam_cache_free(c, q));
    }
    CPUS_ON(0);
    REFUSED(t, 0, "", loam_cache_free(c, p[0]));
    REFUSED(t, 1, "double free", loam_cache_free(c, p[0]));
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
    d->base -= 512;
    TAP_RULE(t, loam_slabs_check(cpus.slabs), "S1 a slab's slots begin where its place says");
    d->base += 512;
    TAP_RULE(t, loam_slabs_check(cpus.slabs), NULL);
}

/* One processor and modes have none. */
static void without(tap *t)
{
    cpus.stacks = true;
    cpus_start(t, 3, 1024, "shift=16,guard");
    TAP_CHECK(t, !cpus.slabs->stacks);
    cpus_start(t, 1, 1024, "shift=16");
    TAP_CHECK(t, !cpus.slabs->stacks);
    TAP_EQ(t, things(t, 4608)->shades, 1);
    cpus.stacks = false;
}

static const tap_case cases[] = {
    {"slab stacks: what was freed last comes first", last_is_first},
    {"slab stacks: full: free in its slab; memory is short: empty", full_and_empty},
    {"slab stacks: freed twice, elsewhere, inside: refused", refused},
    {"slab stacks: others free, a processor leaves: nothing waits that is not its own", handed_on},
    {"slab stacks: a processor rests: others have its slabs, and no slot waits elsewhere", rested},
    {"slab stacks: one of two slabs is taken over: the other's slots wait on", one_of_two},
    {"slab stacks: each rule, broken: named", rules},
    {"slab stacks: short slots: on when words have few, off when rows come", short_ones},
    {"slab stacks: on or off: all short classes of a processor at once", all_turn},
    {"slab stacks: on or off: idle slabs, too", idle_turn},
    {"slab stacks: a word is used up: its slab's next one that was begun", goes_on},
    {"slab stacks: a word with a bit that is no slot's: left alone", goes_on_soundly},
    {"slab stacks: slabs begin at other places: before them is no slot", shaded},
    {"slab stacks: modes, one processor: none", without},
};
TAP_SUITE(slab_stacks, cases);

int main(int argc, char **argv)
{
    return cpus_main(&tap_suite_slab_stacks, argc, argv);
}
