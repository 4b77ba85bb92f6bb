/* SPDX-License-Identifier: MIT */
/* bootinfo_fdt_numa.c - what a device tree says about memory nodes.
 *
 * WHAT   Memory and processors carry the number of their node; a matrix tells the distances.
 *
 * MODEL
 *            /
 *            +- memory@40000000   reg numa-node-id = <0>
 *            +- memory@80000000   reg numa-node-id = <1>
 *            +- cpus  cpu@0 numa-node-id = <0>   cpu@1 numa-node-id = <1>
 *            +- distance-map      compatible = "numa-distance-map-v1"
 *                                 distance-matrix = <0 0 10  0 1 20  1 1 10>
 *                                                    from to distance
 *
 * RULES  I15 to I19 of bootinfo_numa.c, and
 *        I23 of a distance that is told in one direction, the other is the same
 *        I24 pairs with a node that no memory and no processor has are left out
 *
 * LOCKS  None.
 * COST   O(blob).
 * FROM   The binding numa.txt of device trees.
 * NOT    Nodes of devices.
 */
#include "bootinfo_numa.h"

/* The number of a node's memory node; false: it has none. */
static bool tree_numa_id(numa_reading *r, const loam_fdt *fdt, loam_fdt_node node, uint32_t *id)
{
    loam_fdt_prop prop;
    if (!loam_fdt_prop_get(fdt, node, "numa-node-id", &prop))
        return false;
    if (loam_fdt_prop_u32(&prop, id))
        return true;
    if (r->why == NULL)
        r->why = "memory nodes: numa-node-id is not a number";
    return false;
}

void loam_bootinfo__numa_fdt_memory(numa_reading *r, const loam_fdt *fdt, loam_fdt_node node,
                                    const loam_fdt_prop *reg, loam_fdt_cells cells)
{
    uint32_t id, count;
    if (!tree_numa_id(r, fdt, node, &id) || loam_fdt_reg_count(reg, cells, &count) != LOAM_OK)
        return;
    for (uint32_t i = 0; i < count; i++)
        loam_bootinfo__numa_span(r, loam_fdt_reg(reg, cells, i), id);
}

void loam_bootinfo__numa_fdt_cpu(numa_reading *r, const loam_fdt *fdt, loam_fdt_node node,
                                 size_t index)
{
    uint32_t id;
    if (tree_numa_id(r, fdt, node, &id))
        loam_bootinfo__numa_cpu(r, index, id);
}

/* ---- distances ---- */

enum { CELL = 4, TRIPLE = 3 * CELL, PAIRS = LOAM_BOOTINFO_NODES * LOAM_BOOTINFO_NODES };

/* Which pairs were told: bit from * 16 + to. */
typedef struct told_pairs {
    uint64_t bits[PAIRS / 64];
} told_pairs;

static bool pair_told(const told_pairs *told, uint32_t from, uint32_t to)
{
    uint32_t i = from * LOAM_BOOTINFO_NODES + to;
    return (told->bits[i / 64] >> i % 64 & 1) != 0;
}

static uint32_t matrix_cell(const loam_fdt_prop *matrix, uint32_t at)
{
    uint32_t value = 0;
    const loam_fdt_prop cell = {NULL, matrix->data + at, CELL};
    (void)loam_fdt_prop_u32(&cell, &value);
    return value;
}

static void tree_triple(numa_reading *r, const loam_fdt_prop *matrix, uint32_t at, told_pairs *told)
{
    uint32_t from = loam_bootinfo__numa_node(r->info, matrix_cell(matrix, at));
    uint32_t to = loam_bootinfo__numa_node(r->info, matrix_cell(matrix, at + CELL));
    uint32_t distance = matrix_cell(matrix, at + 2 * CELL);
    if (from == NUMA_NO_NODE || to == NUMA_NO_NODE)
        return;
    uint32_t i = from * LOAM_BOOTINFO_NODES + to;
    told->bits[i / 64] |= 1ULL << i % 64;
    loam_bootinfo__numa_distance(r, from, to, distance);
    if (!pair_told(told, to, from))
        loam_bootinfo__numa_distance(r, to, from, distance);
}

static loam_fdt_node tree_distance_map(const loam_fdt *fdt)
{
    loam_fdt_node node = loam_fdt_child(fdt, loam_fdt_root(fdt));
    while (!loam_fdt_is_none(node) && !loam_fdt_is_compatible(fdt, node, "numa-distance-map-v1"))
        node = loam_fdt_sibling(fdt, node);
    return node;
}

void loam_bootinfo__numa_fdt_end(numa_reading *r, const loam_fdt *fdt)
{
    told_pairs told = {{0}};
    loam_fdt_prop matrix;
    loam_bootinfo__numa_settle(r);
    if (r->info->node_count < 2 ||
        !loam_fdt_prop_get(fdt, tree_distance_map(fdt), "distance-matrix", &matrix))
        return;
    if (matrix.len % TRIPLE != 0 && r->why == NULL)
        r->why = "memory nodes: the matrix of distances is no whole number of triples";
    for (uint32_t at = 0; at < matrix.len / TRIPLE * TRIPLE; at += TRIPLE)
        tree_triple(r, &matrix, at, &told);
    loam_bootinfo__numa_distances_end(r);
}
