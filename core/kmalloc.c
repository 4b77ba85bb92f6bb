/* SPDX-License-Identifier: MIT */
/* kmalloc.c - memory of any size.
 *
 * WHAT   Chooses the class for a size; what no class holds comes in whole frames, from the vmap
 *        (kmalloc_vmap.c) or, without one, in a row from the zone (slab_large.c).
 *
 * MODEL  16-byte steps to 128, then four classes a doubling, up to half a slab and 32 KiB:
 *
 *            16 32 48 ... 128 | 160 192 224 256 | 320 384 448 512 | ... | 32768      large
 *            step 16            step 32           step 64                            frames
 *
 *        A block so wastes at most a fifth above 128 bytes. Sizes to 1024 find their class in a
 *        table, larger ones by their highest bit. One class more, of 4608 bytes, is for a page and
 *        its header, which many programs keep by the thousand: with 5120 their headers would meet
 *        in a sixteenth of a cache's sets.
 *
 * RULES  K1  the table of small sizes names the first class that holds them
 *        K2  classes ascend, are caches of this layer, and belong to this kmalloc
 *        K3  a large block's descriptor leads to its frames, which are the layer's and hold it
 *        K4  the list of large blocks has exactly those that the descriptors show
 *        K5  the vmap, when there is one, is sound, and serves this kmalloc (kmalloc_vmap.c)
 *        loam_kmalloc_check() tests leaves, K3, K4 first, then the slab unit's rules, K2, K1, K5.
 * LOCKS  As slab.c.
 * COST   alloc, free: slab.c. realloc: in place while the block stays more than half used, or has
 *        room to grow; where large blocks are kept, one that grows has a quarter to spare.
 *        each, stat: O(window / slab + slots).
 * FROM   Four classes a doubling: jemalloc.
 * NOT    Pools.
 */
#include "kmalloc_impl.h"

/* ---- classes ---- */

static size_t kmalloc_class_size(unsigned i)
{
    if (i < 8)
        return (size_t)(i + 1) * KMALLOC_STEP;
    if (i == KMALLOC_PAGED_CLASS)
        return KMALLOC_PAGED;
    i -= i > KMALLOC_PAGED_CLASS;
    return (size_t)(5 + (i & 3)) << (5 + ((i - 8) >> 2));
}

/* No pointers: a library would have to write each of them at its start. */
static const char *kmalloc_class_name(unsigned i)
{
    static const char name[KMALLOC_CLASSES][sizeof("kmalloc-32768")] = {
        "kmalloc-16",    "kmalloc-32",    "kmalloc-48",    "kmalloc-64",    "kmalloc-80",
        "kmalloc-96",    "kmalloc-112",   "kmalloc-128",   "kmalloc-160",   "kmalloc-192",
        "kmalloc-224",   "kmalloc-256",   "kmalloc-320",   "kmalloc-384",   "kmalloc-448",
        "kmalloc-512",   "kmalloc-640",   "kmalloc-768",   "kmalloc-896",   "kmalloc-1024",
        "kmalloc-1280",  "kmalloc-1536",  "kmalloc-1792",  "kmalloc-2048",  "kmalloc-2560",
        "kmalloc-3072",  "kmalloc-3584",  "kmalloc-4096",  "kmalloc-4608",  "kmalloc-5120",
        "kmalloc-6144",  "kmalloc-7168",  "kmalloc-8192",  "kmalloc-10240", "kmalloc-12288",
        "kmalloc-14336", "kmalloc-16384", "kmalloc-20480", "kmalloc-24576", "kmalloc-28672",
        "kmalloc-32768",
    };
    return name[i];
}

/* A class is made while at least two of its slots, magic included, fit a slab. */
static bool kmalloc_class_fits(const loam_slabs *s, unsigned i)
{
    size_t lead;
    return i < KMALLOC_CLASSES &&
           loam_slab__stride(s, kmalloc_class_size(i), KMALLOC_STEP, &lead) <= (s->mask + 1) / 2;
}

static bool kmalloc_make_classes(loam_kmalloc *k)
{
    while (kmalloc_class_fits(k->slabs, k->classes)) {
        unsigned i = k->classes;
        k->max = kmalloc_class_size(i);
        k->cache[i] = loam_slab__cache_create(k->slabs, kmalloc_class_name(i), k->max, KMALLOC_STEP,
                                              k, NULL, NULL);
        if (k->cache[i] == NULL)
            return false;
        if (i == KMALLOC_PAGED_CLASS)
            loam_slab__set_shades(k->cache[i], SLAB_LINE);
        k->classes++;
    }
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(k->small); i++)
        k->small[i] = k->cache[kmalloc_class((size_t)(i + 1) * KMALLOC_STEP)];
    return true;
}

/* What is to be sealed has a page of its own. */
static size_t kmalloc_bytes(const loam_slabs *s)
{
    return s->seal != NULL ? LOAM_PAGE_SIZE : sizeof(loam_kmalloc);
}

static void kmalloc_drop(loam_kmalloc *k)
{
    loam_slabs *s = k->slabs;
    for (unsigned i = k->classes; i-- > 0;) {
        k->cache[i]->owner = NULL;
        loam_cache_destroy(k->cache[i]);
    }
    loam_slab__meta_free(s, k, kmalloc_bytes(s));
    loam_slab__meta_trim(s);
}

loam_kmalloc *loam_kmalloc_init(loam_slabs *slabs)
{
    loam_kmalloc *k = loam_slab__meta_alloc(slabs, kmalloc_bytes(slabs));
    if (k == NULL)
        return NULL;
    __builtin_memset(k, 0, sizeof(*k));
    k->slabs = slabs;
    if (!kmalloc_make_classes(k)) {
        kmalloc_drop(k);
        return NULL;
    }
    if (slabs->seal != NULL)
        slabs->seal(k, LOAM_PAGE_SIZE);
    return k;
}

/* ---- alloc ---- */

LOAM_NOINLINE void *loam_kmalloc__general(loam_kmalloc *k, size_t size, const void *site)
{
    void *p;
    if (size == 0)
        return NULL;
    if (size > k->max) {
        p = loam_kmalloc__map(k, size, site);
        return p != NULL ? p : loam_slab__large_alloc(k->slabs, k, size, KMALLOC_STEP, site);
    }
    loam_cache *c = k->cache[kmalloc_class(size)];
    return kmalloc_take(c, &p) ? p : loam_slab__alloc(c, size, 0, site);
}

void *loam_kmalloc_alloc(loam_kmalloc *k, size_t size)
{
    void *p;
    if (LOAM_LIKELY(size - 1 < KMALLOC_TABLE) &&
        LOAM_LIKELY(kmalloc_take(k->small[(size - 1) / KMALLOC_STEP], &p)))
        return p;
    return loam_kmalloc__general(k, size, __builtin_return_address(0));
}

void *loam_kmalloc__zeroed(loam_kmalloc *k, size_t size, const void *site)
{
    if (size > k->max && k->vmap == NULL)
        return loam_slab__large_zeroed(k->slabs, k, size, KMALLOC_STEP, site);
    void *p = loam_kmalloc__general(k, size, site);
    return p != NULL ? __builtin_memset(p, 0, size) : NULL;
}

void *loam_kmalloc_calloc(loam_kmalloc *k, size_t n, size_t size)
{
    uint64_t bytes;
    if (loam_mul_overflows(n, size, &bytes) || bytes > PTRDIFF_MAX)
        return NULL;
    return loam_kmalloc__zeroed(k, (size_t)bytes, __builtin_return_address(0));
}

/* With magic in front no slot starts aligned: the block moves inside a larger slot. */
static loam_cache *kmalloc_aligned_guarded(const loam_kmalloc *k, size_t size, size_t align)
{
    size_t room = kmalloc_moved_size(size, align);
    if (room > k->max)
        return NULL;
    return k->cache[kmalloc_class(room)];
}

void *loam_kmalloc_aligned(loam_kmalloc *k, size_t size, size_t align)
{
    return loam_kmalloc__aligned(k, size, align, __builtin_return_address(0));
}

void *loam_kmalloc__aligned(loam_kmalloc *k, size_t size, size_t align, const void *site)
{
    loam_slabs *s = k->slabs;
    if (size == 0 || !loam_is_pow2(align) || (s->align_max != 0 && align > s->align_max))
        return NULL;
    if (align <= KMALLOC_STEP)
        return loam_kmalloc__general(k, size, site);
    loam_cache *c = (s->modes & LOAM_SLAB_GUARD) != 0 ? kmalloc_aligned_guarded(k, size, align)
                                                      : kmalloc_aligned_class(k, size, align);
    return c != NULL ? loam_slab__alloc(c, size, align, site)
                     : loam_slab__large_alloc(s, k, size, align, site);
}

/* ---- free, size ---- */

static LOAM_NOINLINE loam_err kmalloc_free_far(loam_kmalloc *k, void *p, const slab_desc *far,
                                               const void *caller)
{
    return kmalloc_put_far(k, p, far) ? LOAM_OK : loam_kmalloc__free(k, p, caller);
}

loam_err loam_kmalloc_free(loam_kmalloc *k, void *p)
{
    slab_desc *d;
    uint64_t *word;
    loam_irq irq;
    slab_put put = kmalloc_put(k, p, &d, &word, &irq);
    if (LOAM_UNLIKELY(put == SLAB_PUT_SETTLE))
        return loam_slab__settle(d, word, irq);
    if (LOAM_LIKELY(put == SLAB_PUT))
        return LOAM_OK;
    return kmalloc_free_far(k, p, d, __builtin_return_address(0));
}

loam_err loam_kmalloc__free(loam_kmalloc *k, void *p, const void *caller)
{
    if (kmalloc_is_mapped(k, p))
        return loam_kmalloc__unmap(k, p, caller);
    return loam_slab__free(k->slabs, p, k, NULL, caller);
}

size_t loam_kmalloc__size(loam_kmalloc *k, const void *p, const void *caller)
{
    slab_place at;
    if (p == NULL)
        return 0;
    if (kmalloc_is_mapped(k, p))
        return loam_kmalloc__map_size(k, p, caller);
    slab_fault fault = loam_slab__find(k->slabs, p, k, NULL, &at);
    if (fault == SLAB_FINE)
        return loam_slab__usable(&at);
    loam_slab__refuse(k->slabs, p, fault, &at, false, caller);
    return 0;
}

size_t loam_kmalloc_size(loam_kmalloc *k, const void *p)
{
    return loam_kmalloc__size(k, p, __builtin_return_address(0));
}

/* ---- realloc ---- */

/* What the block's slot or frames could hold from its first byte on. */
static size_t kmalloc_room(const loam_slabs *s, const slab_place *at)
{
    const slab_desc *d = at->desc;
    if (d->kind == SLAB_LARGE)
        return loam_slab__large_room(s, d);
    const loam_cache *c = slab_cache_of(d);
    unsigned char *end = slab_slot_base(d, at->slot) + c->stride;
    return slab_has_seals(s) ? (size_t)(end - loam_slab__block(d, at->slot).at) : c->stride;
}

void *loam_kmalloc__move(loam_kmalloc *k, void *p, size_t old, size_t size, const void *site)
{
    void *q = loam_kmalloc__general(k, size, site);
    if (q == NULL)
        return NULL;
    __builtin_memcpy(q, p, old < size ? old : size);
    loam_kmalloc__free(k, p, site);
    return q;
}

static void *kmalloc_move_to(loam_kmalloc *k, void *p, const slab_place *from, size_t size,
                             const void *site)
{
    if (size > k->max && loam_slab__large_carries(k->slabs, from->desc, size))
        return loam_slab__large_grow(k->slabs, from->desc, size, site);
    return loam_kmalloc__move(k, p, loam_slab__usable(from), size, site);
}

/* Where freed large blocks are kept, or would be but for the modes, frames may be spared for a
 * while: a large block that grows once grows again, and gets a quarter more, so that all its moves
 * copy five times its bytes at most. */
static void *kmalloc_move_on(loam_kmalloc *k, void *p, const slab_place *from, size_t size,
                             const void *site)
{
    size_t old = loam_slab__usable(from);
    loam_slabs *s = k->slabs;
    slab_place at;
    bool spare = s->spares && size > old && size - old < old / 4 && size > k->max;
    void *q = spare ? kmalloc_move_to(k, p, from, size + size / 4, site) : NULL;
    if (q == NULL)
        return kmalloc_move_to(k, p, from, size, site);
    if (loam_slab__find(s, q, k, NULL, &at) == SLAB_FINE)
        loam_slab__redress(s, &at, size, site);
    return q;
}

void *loam_kmalloc__realloc(loam_kmalloc *k, void *p, size_t size, const void *site)
{
    loam_slabs *s = k->slabs;
    slab_place at;
    if (p == NULL)
        return loam_kmalloc__general(k, size, site);
    if (kmalloc_is_mapped(k, p))
        return loam_kmalloc__remap(k, p, size, site);
    slab_fault fault = loam_slab__find(s, p, k, NULL, &at);
    if (fault != SLAB_FINE) {
        loam_slab__refuse(s, p, fault, &at, size == 0, site);
        return NULL;
    }
    const char *damage = loam_slab__guard_fault(&at, s);
    if (damage != NULL)
        loam_slab__damage("S9 the bytes around a block hold their magic", damage, &at);
    if (size == 0) {
        loam_slab__free(s, p, k, NULL, site);
        return NULL;
    }
    size_t room = kmalloc_room(s, &at), old = loam_slab__usable(&at);
    if (at.desc->kind == SLAB_LARGE && size > k->max && (size > room || size <= room / 2) &&
        loam_slab__large_resize(s, at.desc, size))
        room = kmalloc_room(s, &at);
    void *q = kmalloc_stays(room, old, size) ? NULL : kmalloc_move_on(k, p, &at, size, site);
    if (q != NULL || size > room)
        return q;
    loam_slab__redress(s, &at, size, site); /* stays: a block can always become smaller */
    return p;
}

void *loam_kmalloc_realloc(loam_kmalloc *k, void *p, size_t size)
{
    return loam_kmalloc__realloc(k, p, size, __builtin_return_address(0));
}

void loam_kmalloc__empty(loam_kmalloc *k, const void *p, const void *site)
{
    slab_place at;
    if (slab_has_seals(k->slabs) && loam_slab__find(k->slabs, p, k, NULL, &at) == SLAB_FINE &&
        at.desc->kind == SLAB_SLOTS)
        loam_slab__redress(k->slabs, &at, 0, site);
}

/* ---- views ---- */

static bool kmalloc_each_in(slab_desc *d, loam_kmalloc_fn *fn, void *ctx)
{
    const loam_cache *c = slab_cache_of(d);
    const loam_slabs *s = c->slabs;
    bool more = true;
    for (unsigned i = 0; i < c->slots && more; i++) {
        const slab_info *info = slab_info_of(d, i);
        slab_block b = loam_slab__block(d, i);
        if (!slab_slot_is_free(d, i) && !slab_slot_waits(d, i) && !loam_slab__is_told(s, d, i) &&
            b.out)
            more = fn(ctx, b.at, b.size, c->name, info != NULL ? info->site : NULL);
    }
    return more;
}

void loam_kmalloc_each(loam_kmalloc *k, loam_kmalloc_fn *fn, void *ctx)
{
    slab_visit v = {0};
    while (loam_slab__visit(k->slabs, &v)) {
        bool more = true;
        if (v.slab != NULL && slab_cache_of(v.slab)->owner == k)
            more = kmalloc_each_in(v.slab, fn, ctx);
        else if (v.slab == NULL && v.owner == k && v.block != NULL)
            more = fn(ctx, v.block, v.size, "large", v.site);
        if (!more) {
            loam_slab__visit_end(k->slabs, &v);
            return;
        }
    }
    loam_kmalloc__map_each(k, fn, ctx);
}

static void kmalloc_add_large(const loam_kmalloc *k, loam_kmalloc_stats *stats)
{
    loam_slabs *s = k->slabs;
    loam_irq irq = slab_lock(s);
    const loam_list *n = s->large.next;
    for (uint32_t left = s->large_count; left > 0 && n != &s->large; left--, n = n->next) {
        const slab_desc *d = LOAM_CONTAINER_OF(n, slab_desc, link);
        /* no order: a view */
        if (loam_atomic_ptr_peek(&d->owner) != k || !slab_large_is_out(d))
            continue;
        stats->large_blocks++;
        stats->large_bytes += slab_large_bytes(d);
    }
    stats->quarantined = loam_slab__quarantined(s);
    stats->refusals = s->refusals;
    stats->failures = s->failures;
    slab_unlock(s, irq);
}

void loam_kmalloc_stat(loam_kmalloc *k, loam_kmalloc_stats *stats)
{
    *stats = (loam_kmalloc_stats){0};
    for (unsigned i = 0; i < k->classes; i++) {
        loam_cache_stats c;
        loam_cache_stat(k->cache[i], &c);
        stats->slabs += c.slabs;
        stats->used_blocks += c.used;
        stats->used_bytes += c.used * c.size;
    }
    kmalloc_add_large(k, stats);
    loam_slab__kept_sums(k->slabs, &stats->kept_bytes, &stats->kept_blocks);
    stats->kept_bytes <<= LOAM_PAGE_SHIFT;
    loam_kmalloc__map_stat(k, stats);
    stats->used_blocks += stats->large_blocks;
    stats->used_bytes += stats->large_bytes;
}

void loam_kmalloc_shrink(loam_kmalloc *k)
{
    loam_slabs_shrink(k->slabs);
}

/* ---- check ---- */

static const char *kmalloc_check_classes(const loam_kmalloc *k)
{
    if (k->classes == 0 || k->classes > KMALLOC_CLASSES || kmalloc_class_fits(k->slabs, k->classes))
        return "K2 every class that fits a slab is there";
    for (unsigned i = 0; i < k->classes; i++) {
        const loam_cache *c = k->cache[i];
        if (!slab_holds(k->slabs, c) || c->slabs != k->slabs || c->owner != k ||
            c->size != kmalloc_class_size(i))
            return "K2 a class is a cache of its size that belongs to this kmalloc";
    }
    return k->max == kmalloc_class_size(k->classes - 1) ? NULL : "K2 max is the last class's size";
}

static const char *kmalloc_check_table(const loam_kmalloc *k)
{
    unsigned c = 0;
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(k->small); i++) {
        while (c < k->classes && k->cache[c]->size < (size_t)(i + 1) * KMALLOC_STEP)
            c++;
        if (c == k->classes || k->small[i] != k->cache[c])
            return "K1 the table names the first class that holds a size";
    }
    return NULL;
}

static const char *kmalloc_check_large(const loam_slabs *s)
{
    uintptr_t index = 0;
    uint32_t shown = 0, listed = 0;
    for (slab_desc *d = loam_slab__next(s, &index); d != NULL; d = loam_slab__next(s, &index)) {
        if (d->kind == SLAB_LARGE && !loam_slab__large_is_sound(s, d, index - 1))
            return "K3 a large block's descriptor leads to frames that hold it";
        shown += d->kind == SLAB_LARGE;
    }
    for (const loam_list *n = s->large.next; n != &s->large; n = n->next) {
        const slab_desc *d = LOAM_CONTAINER_OF(n, slab_desc, link);
        if (++listed > shown || !slab_holds(s, d) || d->kind != SLAB_LARGE)
            return "K4 the list of large blocks is whole";
    }
    return listed == shown && shown == s->large_count ? NULL
                                                      : "K4 the list of large blocks is whole";
}

const char *loam_kmalloc_check(loam_kmalloc *k)
{
    const char *bad = loam_slab__check_leaves(k->slabs);
    if (bad == NULL)
        bad = kmalloc_check_large(k->slabs);
    if (bad == NULL)
        bad = loam_slabs_check(k->slabs);
    if (bad == NULL)
        bad = kmalloc_check_classes(k);
    if (bad == NULL)
        bad = kmalloc_check_table(k);
    return bad != NULL ? bad : loam_kmalloc__map_check(k);
}
