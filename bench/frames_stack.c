/* SPDX-License-Identifier: MIT */
/* frames_stack.c - free blocks of one order in an array. */
#include "frames_stack.h"
#include "frames_lock.h"

struct stack {
    spin lock;
    bool locked;
    size_t count;
    uint32_t block[];
};

uint64_t stack_bytes(const frames_shape *shape)
{
    return sizeof(stack) + (shape->frames >> shape->order) * sizeof(uint32_t);
}

void *stack_init(void *mem, uint64_t bytes, const frames_shape *shape)
{
    (void)bytes;
    stack *s = mem;
    s->count = shape->frames >> shape->order;
    s->locked = shape->threads > 1;
    for (size_t i = 0; i < s->count; i++)
        s->block[i] = (uint32_t)((s->count - 1 - i) << shape->order);
    return s;
}

static uint64_t pop(stack *s)
{
    return s->count == 0 ? UINT64_MAX : s->block[--s->count];
}

static LOAM_NOINLINE uint64_t pop_locked(stack *s)
{
    spin_acquire(&s->lock);
    uint64_t f = pop(s);
    spin_release(&s->lock);
    return f;
}

static LOAM_NOINLINE void push_locked(stack *s, uint32_t block)
{
    spin_acquire(&s->lock);
    s->block[s->count++] = block;
    spin_release(&s->lock);
}

uint64_t stack_alloc(stack *s)
{
    if (LOAM_UNLIKELY(s->locked))
        return pop_locked(s);
    return pop(s);
}

void stack_free(stack *s, uint32_t block)
{
    if (LOAM_UNLIKELY(s->locked))
        push_locked(s, block);
    else
        s->block[s->count++] = block;
}
