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
 *        a part of what it may keep besides (slab_kept.c).
 *
 * RULES  S5: an idle slab is empty, on no list, and counted by its front and its processor.
 * LOCKS  As the front. None of its own.
 * COST   O(1) to put and take; to end, O(idle slabs).
 * FROM   Hysteresis, as in every cache of freed memory.
 * NOT    Layers that keep nothing: those with modes that look at freed memory, and one that
 *        returns all at once.
 */
#include "slab_internal.h"

static uint32_t idle_frames(const loam_slabs *s)
{
    return (uint32_t)((s->mask + 1) >> LOAM_PAGE_SHIFT);
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
    loam_slabs *s = f->cache->slabs;
    uint32_t most = 0, *frames = loam_slab__kept_idle(s, &most);
    /* no order: a hint */
    bool stays = f->idles < f->idles_most && frames != NULL && *frames + idle_frames(s) <= most &&
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
    loam_slabs *s = f->cache->slabs;
    slab_desc *d = f->idle;
    uint32_t most;
    if (d == NULL)
        return NULL;
    bool last = loam_list_is_empty(&d->link);
    f->idle = last ? NULL : LOAM_CONTAINER_OF(d->link.next, slab_desc, link);
    f->idles--;
    *loam_slab__kept_idle(s, &most) -= idle_frames(s);
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
    uint32_t most;
    const uint32_t *frames = loam_slab__kept_idle(s, &most);
    loam_list victims;
    loam_list_init(&victims);
    if (frames == NULL || *frames == 0)
        return false;
    loam_irq irq = slab_lock(s);
    for (loam_list *n = s->caches.next; n != &s->caches; n = n->next)
        loam_slab__idle_end(slab_front_here(LOAM_CONTAINER_OF(n, loam_cache, link)), &victims);
    slab_unlock(s, irq);
    return loam_slab__release_all(&victims);
}
