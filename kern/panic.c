/* SPDX-License-Identifier: MIT */
/* panic.c - one processor tells why the kernel ends; the others are stopped first. */
#include "panic.h"
#include "board.h"
#include "console.h"
#include "image.h"
#include "kern.h"
#include "loam/port.h"
#include "paging.h"
#include "smp.h"
#include "stacks.h"

enum { TELLINGS = 2 };

static unsigned depth; /* tellings that were begun, all by one processor */

void panic_begin(void)
{
    (void)loam_port_irq_save();
    smp_stop_others(); /* if another one tells already, this one stops there */
    console_alone();
    if (++depth > TELLINGS)
        board_off(1);
}

/* ---- places and addresses ---- */

static void place(loam_text *out, uintptr_t pc, unsigned back)
{
    uint64_t offset = 0;
    const char *name = image_symbol_of((uint64_t)pc - back, &offset);
    if (name != NULL)
        loam_text_fmt(out, "%s+0x%X", name, offset + back);
    else
        loam_text_fmt(out, "0x%X", (uint64_t)pc);
}

void panic_place(loam_text *out, uintptr_t pc)
{
    place(out, pc, 0);
}

void panic_call(loam_text *out, uintptr_t pc)
{
    place(out, pc, 1);
}

static const char *stack_note(const kern_stack *stack)
{
    static char text[96]; /* one report at a time */
    loam_text t;
    loam_text_init(&t, text, sizeof(text));
    loam_text_fmt(&t, "the guard page below the %s of core %u: stack overflow", stack->name,
                  stack->cpu);
    return text;
}

const char *panic_address_note(uintptr_t address)
{
    const kern_stack *stack = stacks_find_guard(address);
    const char *note;
    if (address < LOAM_PAGE_SIZE)
        return "the first page: a NULL pointer";
    if (stack != NULL)
        return stack_note(stack);
    if (address >= (uintptr_t)__text_start && address < (uintptr_t)__text_end)
        return "the kernel's code";
    if (address >= (uintptr_t)__text_end && address < (uintptr_t)__rodata_end)
        return "the kernel's constants";
    note = kern_this.address_note != NULL ? kern_this.address_note(address) : NULL;
    return note == NULL && paging_note != NULL ? paging_note(address) : note;
}

/* ---- the telling ---- */

enum { CALLS = 32 };

static struct {
    uintptr_t last;
    uint64_t same;  /* the last one came so often again */
    unsigned lines; /* printed */
} calls;

static void print_same(void)
{
    if (calls.same > 0)
        kprintf("     and %U times more\n", calls.same);
    calls.same = 0;
}

/* A function that calls itself fills a stack: its line is printed once. */
static void print_call(uintptr_t pc)
{
    char line[CONSOLE_LINE];
    loam_text t;
    if (calls.lines > 0 && pc == calls.last) {
        calls.same++;
        return;
    }
    print_same();
    calls.last = pc;
    if (calls.lines == CALLS)
        return;
    loam_text_init(&t, line, sizeof(line));
    panic_call(&t, pc);
    kprintf("  #%u 0x%X %s\n", calls.lines++, (uint64_t)pc, line);
}

static void print_core(uintptr_t fp)
{
    const kern_stack *stack = stacks_find(fp);
    kprintf("panic: on core %u of %u", (int)loam_port_cpu(), (int)smp_online());
    if (stack != NULL)
        kprintf(", on its %s", stack->name);
    console_put('\n');
}

_Noreturn void panic_tell(const arch_registers *r, const char *why)
{
    uintptr_t fp = arch_registers_fp(r);
    char line[CONSOLE_LINE];
    loam_text t;
    kprintf("\npanic: %s%s\n", why, depth > 1 ? ", while panicking" : "");
    print_core(fp);
    arch_registers_print(r);
    loam_text_init(&t, line, sizeof(line));
    panic_place(&t, arch_registers_pc(r));
    kprintf("at %s, called from:\n", line);
    kprintf("backtrace (addr2line -e %s ADDRESS gives the line):\n", board_this.elf);
    calls.lines = 0;
    calls.same = 0;
    stacks_backtrace(fp, print_call);
    print_same();
    console_write("panic: stopped\n");
    board_off(1);
}

static void tell_here(const arch_registers *r, void *why)
{
    panic_tell(r, why);
}

_Noreturn void kpanic(const char *fmt, ...)
{
    char why[CONSOLE_LINE];
    loam_text t;
    __builtin_va_list ap;
    panic_begin();
    loam_text_init(&t, why, sizeof(why));
    __builtin_va_start(ap, fmt);
    loam_text_vfmt(&t, fmt, ap);
    __builtin_va_end(ap);
    arch_with_registers(tell_here, why);
    board_off(1); /* tell_here has ended it */
}
