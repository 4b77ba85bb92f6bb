/* SPDX-License-Identifier: MIT */
/* x64_apic.c - the local APIC.
 *
 *     8259 -- LINT0 --> APIC of processor 0 ----> vectors 32..47, as the 8259 numbers them
 *                        ^        |  timer -----> vector 48
 *                        |        v
 *                       bus of all APICs -------> vector 240: another processor wants something
 *
 * The two 8259 stay: they bring the keyboard and the serial line to processor 0. Everything else of
 * an interrupt controller is here. Its registers are 16 bytes apart, either in memory at an address
 * that ACPI names, or, when the firmware has switched to x2APIC because there are many processors,
 * as model specific registers: then one number has 32 bits instead of 8, and a call is one write.
 *
 * Starting a processor: INIT puts it into a state in which it waits; STARTUP tells it the page at
 * which it begins. Intel's manual wants 10 ms between, and STARTUP twice, 200 us apart; a processor
 * that runs already does not mind the second.
 *
 * FROM   Intel's manual, volume 3, chapter 11 (APIC), 9.4 (starting processors).
 */
#include "x64_apic.h"
#include "arch.h"
#include "loam/port.h"
#include "paging.h"
#include "x64_trap.h"

enum {
    ID = 0x20,
    VERSION = 0x30, /* bits 16 to 23: the last entry of the LVT */
    EOI = 0xb0,
    SPURIOUS = 0xf0,
    ERROR = 0x280,
    COMMAND = 0x300, /* in memory, COMMAND_TO before it */
    COMMAND_TO = 0x310,
    LVT_TIMER = 0x320,
    LVT_THERMAL = 0x330,
    LVT_COUNTERS = 0x340,
    LVT_LINT0 = 0x350,
    LVT_LINT1 = 0x360,
    LVT_ERROR = 0x370,
    TIMER_FROM = 0x380,
    TIMER_NOW = 0x390,
    TIMER_DIVIDE = 0x3e0,
    REGISTERS_LEN = 0x1000,

    LAST_COUNTERS = 4, /* of VERSION: so many entries, and one of counters is there */
    LAST_THERMAL = 5,

    APIC_ON = 0x100, /* in SPURIOUS */
    MASKED = 1 << 16,
    EXTERNAL = 0x700, /* delivery: the 8259 says the vector */
    NMI = 0x400,
    PERIODIC = 1 << 17,
    BY_16 = 3, /* of TIMER_DIVIDE */

    COMMAND_FIXED = 0x4000, /* a level that nobody reads any more, but has to be 1 */
    COMMAND_INIT = 0x4500,
    COMMAND_STARTUP = 0x4600,
    COMMAND_BUSY = 1 << 12,

    MSR_APIC_BASE = 0x1b,
    BASE_X2 = 1 << 10,
    BASE_ON = 1 << 11,
    MSR_X2 = 0x800, /* + register / 16 */

    CPUID_APIC = 1 << 9, /* leaf 1, edx */
    MEASURE_HZ = 100,    /* for a hundredth of a second */
    BROADCAST = 255      /* in memory: all; no processor's number */
};

static volatile uint32_t *registers; /* NULL: x2APIC, or not initialised */
static bool x2apic;
static uint64_t timer_hz;
static void (*on_tick)(void), (*on_call)(void);

/* ---- words to it ---- */

static uint64_t read_msr(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
    return (uint64_t)high << 32 | low;
}

static void write_msr(uint32_t msr, uint64_t v)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

static uint32_t get(unsigned reg)
{
    return x2apic ? (uint32_t)read_msr(MSR_X2 + reg / 16) : registers[reg / 4];
}

static void set(unsigned reg, uint32_t v)
{
    if (x2apic)
        write_msr(MSR_X2 + reg / 16, v);
    else
        registers[reg / 4] = v;
}

/* One at a time: on each processor, and with interrupts off, because a call may come from anywhere.
 * Writing an MSR of the x2APIC orders nothing: what was stored before has to be seen by who is
 * called. */
static void command(uint32_t id, uint32_t what)
{
    loam_irq irq = loam_port_irq_save();
    if (x2apic) {
        __asm__ volatile("mfence\n\tlfence" : : : "memory");
        write_msr(MSR_X2 + COMMAND / 16, (uint64_t)id << 32 | what);
    } else {
        while ((get(COMMAND) & COMMAND_BUSY) != 0)
            loam_port_relax();
        set(COMMAND_TO, id << 24);
        set(COMMAND, what);
    }
    loam_port_irq_restore(irq);
}

typedef struct cpuid {
    uint32_t a, b, c, d;
} cpuid;

static cpuid ask_cpuid(uint32_t leaf)
{
    cpuid r = {.a = leaf};
    __asm__ volatile("cpuid" : "+a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d));
    return r;
}

static bool has_apic(void)
{
    return (ask_cpuid(1).d & CPUID_APIC) != 0;
}

uint32_t x64_apic_own_id(void)
{
    if (has_apic() && (read_msr(MSR_APIC_BASE) & BASE_X2) != 0)
        return (uint32_t)read_msr(MSR_X2 + ID / 16);
    return ask_cpuid(1).b >> 24;
}

bool x64_apic_can_reach(uint32_t id)
{
    return x2apic || id < BROADCAST;
}

/* ---- interrupts ---- */

static void handle_tick(void)
{
    set(EOI, 0);
    if (on_tick != NULL)
        on_tick();
}

static void handle_call(void)
{
    set(EOI, 0);
    if (on_call != NULL)
        on_call();
}

/* An interrupt that went away before it could be delivered; it is not to be acknowledged. */
static void handle_spurious(void)
{
}

void x64_apic_on_call(void (*fn)(void))
{
    on_call = fn;
}

void x64_apic_call(uint32_t id)
{
    command(id, COMMAND_FIXED | X64_VECTOR_CALL);
}

/* ---- on ---- */

static void turn_on(bool first)
{
    unsigned last;
    write_msr(MSR_APIC_BASE, read_msr(MSR_APIC_BASE) | BASE_ON);
    last = get(VERSION) >> 16 & 255;
    set(LVT_TIMER, MASKED);
    if (last >= LAST_COUNTERS)
        set(LVT_COUNTERS, MASKED);
    if (last >= LAST_THERMAL)
        set(LVT_THERMAL, MASKED);
    set(LVT_ERROR, MASKED);
    set(LVT_LINT0, first ? EXTERNAL : MASKED);
    set(LVT_LINT1, first ? NMI : MASKED);
    set(ERROR, 0);
    set(SPURIOUS, APIC_ON | X64_VECTOR_SPURIOUS);
}

/* How fast its timer counts, by the clock that x86_clock.c has measured. */
static uint64_t measure(void)
{
    uint64_t start, most = arch_ticks_hz() / MEASURE_HZ;
    set(TIMER_DIVIDE, BY_16);
    set(TIMER_FROM, ~0U);
    start = loam_port_ticks();
    while (loam_port_ticks() - start < most)
        loam_port_relax();
    uint32_t left = get(TIMER_NOW);
    set(TIMER_FROM, 0);
    return (uint64_t)(~0U - left) * MEASURE_HZ;
}

const char *x64_apic_init(uint64_t at)
{
    if (!has_apic())
        return "this processor has none";
    x2apic = (read_msr(MSR_APIC_BASE) & BASE_X2) != 0;
    if (!x2apic)
        registers = paging_map_device(loam_pa_of(at), REGISTERS_LEN);
    if (!x2apic && registers == NULL)
        return "its registers are out of reach";
    turn_on(true);
    timer_hz = measure();
    x64_on_interrupt(X64_VECTOR_TIMER, handle_tick);
    x64_on_interrupt(X64_VECTOR_CALL, handle_call);
    x64_on_interrupt(X64_VECTOR_SPURIOUS, handle_spurious);
    return timer_hz == 0 ? "its timer does not count" : NULL;
}

void x64_apic_join(void)
{
    if (x2apic)
        write_msr(MSR_APIC_BASE, read_msr(MSR_APIC_BASE) | BASE_ON | BASE_X2);
    turn_on(false);
}

void x64_apic_tick_start(unsigned hz, void (*fn)(void))
{
    uint64_t count = timer_hz / hz;
    on_tick = fn;
    set(TIMER_DIVIDE, BY_16);
    set(LVT_TIMER, PERIODIC | X64_VECTOR_TIMER);
    set(TIMER_FROM, count > UINT32_MAX ? UINT32_MAX : (uint32_t)count);
}

/* ---- starting others ---- */

static void wait_us(uint64_t us)
{
    uint64_t start = loam_port_ticks(), most = arch_ticks_hz() / 1000000 * us;
    while (loam_port_ticks() - start < most)
        loam_port_relax();
}

void x64_apic_reset(uint32_t id)
{
    command(id, COMMAND_INIT);
}

void x64_apic_start(uint32_t id, uint32_t page)
{
    x64_apic_reset(id);
    wait_us(10000);
    command(id, COMMAND_STARTUP | page >> LOAM_PAGE_SHIFT);
    wait_us(200);
    command(id, COMMAND_STARTUP | page >> LOAM_PAGE_SHIFT);
}
