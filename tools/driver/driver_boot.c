/* SPDX-License-Identifier: MIT */
/* driver_boot.c - the words of the boot map and of the machine as a whole.
 *
 * There is one boot map: `region` and `mb_add` are the same call, and `start` hands over what the
 * mb_ words made. After the hand-over the map only answers questions, as everywhere.
 */
#include "driver.h"

static void word_region(driver *d, const uint64_t *arg, unsigned n)
{
    (void)n;
    driver_answer(d, loam_memblock_add(&d->map, loam_pa_of(arg[0]), arg[1]), "add");
}

static void word_reserve(driver *d, const uint64_t *arg, unsigned n)
{
    (void)n;
    driver_answer(d, loam_memblock_reserve(&d->map, loam_pa_of(arg[0]), arg[1]), "reserve");
}

static void word_remove(driver *d, const uint64_t *arg, unsigned n)
{
    (void)n;
    driver_answer(d, loam_memblock_remove(&d->map, loam_pa_of(arg[0]), arg[1]), "remove");
}

static void word_release(driver *d, const uint64_t *arg, unsigned n)
{
    (void)n;
    driver_answer(d, loam_memblock_release(&d->map, loam_pa_of(arg[0]), arg[1]), "release");
}

static void word_mb_alloc(driver *d, const uint64_t *arg, unsigned n)
{
    loam_pa at;
    (void)n;
    d->mb_taken = 0;
    loam_err err = loam_memblock_alloc(&d->map, arg[0], arg[1], loam_pa_of(0), loam_pa_of(0),
                                       LOAM_MEMBLOCK_BOTTOM_UP, &at);
    if (err != LOAM_OK) {
        driver_put(d, "null");
        return;
    }
    d->mb_taken = arg[0]; /* exactly what was asked for, never rounded */
    driver_put_hex(d, at.v);
}

static void word_mb_lastsize(driver *d, const uint64_t *arg, unsigned n)
{
    (void)arg;
    (void)n;
    if (d->mb_taken == 0)
        driver_put(d, "?");
    else
        driver_put_hex(d, d->mb_taken);
}

static void put_set(driver *d, const loam_spanset *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (i != 0)
            driver_put(d, " ");
        driver_put_hex(d, set->span[i].base);
        driver_put(d, " ");
        driver_put_hex(d, set->span[i].len);
    }
}

static void word_list_memory(driver *d, const uint64_t *arg, unsigned n)
{
    (void)arg;
    (void)n;
    put_set(d, &d->map.ram);
}

static void word_list_reserved(driver *d, const uint64_t *arg, unsigned n)
{
    (void)arg;
    (void)n;
    put_set(d, &d->map.held);
}

/* Any number is a processor: those that the machine does not have are played by those it has. */
static void word_cpu(driver *d, const uint64_t *arg, unsigned n)
{
    (void)n;
    d->cpu = (unsigned)(arg[0] & 0xffffffff);
    driver_put(d, "ok");
}

static void word_failnth(driver *d, const uint64_t *arg, unsigned n)
{
    (void)n;
    d->fail_in = arg[0];
    driver_put(d, "ok");
}

const driver_word driver_boot_words[] = {
    {"region", NULL, 2, 2, word_region},
    {"reserve", NULL, 2, 2, word_reserve},
    {"cpu", NULL, 1, 1, word_cpu},
    {"failnth", NULL, 1, 1, word_failnth},
    {"mb_add", NULL, 2, 2, word_region},
    {"mb_reserve", NULL, 2, 2, word_reserve},
    {"mb_remove", NULL, 2, 2, word_remove},
    {"mb_free", NULL, 2, 2, word_release},
    {"mb_alloc", NULL, 2, 2, word_mb_alloc},
    {"mb_list", "memory", 0, 0, word_list_memory},
    {"mb_list", "reserved", 0, 0, word_list_reserved},
    {"mb_lastsize", NULL, 0, 0, word_mb_lastsize},
    {NULL, NULL, 0, 0, NULL},
};
