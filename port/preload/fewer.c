/* SPDX-License-Identifier: MIT */
/* fewer.c - setrlimit: a process that limits its own addresses gets back those that are reserved.
 *
 * WHAT   A range reserves addresses when malloc is called first: 16 GiB, or a quarter of what the
 *        process may have then. A program that sets a lower RLIMIT_AS later would be above it at
 *        once: no thread, no file would find an address any more, and malloc would not heed it.
 * MODEL  What no memory was made ready in goes back, but what a range of the new limit would have.
 *
 *            before   | ready |                reserved                             |
 *            after    | ready | to a quarter of the limit |   anybody's again
 *
 *        Further ranges are asked of the system, which knows the limit. The calls of the C library
 *        do the work, and say what is wrong; what they refused changes nothing here.
 * LOCKS  A range's, while its end changes. Free finds blocks by that without a lock: who has
 *        a block from behind the new end got it later.
 * COST   Two system calls a range.
 * FROM   -
 * NOT    A limit that another process sets, or a system call; the static library, where setrlimit
 *        is the C library's: malloc looks by itself when the system refuses a block
 *        (process_cut_now), not now and then: a sandbox may end who asks. Tables that were made
 *        for the longer range.
 */
#define _GNU_SOURCE
#include "loam_libc.h"
#include "preload.h"

#include <errno.h>
#include <unistd.h>

enum { FEWER_SET, FEWER_SET64, FEWER_OF, FEWER_OF64, FEWER_CALLS };

static const struct {
    const char *name;
    bool wide; /* its limits are struct rlimit64 */
} fewer_call[FEWER_CALLS] = {[FEWER_SET] = {"setrlimit", false},
                             [FEWER_SET64] = {"setrlimit64", true},
                             [FEWER_OF] = {"prlimit", false},
                             [FEWER_OF64] = {"prlimit64", true}};

/* The C library's own; 0, and errno says so: it has none. */
static uintptr_t fewer_next(unsigned call)
{
    static void *real[FEWER_CALLS]; /* [atomic] */
    void *found = behind_find(&real[call], fewer_call[call].name);
    if (found == NULL)
        errno = ENOSYS;
    return (uintptr_t)found;
}

/* This process has a limit from now on; what is no limit is more than all addresses. */
static void fewer_after(unsigned call, int resource, const void *limit)
{
    if (resource != RLIMIT_AS || limit == NULL)
        return;
    uint64_t now = fewer_call[call].wide ? ((const libc_rlimit64 *)limit)->rlim_cur
                                         : ((const struct rlimit *)limit)->rlim_cur;
    if (now < SIZE_MAX)
        (void)process_cut((size_t)now);
}

static int fewer_set(unsigned call, int resource, const void *limit)
{
    typedef int set(int, const void *);
    set *next = (set *)fewer_next(call);
    int result = next == NULL ? -1 : next(resource, limit);
    if (result == 0)
        fewer_after(call, resource, limit);
    return result;
}

static int fewer_of(unsigned call, pid_t pid, int resource, const void *limit, void *old)
{
    typedef int of(pid_t, int, const void *, void *);
    of *next = (of *)fewer_next(call);
    int result = next == NULL ? -1 : next(pid, resource, limit, old);
    if (result == 0 && (pid == 0 || pid == getpid()))
        fewer_after(call, resource, limit);
    return result;
}

PRELOAD_EXPORT int setrlimit(libc_resource resource, const struct rlimit *limit)
{
    return fewer_set(FEWER_SET, (int)resource, limit);
}

PRELOAD_EXPORT int prlimit(pid_t pid, libc_resource resource, const struct rlimit *limit,
                           struct rlimit *old)
{
    return fewer_of(FEWER_OF, pid, (int)resource, limit, old);
}

#if LIBC_LIMITS_64

PRELOAD_EXPORT int setrlimit64(libc_resource resource, const struct rlimit64 *limit)
{
    return fewer_set(FEWER_SET64, (int)resource, limit);
}

PRELOAD_EXPORT int prlimit64(pid_t pid, libc_resource resource, const struct rlimit64 *limit,
                             struct rlimit64 *old)
{
    return fewer_of(FEWER_OF64, pid, (int)resource, limit, old);
}

#endif
