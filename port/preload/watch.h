/* SPDX-License-Identifier: MIT */
#ifndef LOAM_PRELOAD_WATCH_H
#define LOAM_PRELOAD_WATCH_H

/* watch.h - who wants to hear of every block: profile, trace, Valgrind. watch.c has the theory. */
#include "preload.h"

/* [init] What LOAM_CONF chose, whether Valgrind runs the program, and which sanitizer it has. Not
 * 0: process.kmalloc stays NULL, so that malloc and free take their slow paths, which ask here. */
enum {
    WATCH_PROFILE = 1,
    WATCH_TRACE = 2,
    WATCH_VALGRIND = 4,
    WATCH_ASAN = 8,
    WATCH_TSAN = 16 /* heaps.c tells it of locks */
};
extern unsigned loam__watch __attribute__((visibility("hidden")));

static inline bool process_is_watched(void)
{
    return LOAM_UNLIKELY(loam__watch != 0);
}

/* After conf_read, under process.lock: sets loam__watch, opens what is written. */
void watch_prepare(void);

/* A block of the process: as process_take gives it, as process_free takes it; in another size. */
void *watch_alloc(size_t size, size_t align, bool zero, const void *caller);
void watch_free(void *p, const void *caller);
void *watch_realloc(void *p, size_t size, const void *caller);
/* Bytes of a block that the program may use: what it asked for, under Valgrind. 0 after misuse. */
size_t watch_size(const void *p, const void *caller);

/* What a named heap's block of this size is to have: where accesses are checked a byte more, so
 * that there is one behind it that is nobody's. */
size_t watch_room(size_t size);
/* A named heap's block is there, and nobody has it yet: of so many bytes that were asked for, and
 * may be used. zero: they are going to read 0, and are to be cleared after this call. */
void watch_born(void *p, size_t size, size_t usable, bool zero, const void *caller);
/* It is about to go, with the bytes that could be used: it is still nobody else's. */
void watch_gone(void *p, size_t usable);
/* What watch_size is to malloc's. */
size_t watch_shown(const void *p, size_t usable);

/* Around a fork: takes the locks, gives them back. */
void watch_freeze(void);
void watch_thaw(void);
/* In the child, before that; there is no other thread. */
void watch_child(void);
/* When the program ends, before figures are told. */
void watch_end(void);

/* ---- profile.c ---- */

bool profile_prepare(void);
void profile_alloc(void *p, size_t size, const void *caller);
void profile_free(void *p);
void profile_freeze(void);
void profile_thaw(void);
void profile_end(void);

/* ---- memcheck.c ---- */

void *memcheck_alloc(size_t size, size_t align, bool zero, const void *caller);
void memcheck_free(void *p, const void *caller);
/* 0: no block of it is out there. */
size_t memcheck_size(const void *p);
void memcheck_freeze(void);
void memcheck_thaw(void);

/* ---- events.c ---- */

bool events_prepare(void);
void events_put(loam_trace_kind kind, const void *p, uint64_t b);
void events_freeze(void);
void events_thaw(void);
void events_child(void);
void events_end(void);

#endif
