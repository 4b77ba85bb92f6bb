/* SPDX-License-Identifier: MIT */
/* zone_front.c - what one processor keeps at hand: refill, flush, drain.
 *
 * WHAT   Turns many calls on an area into few.
 * MODEL  A queue for each of the orders 0, 1, 2, 3 and 9. A refill takes every block of the order
 *        out of one word of the buddy, one change of that word; a full stack gives its older half
 *        back, blocks of one word together:
 *
 *            starts  1011 0000 ...  @ base          stack  [oldest ... | ... newest]
 *                    ^ next to be given out                 flushed      reused first
 *
 *        used --(others: CAS, then the window shut)--> asked --(owner: drained)--> empty
 *        empty --(owner, at a slow call, unless one waits)--> used
 *
 * RULES  Z5, Z6 (zone.c)
 * LOCKS  The front is its processor's, with interrupts off; the area's lock for the exchange.
 *        Nobody reaches into another front: who is short changes its state and shuts the window
 *        through which the fast paths see frames, and the owner drains at its next call.
 * COST   One lock for up to 64 blocks.
 * FROM   Magazines (Bonwick and Adams 2001), here over words of bits.
 * NOT    Balancing between processors.
 */
#include "zone_impl.h"

void loam_zone__front_opens(zone_front *front, const zone_run *run)
{
    uint32_t all = run->count < UINT32_MAX ? (uint32_t)run->count : UINT32_MAX;
    front->first = run->first;
    front->table = run->table;
    loam_atomic_store(&front->window, all); /* no order: its own; shut again below */
    /* Pairs with the cas in loam_zone__ask_drain: either this sees that somebody asked, or the
     * window is shut after it was opened here. */
    bool asked = loam_atomic_or(&front->state, 0) != ZONE_FRONT_USED;
    if (asked)
        loam_atomic_store(&front->window, 0); /* no order: its own */
}

static void zone_front_set(const loam_zone *zone, zone_front *front, uint32_t live)
{
    front->uses = live;
    for (unsigned q = 0; q < LOAM_ZONE_LIFOS; q++) {
        bool fast = (live >> q & 1) != 0 && !zone->config.hardened;
        front->queue[q].cap = fast ? front->queue[q].most : 0;
    }
}

/* Do fronts keep nothing at present? */
static bool zone_keeps_nothing(loam_zone *zone, const zone_front *front)
{
    /* no order: zone_front_use asks for those who wait again */
    if (zone->live == 0 || front->away || front->drains || loam_atomic_peek(&zone->waiting) != 0 ||
        loam_trace_is_on(zone->config.trace)) /* each step is to be seen */
        return true;
    uint32_t low = loam_atomic_load(&zone->low); /* pairs with the store in zone_guard_reserve */
    if (low == 0 || loam_zone__is_low(zone))
        return low != 0;
    loam_atomic_store(&zone->low, 0); /* no order: the areas were looked at under their locks */
    return false;
}

/* A front that is empty is used from now on, unless a request waits for what fronts hold. Of "used"
 * and "waits", each written before the other is read, one is seen. */
static void zone_front_use(loam_zone *zone, zone_front *front)
{
    if (zone_keeps_nothing(zone, front))
        return;
    /* pairs with the load in loam_zone__ask_drain */
    loam_atomic_exchange(&front->state, ZONE_FRONT_USED);
    if (loam_atomic_add(&zone->waiting, 0) == 0) /* pairs with the add in zone_take_hard */
        zone_front_set(zone, front, zone->live);
    else /* pairs with the load in loam_zone__ask_drain */
        loam_atomic_store(&front->state, ZONE_FRONT_EMPTY);
}

void loam_zone__front_settle(loam_zone *zone, zone_front *front)
{
    if (loam_atomic_peek(&front->state) == ZONE_FRONT_ASKED) /* no order: zone_front_ready's has */
        loam_zone__drain_front(zone, front);
    zone_front_use(zone, front);
}

/* A word of blocks of the area, whose lock is released. A zone near its reserve serves blocks one
 * by one, so that a refill does not eat it: not for an interrupt either, for its next call may be
 * a free, and what a front keeps anybody gets. */
static bool zone_refill_here(zone_area *area, zone_queue *queue, loam_irq irq)
{
    uint64_t most = 64ULL << queue->shift, starts = 0;
    if (zone_affords(area, most, LOAM_ZONE_NORMAL)) {
        starts = loam_buddy_take_runs(&area->buddy, queue->order, &queue->base);
        zone_note_low(area);
    }
    zone_area_unlock(area, irq);
    queue->starts = starts;
    return starts != 0;
}

static LOAM_NOINLINE zone_area *zone_refill_away(loam_zone *zone, zone_front *front,
                                                 zone_queue *queue)
{
    zone_search search = loam_zone__search_from(zone, front, queue->order);
    loam_irq irq;
    for (zone_area *area; (area = loam_zone__search(zone, &search, &irq)) != NULL;) {
        if (zone_refill_here(area, queue, irq)) {
            zone_set_home(zone, front, area);
            return area;
        }
    }
    return NULL;
}

bool loam_zone__refill(loam_zone *zone, zone_front *front, unsigned q, unsigned flags,
                       uint64_t *frame)
{
    zone_queue *queue = &front->queue[q];
    zone_area *area = zone_home(zone, front, queue->order);
    if (area == NULL || !zone_refill_here(area, queue, zone_area_lock(area)))
        area = zone_refill_away(zone, front, queue);
    if (area == NULL)
        return false;
    uint64_t starts = queue->starts;
    uint64_t first = queue->base + ((uint64_t)loam_ctz64(starts) << queue->shift);
    queue->starts = starts & (starts - 1);
    front->refills++;
    zone_front_points_to(zone, front, area);
    area->table[first - area->first] = (uint8_t)(zone_mark(flags) | queue->order);
    *frame = first;
    return true;
}

/* A block that two processors freed at the same moment shows here: its byte is a head again, or its
 * bit is set. */
static void zone_report_late(const loam_zone *zone, uint64_t frame)
{
    loam_report report = {
        .unit = "zone",
        .what = "double free, found when a front was flushed",
        .object = "frame",
        .value = frame,
        .state = loam_frame_state_name(loam_zone_state(zone, loam_pfn_of(frame))),
        .name = zone->config.name,
        .caller = __builtin_return_address(0),
        .rule = "Z5",
    };
    loam_port_misuse(&report);
}

enum { ZONE_NONE_BAD = -1 };

/* Brings those of n frames that lie in the area of the first to the front; how many they are. */
static uint32_t zone_gather_area(const zone_area *area, uint64_t *frame, uint32_t n)
{
    uint32_t here = 1;
    while (here < n && frame[here] - area->first < area->count)
        here++;
    for (uint32_t i = here + 1; i < n; i++) {
        uint64_t at = frame[i];
        if (at - area->first >= area->count)
            continue;
        frame[i] = frame[here];
        frame[here++] = at;
    }
    return here;
}

/* One lock for the oldest blocks of a stack, at most n > 0, that lie in one area; returns how many.
 * *bad becomes the index of the last of them if that one must not go back. Without a second front
 * no block is freed twice at once: the bytes need not be read again. */
static uint32_t zone_give_oldest(loam_zone *zone, zone_queue *queue, uint32_t n, int *bad)
{
    uint64_t *frame = queue->lifo;
    zone_area *area = loam_zone__area(zone, frame[0]);
    n = zone->nareas == 1 ? n : zone_gather_area(area, frame, n);
    uint32_t good = zone->nfronts == 1 ? n : 0, given = 0;
    loam_irq irq = zone_area_lock(area);
    while (good < n && area->table[frame[good] - area->first] == ZONE_PLAIN)
        good++;
    if (!zone_is_whole(zone, area))
        given = (uint32_t)loam_buddy_free_list(&area->buddy, queue->order, frame, good);
    zone_settle(zone, area);
    zone_area_unlock_freed(area, irq);
    if (given == n)
        return given;
    *bad = (int)given;
    return given + 1;
}

/* Gives back the n oldest blocks of a stack. A report comes when the stack is whole again: whoever
 * hears it may call the zone, and so may find or leave fewer blocks here. */
static void zone_flush_oldest(loam_zone *zone, zone_queue *queue, uint32_t n)
{
    while (n != 0 && queue->count != 0) {
        int bad = ZONE_NONE_BAD;
        uint32_t used = zone_give_oldest(zone, queue, n < queue->count ? n : queue->count, &bad);
        uint64_t wrong = bad == ZONE_NONE_BAD ? 0 : queue->lifo[bad];
        queue->count -= used;
        __builtin_memmove(queue->lifo, queue->lifo + used, queue->count * sizeof queue->lifo[0]);
        n -= used;
        if (bad != ZONE_NONE_BAD)
            zone_report_late(zone, wrong);
    }
}

void loam_zone__flush(loam_zone *zone, zone_front *front, unsigned q)
{
    zone_queue *queue = &front->queue[q];
    front->flushes++;
    zone_flush_oldest(zone, queue, queue->count - queue->count / 2);
}

static void zone_drain_queue(loam_zone *zone, zone_queue *queue)
{
    uint64_t base = queue->base, starts = queue->starts;
    queue->starts = 0;
    if (starts != 0) {
        uint64_t frame = base + ((uint64_t)loam_ctz64(starts) << queue->shift);
        zone_area *area = loam_zone__area(zone, frame);
        loam_err err = LOAM_EBUSY;
        loam_irq irq = zone_area_lock(area);
        if (!zone_is_whole(zone, area))
            err = loam_buddy_free_runs(&area->buddy, queue->order, base, starts);
        zone_settle(zone, area);
        zone_area_unlock_freed(area, irq);
        if (err != LOAM_OK)
            zone_report_late(zone, frame);
    }
    zone_flush_oldest(zone, queue, queue->count);
}

void loam_zone__drain_front(loam_zone *zone, zone_front *front)
{
    bool outer = front->drains; /* whoever hears of a wrong free may drain once more */
    front->drains = true;
    zone_front_set(zone, front, 0);
    for (unsigned q = 0; q < LOAM_ZONE_LIFOS; q++)
        zone_drain_queue(zone, &front->queue[q]);
    front->flushes++;
    front->drains = outer;
    /* pairs with the load in loam_zone__ask_drain */
    loam_atomic_store(&front->state, ZONE_FRONT_EMPTY);
}

bool loam_zone__ask_drain(loam_zone *zone)
{
    bool all_empty = true;
    for (uint32_t i = 0; i < zone->nfronts; i++) {
        zone_front *front = &zone->front[i];
        /* Pairs with the store in loam_zone__drain_front: what it held lies in areas. And pairs
         * with the exchange and the store in zone_front_use. */
        uint32_t state = loam_atomic_load(&front->state);
        if (front == zone_my_front(zone) || state == ZONE_FRONT_EMPTY)
            continue;
        all_empty = false;
        /* Pairs with the or in loam_zone__front_opens, pairs with the loads in zone_front_ready,
         * loam_zone_serve. */
        if (!loam_atomic_cas(&front->state, ZONE_FRONT_USED, ZONE_FRONT_ASKED))
            continue;
        loam_atomic_store(&front->window, 0); /* no order: the owner's next call sees it */
    }
    return all_empty;
}

void loam_zone_drain(loam_zone *zone)
{
    loam_irq irq = loam_port_irq_save();
    zone_front *front = zone_my_front(zone);
    if (front != NULL)
        loam_zone__drain_front(zone, front);
    loam_port_irq_restore(irq);
}

void loam_zone_serve(loam_zone *zone)
{
    loam_irq irq = loam_port_irq_save();
    zone_front *front = zone_my_front(zone);
    /* pairs with the cas in loam_zone__ask_drain */
    if (front != NULL && loam_atomic_load(&front->state) == ZONE_FRONT_ASKED)
        loam_zone__drain_front(zone, front);
    loam_port_irq_restore(irq);
}

static void zone_set_away(loam_zone *zone, bool away)
{
    loam_irq irq = loam_port_irq_save();
    zone_front *front = zone_my_front(zone);
    if (front != NULL) {
        front->away = away;
        loam_zone__drain_front(zone, front);
    }
    loam_port_irq_restore(irq);
}

void loam_zone_offline(loam_zone *zone)
{
    zone_set_away(zone, true);
}

void loam_zone_online(loam_zone *zone)
{
    zone_set_away(zone, false);
}

void loam_zone_drain_all(loam_zone *zone)
{
    loam_irq irq = loam_port_irq_save();
    for (uint32_t i = 0; i < zone->nfronts; i++)
        loam_zone__drain_front(zone, &zone->front[i]);
    loam_port_irq_restore(irq);
}

uint64_t loam_zone__front_frames(const zone_front *front)
{
    uint64_t frames = 0;
    for (unsigned q = 0; q < LOAM_ZONE_LIFOS; q++) {
        const zone_queue *queue = &front->queue[q];
        frames += (uint64_t)(queue->count + loam_popcount64(queue->starts)) << queue->order;
    }
    return frames;
}

static bool zone_queue_has(const zone_queue *queue, uint64_t frame)
{
    uint64_t offset = (frame - queue->base) >> queue->shift;
    if (offset < 64 && (queue->starts >> offset & 1) != 0 &&
        queue->base + (offset << queue->shift) == frame)
        return true;
    for (uint32_t i = 0; i < queue->count; i++) {
        if (queue->lifo[i] == frame)
            return true;
    }
    return false;
}

static bool zone_front_has(const zone_front *front, uint64_t frame)
{
    for (unsigned q = 0; q < LOAM_ZONE_LIFOS; q++) {
        const zone_queue *queue = &front->queue[q];
        if (zone_queue_has(queue, frame & ~loam_mask64(queue->order)))
            return true;
    }
    return false;
}

bool loam_zone__in_front(const loam_zone *zone, uint64_t frame)
{
    for (uint32_t i = 0; i < zone->nfronts; i++) {
        if (zone_front_has(&zone->front[i], frame))
            return true;
    }
    return false;
}
