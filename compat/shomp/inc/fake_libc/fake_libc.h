/* SPDX-License-Identifier: MIT */
#ifndef SHOMP_FAKE_LIBC_H
#define SHOMP_FAKE_LIBC_H

/* fake_libc.h - the two things of a C library that the heap brings along: a list, and free. */
#include <stdint.h>

/* Neighbours on a list of blocks, as offsets from block 0: the same 8 bytes on every host.
 * SHOMP_END: there is none. */
typedef struct list_header {
    uint32_t next, prev;
} list_header;

#define SHOMP_END UINT32_MAX

/* Gives a block back and clears the caller's pointer to it. NULL, and a pointer that is NULL, are
 * fine. The symbol is shomp_free, so that no program that links this loses its C library's free. */
void shomp_free(void **block);
#define free(block) shomp_free(block)

#endif
