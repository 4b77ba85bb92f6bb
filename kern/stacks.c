/* SPDX-License-Identifier: MIT */
/* stacks.c - from a frame pointer to the calls that led there.
 *
 *     stack of core 2       trap stack of core 2
 *     |            |        |  trap handler  |---.   a trap's handler runs on another stack, and
 *     |  ...       |        |  ...           |   |   goes on below: with the frame of what was
 *     |  caller    |<--.    |________________|   |   interrupted
 *     |  function  |---'<------------------------'
 *     |____________|
 *
 * On one stack callers lie above: whatever points down has been overwritten, or is the end. */
#include "stacks.h"

enum { DEEPEST = 4096, GUARD = 4096 };

static kern_stack stacks[KERN_STACKS];
static size_t stack_count;

bool stacks_add(const char *name, unsigned cpu, const void *bottom, const void *top)
{
    if (stack_count == KERN_STACKS)
        return false;
    stacks[stack_count++] = (kern_stack){name, cpu, (uintptr_t)bottom, (uintptr_t)top};
    return true;
}

const kern_stack *stacks_get(size_t i)
{
    return i < stack_count ? &stacks[i] : NULL;
}

const kern_stack *stacks_find(uintptr_t address)
{
    for (size_t i = 0; i < stack_count; i++)
        if (address >= stacks[i].bottom && address < stacks[i].top)
            return &stacks[i];
    return NULL;
}

const kern_stack *stacks_find_guard(uintptr_t address)
{
    for (size_t i = 0; i < stack_count; i++)
        if (address < stacks[i].bottom && stacks[i].bottom - address <= GUARD)
            return &stacks[i];
    return NULL;
}

/* The stack that a whole frame lies on. */
static const kern_stack *stack_of_frame(uintptr_t fp)
{
    const kern_stack *stack = fp % sizeof(uintptr_t) == 0 ? stacks_find(fp) : NULL;
    return stack != NULL && stack->top - fp >= 2 * sizeof(uintptr_t) ? stack : NULL;
}

void stacks_backtrace(uintptr_t fp, void (*fn)(uintptr_t pc))
{
    const kern_stack *stack = stack_of_frame(fp), *next;
    for (unsigned i = 0; i < DEEPEST && stack != NULL; i++, stack = next) {
        const uintptr_t *frame = (const uintptr_t *)fp;
        if (frame[1] == 0)
            return;
        fn(frame[1]);
        next = stack_of_frame(frame[0]);
        if (next == stack && frame[0] <= fp)
            return;
        fp = frame[0];
    }
}
