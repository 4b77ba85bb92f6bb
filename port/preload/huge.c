/* SPDX-License-Identifier: MIT */
/* huge.c - blocks that have a mapping of their own.
 *
 * WHAT   Blocks of PROCESS_HUGE bytes and more: mapped, moved and unmapped by the system.
 * MODEL  A table of them, open addressing by the address's number; it doubles when three quarters
 *        are used. A free finds its block there or is refused: nothing is believed that stands in
 *        the block's memory.
 *
 *            table   [ . | 0x7f..., 40 MiB | . | gone | 0x7e..., 1 GiB | . | ... ]
 *
 * LOCKS  One, around the table; held over a system call that unmaps only when a block moves.
 * COST   O(1) and the system's.
 * FROM   -
 * NOT    Keeping mappings without guard pages for the next block: what is this large pays for its
 *        pages. With them: huge_guard.c, huge_kept.c.
 */
#define _GNU_SOURCE
#include "huge.h"

#include <sys/mman.h>

enum { HUGE_FIRST = 256 /* entries of the first table: a few pages of them */ };

#define HUGE_LONG ((size_t)64 << 20) /* bytes from which on a block has huge pages at once */

enum { HUGE_GONE = 32 /* freed blocks that are remembered, for who frees them once more */ };

/* Blocks between guard pages at a time: each is up to four mappings of the 65,530 that Linux lets a
 * process have, and one more is the end of any mmap. Those beyond lie in a range, with magic. */
enum { HUGE_GUARDED = 10000 };

static struct {
    loam_lock lock;
    huge_block *block;          /* [lock] */
    size_t cap;                 /* [lock] a power of two */
    size_t used, live;          /* [lock] entries that are not 0; blocks */
    uint64_t bytes, peak;       /* [lock] of the blocks that are out; the most so far */
    huge_block gone[HUGE_GONE]; /* [lock] a ring */
    size_t gone_next;           /* [lock] */
    uint32_t left;              /* [atomic] 1: a long block was freed, and more may come so */
} huge = {.lock = LOAM_LOCK_INIT};

/* ---- the table; lock held ---- */

static size_t huge_slot(uintptr_t at)
{
    uint64_t mixed = (uint64_t)(at >> LOAM_PAGE_SHIFT) * 0x9e3779b97f4a7c15ULL;
    return (size_t)(mixed >> 32) & (huge.cap - 1); /* the low bits of what is aligned are 0 */
}

static huge_block *huge_find(uintptr_t at)
{
    if (huge.cap == 0 || at <= 1)
        return NULL;
    for (size_t i = huge_slot(at); huge.block[i].at != 0; i = (i + 1) & (huge.cap - 1))
        if (huge.block[i].at == at)
            return &huge.block[i];
    return NULL;
}

static void huge_put(huge_block b)
{
    size_t i = huge_slot(b.at);
    while (huge.block[i].at > 1)
        i = (i + 1) & (huge.cap - 1);
    huge.used += huge.block[i].at == 0;
    huge.block[i] = b;
}

/* Makes room for one more; false: no memory for another table. What was used and is no more counts
 * until a new table is made, which is larger only when half of the old one is live. */
static bool huge_room(void)
{
    if (huge.used < huge.cap / 4 * 3)
        return true;
    size_t old_cap = huge.cap,
           cap = old_cap == 0 ? HUGE_FIRST : old_cap << (huge.live > old_cap / 2);
    huge_block *old = huge.block;
    void *table = mmap(NULL, cap * sizeof(huge_block), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (table == MAP_FAILED)
        return false;
    huge.block = table;
    huge.cap = cap;
    huge.used = 0;
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].at > 1)
            huge_put(old[i]);
    if (old != NULL)
        munmap(old, old_cap * sizeof(huge_block));
    return true;
}

/* ---- huge pages ---- */

/* Huge pages come quickly, and are 2 MiB where a few bytes are used. For a block that is kept for
 * good the first is little beside what is done with it; of a long one the second is little. */
bool huge_wants_large(size_t len)
{
    return loam__conf.huge_from != 0 && len >= loam__conf.huge_from;
}

bool huge_are_many(size_t len)
{
    return len >= HUGE_LONG || loam_atomic_peek(&huge.left) != 0; /* no order: a hint */
}

/* A long block was freed; or, with guard pages, there is one. */
static void huge_saw(size_t len)
{
    if (huge_wants_large(len))
        loam_atomic_store(&huge.left, 1); /* no order: a hint */
}

/* ---- blocks ---- */

/* Lock held: so many bytes more are out. */
static void huge_count(size_t more)
{
    huge.bytes += more;
    if (huge.bytes > huge.peak)
        huge.peak = huge.bytes;
}

static bool huge_enter(huge_block b)
{
    loam_irq irq = loam_lock_acquire(&huge.lock);
    bool room = huge_room();
    if (room)
        huge_put(b);
    huge.live += room;
    huge_count(room ? b.len : 0);
    loam_lock_release(&huge.lock, irq);
    return room;
}

/* Takes the block out of the table: from here on it is the caller's alone. *load: of the others. */
static bool huge_leave(const void *p, huge_block *b, huge_load *load)
{
    loam_irq irq = loam_lock_acquire(&huge.lock);
    huge_block *found = huge_find((uintptr_t)p);
    if (found != NULL) {
        *b = *found;
        found->at = 1;
        huge.live--;
        huge.bytes -= b->len;
        huge.gone[huge.gone_next++ % HUGE_GONE] = *b;
    }
    *load = (huge_load){huge.bytes, huge.peak};
    loam_lock_release(&huge.lock, irq);
    huge_saw(found != NULL ? b->len : 0);
    return found != NULL;
}

/* The block among n that covers an address, or NULL. */
static const huge_block *huge_around(const huge_block *block, size_t n, uintptr_t at)
{
    for (size_t i = 0; i < n; i++)
        if (block[i].at > 1 && at - block[i].at < block[i].len)
            return &block[i];
    return NULL;
}

huge_fault huge_what(const void *p, size_t *size)
{
    huge_fault fault = HUGE_FOREIGN;
    loam_irq irq = loam_lock_acquire(&huge.lock);
    const huge_block *b = huge_around(huge.block, huge.cap, (uintptr_t)p);
    if (b != NULL)
        fault = ((uintptr_t)p & 7) != 0 ? HUGE_MISALIGNED : HUGE_INNER;
    else if ((b = huge_around(huge.gone, HUGE_GONE, (uintptr_t)p)) != NULL)
        fault = HUGE_FREE;
    *size = b != NULL ? b->size : 0;
    loam_lock_release(&huge.lock, irq);
    return fault;
}

/* Bytes on either side of each block that nobody can touch. */
static size_t huge_guard(void)
{
    return loam__conf.guard_pages ? huge_page() : 0;
}

static void huge_advise(void *map, size_t len)
{
    if (huge_wants_large(len) && huge_are_many(len))
        madvise(map, len, MADV_HUGEPAGE); /* where the system knows of it */
}

/* Memory for a block, aligned inside of it; false: none. */
static bool huge_map(size_t size, size_t align, huge_block *b)
{
    size_t around = huge_around_of(align), len = huge_pages(size) + around;
    void *map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return false;
    huge_advise(map, len);
    uintptr_t from = (uintptr_t)map,
              at = around == 0 ? from : (uintptr_t)loam_align_up(from, align);
    *b = (huge_block){at, len - (at - from), at - from, size, 0, 0, false, false};
    return true;
}

/* The same within LOAM_CONF's limit, of which it takes so much, and with its guards. */
static bool huge_take(size_t all, size_t size, size_t align, huge_block *b)
{
    bool done = false;
    for (unsigned turn = 0; turn < 2 && !done && (turn == 0 || huge_drop_kept(true)); turn++) {
        if (!limit_change(0, all))
            continue;
        done = huge_guard() != 0 ? huge_guard_map(size, align, b) : huge_map(size, align, b);
        if (!done)
            (void)limit_change(all, 0);
    }
    return done;
}

/* What of a block counts for the limit. */
static size_t huge_bytes(const huge_block *b)
{
    return b->map + b->len;
}

/* A process with all the mappings that the system allows cannot take a piece out of one: then the
 * addresses stay, and their memory goes. */
static void huge_unmap(const huge_block *b)
{
    void *map = (void *)(b->at - b->map);
    size_t len = b->map + b->len + huge_guard();
    if (munmap(map, len) != 0)
        (void)madvise(map, len, MADV_DONTNEED);
    (void)limit_change(huge_bytes(b), 0);
}

/* The table's lock is not held. */
static void huge_verify(const huge_block *b)
{
    loam_report report = {.unit = "malloc",
                          .what = "S9 the bytes around a block hold their magic",
                          .object = "address",
                          .value = b->at,
                          .state = huge_guard() != 0 ? huge_guard_fault(b) : NULL,
                          .name = "huge",
                          .size = b->size};
    if (report.state != NULL)
        loam_port_corrupt(&report);
}

/* ---- the calls ---- */

/* The block is in the table, or gone: NULL. */
static void *huge_give_out(const huge_block *b)
{
    if (huge_guard() != 0) {
        huge_guard_write(b);
        huge_saw(b->len);
    }
    if (huge_enter(*b))
        return (void *)b->at;
    huge_unmap(b);
    return NULL;
}

/* Bytes that a block takes; SIZE_MAX: too many. */
static size_t huge_need(size_t size, size_t align)
{
    size_t most = PTRDIFF_MAX - 2 * huge_page(), around = huge_around_of(align);
    if (size > most || around > PTRDIFF_MAX / 2 || huge_pages(size) > most - around)
        return SIZE_MAX;
    return huge_pages(size) + around + huge_guard();
}

/* Are there so many guarded blocks that one which a range can hold has to lie there? */
static bool huge_is_full(size_t size, size_t align)
{
    if (huge_guard() == 0 || size >= PROCESS_HUGE || align >= PROCESS_HUGE)
        return false;
    loam_irq irq = loam_lock_acquire(&huge.lock);
    bool full = huge.live >= HUGE_GUARDED;
    loam_lock_release(&huge.lock, irq);
    return full;
}

void *huge_alloc(size_t size, size_t align)
{
    huge_block b;
    size_t all = huge_is_full(size, align) ? SIZE_MAX : huge_need(size, align);
    bool kept = all != SIZE_MAX && huge_guard() != 0 && align <= huge_page();
    if (all == SIZE_MAX || ((!kept || !huge_again(size, &b)) && !huge_take(all, size, align, &b)))
        return NULL;
    return huge_give_out(&b);
}

size_t huge_size(const void *p)
{
    loam_irq irq = loam_lock_acquire(&huge.lock);
    const huge_block *b = huge_find((uintptr_t)p);
    size_t size = b == NULL ? 0 : huge_guard() != 0 ? b->size : b->len;
    loam_lock_release(&huge.lock, irq);
    return size;
}

bool huge_free(void *p)
{
    huge_block b;
    huge_load load;
    if (!huge_leave(p, &b, &load))
        return false;
    huge_verify(&b);
    if (huge_guard() == 0 || !huge_keep(&b, load))
        huge_unmap(&b);
    return true;
}

/* What was mapped in front of a block for its alignment stays behind, and goes. */
static void *huge_move_plain(const huge_block *b, size_t len)
{
    void *moved = mremap((void *)b->at, b->len, len, MREMAP_MAYMOVE);
    if (moved == MAP_FAILED)
        return NULL;
    if ((uintptr_t)moved != b->at && b->map != 0)
        munmap((void *)(b->at - b->map), b->map);
    if (len > b->len)
        huge_advise(moved, len);
    return moved;
}

/* Lock held: the block's address may be another thread's as soon as it has moved. Its size is what
 * it was. */
static void *huge_move(huge_block *b, size_t len)
{
    size_t before = huge_bytes(b), after = b->map + len;
    if (!limit_change(before, after))
        return NULL;
    void *moved = huge_guard() != 0 ? huge_guard_move(b, len) : huge_move_plain(b, len);
    huge_block now = {(uintptr_t)moved, len, huge_guard(), b->size, len, 0, false, b->large};
    if (moved == NULL) {
        (void)limit_change(after, before);
        return NULL;
    }
    if (now.at == b->at)
        now.map = b->map;
    (void)limit_change(after, huge_bytes(&now));
    huge.bytes -= b->len;
    huge_count(len);
    b->at = 1;
    huge_put(now);
    return moved;
}

/* Lock held. With the same pages it stays where it is, or in the same slot. */
static void *huge_stay(huge_block *b, size_t size)
{
    bool stays = huge_guard() != 0 ? huge_guard_stay(b, size) : huge_pages(size) == b->len;
    if (stays)
        b->size = size;
    return stays ? (void *)b->at : NULL;
}

/* With guard pages: into a slot that is kept, of which nothing has to move; NULL: there is none. */
static void *huge_copy(const huge_block *b, size_t size)
{
    huge_block to;
    if (huge_guard() == 0 || size > HUGE_KEPT_OPEN || !huge_again(size, &to))
        return NULL;
    void *q = huge_give_out(&to);
    if (q == NULL)
        return NULL;
    __builtin_memcpy(q, (const void *)b->at, b->size < size ? b->size : size);
    (void)huge_free((void *)b->at); /* the caller's: it is there */
    return q;
}

/* The pages move, with the table's lock held. */
static void *huge_elsewhere(const void *p, size_t size)
{
    loam_irq irq = loam_lock_acquire(&huge.lock);
    huge_block *b = huge_room() ? huge_find((uintptr_t)p) : NULL;
    void *moved = b != NULL ? huge_move(b, huge_pages(size)) : NULL;
    huge_block *now = moved != NULL ? huge_find((uintptr_t)moved) : NULL;
    if (now != NULL && huge_guard() != 0)
        huge_guard_redress(now, size);
    if (now != NULL)
        now->size = size;
    loam_lock_release(&huge.lock, irq);
    return moved;
}

void *huge_realloc(void *p, size_t size)
{
    if (size > PTRDIFF_MAX - huge_page())
        return NULL;
    loam_irq irq = loam_lock_acquire(&huge.lock);
    huge_block *b = huge_find((uintptr_t)p), before = b != NULL ? *b : (huge_block){0};
    bool whole = b != NULL && (huge_guard() == 0 || huge_guard_fault(b) == NULL);
    void *q = whole ? huge_stay(b, size) : NULL;
    loam_lock_release(&huge.lock, irq);
    if (before.at != 0 && !whole)
        huge_verify(&before);
    if (q == NULL && whole)
        q = huge_copy(&before, size);
    return q != NULL || !whole ? q : huge_elsewhere(p, size);
}

void huge_sums(uint64_t *bytes, uint64_t *blocks, uint64_t *peak)
{
    loam_irq irq = loam_lock_acquire(&huge.lock);
    *bytes = huge.bytes;
    *blocks = huge.live;
    *peak = huge.peak;
    loam_lock_release(&huge.lock, irq);
}

void huge_each(huge_fn *fn, void *ctx)
{
    loam_irq irq = loam_lock_acquire(&huge.lock);
    for (size_t i = 0; i < huge.cap; i++)
        if (huge.block[i].at > 1)
            fn(ctx, (void *)huge.block[i].at, huge.block[i].len);
    loam_lock_release(&huge.lock, irq);
}

/* Magic is whole before a block is in the table. */
void huge_last_look(void)
{
    huge_block bad = {0};
    if (huge_guard() == 0 || last_look_is_stuck(&huge.lock))
        return;
    loam_irq irq = loam_lock_acquire(&huge.lock);
    for (size_t i = 0; i < huge.cap && bad.at == 0; i++)
        if (huge.block[i].at > 1 && huge_guard_fault(&huge.block[i]) != NULL)
            bad = huge.block[i];
    loam_lock_release(&huge.lock, irq);
    if (bad.at != 0)
        huge_verify(&bad);
}

void huge_freeze(void)
{
    (void)loam_lock_acquire(&huge.lock);
    huge_kept_freeze();
}

void huge_thaw(void)
{
    huge_kept_thaw();
    loam_lock_release(&huge.lock, loam_port_irq_save());
}
