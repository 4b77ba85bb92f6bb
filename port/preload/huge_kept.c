/* SPDX-License-Identifier: MIT */
/* huge_kept.c - slots between guard pages whose blocks were freed, kept for the next.
 *
 * WHAT   A block with guard pages costs a mapping, its faults, and their end. Those that programs
 *        take and free again and again stay for a while, with their guards in place: a block comes
 *        out of them without a change of any page's rights.
 *
 * MODEL  A ring, oldest first. What comes pushes the oldest out when there are too many, or too
 *        many bytes. Who asks gets the one that fits best, the oldest of those.
 *
 *            out     [guard][ block ............................... ][guard]
 *            kept    [guard][ 0 0 0 0 0 0 | never touched | 0 0 0 0 ][guard]   to 2 MiB
 *                    [ nobody can touch ............................ ]         longer
 *            again   [guard][ ............ magic | block .......... ][guard]
 *
 *        A long slot whose block needs more memory than there is in it gets that of the others that
 *        are kept, oldest first: pages move, 2 MiB at a time, and none come anew.
 *
 *            oldest  [ closed ........ | xxxxxxx | yyyyyyyyyyyyyyyyyy ]
 *                                           v mremap
 *            again   [guard][ never ..][ xxxxxxx | zzzzzzzzzzzzzzzzzz ][guard]
 *
 *        To 2 MiB: when the block is freed, the pages that it touched are cleared, and they are
 *        looked at when it is used again; the system knows which. What nobody touched is neither
 *        read nor written. Longer ones have larger pages, of which the rights change fast: they
 *        are closed meanwhile, and what was touched is cleared when they are used again.
 *
 *        Memory: KEPT_BYTES; or more, as much as is out, while both together are no more than was
 *        out at the most. A long slot of which nothing but its ends was touched goes at once.
 *
 * LOCKS  One, around the ring; all else is done without it.
 * COST   To 2 MiB two system calls at each end; longer four, and zeros. A new mapping and its
 *        faults cost five to ten times as much.
 * FROM   Quarantine as in AddressSanitizer.
 * NOT    A page that the system wrote to disk meanwhile is not looked at: it is given back. Nothing
 *        is kept under Valgrind, which knows that freed bytes are not to be read.
 */
#define _GNU_SOURCE
#include "huge.h"
#include "watch.h"

#include <sys/mman.h>

enum {
    KEPT_BLOCKS = 64,
    KEPT_RUNS = 4,   /* runs of pages nobody touched that are given back */
    KEPT_SAMPLES = 4 /* pages of a long block that say how much of it is there */
};
#define KEPT_BYTES ((size_t)12 << 20)

typedef struct kept_slot {
    uintptr_t base;    /* 0: none */
    size_t room, held; /* bytes; those in front of the guard behind that may have memory */
    bool old;          /* it was here when free memory went back */
} kept_slot;

static struct {
    loam_lock lock;
    kept_slot slot[KEPT_BLOCKS]; /* [lock] oldest first */
    unsigned count;              /* [lock] */
    size_t bytes;                /* [lock] */
} kept = {.lock = LOAM_LOCK_INIT};

/* ---- the ring ---- */

/* Lock held. */
static kept_slot kept_remove(unsigned i)
{
    kept_slot k = kept.slot[i];
    kept.count--;
    kept.bytes -= k.held;
    for (; i < kept.count; i++)
        kept.slot[i] = kept.slot[i + 1];
    return k;
}

/* The oldest that is too much for so many bytes more, when there may be `most`. */
static kept_slot kept_too_much(size_t more, size_t most)
{
    kept_slot k = {0};
    loam_irq irq = loam_lock_acquire(&kept.lock);
    if (kept.count != 0 && (kept.count == KEPT_BLOCKS || kept.bytes > most - more))
        k = kept_remove(0);
    loam_lock_release(&kept.lock, irq);
    return k;
}

static void kept_unmap(kept_slot k)
{
    munmap((void *)(k.base - huge_page()), k.room + 2 * huge_page());
    (void)limit_change(k.room + huge_page(), 0);
}

static void kept_push(kept_slot k, size_t most)
{
    bool in = false;
    while (!in) {
        kept_slot old = kept_too_much(k.held, most);
        if (old.base != 0) {
            kept_unmap(old);
            continue;
        }
        loam_irq irq = loam_lock_acquire(&kept.lock);
        in = kept.count < KEPT_BLOCKS; /* else another was faster */
        if (in) {
            kept.slot[kept.count++] = k;
            kept.bytes += k.held;
        }
        loam_lock_release(&kept.lock, irq);
    }
}

/* Up to 2 MiB a block lies in a slot of twice its bytes at most, which may all have memory. */
static bool kept_fits(const kept_slot *k, size_t len)
{
    return k->room >= len && (k->room > HUGE_KEPT_OPEN || k->room <= 2 * len);
}

/* Is a better than b, for so many bytes? What has memory for all of them, and less that is of no
 * use; else what has more. */
static bool kept_is_better(const kept_slot *a, const kept_slot *b, size_t len)
{
    return a->held >= len ? b->held < len || a->held < b->held : a->held > b->held;
}

static kept_slot kept_take(size_t len)
{
    kept_slot k = {0};
    loam_irq irq = loam_lock_acquire(&kept.lock);
    unsigned best = kept.count;
    for (unsigned i = 0; i < kept.count; i++) {
        const kept_slot *one = &kept.slot[i];
        if (kept_fits(one, len) &&
            (best == kept.count || kept_is_better(one, &kept.slot[best], len)))
            best = i;
    }
    if (best != kept.count)
        k = kept_remove(best);
    loam_lock_release(&kept.lock, irq);
    return k;
}

/* The oldest, of those alone that were here the last time; the others are old from now on. */
static kept_slot kept_oldest(bool all)
{
    kept_slot k = {0};
    loam_irq irq = loam_lock_acquire(&kept.lock);
    if (kept.count != 0 && (all || kept.slot[0].old))
        k = kept_remove(0);
    for (unsigned i = 0; i < kept.count && k.base == 0; i++)
        kept.slot[i].old = true;
    loam_lock_release(&kept.lock, irq);
    return k;
}

bool huge_drop_kept(bool all)
{
    bool any = false;
    for (kept_slot k = kept_oldest(all); k.base != 0; k = kept_oldest(all)) {
        kept_unmap(k);
        any = true;
    }
    return any;
}

/* ---- pages ---- */

/* What the system knows of a slot's pages, from one of them on. */
typedef struct kept_pages {
    unsigned char *base;
    size_t count, page;
    bool known;
    unsigned char in[HUGE_KEPT_OPEN >> LOAM_PAGE_SHIFT]; /* bit 0: it is there */
} kept_pages;

static void kept_ask(kept_pages *k, uintptr_t at, size_t len)
{
    k->base = (unsigned char *)at;
    k->page = huge_page();
    k->count = len / k->page;
    k->known = process_there(k->base, len, k->in);
    if (!k->known) /* then all pages are looked at */
        __builtin_memset(k->in, 1, k->count);
}

/* The run of like pages that begins at this one: where it ends. */
static size_t kept_run(const kept_pages *k, size_t from)
{
    size_t i = from + 1;
    while (i < k->count && ((k->in[i] ^ k->in[from]) & 1) == 0)
        i++;
    return i;
}

/* Where nobody knows what was touched, what reads 0 stays as it is. */
static void kept_clear(const kept_pages *k, unsigned char *p, size_t len)
{
    if (k->known)
        LOAM_PORT_CLEAR(p, len);
    for (size_t at = 0; !k->known && at < len; at += k->page)
        if (!LOAM_PORT_READS_ZERO(p + at, k->page))
            LOAM_PORT_CLEAR(p + at, k->page);
}

/* What is not there may lie on disk: it goes. In many short runs everything does. */
static void kept_clean(uintptr_t at, size_t len)
{
    kept_pages k;
    unsigned gone = 0;
    kept_ask(&k, at, len);
    for (size_t i = 0, end; i < k.count; i = end) {
        unsigned char *p = k.base + i * k.page;
        end = kept_run(&k, i);
        if ((k.in[i] & 1) != 0)
            kept_clear(&k, p, (end - i) * k.page);
        else if (++gone > KEPT_RUNS)
            end = k.count;
        if ((k.in[i] & 1) == 0 && madvise(p, (end - i) * k.page, MADV_DONTNEED) != 0)
            LOAM_PORT_CLEAR(p, (end - i) * k.page); /* locked in memory */
    }
}

/* Of any length. */
static void kept_clean_long(uintptr_t at, size_t len)
{
    for (size_t n; len != 0; at += n, len -= n) {
        n = len < HUGE_KEPT_OPEN ? len : HUGE_KEPT_OPEN;
        kept_clean(at, n);
    }
}

static bool kept_is_clean(uintptr_t at, size_t len)
{
    kept_pages k;
    bool clean = true;
    kept_ask(&k, at, len);
    for (size_t i = 0, end; i < k.count && clean; i = end) {
        const unsigned char *p = k.base + i * k.page;
        end = kept_run(&k, i);
        if ((k.in[i] & 1) != 0)
            clean = LOAM_PORT_READS_ZERO(p, (end - i) * k.page);
    }
    return clean;
}

/* ---- the calls ---- */

/* Is a long slot worth to be kept? Its pages are as large as the next block's would be, and
 * something is there besides its ends: a program that asks for far more than it touches pays for a
 * look at all of it each time, and gains a page or two. Some pages stand for all; where nobody
 * knows of them they are there. */
static bool kept_is_worth(const huge_block *b, uintptr_t at, size_t len)
{
    unsigned char in = 0;
    if (huge_wants_large(b->len) && !b->large)
        return false;
    size_t page = huge_page(), step = (len / (2 * KEPT_SAMPLES)) & ~(page - 1);
    for (size_t i = 1; i < 2 * KEPT_SAMPLES && (in & 1) == 0; i += 2)
        if (!process_there((void *)(at + i * step), page, &in))
            in = 1;
    return (in & 1) != 0;
}

static bool kept_open(void *p, size_t len, bool open)
{
    return mprotect(p, len, open ? PROT_READ | PROT_WRITE : PROT_NONE) == 0;
}

/* Bytes of memory that may be kept. */
static size_t kept_most(huge_load load)
{
    uint64_t most = load.peak - load.out < load.out ? load.peak - load.out : load.out;
    return most > KEPT_BYTES ? (size_t)most : KEPT_BYTES;
}

bool huge_keep(const huge_block *b, huge_load load)
{
    uintptr_t base = b->at - b->map + huge_page();
    kept_slot k = {base, b->at + b->len - base, b->held, false};
    size_t most = kept_most(load);
    bool open = k.room <= HUGE_KEPT_OPEN;
    if ((loam__watch & WATCH_VALGRIND) != 0 || k.held > most ||
        (!open && !kept_is_worth(b, base + k.room - k.held, k.held)) ||
        ((b->part || !open) && !kept_open((void *)base, k.room, open)))
        return false;
    if (open) {
        __builtin_memset((unsigned char *)b->at - b->lead, 0, b->lead);
        kept_clean(b->at, b->len);
    }
    kept_push(k, most);
    return true;
}

static void kept_verify(uintptr_t at, size_t len, size_t size)
{
    loam_report report = {.unit = "malloc",
                          .what = "S10 freed bytes hold the poison",
                          .object = "address",
                          .value = at,
                          .state = "written after free",
                          .name = "huge",
                          .size = size};
    if (!kept_is_clean(at, len))
        loam_port_corrupt(&report);
}

/* Memory that can move by large pages. */
static bool kept_is_movable(const kept_slot *k)
{
    return k->room > HUGE_KEPT_OPEN && k->held % HUGE_LARGE_PAGE == 0 &&
           (k->base + k->room) % HUGE_LARGE_PAGE == 0;
}

/* The oldest slot with such memory. */
static kept_slot kept_oldest_movable(void)
{
    kept_slot k = {0};
    loam_irq irq = loam_lock_acquire(&kept.lock);
    unsigned i = 0;
    while (i < kept.count && !(kept.slot[i].held != 0 && kept_is_movable(&kept.slot[i])))
        i++;
    if (i < kept.count)
        k = kept_remove(i);
    loam_lock_release(&kept.lock, irq);
    return k;
}

#ifdef MREMAP_DONTUNMAP /* since Linux 5.7: the addresses stay where they are, without memory */

/* Large pages go from one place that is closed to another; false: there may be no place there any
 * more. Locked memory is not advised: what came in its place would not be locked. Of less than a
 * large page the advice would split it. */
static bool kept_carry(uintptr_t from, uintptr_t to, size_t len)
{
    void *was = (void *)from, *at = (void *)to;
    int how = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
    return madvise(was, HUGE_LARGE_PAGE, MADV_COLD) == 0 && !huge_is_apart(from, len) &&
           mremap(was, len, len, how, at) == at;
}

#else

static bool kept_carry(uintptr_t from, uintptr_t to, size_t len)
{
    (void)from;
    (void)to;
    (void)len;
    return false;
}

#endif

/* So much memory up to `end` comes from other slots, as far as they have it: bytes of it, closed.
 */
static size_t kept_bring(uintptr_t end, size_t want)
{
    size_t came = 0, len;
    for (bool more = true; more && came < want; came += more ? len : 0) {
        kept_slot k = kept_oldest_movable();
        len = k.held < want - came ? k.held : want - came;
        more = k.base != 0 && kept_carry(k.base + k.room - k.held, end - came - len, len);
        k.held -= more ? len : 0;
        if (k.base != 0 && (!more || k.held == 0))
            kept_unmap(k);
        else if (more)
            kept_push(k, SIZE_MAX);
    }
    return came;
}

/* Memory in front of a slot's last bytes becomes that of a slot of its own; false: it is too little
 * for that, or cannot move. */
static bool kept_spare(const kept_slot *k, size_t open)
{
    size_t len = k->held - open;
    uintptr_t end;
    if (len <= HUGE_KEPT_OPEN || !kept_is_movable(k) || loam__conf.limit != 0)
        return false;
    char *map = huge_guard_reserve(len, HUGE_LARGE_PAGE, &end);
    if (map == NULL)
        return false;
    uintptr_t base = (uintptr_t)map + huge_page();
    kept_slot spare = {base, end - base, len, false};
    bool moved = kept_carry(k->base + k->room - k->held, end - len, len);
    if (moved)
        kept_push(spare, SIZE_MAX);
    else
        kept_unmap(spare);
    return moved;
}

/* Of a slot that is opened for so many bytes those are in memory that are returned; 0: they cannot
 * be opened. */
static size_t kept_complete(const kept_slot *k, size_t open)
{
    uintptr_t end = k->base + k->room;
    if (k->held >= open || !kept_is_movable(k) || open % HUGE_LARGE_PAGE != 0)
        return k->held < open ? k->held : open;
    size_t came = kept_bring(end - k->held, open - k->held);
    return kept_open((void *)(end - open), open, true) ? k->held + came : 0;
}

/* A long slot's end for a block: what may be another's there reads 0 again, and what lies in front
 * is another slot's, or no more than half as much. */
static bool kept_reopen(const kept_slot *k, huge_block *b)
{
    uintptr_t end = k->base + k->room;
    if (!huge_guard_open(end, b->len, k->room, b))
        return false;
    size_t open = b->held, old = kept_complete(k, open);
    if (old == 0 && k->held != 0)
        return false;
    bool much = k->held > 2 * open;
    if (k->held > open && !kept_spare(k, open) &&
        (!much || madvise((void *)(end - k->held), k->held - open, MADV_DONTNEED) != 0))
        b->held = k->held;
    kept_clean_long(end - old, old);
    return true;
}

bool huge_again(size_t size, huge_block *b)
{
    size_t len = huge_pages(size);
    kept_slot k = kept_take(len);
    size_t front = k.room - len;
    uintptr_t at = k.base + front;
    if (k.base == 0)
        return false;
    *b = (huge_block){at, len, front + huge_page(), size, k.room, 0, false, false};
    if (k.room > HUGE_KEPT_OPEN) {
        bool open = kept_reopen(&k, b);
        if (!open)
            kept_unmap(k);
        return open;
    }
    kept_verify(at, len, size);
    b->lead = front != 0 ? HUGE_MAGIC : 0;
    return true;
}

void huge_kept_freeze(void)
{
    (void)loam_lock_acquire(&kept.lock);
}

void huge_kept_thaw(void)
{
    loam_lock_release(&kept.lock, loam_port_irq_save());
}
