/* SPDX-License-Identifier: MIT */
#include "loam/acpi.h"
#include "loam/bootinfo.h"
#include "phys_build.h"
#include "tap.h"

enum { HEADER = 36, AT_LEN = 4, AT_REVISION = 8, AT_SUM = 9, TABLES = 8 };
enum { ON = 1, LATER = 2 };

static phys_build b;
static loam_bootinfo info;
static const char *why;
static uint32_t rsdp_at, root_at, table_at, tables[TABLES], table_count;

static const loam_phys reader = {pb_read, &b};

/* ---- writing tables ---- */

static void put_name(uint32_t at, const char *name)
{
    for (uint32_t i = 0; name[i] != '\0'; i++)
        b.bytes[at + i] = (unsigned char)name[i];
}

static void start(void)
{
    pb_start(&b);
    table_count = 0;
}

static void table(const char *name, unsigned revision)
{
    pb_align(&b, 4);
    table_at = b.used;
    put_name(table_at, name);
    b.bytes[table_at + AT_REVISION] = (unsigned char)revision;
    b.used += HEADER;
}

/* Also after a change of a table: its length and sum. */
static void sum_table(uint32_t at, uint32_t len)
{
    pb_put(&b, at + AT_LEN, len, 4);
    pb_sum(&b, at + AT_SUM, at, len);
}

static void table_end(void)
{
    sum_table(table_at, b.used - table_at);
    tables[table_count++] = table_at;
}

static void resum(uint32_t at)
{
    sum_table(at, (uint32_t)pb_get(&b, at + AT_LEN, 4));
}

static void cpu(unsigned id, unsigned flags)
{
    pb_add(&b, 0 | 8 << 8 | id << 24, 4);
    pb_add(&b, flags, 4);
}

static void x2cpu(uint32_t id, unsigned flags)
{
    pb_add(&b, 9 | 16 << 8, 4);
    pb_add(&b, id, 4);
    pb_add(&b, flags, 8);
}

static void near_cpu(unsigned id, uint32_t domain, unsigned flags)
{
    pb_add(&b, 0 | 16 << 8 | (domain & 0xff) << 16 | id << 24, 4);
    pb_add(&b, flags, 4);
    pb_add(&b, domain & 0xffffff00U, 4); /* a byte that does not matter, three of the domain */
    pb_add(&b, 0, 4);
}

static void near_x2cpu(uint32_t id, uint32_t domain, unsigned flags)
{
    pb_add(&b, 2 | 24 << 8, 4);
    pb_add(&b, domain, 4);
    pb_add(&b, id, 4);
    pb_add(&b, flags, 4);
    pb_add(&b, 0, 8);
}

static void near_memory(uint64_t base, uint64_t len, uint32_t domain, unsigned flags)
{
    pb_add(&b, 1 | 40 << 8, 2);
    pb_add(&b, domain, 4);
    pb_add(&b, 0, 2);
    pb_add(&b, base, 8);
    pb_add(&b, len, 8);
    pb_add(&b, 0, 4);
    pb_add(&b, flags, 8);
    pb_add(&b, 0, 4);
}

static void madt_start(void)
{
    table("APIC", 3);
    pb_add(&b, 0xfee00000, 4);
    pb_add(&b, 1, 4);
}

static void srat_start(unsigned revision)
{
    table("SRAT", revision);
    pb_add(&b, 1, 4);
    pb_add(&b, 0, 8);
}

/* The root table of all tables so far, then the first structure. */
static void finish_tables(unsigned width)
{
    table(width == 8 ? "XSDT" : "RSDT", 1);
    root_at = table_at;
    for (uint32_t i = 0; i < table_count; i++)
        pb_add(&b, PB_BASE + tables[i], width);
    sum_table(root_at, b.used - root_at);
    pb_align(&b, 16);
    rsdp_at = b.used;
    b.used += 36;
    put_name(rsdp_at, "RSD PTR ");
    b.bytes[rsdp_at + 15] = width == 8 ? 2 : 0;
    pb_put(&b, rsdp_at + 16, width == 8 ? 0xdead0000 : PB_BASE + root_at, 4);
    pb_sum(&b, rsdp_at + 8, rsdp_at, 20);
    if (width == 8) {
        pb_put(&b, rsdp_at + 20, 36, 4);
        pb_put(&b, rsdp_at + 24, PB_BASE + root_at, 8);
        pb_sum(&b, rsdp_at + 32, rsdp_at, 36);
    }
}

static void read_it(void)
{
    loam_bootinfo_init(&info);
    loam_bootinfo_add_acpi(&info, PB_BASE + rsdp_at, &reader);
}

static loam_err open_it(loam_acpi *acpi)
{
    why = NULL;
    return loam_acpi_open(acpi, PB_BASE + rsdp_at, &reader, &why);
}

static void broken_is(tap *t, const char *rule)
{
    loam_acpi acpi;
    TAP_EQ(t, open_it(&acpi), LOAM_EFORMAT);
    TAP_RULE(t, why, rule);
    read_it();
    TAP_RULE(t, info.note, rule);
    TAP_EQ(t, info.cpu_count, 0);
    TAP_EQ(t, info.node_count, 1);
}

/* ---- what is told ---- */

static void processors(tap *t)
{
    for (unsigned width = 4; width <= 8; width += 4) {
        start();
        table("FACP", 6);
        pb_add(&b, 1, 8);
        table_end();
        madt_start();
        cpu(0, ON);
        cpu(4, ON);
        pb_add(&b, 1 | 12 << 8, 4); /* an I/O APIC: not looked at */
        pb_add(&b, 0, 8);
        cpu(6, LATER);
        cpu(8, 0);
        x2cpu(4, ON); /* the same again */
        x2cpu(0x1234, ON | LATER);
        pb_add(&b, 5 | 12 << 8, 4);
        pb_add(&b, 0x1fee00000ULL, 8);
        table_end();
        finish_tables(width);
        read_it();
        TAP_STR(t, info.note, NULL);
        TAP_EQ(t, info.cpu_count, 3);
        TAP_EQ(t, info.cpu[0].id, 0);
        TAP_EQ(t, info.cpu[1].id, 4);
        TAP_EQ(t, info.cpu[2].id, 0x1234);
        TAP_EQ(t, info.cpu[2].node, 0);
        TAP_EQ(t, info.local_apic, 0x1fee00000ULL);
        TAP_EQ(t, info.rsdp, PB_BASE + rsdp_at);
        TAP_EQ(t, info.node_count, 1);
    }
}

static void many_processors(tap *t)
{
    start();
    madt_start();
    for (unsigned i = 0; i < 200; i++)
        x2cpu(i, ON);
    table_end();
    finish_tables(8);
    read_it();
    TAP_EQ(t, info.cpu_count, 200);
    TAP_EQ(t, info.cpu[LOAM_BOOTINFO_CPUS - 1].id, LOAM_BOOTINFO_CPUS - 1);
    TAP_EQ(t, info.local_apic, 0xfee00000);
}

static void nodes_tables(unsigned revision, uint32_t high)
{
    start();
    madt_start();
    for (unsigned i = 0; i < 4; i++)
        cpu(i, ON);
    table_end();
    srat_start(revision);
    near_cpu(3, 1 | high, ON);
    near_cpu(0, 0 | high, ON);
    near_cpu(1, 1 | high, 0); /* not enabled: nobody assigned it */
    near_x2cpu(2, 1, ON);
    near_cpu(77, 5, ON); /* no such processor */
    near_memory(0x40000000, 0x40000000, 1, ON);
    near_memory(0, 0xa0000, 0, ON);
    near_memory(0x100000, 0x3ff00000, 0, ON);
    near_memory(0x100000000ULL, 0x40000000, 1, ON);
    near_memory(0x200000000ULL, 0x40000000, 9, 0);
    near_memory(0x300000000ULL, 0, 9, ON);
    table_end();
    table("SLIT", 1);
    pb_add(&b, 3, 8);
    static const unsigned char far[] = {10, 21, 99, 31, 10, 99, 99, 99, 10};
    for (size_t i = 0; i < sizeof far; i++)
        pb_add(&b, far[i], 1);
    table_end();
    finish_tables(8);
}

static void nodes_are(tap *t)
{
    TAP_STR(t, info.note, NULL);
    TAP_EQ(t, info.node_count, 2);
    TAP_EQ(t, info.node_id[0] * 16 + info.node_id[1], 1);
    TAP_EQ(t, info.cpu[0].node, 0);
    TAP_EQ(t, info.cpu[1].node, 0);
    TAP_EQ(t, info.cpu[2].node, 1);
    TAP_EQ(t, info.cpu[3].node, 1);
    TAP_EQ(t, info.run_count, 2);
    TAP_EQ(t, info.run[1].base, 0x40000000);
    TAP_EQ(t, loam_bootinfo_node_of(&info, loam_pa_of(0x3fffffff)), 0);
    TAP_EQ(t, loam_bootinfo_node_of(&info, loam_pa_of(0x40000000)), 1);
    TAP_EQ(t, loam_bootinfo_node_of(&info, loam_pa_of(~0ULL)), 1);
    TAP_EQ(t, info.distance[0][1], 21);
    TAP_EQ(t, info.distance[1][0], 31);
    TAP_EQ(t, info.distance[1][1], 10);
}

static void nodes(tap *t)
{
    nodes_tables(2, 0);
    read_it();
    nodes_are(t);
    nodes_tables(1, 0xabcdef00); /* of revision 1 these bytes are not meant */
    read_it();
    nodes_are(t);
    nodes_tables(2, 0xabcdef00);
    read_it();
    TAP_EQ(t, info.node_count, 4); /* of processors alone, two of them */
    TAP_EQ(t, info.node_id[3], 0xabcdef01);
    TAP_EQ(t, info.cpu[3].node, 3);
    TAP_EQ(t, info.distance[0][3], LOAM_BOOTINFO_FAR); /* beyond the table */
    TAP_EQ(t, info.distance[0][1], 21);
}

/* Whatever is wrong with nodes, there is one, and the processors are there. */
static void one_node_is(tap *t, const char *note)
{
    read_it();
    TAP_RULE(t, info.note, note);
    TAP_EQ(t, info.cpu_count, 1);
    TAP_EQ(t, info.cpu[0].node, 0);
    TAP_EQ(t, info.node_count, 1);
    TAP_EQ(t, info.run_count, 1);
    TAP_EQ(t, info.near_count, 0);
    TAP_EQ(t, loam_bootinfo_node_of(&info, loam_pa_of(~0ULL)), 0);
}

static void bad_start(void)
{
    start();
    madt_start();
    cpu(0, ON);
    table_end();
    srat_start(3);
    near_cpu(0, 1, ON);
    near_memory(0, 0x1000, 0, ON);
}

static void bad_end(void)
{
    table_end();
    finish_tables(8);
}

static void bad_nodes(tap *t)
{
    bad_start();
    near_memory(0xfff, 1, 1, ON);
    bad_end();
    one_node_is(t, "memory nodes: ranges of different nodes overlap");
    bad_start();
    near_memory(0x800, 1, 1, ON);
    near_memory(0x100, 0x10, 0, ON); /* lies between, and ends before it */
    bad_end();
    one_node_is(t, "memory nodes: ranges of different nodes overlap");
    bad_start();
    near_memory(0x1000, 1, 0, ON);
    near_memory(0, 1, 1, ON);
    bad_end();
    one_node_is(t, "memory nodes: ranges of different nodes overlap");
    bad_start();
    near_memory(0x1000, 0xfffffffffffff001ULL, 1, ON);
    bad_end();
    one_node_is(t, "memory nodes: a range leaves the address space");
    bad_start();
    near_memory(0x1000, 0xfffffffffffff000ULL, 1, ON);
    bad_end();
    read_it();
    TAP_EQ(t, info.node_count, 2);
    bad_start();
    for (uint32_t i = 2; i <= LOAM_BOOTINFO_NODES; i++)
        near_memory(i << 12, 0x1000, i, ON);
    bad_end();
    one_node_is(t, "memory nodes: more than 16");
    bad_start();
    for (uint32_t i = 1; i <= LOAM_BOOTINFO_RUNS; i++)
        near_memory(i << 12, 0x1000, 0, ON);
    bad_end();
    one_node_is(t, "memory nodes: more than 64 ranges");
}

static void bad_distances(tap *t)
{
    static const unsigned char wrong[][2] = {{1, 9}, {1, 10}, {1, 0}, {0, 11}, {3, 255}};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(wrong); i++) {
        nodes_tables(2, 0);
        uint32_t row = wrong[i][0] / 2, at = tables[2] + HEADER + 8 + 3 * row + wrong[i][0] % 2;
        b.bytes[at] = wrong[i][1];
        resum(tables[2]);
        read_it();
        TAP_STR(t, info.note, "memory nodes: a distance that cannot be");
        TAP_EQ(t, info.node_count, 2);
        TAP_EQ(t, info.distance[0][1], LOAM_BOOTINFO_FAR);
        TAP_EQ(t, info.distance[1][0], LOAM_BOOTINFO_FAR);
        TAP_EQ(t, info.distance[0][0], LOAM_BOOTINFO_NEAR);
    }
}

/* ---- the format ---- */

/* A PC's first MiB: a word that says where the extended BIOS data are, and these or the BIOS. */
static unsigned char ebda_word[2];
static uint64_t seen_at; /* where b.bytes lie */

static const void *pc_read(void *ctx, uint64_t at, uint64_t len)
{
    (void)ctx;
    if (at == 0x40e && len == 2)
        return ebda_word;
    return at < seen_at ? NULL : pb_read(&b, at - seen_at + PB_BASE, len);
}

static void search(tap *t)
{
    static const loam_phys pc = {pc_read, NULL};
    seen_at = 0x9fc00;
    ebda_word[0] = 0xc0;
    ebda_word[1] = 0x9f;
    start();
    b.used = 1024 - 16;
    finish_tables(4); /* behind the first KiB */
    TAP_EQ(t, loam_acpi_search(&pc), 0);
    start();
    b.used = 1024 - 32 - HEADER;
    finish_tables(4);
    b.readable = 1024;
    TAP_EQ(t, rsdp_at, 1024 - 32);
    TAP_EQ(t, loam_acpi_search(&pc), 0x9fc00 + rsdp_at);
    b.bytes[rsdp_at + 8]++; /* the sum counts */
    TAP_EQ(t, loam_acpi_search(&pc), 0);
    b.bytes[rsdp_at + 8]--;
    ebda_word[0] = ebda_word[1] = 0;
    TAP_EQ(t, loam_acpi_search(&pc), 0);
    seen_at = 0xe0000;
    TAP_EQ(t, loam_acpi_search(&pc), 0xe0000 + rsdp_at);
    seen_at = 0xe0000 + 0x20000 - 16 - rsdp_at; /* begins in the last 16 bytes below 1 MiB */
    TAP_EQ(t, loam_acpi_search(&pc), 0xffff0);
    seen_at += 16;
    TAP_EQ(t, loam_acpi_search(&pc), 0);
    seen_at = 0xe0008; /* not aligned */
    TAP_EQ(t, loam_acpi_search(&pc), 0);
}

static void root_pointer(tap *t)
{
    nodes_tables(2, 0);
    b.bytes[rsdp_at] ^= 1;
    broken_is(t, "Y1 ");
    b.bytes[rsdp_at] ^= 1;
    b.bytes[rsdp_at + 8]++;
    broken_is(t, "Y1 ");
    b.bytes[rsdp_at + 8]--;
    b.bytes[rsdp_at + 32]++;
    broken_is(t, "Y1 ");
    pb_put(&b, rsdp_at + 20, 35, 4);
    pb_sum(&b, rsdp_at + 32, rsdp_at, 35);
    broken_is(t, "Y1 ");
    pb_put(&b, rsdp_at + 20, 0xffffffff, 4);
    broken_is(t, "Y1 ");
    b.readable = rsdp_at + 35;
    broken_is(t, "Y1 ");
    b.readable = rsdp_at + 19;
    broken_is(t, "Y1 ");
    nodes_tables(2, 0);
    uint64_t here = PB_BASE + rsdp_at;
    rsdp_at = ~0U - 4;
    broken_is(t, "Y1 ");
    TAP_EQ(t, loam_acpi_open(&(loam_acpi){.count = 0}, here, &reader, NULL), LOAM_OK);
    TAP_EQ(t, loam_acpi_open(&(loam_acpi){.count = 0}, ~0ULL, &reader, NULL), LOAM_EFORMAT);
}

static void root_table(tap *t)
{
    nodes_tables(2, 0);
    b.bytes[root_at] = 'R';
    resum(root_at);
    broken_is(t, "Y2 ");
    nodes_tables(2, 0);
    b.bytes[root_at + AT_SUM]++;
    broken_is(t, "Y2 ");
    nodes_tables(2, 0);
    sum_table(root_at, HEADER + 20);
    broken_is(t, "Y2 ");
    sum_table(root_at, HEADER - 1);
    broken_is(t, "Y2 ");
    pb_put(&b, root_at + AT_LEN, 0xffffffff, 4);
    broken_is(t, "Y2 ");
    pb_put(&b, rsdp_at + 24, PB_BASE + PB_CAP - 35, 8);
    pb_sum(&b, rsdp_at + 32, rsdp_at, 36);
    broken_is(t, "Y2 ");
    start();
    finish_tables(4); /* of no table */
    read_it();
    TAP_STR(t, info.note, NULL);
    TAP_EQ(t, info.cpu_count, 0);
}

/* The table of processors is broken in this way; the others count. */
static void madt_broken_is(tap *t, const char *rule)
{
    loam_acpi acpi;
    loam_acpi_table found;
    TAP_EQ(t, open_it(&acpi), LOAM_OK);
    TAP_EQ(t, loam_acpi_find(&acpi, "APIC", &found, &why), LOAM_EFORMAT);
    TAP_RULE(t, why, rule);
    TAP_EQ(t, loam_acpi_find(&acpi, "APIC", &found, NULL), LOAM_EFORMAT);
    TAP_EQ(t, loam_acpi_find(&acpi, "HPET", &found, NULL), LOAM_ENOENT);
    read_it();
    TAP_RULE(t, info.note, rule);
    TAP_EQ(t, info.cpu_count, 0);
    TAP_EQ(t, info.node_count, 2);
}

static void broken_tables(tap *t)
{
    nodes_tables(2, 0);
    uint32_t madt = tables[0];
    b.bytes[madt + AT_SUM]++;
    madt_broken_is(t, "Y3 ");
    sum_table(madt, HEADER + 7);
    madt_broken_is(t, "Y3 ");
    pb_put(&b, madt + AT_LEN, PB_CAP, 4);
    madt_broken_is(t, "Y3 ");
    nodes_tables(2, 0);
    sum_table(madt, HEADER + 8 + 9); /* cut inside the second entry, behind its type */
    madt_broken_is(t, "Y4 an ACPI table ends inside");
    sum_table(madt, HEADER + 8 + 15);
    madt_broken_is(t, "Y4 an ACPI table ends inside");
    nodes_tables(2, 0);
    static const unsigned char lens[] = {0, 1, 33};
    for (size_t i = 0; i < sizeof lens; i++) {
        b.bytes[madt + HEADER + 8 + 1] = lens[i];
        resum(madt);
        madt_broken_is(t, "Y4 an ACPI table ends inside");
    }
    b.bytes[madt + HEADER + 8 + 1] = 7;
    resum(madt);
    madt_broken_is(t, "Y4 an entry of an ACPI table is too small");
    b.bytes[madt + HEADER + 8] = 0x80; /* of unknown types only the length counts */
    b.bytes[madt + HEADER + 8 + 1] = 32;
    resum(madt);
    read_it();
    TAP_STR(t, info.note, NULL);
    TAP_EQ(t, info.cpu_count, 0);
}

static void small_entries(tap *t)
{
    static const unsigned char least[][2] = {{0, 16}, {1, 40}, {2, 24}};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(least); i++) {
        start();
        srat_start(3);
        pb_add(&b, least[i][0] | (least[i][1] - 1U) << 8, least[i][1] - 1U);
        bad_end();
        read_it();
        TAP_RULE(t, info.note, "Y4 an entry of an ACPI table is too small");
    }
}

static void small_distances(tap *t)
{
    static const uint64_t wrong[] = {4, 0x100000000ULL, ~0ULL, 0x100000001ULL};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(wrong); i++) {
        nodes_tables(2, 0);
        pb_put(&b, tables[2] + HEADER, wrong[i], 8);
        resum(tables[2]);
        read_it();
        TAP_RULE(t, info.note, "Y5 ");
        TAP_EQ(t, info.distance[1][0], LOAM_BOOTINFO_FAR);
    }
}

static void goes_away(tap *t)
{
    loam_acpi acpi;
    loam_acpi_table madt, slit;
    loam_acpi_cpu one;
    loam_acpi_near near;
    uint32_t at = 0;
    nodes_tables(2, 0);
    TAP_EQ(t, open_it(&acpi), LOAM_OK);
    TAP_EQ(t, loam_acpi_find(&acpi, "APIC", &madt, NULL), LOAM_OK);
    TAP_EQ(t, loam_acpi_find(&acpi, "SLIT", &slit, NULL), LOAM_OK);
    TAP_EQ(t, loam_acpi_distance(&acpi, &slit, 1, 0), 31);
    TAP_EQ(t, loam_acpi_distance(&acpi, &slit, 3, 0), 0);
    b.readable = 0;
    TAP_CHECK(t, !loam_acpi_cpu_next(&acpi, &madt, &at, &one));
    TAP_CHECK(t, !loam_acpi_near_next(&acpi, &madt, &at, &near));
    TAP_EQ(t, loam_acpi_local_apic(&acpi, &madt), 0);
    TAP_EQ(t, loam_acpi_distance(&acpi, &slit, 1, 0), 0);
    TAP_EQ(t, loam_acpi_find(&acpi, "APIC", &madt, NULL), LOAM_ENOENT);
}

static const tap_case cases[] = {
    {"bootinfo_add_acpi: processors that are enabled, each once; RSDT, XSDT", processors},
    {"bootinfo_add_acpi: more processors than listed: counted", many_processors},
    {"bootinfo_add_acpi: memory nodes, their processors, distances", nodes},
    {"bootinfo_add_acpi: nodes that cannot be: one node, and a note", bad_nodes},
    {"bootinfo_add_acpi: distances that cannot be: none of them", bad_distances},
    {"acpi_search: extended BIOS data, BIOS, nowhere", search},
    {"acpi_open: a broken root pointer: Y1", root_pointer},
    {"acpi_open: a broken root table: Y2", root_table},
    {"acpi_find: a broken table: Y3, Y4", broken_tables},
    {"acpi_find: entries without their fields: Y4", small_entries},
    {"acpi_find: fewer distances than it says: Y5", small_distances},
    {"acpi_cpu_next, near_next, distance: memory that goes away", goes_away},
};
TAP_SUITE(acpi_test, cases);
