/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_BCM283X_H
#define LOAM_KERN_BCM283X_H

/* bcm283x.h - pins, interrupt routing and the watchdog of the Raspberry Pi's chip. */
#include <stdbool.h>

typedef enum bcm_pins { BCM_PINS_PL011 = 4, BCM_PINS_MINI = 2 } bcm_pins; /* alternate functions */

/* Connects pins 14 and 15 (TXD, RXD) to one of the UARTs. */
void bcm_uart_pins(bcm_pins function);

typedef enum bcm_irq { BCM_IRQ_AUX = 29, BCM_IRQ_PL011 = 57 } bcm_irq;
void bcm_irq_enable(bcm_irq irq);
void bcm_irq_disable(bcm_irq irq);
bool bcm_irq_pending(bcm_irq irq);

/* ---- a core's own interrupts; core is 0 .. 3 ---- */

/* Its virtual timer's. */
void bcm_timer_irq_enable(unsigned core);
bool bcm_timer_irq_pending(unsigned core);

/* Its mailbox 0 as an interrupt from other cores. */
void bcm_mail_irq_enable(unsigned core);
bool bcm_mail_irq_pending(unsigned core);
void bcm_mail_send(unsigned core);
void bcm_mail_take(unsigned core); /* by the core itself: lowers the line */

/* Neither timer nor mailbox interrupts this core any more. Any context. */
void bcm_core_quiet(unsigned core);

/* Resets the chip through the watchdog; halt: the firmware stops instead of booting again. */
void bcm_reset(bool halt);

#endif
