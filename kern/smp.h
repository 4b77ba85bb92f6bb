/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_SMP_H
#define LOAM_KERN_SMP_H

/* smp.h - the kernel's processors: started once, then each serves what it is asked for.
 *
 * Processor 0 is the one that booted; it runs main.c and the shell. On a board with one processor
 * all of this is there and answers at once.
 */
#include "loam/base.h"

/* Processors that are up and take part, this one included; 1 until smp_start. And their numbers:
 * bit c is processor c. O(1), any context; the set may be old when the caller looks at it. */
unsigned smp_online(void);
uint64_t smp_online_set(void);

/* How many processors this kernel reckons with: what the firmware names, at most what the port can
 * count and the command line's cpus=N allows. Valid after startup_find, and then always the same:
 * fronts and rings are made for so many. Numbers of processors are below it. */
unsigned smp_count(void);

/* Starts every processor of smp_count, waits for each at most a second, and says in the boot log
 * which one did not come. Prints "cpus: N online". Once, by processor 0, after startup_objects;
 * interrupts on. */
void smp_start(void);

/* Here a started processor begins: on the stack that board_cpu_start got, paging and caches on,
 * interrupts off, loam_port_cpu() already its own. It serves work, and sleeps when there is none;
 * before it sleeps its fronts are drained. */
_Noreturn void smp_enter(void);

/* Calls fn(ctx) in thread context, interrupts on, on all processors that are online, the caller
 * too.
 *   returns     when all have come back from it
 *   context     processor 0, thread, interrupts on, no lock held; not from inside fn
 */
void smp_run(void (*fn)(void *ctx), void *ctx);

/* Calls fn(ctx), interrupts off, on each processor of the set that is online, but not on the
 * caller.
 *   fn          must be fit for any place of the program, for it may come while that processor
 *               waits for a lock or for an answer: it takes no lock, allocates nothing, asks nobody
 *   returns     when all have come back from it. Meanwhile serves what others ask of this one
 *   context     any; a lock may be held that the others are waiting for
 *   cost        one interrupt for each of the set, however many ask at once
 */
void smp_interrupt(uint64_t cpus, void (*fn)(void *ctx), void *ctx);

/* Wakes each processor of the set but the caller, to look after its duties soon: drain requests of
 * zones and slabs (smp_duties). Does not wait. Any context. */
void smp_kick(uint64_t cpus);

/* The board's handler of the processors' own interrupt calls it, having acknowledged it. */
void smp_interrupted(void);

/* Whoever waits with interrupts off calls it in his loop: serves what may be served anywhere, and
 * stops here for ever when another processor panics. Interrupts are off. */
void smp_serve(void);

/* What a processor owes the others: its fronts' drain requests. Timer tick, before sleeping. */
void smp_duties(void);

/* Until every other processor that is online has done its duties since the call: a zone's
 * config.wait. This one does its own meanwhile.
 *   returns     false: there is no other, or one did not come to it within half a second (it may be
 *               waiting for a lock that the caller holds)
 *   context     any, no lock of a zone or an object layer held
 */
bool smp_wait_for_duties(void *ctx);

/* Gives back what this processor keeps in fronts; what all of them keep, as smp_run. */
void smp_drain_here(void);
void smp_drain_all(void);

/* This processor takes no part for a while: it keeps nothing in fronts and is told of nothing. It
 * still answers who asked it before. Interrupts on; between the two it uses no memory that others
 * may map or unmap meanwhile. Not processor 0. */
void smp_leave(void);
void smp_join(void);

/* In interrupt context, KERN_TICK_HZ times a second on each processor: boards give this function to
 * their timers. */
void smp_tick(void);

/* For panics: stops the other processors and waits for them at most 100 ms. If another one panics
 * already, this one stops here instead. May be called again. */
void smp_stop_others(void);

/* One processor's part, for the word `cpus`. */
typedef struct smp_view {
    const char *state; /* "online", "offline", "did not come", "stopped", "not started" */
    uint64_t ticks;    /* of its timer */
    uint64_t calls;    /* interrupts that others sent it */
    uint64_t served;   /* requests done for others */
    uint64_t works;    /* rounds of smp_run */
} smp_view;
/* cpu below smp_count(). */
void smp_look(unsigned cpu, smp_view *view);

#endif
