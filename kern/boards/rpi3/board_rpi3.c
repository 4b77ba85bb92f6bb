/* SPDX-License-Identifier: MIT */
/* board_rpi3.c - the Raspberry Pi 3 (BCM2837), real or QEMU's raspi3b.
 *
 *     0x00000000  spin tables of cores 1-3 (0xe0, 0xe8, 0xf0), 0x1000 bytes
 *     0x00080000  kernel8.img
 *     0x08000000  initramfs, device tree (QEMU)
 *     0x3c000000  the graphics processor's share (as much as config.txt says)
 *     0x3f000000  peripherals;   0x40000000  the cores' own: timers, mailboxes
 *     MMU_OWN     the spin tables once more, not cached: for who releases a core
 *
 * A core is released by its word in the spin table, whose place is the device tree's to say
 * (cpu-release-addr), and interrupted through its mailbox 0. Its number in the chip, which the
 * local registers go by, is the low byte of its affinity.
 */
#include "arch.h"
#include "bcm283x.h"
#include "board.h"
#include "board_arm.h"
#include "console.h"
#include "cpus.h"
#include "gtimer.h"
#include "kern.h"
#include "loam/port.h"
#include "mmu.h"
#include "paging.h"
#include "semihost.h"
#include "shell.h"
#include "smp.h"

enum {
    PL011_BASE = 0x3f201000,
    AUX_BASE = 0x3f215000,
    RAM_END = 0x3f000000, /* at most; below: RAM */
    LOCAL_END = 0x40200000
};

const mmu_region mmu_regions[MMU_REGIONS] = {
    {0, RAM_END, false},
    {RAM_END, LOCAL_END - RAM_END, true},
};

static const board_span held[] = {{{0, LOAM_PAGE_SIZE}, "spin tables"}};

static const loam_span default_ram[] = {{0, 0x3c000000}};
#define CORE(n)                                                                                    \
    {                                                                                              \
        .id = (n), .enable_method = "spin-table", .release = 0xd8 + 8 * (n)                        \
    }
static const loam_bootinfo_cpu default_cpu[] = {CORE(0), CORE(1), CORE(2), CORE(3)};
static const board_zone zones[] = {{"normal", {0, RAM_END}, true}};

const board board_this = {
    .name = "Raspberry Pi 3",
    .elf = "build/rpi3/kernel8.elf",
    .firmware = &firmware_fdt,
    .default_ram = default_ram,
    .default_ram_count = LOAM_ARRAY_LEN(default_ram),
    .default_cpu = default_cpu,
    .default_cpu_count = LOAM_ARRAY_LEN(default_cpu),
    /* identity; the first page is nobody's, so that NULL faults */
    .mapped = {LOAM_PAGE_SIZE, RAM_END - LOAM_PAGE_SIZE, (unsigned char *)LOAM_PAGE_SIZE},
    .zones = zones,
    .zone_count = LOAM_ARRAY_LEN(zones),
    .initrd_place = "at 0x8000000",
    .held = held,
    .held_count = LOAM_ARRAY_LEN(held),
    .console_default = "mini-uart",
    .console_names = "mini-uart pl011",
    .commands = shell_paging_commands,
};

/* ---- serial ports: both are on the same pins ---- */

typedef struct bcm_port {
    board_arm_port port;
    bcm_pins pins;
    bcm_irq irq;
} bcm_port;

static void port_open(const board_arm_port *port)
{
    bcm_uart_pins(LOAM_CONTAINER_OF(port, bcm_port, port)->pins);
}

static void port_irq(const board_arm_port *port, bool on)
{
    bcm_irq irq = LOAM_CONTAINER_OF(port, bcm_port, port)->irq;
    if (on)
        bcm_irq_enable(irq);
    else
        bcm_irq_disable(irq);
}

static const bcm_port ports[] = {
    {{&uart_mini, AUX_BASE, {"mini-uart", "uart1", "serial@7e215040"}, port_open, port_irq},
     BCM_PINS_MINI,
     BCM_IRQ_AUX},
    {{&uart_pl011, PL011_BASE, {"pl011", "uart0", "serial@7e201000"}, port_open, port_irq},
     BCM_PINS_PL011,
     BCM_IRQ_PL011},
};

void board_early(void)
{
    cpus_init();
    board_arm_console(&ports[0].port);
}

bool board_console(const char *name)
{
    for (size_t i = 0; i < LOAM_ARRAY_LEN(ports); i++)
        if (board_arm_is_called(&ports[i].port, name)) {
            if (board_arm_console_now() != &ports[i].port)
                board_arm_console(&ports[i].port);
            return true;
        }
    return false;
}

/* ---- paging ---- */

static void map_spin_table(void)
{
    loam_pt_batch batch;
    loam_pt_batch_init(&batch);
    if (loam_pt_map(&kern_this.pt, MMU_OWN, loam_pa_of(0), LOAM_PAGE_SIZE,
                    LOAM_PT_WRITE | LOAM_PT_DEVICE | LOAM_PT_GLOBAL, &batch) != LOAM_OK)
        kpanic("page tables: the spin table");
    loam_tlb_flush(&kern_this.tlb, &kern_this.pt, &batch);
}

void board_paging(void)
{
    static const loam_span device[] = {{RAM_END, LOCAL_END - RAM_END}};
    static const paging_layout layout = {
        .vmap_base = MMU_VMAP_BASE,
        .vmap_end = MMU_VMAP_END,
        .vmap_step = MMU_ROOT_SPAN,
        .window = MMU_WINDOW,
        .device = device,
        .device_count = LOAM_ARRAY_LEN(device),
    };
    paging_init(&layout, mmu_boot_tables());
    map_spin_table();
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
    word = (volatile uint64_t *)(uintptr_t)(MMU_OWN + info->release);
    *word = (uintptr_t)cpus_entry;
    __asm__ volatile("dsb sy\n\tsev" : : : "memory");
    bcm_mail_send(core_of(cpu)); /* it may sleep deeper than an event reaches: cores.S */
    return true;
}

static unsigned tick_hz;
static void (*on_tick)(void);

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

static bcm_irq console_irq(void)
{
    return LOAM_CONTAINER_OF(board_arm_console_now(), bcm_port, port)->irq;
}

void board_arm_cpu_quiet(void)
{
    bcm_core_quiet(core_of(loam_port_cpu()));
    if (loam_port_cpu() == 0)
        bcm_irq_disable(console_irq());
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
    if (loam_port_cpu() == 0 && bcm_irq_pending(console_irq())) {
        board_arm_input();
        known = true;
    }
    return known;
}

static void flush(void)
{
    const board_arm_port *port = board_arm_console_now();
    port->uart->flush(port->base);
}

_Noreturn void board_off(int code)
{
    flush();
    if (board_arm_by_semihosting())
        semihost_exit(code);
    if (code == 0)
        bcm_reset(true);
    arch_halt(); /* after a failure the message stays on the screen */
}

_Noreturn void board_reboot(void)
{
    flush();
    bcm_reset(false);
    arch_halt();
}
