/* SPDX-License-Identifier: MIT */
/* pic8259.c - the two interrupt controllers of a PC.
 *
 *     line  0 timer, 1 keyboard, 4 COM1 ...  --> master --> processor
 *     line  8 clock, 12 mouse, 14 disk ...   --> slave ---> master's line 2
 *
 * The firmware leaves lines 0-7 on vectors 8-15, which are the processor's exceptions. Source: the
 * Intel 8259A data sheet. */
#include "pic8259.h"
#include "io.h"

enum {
    MASTER = 0x20, /* command port; data is the next one */
    SLAVE = 0xa0,
    DELAY = 0x80, /* a port that nobody minds: old controllers want a pause between words */

    INIT = 0x11, /* four words follow: vectors, cascade, mode */
    CASCADE_LINE = 2,
    MODE_8086 = 1,
    READ_SERVED = 0x0b, /* the next read of the command port: lines taken and not ended */
    END = 0x20,
    SPURIOUS = 7, /* on either controller */
    LINES = 8
};

static uint16_t masked = 0xffff;

static void word(uint16_t port, unsigned v)
{
    io_write8(port, (uint8_t)v);
    io_write8(DELAY, 0);
}

static uint16_t command_of(unsigned line)
{
    return line < LINES ? MASTER : SLAVE;
}

static void write_masks(void)
{
    word(MASTER + 1, masked & 0xff);
    word(SLAVE + 1, masked >> 8);
}

void pic_init(uint8_t first)
{
    word(MASTER, INIT);
    word(SLAVE, INIT);
    word(MASTER + 1, first);
    word(SLAVE + 1, first + LINES);
    word(MASTER + 1, 1 << CASCADE_LINE);
    word(SLAVE + 1, CASCADE_LINE);
    word(MASTER + 1, MODE_8086);
    word(SLAVE + 1, MODE_8086);
    masked = 0xffff;
    write_masks();
}

void pic_unmask(unsigned line)
{
    masked &= (uint16_t) ~(1U << line);
    if (line >= LINES)
        masked &= (uint16_t) ~(1U << CASCADE_LINE);
    write_masks();
}

void pic_mask(unsigned line)
{
    masked |= (uint16_t)(1U << line);
    write_masks();
}

static bool is_served(unsigned line)
{
    io_write8(command_of(line), READ_SERVED);
    return (io_read8(command_of(line)) & 1U << line % LINES) != 0;
}

bool pic_is_real(unsigned line)
{
    if (line % LINES != SPURIOUS || is_served(line))
        return true;
    if (line >= LINES)
        io_write8(MASTER, END); /* the master did see its line 2 */
    return false;
}

void pic_done(unsigned line)
{
    if (line >= LINES)
        io_write8(SLAVE, END);
    io_write8(MASTER, END);
}
