/* SPDX-License-Identifier: MIT */
/* loam_pages.c - a range of addresses from the operating system. The header has the picture. */
#define _GNU_SOURCE
#include "loam_pages.h"
#include "loam/port.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>

size_t loam_pages_allowed(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
        limit.rlim_cur > SIZE_MAX)
        return SIZE_MAX;
    return (size_t)limit.rlim_cur;
}

#define PAGES_LOOSE ((size_t)512 << 20) /* a range of so many keeps the step beside it */

/* Maps a multiple of the step at a multiple of it, with a page on either side that nobody can
 * touch; what lies beside that goes back, unless addresses are many. */
static bool pages_map(loam_pages *pages, size_t len)
{
    size_t page = loam_pages_page(), around = len + LOAM_PAGES_STEP + 2 * page;
    void *mapped = around < len ? MAP_FAILED
                                : mmap(NULL, around, PROT_NONE,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED)
        return false;
    uintptr_t from = (uintptr_t)mapped, to = from + around;
    uintptr_t base = (uintptr_t)loam_align_up(from + page, LOAM_PAGES_STEP);
    if (len < PAGES_LOOSE) {
        if (base - page != from)
            munmap(mapped, base - page - from);
        if (base + len + page != to)
            munmap((void *)(base + len + page), to - (base + len + page));
        from = base - page;
        to = base + len + page;
    }
    *pages = (loam_pages){
        .base = (unsigned char *)base, .len = len, .map = (void *)from, .mapped = to - from};
    return true;
}

/* Of reserved addresses: what the system would not do by itself. It may know of no large pages. */
static void pages_advise(const loam_pages *pages, void *at, size_t len)
{
    size_t from = (size_t)((unsigned char *)at - pages->base);
    size_t few = pages->large == LOAM_PAGES_LATER ? LOAM_PAGES_FEW : pages->len;
    int before = errno;
    if (pages->large == LOAM_PAGES_LARGE)
        (void)madvise(at, len, MADV_HUGEPAGE);
    else if (from < few)
        (void)madvise(at, len < few - from ? len : few - from, MADV_NOHUGEPAGE);
    errno = before;
}

loam_err loam_pages_reserve(loam_pages *pages, size_t want, size_t least, loam_pages_large large)
{
    size_t quarter = loam_pages_allowed() / 4, len = want < quarter ? want : quarter;
    *pages = (loam_pages){.base = NULL};
    if (least == 0 || least > want || want > SIZE_MAX - 2 * LOAM_PAGES_STEP)
        return LOAM_EINVAL;
    least = (size_t)loam_align_up(least, LOAM_PAGES_STEP);
    len = (size_t)loam_align_down(len, LOAM_PAGES_STEP);
    if (len < least)
        len = least;
    while (!pages_map(pages, len)) {
        if (len == least)
            return LOAM_ENOMEM;
        len = (size_t)loam_align_down(len - len / 4, LOAM_PAGES_STEP);
        if (len < least)
            len = least;
    }
    pages->large = large;
    pages_advise(pages, pages->base, len);
    return LOAM_OK;
}

void loam_pages_refuse_large(loam_pages *pages)
{
    if (pages->large != LOAM_PAGES_LATER)
        return;
    pages->large = LOAM_PAGES_SMALL;
    pages_advise(pages, pages->base, pages->len);
}

static loam_err pages_ready(const loam_pages *pages, void *at, size_t len)
{
    bool refused = pages->refuse_from != 0 && pages->asked >= pages->refuse_from;
    bool ready = !refused && (len == 0 || mprotect(at, len, PROT_READ | PROT_WRITE) == 0);
    return ready ? LOAM_OK : LOAM_ENOMEM;
}

loam_err loam_pages_grow(loam_pages *pages, size_t bytes)
{
    size_t left = pages->len - pages->ready;
    pages->asked++;
    if (bytes > left)
        return LOAM_EFULL;
    size_t step = (size_t)loam_align_up(bytes, LOAM_PAGES_STEP);
    loam_err err = pages_ready(pages, pages->base + pages->ready, step);
    if (err == LOAM_OK) /* pairs with the load in loam_pages_ready */
        __atomic_store_n(&pages->ready, pages->ready + step, __ATOMIC_RELEASE);
    return err;
}

void loam_pages_cut(loam_pages *pages, size_t len)
{
    size_t keep = pages->ready;
    if (len > keep)
        keep = (size_t)loam_align_down(len, LOAM_PAGES_STEP);
    char *from = (char *)pages->base + keep + loam_pages_page();
    char *end = (char *)pages->map + pages->mapped;
    if (keep >= pages->len || munmap(from, (size_t)(end - from)) != 0)
        return;
    pages->mapped -= (size_t)(end - from);
    __atomic_store_n(&pages->len, keep, __ATOMIC_RELAXED); /* no order: a bound that sinks */
}

bool loam_pages_give_back(const loam_pages *pages, void *at, size_t len)
{
    uintptr_t page = loam_pages_page(), base = (uintptr_t)pages->base;
    uintptr_t from = (uintptr_t)loam_align_up((uintptr_t)at, page);
    uintptr_t to = (uintptr_t)loam_align_down((uintptr_t)at + len, page);
    return from >= base && from < to && to - base <= loam_pages_ready(pages) &&
           madvise((void *)from, to - from, MADV_DONTNEED) == 0 && to - from == len;
}

/* After a refusal that came too late: are the addresses still mapped, or can they be again? */
static bool pages_are_there(void *at, size_t len)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    void *again = mmap(at, len, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (again != MAP_FAILED && again != at)
        munmap(again, len);
    return again == at || (again == MAP_FAILED && errno == EEXIST);
}

/* Locked memory is not advised: it stays, as what replaces it would not be locked. */
loam_pages_closed loam_pages_close(const loam_pages *pages, void *at, size_t len)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    if (!loam_pages_give_back(pages, at, len))
        return LOAM_PAGES_OPEN;
    if (mmap(at, len, PROT_NONE, flags, -1, 0) != at)
        return pages_are_there(at, len) ? LOAM_PAGES_OPEN : LOAM_PAGES_GONE;
    pages_advise(pages, at, len); /* as its neighbours */
    return LOAM_PAGES_CLOSED;
}

loam_err loam_pages_open(loam_pages *pages, void *at, size_t len)
{
    pages->asked++;
    return pages_ready(pages, at, len);
}

#ifdef MREMAP_DONTUNMAP /* since Linux 5.7: the addresses stay where they are, without memory */

/* Memory of ready pages goes to an address of the system's, *way. Those who run another processor's
 * programs (qemu-user) take the pages for gone then, until they are told of them again. */
static loam_pages_moved pages_take(void *from, size_t len, void **way)
{
    /* Locked memory is not advised; the pages that come instead would not be locked. */
    if (madvise(from, loam_pages_page(), MADV_COLD) != 0)
        return LOAM_PAGES_REFUSED;
    *way = mremap(from, len, len, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
    if (*way == MAP_FAILED)
        return errno == EFAULT || errno == EINVAL ? LOAM_PAGES_APART : LOAM_PAGES_REFUSED;
    (void)mprotect(from, len, PROT_READ | PROT_WRITE);
    return LOAM_PAGES_MOVED;
}

loam_pages_moved loam_pages_move(void *to, void *from, size_t len)
{
    void *way; /* at a refusal, `to` would be unmapped by then */
    loam_pages_moved taken = pages_take(from, len, &way);
    if (taken != LOAM_PAGES_MOVED || mremap(way, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to)
        return taken;
    munmap(way, len);
    return pages_are_there(to, len) ? LOAM_PAGES_MOVED : LOAM_PAGES_LOST;
}

/* The pages go back; where not even that can be they are copied: `from` is still mapped. */
static void pages_return(void *from, void *way, size_t len, size_t room)
{
    if (room > len)
        munmap((char *)way + len, room - len);
    if (mremap(way, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, from) == from)
        return;
    (void)pages_are_there(from, len);
    __builtin_memcpy(from, way, len);
    munmap(way, len);
}

loam_pages_moved loam_pages_carry(void *to, size_t room, void *from, size_t len)
{
    void *way;
    loam_pages_moved taken = pages_take(from, len, &way);
    if (taken != LOAM_PAGES_MOVED)
        return taken;
    void *wide = mremap(way, len, room, MREMAP_MAYMOVE);
    if (wide == MAP_FAILED) /* then it is two mappings, and stays where it is the next time */
        room = len;
    else
        way = wide;
    if (mremap(way, room, room, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to)
        return LOAM_PAGES_MOVED;
    pages_return(from, way, len, room);
    return pages_are_there(to, room) ? LOAM_PAGES_REFUSED : LOAM_PAGES_LOST;
}

#else

loam_pages_moved loam_pages_carry(void *to, size_t room, void *from, size_t len)
{
    (void)to;
    (void)room;
    (void)from;
    (void)len;
    return LOAM_PAGES_REFUSED;
}

loam_pages_moved loam_pages_move(void *to, void *from, size_t len)
{
    (void)to;
    (void)from;
    (void)len;
    return LOAM_PAGES_REFUSED;
}

#endif

void loam_pages_release(loam_pages *pages)
{
    if (pages->base != NULL)
        munmap(pages->map, pages->mapped);
    *pages = (loam_pages){.base = NULL};
}
