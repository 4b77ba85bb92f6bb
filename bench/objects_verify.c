/* SPDX-License-Identifier: MIT */
/* objects_verify.c - before anything is timed: do objects keep what was written into them? */
#include "objects.h"
#include <stdlib.h>
#include <string.h>

enum { VERIFY_STEPS = 40000, VERIFY_SLOTS = 512 };

typedef struct verify_slot {
    unsigned char *p;
    size_t size;
    unsigned char fill;
} verify_slot;

static bool holds(const verify_slot *s)
{
    for (size_t i = 0; i < s->size; i++) {
        if (s->p[i] != s->fill)
            return false;
    }
    return true;
}

const char *objects_verify(const objects_api *api)
{
    static verify_slot slot[VERIFY_SLOTS];
    void *a = api->init((uint64_t)64 << 20, 1);
    bench_rng rng = {23};
    for (unsigned i = 0; i < VERIFY_STEPS + VERIFY_SLOTS; i++) {
        uint64_t r = bench_rand(&rng);
        bool last = i >= VERIFY_STEPS; /* the last round empties every slot */
        verify_slot *s = &slot[last ? i - VERIFY_STEPS : (r >> 40) % VERIFY_SLOTS];
        if (s->p != NULL && !holds(s))
            return "an object lost what was written into it";
        if (s->p != NULL)
            api->release(a, s->p);
        s->p = NULL;
        if (last)
            continue;
        s->size = r % 64 == 0 ? (size_t)(r >> 20) % OBJECTS_MAX + 1 : objects_size(r);
        s->fill = (unsigned char)i;
        s->p = api->alloc(a, s->size);
        if (s->p == NULL || ((uintptr_t)s->p & 7) != 0)
            return "an object is misaligned, or there is no memory";
        memset(s->p, s->fill, s->size);
    }
    return api->check == NULL ? NULL : api->check(a);
}
