/* SPDX-License-Identifier: MIT */
/* pit.c - the PC's timer: counts down 1193182 times a second. Source: the Intel 8254 data sheet. */
#include "pit.h"
#include "io.h"

enum {
    CHANNEL0 = 0x40,
    COMMAND = 0x43,
    CHANNEL0_RATE = 0x34 /* low byte, then high byte; mode 2: count down, raise the line, again */
};

void pit_start(unsigned hz)
{
    unsigned steps = (PIT_HZ + hz / 2) / hz;
    io_write8(COMMAND, CHANNEL0_RATE);
    io_write8(CHANNEL0, (uint8_t)(steps & 0xff));
    io_write8(CHANNEL0, (uint8_t)(steps >> 8));
}
