/* SPDX-License-Identifier: MIT */
/* bcm283x.c - pins, interrupt routing and the watchdog. Sources: the BCM2835 ARM Peripherals
 * document and the QA7 document on the cores' local peripherals. */
#include "bcm283x.h"
#include "mmio.h"

enum {
    GPFSEL1 = 0x3f200004, /* three bits a pin, pins 10 to 19 */
    GPPUD = 0x3f200094,
    GPPUDCLK0 = 0x3f200098,

    IRQ_PENDING1 = 0x3f00b204,
    IRQ_ENABLE1 = 0x3f00b210,
    IRQ_DISABLE1 = 0x3f00b21c,

    LOCAL_TIMER_CONTROL = 0x40000040, /* of core 0; the others' follow, a word each */
    LOCAL_MAIL_CONTROL = 0x40000050,
    LOCAL_IRQ_SOURCE = 0x40000060,
    LOCAL_VIRTUAL_TIMER = 1 << 3,
    LOCAL_MAIL_0 = 1 << 4,
    MAIL_0_CONTROL = 1 << 0,
    MAIL_0_SET = 0x40000080, /* of core 0; four mailboxes a core */
    MAIL_0_CLEAR = 0x400000c0,
    MAIL_STEP = 16,

    PM_RSTC = 0x3f10001c,
    PM_RSTS = 0x3f100020,
    PM_WDOG = 0x3f100024,
    PM_PASSWORD = 0x5a000000,
    PM_RSTC_CLEAR = 0x30,
    PM_RSTC_FULL_RESET = 0x20,
    PM_RSTS_HALT = 0x555, /* "partition 63": the firmware halts */
    PM_WDOG_TICKS = 10
};

static void pause_150_cycles(void)
{
    for (unsigned i = 0; i < 150; i++)
        __asm__ volatile("nop");
}

void bcm_uart_pins(bcm_pins function)
{
    const uint32_t pins = 1U << 14 | 1U << 15;
    uint32_t sel = mmio_read(GPFSEL1);
    sel &= ~(7U << 12 | 7U << 15);
    sel |= (uint32_t)function << 12 | (uint32_t)function << 15;
    mmio_write(GPFSEL1, sel);
    mmio_write(GPPUD, 0); /* no pull-up or pull-down */
    pause_150_cycles();
    mmio_write(GPPUDCLK0, pins);
    pause_150_cycles();
    mmio_write(GPPUDCLK0, 0);
}

void bcm_irq_enable(bcm_irq irq)
{
    mmio_write(IRQ_ENABLE1 + 4 * ((unsigned)irq / 32), 1U << ((unsigned)irq % 32));
}

void bcm_irq_disable(bcm_irq irq)
{
    mmio_write(IRQ_DISABLE1 + 4 * ((unsigned)irq / 32), 1U << ((unsigned)irq % 32));
}

bool bcm_irq_pending(bcm_irq irq)
{
    uint32_t pending = mmio_read(IRQ_PENDING1 + 4 * ((unsigned)irq / 32));
    return (pending & 1U << ((unsigned)irq % 32)) != 0;
}

void bcm_timer_irq_enable(unsigned core)
{
    mmio_write(LOCAL_TIMER_CONTROL + 4 * core, LOCAL_VIRTUAL_TIMER);
}

bool bcm_timer_irq_pending(unsigned core)
{
    return (mmio_read(LOCAL_IRQ_SOURCE + 4 * core) & LOCAL_VIRTUAL_TIMER) != 0;
}

void bcm_mail_irq_enable(unsigned core)
{
    mmio_write(LOCAL_MAIL_CONTROL + 4 * core, MAIL_0_CONTROL);
}

bool bcm_mail_irq_pending(unsigned core)
{
    return (mmio_read(LOCAL_IRQ_SOURCE + 4 * core) & LOCAL_MAIL_0) != 0;
}

void bcm_mail_send(unsigned core)
{
    mmio_write(MAIL_0_SET + MAIL_STEP * core, 1);
}

void bcm_mail_take(unsigned core)
{
    mmio_write(MAIL_0_CLEAR + MAIL_STEP * core, ~0U);
}

void bcm_core_quiet(unsigned core)
{
    mmio_write(LOCAL_TIMER_CONTROL + 4 * core, 0);
    mmio_write(LOCAL_MAIL_CONTROL + 4 * core, 0);
}

void bcm_reset(bool halt)
{
    uint32_t rsts = mmio_read(PM_RSTS) & ~(uint32_t)PM_RSTS_HALT;
    if (halt)
        rsts |= PM_RSTS_HALT;
    mmio_write(PM_RSTS, PM_PASSWORD | rsts);
    mmio_write(PM_WDOG, PM_PASSWORD | PM_WDOG_TICKS);
    mmio_write(PM_RSTC,
               PM_PASSWORD | (mmio_read(PM_RSTC) & ~(uint32_t)PM_RSTC_CLEAR) | PM_RSTC_FULL_RESET);
}
