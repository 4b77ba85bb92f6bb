/* SPDX-License-Identifier: MIT */
#ifndef LOAM_X86_IO_H
#define LOAM_X86_IO_H

/* io.h - the PC's ports. */
#include <stdint.h>

static inline uint8_t io_read8(uint16_t port)
{
    uint8_t v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}

static inline void io_write8(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

#endif
