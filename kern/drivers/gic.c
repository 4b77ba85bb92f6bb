/* SPDX-License-Identifier: MIT */
/* gic.c - what versions 2 and 3 of the interrupt controller have in common: a distributor, in which
 * each line has a bit of every kind. */
#include "gic_impl.h"
#include "mmio.h"

static const gic_version *version; /* NULL: there is none */
static uintptr_t dist;

unsigned gic_lines(uintptr_t base)
{
    unsigned lines = 32 * ((mmio_read(base + GIC_TYPER) & 0x1f) + 1);
    return lines < GIC_SPECIAL ? lines : (unsigned)GIC_SPECIAL;
}

const char *gic_init(const loam_fdt_arm *arm)
{
    if (arm->gic == 0)
        return "no interrupt controller that this kernel knows";
    if (arm->gic == 3 && arm->gic_redists == 0)
        return "an interrupt controller without redistributors";
    version = arm->gic == 2 ? &gic_version_2 : &gic_version_3;
    dist = (uintptr_t)arm->gic_dist.base;
    mmio_write(dist + GIC_CTLR, 0);
    for (unsigned line = GIC_SHARED; line < gic_lines(dist); line += 32) {
        mmio_write(dist + GIC_DISABLE + line / 8, ~0U);
        mmio_write(dist + GIC_FORGET + line / 8, ~0U);
    }
    for (unsigned line = GIC_SHARED; line < gic_lines(dist); line += 4)
        mmio_write(dist + GIC_PRIORITY + line, (uint32_t)GIC_PRIORITY_ALL);
    version->init(arm);
    return NULL;
}

const char *gic_name(void)
{
    return version != NULL ? version->name : "none";
}

bool gic_cpu_init(unsigned cpu)
{
    return version != NULL && version->cpu_init(cpu);
}

void gic_cpu_quiet(void)
{
    if (version != NULL)
        version->cpu_quiet();
}

void gic_enable(unsigned line, bool on)
{
    uintptr_t base = dist;
    if (version == NULL)
        return;
    if (line < GIC_SHARED)
        base = version->own_base();
    if (base != 0 && line < gic_lines(dist))
        mmio_write(base + (on ? GIC_ENABLE : GIC_DISABLE) + line / 32 * 4, 1U << line % 32);
}

uint32_t gic_take(void)
{
    return version != NULL ? version->take() : (uint32_t)GIC_SPECIAL;
}

void gic_done(uint32_t taken)
{
    if (version != NULL)
        version->done(taken);
}

void gic_send(unsigned cpu, uint64_t affinity, unsigned line)
{
    if (version != NULL)
        version->send(cpu, affinity, line);
}
