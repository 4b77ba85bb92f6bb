/* SPDX-License-Identifier: MIT */
/* preload_malloc.c - malloc and its family over the process's ranges.
 *
 * WHAT   What the C and POSIX standards and glibc's headers promise, and no more.
 * MODEL  A small request goes straight to the front of its class, whose address the thread keeps
 *        from the first time it asked kmalloc on; all else is told apart in the slow functions:
 *        the process's start, a thread's first call, huge blocks, further ranges, errors.
 *
 *            thread_front   [16 | 32 | 48 | none | 80 | ... 1024 | 1280 | ... 32768]
 *                             '--> front --> current word      none: not asked yet
 * LOCKS  None of its own.
 * COST   A pair of 64 bytes has 70 instructions, four less than kmalloc's.
 * FROM   -
 * NOT    -
 */
#define _GNU_SOURCE
#include "hard_paths.h"
#include "watch.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

/* ---- allocation ---- */

/* Of classes beyond the table the thread keeps the stack of the front in its place. */
LOAM_INLINE bool fast_alloc(size_t size, void **p)
{
    if (LOAM_LIKELY(size - 1 < KMALLOC_TABLE))
        return LOAM_LIKELY(slab_take_from(thread_front[(size - 1) / KMALLOC_STEP], p));
    if (size - 1 >= KMALLOC_MAX)
        return false;
    slab_front *face = thread_front[FRONT_CLASSES + kmalloc_class(size)];
    return LOAM_LIKELY(slab_stack_take((slab_stack *)(void *)face, p));
}
_Static_assert((int)SLAB_STACK_FROM == (int)KMALLOC_TABLE,
               "their classes, and no others, have stacks");

/* A plain block of a class out of another word of the thread's front. */
LOAM_INLINE bool next_alloc(size_t size, void **p)
{
    const loam_kmalloc *k = loam__process.kmalloc;
    if (k == NULL || size - 1 >= k->max)
        return false;
    loam_cache *c = k->cache[kmalloc_class(size)];
    unsigned i = front_place(size);
    if (thread_front[i] == &thread_no_front && thread_has_begun()) {
        slab_front *own = slab_own_front(c, loam_port_cpu());
        if (own != NULL && c->stacked == (size > KMALLOC_TABLE)) {
            thread_front[i] = c->stacked ? (slab_front *)(void *)slab_stack_at(own) : own;
            if (fast_alloc(size, p)) /* who had the number before may have left it a slot */
                return true;
        }
    }
    return loam_slab__refill(c, p);
}

/* Where the modes are those of `hardened`. The thread keeps the faces of its fronts. */
LOAM_INLINE bool swift_alloc(size_t size, void **p)
{
    const loam_kmalloc *k = loam__process.swift;
    if (k == NULL || (*p = kmalloc_take_swift(k, size)) == NULL)
        return false;
    slab_front *f = slab_own_front(kmalloc_cache(k, size), loam_port_cpu());
    unsigned i = front_place(size);
    if (thread_front[i] == &thread_no_front && thread_has_begun() && f != NULL)
        thread_front[i] = swift_face(f);
    return true;
}

/* Every block has an address of its own, so it was one of a byte. */
static LOAM_NOINLINE void become_empty(const void *p, const void *caller)
{
    process_range *r = process_is_watched() ? NULL : process_range_of(p);
    if (r != NULL)
        loam_kmalloc__empty(r->kmalloc, p, caller);
}

static LOAM_NOINLINE void *slow_alloc(size_t size, size_t align, bool zero, const void *caller)
{
    void *p;
    if (align == PROCESS_ALIGN && swift_alloc(size, &p)) /* it reads 0 */
        return p;
    int before = errno;
    p = process_alloc(size == 0 ? 1 : size, align, zero, caller);
    if (size == 0 && p != NULL)
        become_empty(p, caller);
    if (p != NULL)
        process_tick(&loam__process.range[0]);
    errno = p != NULL ? before : ENOMEM;
    return p;
}

LOAM_NOINLINE void *general_alloc(size_t size, const void *caller)
{
    void *p;
    const loam_kmalloc *k = loam__process.kmalloc;
    if (k != NULL && size > k->max) {
        p = loam_slab__large_again(k->slabs, k, size, caller);
        if (p != NULL)
            return p;
    } else if (swift_alloc(size, &p)) {
        return p;
    }
    return slow_alloc(size, PROCESS_ALIGN, false, caller);
}

static void *narrow_alloc(const loam_kmalloc *k, size_t size, const void *caller)
{
    return hard_alloc(k, size, caller, loam_slab__swift_dress);
}

/* What the front has elsewhere, and what the first range keeps, is given out without a look at
 * errno. */
static LOAM_NOINLINE void *plain_or_large(size_t size, const void *caller)
{
    void *p;
    return LOAM_LIKELY(next_alloc(size, &p)) ? p : general_alloc(size, caller);
}

LOAM_INLINE void *next_or_large(size_t size, const void *caller)
{
    const loam_kmalloc *k = loam__process.swift;
    return k != NULL ? loam__process.hard->alloc(k, size, caller) : plain_or_large(size, caller);
}

PRELOAD_EXPORT void *malloc(size_t size)
{
    void *p;
    if (LOAM_LIKELY(fast_alloc(size, &p)))
        return p;
    return next_or_large(size, __builtin_return_address(0));
}

void *malloc_for(size_t size, const void *caller)
{
    void *p;
    return LOAM_LIKELY(fast_alloc(size, &p)) ? p : next_or_large(size, caller);
}

PRELOAD_EXPORT void *calloc(size_t n, size_t size)
{
    uint64_t bytes;
    if (loam_mul_overflows(n, size, &bytes) || bytes > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    void *p;
    if (fast_alloc((size_t)bytes, &p) || next_alloc((size_t)bytes, &p))
        return __builtin_memset(p, 0, (size_t)bytes);
    return slow_alloc((size_t)bytes, PROCESS_ALIGN, true, __builtin_return_address(0));
}

/* A plain block of a class that is aligned so, a power of two: see kmalloc_aligned_class. */
LOAM_INLINE bool fast_aligned(size_t align, size_t size, void **p)
{
    if (size > KMALLOC_MAX || align > KMALLOC_MAX)
        return false;
    size = (size + align - 1) & ~(align - 1);
    return fast_alloc(size, p) || next_alloc(size, p);
}

LOAM_INLINE void *aligned(size_t align, size_t size, const void *caller)
{
    const loam_kmalloc *k = loam__process.swift;
    void *p;
    if (fast_aligned(align, size, &p))
        return p;
    if (k != NULL && align > PROCESS_ALIGN &&
        (p = kmalloc_take_swift_aligned(k, size, align)) != NULL)
        return p;
    return slow_alloc(size, align < PROCESS_ALIGN ? PROCESS_ALIGN : align, false, caller);
}

void *aligned_for(size_t align, size_t size, const void *caller)
{
    return loam_is_pow2(align) ? aligned(align, size, caller) : NULL;
}

PRELOAD_EXPORT int posix_memalign(void **out, size_t align, size_t size)
{
    if (!loam_is_pow2(align) || align % sizeof(void *) != 0)
        return EINVAL;
    void *p = aligned(align, size, __builtin_return_address(0));
    if (p == NULL)
        return ENOMEM; /* errno says so, too, as glibc's does */
    *out = p;
    return 0;
}

PRELOAD_EXPORT void *aligned_alloc(size_t align, size_t size)
{
    if (!loam_is_pow2(align)) {
        errno = EINVAL;
        return NULL;
    }
    return aligned(align, size, __builtin_return_address(0));
}

/* Any alignment is rounded up to a power of two, as glibc does. */
PRELOAD_EXPORT void *memalign(size_t align, size_t size)
{
    if (align > SIZE_MAX / 2 + 1) {
        errno = EINVAL;
        return NULL;
    }
    return aligned(align <= 1 ? 1 : (size_t)1 << loam_log2_ceil(align), size,
                   __builtin_return_address(0));
}

PRELOAD_EXPORT void *valloc(size_t size)
{
    return aligned(loam_pages_page(), size, __builtin_return_address(0));
}

PRELOAD_EXPORT void *pvalloc(size_t size)
{
    size_t page = loam_pages_page();
    uint64_t whole;
    if (loam_align_up_overflows(size == 0 ? 1 : size, page, &whole) || whole > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    return aligned(page, (size_t)whole, __builtin_return_address(0));
}

/* ---- giving back ---- */

/* An address outside of every range that is no huge block. */
static void foreign(const void *p, bool freeing, const void *caller)
{
    static const struct {
        slab_fault words; /* the same as for all other blocks */
        const char *state, *name;
    } faults[] = {
        [HUGE_FOREIGN] = {SLAB_IS_FOREIGN, "never given out", NULL},
        [HUGE_INNER] = {SLAB_IS_INNER, "inner", "huge"},
        [HUGE_MISALIGNED] = {SLAB_IS_MISALIGNED, "misaligned", "huge"},
        [HUGE_FREE] = {SLAB_IS_FREE, "free", "huge"},
    };
    size_t size;
    huge_fault fault = huge_what(p, &size);
    loam_report report = {.unit = "malloc",
                          .what = loam_slab__what(faults[fault].words, freeing),
                          .object = "address",
                          .value = (uintptr_t)p,
                          .state = faults[fault].state,
                          .name = faults[fault].name,
                          .size = size,
                          .caller = caller};
    if (fault == HUGE_FOREIGN && (report.name = heaps_name_of(p)) != NULL)
        report.state = "of a named heap";
    loam_port_misuse(&report);
}

/* A large block of the first range, which has its front: nothing here touches errno. */
static bool free_large(void *p)
{
    process_range *r = &loam__process.range[0];
    const loam_kmalloc *k = loam__process.kmalloc;
    if (k == NULL || slab_off(k->slabs, p) >= k->slabs->len ||
        !loam_slab__large_put(k->slabs, slab_off(k->slabs, p), k))
        return false;
    process_tick(r);
    return true;
}

/* The number whose front the block is of, or was: who frees first what another left has the rest of
 * it mostly, too. */
static unsigned owner_of(const process_range *r, const void *p)
{
    uintptr_t off = slab_off(r->slabs, p);
    return off < r->slabs->len ? slab_owner_of(slab_desc_at(r->slabs, off))->cpu : PROCESS_NOBODY;
}

void process_free(void *p, const void *caller)
{
    process_range *r = process_range_of(p);
    if (r != NULL) {
        if (!thread_has_begun()) /* who only frees gathers, too */
            thread_begin(owner_of(r, p));
        if (!kmalloc_put_any(r->kmalloc, p))
            (void)loam_kmalloc__free(r->kmalloc, p, caller);
        process_tick(r);
    } else if (!huge_free(p)) {
        foreign(p, true, caller);
    }
}

LOAM_NOINLINE void general_free(void *p, const void *caller)
{
    int before = errno;
    if (p == NULL)
        return;
    if (process_is_watched())
        watch_free(p, caller);
    else
        process_free(p, caller);
    errno = before;
}

static LOAM_NOINLINE void narrow_put_long(const loam_kmalloc *k, slab_desc *d, unsigned slot,
                                          void *p, const void *caller)
{
    if (LOAM_UNLIKELY(!loam_slab__put_swift_long(k->slabs, d, slot, p)))
        general_free(p, caller);
}

static LOAM_NOINLINE void narrow_put_far(const loam_kmalloc *k, slab_desc *d, unsigned slot,
                                         void *p, const void *caller)
{
    if (LOAM_UNLIKELY(!loam_slab__put_swift_far(k->slabs, d, slot, p, k)))
        general_free(p, caller);
}

static void narrow_free(const loam_kmalloc *k, void *p, const void *caller)
{
    hard_free(k, p, caller, narrow_put_long, narrow_put_far);
}

const hard_calls hard_narrow = {narrow_alloc, narrow_free};

/* A block of another thread's front, a large one, and all else. */
static LOAM_NOINLINE void plain_far_free(void *p, const slab_desc *far, const void *caller)
{
    if (p == NULL)
        return;
    if (LOAM_UNLIKELY(!kmalloc_put_far(loam__process.kmalloc, p, far)) && !free_large(p))
        general_free(p, caller);
}

LOAM_INLINE void far_free(void *p, const slab_desc *far, const void *caller)
{
    const loam_kmalloc *k = loam__process.swift;
    if (k != NULL)
        loam__process.hard->free(k, p, caller);
    else
        plain_far_free(p, far, caller);
}

/* A block of a class with stacks, of the thread's own. */
static LOAM_NOINLINE void stacked_free(void *p, slab_desc *d, const void *caller)
{
    loam_irq irq = loam_port_irq_save();
    slab_put put = slab_stack_put(d, p);
    if (LOAM_UNLIKELY(put == SLAB_PUT_SETTLE))
        (void)loam_slab__settle(d, d->words, irq);
    else
        loam_port_irq_restore(irq);
    if (LOAM_UNLIKELY(put == SLAB_PUT_REFUSED))
        general_free(p, caller);
}

LOAM_INLINE bool fast_free(void *p, slab_desc **far, const void *caller)
{
    uint64_t *word;
    uintptr_t off = (uintptr_t)p - loam__process.base;
    *far = NULL;
    if (LOAM_UNLIKELY(off >= loam__process.len))
        return false;
    loam_irq irq = loam_port_irq_save();
    slab_put put = slab_put_fast(loam__process.plain, off, true, NULL, far, &word);
    if (put == SLAB_PUT_STACKED)
        stacked_free(p, *far, caller);
    else if (LOAM_UNLIKELY(put == SLAB_PUT_SETTLE))
        (void)loam_slab__settle(*far, word, irq);
    else
        loam_port_irq_restore(irq);
    return LOAM_LIKELY(put != SLAB_PUT_REFUSED);
}

PRELOAD_EXPORT void free(void *p)
{
    slab_desc *far;
    if (LOAM_UNLIKELY(!fast_free(p, &far, __builtin_return_address(0))))
        far_free(p, far, __builtin_return_address(0));
}

void free_for(void *p, const void *caller)
{
    slab_desc *far;
    if (LOAM_UNLIKELY(!fast_free(p, &far, caller)))
        far_free(p, far, caller);
}

/* ---- giving back, by those who say how large the block is ---- */

/* Is p a block of the range, and where? */
static bool place_of(const process_range *r, const void *p, slab_place *at)
{
    return loam_slab__find(r->slabs, p, r->kmalloc, NULL, at) == SLAB_FINE;
}

/* Where the size that was asked for is known it is that one; else none that is larger than what may
 * be used. What is no block is told by its free. */
static bool sized_is_wrong(const void *p, size_t size)
{
    bool known = process_range_of(p) != NULL ? (loam__process.slabs.modes & LOAM_SLAB_GUARD) != 0
                                             : loam__conf.guard_pages;
    size_t usable = (loam__watch & WATCH_VALGRIND) != 0 ? 0 : process_usable(p);
    size += size == 0; /* as malloc has it */
    return usable != 0 && (known ? size != usable : size > usable);
}

/* report: what is known of the block. */
static void refuse_given(const void *p, const char *what, const char *given, size_t value,
                         loam_report report)
{
    char state[64];
    loam_text text;
    loam_text_init(&text, state, sizeof(state));
    loam_text_fmt(&text, "%s %U", given, (uint64_t)value);
    report.unit = "malloc";
    report.what = what;
    report.object = "address";
    report.value = (uintptr_t)p;
    report.state = state;
    loam_port_misuse(&report);
}

/* A block that is out is freed as one that it is not. */
static void refuse_out(const void *p, const char *what, const char *given, size_t value,
                       const void *caller)
{
    const process_range *r = process_range_of(p);
    loam_report report = {
        .name = r == NULL ? "huge" : NULL, .size = huge_size(p), .caller = caller};
    slab_place at;
    if (r != NULL && place_of(r, p, &at))
        loam_slab__describe(&at, &report);
    refuse_given(p, what, given, value, report);
}

static LOAM_NOINLINE void hard_free_sized(void *p, size_t size, const void *caller)
{
    if (p != NULL && sized_is_wrong(p, size))
        refuse_out(p, "free with a wrong size", "as of size", size, caller);
    else
        free_for(p, caller);
}

/* The block is free by then: misuse ends a process, whatever it has done. */
static LOAM_NOINLINE void refuse_slot(const void *p, size_t size, const slab_desc *d,
                                      const void *caller)
{
    const loam_cache *c = slab_cache_of(d);
    loam_report report = {.name = c->name, .size = c->size, .caller = caller};
    refuse_given(p, "free with a wrong size", "as of size", size, report);
}

static LOAM_NOINLINE void far_free_sized(void *p, size_t size, slab_desc *far, const void *caller)
{
    bool fits = far != NULL && size <= slab_owner_of(far)->stride; /* slots' alone have one */
    if (fits && slab_is_stacked_here(far))
        stacked_free(p, far, caller);
    else if (fits)
        far_free(p, far, caller);
    else
        hard_free_sized(p, size, caller);
}

void free_sized_for(void *p, size_t size, const void *caller)
{
    const loam_kmalloc *k = loam__process.kmalloc;
    slab_desc *d = NULL;
    uint64_t *word;
    loam_irq irq;
    slab_put put = k != NULL ? kmalloc_put_plain(k, p, &d, &word, &irq) : SLAB_PUT_REFUSED;
    if (LOAM_LIKELY(put == SLAB_PUT) && LOAM_LIKELY(size <= slab_owner_of(d)->stride))
        return;
    if (put == SLAB_PUT_REFUSED)
        far_free_sized(p, size, d, caller);
    else if (size > slab_owner_of(d)->stride)
        refuse_slot(p, size, d, caller);
    else
        (void)loam_slab__settle(d, word, irq);
}

/* Is p aligned as its block is said to be? Else the caller is told. */
bool alignment_fits(const void *p, size_t align, const void *caller)
{
    bool fits = ((uintptr_t)p & (align - 1)) == 0;
    if (LOAM_UNLIKELY(!fits))
        refuse_out(p, "free with a wrong alignment", "as aligned to", align, caller);
    return fits;
}

void free_sized(void *p, size_t size);
void free_aligned_sized(void *p, size_t align, size_t size);

PRELOAD_EXPORT void free_sized(void *p, size_t size)
{
    free_sized_for(p, size, __builtin_return_address(0));
}

PRELOAD_EXPORT void free_aligned_sized(void *p, size_t align, size_t size)
{
    if (alignment_fits(p, align, __builtin_return_address(0)))
        free_sized_for(p, size, __builtin_return_address(0));
}

/* ---- sizes ---- */

size_t process_usable(const void *p)
{
    const process_range *r = process_range_of(p);
    slab_place at;
    if (r == NULL)
        return huge_size(p);
    return place_of(r, p, &at) ? loam_slab__usable(&at) : 0;
}

size_t process_size(const void *p, const void *caller)
{
    process_range *r = process_range_of(p);
    if (r != NULL)
        return loam_kmalloc__size(r->kmalloc, p, caller);
    size_t size = huge_size(p);
    if (size == 0)
        foreign(p, false, caller);
    return size;
}

PRELOAD_EXPORT size_t malloc_usable_size(void *p)
{
    const void *caller = __builtin_return_address(0);
    if (p == NULL)
        return 0;
    return process_is_watched() ? watch_size(p, caller) : process_size(p, caller);
}

/* A block that goes from one kind of memory to the other. */
static void *move(void *p, size_t old, size_t size, const void *caller)
{
    void *q = slow_alloc(size, PROCESS_ALIGN, false, caller);
    if (q == NULL)
        return NULL;
    __builtin_memcpy(q, p, old < size ? old : size);
    general_free(p, caller);
    return q;
}

/* Where the modes are those of `hardened`: a block of this thread's becomes one of another class;
 * what was written around it the free tells. NULL: not so easy, and nothing has changed. */
static void *hard_realloc(const loam_kmalloc *k, void *p, size_t size, const void *caller)
{
    size_t room = 0, old = swift_size(k->slabs, p, k, &room);
    if (old == 0 || size > k->max || kmalloc_stays(room, old, size))
        return NULL;
    void *q = loam__process.hard->alloc(k, size, caller);
    if (q == NULL)
        return NULL;
    __builtin_memcpy(q, p, old < size ? old : size);
    loam__process.hard->free(k, p, caller);
    return q;
}

static void *resize(void *p, size_t size, const void *caller)
{
    if (process_is_watched())
        return watch_realloc(p, size, caller);
    const loam_kmalloc *k = loam__process.swift;
    void *quick = k != NULL ? hard_realloc(k, p, size, caller) : NULL;
    if (quick != NULL)
        return quick;
    process_range *r = process_range_of(p);
    if (r != NULL && size < process_huge_from()) {
        void *q = loam_kmalloc__realloc(r->kmalloc, p, size, caller);
        if (q != NULL)
            return q;
    }
    slab_place at;
    size_t old = process_size(p, caller);
    if (old == 0 && (r == NULL || !place_of(r, p, &at))) /* not a block without bytes */
        return NULL;
    void *q = r == NULL && size >= process_huge_from() ? huge_realloc(p, size) : NULL;
    bool must = r == NULL && size >= PROCESS_HUGE; /* a copy would want as much again */
    if (q == NULL && must && promise_close_all())
        q = huge_realloc(p, size);
    return q != NULL || must ? q : move(p, old, size, caller);
}

/* A plain block of this thread's becomes one of this size. NULL: not so easy, and nothing has
 * changed. */
LOAM_INLINE void *fast_realloc(void *p, size_t size, const void *caller)
{
    const loam_kmalloc *k = loam__process.kmalloc;
    size_t room = k != NULL ? kmalloc_room_plain(k, p) : 0;
    if (room == 0 && k != NULL && (uintptr_t)p - loam__process.base < loam__process.len)
        room = loam_slab__stack_room(k->slabs, (uintptr_t)p - loam__process.base);
    if (room == 0)
        return NULL;
    if (kmalloc_stays(room, room, size))
        return p;
    void *q;
    slab_desc *far;
    if (!fast_alloc(size, &q) && !next_alloc(size, &q))
        return NULL;
    __builtin_memcpy(q, p, room < size ? room : size);
    if (LOAM_UNLIKELY(!fast_free(p, &far, caller)))
        far_free(p, far, caller);
    return q;
}

LOAM_INLINE void *reallocate(void *p, size_t size, const void *caller)
{
    void *quick = p == NULL || size == 0 ? NULL : fast_realloc(p, size, caller);
    if (quick != NULL)
        return quick;
    if (p == NULL)
        return fast_alloc(size, &p) ? p : next_or_large(size, caller);
    if (size == 0) {
        general_free(p, caller);
        return NULL;
    }
    int before = errno;
    void *q = size > PTRDIFF_MAX ? NULL : resize(p, size, caller);
    errno = q != NULL ? before : ENOMEM;
    return q;
}

PRELOAD_EXPORT void *realloc(void *p, size_t size)
{
    return reallocate(p, size, __builtin_return_address(0));
}

PRELOAD_EXPORT void *reallocarray(void *p, size_t n, size_t size)
{
    uint64_t bytes;
    if (loam_mul_overflows(n, size, &bytes) || bytes > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    return reallocate(p, (size_t)bytes, __builtin_return_address(0));
}
