/* SPDX-License-Identifier: MIT */
/* huge_guard.c - blocks that are mapped alone, between pages that nobody can touch.
 *
 * WHAT   An overrun that leaps over the magic behind a block meets a page that faults. So does what
 *        runs out of a block in front, unless the block lies in a place that was a longer one's.
 *
 * MODEL  A slot is what lies between two guards. Its block lies at its end, and has more room in
 *        front when the slot was made for a longer one (huge_kept.c), or for an alignment. A block
 *        that became shorter leaves room behind; the first page of that is closed.
 *
 *            new      [guard][ block .................. magic][guard]
 *            kept     [guard][ 0 0 0 0 magic | block .. magic][guard]
 *            aligned  [guard][ closed ][ block .. magic][ closed .. ]
 *            shorter  [guard][ block ... magic][closed][ anything ..][guard]
 *
 * LOCKS  None: the block is the caller's.
 * COST   Two system calls for a new block; one or two for one that gets shorter, five for a move.
 * FROM   Electric Fence.
 * NOT    A guard right in front of a block in a longer one's place: magic lies there.
 */
#define _GNU_SOURCE
#include "huge.h"

#include <errno.h>
#include <sys/mman.h>

/* ---- mappings ---- */

/* Addresses between the guards: long blocks have more than they need, in front, so that what is
 * kept of one fits others; where addresses are few they have not. */
static size_t guard_room(size_t len, size_t align)
{
    bool more = len > HUGE_KEPT_OPEN && len < PROCESS_HUGE && align <= huge_page() &&
                loam__conf.limit == 0 && !process_is_narrow();
    return more ? (size_t)1 << loam_log2_ceil(len) : len + huge_around_of(align);
}

char *huge_guard_reserve(size_t room, size_t large, uintptr_t *end)
{
    size_t all = room + 2 * huge_page() + (large != 0 ? large - huge_page() : 0);
    char *map = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    *end = (uintptr_t)map + all - huge_page();
    *end -= large != 0 ? *end & (large - 1) : 0;
    size_t rest = (size_t)((uintptr_t)map + all - *end) - huge_page();
    if (rest != 0)
        munmap((void *)(*end + huge_page()), rest);
    return map;
}

static void guard_advise(uintptr_t from, size_t len)
{
    madvise((void *)from, len, MADV_HUGEPAGE); /* where the system knows of it */
}

/* All but the ends. Something is in memory before the mapping becomes several, so that it can be
 * one again. */
static void guard_advise_inner(uintptr_t from, size_t len)
{
    enum { ENDS = 2 * HUGE_LARGE_PAGE };
    madvise((void *)from, len, MADV_NOHUGEPAGE);
    *(volatile unsigned char *)(from + len - 1) = 0;
    if (len > ENDS)
        guard_advise(from + HUGE_LARGE_PAGE, len - ENDS);
}

bool huge_guard_open(uintptr_t end, size_t len, size_t room, huge_block *b)
{
    bool large = huge_wants_large(len);
    size_t open = large ? (size_t)loam_align_up(len, HUGE_LARGE_PAGE) : len;
    if (open > room)
        open = len;
    void *from = (void *)(end - open);
    if (mprotect(from, open, PROT_READ | PROT_WRITE) != 0)
        return false;
    b->large = large && huge_are_many(len);
    if (b->large)
        guard_advise(end - open, open);
    else if (large)
        guard_advise_inner(end - open, open);
    b->held = open;
    b->lead = open != len ? HUGE_MAGIC : 0;
    b->part = open != room;
    return true;
}

bool huge_guard_map(size_t size, size_t align, huge_block *b)
{
    size_t len = huge_pages(size), least = len + huge_around_of(align);
    size_t room = guard_room(len, align);
    bool large = room != least;
    uintptr_t end;
    char *map = huge_guard_reserve(room, large ? HUGE_LARGE_PAGE : 0, &end);
    if (map == NULL && large) { /* there may be addresses for less */
        large = false;
        map = huge_guard_reserve(least, 0, &end);
    }
    if (map == NULL)
        return false;
    uintptr_t from = (uintptr_t)map + huge_page();
    uintptr_t at = align > huge_page() ? (uintptr_t)loam_align_up(from, align) : end - len;
    *b = (huge_block){at, end - at, at - (uintptr_t)map, size, 0, 0, false, false};
    if (huge_guard_open(at + len, len, large ? end - from : len, b)) {
        b->held = end - at > b->held ? end - at : b->held;
        b->part = b->held != end - from || b->len != len;
        if (b->len != len && b->large) /* one mapping, which can move */
            guard_advise(at, b->len);
        return true;
    }
    munmap(map, end - (uintptr_t)map + huge_page());
    return false;
}

/* ---- magic, as far as the block's last page: behind that nobody can write ---- */

static unsigned char guard_magic(void)
{
    return (unsigned char)(loam__process.slabs.seed >> 24 | 1);
}

static size_t guard_tail(const huge_block *b)
{
    size_t left = (0 - b->size) & (huge_page() - 1);
    return left < HUGE_MAGIC ? left : HUGE_MAGIC;
}

void huge_guard_write(const huge_block *b)
{
    unsigned char *p = (unsigned char *)b->at;
    __builtin_memset(p - b->lead, guard_magic(), b->lead);
    __builtin_memset(p + b->size, guard_magic(), guard_tail(b));
}

static bool guard_holds(const unsigned char *p, size_t n)
{
    unsigned char differ = 0;
    for (size_t i = 0; i < n; i++)
        differ |= p[i] ^ guard_magic();
    return differ == 0;
}

const char *huge_guard_fault(const huge_block *b)
{
    const unsigned char *p = (const unsigned char *)b->at;
    if (!guard_holds(p - b->lead, b->lead))
        return "before the block";
    return guard_holds(p + b->size, guard_tail(b)) ? NULL : "after the block";
}

/* ---- other sizes ---- */

/* The magic that was there is nobody's to know. */
void huge_guard_redress(huge_block *b, size_t size)
{
    unsigned char *p = (unsigned char *)b->at;
    __builtin_memset(p + b->size, 0, size > b->size ? guard_tail(b) : 0);
    b->size = size;
    huge_guard_write(b);
}

/* In its slot it can have all bytes to where that ends; it stays while it needs half of them. */
bool huge_guard_stay(huge_block *b, size_t size)
{
    size_t len = huge_pages(size), was = huge_pages(b->size);
    unsigned char *p = (unsigned char *)b->at;
    if (len > b->len || len < b->len / 2)
        return false;
    if (len > was && mprotect(p, len, PROT_READ | PROT_WRITE) != 0)
        return false;
    if (len != was && len != b->len) {
        b->part = true;
        if (mprotect(p + len, huge_page(), PROT_NONE) != 0)
            return false;
    }
    huge_guard_redress(b, size);
    return true;
}

/* Memory that is several mappings cannot move at once. Before Linux 6.17 who tries learns it when
 * the addresses that it was to go to are gone, and with them what it was to lose; another thread
 * may have both by then. To grow in place is refused for that, too, and sooner: else for the guard
 * behind, or for what else is mapped there. */
bool huge_is_apart(uintptr_t at, size_t len)
{
    int before = errno;
    bool apart = mremap((void *)at, len, len + huge_page(), 0) == MAP_FAILED && errno == EFAULT;
    errno = before;
    return apart;
}

/* What is several mappings is copied. */
static bool guard_copy(const huge_block *b, void *to, size_t len)
{
    if (mprotect(to, len, PROT_READ | PROT_WRITE) != 0)
        return false;
    __builtin_memcpy(to, (const void *)b->at, b->size < len ? b->size : len);
    return true;
}

void *huge_guard_move(huge_block *b, size_t len)
{
    size_t page = huge_page(), kept = len < b->len ? len : b->len;
    if (!b->large && huge_wants_large(b->len)) /* one mapping, which can move */
        guard_advise(b->at, b->len);
    if (b->part && mprotect((void *)b->at, b->len, PROT_READ | PROT_WRITE) != 0)
        return NULL;
    char *to = mmap(NULL, len + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (to == MAP_FAILED)
        return NULL;
    if (huge_is_apart(b->at, kept)) {
        if (!guard_copy(b, to + page, len)) {
            munmap(to, len + 2 * page);
            return NULL;
        }
        kept = 0; /* of the old mapping nothing has gone */
    } else if (mremap((void *)b->at, kept, len, MREMAP_MAYMOVE | MREMAP_FIXED, to + page) ==
               MAP_FAILED) {
        munmap(to, page); /* what lies between may be another's by now */
        munmap(to + page + len, page);
        return NULL;
    }
    munmap((void *)(b->at - b->map), kept == 0 ? b->map + b->len + page : b->map);
    if (kept != 0)
        munmap((void *)(b->at + kept), b->len - kept + page);
    return to + page;
}
