/* SPDX-License-Identifier: MIT */
/* acpi.c - tables of a PC's firmware, read where they lie.
 *
 * WHAT   A PC's firmware writes its description into tables with a signature, a length and a
 *        checksum each. This file proves those that name processors and memory nodes, and steps
 *        through them.
 *
 * MODEL
 *            RSDP  "RSD PTR " sum .. rev rsdt | len xsdt sum      rev 0: 20 bytes, 2: 36
 *                                         |          |
 *                                         v          v
 *            RSDT 4 bytes each, or XSDT 8:  [header][table][table][table]
 *                                                    |      |
 *            [header 36: "APIC" len rev sum ...] [8 of its own ] | type len .. | type len .. |
 *            [header 36: "SRAT"            ...] [12 of its own] | type len .. | type len .. |
 *            [header 36: "SLIT"            ...] [n: 8 bytes] n rows of n distances of a byte
 *
 * RULES  Y1  the first structure can be read, has its signature, and sums up to 0; from revision 2
 *            on all of it does, too
 *        Y2  the root table has its signature, sums up to 0, and holds whole addresses
 *        Y3  a table has a header and what its kind has of its own, can be read, sums up to 0
 *        Y4  entries have 2 bytes or more and end inside the table; those that are read have all
 *            their fields
 *        Y5  there are as many distances as the table says
 *        loam_acpi_open() and loam_acpi_find() prove them; each later step asks the reader again.
 *
 * LOCKS  None; nothing is written.
 * COST   One look at each byte of a table, to add it up. An entry has 2 bytes or more, so no table
 *        makes a step loop.
 * FROM   The ACPI Specification 6.4, sections 5.2.5 to 5.2.8, 5.2.12, 5.2.16, 5.2.17.
 * NOT    What it means (bootinfo_acpi.c); AML; interrupt routing: these kernels use the 8259.
 */
#include "loam/acpi.h"

enum {
    HEADER = 36,
    AT_LEN = 4,
    AT_REVISION = 8,
    MADT_HEADER = HEADER + 8,
    SRAT_HEADER = HEADER + 12,
    SLIT_HEADER = HEADER + 8,

    RSDP_1 = 20, /* bytes of the first structure */
    RSDP_2 = 36,
    RSDP_REVISION = 15,
    RSDP_RSDT = 16,
    RSDP_LEN = 20,
    RSDP_XSDT = 24,

    BDA_EBDA = 0x40e, /* segment of the extended BIOS data */
    EBDA_LEN = 1024,
    BIOS = 0xe0000,
    BIOS_LEN = 0x20000,
    RSDP_ALIGN = 16
};

static const unsigned char *acpi_read(const loam_acpi *acpi, uint64_t at, uint64_t len)
{
    return acpi->memory.read(acpi->memory.ctx, at, len);
}

static bool acpi_is(const unsigned char *p, const char *signature, size_t len)
{
    size_t i = 0;
    while (i < len && p[i] == (unsigned char)signature[i])
        i++;
    return i == len;
}

static bool acpi_is_rsdp(const loam_phys *memory, uint64_t at)
{
    const unsigned char *p = memory->read(memory->ctx, at, RSDP_1);
    return p != NULL && acpi_is(p, "RSD PTR ", 8) && loam_phys_sums_to_zero(memory, at, RSDP_1);
}

static uint64_t acpi_scan(const loam_phys *memory, uint64_t from, uint64_t len)
{
    for (uint64_t at = from; at < from + len; at += RSDP_ALIGN)
        if (acpi_is_rsdp(memory, at))
            return at;
    return 0;
}

uint64_t loam_acpi_search(const loam_phys *memory)
{
    const unsigned char *p = memory->read(memory->ctx, BDA_EBDA, 2);
    uint64_t ebda = p == NULL ? 0 : (uint64_t)loam_le16(p) << 4;
    uint64_t at = ebda == 0 ? 0 : acpi_scan(memory, ebda, EBDA_LEN);
    return at != 0 ? at : acpi_scan(memory, BIOS, BIOS_LEN);
}

/* ---- opening ---- */

/* Y1; *root: where the root table is. */
static const char *acpi_rsdp(loam_acpi *acpi, uint64_t at)
{
    const unsigned char *p;
    if (!acpi_is_rsdp(&acpi->memory, at))
        return "Y1 there is no ACPI root pointer, or its sum is wrong";
    p = acpi_read(acpi, at, RSDP_1);
    if (p == NULL)
        return "Y1 the ACPI root pointer cannot be read";
    acpi->root = loam_le32(p + RSDP_RSDT);
    acpi->width = 4;
    if (p[RSDP_REVISION] < 2)
        return NULL;
    p = acpi_read(acpi, at, RSDP_2);
    uint32_t len = p == NULL ? 0 : loam_le32(p + RSDP_LEN);
    if (len < RSDP_2 || !loam_phys_sums_to_zero(&acpi->memory, at, len))
        return "Y1 the second half of the ACPI root pointer is broken";
    if (loam_le64(p + RSDP_XSDT) != 0) {
        acpi->root = loam_le64(p + RSDP_XSDT);
        acpi->width = 8;
    }
    return NULL;
}

/* Bytes of the table at `at`; 0: there is none that can be read, or its sum is wrong. */
static uint32_t acpi_table_len(const loam_acpi *acpi, uint64_t at, uint32_t least)
{
    const unsigned char *p = acpi_read(acpi, at, HEADER);
    uint32_t len = p == NULL ? 0 : loam_le32(p + AT_LEN);
    return len < least || !loam_phys_sums_to_zero(&acpi->memory, at, len) ? 0 : len;
}

static const char *acpi_root(loam_acpi *acpi)
{
    const unsigned char *p = acpi_read(acpi, acpi->root, HEADER);
    if (p == NULL || !acpi_is(p, acpi->width == 8 ? "XSDT" : "RSDT", LOAM_ACPI_SIGNATURE))
        return "Y2 there is no ACPI root table";
    uint32_t len = acpi_table_len(acpi, acpi->root, HEADER);
    if (len == 0)
        return "Y2 the ACPI root table cannot be read, or its sum is wrong";
    if ((len - HEADER) % acpi->width != 0)
        return "Y2 the ACPI root table ends inside an address";
    acpi->count = (len - HEADER) / acpi->width;
    return NULL;
}

static loam_err acpi_refuse(const char **why, const char *text)
{
    if (why != NULL)
        *why = text;
    return LOAM_EFORMAT;
}

loam_err loam_acpi_open(loam_acpi *acpi, uint64_t rsdp, const loam_phys *memory, const char **why)
{
    *acpi = (loam_acpi){.memory = *memory};
    const char *broken = acpi_rsdp(acpi, rsdp);
    if (broken == NULL)
        broken = acpi_root(acpi);
    return broken == NULL ? LOAM_OK : acpi_refuse(why, broken);
}

/* ---- entries: type and length of a byte each, then fields ---- */

typedef struct acpi_entry {
    const unsigned char *bytes; /* all of it */
    uint32_t len;
} acpi_entry;

/* The entry at offset `at` of a table; len 0: broken, or none. */
static acpi_entry acpi_entry_at(const loam_acpi *acpi, const loam_acpi_table *table, uint32_t at)
{
    acpi_entry entry = {NULL, 0};
    uint32_t left = at < table->len ? table->len - at : 0;
    const unsigned char *p = left < 2 ? NULL : acpi_read(acpi, table->at + at, 2);
    if (p == NULL || p[1] < 2 || p[1] > left)
        return entry;
    entry.len = p[1];
    entry.bytes = acpi_read(acpi, table->at + at, entry.len);
    if (entry.bytes == NULL)
        entry.len = 0;
    return entry;
}

/* Bytes of each type that is read; what is not in it may have any length. */
typedef struct acpi_kind {
    uint8_t type, least;
} acpi_kind;

enum { MADT_CPU = 0, MADT_ADDRESS = 5, MADT_X2CPU = 9 };
static const acpi_kind madt_kinds[] = {{MADT_CPU, 8}, {MADT_ADDRESS, 12}, {MADT_X2CPU, 16}};

enum { SRAT_CPU = 0, SRAT_MEMORY = 1, SRAT_X2CPU = 2 };
static const acpi_kind srat_kinds[] = {{SRAT_CPU, 16}, {SRAT_MEMORY, 40}, {SRAT_X2CPU, 24}};

static uint32_t acpi_least(const acpi_kind *kinds, size_t count, unsigned type)
{
    for (size_t i = 0; i < count; i++)
        if (kinds[i].type == type)
            return kinds[i].least;
    return 0;
}

/* Y4. */
static const char *acpi_entries_check(const loam_acpi *acpi, const loam_acpi_table *table,
                                      uint32_t from, const acpi_kind *kinds, size_t count)
{
    while (from < table->len) {
        acpi_entry entry = acpi_entry_at(acpi, table, from);
        if (entry.len == 0)
            return "Y4 an ACPI table ends inside an entry";
        if (entry.len < acpi_least(kinds, count, entry.bytes[0]))
            return "Y4 an entry of an ACPI table is too small";
        from += entry.len;
    }
    return NULL;
}

/* ---- finding ---- */

/* Bytes that each kind of table has of its own, header included. */
static uint32_t acpi_least_len(const char *signature)
{
    const unsigned char *s = (const unsigned char *)signature;
    if (acpi_is(s, "APIC", LOAM_ACPI_SIGNATURE))
        return MADT_HEADER;
    if (acpi_is(s, "SRAT", LOAM_ACPI_SIGNATURE))
        return SRAT_HEADER;
    return acpi_is(s, "SLIT", LOAM_ACPI_SIGNATURE) ? SLIT_HEADER : HEADER;
}

static const char *acpi_slit_check(const loam_acpi *acpi, const loam_acpi_table *slit)
{
    uint64_t n = loam_acpi_distances(acpi, slit), need;
    if (loam_mul_overflows(n, n, &need) || need > slit->len - SLIT_HEADER)
        return "Y5 the table of distances is smaller than it says";
    return NULL;
}

static const char *acpi_table_check(const loam_acpi *acpi, const char *signature,
                                    const loam_acpi_table *table)
{
    const unsigned char *s = (const unsigned char *)signature;
    if (table->len == 0)
        return "Y3 an ACPI table cannot be read, or its sum is wrong";
    if (acpi_is(s, "APIC", LOAM_ACPI_SIGNATURE))
        return acpi_entries_check(acpi, table, MADT_HEADER, madt_kinds, LOAM_ARRAY_LEN(madt_kinds));
    if (acpi_is(s, "SRAT", LOAM_ACPI_SIGNATURE))
        return acpi_entries_check(acpi, table, SRAT_HEADER, srat_kinds, LOAM_ARRAY_LEN(srat_kinds));
    return acpi_is(s, "SLIT", LOAM_ACPI_SIGNATURE) ? acpi_slit_check(acpi, table) : NULL;
}

/* The address of the index-th table; 0: it cannot be read (any more). */
static uint64_t acpi_listed(const loam_acpi *acpi, uint32_t index)
{
    const unsigned char *p =
        acpi_read(acpi, acpi->root + HEADER + (uint64_t)index * acpi->width, acpi->width);
    if (p == NULL)
        return 0;
    return acpi->width == 8 ? loam_le64(p) : loam_le32(p);
}

loam_err loam_acpi_find(const loam_acpi *acpi, const char *signature, loam_acpi_table *table,
                        const char **why)
{
    for (uint32_t i = 0; i < acpi->count; i++) {
        uint64_t at = acpi_listed(acpi, i);
        const unsigned char *p = at == 0 ? NULL : acpi_read(acpi, at, LOAM_ACPI_SIGNATURE);
        if (p == NULL || !acpi_is(p, signature, LOAM_ACPI_SIGNATURE))
            continue;
        *table =
            (loam_acpi_table){.at = at, .len = acpi_table_len(acpi, at, acpi_least_len(signature))};
        p = table->len == 0 ? NULL : acpi_read(acpi, at + AT_REVISION, 1);
        table->revision = p == NULL ? 0 : *p;
        const char *broken = acpi_table_check(acpi, signature, table);
        return broken == NULL ? LOAM_OK : acpi_refuse(why, broken);
    }
    return LOAM_ENOENT;
}

/* ---- processors ---- */

uint64_t loam_acpi_local_apic(const loam_acpi *acpi, const loam_acpi_table *madt)
{
    const unsigned char *p = acpi_read(acpi, madt->at + HEADER, 4);
    uint64_t address = p == NULL ? 0 : loam_le32(p);
    for (uint32_t at = MADT_HEADER; at < madt->len;) {
        acpi_entry entry = acpi_entry_at(acpi, madt, at);
        if (entry.len == 0)
            break;
        if (entry.bytes[0] == MADT_ADDRESS)
            address = loam_le64(entry.bytes + 4);
        at += entry.len;
    }
    return address;
}

static bool acpi_cpu_of(acpi_entry entry, loam_acpi_cpu *cpu)
{
    const unsigned char *p = entry.bytes;
    uint32_t flags;
    if (p[0] != MADT_CPU && p[0] != MADT_X2CPU)
        return false;
    cpu->x2apic = p[0] == MADT_X2CPU;
    cpu->id = cpu->x2apic ? loam_le32(p + 4) : p[3];
    flags = loam_le32(p + (cpu->x2apic ? 8 : 4));
    cpu->enabled = (flags & 1) != 0;
    cpu->can_come = (flags & 2) != 0 && !cpu->enabled;
    return true;
}

bool loam_acpi_cpu_next(const loam_acpi *acpi, const loam_acpi_table *madt, uint32_t *at,
                        loam_acpi_cpu *cpu)
{
    uint32_t from = *at == 0 ? MADT_HEADER : *at;
    for (;;) {
        acpi_entry entry = acpi_entry_at(acpi, madt, from);
        if (entry.len == 0)
            return false;
        from += entry.len;
        *at = from;
        if (acpi_cpu_of(entry, cpu))
            return true;
    }
}

/* ---- nodes ---- */

/* false: another type, or not enabled. A domain has one byte in revision 1: the others are not
 * meant. */
static bool acpi_near_of(acpi_entry entry, unsigned revision, loam_acpi_near *near)
{
    const unsigned char *p = entry.bytes;
    uint32_t mask = revision < 2 ? 0xff : ~0U;
    *near = (loam_acpi_near){.domain = 0};
    switch (p[0]) {
    case SRAT_CPU: /* in two pieces */
        near->domain = (p[2] | loam_le16(p + 9) << 8 | (uint32_t)p[11] << 24) & mask;
        near->cpu = p[3];
        return (loam_le32(p + 4) & 1) != 0;
    case SRAT_MEMORY:
        near->domain = loam_le32(p + 2) & mask;
        near->is_memory = true;
        near->span = (loam_span){loam_le64(p + 8), loam_le64(p + 16)};
        return (loam_le32(p + 28) & 1) != 0;
    case SRAT_X2CPU:
        near->domain = loam_le32(p + 4);
        near->cpu = loam_le32(p + 8);
        return (loam_le32(p + 12) & 1) != 0;
    default:
        return false;
    }
}

bool loam_acpi_near_next(const loam_acpi *acpi, const loam_acpi_table *srat, uint32_t *at,
                         loam_acpi_near *near)
{
    uint32_t from = *at == 0 ? SRAT_HEADER : *at;
    for (;;) {
        acpi_entry entry = acpi_entry_at(acpi, srat, from);
        if (entry.len == 0)
            return false;
        from += entry.len;
        *at = from;
        if (acpi_near_of(entry, srat->revision, near))
            return true;
    }
}

uint64_t loam_acpi_distances(const loam_acpi *acpi, const loam_acpi_table *slit)
{
    const unsigned char *p = acpi_read(acpi, slit->at + HEADER, 8);
    return p == NULL ? 0 : loam_le64(p);
}

unsigned loam_acpi_distance(const loam_acpi *acpi, const loam_acpi_table *slit, uint64_t from,
                            uint64_t to)
{
    uint64_t n = loam_acpi_distances(acpi, slit);
    const unsigned char *p =
        from < n && to < n ? acpi_read(acpi, slit->at + SLIT_HEADER + from * n + to, 1) : NULL;
    return p == NULL ? 0 : *p;
}
