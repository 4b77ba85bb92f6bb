/* SPDX-License-Identifier: MIT */
/* deep_bind.c - dlopen without RTLD_DEEPBIND: a library that asks the C library before the program
 * would have two mallocs, this one and that one, and free a block of one by the other.
 *
 * PHP opens its extensions so. The real dlopen looks for the file as its caller's library says, and
 * finds that by the return address: so it is jumped to, not called. LOAM_CONF=deep_bind leaves the
 * flag to it. In the shared library alone; who links the static one has no other malloc before it.
 */
#define _GNU_SOURCE
#include "preload.h"

#include <dlfcn.h>

typedef void *dlopen_fn(const char *path, int flags);

PRELOAD_EXPORT void *dlopen(const char *path, int flags)
{
    static void *real;     /* [atomic] */
    (void)process_start(); /* LOAM_CONF is read */
    dlopen_fn *next = (dlopen_fn *)(uintptr_t)behind_find(&real, "dlopen");
    return next(path, loam__conf.deep_bind ? flags : flags & ~RTLD_DEEPBIND);
}
