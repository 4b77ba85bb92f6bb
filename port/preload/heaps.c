/* SPDX-License-Identifier: MIT */
/* heaps.c - named heaps of a process: loam/process_heap.h.
 *
 * WHAT   A heap is a zone, slabs and kmalloc of its own over addresses of its own, behind one lock.
 *
 * MODEL  Records in a table that never goes; a handle is a place in it and the generation of the
 *        heap that is there. What a heap has is two mappings; destroying it is giving them back.
 *
 *            handle {slot 2, generation 7}
 *                        |
 *            record  [ . | . | lock, 7, "cache", kmalloc | . | ... ]
 *                                               |
 *                        base | blocks, slabs, their tables ... limit |      | zone's arrays |
 *
 *        The layers are those of one processor: no fronts for others, so what is free is known to
 *        the page, and a heap of 256 KiB has room for blocks. Inside, each thread is processor 0.
 *        docs/decisions/0007-named-heaps.md has the figures that chose these layers.
 * LOCKS  The table's: which records are used. A record's: all else of it; nobody else is in its
 *        layers. Order: table, then record. Reports are told with none held.
 * COST   190 instructions a pair of small blocks: 90 and 100, the lock's two locked ones included.
 * FROM   Private heaps as of Windows and of mimalloc.
 * NOT    Fronts for threads; giving pages back before the heap is destroyed.
 */
#define _GNU_SOURCE
#include "heaps.h"

#include "loam_notes.h"

#include <sys/mman.h>

heap_table loam__heaps = {.lock = LOAM_LOCK_INIT};

/* ---- misuse ---- */

LOAM_NOINLINE void heap_refuse(loam_process_heap heap, const void *caller)
{
    loam_report report = {.unit = "heap",
                          .what = "use of a heap that is none",
                          .object = "heap",
                          .value = heap.slot,
                          .state = heap.generation == 0 ? "never created" : "destroyed",
                          .caller = caller};
    loam_port_misuse(&report);
}

/* ---- create, destroy ---- */

static void *heap_map(size_t len)
{
    void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* Small slabs where few would fit: there is one of each class that is used. */
static unsigned heap_shift(size_t limit)
{
    return limit < (size_t)4 << 20 ? 12 : limit < (size_t)64 << 20 ? 14 : 16;
}

/* Blocks of frames lie at multiples of their size: a heap that does, too, has the largest ones, and
 * the same ones in each run. At least a slab. */
static size_t heap_align(size_t limit)
{
    unsigned log = loam_log2_floor(limit), most = 22;
    return (size_t)1 << (log < most ? log : most);
}

/* false: no memory, and nothing is left. Nobody else knows the record's heap. */
static bool heap_build(heap_record *h, size_t limit)
{
    size_t align = heap_align(limit), around = limit + align;
    unsigned char *map = heap_map(around);
    if (map == NULL)
        return false;
    h->base = (unsigned char *)(uintptr_t)loam_align_up((uintptr_t)map, align);
    if (h->base != map)
        munmap(map, (size_t)(h->base - map));
    munmap(h->base + limit, (size_t)(map + around - (h->base + limit)));
    h->limit = limit;
    loam_notes_root(h->base, limit);
    loam_span ram = {(uintptr_t)h->base, limit};
    loam_zone_config config;
    loam_zone_config_init(&config);
    config.name = h->name;
    config.lowest = true;
    config.linear = (loam_linear){ram.base, ram.len, h->base};
    h->meta_len = (size_t)loam_zone_measure(&ram, 1, &config);
    h->meta = heap_map(h->meta_len);
    h->zone = h->meta == NULL ? NULL : loam_zone_init(h->meta, h->meta_len, true, &ram, 1, &config);
    return h->zone != NULL && loam_zone_add(h->zone, loam_pa_to_pfn(loam_pa_of(ram.base)),
                                            limit >> LOAM_PAGE_SHIFT) == LOAM_OK;
}

static loam_kmalloc *heap_layers(const heap_record *h)
{
    loam_slab_config config = loam__process.slabs;
    config.ncpus = 1;
    config.shift = heap_shift(h->limit);
    config.keep_large = 0; /* what is free is the page's: figures say so, and large blocks fit */
    loam_slabs *slabs = loam_slabs_init(h->zone, &config);
    return slabs == NULL ? NULL : loam_kmalloc_init(slabs);
}

static void heap_unmap(unsigned char *base, size_t limit, void *meta, size_t meta_len)
{
    if (base != NULL) {
        loam_notes_no_root(base, limit);
        loam_notes_show(base, limit); /* for who gets these addresses next */
        munmap(base, limit);
    }
    if (meta != NULL)
        munmap(meta, meta_len);
}

/* An unused record, or NULL: none is left. */
static heap_record *heap_take_record(uint32_t *generation)
{
    heap_record *h = NULL;
    loam_irq irq = loam_lock_acquire(&loam__heaps.lock);
    for (uint32_t i = 0; i < LOAM_PROCESS_HEAPS && h == NULL; i++)
        if (!loam__heaps.record[i].used) {
            h = &loam__heaps.record[i];
            h->used = true;
            loam__heaps.records = loam__heaps.records > i ? loam__heaps.records : i + 1;
        }
    if (++loam__heaps.generations == 0)
        loam__heaps.generations = 1;
    *generation = loam__heaps.generations;
    loam_lock_release(&loam__heaps.lock, irq);
    return h;
}

static void heap_give_record(heap_record *h)
{
    loam_irq irq = loam_lock_acquire(&loam__heaps.lock);
    h->used = false;
    loam_lock_release(&loam__heaps.lock, irq);
}

static void heap_set_name(heap_record *h, const char *name)
{
    loam_text text;
    loam_text_init(&text, h->name, sizeof(h->name));
    out_plain(&text, name);
}

PRELOAD_EXPORT loam_err loam_process_heap_create(loam_process_heap *heap, const char *name,
                                                 size_t limit)
{
    uint32_t generation;
    if (heap == NULL)
        return LOAM_EINVAL;
    *heap = (loam_process_heap){0, 0};
    if (name == NULL || limit < LOAM_PROCESS_HEAP_LEAST || limit > PTRDIFF_MAX / 2)
        return LOAM_EINVAL;
    process_configure();
    heap_record *h = heap_take_record(&generation);
    if (h == NULL)
        return LOAM_EFULL;
    (void)loam_lock_acquire(&h->lock);
    unsigned cpu = loam_port_cpu();
    loam_hosted_set_cpu(0);
    h->base = NULL;
    h->meta = NULL;
    heap_set_name(h, name);
    if (heap_build(h, (size_t)loam_align_up(limit, loam_pages_page())))
        h->kmalloc = heap_layers(h);
    bool made = h->kmalloc != NULL;
    if (made) {
        h->generation = generation;
        *heap = (loam_process_heap){(uint32_t)(h - loam__heaps.record), generation};
    } else {
        heap_unmap(h->base, h->limit, h->meta, h->meta_len);
    }
    loam_hosted_set_cpu(cpu);
    loam_lock_release(&h->lock, loam_port_irq_save());
    if (!made)
        heap_give_record(h);
    return made ? LOAM_OK : LOAM_ENOMEM;
}

static bool heap_tell_gone(void *ctx, void *p, size_t size, const char *cache, const void *site)
{
    (void)ctx;
    (void)cache;
    (void)site;
    watch_gone(p, size);
    return true;
}

PRELOAD_EXPORT loam_err loam_process_heap_destroy(loam_process_heap heap, uint64_t *blocks)
{
    heap_stay stay;
    heap_record *h = heap_enter(heap, &stay, __builtin_return_address(0));
    if (h == NULL)
        return LOAM_EINVAL;
    if (blocks != NULL) {
        loam_kmalloc_stats stats;
        loam_kmalloc_stat(h->kmalloc, &stats);
        *blocks = stats.used_blocks;
    }
    if (process_is_watched())
        loam_kmalloc_each(h->kmalloc, heap_tell_gone, NULL);
    last_look_at(h->kmalloc);
    h->kmalloc = NULL;
    unsigned char *base = h->base;
    void *meta = h->meta;
    size_t limit = h->limit, meta_len = h->meta_len;
    heap_leave(&stay);
    heap_unmap(base, limit, meta, meta_len);
    heap_give_record(h);
    return LOAM_OK;
}

/* ---- blocks ---- */

static void *heap_ask(loam_kmalloc *k, size_t size, size_t align, const void *caller)
{
    return align > PROCESS_ALIGN ? loam_kmalloc__aligned(k, size, align, caller)
                                 : loam_kmalloc__general(k, size, caller);
}

/* Sanitizers do not see the lock, by which a block goes from one thread to another. */
static void heap_watch(const heap_stay *stay)
{
    if (process_is_watched())
        loam_notes_locked(stay->heap);
}

static void heap_leave_watched(const heap_stay *stay)
{
    if (process_is_watched())
        loam_notes_unlocks(stay->heap);
    heap_leave(stay);
}

/* Any block, from inside; leaves. */
static LOAM_NOINLINE void *heap_take(const heap_stay *stay, size_t size, size_t align, bool zero,
                                     const void *caller)
{
    loam_kmalloc *k = stay->heap->kmalloc;
    heap_watch(stay);
    size_t room = process_is_watched() ? watch_room(size) : size;
    void *p = heap_ask(k, room, align, caller);
    if (p == NULL && room != size)
        p = heap_ask(k, size, align, caller);
    size_t usable = p != NULL && process_is_watched() ? loam_kmalloc_size(k, p) : 0;
    heap_leave_watched(stay);
    if (p != NULL && process_is_watched())
        watch_born(p, size, usable, zero, caller);
    if (p != NULL && zero)
        __builtin_memset(p, 0, size);
    return p;
}

static void *heap_alloc(loam_process_heap heap, size_t size, size_t align, bool zero,
                        const void *caller)
{
    heap_stay stay;
    heap_record *h = heap_enter(heap, &stay, caller);
    return h != NULL ? heap_take(&stay, size, align, zero, caller) : NULL;
}

PRELOAD_EXPORT void *loam_process_heap_alloc(loam_process_heap heap, size_t size)
{
    const void *caller = __builtin_return_address(0);
    heap_stay stay;
    heap_record *h = heap_enter(heap, &stay, caller);
    void *p;
    if (h == NULL)
        return NULL;
    if (LOAM_UNLIKELY(size - 1 >= KMALLOC_TABLE || process_is_watched() ||
                      !kmalloc_take(h->kmalloc->small[(size - 1) / KMALLOC_STEP], &p)))
        return heap_take(&stay, size, PROCESS_ALIGN, false, caller);
    heap_leave(&stay);
    return p;
}

PRELOAD_EXPORT void *loam_process_heap_calloc(loam_process_heap heap, size_t n, size_t size)
{
    uint64_t bytes;
    if (loam_mul_overflows(n, size, &bytes) || bytes > PTRDIFF_MAX)
        return NULL;
    return heap_alloc(heap, (size_t)bytes, PROCESS_ALIGN, true, __builtin_return_address(0));
}

PRELOAD_EXPORT void *loam_process_heap_aligned(loam_process_heap heap, size_t size, size_t align)
{
    enum { MOST = 1 << 15 };
    if (!loam_is_pow2(align) || align > MOST)
        return NULL;
    return heap_alloc(heap, size, align, false, __builtin_return_address(0));
}

/* Bytes of the block at p, with the heap's lock held; 0: there is none, and the lock is given back
 * and the caller told. */
static size_t heap_block(heap_record *h, const heap_stay *stay, const void *p, bool freeing,
                         const void *caller)
{
    slab_place at;
    loam_slabs *s = h->kmalloc->slabs;
    slab_fault fault = loam_slab__find(s, p, h->kmalloc, NULL, &at);
    if (LOAM_LIKELY(fault == SLAB_FINE))
        return loam_slab__usable(&at);
    heap_leave(stay);
    (void)loam_slab__refuse(s, p, fault, &at, freeing, caller);
    return 0;
}

static loam_err heap_free(loam_process_heap heap, void *p, const void *caller)
{
    heap_stay stay;
    heap_record *h = p == NULL ? NULL : heap_enter(heap, &stay, caller);
    if (h == NULL)
        return p == NULL ? LOAM_OK : LOAM_EINVAL;
    if (process_is_watched() || !kmalloc_put_any(h->kmalloc, p)) {
        heap_watch(&stay);
        size_t usable = heap_block(h, &stay, p, true, caller);
        if (usable == 0)
            return LOAM_EINVAL;
        if (process_is_watched())
            watch_gone(p, usable);
        (void)loam_kmalloc__free(h->kmalloc, p, caller);
        heap_leave_watched(&stay);
    } else {
        heap_leave(&stay);
    }
    return LOAM_OK;
}

PRELOAD_EXPORT loam_err loam_process_heap_free(loam_process_heap heap, void *p)
{
    return heap_free(heap, p, __builtin_return_address(0));
}

static size_t heap_size(loam_process_heap heap, const void *p, const void *caller)
{
    heap_stay stay;
    heap_record *h = heap_enter(heap, &stay, caller);
    if (h == NULL)
        return 0;
    size_t size = heap_block(h, &stay, p, false, caller);
    if (size != 0)
        heap_leave(&stay);
    return size == 0 || !process_is_watched() ? size : watch_shown(p, size);
}

PRELOAD_EXPORT size_t loam_process_heap_size(loam_process_heap heap, const void *p)
{
    return p == NULL ? 0 : heap_size(heap, p, __builtin_return_address(0));
}

/* In place or moved by kmalloc; NULL: no memory, or it was refused. */
static void *heap_resize(loam_process_heap heap, void *p, size_t size, const void *caller)
{
    heap_stay stay;
    heap_record *h = heap_enter(heap, &stay, caller);
    if (h == NULL || heap_block(h, &stay, p, false, caller) == 0)
        return NULL;
    void *q = loam_kmalloc__realloc(h->kmalloc, p, size, caller);
    heap_leave(&stay);
    return q;
}

/* Told as an allocation, a copy and a free. */
static void *heap_move(loam_process_heap heap, void *p, size_t size, const void *caller)
{
    size_t old = heap_size(heap, p, caller);
    void *q = old == 0 ? NULL : heap_alloc(heap, size, PROCESS_ALIGN, false, caller);
    if (q == NULL)
        return NULL;
    __builtin_memcpy(q, p, old < size ? old : size);
    (void)heap_free(heap, p, caller);
    return q;
}

PRELOAD_EXPORT void *loam_process_heap_realloc(loam_process_heap heap, void *p, size_t size)
{
    const void *caller = __builtin_return_address(0);
    if (p == NULL)
        return heap_alloc(heap, size, PROCESS_ALIGN, false, caller);
    if (size == 0) {
        (void)heap_free(heap, p, caller);
        return NULL;
    }
    return process_is_watched() ? heap_move(heap, p, size, caller)
                                : heap_resize(heap, p, size, caller);
}

/* ---- forks ---- */

void heaps_freeze(void)
{
    (void)loam_lock_acquire(&loam__heaps.lock);
    for (uint32_t i = 0; i < loam__heaps.records; i++)
        (void)loam_lock_acquire(&loam__heaps.record[i].lock);
}

void heaps_thaw(void)
{
    for (uint32_t i = 0; i < loam__heaps.records; i++)
        loam_lock_release(&loam__heaps.record[i].lock, loam_port_irq_save());
    loam_lock_release(&loam__heaps.lock, loam_port_irq_save());
}
