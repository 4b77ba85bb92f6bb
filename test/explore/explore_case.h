/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_EXPLORE_CASE_H
#define LOAM_TEST_EXPLORE_CASE_H

/* explore_case.h - one script as a TAP case.
 *
 *     SCHEDULE=a12b3 build/explore/test/explore/zone_explore PART OF A CASE'S NAME
 */
#include "explore.h"
#include "tap_host.h"

static inline void explore_note_line(void *ctx, const char *line)
{
    (void)ctx;
    printf("# %s\n", line); /* may be longer than tap_note's lines */
}

/* Wants that no order breaks the script; tells the order that does. most: states. */
static inline explore_result explore_case(tap *t, const explore_script *script, uint64_t most)
{
    const char *schedule = getenv("SCHEDULE");
    bool is_mutant = getenv("LOAM_MUTANT") != NULL; /* any fault kills it; nobody reads which */
    explore_result result =
        explore_run(script, schedule, most, is_mutant ? NULL : explore_note_line, t);
    if (result.broken != NULL && is_mutant)
        exit(EXIT_FAILURE);
    if (schedule == NULL && getenv("LOAM_SHOW") != NULL)
        tap_note(t, "%s: %U states, %U steps, %U ends, longest order %U", script->name,
                 result.states, result.steps, result.ends, result.longest);
    if (result.broken == NULL)
        return result;
    printf("# %s: %s\n# again with SCHEDULE=%s\n", script->name, result.broken, result.schedule);
    TAP_CHECK(t, result.broken == NULL);
    return result;
}

#endif
