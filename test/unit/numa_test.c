/* SPDX-License-Identifier: MIT */
#include "loam/bootinfo.h"

#include "fdt_build.h"
#include "tap.h"

static fdt_build b;
static loam_bootinfo info;
static const char *why;

/* ---- pieces of trees ---- */

static void start(uint32_t address, uint32_t size)
{
    fb_start(&b);
    fb_node(&b, "");
    FB_CELLS(&b, "#address-cells", address);
    FB_CELLS(&b, "#size-cells", size);
}

/* One cell each. */
static void memory(const char *name, uint32_t base, uint32_t len, uint32_t node)
{
    fb_node(&b, name);
    fb_str(&b, "device_type", "memory");
    FB_CELLS(&b, "reg", base, len);
    FB_CELLS(&b, "numa-node-id", node);
    fb_end(&b);
}

static void cpu(const char *name, uint32_t id, uint32_t node)
{
    fb_node(&b, name);
    fb_str(&b, "device_type", "cpu");
    fb_str(&b, "enable-method", "psci");
    FB_CELLS(&b, "reg", id);
    if (node != ~0U)
        FB_CELLS(&b, "numa-node-id", node);
    fb_end(&b);
}

static void cpus(void)
{
    fb_node(&b, "cpus");
    FB_CELLS(&b, "#address-cells", 1);
    FB_CELLS(&b, "#size-cells", 0);
}

static loam_err finish(void)
{
    fb_end(&b);
    fb_finish(&b);
    why = NULL;
    return loam_bootinfo_from_fdt(&info, b.blob, b.len, &why);
}

static void one_node_is(tap *t, const char *note)
{
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_RULE(t, info.note, note);
    TAP_EQ(t, info.node_count, 1);
    TAP_EQ(t, info.node_id[0], 0);
    TAP_EQ(t, info.near_count, 0);
    TAP_EQ(t, info.run_count, 1);
    TAP_EQ(t, info.run[0].base + info.run[0].node, 0);
    TAP_EQ(t, info.distance[0][0], LOAM_BOOTINFO_NEAR);
}

/* ---- nodes ---- */

static void nothing_said(tap *t)
{
    loam_bootinfo_init(&info);
    TAP_EQ(t, info.node_count, 1);
    TAP_EQ(t, loam_bootinfo_node_of(&info, loam_pa_of(0)), 0);
    TAP_EQ(t, loam_bootinfo_node_of(&info, loam_pa_of(~0ULL)), 0);
    start(1, 1);
    fb_node(&b, "memory@0");
    fb_str(&b, "device_type", "memory");
    FB_CELLS(&b, "reg", 0, 0x1000);
    fb_end(&b);
    cpus();
    cpu("cpu@0", 0, ~0U);
    fb_end(&b);
    one_node_is(t, NULL);
    TAP_EQ(t, info.cpu[0].node, 0);
    start(1, 1);
    fb_node(&b, "memory@0");
    FB_CELLS(&b, "reg", 0, 0x1000);
    fb_end(&b);
    cpus();
    cpu("cpu@0", 0, 5); /* a node without memory is none when there is no other */
    fb_end(&b);
    one_node_is(t, NULL);
    TAP_EQ(t, info.cpu[0].node, 0);
}

static void two_nodes(void)
{
    start(1, 1);
    memory("memory@80000000", 0x80000000U, 0x10000000, 7);
    memory("memory@40000000", 0x40000000, 0x10000000, 3);
    memory("memory@90000000", 0x90000000U, 0x10000000, 7);
    memory("memory@c0000000", 0xc0000000U, 0x10000000, 3);
    memory("memory@f0000000", 0xf0000000U, 0, 200); /* of no bytes: no node */
    cpus();
    cpu("cpu@0", 0, 7);
    cpu("cpu@1", 1, 3);
    cpu("cpu@2", 2, ~0U);
    cpu("cpu@3", 3, 9);
    fb_end(&b);
}

static void runs(tap *t)
{
    static const uint64_t base[] = {0, 0x80000000U, 0xc0000000U};
    two_nodes();
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_STR(t, info.note, NULL);
    TAP_EQ(t, info.node_count, 3);
    TAP_EQ(t, info.node_id[0] << 16 | info.node_id[1] << 8 | info.node_id[2], 0x030709);
    TAP_EQ(t, info.cpu[0].node, 1);
    TAP_EQ(t, info.cpu[1].node, 0);
    TAP_EQ(t, info.cpu[2].node, 0);
    TAP_EQ(t, info.cpu[3].node, 2);
    TAP_EQ(t, info.run_count, 3);
    for (size_t i = 0; i < 3; i++) {
        TAP_EQ(t, info.run[i].base, base[i]);
        TAP_EQ(t, info.run[i].node, i % 2);
    }
    TAP_EQ(t, info.near_count, 4);
    TAP_EQ(t, info.near[0].span.base, 0x40000000);
    TAP_EQ(t, info.near[3].node, 0);
    TAP_EQ(t, loam_bootinfo_node_of(&info, loam_pa_of(0x7fffffff)), 0);
    TAP_EQ(t, loam_bootinfo_node_of(&info, loam_pa_of(0x80000000U)), 1);
    TAP_EQ(t, loam_bootinfo_node_of(&info, loam_pa_of(0xbfffffffU)), 1);
    TAP_EQ(t, loam_bootinfo_node_of(&info, loam_pa_of(~0ULL)), 0);
    TAP_EQ(t, info.distance[0][1], LOAM_BOOTINFO_FAR);
    TAP_EQ(t, info.distance[2][2], LOAM_BOOTINFO_NEAR);
}

static void malformed(tap *t)
{
    two_nodes();
    memory("memory@4fffffff", 0x4fffffff, 1, 7);
    one_node_is(t, "memory nodes: ranges of different nodes overlap");
    two_nodes();
    memory("memory@45000000", 0x45000000, 1, 3);
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_EQ(t, info.node_count, 3); /* overlaps its own: nothing wrong */
    two_nodes();
    fb_node(&b, "memory@d0000000");
    fb_str(&b, "device_type", "memory");
    FB_CELLS(&b, "reg", 0xd0000000U, 0x1000);
    FB_CELLS(&b, "numa-node-id", 0, 3);
    fb_end(&b);
    one_node_is(t, "memory nodes: numa-node-id is not a number");
    TAP_EQ(t, info.ram_count, 5);
    TAP_EQ(t, info.cpu[0].node, 0);
    start(1, 1);
    for (uint32_t i = 0; i <= LOAM_BOOTINFO_NODES; i++)
        memory("memory", i << 12, 0x1000, i);
    one_node_is(t, "memory nodes: more than 16");
    start(1, 1);
    for (uint32_t i = 0; i <= LOAM_BOOTINFO_RUNS; i++)
        memory("memory", i << 12, 0x1000, i % 2);
    one_node_is(t, "memory nodes: more than 64 ranges");
    TAP_EQ(t, info.ram_count, LOAM_BOOTINFO_RUNS + 1);
}

/* ---- distances ---- */

static void matrix_start(void)
{
    two_nodes();
    fb_node(&b, "distance-map");
    fb_str(&b, "compatible", "numa-distance-map-v1");
}

static void distances(tap *t)
{
    matrix_start();
    FB_CELLS(&b, "distance-matrix", 3, 3, 10, 3, 7, 25, 9, 7, 30, 7, 9, 40, 3, 88, 1);
    fb_end(&b);
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_STR(t, info.note, NULL);
    TAP_EQ(t, info.distance[0][1], 25);
    TAP_EQ(t, info.distance[1][0], 25); /* not told: the same */
    TAP_EQ(t, info.distance[2][1], 30);
    TAP_EQ(t, info.distance[1][2], 40); /* told */
    TAP_EQ(t, info.distance[0][2], LOAM_BOOTINFO_FAR);
    TAP_EQ(t, info.distance[1][1], LOAM_BOOTINFO_NEAR);
    matrix_start();
    FB_CELLS(&b, "distance-matrix", 9, 7, 30, 7, 9, 40, 9, 7, 50);
    fb_end(&b);
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_EQ(t, info.distance[1][2], 40);
    TAP_EQ(t, info.distance[2][1], 50);
}

static void bad_distances(tap *t)
{
    static const uint32_t wrong[][3] = {{3, 7, 9}, {3, 7, 10}, {3, 3, 11}, {3, 7, 256}};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(wrong); i++) {
        matrix_start();
        FB_CELLS(&b, "distance-matrix", 7, 9, 30, wrong[i][0], wrong[i][1], wrong[i][2]);
        fb_end(&b);
        TAP_EQ(t, finish(), LOAM_OK);
        TAP_STR(t, info.note, "memory nodes: a distance that cannot be");
        TAP_EQ(t, info.node_count, 3);
        TAP_EQ(t, info.distance[1][2], LOAM_BOOTINFO_FAR);
    }
    matrix_start();
    FB_CELLS(&b, "distance-matrix", 3, 7, 30, 3);
    fb_end(&b);
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_STR(t, info.note, "memory nodes: the matrix of distances is no whole number of triples");
    TAP_EQ(t, info.distance[0][1], LOAM_BOOTINFO_FAR);
}

/* ---- the processor that booted ---- */

static void booted(tap *t)
{
    two_nodes();
    TAP_EQ(t, finish(), LOAM_OK);
    loam_bootinfo_boot_cpu(&info, 2);
    TAP_EQ(t, info.cpu_count, 4);
    TAP_EQ(t, info.cpu[0].id * 0x1000 + info.cpu[1].id * 0x100 + info.cpu[2].id * 0x10, 0x2010);
    TAP_EQ(t, info.cpu[3].id, 3);
    TAP_EQ(t, info.cpu[3].node, 2);
    TAP_EQ(t, info.cpu[1].node, 1);
    loam_bootinfo_boot_cpu(&info, 2); /* it is the first already */
    TAP_EQ(t, info.cpu[1].id, 0);
    loam_bootinfo_boot_cpu(&info, 9); /* not listed */
    TAP_EQ(t, info.cpu_count, 5);
    TAP_EQ(t, info.cpu[0].id, 9);
    TAP_EQ(t, info.cpu[1].id, 2);
    TAP_EQ(t, info.cpu[4].id, 3);
    loam_bootinfo_init(&info);
    for (uint32_t i = 0; i < LOAM_BOOTINFO_CPUS; i++)
        info.cpu[info.cpu_count++].id = i;
    loam_bootinfo_boot_cpu(&info, 1000); /* the last is listed no more */
    TAP_EQ(t, info.cpu_count, LOAM_BOOTINFO_CPUS + 1);
    TAP_EQ(t, info.cpu[0].id, 1000);
    TAP_EQ(t, info.cpu[LOAM_BOOTINFO_CPUS - 1].id, LOAM_BOOTINFO_CPUS - 2);
    loam_bootinfo_init(&info);
    loam_bootinfo_boot_cpu(&info, 3);
    TAP_EQ(t, info.cpu_count, 1);
    TAP_EQ(t, info.cpu[0].id, 3);
    TAP_EQ(t, info.cpu[0].node, 0);
}

/* ---- devices of an Arm machine ---- */

static void arm_start(void)
{
    start(2, 2);
    fb_node(&b, "memory@40000000");
    fb_str(&b, "device_type", "memory");
    FB_CELLS(&b, "reg", 0, 0x40000000, 0, 0x10000000);
    fb_end(&b);
}

static void device(const char *name, const char *compatible)
{
    fb_node(&b, name);
    fb_str(&b, "compatible", compatible);
}

static void gic_start(const char *compatible)
{
    device("intc@8000000", compatible);
    FB_CELLS(&b, "#interrupt-cells", 3);
}

static void machine(tap *t)
{
    const loam_fdt_arm *arm = &info.arm;
    arm_start();
    gic_start("arm,cortex-a15-gic");
    FB_CELLS(&b, "reg", 0, 0x8000000, 0, 0x10000, 0, 0x8010000, 0, 0x20000);
    fb_end(&b);
    device("psci", "arm,psci-1.0");
    fb_str(&b, "method", "hvc");
    fb_end(&b);
    device("timer", "arm,armv8-timer");
    FB_CELLS(&b, "interrupts", 1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4);
    fb_end(&b);
    device("pl011@9000000", "arm,pl011");
    FB_CELLS(&b, "reg", 0, 0x9000000, 0, 0x1000);
    FB_CELLS(&b, "interrupts", 0, 1, 4);
    fb_end(&b);
    device("pl011@9040000", "arm,pl011");
    FB_CELLS(&b, "reg", 0, 0x9040000, 0, 0x1000);
    fb_end(&b);
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_STR(t, arm->note, NULL);
    TAP_EQ(t, arm->psci, LOAM_PSCI_HVC);
    TAP_EQ(t, arm->gic, 2);
    TAP_EQ(t, arm->gic_dist.base, 0x8000000);
    TAP_EQ(t, arm->gic_cpu.base, 0x8010000);
    TAP_EQ(t, arm->gic_cpu.len, 0x20000);
    TAP_EQ(t, arm->timer[LOAM_ARM_TIMER_SECURE], 29);
    TAP_EQ(t, arm->timer[LOAM_ARM_TIMER_PHYSICAL], 30);
    TAP_EQ(t, arm->timer[LOAM_ARM_TIMER_VIRTUAL], 27);
    TAP_EQ(t, arm->timer[LOAM_ARM_TIMER_HYP], 26);
    TAP_EQ(t, arm->pl011.base, 0x9000000);
    TAP_EQ(t, arm->pl011_irq, 33);
}

static void gic3(tap *t)
{
    const loam_fdt_arm *arm = &info.arm;
    arm_start();
    gic_start("arm,gic-v3");
    FB_CELLS(&b, "#redistributor-regions", 2);
    FB_CELLS(&b, "redistributor-stride", 0, 0x40000);
    FB_CELLS(&b, "reg", 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0, 0xf60000, 64, 0, 0, 0x4000000);
    fb_end(&b);
    fb_node(&b, "chosen");
    fb_str(&b, "stdout-path", "/pl011@2");
    fb_end(&b);
    device("pl011@1", "arm,pl011");
    FB_CELLS(&b, "reg", 0, 1, 0, 1);
    fb_end(&b);
    device("pl011@2", "arm,pl011");
    FB_CELLS(&b, "reg", 0, 2, 0, 1);
    fb_end(&b);
    device("pl011@3", "arm,pl011");
    FB_CELLS(&b, "reg", 0, 3, 0, 1);
    fb_end(&b);
    device("psci", "arm,psci-0.2");
    fb_str(&b, "method", "smc");
    fb_end(&b);
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_EQ(t, arm->gic, 3);
    TAP_EQ(t, arm->gic_redists, 2);
    TAP_EQ(t, arm->gic_redist[1].base, 0x4000000000ULL);
    TAP_EQ(t, arm->gic_stride, 0x40000);
    TAP_EQ(t, arm->pl011.base, 2);
    TAP_EQ(t, arm->psci, LOAM_PSCI_SMC);
    TAP_STR(t, arm->note, NULL);
}

static void bad_gics(tap *t)
{
    static const char *const kinds[] = {"arm,gic-400", "arm,gic-v3"};
    for (size_t i = 0; i < 2; i++) {
        arm_start();
        gic_start(kinds[i]);
        FB_CELLS(&b, "reg", 0, 0x8000000, 0, 0x10000);
        fb_end(&b);
        TAP_EQ(t, finish(), LOAM_OK);
        TAP_EQ(t, info.arm.gic, 0);
        TAP_STR(t, info.arm.note, "interrupt controller: a range is missing");
    }
    for (uint32_t regions = 0; regions <= LOAM_ARM_REDISTS + 1; regions += LOAM_ARM_REDISTS + 1) {
        arm_start();
        gic_start("arm,gic-v3");
        FB_CELLS(&b, "#redistributor-regions", regions);
        FB_CELLS(&b, "reg", 0, 1, 0, 1, 0, 1, 0, 1);
        fb_end(&b);
        TAP_EQ(t, finish(), LOAM_OK);
        TAP_EQ(t, info.arm.gic, 0);
    }
    arm_start();
    device("intc", "arm,gic-v3");
    FB_CELLS(&b, "#interrupt-cells", 4);
    fb_end(&b);
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_STR(t, info.arm.note, "interrupt controller: #interrupt-cells is not 3");
}

static void bad_devices(tap *t)
{
    static const char *const methods[] = {"hv", "hvcx", "", "smv", "sm"};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(methods); i++) {
        arm_start();
        device("psci", "arm,psci-0.2");
        fb_str(&b, "method", methods[i]);
        fb_end(&b);
        TAP_EQ(t, finish(), LOAM_OK);
        TAP_EQ(t, info.arm.psci, LOAM_PSCI_NONE);
        TAP_STR(t, info.arm.note, "psci: the method is neither hvc nor smc");
    }
    arm_start();
    device("pl011@0", "arm,pl011");
    FB_CELLS(&b, "reg", ~0U, ~0U, 0, 2); /* wraps */
    fb_end(&b);
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_STR(t, info.arm.note, "serial port: its range is missing");
    TAP_EQ(t, info.arm.pl011.len, 0);
    arm_start();
    device("timer", "arm,armv8-timer");
    FB_CELLS(&b, "interrupts", 1, 16, 4, 2, 14, 4, 0, 988, 4, 0, 987);
    fb_end(&b);
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_STR(t, info.arm.note, "timer: an interrupt is missing");
    for (size_t i = 0; i < LOAM_ARM_TIMERS; i++)
        TAP_EQ(t, info.arm.timer[i], 0);
    arm_start();
    device("psci", "arm,psci-0.2");
    fb_str(&b, "method", "smc");
    fb_str(&b, "status", "disabled");
    fb_end(&b);
    TAP_EQ(t, finish(), LOAM_OK);
    TAP_EQ(t, info.arm.psci, LOAM_PSCI_NONE);
    TAP_STR(t, info.arm.note, NULL);
}

static const tap_case cases[] = {
    {"bootinfo_from_fdt: nobody speaks of memory nodes: there is one", nothing_said},
    {"bootinfo_from_fdt: memory nodes: numbered by number, runs tile all addresses", runs},
    {"bootinfo_from_fdt: memory nodes that cannot be: one, and a note", malformed},
    {"bootinfo_from_fdt: distances, told in one direction or both", distances},
    {"bootinfo_from_fdt: distances that cannot be: none of them", bad_distances},
    {"bootinfo_boot_cpu: it comes first, listed or not", booted},
    {"fdt_arm_read: psci, interrupt controller, timer, serial port", machine},
    {"fdt_arm_read: version 3 of the interrupt controller; the console's port", gic3},
    {"fdt_arm_read: a malformed interrupt controller is none", bad_gics},
    {"fdt_arm_read: malformed devices are not there", bad_devices},
};
TAP_SUITE(numa_test, cases);
