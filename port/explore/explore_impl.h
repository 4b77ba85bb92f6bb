/* SPDX-License-Identifier: MIT */
#ifndef LOAM_EXPLORE_IMPL_H
#define LOAM_EXPLORE_IMPL_H

/* explore_impl.h - what the explorer's files share. The theory is at the top of explore_search.c.
 */
#include <setjmp.h>

#include "explore.h"

enum {
    EXPLORE_ARENA = 4 << 20,  /* bytes of state at most */
    EXPLORE_STACK = 32 << 10, /* of an actor */
    EXPLORE_CPUS = LOAM_PORT_MAX_CPUS,
    EXPLORE_BUFFER = 4,  /* stores that wait on one processor */
    EXPLORE_DEPTH = 4096 /* steps of one order at most */
};

typedef enum explore_op {
    OP_START, /* has not run yet; of an interrupt: has not come */
    OP_LOAD,
    OP_PEEK,
    OP_STORE,
    OP_POKE, /* a store without order */
    OP_EXCHANGE,
    OP_OR,
    OP_ADD,
    OP_CAS,
    OP_LOCK,
    OP_IRQ_OFF,
    OP_REST,
    OP_YIELD,
    OP_DONE
} explore_op;

typedef struct explore_clock {
    uint16_t of[EXPLORE_ACTORS];
} explore_clock;

/* All that an actor is, apart from the bytes of its stack. */
typedef struct explore_actor {
    jmp_buf at;
    const explore_actor_plan *plan;
    unsigned char *low; /* lowest byte of its stack in use */
    uint32_t image;     /* where the copy of its stack is kept */
    explore_op op;      /* what it does next, on which word, from where */
    const void *word, *site;
    uint64_t stack_hash;
    uint64_t rest_hash; /* of memory, when it began to rest */
    bool irq_off, started;
    explore_clock clock;
} explore_actor;

typedef struct explore_store {
    void *word;
    uint64_t value;
    uint32_t bytes;
} explore_store;

typedef struct explore_buffer {
    uint32_t count;
    explore_store store[EXPLORE_BUFFER];
} explore_buffer;

/* ---- memory: explore_memory.c ---- */

typedef enum explore_access {
    ACCESS_READ,
    ACCESS_WRITE,
    ACCESS_ATOMIC_READ,
    ACCESS_ATOMIC_WRITE,
    ACCESS_ACQUIRE, /* of the word `at`; of processor n's interrupts: n + EXPLORE_ARENA */
    ACCESS_RELEASE, /* what was released before is forgotten */
    ACCESS_RELEASE_MORE
} explore_access;

typedef struct explore_touch {
    uint32_t at, bytes; /* offset in the arena */
    explore_access access;
    const void *site;
} explore_touch;

typedef struct explore_mark {
    uint32_t undo;
    uint64_t hash;
} explore_mark;

extern unsigned char explore_arena[EXPLORE_ARENA];
extern bool explore_live; /* accesses are noted */

void explore_memory_begin(void);      /* empty, all bytes 0 */
void explore_memory_start(void);      /* what lies there now is the initial state */
uint64_t explore_memory_settle(void); /* takes the writes since the last call into the hash */
explore_mark explore_memory_mark(void);
void explore_memory_undo(explore_mark mark);
bool explore_memory_is_sound(void); /* the hash is that of the bytes: no write escaped */
bool explore_in_arena(const void *p);
bool explore_in_notes(uint32_t at);
void explore_note(const void *p, uint32_t bytes, explore_access access, const void *site);
void explore_note_irq(unsigned cpu, explore_access access);
/* The touches since the last call. */
const explore_touch *explore_touches(uint32_t *count);
void explore_write(void *word, uint64_t value, uint32_t bytes);
uint64_t explore_read(const void *word, uint32_t bytes);
uint64_t explore_mix(uint64_t a, uint64_t b);

/* ---- actors: explore_actor.c ---- */

extern explore_actor explore_actors[EXPLORE_ACTORS];
extern explore_buffer explore_buffers[EXPLORE_CPUS];
extern unsigned explore_count; /* of actors */
extern const explore_script *explore_current_script;

void explore_actors_begin(const explore_script *script);
/* Runs an actor up to its next point. Returns what it found broken, or NULL. */
const char *explore_actor_go(unsigned number);
bool explore_actor_can(unsigned number);
bool explore_actor_waits(unsigned number); /* rests, or for a lock */
void explore_flush_one(unsigned cpu);
unsigned char *explore_stack_top(unsigned number);
_Noreturn void explore_stop(const char *what);

/* ---- races: explore_race.c ---- */

void explore_race_begin(void);
/* The accesses of one step of an actor: what is out of order, or NULL. */
const char *explore_race_step(unsigned number, const explore_touch *touch, uint32_t count);
uint32_t explore_race_mark(void);
void explore_race_undo(uint32_t mark);

/* ---- words: explore_tell.c ---- */

/* "cpu 0  load  front[0].live  zone_alloc_front" into line. */
void explore_tell_step(char *line, size_t size, unsigned choice);
void explore_tell_begin(void);
const char *explore_tell_word(uint32_t at, char *text, size_t size);
const char *explore_tell_site(const void *site, char *text, size_t size);
const char *explore_textf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
