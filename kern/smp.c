/* SPDX-License-Identifier: MIT */
/* smp.c - the kernel's processors.
 *
 * Two kinds of request, because two kinds of place can serve them:
 *
 *     smp_interrupt   anywhere: fn touches nothing that a lock or "interrupts off" guards (forget a
 *                     page, count, stop). So a processor that waits for a lock serves it, and
 *                     whoever holds that lock may ask.
 *     smp_run         in the loop below only: fn is a program of its own, on a stack of its own
 *
 *         asker a                       asked b
 *         fn, ctx, left = 2             (interrupt, or a loop that waits)
 *         b.asked |= bit a  --------->  asked = exchange(b.asked, 0)
 *         interrupt b                   fn(ctx)
 *         until left = 0    <---------  a.left -= 1
 *           serve own asked
 *
 * One request of a processor is out at a time: it asks with interrupts off. Two that ask each other
 * both serve while they wait, so none waits for ever.
 *
 * A processor sleeps with empty fronts: what it kept is free for the others. From then on a request
 * to drain finds nothing at it.
 */
#include "smp.h"
#include "arch.h"
#include "board.h"
#include "console.h"
#include "kern.h"
#include "loam/port.h"
#include "stacks.h"

enum { STACK_ORDER = 3, STOP_MS = 100, COME_MS = 5000, DUTY_MS = 500 };
_Static_assert(LOAM_PORT_MAX_CPUS <= 32, "a set of processors is a word of the port's atomics");

typedef enum cpu_state { NEVER, STARTING, ONLINE, LATE, REFUSED, STOPPED } cpu_state;

typedef struct cpu {
    uint32_t state;                /* [atomic] cpu_state */
    uint32_t asked;                /* [atomic] bit a: processor a waits for this one */
    uint32_t left;                 /* [atomic] processors that have not done what this one asks */
    uint32_t duties;               /* [atomic] times that it did its duties; it alone writes */
    uint32_t works_done;           /* [cpu] the last round of smp_run that it did */
    void (*fn)(void *ctx);         /* [cpu] what it asks; others read it while left > 0 */
    void *ctx;                     /* [cpu] */
    uintptr_t stack, stack_end;    /* [init] */
    uint64_t ticks, calls, served; /* [cpu] */
} __attribute__((aligned(64))) cpu;

static cpu cpus[LOAM_PORT_MAX_CPUS];
static uint32_t online = 1; /* [atomic] bit c: processor c takes part */
static uint32_t stoppers;   /* [atomic] processors that wanted to stop all others: the first may */
static uint32_t stopping;   /* [atomic] that one plus 1; 0: none */

static struct {
    void (*fn)(void *ctx); /* [round] */
    void *ctx;             /* [round] */
    uint32_t set;          /* [round] who takes part */
    uint32_t round;        /* [atomic] counts the calls of smp_run */
    uint32_t left;         /* [atomic] processors that have not come back from fn */
} work;

static uint32_t bit(unsigned c)
{
    return 1U << c;
}

unsigned smp_online(void)
{
    return loam_popcount64(smp_online_set());
}

uint64_t smp_online_set(void)
{
    return loam_atomic_load(&online);
}

static bool came(unsigned c)
{
    return (smp_online_set() & bit(c)) != 0;
}

unsigned smp_count(void)
{
    unsigned most = board_cpus();
    if (most > LOAM_PORT_MAX_CPUS)
        most = LOAM_PORT_MAX_CPUS;
    if (kern_this.options.cpus != 0 && kern_this.options.cpus < most)
        most = (unsigned)kern_this.options.cpus;
    return most;
}

/* ---- requests that may be served anywhere ---- */

static _Noreturn void stop_here(void)
{
    loam_atomic_store(&cpus[loam_port_cpu()].state, STOPPED); /* pairs with the load in stopped */
    arch_halt();
}

void smp_serve(void)
{
    cpu *self = &cpus[loam_port_cpu()];
    uint32_t stopper = loam_atomic_peek(&stopping);
    if (stopper != 0 && stopper != loam_port_cpu() + 1)
        stop_here();
    if (loam_atomic_peek(&self->asked) == 0)
        return;
    /* pairs with the or in smp_interrupt: fn and ctx of each asker are there */
    for (uint32_t asked = loam_atomic_exchange(&self->asked, 0); asked != 0; asked &= asked - 1) {
        cpu *asker = &cpus[loam_ctz64(asked)];
        asker->fn(asker->ctx);
        self->served++;
        (void)loam_atomic_add(&asker->left, ~0U); /* pairs with the load in smp_interrupt */
    }
}

/* The set as of now: what this one wrote before is seen by whoever joins after. */
static uint32_t online_now(void)
{
    return loam_atomic_or(&online, 0); /* pairs with the or in join */
}

void smp_interrupt(uint64_t set, void (*fn)(void *ctx), void *ctx)
{
    loam_irq irq = loam_port_irq_save();
    cpu *self = &cpus[loam_port_cpu()];
    uint32_t left = (uint32_t)set & online_now() & ~bit(loam_port_cpu());
    self->fn = fn;
    self->ctx = ctx;
    loam_atomic_store(&self->left, loam_popcount64(left));
    for (; left != 0; left &= left - 1) {
        unsigned c = loam_ctz64(left);
        (void)loam_atomic_or(&cpus[c].asked, bit(loam_port_cpu())); /* pairs with smp_serve's */
        board_cpu_interrupt(c);
    }
    while (loam_atomic_load(&self->left) != 0) { /* pairs with the add in smp_serve */
        smp_serve();
        loam_port_relax();
    }
    loam_port_irq_restore(irq);
}

void smp_kick(uint64_t set)
{
    loam_irq irq = loam_port_irq_save();
    uint32_t left = (uint32_t)set & (uint32_t)smp_online_set() & ~bit(loam_port_cpu());
    for (; left != 0; left &= left - 1)
        board_cpu_interrupt(loam_ctz64(left));
    loam_port_irq_restore(irq);
}

/* ---- duties ---- */

void smp_duties(void)
{
    loam_irq irq = loam_port_irq_save();
    cpu *self = &cpus[loam_port_cpu()];
    for (unsigned i = 0; i < kern_this.zones.count; i++)
        loam_zone_serve(kern_this.zones.zone[i]);
    if (kern_this.slabs != NULL)
        loam_slabs_serve(kern_this.slabs);
    /* pairs with the load in wait_for_duty: what was kept here is back */
    loam_atomic_store(&self->duties, loam_atomic_peek(&self->duties) + 1);
    loam_port_irq_restore(irq);
}

/* Others may wait for this one meanwhile. */
static void serve_while_waiting(void)
{
    loam_irq irq = loam_port_irq_save();
    smp_serve();
    smp_duties();
    loam_port_irq_restore(irq);
    loam_port_relax();
}

static bool wait_for_duty(unsigned c, uint32_t before, uint64_t start)
{
    uint64_t most = arch_ticks_hz() / 1000 * DUTY_MS;
    while (came(c) && loam_atomic_load(&cpus[c].duties) == before) { /* pairs with smp_duties */
        if (loam_port_ticks() - start > most)
            return false;
        serve_while_waiting();
    }
    return true;
}

bool smp_wait_for_duties(void *ctx)
{
    uint32_t before[LOAM_PORT_MAX_CPUS];
    uint32_t others = (uint32_t)smp_online_set() & ~bit(loam_port_cpu());
    uint64_t start = loam_port_ticks();
    bool all = others != 0;
    (void)ctx;
    for (unsigned c = 0; c < LOAM_PORT_MAX_CPUS; c++)
        before[c] = loam_atomic_load(&cpus[c].duties);
    smp_kick(others);
    for (; others != 0 && all; others &= others - 1) {
        unsigned c = loam_ctz64(others);
        all = wait_for_duty(c, before[c], start);
    }
    return all;
}

void smp_interrupted(void)
{
    cpus[loam_port_cpu()].calls++;
    smp_serve();
    smp_duties();
}

void smp_tick(void)
{
    kern *k = &kern_this;
    cpus[loam_port_cpu()].ticks++;
    smp_serve();
    smp_duties();
    if (k->on_every_tick != NULL)
        k->on_every_tick();
    if (loam_port_cpu() != 0)
        return;
    k->ticks++;
    if (k->on_tick != NULL)
        k->on_tick();
}

/* ---- work ---- */

static void do_work(cpu *self)
{
    uint32_t round = loam_atomic_load(&work.round); /* pairs with the add in smp_run */
    if (round == self->works_done)
        return;
    self->works_done = round;
    if ((work.set & bit(loam_port_cpu())) == 0)
        return;
    work.fn(work.ctx);
    if (loam_atomic_add(&work.left, ~0U) == 1) /* pairs with the load in smp_run */
        smp_kick(bit(0));
}

void smp_drain_here(void)
{
    if (kern_this.slabs != NULL)
        loam_slabs_serve(kern_this.slabs);
    for (unsigned i = 0; i < kern_this.zones.count; i++)
        loam_zone_drain(kern_this.zones.zone[i]);
}

static void drain_work(void *ctx)
{
    (void)ctx;
    smp_drain_here();
}

void smp_drain_all(void)
{
    smp_run(drain_work, NULL); /* frees of others' objects are told to their owners */
    smp_run(drain_work, NULL); /* who take them */
}

static bool is_idle(const cpu *self)
{
    return loam_atomic_load(&work.round) == self->works_done;
}

/* Interrupts are on. */
static void sleep_unless_work(cpu *self)
{
    loam_irq irq;
    smp_drain_here();
    irq = loam_port_irq_save();
    if (is_idle(self))
        arch_wait(); /* an interrupt that came in between wakes it at once */
    loam_port_irq_restore(irq);
}

/* From now on others tell this one what to forget; what it missed until now, it forgets here. */
static void join(void)
{
    const loam_tlb *tlb = &kern_this.tlb;
    (void)loam_atomic_or(&online, bit(loam_port_cpu())); /* pairs with the or in online_now */
    if (tlb->all != NULL)
        tlb->all(tlb->ctx);
    if (tlb->fence != NULL)
        tlb->fence(tlb->ctx);
}

void smp_leave(void)
{
    uint32_t set;
    loam_slabs_offline(kern_this.slabs);
    for (unsigned i = 0; i < kern_this.zones.count; i++)
        loam_zone_offline(kern_this.zones.zone[i]);
    do
        set = loam_atomic_load(&online);
    while (!loam_atomic_cas(&online, set, set & ~bit(loam_port_cpu())));
}

void smp_join(void)
{
    join();
    for (unsigned i = 0; i < kern_this.zones.count; i++)
        loam_zone_online(kern_this.zones.zone[i]);
    loam_slabs_online(kern_this.slabs);
}

_Noreturn void smp_enter(void)
{
    cpu *self = &cpus[loam_port_cpu()];
    uint32_t state = loam_atomic_exchange(&self->state, ONLINE);
    if (state != STARTING) { /* too late: nobody reckons with it, and its stack may be another's */
        loam_atomic_store(&self->state, LATE);
        arch_halt();
    }
    board_cpu_init();
    self->works_done = loam_atomic_load(&work.round);
    join();
    arch_irq_on();
    for (;;) {
        do_work(self);
        sleep_unless_work(self);
    }
}

void smp_run(void (*fn)(void *ctx), void *ctx)
{
    uint32_t others = (uint32_t)smp_online_set() & ~bit(0);
    if (loam_port_cpu() != 0 || loam_atomic_load(&work.left) != 0)
        kpanic("smp_run: from processor %u, or inside of itself", (int)loam_port_cpu());
    work.fn = fn;
    work.ctx = ctx;
    work.set = others;
    loam_atomic_store(&work.left, loam_popcount64(others));
    (void)loam_atomic_add(&work.round, 1); /* pairs with the loads in do_work and is_idle */
    smp_kick(others);
    fn(ctx);
    for (;;) {
        loam_irq irq = loam_port_irq_save();
        bool done = loam_atomic_load(&work.left) == 0; /* pairs with the add in do_work */
        if (!done)
            arch_wait();
        loam_port_irq_restore(irq);
        if (done)
            return;
    }
}

/* ---- start and stop ---- */

static bool make_stack(cpu *c)
{
    uint64_t size = LOAM_PAGE_SIZE << STACK_ORDER, va = 0;
    loam_pfn pfn;
    if (c->stack != 0) /* of a start that was refused */
        return true;
    if (kern_this.vmap != NULL) { /* with a guard page on both sides */
        if (loam_vmap_alloc(kern_this.vmap, size, 0, LOAM_PT_WRITE, &va) != LOAM_OK)
            return false;
        c->stack = (uintptr_t)va;
    } else {
        pfn = loam_zonelist_alloc(&kern_this.mapped, STACK_ORDER, LOAM_ZONE_NORMAL);
        if (loam_pfn_is_none(pfn))
            return false;
        c->stack = (uintptr_t)virt_of(loam_pfn_to_pa(pfn));
    }
    c->stack_end = c->stack + (uintptr_t)size;
    (void)stacks_add("main stack", (unsigned)(c - cpus), (void *)c->stack, (void *)c->stack_end);
    return true;
}

static bool wait_ms(unsigned ms, bool (*done)(unsigned c), unsigned c)
{
    uint64_t start = loam_port_ticks(), most = arch_ticks_hz() / 1000 * ms;
    while (!done(c) && loam_port_ticks() - start < most)
        loam_port_relax();
    return done(c);
}

/* NULL, or why not. */
static const char *start_one(unsigned c)
{
    uint32_t state;
    if (!make_stack(&cpus[c]))
        return "no memory for its stack";
    loam_atomic_store(&cpus[c].state, STARTING);
    if (!board_cpu_start(c, (void *)cpus[c].stack_end)) {
        loam_atomic_store(&cpus[c].state, REFUSED);
        return "the firmware refuses to start it";
    }
    if (wait_ms(COME_MS, came, c))
        return NULL;
    state = loam_atomic_exchange(&cpus[c].state, LATE); /* pairs with the exchange in smp_enter */
    if (state != ONLINE)
        return "it did not come within five seconds";
    loam_atomic_store(&cpus[c].state, ONLINE); /* it came just now */
    while (!came(c))
        loam_port_relax();
    return NULL;
}

void smp_start(void)
{
    unsigned named = board_cpus(), most = smp_count();
    cpus[0].state = ONLINE;
    for (unsigned c = 1; c < most; c++) {
        const char *why = start_one(c);
        if (why != NULL)
            klog("processor %u: %s", (int)c, why);
    }
    if (named > most)
        klog("processors: %u of %u are used", (int)most, (int)named);
    kprintf("cpus: %u online\n", (int)smp_online());
}

static bool stopped(unsigned c)
{
    return loam_atomic_load(&cpus[c].state) == STOPPED; /* pairs with the store in stop_here */
}

void smp_stop_others(void)
{
    loam_irq irq = loam_port_irq_save();
    unsigned self = loam_port_cpu();
    uint32_t others = (uint32_t)smp_online_set() & ~bit(self);
    if (loam_atomic_peek(&stopping) != self + 1) {
        if (loam_atomic_add(&stoppers, 1) != 0)
            stop_here();
        loam_atomic_store(&stopping, self + 1);
    }
    smp_kick(others);
    for (; others != 0; others &= others - 1)
        (void)wait_ms(STOP_MS, stopped, loam_ctz64(others));
    loam_port_irq_restore(irq);
}

/* ---- views ---- */

static const char *state_name(unsigned c)
{
    switch ((cpu_state)loam_atomic_load(&cpus[c].state)) {
    case ONLINE:
        return came(c) ? "online" : "offline";
    case LATE:
    case REFUSED:
        return "did not come";
    case STOPPED:
        return "stopped";
    default:
        return "not started";
    }
}

void smp_look(unsigned c, smp_view *view)
{
    *view =
        (smp_view){state_name(c), cpus[c].ticks, cpus[c].calls, cpus[c].served, cpus[c].works_done};
}
