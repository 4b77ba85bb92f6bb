/* SPDX-License-Identifier: MIT */
/* memcheck.c - the process's blocks as Valgrind's memcheck is told of them.
 *
 * WHAT   While memcheck runs the program each block has a lead in front that nobody may touch, ends
 *        with the byte that was asked for, and is kept for a while when it was freed.
 *
 * MODEL      kmalloc's block    | lead, size | ...lead | what was asked for | to its end |
 *                               hidden                  ^ the program's      hidden
 *
 *        The lead is 16 bytes, or the alignment. It is there for leaks, too: descriptors and tables
 *        hold addresses of first bytes, and what memcheck finds an address of is no leak to it.
 *
 *            free  -->  ring: hidden whole, up to 16 MiB or 4096 blocks  -->  kmalloc
 * LOCKS  The ring's.
 * COST   Under Valgrind alone.
 * FROM   Redzones and the freelist of memcheck's own malloc.
 * NOT    Modes: guard, poison and others are off, memcheck sees more than they do.
 */
#include "watch.h"

#include "loam_notes.h"

enum { WAIT_BLOCKS = 4096, WAIT_BYTES = 16 << 20, LEAD_MOST = 1 << 30 };

static struct {
    loam_lock lock;
    void *block[WAIT_BLOCKS]; /* [lock] a ring, oldest at head */
    size_t size[WAIT_BLOCKS];
    unsigned head, count;
    size_t bytes;
} waiting = {.lock = LOAM_LOCK_INIT};

/* ---- the lead ---- */

typedef struct memcheck_lead {
    size_t lead, size;
} memcheck_lead;
_Static_assert(sizeof(memcheck_lead) <= PROCESS_ALIGN, "it fits the least lead");

static memcheck_lead lead_read(const void *base)
{
    loam_notes_show(base, sizeof(memcheck_lead));
    memcheck_lead found = *(const memcheck_lead *)base;
    loam_notes_hide(base, sizeof(memcheck_lead));
    return found;
}

/* The kmalloc block whose program's part starts at p; NULL: none does. */
static void *base_of(const void *p, memcheck_lead *found)
{
    for (size_t lead = PROCESS_ALIGN; lead <= LEAD_MOST && lead < (uintptr_t)p; lead *= 2) {
        void *base = (void *)((uintptr_t)p - lead);
        if (process_usable(base) == 0)
            continue;
        *found = lead_read(base);
        if (found->lead == lead)
            return base;
    }
    return NULL;
}

void *memcheck_alloc(size_t size, size_t align, bool zero, const void *caller)
{
    size_t lead = align;
    if (lead > LEAD_MOST || size > PTRDIFF_MAX - lead)
        return NULL;
    unsigned char *base = process_take(size + lead, align, false, caller);
    if (base == NULL)
        return NULL;
    unsigned char *p = base + lead;
    loam_notes_show(base, sizeof(memcheck_lead));
    *(memcheck_lead *)(void *)base = (memcheck_lead){lead, size};
    loam_notes_hide(base, lead);
    loam_notes_alloc(p, size, zero);
    loam_notes_hide(p + size, process_usable(base) - lead - size);
    if (zero)
        __builtin_memset(p, 0, size);
    return p;
}

size_t memcheck_size(const void *p)
{
    memcheck_lead found;
    return base_of(p, &found) != NULL && !loam_notes_is_hidden(p) ? found.size : 0;
}

/* ---- the ring ---- */

/* The oldest block, when there are too many or too large ones. */
static void *wait_pop(void)
{
    void *base = NULL;
    loam_irq irq = loam_lock_acquire(&waiting.lock);
    if (waiting.count == WAIT_BLOCKS || waiting.bytes > WAIT_BYTES) {
        base = waiting.block[waiting.head];
        waiting.bytes -= waiting.size[waiting.head];
        waiting.head = (waiting.head + 1) % WAIT_BLOCKS;
        waiting.count--;
    }
    loam_lock_release(&waiting.lock, irq);
    return base;
}

static bool wait_push(void *base, size_t size)
{
    loam_irq irq = loam_lock_acquire(&waiting.lock);
    bool room = waiting.count < WAIT_BLOCKS && size <= WAIT_BYTES;
    if (room) {
        unsigned at = (waiting.head + waiting.count++) % WAIT_BLOCKS;
        waiting.block[at] = base;
        waiting.size[at] = size;
        waiting.bytes += size;
    }
    loam_lock_release(&waiting.lock, irq);
    return room;
}

static void refuse_second(const void *p, size_t size, const void *caller)
{
    loam_report report = {.unit = "malloc",
                          .what = "double free",
                          .object = "address",
                          .value = (uintptr_t)p,
                          .state = "freed, kept for Valgrind",
                          .size = size,
                          .caller = caller};
    loam_port_misuse(&report);
}

void memcheck_free(void *p, const void *caller)
{
    memcheck_lead found;
    void *base = base_of(p, &found), *oldest;
    bool waits = base != NULL && loam_notes_is_hidden(p);
    loam_notes_free(p); /* memcheck tells what it knows of a wrong one */
    if (base == NULL)
        process_free(p, caller); /* refused */
    else if (waits)
        refuse_second(p, found.size, caller);
    else if (process_usable(base) >= process_huge_from() || !wait_push(base, found.size))
        process_free(base, caller);
    while ((oldest = wait_pop()) != NULL)
        process_free(oldest, caller);
}

void memcheck_freeze(void)
{
    (void)loam_lock_acquire(&waiting.lock);
}

void memcheck_thaw(void)
{
    loam_lock_release(&waiting.lock, loam_port_irq_save());
}
