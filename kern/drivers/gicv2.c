/* SPDX-License-Identifier: MIT */
/* gicv2.c - version 2: up to eight processors, each behind an interface of the same address. Which
 * of the eight one is, it reads from the targets of its own lines. (Arm IHI 0048.) */
#include "gic_impl.h"
#include "loam/port.h"
#include "mmio.h"

enum {
    TARGETS = 0x800, /* of the distributor: a byte a line */
    SEND = 0xf00,
    SEND_TO_SHIFT = 16,
    CPU_CTLR = 0x00, /* of the interface */
    CPU_MASK = 0x04,
    CPU_TAKE = 0x0c,
    CPU_DONE = 0x10,
    ON = 1,
    MASK_NONE = 0xff
};

static uintptr_t dist, interface;
static uint8_t bit_of[LOAM_PORT_MAX_CPUS]; /* [init] by each processor for itself */

static uint8_t own_bit(void)
{
    for (unsigned line = 0; line < GIC_SHARED; line += 4) {
        uint32_t targets = mmio_read(dist + TARGETS + line);
        targets |= targets >> 16;
        targets |= targets >> 8;
        if ((targets & 0xff) != 0)
            return (uint8_t)targets;
    }
    return 1; /* with one processor there may be nothing to read */
}

static void init(const loam_fdt_arm *arm)
{
    uint32_t to;
    dist = (uintptr_t)arm->gic_dist.base;
    interface = (uintptr_t)arm->gic_cpu.base;
    to = own_bit() * 0x01010101U;
    for (unsigned line = GIC_SHARED; line < gic_lines(dist); line += 4)
        mmio_write(dist + TARGETS + line, to);
    mmio_write(dist + GIC_CTLR, ON);
}

static bool cpu_init(unsigned cpu)
{
    bit_of[cpu] = own_bit();
    for (unsigned line = 0; line < GIC_SHARED; line += 4)
        mmio_write(dist + GIC_PRIORITY + line, (uint32_t)GIC_PRIORITY_ALL);
    mmio_write(dist + GIC_DISABLE, 0xffff0000U); /* what processors send cannot be held back */
    mmio_write(interface + CPU_MASK, MASK_NONE);
    mmio_write(interface + CPU_CTLR, ON);
    return true;
}

static void cpu_quiet(void)
{
    mmio_write(interface + CPU_CTLR, 0);
}

static uintptr_t own_base(void)
{
    return dist; /* banked */
}

static uint32_t take(void)
{
    return mmio_read(interface + CPU_TAKE);
}

static void done(uint32_t taken)
{
    mmio_write(interface + CPU_DONE, taken);
}

static void send(unsigned cpu, uint64_t affinity, unsigned line)
{
    (void)affinity;
    __asm__ volatile("dsb ishst" : : : "memory"); /* what the other one shall see is there first */
    mmio_write(dist + SEND, (uint32_t)bit_of[cpu] << SEND_TO_SHIFT | line);
}

const gic_version gic_version_2 = {"GICv2", init, cpu_init, cpu_quiet, own_base, take, done, send};
