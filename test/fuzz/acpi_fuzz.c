/* SPDX-License-Identifier: MIT */
/* acpi_fuzz.c - any bytes as ACPI's tables. What is read has to be what a plain reading of the same
 * bytes finds, and whatever they say, memory nodes hold together.
 *
 * Input: one byte, then memory from FUZZ_BASE on, where the first structure lies. Bit 0 of that
 * byte: all sums are made right first, so that mutations come behind them. */
#include "fuzz_phys.h"
#include "loam/acpi.h"

enum { HEAD = 1, HEADER = 36, TABLES = 64, CPUS = 512 };

static uint8_t *memory_of(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len + 1);
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, data, len);
    return copy;
}

/* Writes the byte at `where` of what lies at `at`, if all of it is there. */
static void make_sum(const fuzz_image *m, uint8_t *bytes, uint64_t at, uint64_t len, uint64_t where)
{
    unsigned sum = 0;
    if (len <= where || !fuzz_readable(m, at, len))
        return;
    bytes += at - FUZZ_BASE;
    bytes[where] = 0;
    for (uint64_t i = 0; i < len; i++)
        sum += bytes[i];
    bytes[where] = (uint8_t)(0U - sum);
}

/* Where the tables are: the root, then those that it lists. */
static size_t list_tables(const fuzz_image *m, uint64_t table[TABLES])
{
    size_t n = 0;
    if (!fuzz_readable(m, FUZZ_BASE, 36))
        return 0;
    bool old = fuzz_number(m, FUZZ_BASE + 15, 1) < 2 || fuzz_number(m, FUZZ_BASE + 24, 8) == 0;
    unsigned width = old ? 4 : 8;
    table[n++] = fuzz_number(m, FUZZ_BASE + (old ? 16 : 24), width);
    for (uint64_t at = table[0] + HEADER;
         n < TABLES && fuzz_readable(m, table[0], HEADER) && fuzz_readable(m, at, width) &&
         at + width <= table[0] + fuzz_number(m, table[0] + 4, 4);
         at += width)
        table[n++] = fuzz_number(m, at, width);
    return n;
}

static void make_sums(const fuzz_image *m, uint8_t *bytes)
{
    uint64_t table[TABLES];
    size_t n = list_tables(m, table);
    for (size_t i = n; i-- > 0;)
        if (fuzz_readable(m, table[i], HEADER))
            make_sum(m, bytes, table[i], fuzz_number(m, table[i] + 4, 4), 9);
    make_sum(m, bytes, FUZZ_BASE, 20, 8);
    if (n > 0)
        make_sum(m, bytes, FUZZ_BASE, fuzz_number(m, FUZZ_BASE + 20, 4), 32);
}

/* The processors that the first table of this name lists. */
static void compare_cpus(const fuzz_image *m, const loam_bootinfo *info, uint64_t madt)
{
    uint64_t end = madt + fuzz_number(m, madt + 4, 4), seen[CPUS];
    size_t n = 0;
    for (uint64_t at = madt + 44; at < end; at += fuzz_number(m, at + 1, 1)) {
        uint64_t type = fuzz_number(m, at, 1), id, flags;
        bool again = false;
        if (type != 0 && type != 9)
            continue;
        id = type == 0 ? fuzz_number(m, at + 3, 1) : fuzz_number(m, at + 4, 4);
        flags = fuzz_number(m, at + (type == 0 ? 4 : 8), 4);
        for (size_t i = 0; i < n && i < LOAM_BOOTINFO_CPUS; i++)
            again = again || seen[i] == id;
        if ((flags & 1) == 0 || again || n == CPUS)
            continue;
        if (n < LOAM_BOOTINFO_CPUS)
            FUZZ_CHECK(n < info->cpu_count && info->cpu[n].id == id);
        seen[n++] = id;
    }
    FUZZ_CHECK(n == CPUS || n == info->cpu_count);
}

static void compare(const fuzz_image *m, const loam_bootinfo *info)
{
    uint64_t table[TABLES];
    size_t n = list_tables(m, table), i = 1;
    while (i < n && (!fuzz_readable(m, table[i], 4) ||
                     memcmp(m->bytes + (table[i] - FUZZ_BASE), "APIC", 4) != 0))
        i++;
    if (i < n && i < TABLES && info->note == NULL && info->local_apic != 0)
        compare_cpus(m, info, table[i]);
    if (n < TABLES && i == n)
        FUZZ_CHECK(info->cpu_count == 0 && info->local_apic == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static loam_bootinfo info;
    if (len < HEAD)
        return 0;
    uint8_t *bytes = memory_of(data + HEAD, len - HEAD);
    fuzz_image m = {bytes, len - HEAD};
    const loam_phys memory = {fuzz_grant, &m};
    if ((data[0] & 1) != 0)
        make_sums(&m, bytes);
    loam_bootinfo_init(&info);
    loam_bootinfo_add_acpi(&info, FUZZ_BASE, &memory);
    if (fuzz_take_back()) {
        fuzz_nodes_hold(&info);
        compare(&m, &info);
    }
    free(bytes);
    return 0;
}
