/* SPDX-License-Identifier: MIT */
/* fdt_arm.c - the devices of a 64-bit Arm machine that a small kernel needs, out of its tree.
 *
 * WHAT   Who wakes the other processors, who delivers interrupts, what ticks, and where text goes.
 *
 * MODEL
 *            /  #address-cells #size-cells
 *            +- psci            compatible "arm,psci-0.2"   method "hvc" ---> psci
 *            +- intc@8000000    "arm,cortex-a15-gic"  reg = dist, cpu ------> gic 2
 *            |                  "arm,gic-v3"          reg = dist, redist ...-> gic 3
 *            |                  #interrupt-cells = <3>
 *            +- timer           "arm,armv8-timer"  interrupts = 4 triples --> timer
 *            +- pl011@9000000   "arm,pl011"  reg interrupts ----------------> pl011
 *
 *            interrupt   type number flags      type 0: number + 32, shared
 *                                               type 1: number + 16, one for each processor
 *
 * RULES  F11 only children of the root that are available, by what they are compatible with
 *        F12 what is malformed is as if it were not there, and noted
 *        F13 of several of a kind the first counts; of serial ports the console, if it is one
 *
 * LOCKS  None: nothing is written.
 * COST   O(blob): each child of the root is looked at a constant number of times.
 * FROM   The bindings psci, arm,gic, arm,gic-v3, arm,arch_timer and pl011 of device trees.
 * NOT    Devices behind a bus, interrupt parents and maps, PSCI 0.1, whose numbers the tree tells.
 */
#include "loam/fdt_arm.h"

enum {
    CELL = 4,
    TRIPLE = 3 * CELL,
    SHARED = 32,
    PRIVATE = 16,
    SHARED_MOST = 988,
    PRIVATE_MOST = 16
};

typedef struct arm_reading {
    const loam_fdt *fdt;
    loam_fdt_cells cells; /* of the root */
    loam_fdt_arm *arm;
} arm_reading;

static void arm_note(arm_reading *r, const char *note)
{
    if (r->arm->note == NULL)
        r->arm->note = note;
}

/* The index-th range of a node's reg; false: it has fewer, or that one wraps. */
static bool arm_reg(const arm_reading *r, loam_fdt_node node, uint32_t index, loam_span *span)
{
    loam_fdt_prop reg;
    uint32_t count;
    if (!loam_fdt_prop_get(r->fdt, node, "reg", &reg) ||
        loam_fdt_reg_count(&reg, r->cells, &count) != LOAM_OK || index >= count)
        return false;
    *span = loam_fdt_reg(&reg, r->cells, index);
    return span->len > 0 && (span->base == 0 || span->base <= 0 - span->len);
}

static uint32_t arm_cell(const loam_fdt_prop *prop, uint32_t at)
{
    uint32_t value = 0;
    const loam_fdt_prop cell = {NULL, prop->data + at, CELL};
    (void)loam_fdt_prop_u32(&cell, &value);
    return value;
}

/* The number of the index-th interrupt; 0: there are fewer, or it is of no known kind. */
static uint32_t arm_interrupt(const arm_reading *r, loam_fdt_node node, uint32_t index)
{
    loam_fdt_prop prop;
    if (!loam_fdt_prop_get(r->fdt, node, "interrupts", &prop) || prop.len / TRIPLE <= index)
        return 0;
    uint32_t type = arm_cell(&prop, index * TRIPLE);
    uint32_t number = arm_cell(&prop, index * TRIPLE + CELL);
    if (type == 0 && number < SHARED_MOST)
        return number + SHARED;
    return type == 1 && number < PRIVATE_MOST ? number + PRIVATE : 0;
}

static void arm_psci(arm_reading *r, loam_fdt_node node)
{
    static const char bad[] = "psci: the method is neither hvc nor smc";
    const char *method = loam_fdt_str(r->fdt, node, "method");
    bool call =
        method != NULL && method[0] != 0 && method[1] != 0 && method[2] == 'c' && method[3] == 0;
    if (call && method[0] == 'h' && method[1] == 'v')
        r->arm->psci = LOAM_PSCI_HVC;
    else if (call && method[0] == 's' && method[1] == 'm')
        r->arm->psci = LOAM_PSCI_SMC;
    else
        arm_note(r, bad);
}

static void arm_gic2(arm_reading *r, loam_fdt_node node)
{
    loam_span dist, cpu;
    if (!arm_reg(r, node, 0, &dist) || !arm_reg(r, node, 1, &cpu)) {
        arm_note(r, "interrupt controller: a range is missing");
        return;
    }
    r->arm->gic = 2;
    r->arm->gic_dist = dist;
    r->arm->gic_cpu = cpu;
}

static void arm_gic3(arm_reading *r, loam_fdt_node node)
{
    loam_fdt_arm *arm = r->arm;
    loam_fdt_prop prop;
    uint32_t regions = 1;
    uint64_t stride = 0;
    loam_span dist;
    bool good = arm_reg(r, node, 0, &dist);
    if (loam_fdt_prop_get(r->fdt, node, "#redistributor-regions", &prop))
        good = loam_fdt_prop_u32(&prop, &regions) && good;
    if (loam_fdt_prop_get(r->fdt, node, "redistributor-stride", &prop))
        good = loam_fdt_prop_u64(&prop, &stride) && good;
    good = good && regions >= 1 && regions <= LOAM_ARM_REDISTS;
    for (uint32_t i = 0; i < regions && good; i++)
        good = arm_reg(r, node, 1 + i, &arm->gic_redist[i]);
    if (!good) {
        arm_note(r, "interrupt controller: a range is missing");
        return;
    }
    arm->gic = 3;
    arm->gic_dist = dist;
    arm->gic_redists = regions;
    arm->gic_stride = stride;
}

static void arm_gic(arm_reading *r, loam_fdt_node node, unsigned version)
{
    loam_fdt_prop prop;
    uint32_t cells = 0;
    if (!loam_fdt_prop_get(r->fdt, node, "#interrupt-cells", &prop) ||
        !loam_fdt_prop_u32(&prop, &cells) || cells != 3)
        arm_note(r, "interrupt controller: #interrupt-cells is not 3");
    else if (version == 2)
        arm_gic2(r, node);
    else
        arm_gic3(r, node);
}

static void arm_timer(arm_reading *r, loam_fdt_node node)
{
    for (uint32_t i = 0; i < LOAM_ARM_TIMERS; i++)
        r->arm->timer[i] = arm_interrupt(r, node, i);
    if (r->arm->timer[LOAM_ARM_TIMER_VIRTUAL] == 0)
        arm_note(r, "timer: an interrupt is missing");
}

static void arm_pl011(arm_reading *r, loam_fdt_node node)
{
    loam_span span;
    if (!arm_reg(r, node, 0, &span)) {
        arm_note(r, "serial port: its range is missing");
        return;
    }
    r->arm->pl011 = span;
    r->arm->pl011_irq = arm_interrupt(r, node, 0);
}

/* ---- who is who ---- */

typedef struct arm_kind {
    const char *compatible;
    enum { KIND_PSCI, KIND_GIC2, KIND_GIC3, KIND_TIMER, KIND_PL011, KIND_NONE } kind;
} arm_kind;

static const arm_kind arm_kinds[] = {
    {"arm,psci-0.2", KIND_PSCI},       {"arm,psci-1.0", KIND_PSCI},
    {"arm,cortex-a15-gic", KIND_GIC2}, {"arm,gic-400", KIND_GIC2},
    {"arm,cortex-a7-gic", KIND_GIC2},  {"arm,gic-v3", KIND_GIC3},
    {"arm,armv8-timer", KIND_TIMER},   {"arm,armv7-timer", KIND_TIMER},
    {"arm,pl011", KIND_PL011},
};

static unsigned arm_kind_of(const loam_fdt *fdt, loam_fdt_node node)
{
    for (size_t i = 0; i < LOAM_ARRAY_LEN(arm_kinds); i++)
        if (loam_fdt_is_compatible(fdt, node, arm_kinds[i].compatible))
            return arm_kinds[i].kind;
    return KIND_NONE;
}

static void arm_node(arm_reading *r, loam_fdt_node node, bool console)
{
    loam_fdt_arm *arm = r->arm;
    switch (arm_kind_of(r->fdt, node)) {
    case KIND_PSCI:
        if (arm->psci == LOAM_PSCI_NONE)
            arm_psci(r, node);
        break;
    case KIND_GIC2:
        if (arm->gic == 0)
            arm_gic(r, node, 2);
        break;
    case KIND_GIC3:
        if (arm->gic == 0)
            arm_gic(r, node, 3);
        break;
    case KIND_TIMER:
        if (arm->timer[LOAM_ARM_TIMER_VIRTUAL] == 0)
            arm_timer(r, node);
        break;
    case KIND_PL011:
        if (console || arm->pl011.len == 0)
            arm_pl011(r, node);
        break;
    default:
        break;
    }
}

void loam_fdt_arm_read(const loam_fdt *fdt, loam_fdt_node console, loam_fdt_arm *arm)
{
    arm_reading r = {.fdt = fdt, .arm = arm};
    loam_fdt_node root = loam_fdt_root(fdt), node = loam_fdt_child(fdt, root);
    *arm = (loam_fdt_arm){.gic = 0};
    if (!loam_fdt_cells_get(fdt, root, &r.cells))
        r.cells = (loam_fdt_cells){0, 0};
    for (; !loam_fdt_is_none(node); node = loam_fdt_sibling(fdt, node))
        if (loam_fdt_is_available(fdt, node))
            arm_node(&r, node, node.at == console.at);
}
