/* SPDX-License-Identifier: MIT */
/* musl_fork_first.c - pthread_atfork: the handlers of this library come before all others. As
 * fork_first.c, for musl: there it is a function of the C library, and the same for all callers.
 *
 * musl 1.2.3 asks malloc for the new entry, which brings ours before it; 1.2.5 does not.
 */
#include "preload.h"

#include <errno.h>
#include <pthread.h>

typedef int register_fn(void (*before)(void), void (*parent)(void), void (*child)(void));

PRELOAD_EXPORT int pthread_atfork(void (*before)(void), void (*parent)(void), void (*child)(void))
{
    static void *real; /* [atomic] */
    threads_expect_forks();
    register_fn *next = (register_fn *)(uintptr_t)behind_find(&real, "pthread_atfork");
    return next == NULL ? ENOMEM : next(before, parent, child);
}
