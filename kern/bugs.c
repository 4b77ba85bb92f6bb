/* SPDX-License-Identifier: MIT */
/* bugs.c - the classic bugs. Whatever the policy for misuse was, here it is to panic. */
#include "bugs.h"
#include "arch.h"
#include "console.h"
#include "kern.h"
#include "loam/port.h"
#include "smp.h"
#include "words.h"

/* Names of functions are part of the test: they are looked for in the backtrace. The line printed
 * last keeps the call before it from being the function's end, a jump that leaves no trace. */
static void went_through(loam_err err)
{
    kprintf("bug: %s\n", loam_err_name(err));
}

static void bug_double_free(void)
{
    loam_pfn block = loam_zonelist_alloc(&kern_this.zones, 3, LOAM_ZONE_NORMAL);
    (void)loam_zonelist_free(&kern_this.zones, block);
    went_through(loam_zonelist_free(&kern_this.zones, block));
}

static void bug_wild_free(void)
{
    went_through(loam_zonelist_free(&kern_this.zones, loam_pfn_of(0xdeadbeef)));
}

static void bug_double_kfree(void)
{
    void *object = loam_kmalloc_alloc(kern_this.kmalloc, 100);
    (void)loam_kmalloc_free(kern_this.kmalloc, object);
    went_through(loam_kmalloc_free(kern_this.kmalloc, object));
}

static void bug_wild_kfree(void)
{
    static uint64_t somebodys[2];
    went_through(loam_kmalloc_free(kern_this.kmalloc, &somebodys[1]));
}

static void bug_null_write(void)
{
    volatile uint32_t *nowhere = NULL;
    __asm__ volatile("" : "+r"(nowhere)); /* else the compiler sees that this is wrong */
    nowhere[2] = 0xbad;
}

static void (*volatile again)(unsigned depth);

/* By way of a pointer, and with work after the call: no compiler makes a loop of it. */
static void bug_deeper(unsigned depth)
{
    volatile unsigned char room[256] = {0};
    room[depth % sizeof(room)] = (unsigned char)depth;
    again(depth + 1);
    room[0]++;
}

static void bug_stack_overflow(void)
{
    again = bug_deeper;
    again(0);
}

/* What a stray write can do to the zone: an inner byte of a block becomes a head. */
static void bug_broken_rule(void)
{
    uint64_t count;
    const char *broken;
    loam_pfn first, block = loam_zone_alloc(kern_this.zone, 3, LOAM_ZONE_NORMAL);
    const uint8_t *table = loam_zone_frame_table(kern_this.zone, block, &first, &count);
    volatile uint8_t *byte = (volatile uint8_t *)(uintptr_t)table + (block.v - first.v);
    byte[5] = byte[0];
    broken = kern_check();
    if (broken != NULL)
        kpanic("a rule is broken: %s", broken);
}

static loam_lock outer = LOAM_LOCK_OF(LOAM_RANK_FACE), inner = LOAM_LOCK_OF(LOAM_RANK_AREA);

static void bug_lock_again(void)
{
    loam_irq irq = loam_lock_acquire(&inner);
    (void)loam_lock_acquire(&inner);
    loam_lock_release(&inner, irq);
}

static void bug_lock_release(void)
{
    loam_lock_release(&inner, (loam_irq){0});
    kprintf("bug: released\n");
}

/* Seen in builds with LOAM_LOCK_ORDER. */
static void bug_lock_order(void)
{
    loam_irq irq = loam_lock_acquire(&inner);
    loam_irq second = loam_lock_acquire(&outer);
    loam_lock_release(&outer, second);
    loam_lock_release(&inner, irq);
}

typedef struct bug {
    const char *name;
    void (*make)(void);
    const char *help;
} bug;

static const bug bugs[] = {
    {"double-free", bug_double_free, "pages are freed twice"},
    {"wild-free", bug_wild_free, "a page is freed that there is not"},
    {"double-kfree", bug_double_kfree, "an object is freed twice"},
    {"wild-kfree", bug_wild_kfree, "an address is freed that nobody allocated"},
    {"null-write", bug_null_write, "a write through a NULL pointer"},
    {"stack-overflow", bug_stack_overflow, "calls without end"},
    {"broken-rule", bug_broken_rule, "the zone's table is overwritten, and checked"},
    {"lock-again", bug_lock_again, "a lock is taken by the core that holds it"},
    {"lock-release", bug_lock_release, "a lock is released by a core that does not hold it"},
    {"lock-order", bug_lock_order, "a lock is taken below one that comes after it"},
};

typedef struct wanted {
    const bug *bug;
    unsigned cpu;
} wanted;

static void make_here(void *ctx)
{
    const wanted *w = ctx;
    if (loam_port_cpu() != w->cpu && w->cpu != BUG_EVERYWHERE)
        return;
    w->bug->make();
    kprintf("bug: core %u goes on\n", (int)loam_port_cpu());
}

void bug_make(const char *name, unsigned cpu)
{
    for (size_t i = 0; i < LOAM_ARRAY_LEN(bugs); i++) {
        wanted w = {&bugs[i], cpu};
        if (!word_is(bugs[i].name, name))
            continue;
        (void)loam_port_set_policy(LOAM_POLICY_PANIC);
        smp_run(make_here, &w);
        kpanic("%s: nobody has noticed", name);
    }
}

void bug_list(void)
{
    for (size_t i = 0; i < LOAM_ARRAY_LEN(bugs); i++)
        kprintf("  %s - %s\n", bugs[i].name, bugs[i].help);
}
