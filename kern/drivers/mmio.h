/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_MMIO_H
#define LOAM_KERN_MMIO_H

/* mmio.h - 32-bit device registers. */
#include <stdint.h>

static inline uint32_t mmio_read(uintptr_t address)
{
    return *(volatile uint32_t *)address;
}

static inline void mmio_write(uintptr_t address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}

#endif
