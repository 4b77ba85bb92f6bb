/* SPDX-License-Identifier: MIT */
/* memblock.c - the bootstrap allocator, and what everybody here needs: the machine, lines, reports.
 *
 * WHAT   Before the buddy allocator there has to be memory for the buddy allocator. memblock hands
 *        it out, lowest address first, and never takes it back. Underneath is loam_memblock.
 *
 * MODEL      machine's memory   [#######|..............................)
 *                                ^       ^ the next answer
 *                                memblock() gave these, each on a line of 16 bytes, or on a page
 *
 * RULES  M1 .. of loam_memblock.
 * LOCKS  None: one processor, no interrupts.
 * COST   O(pieces of memory).
 * FROM   The document; its blocks were not aligned, these are.
 * NOT    Free; and nothing at all once buddy_init has taken the rest.
 */
#include "state.h"

enum { HH_LEAST_ALIGN = 16 };

hh_state hh_self;

static struct {
    hh_line_fn *line;
    void *ctx;
} out;

/* ---- lines and reports ---- */

void hh_set_output(hh_line_fn *fn, void *ctx)
{
    out.line = fn;
    out.ctx = ctx;
}

void hh_say(const char *fmt, ...)
{
    char buf[HH_LINE];
    loam_text text;
    if (out.line == NULL)
        return;
    __builtin_va_list ap;
    __builtin_va_start(ap, fmt);
    loam_text_init(&text, buf, sizeof(buf));
    loam_text_vfmt(&text, fmt, ap);
    __builtin_va_end(ap);
    out.line(out.ctx, buf);
}

void hh_refuse(const char *what, const char *state, uintptr_t value, const void *caller)
{
    loam_report report = {.unit = "higherhalf",
                          .what = what,
                          .object = "address",
                          .value = value,
                          .state = state,
                          .caller = caller};
    loam_port_misuse(&report);
}

/* ---- the machine ---- */

void hh_machine_set(const hh_machine *machine)
{
    hh_self = (hh_state){.machine = machine};
}

const hh_machine *hh_machine_get(void)
{
    return hh_self.machine;
}

/* ---- memblock ---- */

static bool is_in_linear(const loam_span *ram)
{
    const loam_linear *linear = &hh_self.machine->linear;
    return ram->base >= linear->pa && ram->base - linear->pa <= linear->len &&
           ram->len <= linear->len - (ram->base - linear->pa);
}

/* Page 0 is never ours: its address means that there is no memory. */
static loam_err fill_map(void)
{
    const hh_machine *machine = hh_self.machine;
    loam_err err = loam_memblock_init(&hh_self.map, hh_self.ram, HH_SPANS, hh_self.held, HH_HELD,
                                      hh_self.early, HH_HELD);
    if (err == LOAM_OK)
        err = loam_memblock_reserve(&hh_self.map, loam_pa_of(0), HH_PAGE_SIZE);
    for (size_t i = 0; i < machine->ram_count && err == LOAM_OK; i++)
        err = is_in_linear(&machine->ram[i])
                  ? loam_memblock_add(&hh_self.map, loam_pa_of(machine->ram[i].base),
                                      machine->ram[i].len)
                  : LOAM_ERANGE;
    return err;
}

int hh_memblock_init(void)
{
    if (hh_self.machine == NULL || hh_self.machine->ram_count == 0) {
        hh_say("[!] memblock_init: no machine, or no memory");
        return -1;
    }
    (void)hh_leave();
    loam_err err = fill_map();
    if (err == LOAM_OK)
        return 0;
    hh_say("[!] memblock_init: %s", loam_err_name(err));
    hh_machine_set(hh_self.machine);
    return -1;
}

void *hh_memblock_aligned(size_t size, size_t align)
{
    loam_pa pa;
    if (hh_self.map.ram.cap == 0 ||
        loam_memblock_alloc(&hh_self.map, size, align, loam_pa_of(0), loam_pa_of(0),
                            LOAM_MEMBLOCK_BOTTOM_UP, &pa) != LOAM_OK)
        return NULL;
    return hh_at(pa.v);
}

/* Whole lines and whole pages are taken: neighbours touch, and the map keeps them as one span. */
void *hh_memblock(size_t size)
{
    size_t align = size < HH_PAGE_SIZE ? HH_LEAST_ALIGN : HH_PAGE_SIZE;
    size_t whole = (size + align - 1) & ~(align - 1);
    void *block = whole < size ? NULL : hh_memblock_aligned(whole, align);
    if (block == NULL)
        hh_say("[!] memblock: no memory for %U bytes%s", (uint64_t)size,
               hh_self.zone != NULL ? ": the buddy allocator has it all" : "");
    return block;
}
