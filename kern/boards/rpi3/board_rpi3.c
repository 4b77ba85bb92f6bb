/* SPDX-License-Identifier: MIT */
/* board_rpi3.c - the Raspberry Pi 3 (BCM2837), real or QEMU's raspi3b.
 *
 *     0x00000000  spin tables of cores 1-3 (0xe0, 0xe8, 0xf0), 0x1000 bytes
 *     0x00080000  kernel8.img
 *     0x08000000  initramfs, device tree (QEMU)
 *     0x3c000000  the graphics processor's share (as much as config.txt says)
 *     0x3f000000  peripherals;   0x40000000  the cores' own: timers, mailboxes
 *
 * A core is released by its word in the spin table, whose place is the device tree's to say
 * (cpu-release-addr), and interrupted through its mailbox 0. Its number in the chip, which the
 * local registers go by, is the low byte of its affinity.
 */
#include "arch.h"
#include "bcm283x.h"
#include "board.h"
#include "board_map.h"
#include "cpus.h"
#include "gtimer.h"
#include "loam/port.h"
#include "semihost.h"
#include "smp.h"
#include "uart.h"

enum { PL011_BASE = 0x3f201000, AUX_BASE = 0x3f215000, INPUT_CAP = 256 };

static const board_span held[] = {{{0, 0x1000}, "spin tables"}};

static const loam_span default_ram[] = {{0, 0x3c000000}};
#define CORE(n)                                                                                    \
    {                                                                                              \
        .id = (n), .enable_method = "spin-table", .release = 0xd8 + 8 * (n)                        \
    }
static const loam_bootinfo_cpu default_cpu[] = {CORE(0), CORE(1), CORE(2), CORE(3)};
static const board_zone zones[] = {{"normal", {0, BOARD_RAM_END}, true}};

const board board_this = {
    .name = "Raspberry Pi 3",
    .elf = "build/rpi3/kernel8.elf",
    .firmware = &firmware_fdt,
    .default_ram = default_ram,
    .default_ram_count = LOAM_ARRAY_LEN(default_ram),
    .default_cpu = default_cpu,
    .default_cpu_count = LOAM_ARRAY_LEN(default_cpu),
    .mapped = {0, BOARD_RAM_END, 0}, /* identity */
    .zones = zones,
    .zone_count = LOAM_ARRAY_LEN(zones),
    .initrd_place = "at 0x8000000",
    .held = held,
    .held_count = LOAM_ARRAY_LEN(held),
    .console_default = "mini-uart",
    .console_names = "mini-uart pl011",
};

typedef struct port_choice {
    const uart *uart;
    uintptr_t base;
    bcm_pins pins;
    bcm_irq irq;
    const char *names[4]; /* what a command line or the end of a stdout-path calls it */
} port_choice;

static const port_choice ports[] = {
    {&uart_mini, AUX_BASE, BCM_PINS_MINI, BCM_IRQ_AUX, {"mini-uart", "uart1", "serial@7e215040"}},
    {&uart_pl011, PL011_BASE, BCM_PINS_PL011, BCM_IRQ_PL011, {"pl011", "uart0", "serial@7e201000"}},
};

static const port_choice *console = &ports[0];
static void (*on_tick)(void);
static bool by_semihosting;

/* What has come and nobody has read: filled by the interrupt, emptied by board_getc. */
static char input[INPUT_CAP];
static uint32_t input_head, input_tail;

static void console_open(const port_choice *port)
{
    console = port;
    bcm_uart_pins(port->pins);
    port->uart->init(port->base);
    bcm_irq_enable(port->irq);
}

void board_early(void)
{
    cpus_init();
    console_open(&ports[0]);
}

static bool ends_in(const char *s, const char *tail)
{
    size_t n = 0, m = 0;
    while (s[n] != '\0' && s[n] != ':') /* "serial1:115200n8": the baud rate is ours */
        n++;
    while (tail[m] != '\0')
        m++;
    if (m > n)
        return false;
    for (size_t i = 0; i < m; i++)
        if (s[n - m + i] != tail[i])
            return false;
    return true;
}

bool board_console(const char *name)
{
    for (size_t i = 0; i < LOAM_ARRAY_LEN(ports); i++)
        for (size_t k = 0; ports[i].names[k] != NULL; k++)
            if (ends_in(name, ports[i].names[k])) {
                if (console != &ports[i]) {
                    console->uart->flush(console->base);
                    console_open(&ports[i]);
                }
                return true;
            }
    return false;
}

void board_putc(char c)
{
    console->uart->put(console->base, c);
}

/* When nobody reads, the interrupt goes silent and the rest waits in the device, which holds up the
 * sender where it can (QEMU does). */
static void collect_input(void)
{
    char c;
    while (input_head - input_tail < INPUT_CAP && console->uart->get(console->base, &c))
        input[input_head++ % INPUT_CAP] = c;
    if (input_head - input_tail == INPUT_CAP)
        bcm_irq_disable(console->irq);
}

bool board_getc(char *c)
{
    loam_irq irq = loam_port_irq_save();
    bool any, was_full;
    collect_input();
    any = input_head != input_tail;
    was_full = input_head - input_tail == INPUT_CAP;
    if (any)
        *c = input[input_tail++ % INPUT_CAP];
    if (was_full)
        bcm_irq_enable(console->irq);
    loam_port_irq_restore(irq);
    return any;
}

void board_wait_input(void)
{
    loam_irq irq = loam_port_irq_save();
    collect_input();
    if (input_head == input_tail)
        arch_wait(); /* wakes up for a masked interrupt too, so none is missed in between */
    loam_port_irq_restore(irq);
}

/* mmu.c made the tables, and the tests' memory is in the image. */
void board_paging(void)
{
}

void board_vmap(void)
{
}

bool board_tests_memory(bool wanted)
{
    (void)wanted;
    return true;
}

/* ---- processors ---- */

enum { LOCAL_CORES = 4 /* with timers and mailboxes of their own, in any such chip */ };

static unsigned core_of(unsigned cpu)
{
    return (unsigned)cpus_affinity(cpu) % LOCAL_CORES;
}

unsigned board_cpus(void)
{
    unsigned count = cpus_count();
    return count < LOCAL_CORES ? count : (unsigned)LOCAL_CORES;
}

/* The release word lies in the first page, which is mapped for nobody but us. */
bool board_cpu_start(unsigned cpu, void *stack_top)
{
    const loam_bootinfo_cpu *info = cpus_info(cpu);
    volatile uint64_t *word;
    if (info == NULL || info->release == 0 || info->release % sizeof(*word) != 0 ||
        info->release >= LOAM_PAGE_SIZE)
        return false;
    cpus_expect(cpu, stack_top);
    word = (volatile uint64_t *)(uintptr_t)(BOARD_LOW_ALIAS + info->release);
    *word = (uintptr_t)cpus_entry;
    __asm__ volatile("dsb sy\n\tsev" : : : "memory");
    bcm_mail_send(core_of(cpu)); /* it may sleep deeper than an event reaches: cores.S */
    return true;
}

static unsigned tick_hz;

static void own_interrupts(void)
{
    unsigned core = core_of(loam_port_cpu());
    bcm_mail_take(core);
    bcm_mail_irq_enable(core);
    bcm_timer_irq_enable(core);
    gtimer_start(tick_hz);
}

void board_cpu_init(void)
{
    own_interrupts();
}

void board_cpu_interrupt(unsigned cpu)
{
    bcm_mail_send(core_of(cpu));
}

void board_tick_start(unsigned hz, void (*fn)(void))
{
    on_tick = fn;
    tick_hz = hz;
    own_interrupts();
}

/* The controller of the peripherals interrupts core 0 alone. */
bool board_irq(unsigned line)
{
    (void)line; /* the interrupt controller knows */
    unsigned core = core_of(loam_port_cpu());
    bool known = false;
    if (bcm_mail_irq_pending(core)) {
        bcm_mail_take(core);
        smp_interrupted();
        known = true;
    }
    if (bcm_timer_irq_pending(core)) {
        gtimer_next();
        if (on_tick != NULL)
            on_tick();
        known = true;
    }
    if (loam_port_cpu() == 0 && bcm_irq_pending(console->irq)) {
        collect_input();
        known = true;
    }
    return known;
}

void board_exit_by_semihosting(void)
{
    by_semihosting = true;
}

_Noreturn void board_off(int code)
{
    console->uart->flush(console->base);
    if (by_semihosting)
        semihost_exit(code);
    if (code == 0)
        bcm_reset(true);
    arch_halt(); /* after a failure the message stays on the screen */
}

_Noreturn void board_reboot(void)
{
    console->uart->flush(console->base);
    bcm_reset(false);
    arch_halt();
}
