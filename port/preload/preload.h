/* SPDX-License-Identifier: MIT */
#ifndef LOAM_PRELOAD_H
#define LOAM_PRELOAD_H

/* preload.h - what the files of the process's allocator share. preload_process.c has the theory.
 *
 * None of these functions may call malloc, directly or through the C library: they are malloc.
 */
#include "loam/base.h"
#include "loam/kmalloc.h"
#include "loam/port.h"
#include "loam/slab.h"
#include "loam/zone.h"
#include "loam_pages.h"

#ifndef LOAM_HOSTED_FIRST_CPU
#define LOAM_HOSTED_FIRST_CPU 31 /* mk/preload.mk builds the port with it */
#endif

#define PRELOAD_EXPORT __attribute__((visibility("default")))

enum {
    PROCESS_RANGES = 32,
    PROCESS_ALIGN = 16, /* of every block */
    /* Fronts; a thread without one is processor PROCESS_NOBODY, and uses what all share. */
    PROCESS_CPUS = 31,
    PROCESS_NOBODY = PROCESS_CPUS
};

_Static_assert(LOAM_HOSTED_FIRST_CPU == PROCESS_NOBODY, "a thread begins as nobody");

/* Addresses of a range, unless LOAM_CONF says otherwise. */
#define PROCESS_RANGE ((size_t)(sizeof(void *) == 8 ? (uint64_t)16 << 30 : (uint64_t)1 << 30))

/* Blocks of this size and above have a mapping of their own. */
#define PROCESS_HUGE ((size_t)32 << 20)

/* One range of addresses with all layers over it. */
typedef struct process_range {
    loam_pages pages; /* [lock] */
    loam_lock lock;   /* growth */
    loam_zone *zone;
    loam_slabs *slabs;
    loam_kmalloc *kmalloc;
} process_range;

typedef struct process {
    loam_kmalloc *kmalloc;  /* [atomic] of the first range; NULL: the process has not started */
    uint32_t ranges;        /* [atomic] that can be used; they never go */
    loam_lock lock;         /* start, further ranges */
    loam_slab_config slabs; /* [init] */
    process_range range[PROCESS_RANGES];
} process;

extern process loam__process __attribute__((visibility("hidden")));

/* ---- conf.c ---- */

enum { PROCESS_PATH = 200 };

/* What LOAM_CONF chose; [init] by conf_read, under process.lock. */
typedef struct process_conf {
    bool stats, json, leaks, huge_pages;
    uint32_t trim_ms; /* 0: never */
    size_t range;
    char file[PROCESS_PATH];
} process_conf;

extern process_conf loam__conf __attribute__((visibility("hidden")));

void conf_read(void);

/* ---- atend.c ---- */

/* After conf_read: what is told at the end can be, whatever the program closes. */
void atend_prepare(void);

/* ---- info.c ---- */

typedef struct process_sums {
    uint64_t ready;       /* bytes that the system has promised */
    uint64_t used;        /* of those, in blocks */
    uint64_t blocks;      /* out, huge ones included */
    uint64_t free_blocks; /* maximal free blocks of frames */
    uint64_t huge, huge_blocks;
} process_sums;

process_sums process_sums_now(void);

/* ---- preload_process.c ---- */

/* The process's allocator is there from now on; false: the system gives no addresses. Any thread,
 * any number of times. */
bool process_start(void);

/* A block out of any range; a new range where all are full. NULL: no memory. zero: it reads 0.
 * caller: who asked, for reports. */
void *process_alloc(size_t size, size_t align, bool zero, const void *caller);

/* The range in which an address lies, or NULL. */
process_range *process_range_of(const void *p);

/* ---- back.c ---- */

/* Gives the memory of what is free in a range back to the system; returns the bytes. Any thread. */
uint64_t process_give_back(process_range *r);

/* The same when LOAM_CONF's trim_ms have gone by since the last time; for the slow paths of free,
 * with no lock held. */
void process_tick(process_range *r);

/* ---- threads.c ---- */

/* Gives this thread a processor number if one is left. Costs a comparison from then on. */
void thread_begin(void);
/* Numbers that a fork has left without a thread. */
uint32_t threads_abandoned(void);
static inline bool thread_has_begun(void)
{
    return loam_port_cpu() < PROCESS_CPUS;
}

/* ---- huge.c ---- */

void *huge_alloc(size_t size, size_t align);
/* 0: not one of these. */
size_t huge_size(const void *p);
bool huge_free(void *p);
/* In place or by moving the mapping; NULL: no memory, p stays. */
void *huge_realloc(void *p, size_t size);
/* Takes the table's lock, for a fork; gives it back. */
void huge_freeze(void);
void huge_thaw(void);
/* Bytes and blocks that are out. */
void huge_sums(uint64_t *bytes, uint64_t *blocks);
/* Every block that is out; the table's lock is held meanwhile. */
typedef void huge_fn(void *ctx, void *p, size_t len);
void huge_each(huge_fn *fn, void *ctx);

#endif
