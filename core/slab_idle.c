/* SPDX-License-Identifier: MIT */
/* slab_idle.c - empty slabs that a front keeps, as it asked again for those that went.
 *
 * WHAT   A front keeps the slab that became empty last, and the others go: their frames are
 *        anybody's then. Who frees 64 blocks of 16 KiB and takes 64 again gives 15 slabs back and
 *        makes 15, over and over, each with the layer's lock. Such a front keeps them.
 *
 * MODEL  Slabs that went and came again are counted; as many may stay the next time.
 *
 *            partial  <--- take, the newest ---   idle: d -> d -> d (a circle)
 *               |                                   ^        |
 *               '- the last one that was empty -----'        '--> give up: memory is wanted
 *
 *        They go before the process takes pages that nobody had, with what is trimmed, and when
 *        the processor leaves; then the front has to learn again. All those of a processor have
 *        a quarter of the bytes of large blocks that it may keep (slab_kept.c), with modes, too:
 *        slots that wait or are poisoned are so in an idle slab.
 *
 * RULES  S5: an idle slab is empty, on no list, and counted by its front and its processor.
 * LOCKS  As the front. None of its own.
 * COST   O(1) to put and take; to end, O(idle slabs).
 * FROM   Hysteresis, as in every cache of freed memory.
 * NOT    Layers that keep nothing: keep_large or keep_empty says so.
 */
#include "slab_internal.h"

static uint32_t idle_frames(const loam_slabs *s)
{
    return (uint32_t)((s->mask + 1) >> LOAM_PAGE_SHIFT);
}

/* Frames that are idle of the processor whose front it is. */
static uint32_t *idle_count(const slab_front *f)
{
    loam_slabs *s = f->cache->slabs;
    return slab_is_many(s) ? &s->cpu[f->cpu].idle : &s->idle;
}

uint32_t loam_slab__idle_mine(const loam_slabs *s)
{
    const slab_cpu *me = slab_cpu_here(s);
    return slab_is_many(s) ? (me != NULL ? me->idle : 0) : s->idle;
}

void loam_slab__idle_learn(slab_front *f)
{
    if (f->gone == 0)
        return;
    f->gone--;
    if (f->idles_most != UINT8_MAX)
        f->idles_most++;
}

bool loam_slab__idle_put(slab_front *f, slab_desc *d)
{
    const loam_slabs *s = f->cache->slabs;
    uint32_t *frames = idle_count(f);
    /* no order: a hint */
    bool stays = f->idles < f->idles_most && *frames + idle_frames(s) <= s->idle_frames &&
                 loam_atomic_peek(&s->tight_now) == 0;
    if (!stays) {
        if (f->gone != UINT8_MAX)
            f->gone++;
        return false;
    }
    loam_slab__detach(d);
    if (f->idle != NULL)
        loam_list_append(&f->idle->link, &d->link);
    else
        loam_list_init(&d->link);
    d->large = SLAB_IDLE;
    f->idle = d;
    f->idles++;
    *frames += idle_frames(s);
    return true;
}

slab_desc *loam_slab__idle_take(slab_front *f)
{
    slab_desc *d = f->idle;
    if (d == NULL)
        return NULL;
    bool last = loam_list_is_empty(&d->link);
    f->idle = last ? NULL : LOAM_CONTAINER_OF(d->link.next, slab_desc, link);
    f->idles--;
    *idle_count(f) -= idle_frames(f->cache->slabs);
    d->large = 0;
    slab_list(d);
    return d;
}

void loam_slab__idle_end(slab_front *f, loam_list *victims)
{
    slab_desc *d;
    while ((d = loam_slab__idle_take(f)) != NULL) {
        if (loam_slab__give_up(d))
            loam_list_push(victims, &d->link);
    }
    if ((f->idles_most | f->gone) != 0) /* no line is written for nothing */
        f->idles_most = f->gone = 0;
}

bool loam_slab__idle_drop(loam_slabs *s)
{
    loam_list victims;
    loam_list_init(&victims);
    if (loam_slab__idle_mine(s) == 0)
        return false;
    loam_irq irq = slab_lock(s);
    for (loam_list *n = s->caches.next; n != &s->caches; n = n->next)
        loam_slab__idle_end(slab_front_here(LOAM_CONTAINER_OF(n, loam_cache, link)), &victims);
    slab_unlock(s, irq);
    return loam_slab__release_all(&victims);
}

/* ---- S5 ---- */

/* Of the front that a processor has of a cache. */
static unsigned idle_slabs(const loam_cache *c, uint32_t cpu)
{
    if (!slab_is_many(c->slabs))
        return c->shared.idles;
    const slab_front *f = slab_own_front(c, cpu);
    return f != NULL ? f->idles : 0;
}

static const char *idle_check(const loam_slabs *s, uint32_t cpu, uint32_t frames)
{
    uint64_t idle = 0;
    for (const loam_list *n = s->caches.next; n != &s->caches; n = n->next)
        idle += idle_slabs(LOAM_CONTAINER_OF(n, loam_cache, link), cpu);
    return frames == idle * idle_frames(s) ? NULL : "S5 a processor's idle slabs add up";
}

const char *loam_slab__check_idle(const loam_slabs *s)
{
    const char *bad = slab_is_many(s) ? NULL : idle_check(s, 0, s->idle);
    for (uint32_t i = 0; bad == NULL && slab_is_many(s) && i < s->parts; i++)
        bad = idle_check(s, i, s->cpu[i].idle);
    return bad;
}
