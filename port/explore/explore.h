/* SPDX-License-Identifier: MIT */
#ifndef LOAM_EXPLORE_H
#define LOAM_EXPLORE_H

/* explore.h - every order in which two or three processors can run a small script.
 *
 * A script is an initial state and a few actors: threads of control, one a processor, and
 * interrupts that may come on a processor at any point where its interrupts are on. explore_run
 * runs them in every order of their points (an atomic access, taking a lock, turning interrupts
 * off), from every state that can be reached once, and looks in each for
 *
 *     a want that does not hold, a misuse or corruption that the core reports, a crash
 *     actors that all wait for one another, and loops without an end
 *     two accesses to one byte, one of them a write, that no release and acquire puts in order
 *     what finish() says of the state at the end
 *
 * What the actors share lies in memory from explore_shared and explore_notes; it and the stacks
 * are the state. The core is compiled with -fsanitize=thread against the functions here, so that
 * each of its accesses is known: to go back to an earlier state, to tell states apart, to find
 * races. Nothing else of the core changes.
 *
 * Memory is sequentially consistent, or with .tso as x86 has it: a store waits in its processor's
 * buffer for as long as it likes while later loads go ahead. A release that is missing shows as a
 * race all the same. Weaker orders among the atomic words themselves are the models' part
 * (test/models/).
 */
#include <stddef.h>
#include <stdint.h>

#include "loam/port.h"

enum { EXPLORE_ACTORS = 6 };

typedef struct explore_actor_plan {
    void (*run)(void);
    unsigned cpu;
    bool interrupt; /* comes once at most, interrupts off, above the thread of the same cpu */
} explore_actor_plan;

typedef struct explore_script {
    const char *name;
    void (*setup)(void); /* makes the initial state; not explored */
    /* by one actor alone when all are through, in any order of calls: NULL, or what is wrong */
    const char *(*finish)(void);
    explore_actor_plan actor[EXPLORE_ACTORS];
    unsigned switches; /* most times that an actor gives way that could go on; 0: no limit */
    bool tso;
    bool misuse_is_fine; /* the core may refuse; else a refusal is a failure */
    bool no_race_check;
} explore_script;

typedef struct explore_result {
    const char *broken;   /* NULL: nothing found */
    const char *schedule; /* of what broke: "a12b3a" = 12 steps of actor 0, 3 of actor 1, ... */
    uint64_t states, steps, ends, longest;
} explore_result;

/* Explores; with `schedule` not NULL runs that order alone. tell: a line for each step of a
 * failing or given order goes there; may be NULL. most: states after which it gives up, which
 * counts as broken. */
explore_result explore_run(const explore_script *script, const char *schedule, uint64_t most,
                           void (*tell)(void *ctx, const char *line), void *ctx);

/* Memory of the state, zeroed, aligned to 64, valid until the next explore_run. Of setup alone.
 * Notes are the script's own: races are not looked for in them. */
void *explore_shared(size_t bytes);
void *explore_notes(size_t bytes);

/* Names the words of an object in the printed steps: "front[1].live". */
void explore_label(const void *p, size_t bytes, const char *name);

/* From an actor: this order is broken. */
_Noreturn void explore_fail(const char *what);
#define EXPLORE_WANT(cond) ((cond) ? (void)0 : explore_fail("wanted: " #cond))

/* From an actor: others may go on here. */
void explore_yield(void);

/* Number of the actor that runs. */
unsigned explore_me(void);

/* In setup and finish: the processor that loam_port_cpu answers; 0 at first. */
void explore_set_cpu(unsigned cpu);

#endif
