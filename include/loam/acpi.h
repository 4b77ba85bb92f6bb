/* SPDX-License-Identifier: MIT */
#ifndef LOAM_ACPI_H
#define LOAM_ACPI_H

/* acpi.h - the tables of a PC's firmware that name its processors and memory nodes.
 *
 * No call writes, allocates, recurses, or reads a byte that the reader did not grant. Context of
 * every call: any.
 */
#include "loam/phys.h"

enum { LOAM_ACPI_SIGNATURE = 4 };

/* The root table: addresses of all others. */
typedef struct loam_acpi {
    loam_phys memory;
    uint64_t root;  /* RSDT or XSDT */
    uint32_t count; /* tables that it lists */
    uint32_t width; /* bytes of an address in it: 4 or 8 */
} loam_acpi;

typedef struct loam_acpi_table {
    uint64_t at;
    uint32_t len; /* its header of 36 bytes included */
    unsigned revision;
} loam_acpi_table;

/* Looks for the first structure where a PC's BIOS leaves it: the first KiB of the extended BIOS
 * data, then 0xe0000 to 1 MiB.
 *   returns     its address; 0: not found
 *   cost        O(131 KiB / 16) reads
 */
uint64_t loam_acpi_search(const loam_phys *memory);

/* Reads the first structure (RSDP) and proves it and the root table (rules Y1, Y2 of acpi.c).
 *   why         set to the broken rule, a literal, unless the answer is LOAM_OK; may be NULL
 *   returns     LOAM_OK or LOAM_EFORMAT
 *   cost        O(bytes of the root table)
 */
loam_err loam_acpi_open(loam_acpi *acpi, uint64_t rsdp, const loam_phys *memory, const char **why);

/* The first table of this signature, proven (Y3, and Y4 for "APIC" and "SRAT", Y5 for "SLIT").
 *   returns     LOAM_OK; LOAM_ENOENT: none is listed; LOAM_EFORMAT
 *   cost        O(tables + bytes of the table)
 */
loam_err loam_acpi_find(const loam_acpi *acpi, const char *signature, loam_acpi_table *table,
                        const char **why);

/* ---- "APIC": processors and their interrupt controllers (MADT) ---- */

typedef struct loam_acpi_cpu {
    uint32_t id;   /* of its local APIC */
    bool enabled;  /* it is there */
    bool can_come; /* not there now; may be plugged in later */
    bool x2apic;   /* named by the entry that has 32 bits for the id */
} loam_acpi_cpu;

/* Where the registers of the local APICs are. O(entries). */
uint64_t loam_acpi_local_apic(const loam_acpi *acpi, const loam_acpi_table *madt);

/* The next processor at or behind *at bytes (0: the first), and *at goes on behind it. false: no
 * more. */
bool loam_acpi_cpu_next(const loam_acpi *acpi, const loam_acpi_table *madt, uint32_t *at,
                        loam_acpi_cpu *cpu);

/* ---- "SRAT": what is near to what ---- */

typedef struct loam_acpi_near {
    uint32_t domain; /* any number */
    bool is_memory;
    uint32_t cpu;   /* id of its local APIC, unless is_memory */
    loam_span span; /* if it is; may wrap */
} loam_acpi_near;

/* As loam_acpi_cpu_next; entries that are not enabled are left out. */
bool loam_acpi_near_next(const loam_acpi *acpi, const loam_acpi_table *srat, uint32_t *at,
                         loam_acpi_near *near);

/* ---- "SLIT": how far domains are from each other ---- */

/* Domains 0 .. answer - 1 are in it. O(1). */
uint64_t loam_acpi_distances(const loam_acpi *acpi, const loam_acpi_table *slit);
/* from, to < loam_acpi_distances(). 10 is the distance to itself. O(1). */
unsigned loam_acpi_distance(const loam_acpi *acpi, const loam_acpi_table *slit, uint64_t from,
                            uint64_t to);

#endif
