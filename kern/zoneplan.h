/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_ZONEPLAN_H
#define LOAM_KERN_ZONEPLAN_H

/* zoneplan.h - which zones there are: each kind of the board's, on each memory node. */
#include "board.h"
#include "loam/bootinfo.h"

typedef struct zone_plan {
    const board_zone *kind;
    unsigned node;
    char name[24];  /* "normal"; with several nodes "node1-normal" */
    uint64_t first; /* frames: [first, limit) */
    uint64_t limit;
    loam_pa at;      /* its metadata */
    uint64_t len;    /* of its metadata, bytes */
    loam_zone *zone; /* once it was made */
} zone_plan;

typedef struct zone_plans {
    zone_plan plan[LOAM_ZONE_LISTS];
    unsigned count;
    unsigned nodes; /* that have zones of their own */
    unsigned named; /* by the firmware; more than `nodes` when these were too many */
} zone_plans;

/* Makes the plans from the boot map's RAM and bootinfo's nodes: kinds ascending, in each nodes
 * ascending. At most LOAM_ZONE_LISTS zones can be: with more the last nodes count as one.
 *   measure     bytes of metadata for a plan with these RAM spans; 0: it holds no whole frame
 *   returns     false: the RAM lies in too many pieces for this kernel
 */
bool zoneplan_make(zone_plans *plans,
                   uint64_t (*measure)(const zone_plan *plan, const loam_span *ram, size_t count));

/* The RAM of a plan, ascending, in an array that the next call overwrites. */
const loam_span *zoneplan_ram(const zone_plans *plans, const zone_plan *plan, size_t *count);

/* The node of a processor or of a firmware's node, as plans number them. */
unsigned zoneplan_node_of_cpu(const zone_plans *plans, unsigned cpu);

/* All zones in the order in which a processor of a node tries them: near before far, in a node the
 * highest kind first; the lowest kind, which devices need, after all others. */
void zoneplan_list(const zone_plans *plans, unsigned node, loam_zonelist *list);

#endif
