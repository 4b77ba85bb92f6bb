/* SPDX-License-Identifier: MIT */
/* coherence.c - which cache lines go from processor to processor, on a machine that has none.
 *
 * WHAT   Counts what a malloc costs on many processors, with two at hand: each thread plays a
 *        processor with a cache of its own that never is too small, and a directory knows of each
 *        line who has it. What is counted is not time; it is what time is made of there.
 *
 * MODEL  The library is compiled with -fsanitize=thread, and this is what the compiler calls before
 *        each access. A line is had by one who wrote it, or by some who read it:
 *
 *            written by A --- B reads: "fetched" ---> had by A, B --- A writes: "invalidates" --> A
 *            had by A, B  --- C writes: "taken" ----> written by C
 *
 *        These three are misses by coherence. The first touch of a line that nobody else has is
 *        none, nor is a read of what others only read.
 *
 *        Threads take turns at random: after some tens of accesses one gives its processor away.
 *        So 64 of them are as much among each other as on 64 processors, or more.
 *
 *        What a thread does costs an access each, and MISS more for a miss. What it does while it
 *        holds a lock is counted for the lock: of all work together that share is done by one at a
 *        time, whatever the number of processors (Amdahl).
 * RULES  none
 * LOCKS  A bit of each line.
 * COST   Some hundred times the time.
 * FROM   The states of MESI, without E; G. Amdahl, 1967.
 * NOT    Caches' sizes, nodes, lines fetched ahead; what the program itself touches; the system's
 *        own locks.
 */
#define _GNU_SOURCE
#include "coherence.h"

#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    LINE = 64,
    PROCESSORS = 512, /* a thread is its number modulo this */
    LINES_LOG2 = 23,  /* lines that there may be */
    SITES = 1 << 19,  /* bytes of code */
    LOCKS = 1 << 12,  /* that are ever taken */
    HELD = 16,        /* at a time, by one thread */
    MISS = 60,        /* accesses that a miss takes as long as */
    TURN = 100        /* accesses of a turn, on average */
};

typedef struct line {
    uintptr_t at; /* its address; 0: nobody's */
    uint32_t busy;
    uint16_t writer; /* who wrote it, and has it alone, plus 1; 0: nobody */
    uint16_t count;  /* who has it */
    uint64_t has[PROCESSORS / 64];
} line;

/* What happened from one place of the code. */
#define SITE_COUNTS(X) X(accesses) X(fetched) X(invalidates) X(taken) X(locked)

typedef struct site {
#define SITE_FIELD(name) uint64_t name;
    SITE_COUNTS(SITE_FIELD)
#undef SITE_FIELD
} site;

typedef struct lock {
    uintptr_t at;
    uint64_t takes, waits, cost;
} lock;

static struct {
    line *lines;
    site *sites;
    lock locks[LOCKS];
    uint32_t threads, counts, used;
} all;

typedef struct holding {
    uintptr_t at;
    uint64_t since;
} holding;

/* Without initial-exec the loader would allocate it. */
static _Thread_local struct {
    uint32_t processor; /* plus 1 */
    uint32_t left, seed, held_count;
    uint64_t cost;
    holding held[HELD];
} me __attribute__((tls_model("initial-exec")));

extern const char __ehdr_start[] __attribute__((visibility("hidden"))); /* the linker's */

static void *fresh(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED)
        abort();
    return p;
}

/* The first access of all, before there is a second thread; the first of each. */
static __attribute__((noinline)) void begin(void)
{
    if (all.lines == NULL) {
        all.sites = fresh(sizeof(site) * SITES);
        all.lines = fresh(sizeof(line) << LINES_LOG2);
    }
    uint32_t number = __atomic_fetch_add(&all.threads, 1, __ATOMIC_RELAXED);
    me.processor = number % PROCESSORS + 1;
    me.seed = number * 2654435761U + 1;
    me.left = 1;
}

static uint64_t hash(uintptr_t at, unsigned bits)
{
    return (uint64_t)at * 0x9e3779b97f4a7c15ULL >> (64 - bits);
}

/* Who finds it free has the place. */
static bool claim(uintptr_t *place, uintptr_t at)
{
    uintptr_t seen = 0;
    return __atomic_compare_exchange_n(place, &seen, at, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE) ||
           seen == at;
}

static line *line_of(uintptr_t at)
{
    uint64_t i = hash(at, LINES_LOG2);
    while (!claim(&all.lines[i].at, at))
        i = (i + 1) & (((uint64_t)1 << LINES_LOG2) - 1);
    return &all.lines[i];
}

static void count(uint64_t *what)
{
    (void)__atomic_fetch_add(what, 1, __ATOMIC_RELAXED);
}

static bool has(const line *l, uint32_t processor)
{
    return (l->has[processor / 64] >> (processor % 64) & 1) != 0;
}

static void give(line *l, uint32_t processor)
{
    l->has[processor / 64] |= (uint64_t)1 << (processor % 64);
    l->count++;
}

/* What of a site's counts goes up; NULL: it is no miss. */
static uint64_t *change(line *l, uint32_t processor, bool write, site *s)
{
    bool had = has(l, processor), others = l->count != had;
    if (!write && had)
        return NULL;
    if (!write) {
        uint64_t *what = l->writer != 0 ? &s->fetched : NULL;
        l->writer = 0;
        give(l, processor);
        return what;
    }
    l->writer = (uint16_t)(processor + 1);
    if (!others && had)
        return NULL;
    memset(l->has, 0, sizeof(l->has));
    l->count = 0;
    give(l, processor);
    return !others ? NULL : had ? &s->invalidates : &s->taken;
}

static void touch_line(uintptr_t at, coherence_access access, site *s)
{
    line *l = line_of(at);
    while (__atomic_exchange_n(&l->busy, 1, __ATOMIC_ACQUIRE) != 0)
        sched_yield();
    uint64_t *miss = change(l, me.processor - 1, access != COHERENCE_READ, s);
    __atomic_store_n(&l->busy, 0, __ATOMIC_RELEASE);
    me.cost += miss != NULL ? 1 + MISS : 1;
    if (__atomic_load_n(&all.counts, __ATOMIC_RELAXED) == 0)
        return;
    count(&s->accesses);
    if (miss != NULL)
        count(miss);
    if (access == COHERENCE_LOCKED)
        count(&s->locked);
}

void coherence_touch(const volatile void *at, size_t bytes, coherence_access access,
                     const void *from)
{
    if (me.processor == 0)
        begin();
    uintptr_t place = (uintptr_t)from - (uintptr_t)__ehdr_start, end = (uintptr_t)at + bytes;
    site *s = &all.sites[place < SITES ? place : 0];
    for (uintptr_t i = (uintptr_t)at / LINE * LINE; i < end; i += LINE)
        touch_line(i, access, s);
    if (--me.left != 0)
        return;
    me.seed = me.seed * 1664525U + 1013904223U;
    me.left = 1 + (uint32_t)((uint64_t)me.seed * (2 * TURN) >> 32);
    sched_yield();
}

/* ---- locks ---- */

static lock *lock_of(uintptr_t at)
{
    uint64_t i = hash(at, 12);
    while (!claim(&all.locks[i].at, at))
        i = (i + 1) % LOCKS;
    return &all.locks[i];
}

void coherence_taken(const volatile uint32_t *word)
{
    if (me.held_count < HELD)
        me.held[me.held_count++] = (holding){(uintptr_t)word, me.cost};
}

void coherence_waits(const volatile uint32_t *word)
{
    if (all.counts != 0)
        count(&lock_of((uintptr_t)word)->waits);
}

void coherence_given(const volatile uint32_t *word)
{
    for (uint32_t i = me.held_count; i-- > 0;) {
        if (me.held[i].at != (uintptr_t)word)
            continue;
        uint64_t cost = me.cost - me.held[i].since;
        me.held[i] = me.held[--me.held_count];
        if (all.counts == 0)
            return;
        lock *l = lock_of((uintptr_t)word);
        count(&l->takes);
        (void)__atomic_fetch_add(&l->cost, cost, __ATOMIC_RELAXED);
        return;
    }
}

/* ---- the machine ---- */

/* The library asks how many processors there are: one for each thread. */
int sched_getaffinity(pid_t pid, size_t len, cpu_set_t *set)
{
    (void)pid;
    memset(set, 0, len);
    for (size_t i = 0; i < PROCESSORS && i < 8 * len; i++)
        CPU_SET_S(i, len, set);
    return 0;
}

/* ---- what it comes to ---- */

void coherence_count(int now)
{
    __atomic_store_n(&all.counts, now != 0, __ATOMIC_SEQ_CST);
}

static __attribute__((format(printf, 2, 3))) void say(int file, const char *form, ...)
{
    char text[200];
    va_list list;
    va_start(list, form);
    int n = vsnprintf(text, sizeof(text), form, list);
    va_end(list);
    if (n < 0 || write(file, text, (size_t)n) != n)
        abort();
}

/* To the file that COHERENCE_OUT names: a line for each place and each lock. */
__attribute__((destructor)) static void report(void)
{
    const char *path = getenv("COHERENCE_OUT");
    int file = path == NULL ? -1 : open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    if (file < 0 || all.lines == NULL)
        return;
    coherence_count(0);
    for (uint32_t i = 0; i < SITES; i++) {
        const site *s = &all.sites[i];
        if (s->accesses == 0)
            continue;
        say(file, "site %x", i);
#define SITE_SAY(name) say(file, " %llu", (unsigned long long)s->name);
        SITE_COUNTS(SITE_SAY)
#undef SITE_SAY
        say(file, "\n");
    }
    for (uint32_t i = 0; i < LOCKS; i++) {
        const lock *l = &all.locks[i];
        if (l->takes != 0)
            say(file, "lock %llu %llu %llu\n", (unsigned long long)l->takes,
                (unsigned long long)l->waits, (unsigned long long)l->cost);
    }
    close(file);
}
