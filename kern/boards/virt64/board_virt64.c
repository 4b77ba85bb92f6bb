/* SPDX-License-Identifier: MIT */
/* board_virt64.c - a virtual machine with 64-bit Arm processors: QEMU's virt, and what is like it.
 *
 *     0x00000000  flash, interrupt controller, serial port, ...: where, says the device tree
 *     0x40000000  RAM, as much as there is
 *     0x40200000  kernel.img
 *     RAM / 2, at most 128 MiB into it: initramfs and device tree (QEMU)
 *
 * Until the tree has been read only the place of the serial port is taken for granted. Off is the
 * firmware's (PSCI SYSTEM_OFF: QEMU ends with code 0). PSCI has no way to tell of a failure: with
 * exit=semihost on the command line a failure ends the emulator with code 1; without it the machine
 * stops, and what it said stays to be read.
 */
#include "arch.h"
#include "board.h"
#include "board_arm.h"
#include "console.h"
#include "cpus.h"
#include "gic.h"
#include "gtimer.h"
#include "kern.h"
#include "loam/port.h"
#include "mmu.h"
#include "paging.h"
#include "psci.h"
#include "semihost.h"
#include "shell.h"
#include "smp.h"

enum {
    UART_BASE = 0x09000000, /* until the tree says otherwise */
    IPI = 0,                /* the line by which processors interrupt each other */
    TIMER_LINE = 27,        /* of the virtual timer, when the tree does not say */
    GIC2_CPUS = 8,
    DEVICES = LOAM_ARM_REDISTS + 3
};

#define RAM_BASE    0x40000000ULL
#define RAM_END     (1ULL << 46) /* of what this kernel can use, at most; below MMU_VMAP_BASE */
#define DEFAULT_RAM (64ULL << 20)

const mmu_region mmu_regions[MMU_REGIONS] = {
    {0, RAM_BASE, true},
    {RAM_BASE, MMU_BOOT_END - RAM_BASE, false},
};

static const loam_span default_ram[] = {{RAM_BASE, DEFAULT_RAM}};
static board_zone zones[] = {{"normal", {RAM_BASE, RAM_END - RAM_BASE}, true}};

static void map_ram(void);

const board board_this = {
    .name = "virtual machine",
    .elf = "build/virt64/kernel.elf",
    .firmware = &firmware_fdt,
    .tree_place = RAM_BASE, /* where QEMU leaves it for an ELF file */
    .default_ram = default_ram,
    .default_ram_count = LOAM_ARRAY_LEN(default_ram),
    .mapped = {RAM_BASE, RAM_END - RAM_BASE, (unsigned char *)RAM_BASE}, /* identity */
    .early_len = MMU_BOOT_END - RAM_BASE,
    .map_ram = map_ram,
    .zones = zones,
    .zone_count = LOAM_ARRAY_LEN(zones),
    .initrd_place = "behind it",
    .console_default = "pl011",
    .console_names = "pl011",
    .commands = shell_paging_commands,
};

/* What the tree says of devices; all 0 when there is none. */
static const loam_fdt_arm *tree(void)
{
    return &kern_this.bootinfo.arm;
}

/* ---- the serial port ---- */

static void port_irq(const board_arm_port *port, bool on)
{
    (void)port;
    if (tree()->pl011_irq >= GIC_SHARED)
        gic_enable(tree()->pl011_irq, on);
}

static board_arm_port serial = {&uart_pl011, UART_BASE, {"pl011"}, NULL, port_irq};

void board_early(void)
{
    cpus_init();
    if (mmu_pa_end() < RAM_END)
        zones[0].span.len = mmu_pa_end() - RAM_BASE;
    board_arm_console(&serial);
}

static bool is_pl011(const char *name)
{
    const char *want = "pl011";
    while (*want != '\0' && *name == *want)
        name++, want++;
    return *want == '\0' && (*name == '\0' || *name == '@');
}

/* "pl011", or the name of its node. */
bool board_console(const char *name)
{
    uint64_t base = tree()->pl011.base;
    if (!is_pl011(name))
        return false;
    if (base == serial.base || base == 0)
        return true;
    if (base >= RAM_BASE)
        return false; /* the boot map has only registers that lie below */
    serial.uart->flush(serial.base);
    serial.base = (uintptr_t)base;
    board_arm_console(&serial);
    return true;
}

/* ---- paging: what is mapped besides the RAM ---- */

static loam_span device[DEVICES];
static size_t device_count;

static bool overlaps(loam_span a, loam_span b)
{
    return a.base < b.base + b.len && b.base < a.base + a.len;
}

static bool is_ram(loam_span at)
{
    const loam_bootinfo *info = &kern_this.bootinfo;
    for (size_t i = 0; i < info->ram_count; i++)
        if (info->ram[i].base < RAM_END && overlaps(at, info->ram[i]))
            return true;
    return false;
}

/* Registers, in whole pages. false: they cannot be there. */
static bool add_device(loam_span at, const char *what)
{
    uint64_t base = loam_align_down(at.base, LOAM_PAGE_SIZE);
    bool good = at.len != 0 && at.base < RAM_END && at.len < RAM_END - at.base;
    loam_span pages = {base, loam_align_up(at.base + at.len, LOAM_PAGE_SIZE) - base};
    good = good && base != 0 && !is_ram(pages);
    for (size_t i = 0; i < device_count; i++)
        good = good && !overlaps(pages, device[i]);
    if (good && device_count < DEVICES)
        device[device_count++] = pages;
    else
        klog("device tree: %s at [0x%X, +0x%X): not there", what, at.base, at.len);
    return good;
}

static bool add_gic(const loam_fdt_arm *arm)
{
    bool good = add_device(arm->gic_dist, "an interrupt distributor");
    if (arm->gic == 2)
        return good && add_device(arm->gic_cpu, "an interrupt controller");
    for (unsigned i = 0; i < arm->gic_redists; i++)
        good = good && add_device(arm->gic_redist[i], "a redistributor");
    return good;
}

static const paging_layout *layout(void)
{
    static paging_layout made = {
        .vmap_base = MMU_VMAP_BASE,
        .vmap_end = MMU_VMAP_END,
        .vmap_step = MMU_ROOT_SPAN,
        .window = MMU_WINDOW,
        .device = device,
    };
    made.device_count = device_count;
    return &made;
}

/* The first that is done after the tree was read. */
static void map_ram(void)
{
    loam_fdt_arm *arm = &kern_this.bootinfo.arm;
    psci_init(arm->psci);
    (void)add_device((loam_span){serial.base, LOAM_PAGE_SIZE}, "the console");
    if (arm->gic != 0 && !add_gic(arm))
        arm->gic = 0;
    paging_early(layout(), MMU_BOOT_END);
}

void board_paging(void)
{
    paging_init(layout(), mmu_boot_tables());
}

/* ---- processors ---- */

unsigned board_cpus(void)
{
    unsigned count = cpus_count();
    if (tree()->gic == 0 || tree()->psci == LOAM_PSCI_NONE)
        return 1;
    return tree()->gic == 2 && count > GIC2_CPUS ? (unsigned)GIC2_CPUS : count;
}

bool board_cpu_start(unsigned cpu, void *stack_top)
{
    if (cpus_info(cpu) == NULL)
        return false;
    cpus_expect(cpu, stack_top);
    return psci_cpu_on(cpus_affinity(cpu), (uintptr_t)cpus_entry);
}

static unsigned tick_hz;
static void (*on_tick)(void);

static unsigned timer_line(void)
{
    uint32_t line = tree()->timer[LOAM_ARM_TIMER_VIRTUAL];
    return line >= GIC_OWN && line < GIC_SHARED ? line : (unsigned)TIMER_LINE;
}

static bool own_interrupts(void)
{
    if (!gic_cpu_init(loam_port_cpu()))
        return false;
    gic_enable(timer_line(), true);
    gtimer_start(tick_hz);
    return true;
}

/* A processor that nobody can interrupt is of no use: it never says that it came. */
void board_cpu_init(void)
{
    if (!own_interrupts())
        arch_halt();
}

void board_arm_cpu_quiet(void)
{
    gic_cpu_quiet();
}

void board_cpu_interrupt(unsigned cpu)
{
    gic_send(cpu, cpus_affinity(cpu), IPI);
}

void board_tick_start(unsigned hz, void (*fn)(void))
{
    const char *why = gic_init(tree());
    on_tick = fn;
    tick_hz = hz;
    if (why == NULL && !own_interrupts())
        why = "the interrupt controller does not know this processor";
    if (why != NULL) {
        klog("device tree: %s: there are no interrupts", why);
        kern_this.bootinfo.arm.gic = 0;
        board_arm_no_interrupts();
        return;
    }
    port_irq(&serial, true);
    klog("interrupts: %s, timer on line %u, serial port on line %u; firmware: PSCI %u.%u",
         gic_name(), (int)timer_line(), (int)tree()->pl011_irq, (int)(psci_version() >> 16),
         (int)(psci_version() & 0xffff));
}

bool board_irq(unsigned line)
{
    uint32_t taken = gic_take();
    bool known = true;
    line = gic_line(taken);
    if (line >= GIC_SPECIAL)
        return true; /* it went away */
    if (line == timer_line())
        gtimer_next();
    else if (line == tree()->pl011_irq)
        board_arm_input();
    else
        known = line == IPI;
    gic_done(taken);
    if (line == IPI)
        smp_interrupted();
    else if (line == timer_line() && on_tick != NULL)
        on_tick();
    return known;
}

/* ---- the end ---- */

_Noreturn void board_off(int code)
{
    serial.uart->flush(serial.base);
    if (code == 0)
        psci_off();
    if (board_arm_by_semihosting())
        semihost_exit(code);
    console_write("The machine has stopped.\n");
    arch_halt();
}

_Noreturn void board_reboot(void)
{
    serial.uart->flush(serial.base);
    psci_reset();
    console_write("The machine does not restart by itself; it has stopped.\n");
    arch_halt();
}
