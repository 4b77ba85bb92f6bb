/* SPDX-License-Identifier: MIT */
/* fork_first.c - pthread_atfork: the handlers of this library come before all others.
 *
 * What runs before a fork runs in the other order than it was asked for, and ours take every lock:
 * handlers of others that allocate have to run before, so ours are there first, even where a
 * library's constructor asks before anybody has allocated. Every pthread_atfork is a small function
 * of its program or library, which calls this one. In the shared library alone; the static one has
 * a constructor (threads.c).
 */
#include "preload.h"

#include <errno.h>

typedef int register_fn(void (*before)(void), void (*parent)(void), void (*child)(void), void *dso);

register_fn __register_atfork;

PRELOAD_EXPORT int __register_atfork(void (*before)(void), void (*parent)(void),
                                     void (*child)(void), void *dso)
{
    static void *real; /* [atomic] */
    threads_expect_forks();
    register_fn *next = (register_fn *)(uintptr_t)behind_find(&real, "__register_atfork");
    return next == NULL ? ENOMEM : next(before, parent, child, dso);
}
