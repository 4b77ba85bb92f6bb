/* SPDX-License-Identifier: MIT */
/* bootinfo_fdt.c - what a device tree says about memory, start-up and processors.
 *
 * WHAT   fdt.c proves that bytes are a tree; this file knows what the nodes mean.
 *
 * MODEL
 *            reservation block ------------------------> held  "memreserve"
 *            /  #address-cells #size-cells model compatible
 *            +- memory@0        device_type reg -------> ram
 *            +- reserved-memory cells of its own
 *            |  +- fb@3c000000  reg no-map ------------> held  "fb@3c000000"
 *            |  +- pool         size alignment --------> dynamic
 *            +- chosen          linux,initrd-start -end -> held "initrd"
 *            |                  bootargs stdout-path --> cmdline console
 *            +- cpus            cpu@0 cpu@1 ... -------> cpu
 *
 * RULES  I4  RAM is the reg of each child of the root with device_type "memory". If no child has
 *            that, children named memory that have no device_type at all stand in: old trees
 *        I5  nodes with a status other than okay or ok are not there. A processor that is
 *            "disabled" and has an enable-method can still be started, so it is
 *        I6  cells are those of the parent, 2 and 1 where it has none; memory needs 1 or 2 each
 *        I7  ranges of length 0 are nothing; a range that wraps, a reg that is no whole number of
 *            ranges, an initrd that ends before it starts or has one end only refuse the tree
 *        I8  /reserved-memory is mapped one to one: its ranges is empty or absent
 *        I9  what is malformed and does not place memory is left out and noted
 *
 * LOCKS  None.
 * COST   O(blob): each node of the first two levels is looked at a constant number of times.
 * FROM   The Devicetree Specification, chapter 3, and the reserved-memory and chosen bindings.
 * NOT    linux,usable-memory, hot-plug, memory behind a bus, phandles to regions; memory nodes and
 *        their distances (bootinfo_fdt_numa.c).
 */
#include "bootinfo_numa.h"

typedef struct tree {
    loam_fdt fdt;
    loam_bootinfo *info;
    numa_reading numa;
    const char *why;
} tree;

/* What to say when ranges are bad. */
typedef struct tree_words {
    const char *cells, *length, *wraps, *full;
} tree_words;

static const tree_words tree_ram_words = {
    .cells = "memory: #address-cells and #size-cells have to be 1 or 2",
    .length = "memory: reg is no whole number of ranges",
    .wraps = "memory: a range leaves the address space",
    .full = "memory: more than 256 ranges",
};

static const tree_words tree_held_words = {
    .cells = "reserved-memory: #address-cells and #size-cells have to be 1 or 2",
    .length = "reserved-memory: reg is no whole number of ranges",
    .wraps = "a reserved range leaves the address space",
    .full = "more than 512 reserved ranges",
};
_Static_assert(LOAM_BOOTINFO_RAM == 256 && LOAM_BOOTINFO_HELD == 512, "the words above say so");

static bool tree_same(const char *a, const char *b)
{
    while (*a != 0 && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static loam_err tree_refuse(tree *t, loam_err err, const char *why)
{
    t->why = why;
    return err;
}

static void tree_note(tree *t, const char *note)
{
    if (t->info->note == NULL)
        t->info->note = note;
}

static bool tree_has(const tree *t, loam_fdt_node node, const char *name)
{
    loam_fdt_prop prop;
    return loam_fdt_prop_get(&t->fdt, node, name, &prop);
}

static loam_fdt_node tree_top(const tree *t, const char *name)
{
    loam_fdt_node node = loam_fdt_child(&t->fdt, loam_fdt_root(&t->fdt));
    while (!loam_fdt_is_none(node) && !loam_fdt_name_is(&t->fdt, node, name))
        node = loam_fdt_sibling(&t->fdt, node);
    return node;
}

/* ---- ranges ---- */

/* Adds one range: RAM when `as` is NULL, else held as it says. */
static loam_err tree_range(tree *t, loam_span span, const loam_bootinfo_held *as)
{
    const tree_words *words = as == NULL ? &tree_ram_words : &tree_held_words;
    loam_bootinfo *info = t->info;
    size_t at = info->held_count;
    loam_pa base = loam_pa_of(span.base);
    loam_err err = as == NULL ? loam_bootinfo_add(info, base, span.len)
                              : loam_bootinfo_hold(info, base, span.len, as->name);
    if (err != LOAM_OK)
        return tree_refuse(t, err, err == LOAM_ERANGE ? words->wraps : words->full);
    if (info->held_count > at) {
        info->held[at].source = as->source;
        info->held[at].no_map = as->no_map;
        info->held[at].reusable = as->reusable;
    }
    return LOAM_OK;
}

static LOAM_NOINLINE loam_err tree_reg(tree *t, const loam_fdt_prop *reg, loam_fdt_cells cells,
                                       const loam_bootinfo_held *as)
{
    const tree_words *words = as == NULL ? &tree_ram_words : &tree_held_words;
    uint32_t count;
    loam_err err = loam_fdt_reg_count(reg, cells, &count);
    if (err != LOAM_OK)
        return tree_refuse(t, LOAM_EFORMAT, err == LOAM_EINVAL ? words->cells : words->length);
    for (uint32_t i = 0; i < count && err == LOAM_OK; i++)
        err = tree_range(t, loam_fdt_reg(reg, cells, i), as);
    return err;
}

/* Cells of a node; 0 and 0, which no range accepts, when they are malformed. */
static loam_fdt_cells tree_cells(const tree *t, loam_fdt_node node)
{
    loam_fdt_cells cells;
    return loam_fdt_cells_get(&t->fdt, node, &cells) ? cells : (loam_fdt_cells){0, 0};
}

/* ---- memory ---- */

static bool tree_is_memory(const tree *t, loam_fdt_node node, bool by_name)
{
    if (by_name)
        return loam_fdt_name_is(&t->fdt, node, "memory") && !tree_has(t, node, "device_type");
    const char *type = loam_fdt_str(&t->fdt, node, "device_type");
    return type != NULL && tree_same(type, "memory");
}

/* *found: how many nodes there were, whether or not they are available. */
static loam_err tree_memory_pass(tree *t, bool by_name, unsigned *found)
{
    loam_fdt_node root = loam_fdt_root(&t->fdt), node = loam_fdt_child(&t->fdt, root);
    loam_fdt_cells cells = tree_cells(t, root);
    *found = 0;
    for (; !loam_fdt_is_none(node); node = loam_fdt_sibling(&t->fdt, node)) {
        loam_fdt_prop reg;
        if (!tree_is_memory(t, node, by_name))
            continue;
        ++*found;
        if (!loam_fdt_is_available(&t->fdt, node) || !loam_fdt_prop_get(&t->fdt, node, "reg", &reg))
            continue;
        loam_err err = tree_reg(t, &reg, cells, NULL);
        if (err != LOAM_OK)
            return err;
        loam_bootinfo__numa_fdt_memory(&t->numa, &t->fdt, node, &reg, cells);
    }
    return LOAM_OK;
}

static loam_err tree_memory(tree *t)
{
    unsigned found;
    loam_err err = tree_memory_pass(t, false, &found);
    if (err == LOAM_OK && found == 0)
        err = tree_memory_pass(t, true, &found);
    if (err == LOAM_OK && t->info->ram_count == 0)
        return tree_refuse(t, LOAM_ENOENT, found == 0 ? "no memory node" : "memory: no RAM in it");
    return err;
}

/* ---- reservations ---- */

static loam_err tree_memreserve(tree *t)
{
    const loam_bootinfo_held as = {.name = "memreserve", .source = LOAM_BOOTINFO_MEMRESERVE};
    loam_err err = LOAM_OK;
    for (uint32_t i = 0; i < t->fdt.reserve_count && err == LOAM_OK; i++)
        err = tree_range(t, loam_fdt_reserve_get(&t->fdt, i), &as);
    return err;
}

static loam_err tree_dynamic(tree *t, loam_fdt_node node, const loam_fdt_prop *size,
                             const loam_bootinfo_held *as)
{
    loam_bootinfo_dynamic dynamic = {
        .name = as->name, .no_map = as->no_map, .reusable = as->reusable};
    loam_fdt_prop align;
    if (!loam_fdt_prop_u64(size, &dynamic.len) ||
        (loam_fdt_prop_get(&t->fdt, node, "alignment", &align) &&
         !loam_fdt_prop_u64(&align, &dynamic.align))) {
        tree_note(t, "reserved-memory: a size or alignment is not a number");
        return LOAM_OK;
    }
    if (t->info->dynamic_count == LOAM_BOOTINFO_DYNAMIC)
        return tree_refuse(t, LOAM_EFULL, "reserved-memory: more than 32 regions without address");
    t->info->dynamic[t->info->dynamic_count++] = dynamic;
    return LOAM_OK;
}
_Static_assert(LOAM_BOOTINFO_DYNAMIC == 32, "the words above say so");

static LOAM_NOINLINE loam_err tree_region(tree *t, loam_fdt_node node, loam_fdt_cells cells)
{
    loam_fdt_prop prop;
    const loam_bootinfo_held as = {.name = loam_fdt_name(&t->fdt, node),
                                   .source = LOAM_BOOTINFO_REGION,
                                   .no_map = tree_has(t, node, "no-map"),
                                   .reusable = tree_has(t, node, "reusable")};
    if (!loam_fdt_is_available(&t->fdt, node))
        return LOAM_OK;
    if (loam_fdt_prop_get(&t->fdt, node, "reg", &prop))
        return tree_reg(t, &prop, cells, &as);
    if (loam_fdt_prop_get(&t->fdt, node, "size", &prop))
        return tree_dynamic(t, node, &prop, &as);
    return LOAM_OK;
}

static loam_err tree_regions_of(tree *t, loam_fdt_node parent)
{
    loam_fdt_prop ranges;
    loam_fdt_cells cells = tree_cells(t, parent);
    loam_err err = LOAM_OK;
    if (loam_fdt_prop_get(&t->fdt, parent, "ranges", &ranges) && ranges.len != 0)
        return tree_refuse(t, LOAM_EFORMAT, "reserved-memory: ranges is not empty");
    loam_fdt_node node = loam_fdt_child(&t->fdt, parent);
    for (; !loam_fdt_is_none(node) && err == LOAM_OK; node = loam_fdt_sibling(&t->fdt, node))
        err = tree_region(t, node, cells);
    return err;
}

static loam_err tree_regions(tree *t)
{
    loam_fdt_node node = loam_fdt_child(&t->fdt, loam_fdt_root(&t->fdt));
    loam_err err = LOAM_OK;
    for (; !loam_fdt_is_none(node) && err == LOAM_OK; node = loam_fdt_sibling(&t->fdt, node))
        if (loam_fdt_name_is(&t->fdt, node, "reserved-memory"))
            err = tree_regions_of(t, node);
    return err;
}

static LOAM_NOINLINE loam_err tree_initrd(tree *t, loam_fdt_node chosen)
{
    const loam_bootinfo_held as = {.name = "initrd", .source = LOAM_BOOTINFO_INITRD};
    loam_fdt_prop start, end;
    uint64_t from, to;
    bool has_start = loam_fdt_prop_get(&t->fdt, chosen, "linux,initrd-start", &start);
    bool has_end = loam_fdt_prop_get(&t->fdt, chosen, "linux,initrd-end", &end);
    if (!has_start && !has_end)
        return LOAM_OK;
    if (!has_start || !has_end)
        return tree_refuse(t, LOAM_EFORMAT, "chosen: the initrd has one end only");
    if (!loam_fdt_prop_u64(&start, &from) || !loam_fdt_prop_u64(&end, &to))
        return tree_refuse(t, LOAM_EFORMAT, "chosen: an end of the initrd is not a number");
    if (to < from)
        return tree_refuse(t, LOAM_EFORMAT, "chosen: the initrd ends before it starts");
    t->info->initrd = (loam_span){.base = from, .len = to - from};
    if (to > from)
        t->info->module[t->info->module_count++] =
            (loam_bootinfo_module){.span = t->info->initrd, .text = ""};
    return tree_range(t, t->info->initrd, &as);
}

/* ---- what does not place memory ---- */

/* A string of /chosen; NULL and a note when it is there and no string. */
static const char *tree_string(tree *t, loam_fdt_node node, const char *name, const char *note)
{
    const char *text = loam_fdt_str(&t->fdt, node, name);
    if (text == NULL && tree_has(t, node, name))
        tree_note(t, note);
    return text;
}

static void tree_console(tree *t, loam_fdt_node chosen)
{
    const char *path = tree_string(t, chosen, "stdout-path", "chosen: stdout-path is no string");
    if (path == NULL)
        path = loam_fdt_str(&t->fdt, chosen, "linux,stdout-path");
    if (path == NULL)
        return;
    size_t n = 0;
    while (path[n] != 0 && path[n] != ':')
        n++;
    t->info->console = loam_fdt_find(&t->fdt, path, n);
    if (loam_fdt_is_none(t->info->console))
        tree_note(t, "chosen: stdout-path names no node");
    else if (path[n] == ':')
        t->info->console_options = path + n + 1;
}

static bool tree_cpu_can_run(const tree *t, loam_fdt_node node, const char *enable_method)
{
    if (loam_fdt_is_available(&t->fdt, node))
        return true;
    const char *status = loam_fdt_str(&t->fdt, node, "status");
    return status != NULL && tree_same(status, "disabled") && enable_method != NULL;
}

static void tree_cpu(tree *t, loam_fdt_node cpus, loam_fdt_node node)
{
    loam_bootinfo *info = t->info;
    loam_bootinfo_cpu cpu = {.enable_method = loam_fdt_str(&t->fdt, node, "enable-method"),
                             .node = NUMA_NO_NODE};
    loam_fdt_cells cells = tree_cells(t, cpus);
    loam_fdt_prop prop;
    if (cpu.enable_method == NULL)
        cpu.enable_method = loam_fdt_str(&t->fdt, cpus, "enable-method");
    if (!tree_cpu_can_run(t, node, cpu.enable_method))
        return;
    cells.size = 0;
    if (cells.address >= 1 && cells.address <= 2 &&
        loam_fdt_prop_get(&t->fdt, node, "reg", &prop) && prop.len / 4 >= cells.address)
        cpu.id = loam_fdt_reg(&prop, cells, 0).base;
    else
        tree_note(t, "cpus: a processor without a number");
    if (loam_fdt_prop_get(&t->fdt, node, "cpu-release-addr", &prop) &&
        !loam_fdt_prop_u64(&prop, &cpu.release))
        tree_note(t, "cpus: a release address is not a number");
    if (info->cpu_count < LOAM_BOOTINFO_CPUS)
        info->cpu[info->cpu_count] = cpu;
    loam_bootinfo__numa_fdt_cpu(&t->numa, &t->fdt, node, info->cpu_count);
    info->cpu_count++;
}

static void tree_cpus(tree *t)
{
    loam_fdt_node cpus = tree_top(t, "cpus"), node = loam_fdt_child(&t->fdt, cpus);
    for (; !loam_fdt_is_none(node); node = loam_fdt_sibling(&t->fdt, node)) {
        const char *type = loam_fdt_str(&t->fdt, node, "device_type");
        if (type != NULL ? tree_same(type, "cpu") : loam_fdt_name_is(&t->fdt, node, "cpu"))
            tree_cpu(t, cpus, node);
    }
}

/* What is not inlined is so because stacks would add up. */
static LOAM_NOINLINE loam_err tree_read_memory(tree *t)
{
    loam_err err = tree_memory(t);
    if (err == LOAM_OK)
        err = tree_memreserve(t);
    if (err == LOAM_OK)
        err = tree_regions(t);
    if (err == LOAM_OK)
        err = tree_initrd(t, tree_top(t, "chosen"));
    return err;
}

static LOAM_NOINLINE void tree_read_rest(tree *t)
{
    loam_fdt_node root = loam_fdt_root(&t->fdt), chosen = tree_top(t, "chosen");
    const char *cmdline = tree_string(t, chosen, "bootargs", "chosen: bootargs is no string");
    if (cmdline != NULL)
        t->info->cmdline = cmdline;
    t->info->model = loam_fdt_str(&t->fdt, root, "model");
    t->info->compatible = loam_fdt_str(&t->fdt, root, "compatible");
    t->info->nodes = t->fdt.nodes;
    t->info->blob_len = t->fdt.size;
    tree_console(t, chosen);
    tree_cpus(t);
    loam_bootinfo__numa_fdt_end(&t->numa, &t->fdt);
    loam_fdt_arm_read(&t->fdt, t->info->console, &t->info->arm);
}

loam_err loam_bootinfo_from_fdt(loam_bootinfo *info, const void *blob, size_t len, const char **why)
{
    tree t = {.info = info, .numa = {.info = info}};
    loam_bootinfo_init(info);
    loam_err err = loam_fdt_open(&t.fdt, blob, len, &t.why);
    if (err == LOAM_OK)
        err = tree_read_memory(&t);
    if (err == LOAM_OK) {
        tree_read_rest(&t);
        return LOAM_OK;
    }
    loam_bootinfo_init(info);
    if (why != NULL)
        *why = t.why;
    return err;
}
