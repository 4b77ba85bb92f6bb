/* SPDX-License-Identifier: MIT */
/* preload_process.c - the layers of the core over the operating system's addresses.
 *
 * WHAT   One range of reserved addresses is the RAM of a zone; slabs and kmalloc stand on it as
 *        they do in a kernel. Memory is made ready at the range's end when the zone has none.
 *
 * MODEL        range 0                                              range 1, when that is full
 *        base                    ready                    len
 *         | frames of the zone     | no memory yet          |        | ...
 *         +--------+---------------+------------------------+
 *           slabs    large blocks    loam_pages_grow, loam_zone_add
 *
 *        The zone's own metadata is a mapping apart, and the slabs' own things have a zone and
 *        addresses apart: no block lies beside either. Physical addresses are virtual ones.
 *
 *        The zone asks process_grow, its shrinker, before it answers "no memory": so growing is
 *        the slow end of an allocation, in whichever thread it comes.
 * LOCKS  process.lock: the start and further ranges. A range's lock: its growth. Both are taken
 *        with no lock of the core held.
 * COST   A system call for 2 MiB and more at a time.
 * FROM   -
 * NOT    Giving addresses back: a range stays reserved as long as the process lives.
 */
#define _DEFAULT_SOURCE
#include "../../core/kmalloc_impl.h"
#include "watch.h"

#include <errno.h>
#include <sys/mman.h>

#define MIB ((size_t)1 << 20)

process loam__process = {.lock = LOAM_LOCK_INIT};

enum {
    GROW_SHARE = 8,  /* a range grows by a part of what it has */
    GROW_ENOUGH = 8, /* so many blocks as are wanted, free after another grew it */
    KEEP_ALONE = 8   /* threads as few as one keep so many times as much each */
};
#define GROW_MOST   (32 * MIB)
#define RANGE_LEAST (8 * MIB)
#define RANGE_SMALL (512 * MIB)
#define RANGE_NEAR  (512 * MIB) /* no growth, and no few at once, is so much */

/* ---- pages that are read only ---- */

/* Where the system's pages are larger than these, others lie beside them: they stay as they are. */
static void process_rights(void *va, size_t len, int rights)
{
    if ((((uintptr_t)va | len) & (loam_pages_page() - 1)) == 0)
        (void)mprotect(va, len, rights);
}

static void process_seal(void *va, size_t len)
{
    process_rights(va, len, PROT_READ);
}

static void process_open(void *va, size_t len)
{
    process_rights(va, len, PROT_READ | PROT_WRITE);
}

/* ---- growth ---- */

/* How many bytes more make a block of this order possible: blocks lie at multiples of their size.
 */
static size_t range_missing(const loam_pages *pages, unsigned order)
{
    uint64_t end = (uintptr_t)pages->base + pages->ready, size = (uint64_t)LOAM_PAGE_SIZE << order;
    return (size_t)(loam_align_up(end, size) + size - end);
}

/* Bytes of a zone's addresses that its users can have. */
static size_t range_reach(const process_range *r, const loam_zone *zone)
{
    return zone != r->zone || r->slabs == NULL
               ? SIZE_MAX
               : loam_slabs_reach(r->slabs) - (uintptr_t)r->pages.base;
}

static loam_err range_ready(process_range *r, loam_pages *pages, loam_zone *zone, size_t bytes)
{
    size_t before = pages->ready, step = (size_t)loam_align_up(bytes, LOAM_PAGES_STEP);
    if (range_reach(r, zone) < before + step || !limit_change(0, step))
        return LOAM_ENOMEM;
    loam_err err = loam_pages_grow(pages, bytes);
    if (err != LOAM_OK) {
        (void)limit_change(step, 0);
        return err;
    }
    loam_pfn first = loam_pa_to_pfn(loam_pa_of((uintptr_t)pages->base + before));
    return loam_zone_add(zone, first, (pages->ready - before) >> LOAM_PAGE_SHIFT);
}

/* Lock held: a range grows, by a part of what it has if it can. */
static loam_err range_grow(process_range *r, loam_zone *zone, unsigned order)
{
    loam_pages *pages = zone == r->own ? &r->own_pages : &r->pages;
    size_t least = range_missing(pages, order), more = pages->ready / GROW_SHARE;
    more = more > GROW_MOST ? GROW_MOST : more;
    more = more < least ? least : more;
    bool some = zone == r->zone && loam_atomic_peek(&r->closed) != 0; /* no order: the lock's */
    bool opened = some && promise_open(r, order);
    loam_err err = opened ? LOAM_OK : range_ready(r, pages, zone, more);
    if (err != LOAM_OK && more > least)
        err = range_ready(r, pages, zone, least);
    if (err == LOAM_OK)
        (void)loam_atomic_add(&r->grown, 1); /* pairs with the load in process_grow */
    return err;
}

/* Before the range is ready to where its blocks may lie. */
static void process_extend(process_range *r)
{
    process *self = &loam__process;
    if (loam_slabs_reach(r->slabs) - (uintptr_t)r->pages.base >= loam_pages_len(&r->pages))
        return;
    loam_irq irq = loam_lock_acquire(&self->lock);
    loam_slabs_extend(r->slabs);
    if (self->len != 0 && r == &self->range[0]) {
        process_open(self, LOAM_PAGE_SIZE);
        self->len = slab_len(r->slabs);
        process_seal(self, LOAM_PAGE_SIZE);
    }
    loam_lock_release(&self->lock, irq);
}

/* Does what the slabs keep make the block, or much of it? Then it goes before the range grows. */
static bool process_unkeep(process_range *r, unsigned order)
{
    uint64_t frames = 0, blocks;
    if (r->slabs != NULL)
        loam_slab__kept_sums(r->slabs, &frames, &blocks);
    return frames >> order != 0 && loam_slab__kept_drop(r->slabs, true);
}

/* A zone's shrinker: more memory at the end of its range; else what the slabs can spare. */
static bool process_grow(void *ctx, loam_zone *zone, unsigned order)
{
    process_range *r = ctx;
    loam_pages *pages = zone == r->own ? &r->own_pages : &r->pages;
    if (zone == r->zone && process_unkeep(r, order))
        return true;
    if (order >= LOAM_ZONE_MAX_ORDER || ((uint64_t)LOAM_PAGE_SIZE << order) > loam_pages_len(pages))
        return false;
    uint32_t seen = loam_atomic_load(&r->grown); /* pairs with the add in range_grow */
    loam_irq irq = loam_lock_acquire(&r->lock);
    /* Who waited while another made enough for both need not. no order: the lock */
    bool enough =
        loam_atomic_peek(&r->grown) != seen && loam_zone_free_pages(zone) >> order >= GROW_ENOUGH;
    loam_err err = enough ? LOAM_OK : range_grow(r, zone, order);
    bool near = range_reach(r, zone) - pages->ready < RANGE_NEAR && zone == r->zone;
    loam_lock_release(&r->lock, irq);
    if (near)
        process_extend(r);
    if (err == LOAM_OK)
        return true;
    uint64_t before = loam_zone_free_pages(zone);
    if (r->slabs != NULL)
        loam_slabs_shrink(r->slabs);
    return loam_zone_free_pages(zone) > before;
}

/* ---- ranges ---- */

/* Is the first range for the paths that ask nothing? */
static bool process_has_paths(const process *self)
{
    return !process_is_watched() && (self->slabs.modes == 0 || self->range[0].slabs->swift);
}

static const hard_calls *process_calls(void)
{
    const hard_calls *wide = hard_wide();
    return wide != NULL ? wide : &hard_narrow;
}

/* What they read behind the pointer that is stored last. */
static void process_set_window(process *self)
{
    const loam_slabs *slabs = self->range[0].slabs;
    if (slabs->swift || !process_has_paths(self))
        return;
    self->plain = self->range[0].slabs;
    self->base = slabs->base;
    self->len = slab_len(slabs);
}

/* Lock held. The process's first page changes. */
static void process_set_ranges(process *self, uint32_t ranges)
{
    const process_range *first = &self->range[0];
    if (ranges == 1)
        process_set_window(self);
    else /* sealed by now */
        process_open(self, LOAM_PAGE_SIZE);
    loam_atomic_store(&self->ranges, ranges); /* pairs with the load in process_range_of */
    if (process_has_paths(self))              /* pairs with process_kmalloc, process_swift */
        loam_atomic_ptr_store((void **)(first->slabs->swift ? &self->swift : &self->kmalloc),
                              first->kmalloc);
    if (self->swift != NULL) /* pairs with process_hard */
        loam_atomic_ptr_store((void **)(uintptr_t)&self->hard, (void *)(uintptr_t)process_calls());
    process_seal(self, LOAM_PAGE_SIZE);
    process_seal(&loam__conf, sizeof(loam__conf));
}

/* Memory that pages which nobody can touch lie around; NULL: none. Of its pages few are used: large
 * ones, of a system that has them for all memory, would be megabytes of a small process. */
static void *range_map_apart(size_t len, size_t page)
{
    char *map = len > SIZE_MAX - 2 * page
                    ? MAP_FAILED
                    : mmap(NULL, len + 2 * page, PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    int before = errno;
    if (len >= LOAM_PAGES_STEP && madvise(map + page, len, MADV_NOHUGEPAGE) != 0)
        errno = before; /* there are none */
    if (mprotect(map + page, len, PROT_READ | PROT_WRITE) == 0)
        return map + page;
    munmap(map, len + 2 * page);
    return NULL;
}

static loam_zone *range_make_zone(process_range *r, const loam_pages *pages)
{
    loam_zone_config config;
    loam_span ram = {(uintptr_t)pages->base, pages->len};
    size_t page = loam_pages_page();
    loam_zone_config_init(&config);
    config.name = "process";
    config.ncpus = PROCESS_CPUS_FEW;
    config.lowest = true;
    config.area_shift = 21; /* each area is a page or so, written at the start */
    config.fronts = false;  /* for single frames, which blocks here seldom are */
    config.linear = (loam_linear){ram.base, ram.len, pages->base};
    config.shrink = process_grow;
    config.shrink_ctx = r;
    uint64_t need = loam_align_up(loam_zone_measure(&ram, 1, &config), page);
    char *meta = need == 0 || need > PTRDIFF_MAX ? NULL : range_map_apart((size_t)need, page);
    if (meta == NULL)
        return NULL;
    loam_zone *zone = loam_zone_init(meta, need, true, &ram, 1, &config);
    if (zone == NULL)
        munmap(meta - page, (size_t)need + 2 * page);
    return zone;
}

/* Addresses for what is the slabs' own: with records of all blocks that is much; else a fiftieth
 * for the smallest blocks, and fronts: half a megabyte at most without modes. A range is small
 * where addresses are few. */
static size_t range_own(const process_range *r)
{
    size_t len = r->pages.len;
    if (loam__process.slabs.modes == 0 && len < RANGE_SMALL)
        return len / 32 + MIB / 2;
    return len / ((loam__process.slabs.modes & LOAM_SLAB_OWNER) != 0 ? 2 : 8);
}

/* Without any they lie between the blocks. */
static void range_make_own(process_range *r)
{
    size_t want = range_own(r);
    r->own = NULL;
    if (loam_pages_reserve(&r->own_pages, want, want, LOAM_PAGES_SMALL) != LOAM_OK)
        return;
    r->own = range_make_zone(r, &r->own_pages);
    if (r->own == NULL)
        loam_pages_release(&r->own_pages);
}

/* Reserves addresses, down to 8 MiB or what a block needs, and builds the layers over them. */
static bool range_make(process_range *r, size_t want, size_t least)
{
    r->lock = (loam_lock)LOAM_LOCK_INIT;
    r->zone = NULL;
    r->slabs = NULL;
    loam_pages_large large = loam__conf.huge_pages ? LOAM_PAGES_LARGE : LOAM_PAGES_LATER;
    for (;; want /= 2) {
        if (want < least || loam_pages_reserve(&r->pages, want, least, large) != LOAM_OK)
            return false;
        r->zone = range_make_zone(r, &r->pages);
        if (r->zone != NULL)
            break;
        loam_pages_release(&r->pages); /* no room for the metadata: a smaller range */
    }
    range_make_own(r);
    loam_slab_config slabs = loam__process.slabs;
    slabs.ncpus = r->pages.len < RANGE_SMALL ? PROCESS_CPUS_FEW : PROCESS_CPUS;
    slabs.meta = r->own;
    slabs.seal = process_seal;
    slabs.fresh = true;
    slabs.part = true;
    slabs.carry = slabs.modes == 0 ? process_carry : NULL; /* zero would clear what came along */
    slabs.bring = slabs.modes == 0 ? process_bring : NULL; /* modes know what was where */
    slabs.spare = process_spare;
    slabs.tight = process_tight;
    r->slabs = loam_slabs_init(r->zone, &slabs);
    r->kmalloc = r->slabs != NULL ? loam_kmalloc_init(r->slabs) : NULL;
    return r->kmalloc != NULL;
}

/* A range's own addresses are the part of it that a new one of that length would have. */
static bool range_cut(process_range *r, size_t len)
{
    loam_irq irq = loam_lock_acquire(&r->lock);
    size_t before = r->pages.len;
    loam_pages_cut(&r->pages, len);
    if (r->own != NULL)
        loam_pages_cut(&r->own_pages, range_own(r));
    bool less = r->pages.len < before;
    loam_lock_release(&r->lock, irq);
    return less;
}

bool process_cut(size_t limit)
{
    /* pairs with the store in process_set_ranges */
    uint32_t n = loam_atomic_load(&loam__process.ranges);
    bool less = false;
    for (uint32_t i = 0; i < n; i++)
        less = range_cut(&loam__process.range[i], limit / 4) || less;
    return less;
}

bool process_cut_now(void)
{
    size_t allowed = loam_pages_allowed();
    return allowed != SIZE_MAX && process_cut(allowed);
}

void process_refuse_large(void)
{
    /* pairs with the store in process_set_ranges */
    uint32_t n = loam_atomic_load(&loam__process.ranges);
    for (uint32_t i = 0; i < n; i++) {
        process_range *r = &loam__process.range[i];
        loam_irq irq = loam_lock_acquire(&r->lock);
        loam_pages_refuse_large(&r->pages);
        loam_lock_release(&r->lock, irq);
    }
}

process_range *process_range_of(const void *p)
{
    /* pairs with the store in process_set_ranges */
    uint32_t n = loam_atomic_load(&loam__process.ranges);
    for (uint32_t i = 0; i < n; i++) {
        process_range *r = &loam__process.range[i];
        if ((uintptr_t)p - (uintptr_t)r->pages.base < loam_pages_len(&r->pages))
            return r;
    }
    return NULL;
}

/* Lock held. Once, however often the start is tried: files are opened, and words are said. */
static LOAM_NOINLINE void configure(void)
{
    static bool configured;
    process *self = &loam__process;
    if (configured)
        return;
    configured = true;
    int cancel = thread_hold();
    loam_slab_config_init(&self->slabs);
    self->slabs.shift = 16;
    self->slabs.lazy = true; /* most programs have few threads, and short lives */
    self->slabs.keep_large = 4 * MIB;
    self->slabs.stacks = true;
    self->slabs.rest = threads_prepare();
    conf_read();
    self->slabs.keep_total = KEEP_ALONE * self->slabs.keep_large;
    if (self->slabs.modes != 0 || loam__conf.guard_pages)
        LOAM_PORT_WIDE_START();
    atend_prepare();
    watch_prepare();
    thread_let(cancel);
}

void process_configure(void)
{
    loam_irq irq = loam_lock_acquire(&loam__process.lock);
    configure();
    loam_lock_release(&loam__process.lock, irq);
}

bool process_start(void)
{
    process *self = &loam__process;
    loam_irq irq = loam_lock_acquire(&self->lock);
    bool started = self->ranges != 0;
    if (!started) {
        configure();
        started = range_make(&self->range[0], loam__conf.range, RANGE_LEAST);
    }
    if (started && self->ranges == 0)
        process_set_ranges(self, 1);
    loam_lock_release(&self->lock, irq);
    return started;
}

/* Are there addresses left for a block of this order, and for what the slabs note of it? Then it
 * was memory that the system refused. */
static bool range_has_room(process_range *r, unsigned order)
{
    loam_irq irq = loam_lock_acquire(&r->lock);
    bool room = (range_missing(&r->pages, order) <= r->pages.len - r->pages.ready ||
                 promise_has(r, order)) &&
                (r->own == NULL || r->own_pages.ready < r->own_pages.len);
    loam_lock_release(&r->lock, irq);
    return room;
}

/* One range more, unless another thread made one since the caller counted them, or the last one is
 * not full: a program that goes on asking without memory is not to use up its addresses. */
static bool process_more(uint32_t counted, size_t size)
{
    process *self = &loam__process;
    /* with its magic; one that lies at a multiple of its size is inside, wherever this is */
    unsigned log = loam_log2_ceil(size + LOAM_PAGE_SIZE);
    loam_irq irq = loam_lock_acquire(&self->lock);
    bool more = self->ranges > counted;
    if (!more && counted < PROCESS_RANGES &&
        !range_has_room(&self->range[counted - 1], log - LOAM_PAGE_SHIFT)) {
        size_t block = (size_t)1 << log;
        size_t least = block > RANGE_LEAST / 2 ? 2 * block : RANGE_LEAST;
        size_t want = loam__conf.range > least ? loam__conf.range : least;
        more = range_make(&self->range[counted], want, least);
        if (more)
            process_set_ranges(self, counted + 1);
    }
    loam_lock_release(&self->lock, irq);
    return more;
}

/* ---- blocks ---- */

typedef struct wish {
    size_t size, align;
    bool zero;
    const void *caller;
} wish;

/* [thread] The range to begin with for so many more blocks: one that is full says no only after it
 * has asked everybody for what can be spared. */
static _Thread_local struct {
    uint32_t range, more;
} lately __attribute__((tls_model("initial-exec")));

enum { LATELY = 256, RANGES_HALF = 2 /* a quarter of RLIMIT_AS each */ };
#define LAST_RESORT ((size_t)(32 << 10) + 1) /* blocks from here on may be mapped alone */

static void *range_alloc(process_range *r, const wish *w)
{
    loam_kmalloc *k = r->kmalloc;
    if (w->align > PROCESS_ALIGN)
        return loam_kmalloc__aligned(k, w->size, w->align, w->caller);
    return w->zero ? loam_kmalloc__zeroed(k, w->size, w->caller)
                   : loam_kmalloc__general(k, w->size, w->caller);
}

/* Out of ranges [from, to); `first` was the first one asked. */
static void *ranges_alloc(uint32_t from, uint32_t to, uint32_t first, const wish *w)
{
    for (uint32_t i = from; i < to; i++) {
        void *p = range_alloc(&loam__process.range[i], w);
        if (p == NULL)
            continue;
        if (i != first) {
            lately.range = i;
            lately.more = LATELY;
        }
        return p;
    }
    return NULL;
}

bool process_is_narrow(void)
{
    size_t len = loam_pages_len(&loam__process.range[0].pages);
    return len < loam__conf.range && len < RANGE_SMALL;
}

/* Where addresses are few, and ranges have half of them, a further one is none for large blocks:
 * each would take up to twice its bytes there. n: ranges that there are. */
static bool ranges_are_enough(uint32_t n)
{
    return n >= RANGES_HALF && process_is_narrow();
}

static void *every_range(const wish *w)
{
    uint32_t n = loam_atomic_load(&loam__process.ranges);
    uint32_t first = lately.more != 0 ? lately.range : 0;
    lately.more -= lately.more != 0;
    void *p = ranges_alloc(first, n, first, w);
    if (p == NULL)
        p = ranges_alloc(0, first, first, w);
    if (p == NULL && w->size >= LAST_RESORT && ranges_are_enough(n))
        p = huge_alloc(w->size, w->align);
    if (p == NULL && process_more(n, w->size > w->align ? w->size : w->align))
        p = ranges_alloc(n, loam_atomic_load(&loam__process.ranges), first, w);
    return p; /* a range made for it has no memory either: NULL */
}

void *process_alloc(size_t size, size_t align, bool zero, const void *caller)
{
    if (loam_atomic_load(&loam__process.ranges) == 0 && !process_start())
        return NULL;
    if (!thread_has_begun())
        thread_begin(PROCESS_NOBODY);
    return process_is_watched() ? watch_alloc(size, align, zero, caller)
                                : process_take(size, align, zero, caller);
}

void *process_take(size_t size, size_t align, bool zero, const void *caller)
{
    if (size > PROCESS_MOST || align > PROCESS_MOST)
        return NULL;
    bool must = size >= PROCESS_HUGE || align >= PROCESS_HUGE;
    void *alone = must || size >= process_huge_from() ? huge_alloc(size, align) : NULL;
    if (alone == NULL && must && (process_cut_now() || promise_close_all()))
        alone = huge_alloc(size, align);
    if (alone != NULL || must)
        return alone;
    void *p = every_range(&(wish){size, align, zero, caller});
    if (p == NULL && huge_drop_kept(true))
        p = every_range(&(wish){size, align, zero, caller});
    /* addresses that are too few for a range are enough for a block */
    return p != NULL || size < LAST_RESORT ? p : huge_alloc(size, align);
}
