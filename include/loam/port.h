/* SPDX-License-Identifier: MIT */
#ifndef LOAM_PORT_H
#define LOAM_PORT_H

/* port.h - the only way out of the core.
 *
 * A port is one inline header, loam_port.h, found on the include path (port/hosted/, arch/<cpu>/),
 * and three functions linked beside it. The header defines:
 *
 *   LOAM_PORT_MAX_CPUS              constant, at least 1
 *   loam_port_cpu()                 unsigned, 0 .. LOAM_PORT_MAX_CPUS - 1; stable while interrupts
 *                                   are off
 *   loam_port_irq_save()            loam_irq; interrupts of this processor off, nests
 *   loam_port_irq_restore(irq)      back to what irq_save found
 *   loam_lock, LOAM_LOCK_INIT       a lock that also keeps interrupts off while it is held
 *   loam_lock_acquire(lock)         returns loam_irq; waits
 *   loam_lock_release(lock, irq)
 *   LOAM_LOCK_OF(rank)              may be left out: LOAM_LOCK_INIT for a lock of which it is known
 *                                   what it guards (port_lock.h), for ports that check holders
 *   LOAM_PORT_NOTE_...              may be left out: what those who watch memory are told
 *                                   (port_notes.h)
 *   LOAM_PORT_READS_ZERO, LOAM_PORT_CLEAR
 *                                   may be left out: long runs of zeros (port_wide.h)
 *   loam_port_relax()               a hint inside a waiting loop
 *   loam_port_ticks()               uint64_t, a counter that never goes back; its rate is the
 *                                   port's
 *   loam_atomic_load(p) / _store(p, v) / _exchange(p, v) / _or(p, v) / _add(p, v)
 *                                   on uint32_t *; load acquires, store releases, the rest do both;
 *                                   exchange, or and add return the old value
 *   loam_atomic_peek(p)             load of a uint32_t without order, for hints and flags
 *   loam_atomic_cas(p, old, v)      bool; *p becomes v if it is old; acquires and releases when it
 *                                   does, acquires when it does not; false only if *p is not old
 *   loam_atomic_byte_cas(p, old, v), loam_atomic_byte_store(p, v), loam_atomic_byte_peek(p)
 *                                   the same, a store that releases, and a load without order, on
 *                                   uint8_t *
 *   loam_atomic_peek16(p) / _poke16(p, v)
 *                                   load and store of a uint16_t without order; whole
 *   loam_atomic_ptr_load(p) / _ptr_store(p, v) / _ptr_exchange(p, v) / _ptr_cas(p, old, v)
 *                                   the same as on uint32_t *, on void **
 *   loam_atomic_ptr_peek(p)         load of a void * without order
 *   loam_atomic_peek64(p) / _poke64(p, v)
 *                                   load and store of a uint64_t without order, for words that one
 *                                   processor writes and others look at: each half is whole, the
 *                                   two may be of different times
 *
 * What several processors share without a lock is touched by these calls alone: a test puts a
 * scheduler behind them that tries every order (port/explore/). None of them is atomic on 64 bits:
 * a machine of 32 need not have that. In the core the comment of such a field begins with [atomic],
 * and one beside each call says "pairs with the load in FUNCTION", which says the same in return,
 * or "no order: why" where nothing else hangs on the value.
 */
#include "loam/base.h"
#include "loam/port_lock.h"
#include "loam_port.h"

#include "loam/port_notes.h"
#include "loam/port_wide.h"

#ifndef LOAM_LOCK_OF
#define LOAM_LOCK_OF(rank) LOAM_LOCK_INIT
#endif

/* What the core tells of a refusal. Texts are literals: short, lower case, without newline. */
typedef struct loam_report {
    const char *unit;   /* "zone", "slab", ... */
    const char *what;   /* misuse: "double free"; corruption: the rule's name and text, "B3 ..." */
    const char *object; /* what `value` is: "frame", "address", "order", "cache" */
    uint64_t value;     /* the frame number, address or order that the caller gave */
    /* what the object is: "free", "reserved", "inner", "beyond memory"; or NULL */
    const char *state;
    const char *name;   /* cache or class, or NULL */
    uint64_t size;      /* bytes of the object, or 0 when it has none */
    const void *site;   /* where it was allocated, or NULL when that is not recorded */
    const void *caller; /* return address of the public function that was called */
    const char *rule;   /* the rule that the call would have broken: "Z6"; or NULL */
} loam_report;

/* A caller's bug. The port panics, or returns (policy "report"); then the call is refused and
 * nothing has changed. Called with no lock held. */
void loam_port_misuse(const loam_report *report);

/* A broken rule of the core, or a guard that was overwritten: never returns. */
_Noreturn void loam_port_corrupt(const loam_report *report);

typedef enum loam_policy { LOAM_POLICY_PANIC, LOAM_POLICY_REPORT } loam_policy;

/* Chooses what loam_port_misuse does after it has printed its line, and returns the former choice.
 * Every port starts with LOAM_POLICY_PANIC. */
loam_policy loam_port_set_policy(loam_policy policy);

/* Calls fn(ctx, report) in place of printing a line, for misuse and corruption alike; NULL prints
 * again. For tests and for shells. Corruption still does not return after fn did. */
typedef void loam_report_fn(void *ctx, const loam_report *report);
void loam_port_on_report(loam_report_fn *fn, void *ctx);

/* The one wording of a report, for every port: "zone: double free: frame 1a2b, free, caller 0x...".
 * No newline. */
void loam_report_text(loam_text *out, const loam_report *report);

#endif
