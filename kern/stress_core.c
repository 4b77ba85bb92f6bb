/* SPDX-License-Identifier: MIT */
/* stress_core.c - what one processor does in the stress test, and what its tick does.
 *
 *     a step:   an empty place of `held`   -> frames of order 0-3 or 9, or an object; patterned
 *               a full one                 -> looked at and freed; or a letter to another processor
 *               now and then               -> letters that came are read: their blocks freed here
 *
 * A burst: all meet; each takes all the memory it can get, large blocks first, until even a page is
 * refused; all meet, and then nothing may be left; all give theirs back, and each must get a page.
 * Pages of a burst are a list through their own first words.
 */
#include "arch.h"
#include "board.h"
#include "smp.h"
#include "stress_impl.h"

enum {
    LARGEST_CLASS = 32 << 10,
    LARGE_MOST = 160 << 10,
    LARGE_EVERY = 256,
    SMALL_RAM = 160 << 20 >> LOAM_PAGE_SHIFT, /* pages */
    LETTERS_EVERY = 8,                        /* steps */
    TICK_STEPS = 6,
    AWAY_EVERY = 512, /* steps */
    AWAY_TICKS = 2
};

/* ---- steps ---- */

static unsigned some_order(stress_actor *self)
{
    unsigned n = stress_below(&self->random, 96);
    return n == 0 ? 9 : n < 56 ? 0 : 1 + n % 3;
}

/* Half a slab, as loam_slab_config_init chooses it by RAM. */
static uint32_t largest_class(void)
{
    return kern_this.sum.total < SMALL_RAM ? LARGEST_CLASS / 4 : LARGEST_CLASS;
}

/* From 16 bytes on, each doubling as often as the other; rarely more than a class holds: such a one
 * stops all processors when it goes. */
static size_t some_size(stress_actor *self)
{
    uint32_t largest = largest_class();
    if (stress_below(&self->random, LARGE_EVERY) == 0 && kern_this.vmap != NULL)
        return largest + 1 + stress_below(&self->random, LARGE_MOST - largest);
    return 16 +
           stress_below(&self->random, 16U << stress_below(&self->random, 12)) % (largest - 15);
}

static void take_one(stress_actor *self, stress_block *block)
{
    bool got;
    if (stress_below(&self->random, 3) == 0) {
        got = stress_take_frames(self, some_order(self), LOAM_ZONE_NORMAL, block);
        self->count.frames += got;
    } else {
        size_t size = some_size(self);
        got = stress_take_object(self, size, block);
        self->count.objects += got;
        self->count.large += got && size > largest_class();
    }
    self->count.misses += !got;
}

/* The processor that takes part and comes n places behind this one. */
static unsigned another(const stress_actor *self, unsigned n)
{
    unsigned c = self->cpu;
    while (n-- > 0)
        do
            c = (c + 1) % LOAM_PORT_MAX_CPUS;
        while (stress_this.core[c] == NULL);
    return c;
}

static bool send(stress_actor *self, stress_block *block)
{
    unsigned to = another(self, 1 + stress_below(&self->random, stress_this.cpus - 1));
    stress_letter *letter = &stress_this.letters[to][self->cpu];
    if (loam_atomic_load(&letter->full) != 0) /* pairs with the store in read_letters */
        return false;
    letter->block = *block;
    loam_atomic_store(&letter->full, 1); /* pairs with the load in read_letters */
    block->size = 0;
    self->count.sent++;
    return true;
}

static void read_letters(const stress_actor *self)
{
    for (unsigned from = 0; from < LOAM_PORT_MAX_CPUS; from++) {
        stress_letter *letter = &stress_this.letters[self->cpu][from];
        if (loam_atomic_load(&letter->full) == 0) /* pairs with the store in send */
            continue;
        stress_give(&letter->block);
        loam_atomic_store(&letter->full, 0); /* pairs with the load in send */
    }
}

static void step(stress_actor *self)
{
    stress_block *block = &self->held[stress_below(&self->random, STRESS_HELD)];
    if (block->size == 0)
        take_one(self, block);
    else if (stress_this.cpus == 1 || stress_below(&self->random, 3) != 0 || !send(self, block))
        stress_give(block);
    if (stress_below(&self->random, LETTERS_EVERY) == 0)
        read_letters(self);
}

static void give_all(stress_actor *self)
{
    for (unsigned i = 0; i < STRESS_HELD; i++)
        stress_give(&self->held[i]);
}

/* ---- the tick ---- */

void stress_tick(void)
{
    stress_core *core = stress_this.core[loam_port_cpu()];
    if (core == NULL || core->away || stress_is_over())
        return;
    for (unsigned i = 0; i < TICK_STEPS; i++) {
        stress_actor *self = &core->tick;
        stress_block *block = &self->held[stress_below(&self->random, STRESS_TICK_HELD)];
        bool got = block->size == 0 && stress_take_frames(self, stress_below(&self->random, 3),
                                                          LOAM_ZONE_ATOMIC, block);
        if (got)
            self->count.frames++;
        else if (block->size != 0)
            stress_give(block);
        else
            self->count.misses++;
    }
}

static void end_tick(stress_core *core, bool away)
{
    loam_irq irq = loam_port_irq_save();
    core->away = away;
    give_all(&core->tick);
    loam_port_irq_restore(irq);
}

/* ---- all memory ---- */

static uint64_t *first_word(loam_pfn pfn)
{
    return (uint64_t *)virt_of(loam_pfn_to_pa(pfn));
}

/* Notes a block: large ones in the list of the core, because a machine with much memory that nobody
 * has touched should not have to touch it all; others, and more, by their own first words. */
static void burst_note(stress_core *core, loam_pfn pfn, unsigned order)
{
    core->program.count.taken += 1ULL << order;
    if (order > 0 && core->large_count < STRESS_LARGE) {
        core->large[core->large_count++] = pfn.v;
        return;
    }
    *first_word(pfn) = core->chain;
    core->chain = pfn.v;
}

/* Takes blocks until there is none. */
static void take_all(stress_core *core, unsigned order)
{
    while (!stress_is_over()) {
        loam_pfn pfn = loam_zonelist_alloc(&kern_this.mapped, order, LOAM_ZONE_NORMAL);
        if (loam_pfn_is_none(pfn))
            break;
        burst_note(core, pfn, order);
    }
    core->program.count.misses++;
}

static void burst_give(loam_pfn pfn)
{
    if (loam_zonelist_free(&kern_this.mapped, pfn) != LOAM_OK)
        stress_fail("frame 0x%X of a burst: the free is refused", pfn.v);
}

static void give_taken(stress_core *core)
{
    while (core->large_count > 0)
        burst_give(loam_pfn_of(core->large[--core->large_count]));
    while (core->chain != LOAM_NO_FRAME.v) {
        loam_pfn pfn = loam_pfn_of(core->chain);
        core->chain = *first_word(pfn);
        burst_give(pfn);
    }
}

/* All that a processor may ask when there is nothing: NULL is the answer, and nothing else. */
static void ask_for_more(stress_actor *self)
{
    void *large = loam_kmalloc_alloc(kern_this.kmalloc, LARGE_MOST);
    if (large != NULL)
        stress_fail("%U bytes are given out, and no page is free", (uint64_t)LARGE_MOST);
    self->count.misses++;
}

static void must_get_page(stress_actor *self)
{
    stress_block block = {.size = 0};
    if (!stress_take_frames(self, 0, LOAM_ZONE_NORMAL, &block))
        stress_fail("processor %u gets no page although all memory came back", self->cpu);
    self->count.frames++;
    stress_give(&block);
}

static void burst(stress_core *core)
{
    static const unsigned order[] = {13, 9, 3, 0};
    stress_actor *self = &core->program;
    core->chain = LOAM_NO_FRAME.v;
    give_all(self);
    stress_meet();
    for (size_t i = 0; i < LOAM_ARRAY_LEN(order); i++)
        take_all(core, order[i]);
    end_tick(core, true);
    stress_meet();
    take_all(core, 0); /* what the ticks gave back */
    stress_meet();
    take_all(core, 0); /* what shrinkers gave back for others */
    ask_for_more(self);
    stress_meet();
    if (self->cpu == 0)
        stress_this.left_free += kern_free_pages();
    stress_meet();
    give_taken(core);
    stress_meet();
    must_get_page(self);
    core->away = false;
}

/* ---- away ---- */

static void go_away(stress_core *core)
{
    end_tick(core, true);
    smp_leave();
    for (unsigned i = 0; i < AWAY_TICKS; i++)
        arch_wait();
    smp_join();
    core->away = false;
    core->program.count.away++;
}

/* ---- the work ---- */

void stress_work(void *ctx)
{
    stress_core *core = stress_this.core[loam_port_cpu()];
    stress_actor *self;
    uint64_t ops = stress_this.wish.ops / stress_this.cpus;
    (void)ctx;
    if (core == NULL)
        return;
    self = &core->program;
    for (core->ops = 0; core->ops < ops && !stress_is_over(); core->ops++) {
        if (core->ops % (ops / (STRESS_BURSTS + 1) + 1) == ops / (STRESS_BURSTS + 1))
            burst(core);
        step(self);
        if (stress_this.wish.offline && self->cpu != 0 &&
            stress_below(&self->random, AWAY_EVERY) == 0)
            go_away(core);
    }
    stress_meet();
    read_letters(self); /* nobody writes any more */
    give_all(self);
    end_tick(core, true);
}
