/* SPDX-License-Identifier: MIT */
/* slab_online.c - processors, and threads in their place, come and go.
 *
 * WHAT   What a processor has of every cache when it leaves, and gets when it is back.
 *
 * MODEL  Resting: who leaves for one that comes soon, as a thread that ends, leaves its fronts as
 *        they are. They are behind the lock, as the shared one is, until somebody has the number
 *        again; others adopt from them, and take over what they free of. Few rest; who would be
 *        one more is offline.
 *        Offline: every slab goes to the shared front, an empty one only where that has none; then
 *        the stack is closed, in this order: who finds the stack closed finds the new owner. Frees
 *        that come later take the lock.
 *
 *            online --- rest ---> resting ---> online     its fronts as they were, less what others
 *               |                                         took meanwhile
 *               '------ offline ---> offline ---> online  its fronts, with no slabs
 *
 *        A process that forks has all of this stand still for as long.
 *
 * RULES  S5, S12 and S16 of slab_check.c.
 * LOCKS  The layer's lock.
 * COST   offline: O(caches + its slabs). rest, online: O(1), and what others told.
 * FROM   Heaps of threads that end: Hoard's global heap.
 * NOT    -
 */
#include "slab_internal.h"

/* Lock held. The empty slab that a front keeps stays for who comes in its place, one a cache. */
static void front_leave_empty(slab_front *f, slab_front *shared)
{
    slab_desc *d = f->empty;
    /* no order: counts, under the lock */
    bool stays = f->cache->slabs->keep_empty && loam_atomic_peek(&shared->slabs) == 0;
    if (d != NULL && stays) {
        loam_slab__move(d, shared);
        shared->empty = d;
    }
}

/* The stack is closed: what was on it is taken, by the lock, and what is kept goes. */
static void front_left(loam_slabs *s, slab_cpu *me, uint32_t first)
{
    uint32_t taken = me->taken;
    me->taken = 0;
    loam_atomic_store(&me->asked, SLAB_CONTENT); /* no order: nobody waits for who is offline */
    loam_slab__take_stack(s, taken);
    loam_slab__take_stack(s, first);
    (void)loam_slab__kept_drop(s, false);
}

void loam_slabs_offline(loam_slabs *s)
{
    slab_cpu *me = slab_cpu_here(s);
    if (me == NULL)
        return;
    unsigned cpu = loam_port_cpu();
    loam_list victims;
    loam_list_init(&victims);
    (void)loam_slab__quarantine_empty(s);
    loam_irq irq = slab_lock(s);
    me->offline = true;
    for (loam_list *n = s->caches.next; n != &s->caches; n = n->next) {
        loam_cache *c = LOAM_CONTAINER_OF(n, loam_cache, link);
        slab_front *f = slab_own_front(c, cpu), *shared = &c->shared;
        if (f == NULL)
            continue;
        loam_slab__ring_empty(f, NULL, &victims);
        front_leave_empty(f, shared);
        loam_slab__idle_end(f, &victims);
        loam_slab__hand_over(&f->partial, shared, &victims);
        loam_slab__hand_over(&f->full, shared, &victims);
    }
    slab_unlock(s, irq);
    (void)loam_slab__release_all(&victims);
    loam_slab__publish_all(s);
    /* Pairs with the load in remote_push: who finds it closed finds the new owners. Pairs with the
     * cas in remote_push: what was pushed before is taken. */
    front_left(s, me, loam_atomic_exchange(&me->stack, SLAB_CLOSED));
}

bool loam_slabs_rest(loam_slabs *s)
{
    slab_cpu *me = slab_cpu_here(s);
    if (me == NULL)
        return false;
    uint32_t first = 0;
    loam_slab__publish_all(s);
    (void)loam_slab__idle_drop(s);
    loam_irq irq = slab_lock(s);
    uint32_t n = loam_atomic_peek(&s->resting); /* no order: the lock */
    bool rests = s->modes == 0 && n < s->rests;
    if (rests) {
        me->offline = true;
        /* Pairs with the load in remote_push: who finds it closed takes the lock. Pairs with the
         * cas in remote_push: what was pushed before is taken. */
        first = loam_atomic_exchange(&me->stack, SLAB_CLOSED);
        s->rester[n] = (uint16_t)loam_port_cpu();
        loam_atomic_store(&s->resting, n + 1); /* no order: as above */
    }
    slab_unlock(s, irq);
    if (rests)
        front_left(s, me, first);
    else
        loam_slabs_offline(s);
    return rests;
}

/* Lock held. */
static void front_rests_no_more(loam_slabs *s, uint32_t cpu)
{
    uint32_t n = loam_atomic_peek(&s->resting); /* no order: the lock */
    for (uint32_t i = 0; i < n; i++) {
        if (s->rester[i] != cpu)
            continue;
        s->rester[i] = s->rester[n - 1];
        loam_atomic_store(&s->resting, n - 1); /* no order: as above */
        return;
    }
}

void loam_slabs_online(loam_slabs *s)
{
    unsigned cpu = loam_port_cpu();
    if (!slab_is_many(s) || cpu >= s->ncpus || !s->cpu[cpu].offline)
        return;
    loam_irq irq = slab_lock(s);
    front_rests_no_more(s, cpu);
    loam_atomic_store(&s->cpu[cpu].stack, 0); /* no order: who takes the lock looks again */
    s->cpu[cpu].offline = false;              /* its fronts are in their places */
    slab_unlock(s, irq);
}

/* ---- forks ---- */

loam_irq loam_slabs_freeze(loam_slabs *s)
{
    loam_irq irq = slab_lock(s);
    loam_slab__kept_freeze(s);
    return irq;
}

void loam_slabs_thaw(loam_slabs *s, loam_irq irq)
{
    loam_slab__kept_thaw(s);
    slab_unlock(s, irq);
}
