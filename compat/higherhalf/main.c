/* SPDX-License-Identifier: MIT */
/* main.c - kmain: the eight steps of the document's boot, a line each.
 *
 * WHAT   Steps 1 to 3 were over before there was a line of C, or an allocator; kmain says what they
 *        left and looks at what can be looked at. Steps 4 to 8 happen here.
 *
 * MODEL      1 temporary directory --> 2 higher half --> 3 Multiboot header     the boot stage
 *            4 memblock --> 5 buddy_allocator --> 6 final directory --> 7 kmalloc --> 8 allocate
 *
 * RULES  A step that fails is the last one, and says so.
 * LOCKS  None.
 * COST   That of the units' starts.
 * FROM   The document's list.
 * NOT    Finding memory: the machine says what is ours.
 */
#include "state.h"

typedef bool step_fn(loam_text *t);

static void say_span(loam_text *t, const loam_span *span)
{
    loam_text_fmt(t, "[0x%X, 0x%X)", span->base, span->base + span->len);
}

static bool step_temporary(loam_text *t)
{
    const hh_machine *m = hh_self.machine;
    if (m->boot.directory == 0)
        loam_text_str(t, "none here: this is no kernel");
    else
        loam_text_fmt(t, "at physical 0x%X: RAM at 0 and at 0x%X, a simple offset",
                      m->boot.directory, m->kernel.base);
    return true;
}

static bool step_higher_half(loam_text *t)
{
    const hh_machine *m = hh_self.machine;
    uint64_t offset = (uintptr_t)m->linear.va - m->linear.pa;
    loam_text_fmt(t, "at 0x%X", m->kernel.base);
    if (m->boot.entry != 0)
        loam_text_fmt(t, ": kmain at 0x%X, physical 0x%X", m->boot.entry, m->boot.entry - offset);
    return m->boot.entry == 0 || m->boot.entry - m->kernel.base < m->kernel.len;
}

static bool step_multiboot(loam_text *t)
{
    const hh_machine *m = hh_self.machine;
    loam_text_fmt(t, "%U regions of memory, %U KiB", (uint64_t)m->boot.regions,
                  m->boot.usable >> 10);
    if (m->boot.loader != NULL && m->boot.loader[0] != '\0')
        loam_text_fmt(t, ", from %s", m->boot.loader);
    return m->boot.regions > 0;
}

static bool step_memblock(loam_text *t)
{
    if (hh_memblock_init() != 0)
        return false;
    void *odd = hh_memblock(13), *next = hh_memblock(100);
    loam_text_str(t, "from ");
    say_span(t, &hh_self.map.ram.span[0]);
    loam_text_fmt(t, "; 13 bytes at %p, 100 at %p", odd, next);
    return odd != NULL && next != NULL && (uintptr_t)next % 16 == 0;
}

static bool step_buddy(loam_text *t)
{
    if (hh_buddy_init() != 0)
        return false;
    loam_text_fmt(t, "%U pages from 0x%X, orders 0 to %u; %U KiB for itself, by memblock",
                  (uint64_t)hh_buddy_get_total_memory() >> HH_PAGE_SHIFT,
                  (uint64_t)hh_self.buddy.base, HH_MAX_ORDER,
                  (uint64_t)(hh_self.buddy.size - hh_buddy_get_total_memory()) >> 10);
    return true;
}

/* Seen from both directories: the first page of the kernel's half, and nothing below it. */
static bool step_directory(loam_text *t)
{
    loam_pt_entry entry;
    if (hh_paging_init() != 0)
        return false;
    loam_text_fmt(t, "at physical 0x%X%s", hh_self.pt.root.v,
                  hh_self.machine->use != NULL ? ", in use" : "");
    bool offset = loam_pt_query(&hh_self.pt, (uintptr_t)hh_self.machine->linear.va, &entry);
    if (offset)
        loam_text_fmt(t, "; %p is physical 0x%X", hh_self.machine->linear.va,
                      hh_self.machine->linear.pa);
    loam_text_str(t, "; page 0 unmapped");
    return !loam_pt_query(&hh_self.pt, 0, &entry);
}

static bool step_kmalloc(loam_text *t)
{
    if (hh_kmem_init() != 0)
        return false;
    loam_text_str(t, "window ");
    say_span(t, &hh_self.machine->window);
    loam_text_fmt(t, ", header of %u bytes, magic 0x%X", (int)HH_HEADER, (uint64_t)HH_MAGIC);
    return true;
}

static bool step_allocate(loam_text *t)
{
    unsigned char *p = hh_kmalloc(5000);
    loam_pt_entry first, second;
    if (p == NULL)
        return false;
    uintptr_t va = (uintptr_t)p - HH_HEADER;
    for (size_t i = 0; i < 5000; i++)
        p[i] = (unsigned char)i;
    bool mapped = loam_pt_query(&hh_self.pt, va, &first) &&
                  loam_pt_query(&hh_self.pt, va + HH_PAGE_SIZE, &second);
    if (mapped)
        loam_text_fmt(t, "kmalloc(5000) is %p: pages at physical 0x%X and 0x%X", (void *)p,
                      first.pa.v, second.pa.v);
    bool whole = hh_ksize(p) == 5000 && p[4999] == (unsigned char)(4999 & 0xff);
    hh_kfree(p);
    return mapped && whole && hh_check() == NULL;
}

static const struct {
    const char *name;
    step_fn *run;
} steps[HH_STEPS] = {
    {"temporary page directory", step_temporary},
    {"kernel in the higher half", step_higher_half},
    {"Multiboot header parsed", step_multiboot},
    {"memblock", step_memblock},
    {"buddy_allocator", step_buddy},
    {"final page directory", step_directory},
    {"kmalloc", step_kmalloc},
    {"allocate", step_allocate},
};

int hh_kmain(const hh_machine *machine)
{
    hh_machine_set(machine);
    for (unsigned i = 0; i < HH_STEPS; i++) {
        char buf[HH_LINE];
        loam_text text;
        loam_text_init(&text, buf, sizeof(buf));
        bool good = steps[i].run(&text);
        hh_say("[%u/%u] %s: %s%s", i + 1, HH_STEPS, steps[i].name, good ? "" : "FAILED ", buf);
        if (!good)
            return 1;
    }
    return 0;
}
