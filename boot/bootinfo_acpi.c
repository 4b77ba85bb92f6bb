/* SPDX-License-Identifier: MIT */
/* bootinfo_acpi.c - what ACPI's tables say about processors and memory nodes.
 *
 * WHAT   acpi.c proves that bytes are tables; this file knows what their entries mean.
 *
 * MODEL
 *            "APIC" ----> local_apic, cpu[].id ...
 *            "SRAT" ----> cpu[].node, near  --> settle --> node_id run      (bootinfo_numa.c)
 *            "SLIT" ----> distance[][]          by the numbers of the nodes
 *
 * RULES  I20 a processor is listed if it is enabled, and once, however often it is named
 *        I21 processors and ranges of the table of nodes count if they are enabled; a processor
 *            that only this table names is none
 *        I22 a broken table is left out with a note; the others count
 *
 * LOCKS  None.
 * COST   O(bytes of the tables + processors^2).
 * FROM   The ACPI Specification 6.4, sections 5.2.12, 5.2.16, 5.2.17.
 * NOT    Processors that may come later; memory that may.
 */
#include "bootinfo_numa.h"
#include "loam/acpi.h"

typedef struct acpi_reading {
    loam_acpi acpi;
    loam_bootinfo *info;
} acpi_reading;

static bool acpi_table(acpi_reading *r, const char *signature, loam_acpi_table *table)
{
    const char *why = NULL;
    loam_err err = loam_acpi_find(&r->acpi, signature, table, &why);
    if (err == LOAM_EFORMAT && r->info->note == NULL)
        r->info->note = why;
    return err == LOAM_OK;
}

/* Its place in cpu[]; LOAM_BOOTINFO_CPUS: not listed there. */
static size_t acpi_cpu_index(const loam_bootinfo *info, uint32_t id)
{
    for (size_t i = 0; i < info->cpu_count && i < LOAM_BOOTINFO_CPUS; i++)
        if (info->cpu[i].id == id)
            return i;
    return LOAM_BOOTINFO_CPUS;
}

static LOAM_NOINLINE void acpi_cpus(acpi_reading *r)
{
    loam_bootinfo *info = r->info;
    loam_acpi_table madt;
    loam_acpi_cpu cpu;
    uint32_t at = 0;
    if (!acpi_table(r, "APIC", &madt))
        return;
    info->local_apic = loam_acpi_local_apic(&r->acpi, &madt);
    while (loam_acpi_cpu_next(&r->acpi, &madt, &at, &cpu)) {
        if (!cpu.enabled || acpi_cpu_index(info, cpu.id) < LOAM_BOOTINFO_CPUS)
            continue;
        if (info->cpu_count < LOAM_BOOTINFO_CPUS)
            info->cpu[info->cpu_count] = (loam_bootinfo_cpu){.id = cpu.id, .node = NUMA_NO_NODE};
        info->cpu_count++;
    }
}

static LOAM_NOINLINE void acpi_nodes(acpi_reading *r, numa_reading *numa)
{
    loam_acpi_table srat;
    loam_acpi_near near;
    uint32_t at = 0;
    if (acpi_table(r, "SRAT", &srat)) {
        while (loam_acpi_near_next(&r->acpi, &srat, &at, &near)) {
            size_t index = near.is_memory ? 0 : acpi_cpu_index(r->info, near.cpu);
            if (near.is_memory)
                loam_bootinfo__numa_span(numa, near.span, near.domain);
            else if (index < LOAM_BOOTINFO_CPUS)
                loam_bootinfo__numa_cpu(numa, index, near.domain);
        }
    }
    loam_bootinfo__numa_settle(numa);
}

static LOAM_NOINLINE void acpi_distances(acpi_reading *r, numa_reading *numa)
{
    const loam_bootinfo *info = r->info;
    loam_acpi_table slit;
    if (info->node_count < 2 || !acpi_table(r, "SLIT", &slit))
        return;
    uint64_t n = loam_acpi_distances(&r->acpi, &slit);
    for (uint32_t i = 0; i < info->node_count; i++)
        for (uint32_t k = 0; k < info->node_count; k++)
            if (info->node_id[i] < n && info->node_id[k] < n)
                loam_bootinfo__numa_distance(
                    numa, i, k,
                    loam_acpi_distance(&r->acpi, &slit, info->node_id[i], info->node_id[k]));
    loam_bootinfo__numa_distances_end(numa);
}

void loam_bootinfo_add_acpi(loam_bootinfo *info, uint64_t rsdp, const loam_phys *memory)
{
    acpi_reading r = {.info = info};
    numa_reading numa = {.info = info};
    const char *why = NULL;
    info->rsdp = rsdp;
    if (loam_acpi_open(&r.acpi, rsdp, memory, &why) != LOAM_OK) {
        if (info->note == NULL)
            info->note = why;
        return;
    }
    acpi_cpus(&r);
    acpi_nodes(&r, &numa);
    acpi_distances(&r, &numa);
}
