/* SPDX-License-Identifier: MIT */
/* pl011.c - the ARM PrimeCell UART. */
#include "mmio.h"
#include "uart.h"

enum {
    DR = 0x00,   /* data */
    FR = 0x18,   /* flags */
    IBRD = 0x24, /* baud divisor, integer and 64th parts: 48 MHz / (16 x 115200) = 26 + 3/64 */
    FBRD = 0x28,
    LCRH = 0x2c,
    CR = 0x30,
    IMSC = 0x38, /* interrupts let through */
    ICR = 0x44,

    FR_BUSY = 1 << 3,
    FR_RXFE = 1 << 4, /* nothing to read */
    FR_TXFF = 1 << 5, /* no room to write */
    LCRH_8BITS_FIFO = 3 << 5 | 1 << 4,
    CR_ON = 1 << 0 | 1 << 8 | 1 << 9, /* UART, transmitter, receiver */
    INT_RX = 1 << 4,
    INT_RX_TIMEOUT = 1 << 6,
    INT_ALL = 0x7ff
};

static void pl011_init(uintptr_t base)
{
    mmio_write(base + CR, 0);
    mmio_write(base + ICR, INT_ALL);
    mmio_write(base + IBRD, 26);
    mmio_write(base + FBRD, 3);
    mmio_write(base + LCRH, LCRH_8BITS_FIFO);
    mmio_write(base + IMSC, INT_RX | INT_RX_TIMEOUT);
    mmio_write(base + CR, CR_ON);
}

static void pl011_put(uintptr_t base, char c)
{
    while ((mmio_read(base + FR) & FR_TXFF) != 0)
        ;
    mmio_write(base + DR, (unsigned char)c);
}

static bool pl011_get(uintptr_t base, char *c)
{
    if ((mmio_read(base + FR) & FR_RXFE) != 0)
        return false;
    *c = (char)(mmio_read(base + DR) & 0xff);
    return true;
}

static void pl011_flush(uintptr_t base)
{
    while ((mmio_read(base + FR) & FR_BUSY) != 0)
        ;
}

const uart uart_pl011 = {"pl011", pl011_init, pl011_put, pl011_get, pl011_flush};
