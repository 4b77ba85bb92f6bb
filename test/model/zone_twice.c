/* SPDX-License-Identifier: MIT */
/* zone_twice.c - frames that several threads free at the same moment.
 *
 * With `hardened` each frame is freed once, and the other calls are refused. Without, more calls
 * than one may seem right; then each copy too many is found when the front that holds it is
 * flushed. Not for the thread sanitizer: that two touch one byte without an order is the bug that
 * is looked for. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "loam/zone.h"
#include "tap_host.h"

enum { THREADS = 3, TWICE = 300, FRAMES = 1 << 14 };

static loam_zone *zone;
static loam_pfn twice[TWICE];
static uint32_t went, freed, refused, late; /* [atomic] */

static void hear(void *ctx, const loam_report *report)
{
    (void)ctx;
    if (report->what[0] == 'd' && report->what[11] == ',')
        loam_atomic_add(&late, 1); /* "double free, found when a front was flushed" */
}

/* All begin each frame together. */
static void *free_all(void *arg)
{
    loam_hosted_set_cpu(*(unsigned *)arg);
    for (uint32_t i = 0; i < TWICE; i++) {
        loam_atomic_add(&went, 1);
        while (loam_atomic_load(&went) < (i + 1) * THREADS)
            loam_hosted_yield();
        loam_atomic_add(loam_zone_free(zone, twice[i]) == LOAM_OK ? &freed : &refused, 1);
    }
    loam_zone_offline(zone);
    return NULL;
}

static void play(tap *t, bool hardened)
{
    const loam_span ram = {0, (uint64_t)FRAMES << LOAM_PAGE_SHIFT};
    unsigned cpu[THREADS];
    pthread_t thread[THREADS];
    loam_zone_config config;
    loam_zone_config_init(&config);
    config.ncpus = THREADS;
    config.hardened = hardened;
    config.area_shift = 8;
    uint64_t need = loam_zone_measure(&ram, 1, &config);
    void *mem = aligned_alloc(64, (size_t)need);
    zone = loam_zone_init(mem, need, false, &ram, 1, &config);
    TAP_EQ(t, loam_zone_add(zone, loam_pfn_of(0), FRAMES), LOAM_OK);
    loam_hosted_set_cpu(0);
    TAP_EQ(t, loam_zone_alloc_bulk(zone, 0, 0, twice, TWICE), TWICE);
    went = freed = refused = late = 0;
    loam_policy before = loam_port_set_policy(LOAM_POLICY_REPORT);
    loam_port_on_report(hear, NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        cpu[i] = i;
        pthread_create(&thread[i], NULL, free_all, &cpu[i]);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    loam_port_on_report(NULL, NULL);
    loam_port_set_policy(before);
    TAP_EQ(t, freed + refused, THREADS * TWICE);
    TAP_EQ(t, freed, TWICE + late);
    if (hardened)
        TAP_EQ(t, late, 0);
    TAP_EQ(t, loam_zone_free_pages(zone), FRAMES);
    TAP_RULE(t, loam_zone_check(zone), NULL);
    free(mem);
}

static void found_at_the_flush(tap *t)
{
    play(t, false);
}

static void refused_at_once(tap *t)
{
    play(t, true);
}

static const tap_case cases[] = {
    {"zone: frames freed by three at once: each copy too many found at a flush",
     found_at_the_flush},
    {"zone: the same, hardened: all but one refused at once", refused_at_once},
};
TAP_SUITE(zone_twice, cases);

int main(int argc, char **argv)
{
    return tap_host_main(&tap_suite_zone_twice, argc, argv);
}
