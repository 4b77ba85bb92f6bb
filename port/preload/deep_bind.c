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

/* [atomic] any thread finds the same. */
static void *real;

static dlopen_fn *deep_bind_find(void)
{
    void *found = loam_atomic_ptr_load(&real); /* pairs with the store below */
    if (found == NULL) {
        found = dlsym(RTLD_NEXT, "dlopen");
        loam_atomic_ptr_store(&real, found); /* pairs with the load above */
    }
    return (dlopen_fn *)(uintptr_t)found;
}

PRELOAD_EXPORT void *dlopen(const char *path, int flags)
{
    (void)process_start(); /* LOAM_CONF is read */
    dlopen_fn *next = deep_bind_find();
    return next(path, loam__conf.deep_bind ? flags : flags & ~RTLD_DEEPBIND);
}
