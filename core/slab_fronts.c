/* SPDX-License-Identifier: MIT */
/* slab_fronts.c - who owns which slab: fronts, and how slabs go from one to another.
 *
 * WHAT   Each processor allocates from slabs of its own. This file says when a caller may touch a
 *        slab, and moves slabs where they are of use.
 *
 * MODEL  A cache has a front for each processor (lazy: for each that ever took a block of it) and,
 *        with several of them, a shared one behind the layer's lock. Slabs move only into and out
 *        of that one, and out of those of who rests. A front stays as long as its cache: others may
 *        still read whose it is.
 *
 *            front 0     front 1     front 2        d.front says which; only the owner gives a
 *            d d d       d d         (offline)      slab up, only under the lock
 *              |  hand over ^           |
 *              '----------. | adopt     | all
 *                         v | take over v
 *                      shared front: d d d
 *
 *        Who allocates and has nothing adopts; who frees an object of a slab that the shared front
 *        has takes it over: mostly the others are its to free, too, which then needs no lock.
 *        Shortage: nobody reaches into another's front. Who is short asks (cpu.asked = 1); the
 *        owner, when it comes by, publishes, takes, returns empty slabs and hands over all slabs
 *        with free slots, and answers 0. What is out stays where it is.
 *        A processor that leaves: slab_online.c.
 *        What waits in quarantine is of the front's own slabs: it leaves before they move.
 *
 * RULES  S5, S12 and S16 of slab_check.c.
 * LOCKS  The layer's lock for moves and for the shared front; it is a leaf: the zone is not asked
 *        under it. A processor's own front: interrupts off.
 * COST   enter, own: a few instructions, or the lock. adopt: O(1).
 * FROM   Adoption: mimalloc's abandoned pages.
 * NOT    Balance: a front keeps its free slots until somebody asks.
 */
#include "slab_internal.h"

/* ---- holding ---- */

slab_front *loam_slab__enter(loam_cache *c, slab_hold *hold)
{
    loam_slabs *s = c->slabs;
    *hold = (slab_hold){loam_port_irq_save(), false};
    slab_front *f = slab_front_here(c);
    if (!slab_is_shared(s, f))
        return f;
    loam_port_irq_restore(hold->irq);
    *hold = (slab_hold){loam_lock_acquire(&s->lock), true};
    return &c->shared;
}

/* Is it the shared one, or of a processor that rests? Then it is behind the lock; without that,
 * this is a hint. */
static bool front_is_left(const loam_slabs *s, const slab_front *f)
{
    /* no order: it closes and opens under the lock */
    return slab_is_shared(s, f) || loam_atomic_peek(&s->cpu[f->cpu].stack) == SLAB_CLOSED;
}

static bool front_is_mine(const loam_slabs *s, const slab_front *f)
{
    return !slab_is_shared(s, f) && f->cpu == loam_port_cpu() && !s->cpu[f->cpu].offline;
}

bool loam_slab__own(slab_desc *d, slab_hold *hold)
{
    *hold = (slab_hold){loam_port_irq_save(), false};
    slab_front *f = slab_owner_of(d);
    loam_slabs *s = f->cache->slabs;
    if (!slab_is_many(s) || front_is_mine(s, f))
        return true;
    loam_port_irq_restore(hold->irq);
    if (!front_is_left(s, f))
        return false;
    *hold = (slab_hold){loam_lock_acquire(&s->lock), true};
    if (front_is_left(s, slab_owner_of(d))) /* it changes under the lock alone */
        return true;
    loam_slab__leave(s, hold);
    return false;
}

/* Lock held, which its front is behind. One that was given up has its front until it is gone, but
 * who releases it looks at it without the lock. */
static bool front_has(const slab_desc *d)
{
    return (loam_atomic_peek(&slab_remote_of(d)->state) & SLAB_ALIVE) != 0; /* no order: the lock */
}

bool loam_slab__own_if(loam_slabs *s, slab_desc *d, slab_hold *hold)
{
    *hold = (slab_hold){loam_port_irq_save(), false};
    const slab_front *f = slab_owner_of(d);
    if (f->cache != NULL && (!slab_is_many(s) || front_is_mine(s, f)))
        return true;
    loam_port_irq_restore(hold->irq);
    if (f->cache == NULL || !front_is_left(s, f))
        return false;
    *hold = (slab_hold){loam_lock_acquire(&s->lock), true};
    f = slab_owner_of(d); /* it changes, and ends, under the lock alone */
    if (f->cache != NULL && front_is_left(s, f) && front_has(d))
        return true;
    loam_slab__leave(s, hold);
    return false;
}

void loam_slab__leave(loam_slabs *s, const slab_hold *hold)
{
    if (hold->locked)
        loam_lock_release(&s->lock, hold->irq);
    else
        loam_port_irq_restore(hold->irq);
}

/* ---- moving ---- */

void loam_slab__detach(slab_desc *d)
{
    slab_front *f = slab_owner_of(d);
    loam_list_remove(&d->link);
    if (f->empty == d)
        f->empty = NULL;
    if (slab_current(f) == d)
        slab_set_current(f, NULL, &f->cache->slabs->none);
}

void loam_slab__move(slab_desc *d, slab_front *to)
{
    slab_front *from = slab_owner_of(d);
    loam_slab__detach(d);
    /* Who reads the old owner finds its stack closed, or pushes there and is sent on; who reads the
     * new one finds a front that is made: pairs with the load in slab_owner_of. */
    loam_atomic_ptr_store(&d->front, to);
    slab_set_cpu(d, slab_cpu_of(to->cache->slabs, to));
    slab_list(d);
    (void)loam_atomic_add(&from->slabs, (uint32_t)-1); /* no order: counts, under the lock */
    (void)loam_atomic_add(&to->slabs, 1);              /* no order: as above */
}

bool loam_slab__give_up(slab_desc *d)
{
    if (!loam_slab__kill(slab_cache_of(d)->slabs, d))
        return false;
    loam_slab__detach(d);
    return true;
}

slab_desc *loam_slab__emptied(slab_desc *d)
{
    slab_front *f = slab_owner_of(d);
    const loam_slabs *s = f->cache->slabs;
    slab_desc *victim = d;
    if (slab_is_idle(d)) /* others told of frees that were wrong */
        return NULL;
    if (s->keep_empty && !(slab_is_many(s) && front_is_left(s, f))) {
        victim = f->empty;
        f->empty = d;
        if (victim == NULL || victim == d || slab_head_of(victim)->used != 0)
            return NULL;
        if (loam_slab__idle_put(f, victim))
            return NULL;
    }
    return loam_slab__give_up(victim) ? victim : NULL;
}

/* [own] The empty slabs that a front keeps. */
static void front_drop(slab_front *f, loam_list *victims)
{
    slab_desc *d = f->empty;
    if (d != NULL && slab_head_of(d)->used == 0 && loam_slab__give_up(d))
        loam_list_push(victims, &d->link);
    loam_slab__idle_end(f, victims);
}

void loam_slab__hand_over(loam_list *list, slab_front *shared, loam_list *victims)
{
    while (!loam_list_is_empty(list)) {
        slab_desc *d = LOAM_CONTAINER_OF(list->next, slab_desc, link);
        if (slab_head_of(d)->used == 0 && loam_slab__give_up(d))
            loam_list_push(victims, &d->link);
        else
            loam_slab__move(d, shared);
    }
}

bool loam_slab__release_all(loam_list *victims)
{
    bool any = !loam_list_is_empty(victims);
    while (!loam_list_is_empty(victims)) {
        slab_desc *d = LOAM_CONTAINER_OF(victims->next, slab_desc, link);
        loam_list_remove(&d->link);
        loam_slab__release(d);
    }
    return any;
}

/* Lock held. The same of the shared front, and of those who rest. */
static void front_drop_left(loam_cache *c, loam_list *victims)
{
    const loam_slabs *s = c->slabs;
    uint32_t n = loam_atomic_peek(&s->resting); /* no order: the lock */
    front_drop(&c->shared, victims);
    for (uint32_t i = 0; i < n; i++) {
        slab_front *f = slab_own_front(c, s->rester[i]);
        if (f != NULL)
            front_drop(f, victims);
    }
}

bool loam_slab__drop_empty(loam_slabs *s, loam_cache *c)
{
    loam_list victims;
    loam_list_init(&victims);
    loam_irq irq = slab_lock(s);
    for (loam_list *n = s->caches.next; n != &s->caches; n = n->next) {
        loam_cache *each = LOAM_CONTAINER_OF(n, loam_cache, link);
        if (c != NULL && c != each)
            continue;
        front_drop(slab_front_here(each), &victims);
        if (slab_is_many(s))
            front_drop_left(each, &victims);
    }
    slab_unlock(s, irq);
    return loam_slab__release_all(&victims);
}

/* ---- what a processor does for others ---- */

static bool front_take(loam_slabs *s, slab_cpu *me)
{
    loam_irq irq = loam_port_irq_save();
    uint32_t first = me->taken, next = 0;
    me->taken = 0;
    if (loam_atomic_peek(&me->stack) != 0)          /* no order: the exchange looks again */
        next = loam_atomic_exchange(&me->stack, 0); /* pairs with the cas in remote_push */
    loam_port_irq_restore(irq);
    loam_slab__take_stack(s, first);
    loam_slab__take_stack(s, next);
    return (first | next) != 0;
}

/* Lock held. A front with free slots behind the lock, for this one; NULL: there is none. */
static slab_front *front_to_adopt_from(loam_cache *c, const slab_front *f)
{
    const loam_slabs *s = c->slabs;
    if (f != &c->shared && !loam_list_is_empty(&c->shared.partial))
        return &c->shared;
    uint32_t n = loam_atomic_peek(&s->resting); /* no order: the lock */
    for (uint32_t i = 0; i < n; i++) {
        slab_front *rests = slab_own_front(c, s->rester[i]);
        if (rests != NULL && !loam_list_is_empty(&rests->partial))
            return rests;
    }
    return NULL;
}

bool loam_slab__adopt(loam_cache *c)
{
    loam_slabs *s = c->slabs;
    /* no order: the lock comes before any of them is touched */
    if (!slab_is_many(s) ||
        (loam_atomic_peek(&c->shared.slabs) == 0 && loam_atomic_peek(&s->resting) == 0))
        return false;
    loam_irq irq = slab_lock(s);
    slab_front *f = slab_front_here(c), *from = front_to_adopt_from(c, f);
    slab_desc *d = from != NULL ? LOAM_CONTAINER_OF(from->partial.next, slab_desc, link) : NULL;
    loam_list victims;
    loam_list_init(&victims);
    if (from != NULL)
        loam_slab__ring_empty(from, d, &victims);
    if (from != NULL && loam_list_is_empty(&victims)) /* else all of it waited, and it goes */
        loam_slab__move(d, f);
    slab_unlock(s, irq);
    (void)loam_slab__release_all(&victims);
    return from != NULL;
}

void loam_slab__take_over(slab_desc *d)
{
    loam_cache *c = slab_cache_of(d);
    slab_front *f = slab_front_here(c);
    loam_list none; /* a block of it is out */
    loam_list_init(&none);
    if (!slab_is_many(c->slabs) || f == &c->shared)
        return;
    loam_slab__ring_empty(slab_owner_of(d), d, &none);
    loam_slab__move(d, f);
}

/* Memory is short elsewhere: all that can be spared. */
static void front_give(loam_slabs *s, slab_cpu *me)
{
    loam_list victims;
    loam_list_init(&victims);
    loam_atomic_store(&me->asked, SLAB_GIVING); /* no order: asked from here on, it gives again */
    (void)loam_slab__quarantine_empty(s);
    loam_slab__publish_all(s);
    (void)front_take(s, me);
    loam_irq irq = slab_lock(s);
    for (loam_list *n = s->caches.next; n != &s->caches; n = n->next) {
        loam_cache *c = LOAM_CONTAINER_OF(n, loam_cache, link);
        slab_front *f = slab_front_here(c), *shared = &c->shared;
        if (f == shared)
            continue;
        loam_slab__ring_empty(f, NULL, &victims); /* what waits is of its own slabs */
        loam_slab__idle_end(f, &victims);
        loam_slab__hand_over(&f->partial, shared, &victims);
    }
    slab_unlock(s, irq);
    bool any = loam_slab__release_all(&victims);
    for (unsigned i = 0; any && i < s->zones.count; i++)
        loam_zone_drain(s->zones.zone[i]);
    /* pairs with the load in front_all_gave: what was given is there */
    (void)loam_atomic_cas(&me->asked, SLAB_GIVING, SLAB_CONTENT);
}

bool loam_slab__take_for(loam_cache *c)
{
    loam_slabs *s = c->slabs;
    loam_irq irq = loam_port_irq_save();
    const slab_cpu *me = slab_cpu_here(s);
    /* no order: who takes looks again */
    bool none = me == NULL || (me->taken == 0 && loam_atomic_peek(&me->stack) == 0);
    loam_port_irq_restore(irq);
    if (none)
        return false;
    /* no order: a wish, nothing hangs on it */
    bool found = false, more = loam_atomic_peek(&me->asked) != SLAB_ASKED;
    while (more && !found) {
        const slab_desc *d = loam_slab__take_next(s);
        more = d != NULL;
        irq = loam_port_irq_save();
        found = more && slab_owner_of(d) == slab_front_here(c);
        loam_port_irq_restore(irq);
    }
    return found;
}

bool loam_slab__more_for(loam_cache *c)
{
    const slab_cpu *me = slab_cpu_here(c->slabs);
    if (loam_slab__take_for(c))
        return true;
    /* no order: a wish */
    return me != NULL && loam_atomic_peek(&me->asked) != SLAB_ASKED && loam_slab__adopt(c);
}

bool loam_slab__look(loam_slabs *s)
{
    slab_cpu *me = slab_cpu_here(s);
    if (me == NULL)
        return false;
    bool taken = front_take(s, me);
    if (loam_atomic_peek(&me->asked) == SLAB_ASKED) /* no order: a wish, nothing hangs on it */
        front_give(s, me);
    return taken;
}

void loam_slabs_serve(loam_slabs *s)
{
    slab_cpu *me = slab_cpu_here(s);
    /* no order: beside this processor only its interrupts write it */
    if (me != NULL && loam_atomic_peek(&me->room) != slab_room(s))
        loam_slab__publish_all(s);
    (void)loam_slab__look(s);
}

/* ---- shortage ---- */

void loam_slab__begin(loam_slabs *s, uint32_t cpu)
{
    uint32_t end = loam_atomic_peek(&s->cpu_end); /* no order: the cas asks again */
    /* no order: who misses it does not ask a processor that begins just now */
    while (end <= cpu && !loam_atomic_cas(&s->cpu_end, end, cpu + 1))
        end = loam_atomic_peek(&s->cpu_end); /* no order: as above */
}

/* The pages of those that never began are nobody's, and stay so. */
static uint32_t front_end(const loam_slabs *s)
{
    return loam_atomic_peek(&s->cpu_end); /* no order: as above */
}

void loam_slab__ask(loam_slabs *s)
{
    for (uint32_t i = 0; i < front_end(s); i++) {
        slab_cpu *cpu = &s->cpu[i];
        bool online = loam_atomic_peek(&cpu->stack) != SLAB_CLOSED; /* no order: a hint */
        if (online && i != loam_port_cpu())
            loam_atomic_store(&cpu->asked, SLAB_ASKED); /* no order: a wish */
    }
}

static bool front_all_gave(const loam_slabs *s)
{
    for (uint32_t i = 0; i < front_end(s); i++) {
        const slab_cpu *cpu = &s->cpu[i];
        bool online = loam_atomic_peek(&cpu->stack) != SLAB_CLOSED; /* no order: a hint */
        /* pairs with the cas in front_give */
        if (online && i != loam_port_cpu() && loam_atomic_load(&cpu->asked) != SLAB_CONTENT)
            return false;
    }
    return true;
}

bool loam_slab__await(loam_slabs *s, unsigned turn)
{
    const loam_zone_config *zone = loam_zone_config_of(s->zones.zone[0]);
    if (!slab_is_many(s))
        return false;
    if (turn != 0)
        loam_slab__ask(s);
    while (!front_all_gave(s)) {
        if (zone->wait == NULL || !zone->wait(zone->wait_ctx))
            return false;
        loam_slabs_serve(s); /* another may wait for this one */
    }
    return true;
}

/* ---- fronts are made ---- */

static size_t front_bytes(const loam_cache *c)
{
    return slab_front_size(c->slabs) + loam_slab__ring_bytes(c->slabs, c->stride) +
           loam_slab__stack_bytes(c);
}

enum { FRONT_SHADE = 4 * SLAB_LINE, FRONT_SHADES = 6 };

/* Bytes before a front that has frames of its own, of what these have to spare: not all begin in
 * the same sets of a first-level cache. */
static size_t front_shade(const loam_cache *c)
{
    size_t bytes = front_bytes(c), spare = (0 - bytes) & (LOAM_PAGE_SIZE - 1);
    uint32_t shade = c->stride / SLAB_GUARD_LEAD % FRONT_SHADES * FRONT_SHADE;
    return bytes > (size_t)SLAB_FRAME_LINES * SLAB_LINE && shade <= spare ? shade : 0;
}

static slab_front *front_alloc(loam_cache *c)
{
    unsigned char *p = loam_slab__meta_alloc(c->slabs, front_bytes(c));
    return p != NULL ? (slab_front *)(void *)(p + front_shade(c)) : NULL;
}

static void front_free(loam_cache *c, slab_front *f)
{
    loam_slab__meta_free(c->slabs, (unsigned char *)f - front_shade(c), front_bytes(c));
}

/* The front of a processor; of slabs->ncpus: the shared one. All of it reads 0, and what is kept
 * behind it, too. */
static void front_start(loam_cache *c, slab_front *f, uint32_t cpu)
{
    loam_slabs *s = c->slabs;
    bool shared = slab_is_many(s) && cpu == s->ncpus;
    uint64_t drawn = loam_slab__random(&s->rng) << 1 | 1;
    f->cpu = cpu;
    uintptr_t key = shared ? 0 : c->owner != NULL ? (uintptr_t)c->owner : (uintptr_t)c;
    f->key = c->stacked ? 0 : key;
    f->told_key = slab_is_many(s) && !slab_has_seals(s) ? key : 0; /* seals change first */
    f->cache = c;
    f->stride = c->stride;
    f->told_stride = slab_told_stride(c->stride);
    f->bound = slab_bound((uint32_t)c->stride, c->slots);
    f->beyond = ~loam_mask64(slab_word_count(c));
    f->word = &s->none;
    if (s->modes != 0) {
        f->rng = drawn;
        loam_slab__ring_start(f);
    }
    if (slab_has_stack(f))
        loam_slab__stack_start(f);
    loam_list_init(&f->partial);
    loam_list_init(&f->full);
}

enum { FAR_BYTES = SLAB_FAR * sizeof(slab_front *) };

/* Places for the processors beyond the near ones; false: there is no memory. */
static bool front_make_far(loam_cache *c)
{
    loam_slabs *s = c->slabs;
    void *far = loam_slab__meta_alloc(s, FAR_BYTES);
    if (far == NULL)
        return false;
    __builtin_memset(far, 0, FAR_BYTES);
    loam_irq irq = slab_lock(s);
    bool wanted = slab_far_fronts(c) == NULL;
    if (wanted)
        loam_atomic_ptr_store(&c->far, far); /* pairs with the load in slab_far_fronts */
    slab_unlock(s, irq);
    if (!wanted)
        loam_slab__meta_free(s, far, FAR_BYTES);
    return true;
}

static bool front_is_near(uint32_t cpu)
{
    return SLAB_FAR == 0 || cpu < SLAB_NEAR;
}

/* [lock] Whom a processor uses from now on; NULL: the shared one. */
static void front_set(loam_cache *c, uint32_t cpu, slab_front *f)
{
    if (front_is_near(cpu))
        c->front[cpu] = f != NULL ? f : &c->shared;
    else
        slab_far_fronts(c)[cpu - SLAB_NEAR] = f;
}

/* A front of its own for a processor that has none, if there is memory. Of processors that are
 * offline all use the shared one. */
static void front_make(loam_cache *c, uint32_t cpu)
{
    loam_slabs *s = c->slabs;
    if (!front_is_near(cpu) && slab_far_fronts(c) == NULL && !front_make_far(c))
        return;
    slab_front *f = front_alloc(c);
    if (f == NULL)
        return;
    __builtin_memset(f, 0, slab_front_size(s) + loam_slab__kept_bytes(s, c->stride));
    loam_irq irq = slab_lock(s);
    bool wanted = slab_own_front(c, cpu) == NULL; /* no interrupt made one */
    if (wanted) {
        front_start(c, f, cpu);
        front_set(c, cpu, f);
        loam_slab__begin(s, cpu);
    }
    slab_unlock(s, irq);
    if (!wanted)
        front_free(c, f);
}

bool loam_slab__start_fronts(loam_cache *c)
{
    const loam_slabs *s = c->slabs;
    front_start(c, &c->shared, slab_is_many(s) ? s->ncpus : 0);
    for (uint32_t i = 0; i < SLAB_NEAR; i++)
        c->front[i] = &c->shared;
    for (uint32_t i = 0; i < s->parts && !s->lazy; i++) {
        front_make(c, i);
        if (slab_own_front(c, i) == NULL) {
            loam_slab__end_fronts(c);
            return false;
        }
    }
    return true;
}

void loam_slab__make_front(loam_cache *c)
{
    unsigned cpu = loam_port_cpu();
    if (slab_cpu_here(c->slabs) != NULL && slab_own_front(c, cpu) == NULL)
        front_make(c, cpu);
}

void loam_slab__end_fronts(loam_cache *c)
{
    loam_slabs *s = c->slabs;
    for (uint32_t i = 0; i < s->parts; i++) {
        slab_front *own = slab_own_front(c, i);
        if (own == NULL)
            continue;
        front_set(c, i, NULL);
        front_free(c, own);
    }
    if (slab_far_fronts(c) != NULL)
        loam_slab__meta_free(s, slab_far_fronts(c), FAR_BYTES);
}
