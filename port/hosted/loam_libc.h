/* SPDX-License-Identifier: MIT */
#ifndef LOAM_LIBC_H
#define LOAM_LIBC_H

/* loam_libc.h - where C libraries differ: GNU's and musl. No other file asks which of them it is.
 *
 * musl has no calls but those of the standards and a few more. What the process's malloc adds to
 * these is declared here for it, as GNU's headers have it; port/preload/musl.c has the rest.
 * Includers define _GNU_SOURCE. */
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>

#ifdef __GLIBC__

#include <execinfo.h>
#include <sys/single_threaded.h>

enum { LIBC_REALLOC_FREES = 1 }; /* realloc(p, 0) frees p and returns NULL */

/* setrlimit and prlimit, and the same with 64 bits, are functions of these. */
#define LIBC_LIMITS_64 1
typedef __rlimit_resource_t libc_resource;
typedef struct rlimit64 libc_rlimit64;

/* Of GNU's 2.32 and later. */
extern const char *strerrordesc_np(int error) __attribute__((weak));

/* Words for an errno, without memory and without a lock; NULL: none are known. */
static inline const char *libc_error(int error)
{
    return strerrordesc_np != NULL ? strerrordesc_np(error) : NULL;
}

/* Has the process one thread, for certain? */
static inline bool libc_is_single(void)
{
    return __libc_single_threaded;
}

/* The calls that lead here, `most` at most. It may allocate when it is called first. */
static inline int libc_calls(void **call, int most)
{
    return backtrace(call, most);
}

#else

enum { LIBC_REALLOC_FREES = 0 }; /* it makes p a block of no bytes */

#define LIBC_LIMITS_64   0 /* names of the same */
#define M_MMAP_THRESHOLD (-3)
typedef int libc_resource;
typedef struct rlimit libc_rlimit64;

/* As above. */
const char *libc_error(int error);
bool libc_is_single(void);
int libc_calls(void **call, int most);

struct mallinfo {
    int arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};

struct mallinfo2 {
    size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};

struct mallinfo mallinfo(void);
struct mallinfo2 mallinfo2(void);
int malloc_info(int options, FILE *stream);
void malloc_stats(void);
int malloc_trim(size_t pad);
int mallopt(int param, int value);
void *pvalloc(size_t size);

/* Not there. */
extern void *dlvsym(void *library, const char *name, const char *version) __attribute__((weak));

#endif

#endif
