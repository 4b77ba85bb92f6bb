/* SPDX-License-Identifier: MIT */
/* miniuart.c - the BCM283x auxiliary UART, the one on the Raspberry Pi 3's pins by default.
 *
 * Its clock is the core's: config.txt needs enable_uart=1, which also fixes that at 250 MHz. */
#include "mmio.h"
#include "uart.h"

enum {
    AUX_ENABLES = 0x04,
    IO = 0x40,
    IER = 0x44, /* which interrupts; bit 0 is "receive", whatever the manual's table says */
    IIR = 0x48, /* written: FIFO clear */
    LCR = 0x4c,
    MCR = 0x50,
    LSR = 0x54,
    CNTL = 0x60,
    BAUD = 0x68,

    AUX_UART = 1,
    IER_RX = 1 | 1 << 2,
    IIR_CLEAR_TX = 0xc4, /* what was typed ahead stays */
    LCR_8BITS = 3,
    LSR_RX_READY = 1 << 0,
    LSR_TX_ROOM = 1 << 5,
    LSR_TX_IDLE = 1 << 6,
    CNTL_RX_TX = 3,
    BAUD_115200 = 270 /* 250 MHz / (8 x 115200) - 1 */
};

static void mini_init(uintptr_t base)
{
    mmio_write(base + AUX_ENABLES, mmio_read(base + AUX_ENABLES) | AUX_UART);
    mmio_write(base + CNTL, 0);
    mmio_write(base + IER, 0);
    mmio_write(base + LCR, LCR_8BITS);
    mmio_write(base + MCR, 0);
    mmio_write(base + IIR, IIR_CLEAR_TX);
    mmio_write(base + BAUD, BAUD_115200);
    mmio_write(base + IER, IER_RX);
    mmio_write(base + CNTL, CNTL_RX_TX);
}

static void mini_put(uintptr_t base, char c)
{
    while ((mmio_read(base + LSR) & LSR_TX_ROOM) == 0)
        ;
    mmio_write(base + IO, (unsigned char)c);
}

static bool mini_get(uintptr_t base, char *c)
{
    if ((mmio_read(base + LSR) & LSR_RX_READY) == 0)
        return false;
    *c = (char)(mmio_read(base + IO) & 0xff);
    return true;
}

static void mini_flush(uintptr_t base)
{
    while ((mmio_read(base + LSR) & LSR_TX_IDLE) == 0)
        ;
}

const uart uart_mini = {"mini-uart", mini_init, mini_put, mini_get, mini_flush};
