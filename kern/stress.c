/* SPDX-License-Identifier: MIT */
/* stress.c - all processors allocate at once, and at the end nothing is missing.
 *
 *     core 0   [ take, fill, look, free ... ]----.   letters: blocks that the other one frees
 *     core 1   [ ... ]<--------------------------'
 *     ticks       |    |    |    |    |    |         take and free pages, too, without waiting
 *     bursts            [all]      [all]             all take all memory at once
 *     away      core 3 ---.   .---                   gives its fronts up, comes back
 *
 *     before: all fronts given back on their own processors, the free lists noted
 *     after:  the same again; every block must be where it was, and every rule must hold
 *
 * The choices of each processor follow from the seed; when they meet, from the machine.
 */
#include "arch.h"
#include "board.h"
#include "console.h"
#include "smp.h"
#include "stress_impl.h"
#include "words.h"

enum { SETTLE_ROUNDS = 4 };

stress stress_this;

/* ---- what all share ---- */

void stress_fail(const char *fmt, ...)
{
    char why[160];
    loam_text t;
    __builtin_va_list ap;
    if (loam_atomic_exchange(&stress_this.failed, 1) != 0) /* pairs with the load in is_over */
        return;
    loam_text_init(&t, why, sizeof(why));
    __builtin_va_start(ap, fmt);
    loam_text_vfmt(&t, fmt, ap);
    __builtin_va_end(ap);
    kprintf("stress: FAILED on core %u: %s\n", (int)loam_port_cpu(), why);
}

bool stress_is_over(void)
{
    return loam_atomic_load(&stress_this.failed) != 0; /* pairs with the exchange in fail */
}

void stress_meet(void)
{
    stress *s = &stress_this;
    uint32_t round = loam_atomic_load(&s->round);
    if (loam_atomic_add(&s->arrived, 1) + 1 == s->cpus) {
        loam_atomic_store(&s->arrived, 0);
        loam_atomic_store(&s->round, round + 1); /* pairs with the load below: all wrote before */
        smp_kick(s->set);
        return;
    }
    while (loam_atomic_load(&s->round) == round && !stress_is_over()) {
        loam_irq irq = loam_port_irq_save();
        if (loam_atomic_load(&s->round) == round)
            arch_wait();
        loam_port_irq_restore(irq);
    }
}

/* ---- before and after ---- */

static void settle_here(void *ctx)
{
    (void)ctx;
    loam_kmalloc_shrink(kern_this.kmalloc);
    smp_drain_here();
}

/* What fronts and caches keep goes back: frees of others' objects are told to their owners, who
 * then have empty slabs, whose frames come back to fronts, ... */
static void settle(kern_free_lists *lists)
{
    for (unsigned i = 0; i < SETTLE_ROUNDS; i++)
        smp_run(settle_here, NULL);
    kern_free_lists_read(lists);
}

enum { CORE_BYTES = sizeof(stress_core) + LOAM_PORT_MAX_CPUS * sizeof(stress_letter) };

static unsigned core_order(void)
{
    return loam_log2_ceil((CORE_BYTES + LOAM_PAGE_SIZE - 1) >> LOAM_PAGE_SHIFT);
}

static void forget_cores(void)
{
    for (unsigned c = 0; c < LOAM_PORT_MAX_CPUS; c++) {
        if (stress_this.core[c] != NULL)
            (void)loam_zonelist_free(&kern_this.mapped,
                                     loam_pa_to_pfn(phys_of(stress_this.core[c])));
        stress_this.core[c] = NULL;
    }
}

static void init_actor(stress_actor *self, unsigned cpu, uint64_t seed, unsigned which)
{
    self->cpu = cpu;
    self->serial = (uint64_t)which << 48;
    self->random = (seed + 2 * cpu + which + 1) * 0x9e3779b97f4a7c15ULL;
    if (self->random == 0)
        self->random = 1;
}

static bool make_core(unsigned cpu)
{
    stress *s = &stress_this;
    loam_pfn pfn = loam_zonelist_alloc(&kern_this.mapped, core_order(), LOAM_ZONE_ZERO);
    if (loam_pfn_is_none(pfn))
        return false;
    s->core[cpu] = virt_of(loam_pfn_to_pa(pfn));
    s->letters[cpu] = (stress_letter *)(s->core[cpu] + 1);
    init_actor(&s->core[cpu]->program, cpu, s->wish.seed, 0);
    init_actor(&s->core[cpu]->tick, cpu, s->wish.seed, 1);
    return true;
}

static bool make_cores(const stress_wish *wish)
{
    stress *s = &stress_this;
    *s = (stress){.wish = *wish, .cpus = smp_online(), .set = smp_online_set()};
    for (uint64_t left = s->set; left != 0; left &= left - 1)
        if (!make_core(loam_ctz64(left))) {
            forget_cores();
            kprintf("stress: no memory for its own notes\n");
            return false;
        }
    return true;
}

/* ---- what came out ---- */

static void add_counts(stress_count *sum, const stress_count *c)
{
    sum->frames += c->frames;
    sum->objects += c->objects;
    sum->near += c->near;
    sum->large += c->large;
    sum->sent += c->sent;
    sum->misses += c->misses;
    sum->taken += c->taken;
    sum->away += c->away;
}

static void print_counts(uint64_t ms)
{
    stress_count program = {0}, tick = {0};
    for (unsigned c = 0; c < LOAM_PORT_MAX_CPUS; c++) {
        if (stress_this.core[c] == NULL)
            continue;
        add_counts(&program, &stress_this.core[c]->program.count);
        add_counts(&tick, &stress_this.core[c]->tick.count);
    }
    kprintf("stress: %U blocks of frames, %U objects (%U in vmap), %U freed by another core\n",
            program.frames, program.objects, program.large, program.sent);
    kprintf("stress: ticks: %U blocks, %U refused; near: %U of %U blocks of frames\n", tick.frames,
            tick.misses, program.near + tick.near, program.frames + tick.frames);
    kprintf("stress: %u times all memory: %U pages, %U left, %U requests found none\n",
            (int)STRESS_BURSTS, program.taken, stress_this.left_free, program.misses);
    if (stress_this.wish.offline)
        kprintf("stress: %U times a core was away\n", program.away);
    kprintf("stress: %U.%03U s\n", ms / 1000, ms % 1000);
}

static void compare(const kern_free_lists *before, const kern_free_lists *after)
{
    const char *broken = kern_check();
    if (broken != NULL)
        stress_fail("a rule is broken: %s", broken);
    if (kern_free_lists_equal(before, after))
        return;
    kern_free_lists_print("free lists before", before);
    kern_free_lists_print("free lists after", after);
    stress_fail("the free lists are not what they were");
}

static uint64_t seed_of(const stress_wish *wish)
{
    uint64_t told = kern_this.options.seed;
    return wish->seed != 0 ? wish->seed : told != 0 ? told : 1;
}

bool stress_run(const stress_wish *asked)
{
    stress_wish wish = *asked;
    kern_free_lists before, after;
    uint64_t start = loam_port_ticks(), hz = arch_ticks_hz();
    wish.seed = seed_of(asked);
    if (!make_cores(&wish))
        return false;
    kprintf("stress: cpus=%u ops=%U seed=0x%X%s\n", (int)stress_this.cpus, wish.ops, wish.seed,
            wish.offline ? " offline" : "");
    settle(&before);
    kern_this.on_every_tick = stress_tick;
    smp_run(stress_work, NULL);
    kern_this.on_every_tick = NULL;
    settle(&after);
    print_counts((loam_port_ticks() - start) * 1000 / (hz != 0 ? hz : 1));
    if (!stress_is_over())
        compare(&before, &after);
    forget_cores();
    if (!stress_is_over())
        kprintf("stress: passed\n");
    return !stress_is_over();
}

/* ---- words ---- */

static bool take_number(const char **text, uint64_t *number)
{
    char digits[32];
    size_t n = 0;
    while ((*text)[n] != '\0' && (*text)[n] != ',' && n + 1 < sizeof(digits)) {
        digits[n] = (*text)[n];
        n++;
    }
    digits[n] = '\0';
    *text += n;
    return word_number(digits, number);
}

bool stress_parse(const char *text, stress_wish *wish)
{
    *wish = (stress_wish){.ops = 0};
    if (!take_number(&text, &wish->ops) || wish->ops == 0)
        return false;
    if (*text == ',' && !word_is(text, ",offline")) {
        text++;
        if (!take_number(&text, &wish->seed))
            return false;
    }
    wish->offline = word_is(text, ",offline");
    return wish->offline || *text == '\0';
}
