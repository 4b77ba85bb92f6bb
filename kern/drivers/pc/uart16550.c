/* SPDX-License-Identifier: MIT */
/* uart16550.c - the serial ports of a PC, polled out, by interrupt in.
 *
 * Turning the queues on empties them. Where something was typed ahead, the port does without: the
 * first byte waits in it, which holds up the sender where it can (QEMU does), and nothing is lost.
 * Source: the PC16550D data sheet. */
#include "uart16550.h"
#include "io.h"

enum {
    DATA = 0, /* divisor, low byte, while LCR_DIVISOR */
    IER = 1,  /* which interrupts; divisor, high byte */
    FCR = 2,  /* written: queues */
    LCR = 3,
    MCR = 4,
    LSR = 5,
    SCRATCH = 7,

    IER_RX = 1,
    FCR_ON = 1,
    FCR_RX_AT_8 = 2 << 6, /* interrupt at 8 of 16 bytes, or when the line falls silent */
    LCR_8BITS = 3,
    LCR_DIVISOR = 1 << 7,
    MCR_ON = 1 << 0 | 1 << 1 | 1 << 3, /* DTR, RTS, and the pin that lets interrupts out */
    LSR_RX_READY = 1 << 0,
    LSR_TX_ROOM = 1 << 5,
    LSR_TX_IDLE = 1 << 6,
    DIVISOR_115200 = 1 /* 1.8432 MHz / (16 x 115200) */
};

static uint8_t get(uintptr_t base, unsigned reg)
{
    return io_read8((uint16_t)(base + reg));
}

static void set(uintptr_t base, unsigned reg, unsigned v)
{
    io_write8((uint16_t)(base + reg), (uint8_t)v);
}

bool uart16550_is_there(uintptr_t base)
{
    for (unsigned v = 0x5a; v <= 0xa5; v += 0x4b) {
        set(base, SCRATCH, v);
        if (get(base, SCRATCH) != v)
            return false;
    }
    return true;
}

static void uart16550_init(uintptr_t base)
{
    set(base, LCR, LCR_8BITS); /* DATA is data, whatever was here before */
    if ((get(base, LSR) & LSR_RX_READY) == 0)
        set(base, FCR, FCR_ON | FCR_RX_AT_8);
    set(base, IER, 0);
    set(base, LCR, LCR_DIVISOR);
    set(base, DATA, DIVISOR_115200);
    set(base, IER, 0);
    set(base, LCR, LCR_8BITS);
    set(base, MCR, MCR_ON);
    set(base, IER, IER_RX);
}

static void uart16550_put(uintptr_t base, char c)
{
    while ((get(base, LSR) & LSR_TX_ROOM) == 0)
        ;
    set(base, DATA, (unsigned char)c);
}

static bool uart16550_get(uintptr_t base, char *c)
{
    if ((get(base, LSR) & LSR_RX_READY) == 0)
        return false;
    *c = (char)get(base, DATA);
    return true;
}

static void uart16550_flush(uintptr_t base)
{
    while ((get(base, LSR) & LSR_TX_IDLE) == 0)
        ;
}

const uart uart_16550 = {"16550", uart16550_init, uart16550_put, uart16550_get, uart16550_flush};
