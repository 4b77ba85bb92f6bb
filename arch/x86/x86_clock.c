/* SPDX-License-Identifier: MIT */
/* x86_clock.c - loam_port_ticks on a PC.
 *
 * From the Pentium on the processor counts its cycles; how fast, is measured once against channel
 * 2 of the PIT, which counts 1193182 times a second and is otherwise the loudspeaker's. Older
 * processors have that channel alone. It counts 65536 steps and begins again, every 55 ms; each
 * reading adds how far it came since the last one. The timer's interrupt reads it 100 times a
 * second, so no round is missed unless interrupts stay off that long; the clock is slow then, but
 * never goes back.
 */
#include "x86_clock.h"
#include "arch.h"
#include "io.h"
#include "loam/port.h"
#include "pit.h"

enum {
    PIT_CHANNEL2 = 0x42,
    PIT_COMMAND = 0x43,
    CHANNEL2_RATE = 0xb4,  /* low byte, then high byte; mode 2: count down, begin again */
    CHANNEL2_LATCH = 0x80, /* hold the count for reading */
    SPEAKER = 0x61,
    SPEAKER_GATE = 1, /* channel 2 counts */
    SPEAKER_ON = 2,
    MEASURE = PIT_HZ / 100 /* steps: 10 ms */
};

static uint64_t pit_total;
static uint16_t pit_last;
static uint64_t rate = PIT_HZ;
static uint64_t (*counter)(void); /* NULL: the PIT it is */

static uint16_t pit_count(void)
{
    io_write8(PIT_COMMAND, CHANNEL2_LATCH);
    uint8_t low = io_read8(PIT_CHANNEL2);
    return (uint16_t)(low | io_read8(PIT_CHANNEL2) << 8);
}

static uint64_t pit_ticks(void)
{
    loam_irq irq = loam_port_irq_save();
    uint16_t now = pit_count();
    pit_total += (uint16_t)(pit_last - now); /* it counts down */
    pit_last = now;
    uint64_t total = pit_total;
    loam_port_irq_restore(irq);
    return total;
}

uint64_t x86_ticks(void)
{
    return counter != NULL ? counter() : pit_ticks();
}

uint64_t arch_ticks_hz(void)
{
    return rate;
}

void x86_clock_wait(unsigned microseconds)
{
    uint64_t from = pit_ticks(), steps = (uint64_t)microseconds * PIT_HZ / 1000000 + 1;
    while (pit_ticks() - from < steps)
        ;
}

void x86_clock_init(uint64_t (*tsc)(void))
{
    uint64_t start, from;
    io_write8(SPEAKER, (uint8_t)((io_read8(SPEAKER) & ~SPEAKER_ON) | SPEAKER_GATE));
    io_write8(PIT_COMMAND, CHANNEL2_RATE);
    io_write8(PIT_CHANNEL2, 0); /* 65536 */
    io_write8(PIT_CHANNEL2, 0);
    pit_last = pit_count();
    if (tsc == NULL)
        return;
    from = pit_ticks();
    start = tsc();
    while (pit_ticks() - from < MEASURE)
        ;
    rate = (tsc() - start) * 100;
    if (rate != 0)
        counter = tsc;
    else
        rate = PIT_HZ;
}
