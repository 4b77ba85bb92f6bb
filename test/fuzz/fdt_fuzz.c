/* SPDX-License-Identifier: MIT */
/* fdt_fuzz.c - any bytes as a device tree, read by our reader and by libfdt.
 *
 * Whatever libfdt accepts whole (fdt_check_full) ours accepts, but for the reasons in `stricter`;
 * and ours accepts nothing that libfdt refuses. A tree that both accept is read by both: every
 * node, property, reservation and a few paths must be the same, and bootinfo must say exactly what
 * an independent reading with libfdt's calls says. */
#include "fuzz_phys.h"
#include "loam/bootinfo.h"
#include "loam/fdt.h"
#include <libfdt.h>
#include <string.h>

/* Refused by the specification, accepted by libfdt, whatever the blob. */
static const char *const stricter[] = {
    "F4 reservation block without end",             /* 5.3.1: a pair of zeros; libfdt: a length 0 */
    "F5 blocks overlap",                            /* no writer makes these */
    "F6 no root",                                   /* 5.4.2: there is one */
    "F6 a second root",                             /* and only one */
    "F7 a property after a node or outside of one", /* 5.4.2: properties come first */
};

/* A property longer than 2 GiB: libfdt adds such a length in an int, which wraps, and goes on. */
static bool has_huge_property(const uint8_t *blob, size_t len)
{
    for (size_t at = 0; at + 8 <= len; at += 4)
        if (fdt32_ld((const fdt32_t *)(const void *)(blob + at)) == FDT_PROP &&
            blob[at + 4] >= 0x80)
            return true;
    return false;
}

static bool is_stricter(const char *why, const void *blob, size_t len)
{
    for (size_t i = 0; i < LOAM_ARRAY_LEN(stricter); i++)
        if (strcmp(why, stricter[i]) == 0)
            return true;
    if (strcmp(why, "F3 block misaligned") == 0) /* 5.6 */
        return fdt_off_mem_rsvmap(blob) % 8 != 0 || fdt_off_dt_struct(blob) % 4 != 0;
    if (strcmp(why, "F8 a property's name does not end") == 0)
        return fdt_version(blob) < 17; /* there libfdt looks behind the strings block, too */
    if (strcmp(why, "F8 a value does not end") == 0 && has_huge_property(blob, len))
        return true;
    fprintf(stderr, "# refused: %s\n", why);
    return false;
}

static void same_reservations(const loam_fdt *fdt, const void *blob)
{
    int count = fdt_num_mem_rsv(blob);
    FUZZ_CHECK(count >= 0 && (uint32_t)count <= fdt->reserve_count);
    for (int i = 0; i < count; i++) {
        uint64_t base, len;
        FUZZ_CHECK(fdt_get_mem_rsv(blob, i, &base, &len) == 0);
        loam_span span = loam_fdt_reserve_get(fdt, (uint32_t)i);
        FUZZ_CHECK(span.base == base && span.len == len);
    }
    if ((uint32_t)count < fdt->reserve_count) /* where libfdt stops: an entry of length 0 */
        FUZZ_CHECK(loam_fdt_reserve_get(fdt, (uint32_t)count).len == 0);
}

static void same_property(const loam_fdt_walk *walk, const void *blob, int offset)
{
    const char *name;
    int len;
    const void *value = fdt_getprop_by_offset(blob, offset, &name, &len);
    FUZZ_CHECK(value != NULL && len >= 0);
    FUZZ_CHECK(walk->prop.data == value && walk->prop.len == (uint32_t)len);
    FUZZ_CHECK(walk->prop.name == name);
}

/* The tree, token by token. */
static void same_walk(const loam_fdt *fdt, const void *blob)
{
    loam_fdt_walk walk;
    loam_fdt_token token;
    int node = -1, depth = 0, property = -1;
    uint32_t nodes = 0;
    loam_fdt_walk_init(&walk, fdt, loam_fdt_root(fdt));
    while ((token = loam_fdt_walk_step(&walk)) != LOAM_FDT_DONE) {
        FUZZ_CHECK(token != LOAM_FDT_BAD);
        if (token == LOAM_FDT_BEGIN) {
            node = fdt_next_node(blob, node, &depth);
            FUZZ_CHECK(node >= 0 && (uint32_t)node == walk.at);
            FUZZ_CHECK((uint32_t)depth == walk.depth || nodes == 0);
            FUZZ_CHECK(fdt_get_name(blob, node, NULL) == walk.name);
            property = fdt_first_property_offset(blob, node);
            if (nodes++ == 0)
                depth = 1; /* it counts from where it started */
        } else if (token == LOAM_FDT_PROP) {
            FUZZ_CHECK(property >= 0);
            same_property(&walk, blob, property);
            property = fdt_next_property_offset(blob, property);
        }
        if (token != LOAM_FDT_PROP && token != LOAM_FDT_BEGIN)
            FUZZ_CHECK(property < 0);
    }
    FUZZ_CHECK(nodes == fdt->nodes);
}

static void same_paths(const loam_fdt *fdt, const void *blob)
{
    static const char *const paths[] = {"/",         "/memory",          "/chosen",
                                        "/cpus",     "/reserved-memory", "/soc/serial@7e201000",
                                        "/memory@0", "/cpus/cpu@1",      "/soc/serial",
                                        "//soc/",    "/soc/gpio/pins",   "/memory@"};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(paths); i++) {
        int theirs = fdt_path_offset(blob, paths[i]);
        loam_fdt_node ours = loam_fdt_find(fdt, paths[i], strlen(paths[i]));
        FUZZ_CHECK((theirs < 0) == loam_fdt_is_none(ours));
        FUZZ_CHECK(theirs < 0 || (uint32_t)theirs == ours.at);
        if (theirs < 0)
            continue;
        int child = fdt_first_subnode(blob, theirs), next = fdt_next_subnode(blob, theirs);
        loam_fdt_node down = loam_fdt_child(fdt, ours), right = loam_fdt_sibling(fdt, ours);
        FUZZ_CHECK(child < 0 ? loam_fdt_is_none(down) : down.at == (uint32_t)child);
        FUZZ_CHECK(next < 0 ? loam_fdt_is_none(right) : right.at == (uint32_t)next);
    }
}

/* ---- bootinfo, read a second time ---- */

typedef struct reading {
    const void *blob;
    loam_err err;
    loam_span ram[LOAM_BOOTINFO_RAM + 1], held[LOAM_BOOTINFO_HELD + 1];
    size_t ram_count, held_count;
} reading;

static void reading_add(reading *r, bool ram, uint64_t base, uint64_t len)
{
    size_t *count = ram ? &r->ram_count : &r->held_count;
    size_t cap = ram ? LOAM_BOOTINFO_RAM : LOAM_BOOTINFO_HELD;
    if (len == 0 || r->err != LOAM_OK)
        return;
    if (base + len < base && base + len != 0)
        r->err = LOAM_ERANGE;
    else if (*count == cap)
        r->err = LOAM_EFULL;
    else
        (ram ? r->ram : r->held)[(*count)++] = (loam_span){base, len};
}

static uint64_t number(const uint8_t *p, int cells)
{
    uint64_t v = 0;
    for (int i = 0; i < cells * 4; i++)
        v = v << 8 | p[i];
    return v;
}

static void reading_reg(reading *r, bool ram, int parent, int node)
{
    int len, cell_len;
    const uint8_t *reg = fdt_getprop(r->blob, node, "reg", &len);
    int address = 2, size = 1;
    const uint8_t *cell = fdt_getprop(r->blob, parent, "#address-cells", &cell_len);
    if (cell != NULL)
        address = cell_len == 4 && number(cell, 1) <= 2 ? (int)number(cell, 1) : 0;
    cell = fdt_getprop(r->blob, parent, "#size-cells", &cell_len);
    if (cell != NULL)
        size = cell_len == 4 && number(cell, 1) <= 2 ? (int)number(cell, 1) : 0;
    if (reg == NULL || r->err != LOAM_OK)
        return;
    if (address == 0 || size == 0 || len % (4 * (address + size)) != 0) {
        r->err = LOAM_EFORMAT;
        return;
    }
    for (int at = 0; at < len; at += 4 * (address + size))
        reading_add(r, ram, number(reg + at, address), number(reg + at + 4 * address, size));
}

/* The first string of a property, or NULL: not there, or without end. */
static const char *string_of(const void *blob, int node, const char *name)
{
    int len;
    const char *text = fdt_getprop(blob, node, name, &len);
    return text != NULL && memchr(text, 0, (size_t)len) != NULL ? text : NULL;
}

static bool is_on(const void *blob, int node)
{
    int len;
    const char *status = string_of(blob, node, "status");
    if (fdt_getprop(blob, node, "status", &len) == NULL)
        return true;
    return status != NULL && (strcmp(status, "okay") == 0 || strcmp(status, "ok") == 0);
}

static bool has_base(const void *blob, int node, const char *base)
{
    const char *name = fdt_get_name(blob, node, NULL);
    size_t n = strcspn(name, "@");
    return n == strlen(base) && strncmp(name, base, n) == 0;
}

static unsigned reading_memory(reading *r, bool by_name)
{
    int node, root = fdt_next_node(r->blob, -1, NULL);
    unsigned found = 0;
    fdt_for_each_subnode(node, r->blob, root)
    {
        const char *type = string_of(r->blob, node, "device_type");
        bool typed = fdt_getprop(r->blob, node, "device_type", NULL) != NULL;
        bool is = by_name ? !typed && has_base(r->blob, node, "memory")
                          : type != NULL && strcmp(type, "memory") == 0;
        found += is;
        if (is && is_on(r->blob, node))
            reading_reg(r, true, root, node);
    }
    return found;
}

static void reading_regions(reading *r)
{
    int parent, node, len, root = fdt_next_node(r->blob, -1, NULL);
    fdt_for_each_subnode(parent, r->blob, root)
    {
        if (!has_base(r->blob, parent, "reserved-memory"))
            continue;
        if (fdt_getprop(r->blob, parent, "ranges", &len) != NULL && len != 0 && r->err == LOAM_OK)
            r->err = LOAM_EFORMAT;
        fdt_for_each_subnode(node, r->blob, parent) if (is_on(r->blob, node))
            reading_reg(r, false, parent, node);
    }
}

static void reading_initrd(reading *r)
{
    int a_len, z_len, chosen = fdt_path_offset(r->blob, "/chosen");
    if (chosen < 0 || r->err != LOAM_OK)
        return;
    const uint8_t *a = fdt_getprop(r->blob, chosen, "linux,initrd-start", &a_len);
    const uint8_t *z = fdt_getprop(r->blob, chosen, "linux,initrd-end", &z_len);
    if (a == NULL && z == NULL)
        return;
    if (a == NULL || z == NULL || (a_len != 4 && a_len != 8) || (z_len != 4 && z_len != 8) ||
        number(z, z_len / 4) < number(a, a_len / 4))
        r->err = LOAM_EFORMAT;
    else
        reading_add(r, false, number(a, a_len / 4), number(z, z_len / 4) - number(a, a_len / 4));
}

static void same_bootinfo(const loam_fdt *fdt, const void *blob, size_t len)
{
    static loam_bootinfo info;
    static reading r;
    memset(&r, 0, sizeof r);
    r.blob = blob;
    if (reading_memory(&r, false) == 0)
        reading_memory(&r, true);
    if (r.err == LOAM_OK && r.ram_count == 0)
        r.err = LOAM_ENOENT;
    for (uint32_t i = 0; i < fdt->reserve_count; i++) {
        loam_span span = loam_fdt_reserve_get(fdt, i);
        reading_add(&r, false, span.base, span.len);
    }
    reading_regions(&r);
    reading_initrd(&r);
    const char *why = NULL;
    loam_err err = loam_bootinfo_from_fdt(&info, blob, len, &why);
    if (err == LOAM_EFULL && strstr(why, "without address") != NULL)
        return; /* sizes without an address: not part of the second reading */
    FUZZ_CHECK(err == r.err);
    if (err != LOAM_OK)
        return;
    fuzz_nodes_hold(&info);
    FUZZ_CHECK((info.arm.gic == 3) == (info.arm.gic_redists > 0));
    FUZZ_CHECK(info.ram_count == r.ram_count && info.held_count == r.held_count);
    for (size_t i = 0; i < r.ram_count; i++)
        FUZZ_CHECK(memcmp(&info.ram[i], &r.ram[i], sizeof r.ram[i]) == 0);
    for (size_t i = 0; i < r.held_count; i++)
        FUZZ_CHECK(memcmp(&info.held[i].span, &r.held[i], sizeof r.held[i]) == 0);
    int chosen = fdt_path_offset(blob, "/chosen");
    const char *bootargs = chosen < 0 ? NULL : string_of(blob, chosen, "bootargs");
    FUZZ_CHECK(strcmp(info.cmdline, bootargs != NULL ? bootargs : "") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    loam_fdt fdt;
    const char *why = "";
    void *blob = malloc(len > 0 ? len : 1); /* aligned, as libfdt wants it */
    if (blob == NULL)
        return 0;
    memcpy(blob, data, len);
    loam_err err = loam_fdt_open(&fdt, blob, len, &why);
    /* Versions before 16, which nobody writes any more, end libfdt 1.6.1 with a NULL name. */
    bool old = len >= FDT_V17_SIZE && fdt_version(blob) < 16;
    bool theirs = !old && fdt_check_full(blob, len) == 0;
    if (err != LOAM_OK)
        FUZZ_CHECK(!theirs || is_stricter(why, blob, len));
    else
        FUZZ_CHECK(theirs);
    if (err == LOAM_OK) {
        same_reservations(&fdt, blob);
        same_walk(&fdt, blob);
        same_paths(&fdt, blob);
        same_bootinfo(&fdt, blob, len);
    } else {
        static loam_bootinfo info;
        FUZZ_CHECK(loam_bootinfo_from_fdt(&info, blob, len, NULL) == LOAM_EFORMAT);
        FUZZ_CHECK(info.ram_count == 0 && info.held_count == 0);
    }
    free(blob);
    return 0;
}
