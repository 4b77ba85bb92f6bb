/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_UART_H
#define LOAM_KERN_UART_H

/* uart.h - one face for every serial port: 115200 baud, 8 bits, no parity. */
#include <stdbool.h>
#include <stdint.h>

typedef struct uart {
    const char *name;
    void (*init)(uintptr_t base); /* receive interrupt on at the device */
    void (*put)(uintptr_t base, char c);
    bool (*get)(uintptr_t base, char *c); /* false: nothing has come */
    void (*flush)(uintptr_t base);        /* until the last bit is on the wire */
} uart;

extern const uart uart_pl011; /* ARM PrimeCell PL011, reference clock 48 MHz */
extern const uart uart_mini;  /* BCM283x mini-UART; base is that of the AUX block, clock 250 MHz */

#endif
