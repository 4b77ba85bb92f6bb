/* SPDX-License-Identifier: MIT */
/* vmap_fuzz.c - bytes as a sequence of calls on a vmap, next to an array of pages (vmap_oracle.h).
 * The first bytes choose the format, the window and the number of tags; every later four are what a
 * step draws its random numbers from. */
#include "fuzz.h"
#include "vmap_oracle.h"

static void put(char c)
{
    fputc(c, stderr);
}

static void draw_from(tap *t, fuzz_bytes *b)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < 4; i++)
        v = v << 8 | fuzz_byte(b);
    t->rng = v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    fuzz_bytes b = {data, data + len};
    tap t = {.put = put, .name = "vmap_fuzz"};
    const vm_kind *kind = &vm_kinds[fuzz_byte(&b) % LOAM_ARRAY_LEN(vm_kinds)];
    unsigned pages = 8 + fuzz_byte(&b) % 120, tag_count = 2 + fuzz_byte(&b) % (VM_TAGS - 1);
    draw_from(&t, &b);
    oracle_begin(&t, kind, pages, tag_count);
    for (unsigned steps = 0; b.at < b.end && steps < 80 && t.failed == 0; steps++) {
        draw_from(&t, &b);
        oracle_step(&t);
        if (steps % 8 == 0)
            oracle_same(&t);
    }
    if (t.failed == 0)
        oracle_end(&t);
    FUZZ_CHECK(t.failed == 0);
    return 0;
}
