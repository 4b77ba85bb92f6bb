/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_UART16550_H
#define LOAM_KERN_UART16550_H

/* uart16550.h - the serial ports of a PC. base of the calls of `uart` is the first port number. */
#include "uart.h"

enum { UART16550_COM1 = 0x3f8, UART16550_IRQ_COM1 = 4 };

extern const uart uart_16550; /* clock 1.8432 MHz */

/* Is there one? Asks its scratch register, which an 8250 and an empty bus lack. */
bool uart16550_is_there(uintptr_t base);

#endif
