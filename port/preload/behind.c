/* SPDX-License-Identifier: MIT */
/* behind.c - what the C library has under a name that this library has, too: it does the work of
 * deep_bind.c, fewer.c and fork_first.c. In the shared library alone.
 */
#define _GNU_SOURCE
#include "preload.h"

#include <dlfcn.h>

void *behind_find(void **kept, const char *name)
{
    void *found = loam_atomic_ptr_load(kept); /* pairs with the store below */
    if (found == NULL) {
        found = dlsym(RTLD_NEXT, name);
        loam_atomic_ptr_store(kept, found); /* pairs with the load above */
    }
    return found;
}
