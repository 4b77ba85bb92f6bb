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
 * NOT    A limit that another process sets, or who calls the system directly. Tables that were made
 *        for the longer range. The static library: who links it has setrlimit there.
 */
#define _GNU_SOURCE
#include "preload.h"

#include <dlfcn.h>
#include <sys/resource.h>
#include <unistd.h>

/* [atomic] any thread finds the same. */
static void *fewer_real[4];

/* The C library's own. */
static void *fewer_next(unsigned i, const char *name)
{
    void *found = loam_atomic_ptr_load(&fewer_real[i]); /* pairs with the store below */
    if (found == NULL) {
        found = dlsym(RTLD_NEXT, name);
        loam_atomic_ptr_store(&fewer_real[i], found); /* pairs with the load above */
    }
    return found;
}

/* What was done has succeeded; `infinite`: there is no limit. */
static void fewer_after(unsigned resource, uint64_t now, uint64_t infinite)
{
    if (resource == RLIMIT_AS && now < infinite && now < SIZE_MAX)
        process_cut((size_t)now);
}

PRELOAD_EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
    typedef int call(__rlimit_resource_t, const struct rlimit *);
    call *next = (call *)(uintptr_t)fewer_next(0, "setrlimit");
    int result = next(resource, limit);
    if (result == 0)
        fewer_after(resource, limit->rlim_cur, RLIM_INFINITY);
    return result;
}

PRELOAD_EXPORT int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit)
{
    typedef int call(__rlimit_resource_t, const struct rlimit64 *);
    call *next = (call *)(uintptr_t)fewer_next(1, "setrlimit64");
    int result = next(resource, limit);
    if (result == 0)
        fewer_after(resource, limit->rlim_cur, RLIM64_INFINITY);
    return result;
}

static bool fewer_is_me(pid_t pid)
{
    return pid == 0 || pid == getpid();
}

PRELOAD_EXPORT int prlimit(pid_t pid, enum __rlimit_resource resource, const struct rlimit *limit,
                           struct rlimit *old)
{
    typedef int call(pid_t, enum __rlimit_resource, const struct rlimit *, struct rlimit *);
    call *next = (call *)(uintptr_t)fewer_next(2, "prlimit");
    int result = next(pid, resource, limit, old);
    if (result == 0 && limit != NULL && fewer_is_me(pid))
        fewer_after(resource, limit->rlim_cur, RLIM_INFINITY);
    return result;
}

PRELOAD_EXPORT int prlimit64(pid_t pid, enum __rlimit_resource resource,
                             const struct rlimit64 *limit, struct rlimit64 *old)
{
    typedef int call(pid_t, enum __rlimit_resource, const struct rlimit64 *, struct rlimit64 *);
    call *next = (call *)(uintptr_t)fewer_next(3, "prlimit64");
    int result = next(pid, resource, limit, old);
    if (result == 0 && limit != NULL && fewer_is_me(pid))
        fewer_after(resource, limit->rlim_cur, RLIM64_INFINITY);
    return result;
}
