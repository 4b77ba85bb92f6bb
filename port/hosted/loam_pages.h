/* SPDX-License-Identifier: MIT */
#ifndef LOAM_HOSTED_PAGES_H
#define LOAM_HOSTED_PAGES_H

/* loam_pages.h - a range of addresses from the operating system, which gets memory as it is needed.
 *
 *     base                          ready                                   len
 *      |  readable and writable       |  reserved: no memory, any access faults |
 *
 * A page and more on either side belongs to the range, too, and faults: what lies beside a range is
 * never another's memory.
 *
 * Reserved addresses cost nothing: not memory, not the system's promise of memory. Growing asks for
 * that promise in steps of 2 MiB; the memory itself comes when a page is touched.
 *
 * Not locked: the owner's; loam_pages_give_back may run beside all other calls.
 */
#include "loam/base.h"
#include <sys/auxv.h>

#define LOAM_PAGES_STEP ((size_t)2 << 20)

/* Bytes of a page of the system's. sysconf knows, too, and for that touches what few programs do of
 * the C library's file.
 *   cost        O(1), no system call          context   any
 */
static inline size_t loam_pages_page(void)
{
    return (size_t)getauxval(AT_PAGESZ);
}

/* Pages of 2 MiB, which some systems have for all memory that does not refuse them: a small process
 * would have megabytes of which it uses little. */
typedef enum loam_pages_large {
    LOAM_PAGES_SMALL, /* none, wherever the system has them */
    LOAM_PAGES_LATER, /* none in the first LOAM_PAGES_FEW bytes; from there on as the system will */
    LOAM_PAGES_LARGE  /* asked for */
} loam_pages_large;

#define LOAM_PAGES_FEW ((size_t)16 << 20)

typedef struct loam_pages {
    unsigned char *base;  /* a multiple of LOAM_PAGES_STEP; NULL: there is no range */
    size_t len;           /* a multiple of it; sinks under its owner's lock: loam_pages_len */
    size_t ready;         /* the same; grows under its owner's lock, others: loam_pages_ready */
    uint64_t asked;       /* calls of loam_pages_grow */
    uint64_t refuse_from; /* that call and all later ones are refused; 0: none. For tests */
    void *map;            /* with what belongs to the range beside it */
    size_t mapped;
    loam_pages_large large;
} loam_pages;

/* Bytes that are ready, for who does not hold the lock under which they grow.
 *   cost        a load          context   any thread
 */
static inline size_t loam_pages_ready(const loam_pages *pages)
{
    return __atomic_load_n(&pages->ready, __ATOMIC_ACQUIRE); /* pairs with loam_pages_grow */
}

/* The length, for who does not hold the lock under which it sinks (loam_pages_cut): a bound, which
 * may be the one before.
 *   cost        a load          context   any thread
 */
static inline size_t loam_pages_len(const loam_pages *pages)
{
    return __atomic_load_n(&pages->len, __ATOMIC_RELAXED); /* no order: a bound that sinks */
}

/* Bytes of addresses that the process may have (RLIMIT_AS); SIZE_MAX: no limit.
 *   cost        a system call          context   any thread
 */
size_t loam_pages_allowed(void);

/* Reserves addresses: `want` bytes, or a quarter less, and again, ... down to `least`, but never
 * more than a quarter of what the process may still have (RLIMIT_AS), unless that is below `least`.
 *   large       of a system without large pages nothing is asked; errno stays
 *   returns     LOAM_OK; LOAM_EINVAL: least is 0 or above want; LOAM_ENOMEM: not even `least`;
 *               pages->base is NULL then
 *   cost        two to five system calls, more where addresses are few
 */
loam_err loam_pages_reserve(loam_pages *pages, size_t want, size_t least, loam_pages_large large);

/* From now on none of the range gets large pages that it did not ask for; what has them keeps them.
 *   cost        a system call
 */
void loam_pages_refuse_large(loam_pages *pages);

/* Makes at least `bytes` more ready to use, right behind what is; they read 0.
 *   returns     LOAM_OK; LOAM_EFULL: so many are not left in the range; LOAM_ENOMEM: the system has
 *               no memory to promise (its overcommit rule, a limit). Then nothing has changed
 *   cost        a system call
 */
loam_err loam_pages_grow(loam_pages *pages, size_t bytes);

/* Gives back the addresses behind the first `len` bytes, or behind what is ready if that is more;
 * a page that nobody can touch still follows.
 *   cost        a system call
 */
void loam_pages_cut(loam_pages *pages, size_t len);

/* Gives the memory of whole pages inside [at, at + len) back to the system; they stay ready, and
 * read 0 when they are touched again.
 *   returns     true: all of the bytes read 0 now. false: the system refused, as for locked memory,
 *               or the bytes are no whole pages: those at the ends are what they were
 *   cost        a system call
 */
bool loam_pages_give_back(const loam_pages *pages, void *at, size_t len);

typedef enum loam_pages_closed {
    LOAM_PAGES_CLOSED, /* nobody can touch them, and the system has promised nothing for them */
    LOAM_PAGES_OPEN,   /* they stay as they are, but that they may read 0: locked memory, no room
                        * for mappings, or the bytes are no whole pages that are ready */
    LOAM_PAGES_GONE    /* nothing can be reached there any more, nor be mapped */
} loam_pages_closed;

/* Gives whole pages that are ready back to the system, with its promise of memory for them:
 * reserved addresses, until they are opened.
 *   cost        two system calls
 */
loam_pages_closed loam_pages_close(const loam_pages *pages, void *at, size_t len);

/* Makes closed pages ready again; they read 0.
 *   returns     LOAM_OK; LOAM_ENOMEM as loam_pages_grow, and counted with its calls
 *   cost        a system call
 */
loam_err loam_pages_open(loam_pages *pages, void *at, size_t len);

typedef enum loam_pages_moved {
    LOAM_PAGES_MOVED,   /* what was at `from` is at `to`; there it reads 0 now */
    LOAM_PAGES_APART,   /* `from` is memory that came in pieces, which move one by one; or the
                         * system is too old */
    LOAM_PAGES_REFUSED, /* the system cannot, or will not: locked memory, no room for mappings */
    LOAM_PAGES_LOST     /* nothing can be reached at `to` any more, nor be mapped there */
} loam_pages_moved;

/* Moves the memory of whole pages, ready ones of one range, to others whose contents are lost: the
 * tables change, no byte is copied. Neither is anybody else's meanwhile.
 *   on error    all is as before, but for LOST
 *   cost        four system calls, and a few nanoseconds a page
 */
loam_pages_moved loam_pages_move(void *to, void *from, size_t len);

/* The same of what a block holds, which is to have more room: all of [to, to + room), ready pages,
 * becomes one mapping, so that it can move again; what follows the first len bytes reads 0.
 *   len         whole pages, at most room
 *   on error    what was at `from` is there; at `to` anything may be
 *   cost        five system calls
 */
loam_pages_moved loam_pages_carry(void *to, size_t room, void *from, size_t len);

/* Ends the range; nothing of it may be used any more. */
void loam_pages_release(loam_pages *pages);

#endif
