/* SPDX-License-Identifier: MIT */
/* gicv3.c - version 3: any number of processors. Each has a redistributor, which is found by the
 * affinity written in it, and an interface of system registers. (Arm IHI 0069.)
 *
 *     gic_redist[i]   [ frame | lines 0-31 ][ frame | lines 0-31 ] ...  64 KiB each
 *                      TYPER: whose; last of this region?   (version 4: two frames more)
 */
#include "gic_impl.h"
#include "loam/port.h"
#include "mmio.h"

enum {
    ROUTE = 0x6000, /* of the distributor: an affinity of 64 bits a line */
    CTLR_WAITS = (int)0x80000000,
    CTLR_BY_AFFINITY = 1 << 4,
    CTLR_ON = 3, /* both groups; the one that is not there, or not ours, ignores it */

    FRAME = 0x10000,
    REDIST_TYPER = 0x08, /* of a redistributor, 64 bits: affinity above */
    TYPER_VIRTUAL = 1 << 1,
    TYPER_LAST = 1 << 4,
    REDIST_WAKER = 0x14,
    WAKER_SLEEP = 1 << 1,
    WAKER_ASLEEP = 1 << 2,
    PATIENCE = 1000000, /* reads of a register that ought to change soon */
    MASK_NONE = 0xff
};

/* The interface; assemblers do not know the names of these. */
#define ICC_PMR   "s3_0_c4_c6_0"
#define ICC_SGI1R "s3_0_c12_c11_5"
#define ICC_IAR1  "s3_0_c12_c12_0"
#define ICC_EOIR1 "s3_0_c12_c12_1"
#define ICC_CTLR  "s3_0_c12_c12_4"
#define ICC_SRE   "s3_0_c12_c12_5"
#define ICC_GRP1  "s3_0_c12_c12_7"

static const loam_fdt_arm *gic;                 /* bootinfo's */
static uintptr_t redist_of[LOAM_PORT_MAX_CPUS]; /* [init] by each processor for itself */

/* Affinity as redistributors and routes have it: 0xAABBCCDD. */
static uint32_t packed(uint64_t affinity)
{
    return (uint32_t)(affinity >> 8 & 0xff000000U) | (uint32_t)(affinity & 0xffffff);
}

static uint32_t own_affinity(void)
{
    uint64_t mpidr;
    __asm__ volatile("mrs %0, mpidr_el1" : "=r"(mpidr));
    return packed(mpidr);
}

static bool wait_for(uintptr_t reg, uint32_t bit)
{
    for (unsigned i = 0; i < PATIENCE; i++)
        if ((mmio_read(reg) & bit) == 0)
            return true;
    return false;
}

static void init(const loam_fdt_arm *arm)
{
    uintptr_t dist = (uintptr_t)arm->gic_dist.base;
    gic = arm;
    (void)wait_for(dist + GIC_CTLR, (uint32_t)CTLR_WAITS);
    mmio_write(dist + GIC_CTLR, CTLR_BY_AFFINITY);
    for (unsigned line = GIC_SHARED; line < gic_lines(dist); line += 32)
        mmio_write(dist + GIC_GROUP + line / 8, ~0U);
    for (unsigned line = GIC_SHARED; line < gic_lines(dist); line++) {
        mmio_write(dist + ROUTE + 8 * line, own_affinity() & 0xffffff);
        mmio_write(dist + ROUTE + 8 * line + 4, own_affinity() >> 24);
    }
    mmio_write(dist + GIC_CTLR, CTLR_BY_AFFINITY | CTLR_ON);
    (void)wait_for(dist + GIC_CTLR, (uint32_t)CTLR_WAITS);
}

static uint64_t step_of(uint32_t typer)
{
    if (gic->gic_stride != 0)
        return gic->gic_stride;
    return (typer & TYPER_VIRTUAL) != 0 ? 4 * FRAME : 2 * FRAME;
}

/* The calling processor's redistributor; 0: none of them says that it is. */
static uintptr_t find_own(void)
{
    for (unsigned i = 0; i < gic->gic_redists; i++) {
        uint64_t base = gic->gic_redist[i].base, len = gic->gic_redist[i].len, at = 0;
        uint32_t typer = 0;
        while (at < len && len - at >= 2 * FRAME && (typer & TYPER_LAST) == 0) {
            typer = mmio_read((uintptr_t)(base + at) + REDIST_TYPER);
            if (mmio_read((uintptr_t)(base + at) + REDIST_TYPER + 4) == own_affinity())
                return (uintptr_t)(base + at);
            at += step_of(typer);
        }
    }
    return 0;
}

static bool wake(uintptr_t redist)
{
    mmio_write(redist + REDIST_WAKER, mmio_read(redist + REDIST_WAKER) & ~(uint32_t)WAKER_SLEEP);
    return wait_for(redist + REDIST_WAKER, WAKER_ASLEEP);
}

static bool cpu_init(unsigned cpu)
{
    uintptr_t redist = find_own(), own = redist + FRAME;
    if (redist == 0 || !wake(redist))
        return false;
    redist_of[cpu] = redist;
    mmio_write(own + GIC_GROUP, ~0U);
    mmio_write(own + GIC_DISABLE, 0xffff0000U);
    mmio_write(own + GIC_ENABLE, 0x0000ffffU);
    for (unsigned line = 0; line < GIC_SHARED; line += 4)
        mmio_write(own + GIC_PRIORITY + line, (uint32_t)GIC_PRIORITY_ALL);
    __asm__ volatile("msr " ICC_SRE ", %0\n\tisb" : : "r"(7UL));
    __asm__ volatile("msr " ICC_PMR ", %0" : : "r"((uint64_t)MASK_NONE));
    __asm__ volatile("msr " ICC_CTLR ", %0" : : "r"(0UL)); /* one write ends an interrupt */
    __asm__ volatile("msr " ICC_GRP1 ", %0\n\tisb" : : "r"(1UL));
    return true;
}

/* Also before cpu_init: without SRE the next register would not be there. */
static void cpu_quiet(void)
{
    __asm__ volatile("msr " ICC_SRE ", %0\n\tisb" : : "r"(7UL));
    __asm__ volatile("msr " ICC_GRP1 ", %0\n\tisb" : : "r"(0UL));
}

static uintptr_t own_base(void)
{
    uintptr_t redist = redist_of[loam_port_cpu()];
    return redist != 0 ? redist + FRAME : 0;
}

static uint32_t take(void)
{
    uint64_t taken;
    __asm__ volatile("mrs %0, " ICC_IAR1 "\n\tdsb sy" : "=r"(taken) : : "memory");
    return (uint32_t)taken;
}

static void done(uint32_t taken)
{
    __asm__ volatile("msr " ICC_EOIR1 ", %0\n\tisb" : : "r"((uint64_t)taken) : "memory");
}

/* Sixteen processors that differ in the last four bits of their affinity alone are one range. */
static void send(unsigned cpu, uint64_t affinity, unsigned line)
{
    uint64_t range = affinity >> 4 & 0xf, in_range = affinity & 0xf;
    uint64_t word = (affinity >> 32 & 0xff) << 48 | range << 44 | (affinity >> 16 & 0xff) << 32 |
                    (uint64_t)line << 24 | (affinity >> 8 & 0xff) << 16 | 1ULL << in_range;
    (void)cpu;
    __asm__ volatile("dsb ishst\n\tmsr " ICC_SGI1R ", %0\n\tisb" : : "r"(word) : "memory");
}

const gic_version gic_version_3 = {"GICv3", init, cpu_init, cpu_quiet, own_base, take, done, send};
