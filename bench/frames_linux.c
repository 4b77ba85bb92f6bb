/* SPDX-License-Identifier: MIT */
/* frames_linux.c - a model of Linux's zone: lists through descriptions of frames, batches before
 * them. */
#include "frames_linux.h"
#include "frames_lock.h"

enum {
    NONE = UINT32_MAX,
    MAX_THREADS = 8,
    LISTS = 5,
    BATCH = 63,
    HIGH = 6 * BATCH, /* blocks that one processor keeps, counted in frames, at most */
    FREE = 1          /* flag: on a list of the zone */
};

typedef struct page {
    uint32_t flags, order;
    uint32_t next, prev;
    int32_t refs;
    uint8_t rest[44]; /* what the kernel keeps there; it sets the size, and so the cache misses */
} page;
_Static_assert(sizeof(page) == 64, "a page is one cache line, as in the kernel");

typedef struct page_list {
    uint32_t head, tail;
} page_list;

typedef struct front {
    _Alignas(64) uint32_t count;
    page_list list[LISTS];
} front;

struct zone {
    spin lock;
    uint32_t frames;
    page_list area[ZONE_MAX_ORDER + 1];
    front front[MAX_THREADS];
    page page[];
};

static _Thread_local unsigned self;

void zone_enter(void *a, unsigned thread)
{
    (void)a;
    self = thread;
}

uint64_t zone_bytes(const frames_shape *shape)
{
    return sizeof(zone) + shape->frames * sizeof(page);
}

static void push(zone *z, page_list *l, uint32_t f)
{
    page *p = &z->page[f];
    p->next = l->head;
    p->prev = NONE;
    if (l->head == NONE)
        l->tail = f;
    else
        z->page[l->head].prev = f;
    l->head = f;
}

static void unlink_page(zone *z, page_list *l, uint32_t f)
{
    page *p = &z->page[f];
    if (p->prev == NONE)
        l->head = p->next;
    else
        z->page[p->prev].next = p->next;
    if (p->next == NONE)
        l->tail = p->prev;
    else
        z->page[p->next].prev = p->prev;
}

static void area_push(zone *z, uint32_t f, unsigned order)
{
    z->page[f].flags = FREE;
    z->page[f].order = order;
    push(z, &z->area[order], f);
}

static void area_remove(zone *z, uint32_t f, unsigned order)
{
    unlink_page(z, &z->area[order], f);
    z->page[f].flags = 0;
}

static uint32_t area_take(zone *z, unsigned order)
{
    unsigned k = order;
    while (k <= ZONE_MAX_ORDER && z->area[k].head == NONE)
        k++;
    if (k > ZONE_MAX_ORDER)
        return NONE;
    uint32_t f = z->area[k].head;
    area_remove(z, f, k);
    while (k > order) {
        k--;
        area_push(z, f + (1U << k), k);
    }
    return f;
}

static void area_give(zone *z, uint32_t f, unsigned order)
{
    for (; order < ZONE_MAX_ORDER; order++) {
        uint32_t buddy = f ^ (1U << order);
        if (buddy >= z->frames || z->page[buddy].flags != FREE || z->page[buddy].order != order)
            break;
        area_remove(z, buddy, order);
        f &= ~(1U << order);
    }
    area_push(z, f, order);
}

static page_list *list_of(front *fr, unsigned order)
{
    return &fr->list[order == 9 ? 4 : order];
}

static bool has_list(unsigned order)
{
    return order <= 3 || order == 9;
}

static LOAM_NOINLINE void refill(zone *z, front *fr, unsigned order)
{
    page_list *l = list_of(fr, order);
    uint32_t want = BATCH >> order;
    spin_acquire(&z->lock);
    for (uint32_t i = 0; i < want + (want == 0); i++) {
        uint32_t f = area_take(z, order);
        if (f == NONE)
            break;
        z->page[f].order = order;
        push(z, l, f);
        fr->count += 1U << order;
    }
    spin_release(&z->lock);
}

/* The oldest blocks go back, the lists in turn. */
static LOAM_NOINLINE void flush(zone *z, front *fr, uint32_t frames)
{
    spin_acquire(&z->lock);
    for (unsigned i = 0; frames > 0 && fr->count > 0; i = (i + 1) % LISTS) {
        uint32_t f = fr->list[i].tail;
        if (f == NONE)
            continue;
        unsigned order = i == 4 ? 9 : i;
        uint32_t len = 1U << order;
        unlink_page(z, &fr->list[i], f);
        area_give(z, f, order);
        fr->count -= len;
        frames -= len < frames ? len : frames;
    }
    spin_release(&z->lock);
}

void zone_drain(void *a)
{
    zone *z = a;
    flush(z, &z->front[self], z->front[self].count);
}

static uint32_t take_locked(zone *z, unsigned order)
{
    spin_acquire(&z->lock);
    uint32_t f = area_take(z, order);
    spin_release(&z->lock);
    return f;
}

static uint32_t front_take(zone *z, unsigned order)
{
    front *fr = &z->front[self];
    page_list *l = list_of(fr, order);
    if (l->head == NONE)
        refill(z, fr, order);
    uint32_t f = l->head;
    if (f != NONE) {
        unlink_page(z, l, f);
        fr->count -= 1U << order;
    }
    return f;
}

uint64_t zone_alloc(zone *z, unsigned order)
{
    bool listed = has_list(order);
    uint32_t f = listed ? front_take(z, order) : take_locked(z, order);
    if (f == NONE) {
        zone_drain(z);
        f = take_locked(z, order);
    }
    if (f == NONE)
        return UINT64_MAX;
    page *p = &z->page[f];
    if (p->flags != 0 || p->refs != 0)
        bench_die("linux: a page that was given out was not free");
    p->order = order;
    p->refs = 1;
    return f;
}

void zone_free(zone *z, uint32_t block, unsigned order)
{
    page *p = &z->page[block];
    if (p->flags != 0 || p->refs != 1)
        bench_die("linux: double free");
    p->refs = 0;
    if (has_list(order)) {
        front *fr = &z->front[self];
        push(z, list_of(fr, order), block);
        fr->count += 1U << order;
        if (fr->count >= HIGH + (order == 9 ? 1U << 9 : 0))
            flush(z, fr, BATCH);
        return;
    }
    spin_acquire(&z->lock);
    area_give(z, block, order);
    spin_release(&z->lock);
}

void *zone_init(void *mem, uint64_t bytes, const frames_shape *shape)
{
    (void)bytes;
    zone *z = mem;
    z->frames = (uint32_t)shape->frames;
    for (unsigned k = 0; k <= ZONE_MAX_ORDER; k++)
        z->area[k] = (page_list){NONE, NONE};
    for (unsigned t = 0; t < MAX_THREADS; t++) {
        for (unsigned l = 0; l < LISTS; l++)
            z->front[t].list[l] = (page_list){NONE, NONE};
    }
    for (uint32_t f = 0; f < z->frames; f++)
        z->page[f].next = z->page[f].prev = NONE; /* the kernel, too, writes every page at start */
    for (uint32_t b = z->frames >> ZONE_MAX_ORDER; b > 0; b--)
        area_push(z, (b - 1) << ZONE_MAX_ORDER, ZONE_MAX_ORDER);
    return z;
}
