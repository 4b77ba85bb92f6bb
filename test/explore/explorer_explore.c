/* SPDX-License-Identifier: MIT */
/* explorer_explore.c - the explorer itself: it tries every order, and finds each kind of fault in
 * programs of a few lines that have exactly that one. */
#include <string.h>

#include "explore_case.h"

typedef struct toy {
    uint32_t a, b; /* [atomic] */
    loam_lock lock, other;
    uint32_t plain;
    void *p; /* [atomic] */
    uint32_t far[32];
} toy;

static toy *x;
static uint32_t *seen; /* notes */

static void setup(void)
{
    x = explore_shared(sizeof *x);
    seen = explore_notes(64);
    explore_label(&x->a, 4, "a");
    explore_label(&x->b, 4, "b");
    explore_label(&x->lock, sizeof x->lock, "lock");
    explore_label(&x->other, sizeof x->other, "other");
    explore_label(&x->plain, 4, "plain");
}

static explore_result run(const explore_script *script)
{
    return explore_run(script, NULL, 1 << 20, NULL, NULL);
}

/* Wants this fault to be found, and found again by the schedule that was told. */
static void wants_broken(tap *t, const explore_script *script, const char *part)
{
    explore_result result = run(script);
    TAP_CHECK(t, result.broken != NULL && strstr(result.broken, part) != NULL);
    if (result.broken == NULL || strstr(result.broken, part) == NULL) {
        tap_note(t, "%s: wanted: %s", script->name, part);
        tap_note(t, "got: %s", result.broken != NULL ? result.broken : "nothing");
        return;
    }
    char schedule[1000];
    strcpy(schedule, result.schedule);
    result = explore_run(script, schedule, 0, NULL, NULL);
    TAP_CHECK(t, result.broken != NULL && strstr(result.broken, part) != NULL);
}

/* ---- orders ---- */

static void write_trail(void)
{
    for (unsigned i = 0; i < 3; i++) {
        explore_yield();
        *seen = *seen * 4 + explore_me() + 1;
    }
}

/* Outside of the state: every trail that some order left. */
static uint32_t trails[2000];
static unsigned trail_count;

static const char *collect(void)
{
    for (unsigned i = 0; i < trail_count; i++) {
        if (trails[i] == *seen)
            return NULL;
    }
    trails[trail_count++] = *seen;
    return NULL;
}

static unsigned trails_of(const explore_script *script)
{
    trail_count = 0;
    (void)run(script);
    return trail_count;
}

static void all_orders(tap *t)
{
    explore_script two = {
        "trail of two", setup, collect, {{write_trail, 0, 0}, {write_trail, 1, 0}}, 0,
        false,          false, false};
    TAP_EQ(t, trails_of(&two), 20); /* 6 over 3 */
    explore_script three = two;
    three.actor[2] = (explore_actor_plan){write_trail, 2, false};
    TAP_EQ(t, trails_of(&three), 1680); /* 9! / 3!^3 */
    /* With one switch, whoever is first is left after 0 to 3 of its yields; two of these eight
     * trails are the same. Going on with the other when one is through is no switch. */
    two.switches = 1;
    TAP_EQ(t, trails_of(&two), 6);
    two.switches = 6;
    TAP_EQ(t, trails_of(&two), 20);
}

static void add_locked(void)
{
    loam_irq irq = loam_lock_acquire(&x->lock);
    x->plain++;
    loam_lock_release(&x->lock, irq);
}

static const char *plain_is_3(void)
{
    return x->plain == 3 ? NULL : "plain is not 3";
}

static void lock_holds(tap *t)
{
    explore_script script = {"counter under a lock",
                             setup,
                             plain_is_3,
                             {{add_locked, 0, 0}, {add_locked, 1, 0}, {add_locked, 2, 0}},
                             0,
                             false,
                             false,
                             false};
    explore_case(t, &script, 1000);
}

/* ---- faults ---- */

static void add_torn(void)
{
    uint32_t v = loam_atomic_load(&x->a);
    loam_atomic_store(&x->a, v + 1);
}

static const char *a_is_2(void)
{
    return x->a == 2 ? NULL : "a is not 2";
}

static void lost_update(tap *t)
{
    explore_script script = {"lost update", setup, a_is_2, {{add_torn, 0, 0}, {add_torn, 1, 0}}, 0,
                             false,         false, false};
    wants_broken(t, &script, "a is not 2");
    script.switches = 1;
    wants_broken(t, &script, "a is not 2");
}

static void add_plain(void)
{
    x->plain++;
    explore_yield();
}

static void plain_race(tap *t)
{
    explore_script script = {
        "plain counter", setup, NULL, {{add_plain, 0, 0}, {add_plain, 1, 0}}, 0,
        false,           false, false};
    wants_broken(t, &script, "race: actor");
    script.no_race_check = true;
    TAP_CHECK(t, run(&script).broken == NULL);
}

static void publish(void)
{
    x->plain = 7;
    loam_atomic_store(&x->a, 1);
}

static void take_it(void)
{
    if (loam_atomic_load(&x->a) == 1)
        EXPLORE_WANT(x->plain == 7);
}

static void take_it_by_peek(void)
{
    if (loam_atomic_peek(&x->a) == 1)
        EXPLORE_WANT(x->plain == 7);
}

static void missing_acquire(tap *t)
{
    explore_script script = {"publication", setup, NULL, {{publish, 0, 0}, {take_it, 1, 0}}, 0,
                             false,         false, false};
    explore_case(t, &script, 1000);
    script.actor[1].run = take_it_by_peek;
    wants_broken(t, &script, "race: actor 1 reads plain");
}

static void lock_both(loam_lock *first, loam_lock *second)
{
    loam_irq outer = loam_lock_acquire(first), inner = loam_lock_acquire(second);
    loam_lock_release(second, inner);
    loam_lock_release(first, outer);
}

static void lock_up(void)
{
    lock_both(&x->lock, &x->other);
}

static void lock_down(void)
{
    lock_both(&x->other, &x->lock);
}

static void deadlock(tap *t)
{
    explore_script script = {"locks", setup, NULL,  {{lock_up, 0, 0}, {lock_up, 1, 0}},
                             0,       false, false, false};
    explore_case(t, &script, 1000);
    script.actor[1].run = lock_down;
    wants_broken(t, &script, "all wait: actor 0 for the lock other, actor 1 for the lock lock");
}

static void wait_for_a(void)
{
    while (loam_atomic_load(&x->a) == 0)
        loam_port_relax();
}

static void wait_for_b(void)
{
    while (loam_atomic_load(&x->b) == 0)
        loam_port_relax();
}

static void set_a(void)
{
    loam_atomic_store(&x->a, 1);
}

static void endless(tap *t)
{
    explore_script script = {"wait", setup, NULL,  {{wait_for_a, 0, 0}, {set_a, 1, 0}},
                             0,      false, false, false};
    explore_case(t, &script, 1000);
    script.actor[0].run = wait_for_b;
    wants_broken(t, &script, "no end");
}

static void ask_few_times(void)
{
    for (unsigned i = 0; i < 3; i++) {
        if (loam_atomic_load(&x->a) != 0)
            return;
        loam_port_relax();
    }
}

static void patience(tap *t)
{
    explore_script script = {
        "a bounded wait", setup, NULL, {{ask_few_times, 0, 0}}, 0, false, false, false};
    explore_case(t, &script, 1000);
}

static void write_to_nowhere(void)
{
    if (loam_atomic_load(&x->a) == 1)
        *(volatile uint32_t *)(uintptr_t)0x10 = 1;
}

static void crash(tap *t)
{
    explore_script script = {
        "a wild write", setup, NULL, {{write_to_nowhere, 0, 0}, {set_a, 1, 0}}, 0,
        false,          false, false};
    wants_broken(t, &script, "a crash");
}

static void report(void)
{
    loam_port_misuse(&(loam_report){.unit = "zone", .what = "double free"});
}

static void misuse(tap *t)
{
    explore_script script = {"misuse", setup, NULL, {{report, 0, 0}}, 0, false, false, false};
    wants_broken(t, &script, "the core reports: zone: double free");
    script.misuse_is_fine = true;
    explore_case(t, &script, 1000);
}

/* ---- interrupts ---- */

static void add_irqs_off(void)
{
    loam_irq irq = loam_port_irq_save();
    x->plain++;
    loam_port_irq_restore(irq);
}

static void add_two_places(void)
{
    add_irqs_off();
    add_irqs_off();
}

static void add_half_guarded(void)
{
    add_irqs_off();
    x->plain++;
}

static void interrupts(tap *t)
{
    explore_script script = {
        "interrupt", setup, plain_is_3, {{add_two_places, 0, 0}, {add_irqs_off, 0, true}},
        0,           false, false,      false};
    explore_result result = explore_case(t, &script, 1000);
    TAP_CHECK(t, result.states >= 6);
    script.actor[0].run = add_half_guarded;
    script.finish = NULL;
    wants_broken(t, &script, "race: actor");
}

/* The thread holds the lock with interrupts on, as a lock that does not turn them off would. */
static void lock_irqs_on(void)
{
    loam_irq irq = loam_lock_acquire(&x->lock);
    loam_port_irq_restore(irq);
    explore_yield();
    irq = loam_port_irq_save();
    loam_lock_release(&x->lock, irq);
}

static void interrupted_lock(tap *t)
{
    explore_script script = {"lock that is interrupted",
                             setup,
                             NULL,
                             {{add_locked, 0, 0}, {add_locked, 0, true}},
                             0,
                             false,
                             false,
                             false};
    explore_case(t, &script, 1000);
    script.actor[0].run = lock_irqs_on;
    wants_broken(t, &script, "all wait");
}

/* ---- buffers of stores ---- */

static void store_a_load_b(void)
{
    loam_atomic_store(&x->a, 1);
    seen[0] = 1 + loam_atomic_load(&x->b);
}

static void store_b_load_a(void)
{
    loam_atomic_store(&x->b, 1);
    seen[1] = 1 + loam_atomic_load(&x->a);
}

static void exchange_b_load_a(void)
{
    (void)loam_atomic_exchange(&x->b, 1);
    seen[1] = 1 + loam_atomic_load(&x->a);
}

static void exchange_a_load_b(void)
{
    (void)loam_atomic_exchange(&x->a, 1);
    seen[0] = 1 + loam_atomic_load(&x->b);
}

static const char *one_saw_the_other(void)
{
    return seen[0] == 1 && seen[1] == 1 ? "neither saw the other" : NULL;
}

static void store_buffers(tap *t)
{
    explore_script script = {"store buffers",
                             setup,
                             one_saw_the_other,
                             {{store_a_load_b, 0, 0}, {store_b_load_a, 1, 0}},
                             0,
                             false,
                             false,
                             false};
    explore_case(t, &script, 1000);
    script.tso = true;
    wants_broken(t, &script, "neither saw the other");
    script.actor[1].run = exchange_b_load_a;
    wants_broken(t, &script, "neither saw the other");
    script.actor[0].run = exchange_a_load_b;
    explore_case(t, &script, 1000);
}

static const tap_case cases[] = {
    {"explorer: trails of two and three actors: every order", all_orders},
    {"explorer: a counter under a lock: sound", lock_holds},
    {"explorer: a load and a store in place of an add: lost update found", lost_update},
    {"explorer: a plain counter: race found", plain_race},
    {"explorer: published by store, read after a peek: race found", missing_acquire},
    {"explorer: locks taken up and down: deadlock found", deadlock},
    {"explorer: waiting for what never comes: found", endless},
    {"explorer: waiting a bounded time: sound", patience},
    {"explorer: a wild write: the order that leads there", crash},
    {"explorer: a refusal of the core: found, unless it is wanted", misuse},
    {"explorer: what a handler touches, touched with interrupts on: found", interrupts},
    {"explorer: a lock held with interrupts on, taken by a handler: found", interrupted_lock},
    {"explorer: two stores, two loads: both old with store buffers alone", store_buffers},
};
TAP_SUITE(explorer_explore, cases);

int main(int argc, char **argv)
{
    return tap_host_main(&tap_suite_explorer_explore, argc, argv);
}
