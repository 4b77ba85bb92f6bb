/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BENCH_OBJECTS_H
#define LOAM_BENCH_OBJECTS_H

/* objects.h - object allocators side by side: loam_kmalloc over a zone in a mapped arena, and the
 * malloc of this process. Built as frames.h describes: one text of loops (objects_work.inc),
 * compiled once for each, every call out of line. The first word of each object is written.
 */
#include "harness.h"

enum { OBJECTS_SLOTS = 4096, OBJECTS_LARGE_SLOTS = 256, OBJECTS_MAX = 32768 };

typedef struct objects_api {
    const char *name;
    void *(*init)(uint64_t arena_bytes, unsigned threads); /* how many call at the same time */
    void (*enter)(void *a, unsigned thread); /* by a thread before anything else; or NULL */
    void (*serve)(void *a);                  /* frees that were gathered are told; or NULL */
    void *(*alloc)(void *a, size_t size);
    void (*release)(void *a, void *p);
    const char *(*check)(void *a);
    uint64_t (*used_pages)(void *a); /* or NULL: not known */

    void (*pair)(void *a, size_t size, size_t n);
    /* n times: `count` <= OBJECTS_SLOTS objects, then all of them back, in order or reversed */
    void (*batch)(void *a, size_t size, size_t count, bool reversed, size_t n);
    /* n times: a random slot is emptied and filled again with an object of 16 .. 2048 bytes, small
     * ones more often; slots is filled where it is not NULL */
    void (*slots)(void *a, void **slots, uint64_t seed, size_t n);
    /* n times: as slots, with OBJECTS_LARGE_SLOTS of 2 KiB .. 256 KiB */
    void (*slots_large)(void *a, void **slots, uint64_t seed, size_t n);
    /* n times: one object grows from 16 bytes to `most` by half; returns the calls of one growth */
    size_t (*grow)(void *a, size_t most, size_t n);
    /* n times: a zeroed object comes and goes; one at a multiple of align (a power of two) */
    void (*zeroed)(void *a, size_t size, size_t n);
    void (*aligned)(void *a, size_t align, size_t size, size_t n);
} objects_api;

extern const objects_api objects_loam, objects_libc;

/* Sizes between 16 and 2048: every power of two as likely as the next. */
static inline size_t objects_size(uint64_t r)
{
    size_t octave = (size_t)16 << ((((r & 0xffff) * 7) >> 16) & 7);
    return octave + ((r >> 16) & (octave - 1));
}

/* Objects that one thread allocates and another frees, in batches, both at work at the same time.
 *   per_pair   [out] the meter's units of both sides, an object: waiting for the other is not in it
 *   pairs_a_us  [out] objects a microsecond, by the clock on the wall
 */
void objects_remote(const objects_api *api, void *a, size_t size, size_t ops, double *per_pair,
                    double *pairs_a_us);

/* Blocks never overlap, keep what was written into them, are aligned. NULL, or what was wrong. */
const char *objects_verify(const objects_api *api);

#endif
