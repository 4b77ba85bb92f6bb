/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BOOT_BOOTINFO_NUMA_H
#define LOAM_BOOT_BOOTINFO_NUMA_H

/* bootinfo_numa.h - how a reader of firmware tells which memory and processors are near each other.
 *
 *     each processor's .node = NUMA_NO_NODE     when it is listed
 *     numa_span, numa_cpu                       in any order, as the firmware tells
 *     numa_settle                               now node_id, run and distance are right
 *     numa_distance, numa_distances_end         where there is a table of them
 *
 * Whatever cannot be true ends with one node and a note: memory is still memory.
 */
#include "loam/bootinfo.h"

#define NUMA_NO_NODE (~0U)

typedef struct numa_reading {
    loam_bootinfo *info;
    uint32_t nodes;  /* told of so far; info->node_count until numa_settle is 1 */
    const char *why; /* the first thing that was wrong, a literal, or NULL */
} numa_reading;

/* Memory of the node that the firmware calls id. len 0: nothing. */
void loam_bootinfo__numa_span(numa_reading *r, loam_span span, uint32_t id);
/* The processor in cpu[index], if it is in the array, is of that node. */
void loam_bootinfo__numa_cpu(numa_reading *r, size_t index, uint32_t id);
void loam_bootinfo__numa_settle(numa_reading *r);

/* Afterwards: the node of that number; NUMA_NO_NODE: none. */
uint32_t loam_bootinfo__numa_node(const loam_bootinfo *info, uint32_t id);
/* How far memory of node `to` is from a processor of node `from`; both exist. */
void loam_bootinfo__numa_distance(numa_reading *r, uint32_t from, uint32_t to, uint32_t distance);
/* All were told: if one of them was wrong, none counts. */
void loam_bootinfo__numa_distances_end(numa_reading *r);

/* ---- bootinfo_fdt_numa.c: what a device tree says ---- */

/* A node of memory, its reg and the cells that it is made of; a node of a processor and its place
 * in cpu[]. Those that have no number of a memory node are nothing. */
void loam_bootinfo__numa_fdt_memory(numa_reading *r, const loam_fdt *fdt, loam_fdt_node node,
                                    const loam_fdt_prop *reg, loam_fdt_cells cells);
void loam_bootinfo__numa_fdt_cpu(numa_reading *r, const loam_fdt *fdt, loam_fdt_node node,
                                 size_t index);
/* Settles, and reads the distances. */
void loam_bootinfo__numa_fdt_end(numa_reading *r, const loam_fdt *fdt);

#endif
