/* SPDX-License-Identifier: MIT */
/* bootinfo_numa.c - memory that is near some processors and far from others.
 *
 * WHAT   Large machines have memory in several places. Firmware lists ranges and processors with
 *        the number of their node; the kernel wants to know, for every address, whose it is.
 *
 * MODEL
 *            told    node 7 [====)      node 3 [======)[==)     node 7 [======)
 *                    0      :           :                       :
 *            near    [==1===)           [==0===)[0=)            [==1===)          ascending
 *            run     [ 1 ---------------[ 0 --------------------[ 1 ------------> 2^64
 *
 *            node_id 0: 3   1: 7                 the firmware's numbers, ascending
 *            distance[from][to]                  10 to itself; far: more
 *
 * RULES  I15 nodes are numbered from 0 on in the order of the firmware's numbers
 *        I16 ranges of different nodes do not overlap, none wraps, and nodes and ranges fit into
 *            the arrays: else there is one node, with a note
 *        I17 the runs tile all addresses: what lies in no range belongs to the run it lies in,
 *            what lies below the first to that
 *        I18 a processor that nobody assigned belongs to node 0
 *        I19 a node's distance to itself is 10, to others more: else none of the table counts
 *
 * LOCKS  None: one CPU, before the others start.
 * COST   O(ranges^2 + nodes * (ranges + processors)), tens, once.
 * FROM   The bindings numa.txt of device trees; ACPI's SRAT and SLIT.
 * NOT    Memory that comes and goes; kinds of memory; nodes of devices.
 */
#include "bootinfo_numa.h"

uint32_t loam_bootinfo_node_of(const loam_bootinfo *info, loam_pa pa)
{
    size_t i = info->run_count - 1;
    while (i > 0 && info->run[i].base > pa.v)
        i--;
    return info->run[i].node;
}

static void numa_wrong(numa_reading *r, const char *why)
{
    if (r->why == NULL)
        r->why = why;
}

/* ---- gathering ---- */

static uint32_t numa_find(const loam_bootinfo *info, uint32_t nodes, uint32_t id)
{
    for (uint32_t i = 0; i < nodes; i++)
        if (info->node_id[i] == id)
            return i;
    return NUMA_NO_NODE;
}

uint32_t loam_bootinfo__numa_node(const loam_bootinfo *info, uint32_t id)
{
    return numa_find(info, info->node_count, id);
}

/* The node of that number, made where there is none; NUMA_NO_NODE: there are too many. */
static uint32_t numa_make(numa_reading *r, uint32_t id)
{
    uint32_t node = numa_find(r->info, r->nodes, id);
    if (node != NUMA_NO_NODE)
        return node;
    if (r->nodes == LOAM_BOOTINFO_NODES) {
        numa_wrong(r, "memory nodes: more than 16");
        return NUMA_NO_NODE;
    }
    r->info->node_id[r->nodes] = id;
    return r->nodes++;
}
_Static_assert(LOAM_BOOTINFO_NODES == 16, "the words above say so");

/* In the order of addresses. */
void loam_bootinfo__numa_span(numa_reading *r, loam_span span, uint32_t id)
{
    loam_bootinfo *info = r->info;
    size_t i = info->near_count;
    uint32_t node;
    if (span.len == 0 || (node = numa_make(r, id)) == NUMA_NO_NODE)
        return;
    if (span.base > 0 && span.base > 0 - span.len) {
        numa_wrong(r, "memory nodes: a range leaves the address space");
        return;
    }
    if (i == LOAM_BOOTINFO_RUNS) {
        numa_wrong(r, "memory nodes: more than 64 ranges");
        return;
    }
    for (; i > 0 && info->near[i - 1].span.base > span.base; i--)
        info->near[i] = info->near[i - 1];
    info->near[i] = (loam_bootinfo_near){span, node};
    info->near_count++;
}
_Static_assert(LOAM_BOOTINFO_RUNS == 64, "the words above say so");

void loam_bootinfo__numa_cpu(numa_reading *r, size_t index, uint32_t id)
{
    uint32_t node = numa_make(r, id);
    if (index < LOAM_BOOTINFO_CPUS)
        r->info->cpu[index].node = node;
}

/* ---- settling ---- */

static size_t numa_listed(const loam_bootinfo *info)
{
    return info->cpu_count < LOAM_BOOTINFO_CPUS ? info->cpu_count : LOAM_BOOTINFO_CPUS;
}

static uint32_t numa_swapped(uint32_t node, uint32_t a, uint32_t b)
{
    return node == a ? b : node == b ? a : node;
}

static void numa_swap(loam_bootinfo *info, uint32_t a, uint32_t b)
{
    uint32_t id = info->node_id[a];
    info->node_id[a] = info->node_id[b];
    info->node_id[b] = id;
    for (size_t i = 0; i < info->near_count; i++)
        info->near[i].node = numa_swapped(info->near[i].node, a, b);
    for (size_t i = 0; i < numa_listed(info); i++)
        info->cpu[i].node = numa_swapped(info->cpu[i].node, a, b);
}

/* I15. */
static void numa_sort(numa_reading *r)
{
    for (uint32_t i = 0; i < r->nodes; i++) {
        uint32_t least = i;
        for (uint32_t k = i + 1; k < r->nodes; k++)
            if (r->info->node_id[k] < r->info->node_id[least])
                least = k;
        if (least != i)
            numa_swap(r->info, i, least);
    }
}

/* I16: what was told before reaches into a range of another node. Ranges of one node may overlap,
 * and a long one may end behind those that follow it: so each is compared with all before it. */
static bool numa_overlaps(const loam_bootinfo *info)
{
    for (size_t i = 1; i < info->near_count; i++) {
        const loam_bootinfo_near *b = &info->near[i];
        for (size_t k = 0; k < i; k++) {
            const loam_bootinfo_near *a = &info->near[k];
            if (a->node != b->node && a->span.base + (a->span.len - 1) >= b->span.base)
                return true;
        }
    }
    return false;
}

/* I17. */
static void numa_runs(loam_bootinfo *info)
{
    info->run[0] = (loam_bootinfo_run){0, info->near[0].node};
    info->run_count = 1;
    for (size_t i = 1; i < info->near_count; i++)
        if (info->near[i].node != info->run[info->run_count - 1].node)
            info->run[info->run_count++] =
                (loam_bootinfo_run){info->near[i].span.base, info->near[i].node};
}

static void numa_default_distances(loam_bootinfo *info)
{
    for (uint32_t from = 0; from < info->node_count; from++)
        for (uint32_t to = 0; to < info->node_count; to++)
            info->distance[from][to] = from == to ? LOAM_BOOTINFO_NEAR : LOAM_BOOTINFO_FAR;
}

static void numa_one_node(loam_bootinfo *info)
{
    info->node_count = 1;
    info->node_id[0] = 0;
    info->near_count = 0;
    info->run_count = 1;
    info->run[0] = (loam_bootinfo_run){0, 0};
    for (size_t i = 0; i < numa_listed(info); i++)
        info->cpu[i].node = 0;
}

static void numa_note(numa_reading *r)
{
    if (r->info->note == NULL)
        r->info->note = r->why;
}

void loam_bootinfo__numa_settle(numa_reading *r)
{
    loam_bootinfo *info = r->info;
    if (r->why == NULL && numa_overlaps(info))
        r->why = "memory nodes: ranges of different nodes overlap";
    if (r->why != NULL || info->near_count == 0) {
        numa_one_node(info);
        numa_note(r);
    } else {
        info->node_count = r->nodes;
        numa_sort(r);
        numa_runs(info);
        for (size_t i = 0; i < numa_listed(info); i++)
            if (info->cpu[i].node == NUMA_NO_NODE)
                info->cpu[i].node = 0;
    }
    numa_default_distances(info);
}

/* ---- distances ---- */

void loam_bootinfo__numa_distance(numa_reading *r, uint32_t from, uint32_t to, uint32_t distance)
{
    bool near = distance == LOAM_BOOTINFO_NEAR;
    if (distance < LOAM_BOOTINFO_NEAR || distance > UINT8_MAX || (from == to) != near)
        numa_wrong(r, "memory nodes: a distance that cannot be");
    else
        r->info->distance[from][to] = (uint8_t)distance;
}

void loam_bootinfo__numa_distances_end(numa_reading *r)
{
    if (r->why == NULL)
        return;
    numa_default_distances(r->info);
    numa_note(r);
}
