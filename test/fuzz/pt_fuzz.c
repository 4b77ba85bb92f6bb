/* SPDX-License-Identifier: MIT */
/* pt_fuzz.c - bytes as a sequence of steps on page tables: the world of pt_world.h, in which every
 * decision is made by bytes. The first one chooses format and features. */
#include "pt_world.h"

#include "fuzz.h"

enum { STEPS = 60 };

/* A byte a decision, more for a large choice; 0 when they are used up. */
static uint64_t by_bytes(void *ctx, uint64_t n)
{
    uint64_t v = fuzz_byte(ctx);
    for (uint64_t most = 256; most < n && most < (uint64_t)1 << 32; most <<= 8)
        v = v << 8 | fuzz_byte(ctx);
    return v % n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static world w;
    fuzz_bytes b = {data, data + len};
    const world_place *place = &world_places[fuzz_byte(&b) % LOAM_ARRAY_LEN(world_places)];
    bool ok = world_init(&w, place, by_bytes, &b);
    for (unsigned step = 0; ok && b.at < b.end && step < STEPS; step++)
        ok = world_step(&w);
    ok = ok && world_end(&w);
    if (!ok)
        fprintf(stderr, "# %s: %s at %llx\n", place->name, w.wrong, (unsigned long long)w.at);
    FUZZ_CHECK(ok);
    return 0;
}
