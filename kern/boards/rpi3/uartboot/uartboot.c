/* SPDX-License-Identifier: MIT */
/* uartboot.c - takes a kernel over the mini-UART and starts it.
 *
 *     word 0   0x544f4f42, "BOOT" in memory order
 *     word 1   size of the image in bytes             all words little-endian
 *     word 2   sum of its bytes, modulo 2^32
 *     then     the image
 *
 * Every end of a transfer is answered by one line that starts with "uartboot: "; after anything but
 * "starting" the loader waits for the next one. Nothing that comes over the wire is trusted: not
 * the size, not that it comes at all.
 */
#include "bcm283x.h"
#include "loam/base.h"
#include "mmio.h"
#include "uart.h"

enum {
    AUX_BASE = 0x3f215000,
    IMAGE_AT = 0x80000,
    IMAGE_END = 0x8000000, /* the initramfs may lie from here on */
    MAGIC = 0x544f4f42,
    TIMER_CONTROL = 0x40000040, /* core 0: which timers interrupt */
    TIMER_PHYSICAL = 3,         /* secure and not */
    SILENCE_S = 2               /* a transfer is given up after so long without a byte */
};

uint64_t uartboot_main(uint64_t tree);

static void put(char c)
{
    if (c == '\n')
        uart_mini.put(AUX_BASE, '\r');
    uart_mini.put(AUX_BASE, c);
}

static void say(const char *fmt, ...)
{
    char line[160];
    loam_text t;
    __builtin_va_list ap;
    __builtin_va_start(ap, fmt);
    loam_text_init(&t, line, sizeof(line));
    loam_text_vfmt(&t, fmt, ap);
    __builtin_va_end(ap);
    for (const char *s = line; *s != '\0'; s++)
        put(*s);
}

static uint64_t now(void)
{
    uint64_t ticks;
    __asm__ volatile("isb\n\tmrs %0, cntpct_el0" : "=r"(ticks) : : "memory");
    return ticks;
}

static uint64_t rate(void)
{
    uint64_t hz;
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
    return hz;
}

/* Sleeps until the receiver's interrupt is pending (masked, but that wakes up all the same) or half
 * a millisecond is over: the receiver holds eight bytes, 690 microseconds' worth. An emulator gets
 * something done meanwhile. */
static void doze(void)
{
    uint64_t ticks = rate() / 2000;
    __asm__ volatile("msr cntp_tval_el0, %0\n\t"
                     "msr cntp_ctl_el0, %1\n\t"
                     "isb\n\t"
                     "wfi\n\t"
                     "msr cntp_ctl_el0, xzr"
                     :
                     : "r"(ticks), "r"(1UL)
                     : "memory");
}

/* The next byte; false when none came for SILENCE_S. */
static bool get(unsigned char *byte)
{
    uint64_t start = now(), patience = rate() * SILENCE_S;
    char c;
    while (!uart_mini.get(AUX_BASE, &c)) {
        if (now() - start > patience)
            return false;
        doze();
    }
    *byte = (unsigned char)c;
    return true;
}

static bool get_word(uint32_t *word)
{
    unsigned char byte;
    *word = 0;
    for (unsigned shift = 0; shift < 32; shift += 8) {
        if (!get(&byte))
            return false;
        *word |= (uint32_t)byte << shift;
    }
    return true;
}

/* Waits as long as it takes; other bytes are skipped. */
static void wait_for_magic(void)
{
    uint32_t last = 0;
    unsigned char byte;
    while (last != MAGIC)
        if (get(&byte))
            last = last >> 8 | (uint32_t)byte << 24;
}

/* Bytes of room for an image: up to the device tree or the initramfs. */
static uint64_t room(uint64_t tree)
{
    uint64_t end = tree > IMAGE_AT && tree < IMAGE_END ? tree : IMAGE_END;
    return end - IMAGE_AT;
}

static bool receive(uint32_t size, uint32_t want)
{
    unsigned char *image = (unsigned char *)(uintptr_t)IMAGE_AT;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < size; i++) {
        if (!get(&image[i])) {
            say("uartboot: gave up after %U of %U bytes: nothing came for %u s\n", (uint64_t)i,
                (uint64_t)size, (int)SILENCE_S);
            return false;
        }
        sum += image[i];
    }
    if (sum != want)
        say("uartboot: checksum wrong: got 0x%X, want 0x%X\n", (uint64_t)sum, (uint64_t)want);
    return sum == want;
}

/* Returns the kernel's entry address. tree: the firmware's word, perhaps a device tree. */
uint64_t uartboot_main(uint64_t tree)
{
    uint32_t size, sum;
    bcm_uart_pins(BCM_PINS_MINI);
    uart_mini.init(AUX_BASE);
    bcm_irq_enable(BCM_IRQ_AUX);
    mmio_write(TIMER_CONTROL, TIMER_PHYSICAL);
    say("\nuartboot: waiting for a kernel: send_kernel.py kernel8.img DEVICE\n");
    for (;;) {
        wait_for_magic();
        if (!get_word(&size) || !get_word(&sum)) {
            say("uartboot: gave up: the header ended early\n");
            continue;
        }
        if (size == 0 || size > room(tree)) {
            say("uartboot: refused: an image of %U bytes; there is room for %U\n", (uint64_t)size,
                room(tree));
            continue;
        }
        say("uartboot: receiving %U bytes\n", (uint64_t)size);
        if (receive(size, sum))
            break;
    }
    say("uartboot: %U bytes, checksum 0x%X: starting\n", (uint64_t)size, (uint64_t)sum);
    uart_mini.flush(AUX_BASE);
    bcm_irq_disable(BCM_IRQ_AUX);
    mmio_write(TIMER_CONTROL, 0);
    return IMAGE_AT;
}
