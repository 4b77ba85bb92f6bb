/* SPDX-License-Identifier: MIT */
/* stacks_test.c - frames on stacks that are arrays: which are followed, and where it ends. */
#include "../../kern/stacks.h"
#include "tap.h"

enum { WORDS = 1024, MANY = 5000, GUARD = 4096 };

/* One array, so that who lies above whom is known: a guard and a stack, twice. */
static struct {
    unsigned char guard0[GUARD];
    uintptr_t main[WORDS];
    unsigned char guard1[GUARD];
    uintptr_t trap[2 * MANY];
} memory;

static uintptr_t seen[MANY + 8];
static size_t count;

static void keep(uintptr_t pc)
{
    if (count < LOAM_ARRAY_LEN(seen))
        seen[count++] = pc;
}

static void fresh(void)
{
    static bool known;
    __builtin_memset(&memory, 0, sizeof(memory));
    if (!known) {
        (void)stacks_add("main stack", 0, memory.main, memory.main + WORDS);
        (void)stacks_add("trap stack", 3, memory.trap, memory.trap + LOAM_ARRAY_LEN(memory.trap));
    }
    known = true;
    count = 0;
}

/* A frame: the caller's, the return address. */
static uintptr_t frame(uintptr_t *at, uintptr_t caller, uintptr_t pc)
{
    at[0] = caller;
    at[1] = pc;
    return (uintptr_t)at;
}

static void innermost_first(tap *t)
{
    fresh();
    uintptr_t outer = frame(memory.main + 100, 0, 300);
    uintptr_t middle = frame(memory.main + 50, outer, 200);
    stacks_backtrace(frame(memory.main + 10, middle, 100), keep);
    TAP_EQ(t, count, 3);
    TAP_EQ(t, seen[0], 100);
    TAP_EQ(t, seen[1], 200);
    TAP_EQ(t, seen[2], 300);
}

static void from_trap_to_main(tap *t)
{
    fresh();
    uintptr_t interrupted = frame(memory.main + 7, 0, 200);
    stacks_backtrace(frame(memory.trap + 10, interrupted, 100), keep);
    TAP_EQ(t, count, 2);
    TAP_EQ(t, seen[1], 200);
}

static void overwritten(tap *t)
{
    fresh();
    __builtin_memset(memory.main + 28, 1, 64); /* what must not be read is no end either */
    memory.main[WORDS - 1] = (uintptr_t)memory.trap;
    memory.guard1[0] = 1;
    uintptr_t down = frame(memory.main + 10, 0, 1);
    stacks_backtrace(frame(memory.main + 20, down, 2), keep);
    TAP_EQ(t, count, 1); /* a caller below */
    stacks_backtrace(frame(memory.main + 20, (uintptr_t)(memory.main + 20), 3), keep);
    TAP_EQ(t, count, 2); /* itself */
    stacks_backtrace(frame(memory.main + 20, (uintptr_t)(memory.main + 30) + 1, 4), keep);
    TAP_EQ(t, count, 3); /* not aligned */
    stacks_backtrace(frame(memory.main + 20, (uintptr_t)(memory.main + WORDS - 1), 5), keep);
    TAP_EQ(t, count, 4); /* half of a frame */
    stacks_backtrace(frame(memory.main + 20, (uintptr_t)memory.guard1, 6), keep);
    TAP_EQ(t, count, 5); /* between the stacks */
}

static void no_frame_at_all(tap *t)
{
    fresh();
    stacks_backtrace(0, keep);
    stacks_backtrace(UINTPTR_MAX, keep);
    stacks_backtrace((uintptr_t)memory.guard0, keep);
    stacks_backtrace(frame(memory.main, 0, 0), keep); /* a stack's first frame has no caller */
    TAP_EQ(t, count, 0);
}

static void circles_end(tap *t)
{
    fresh();
    uintptr_t a = (uintptr_t)(memory.main + 10), b = (uintptr_t)(memory.trap + 10);
    (void)frame(memory.main + 10, b, 1);
    stacks_backtrace(frame(memory.trap + 10, a, 2), keep);
    TAP_EQ(t, count, 4096);
    fresh();
    for (size_t i = 0; i + 1 < MANY; i++)
        (void)frame(memory.trap + 2 * i, (uintptr_t)(memory.trap + 2 * i + 2), i + 1);
    stacks_backtrace((uintptr_t)memory.trap, keep);
    TAP_EQ(t, count, 4096);
}

static void whose_stack(tap *t)
{
    fresh();
    uintptr_t bottom = (uintptr_t)memory.trap;
    TAP_STR(t, stacks_find(bottom)->name, "trap stack");
    TAP_EQ(t, stacks_find(bottom + sizeof(memory.trap) - 1)->cpu, 3);
    TAP_CHECK(t, stacks_find(bottom - 1) == NULL);
    TAP_CHECK(t, stacks_find(bottom + sizeof(memory.trap)) == NULL);
    TAP_STR(t, stacks_find_guard(bottom - 1)->name, "trap stack");
    TAP_STR(t, stacks_find_guard(bottom - GUARD)->name, "trap stack");
    TAP_CHECK(t, stacks_find_guard(bottom - GUARD - 1) == NULL);
    TAP_CHECK(t, stacks_find_guard(bottom) == NULL);
}

static void too_many(tap *t)
{
    unsigned added = 2;
    fresh();
    while (added <= KERN_STACKS && stacks_add("one more", added, (void *)1, (void *)2))
        added++;
    TAP_EQ(t, added, KERN_STACKS);
    TAP_CHECK(t, stacks_find((uintptr_t)memory.main) != NULL);
}

static const tap_case cases[] = {
    {"stacks_backtrace: innermost first, to the end", innermost_first},
    {"stacks_backtrace: from the trap stack to what was interrupted", from_trap_to_main},
    {"stacks_backtrace: overwritten frames: it ends there", overwritten},
    {"stacks_backtrace: no frame: nothing", no_frame_at_all},
    {"stacks_backtrace: in a circle, without end: it ends", circles_end},
    {"stacks_find, _find_guard: to the byte", whose_stack},
    {"stacks_add: too many: refused, the others stay", too_many},
};
extern const tap_suite tap_suite_stacks_test;
TAP_SUITE(stacks_test, cases);
