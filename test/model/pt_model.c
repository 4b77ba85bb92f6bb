/* SPDX-License-Identifier: MIT */
/* pt_model.c - random steps on page tables of every format and feature set, and the same on a plain
 * array of pages; a processor in software compares the two after each step (pt_world.h). */
#include "pt_world.h"
#include "tap_host.h"
#include <stdlib.h>

static world w;

static uint64_t by_chance(void *ctx, uint64_t n)
{
    return tap_below(ctx, n);
}

static void play(tap *t, unsigned place)
{
    unsigned lives = getenv("LOAM_LONG") != NULL ? 200 : 4;
    for (unsigned life = 0; life < lives; life++) {
        bool ok = world_init(&w, &world_places[place], by_chance, t);
        for (unsigned step = 0; ok && step < 120; step++)
            ok = world_step(&w);
        ok = ok && world_end(&w);
        TAP_CHECK(t, ok);
        if (!ok) {
            tap_note(t, "%s: %s at %X", w.place->name, w.wrong, w.at);
            return;
        }
    }
}

#define PLACE(n)                                                                                   \
    static void place_##n(tap *t)                                                                  \
    {                                                                                              \
        play(t, n);                                                                                \
    }
PLACE(0)
PLACE(1)
PLACE(2)
PLACE(3)
PLACE(4)
PLACE(5)
PLACE(6)
PLACE(7)

static const tap_case cases[] = {
    {"pt_model: i386, small pages alone: as the array says", place_0},
    {"pt_model: i386, 4 MiB pages: as the array says", place_1},
    {"pt_model: i386, 4 GiB in 4 MiB pages: as the array says", place_2},
    {"pt_model: x86-64, least features: as the array says", place_3},
    {"pt_model: x86-64, all features: as the array says", place_4},
    {"pt_model: x86-64, 1 GiB pages: as the array says", place_5},
    {"pt_model: AArch64: as the array says", place_6},
    {"pt_model: AArch64, 1 GiB pages: as the array says", place_7},
};
static const tap_suite suite = {"pt_model", cases, LOAM_ARRAY_LEN(cases)};

int main(int argc, char **argv)
{
    return tap_host_main(&suite, argc, argv);
}
