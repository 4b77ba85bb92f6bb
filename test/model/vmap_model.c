/* SPDX-License-Identifier: MIT */
/* vmap_model.c - random calls on a vmap of each format, and the same on an array of pages
 * (vmap_oracle.h). */
#include "tap_host.h"
#include "vmap_oracle.h"
#include <stdlib.h>

static void one_life(tap *t, const vm_kind *k)
{
    unsigned steps = getenv("LOAM_LONG") != NULL ? 6000 : 350;
    unsigned pages = 20 + (unsigned)tap_below(t, 140);
    oracle_begin(t, k, pages, 2 + (unsigned)tap_below(t, VM_TAGS - 1));
    for (unsigned i = 0; i < steps && t->failed == 0; i++) {
        oracle_step(t);
        oracle_same(t);
    }
    oracle_end(t);
}

static void life(tap *t, const vm_kind *k)
{
    for (unsigned i = 0; i < 4 && t->failed == 0; i++)
        one_life(t, k);
}

static void on_i386(tap *t)
{
    life(t, &vm_kinds[0]);
}

static void on_i386_large(tap *t)
{
    life(t, &vm_kinds[1]);
}

static void on_x86_64(tap *t)
{
    life(t, &vm_kinds[2]);
}

static void on_aarch64(tap *t)
{
    life(t, &vm_kinds[3]);
}

static const tap_case cases[] = {
    {"vmap_model: i386: as the pages say", on_i386},
    {"vmap_model: i386, large pages: as the pages say", on_i386_large},
    {"vmap_model: x86_64: as the pages say", on_x86_64},
    {"vmap_model: aarch64: as the pages say", on_aarch64},
};
static const tap_suite suite = {"vmap_model", cases, LOAM_ARRAY_LEN(cases)};

int main(int argc, char **argv)
{
    return tap_host_main(&suite, argc, argv);
}
