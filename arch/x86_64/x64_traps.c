/* SPDX-License-Identifier: MIT */
/* x64_traps.c - interrupts go to the board and to whoever wants a vector, and the kernel's own
 * faults are reported: what, where, on which processor, registers, calls.
 *
 * A page fault's error code: bit 0 the page is there (a right was missing), bit 1 a write, bit 3 a
 * table has a bit that must not be, bit 4 an instruction was fetched. The address is in CR2.
 */
#include "arch.h"
#include "board.h"
#include "console.h"
#include "loam/port.h"
#include "panic.h"
#include "x64_layout.h"
#include "x64_trap.h"
#include "x86_exception.h"

static void (*handlers[X64_VECTORS])(void);

void x64_on_interrupt(unsigned vector, void (*fn)(void))
{
    if (vector >= X64_IRQ_BASE + X64_IRQS && vector < X64_VECTORS)
        handlers[vector] = fn;
}

static uint64_t fault_address(void)
{
    uint64_t address;
    __asm__ volatile("movq %%cr2, %0" : "=r"(address));
    return address;
}

/* ---- reports ---- */

static const char *page_fault_kind(uint64_t error)
{
    if ((error & X86_PF_FETCH) != 0)
        return "execution";
    return (error & X86_PF_WRITE) != 0 ? "write" : "read";
}

static const char *page_fault_reason(uint64_t error)
{
    if ((error & X86_PF_RESERVED) != 0)
        return "a table there is broken";
    return (error & X86_PF_PRESENT) != 0 ? "no right to do that" : "nothing is mapped there";
}

static void print_note(uint64_t address)
{
    const char *why = panic_address_note(address);
    if (why != NULL)
        kprintf("trap: that is %s\n", why);
}

static void print_reason(const x64_trap *t)
{
    kprintf("\ntrap: %s (vector %u, error code 0x%X), on core %u\n",
            x86_exception_name((unsigned)t->vector), (int)t->vector, t->error,
            (int)loam_port_cpu());
    if (t->vector == X86_PAGE_FAULT) {
        kprintf("trap: page fault on %s of address 0x%X: %s\n", page_fault_kind(t->error),
                fault_address(), page_fault_reason(t->error));
        print_note(fault_address());
    }
    if (t->vector == X86_DOUBLE_FAULT) {
        kprintf("trap: a fault could not be reported on the stack at 0x%X\n", t->rsp);
        print_note(fault_address());
    }
}

void arch_registers_print(const arch_registers *t)
{
    uint64_t cr0, cr3, cr4;
    __asm__ volatile("movq %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("movq %%cr3, %0" : "=r"(cr3));
    __asm__ volatile("movq %%cr4, %0" : "=r"(cr4));
    kprintf("rax %016X  rbx %016X  rcx %016X\n", t->rax, t->rbx, t->rcx);
    kprintf("rdx %016X  rsi %016X  rdi %016X\n", t->rdx, t->rsi, t->rdi);
    kprintf("rbp %016X  rsp %016X  r8  %016X\n", t->rbp, t->rsp, t->r8);
    kprintf("r9  %016X  r10 %016X  r11 %016X\n", t->r9, t->r10, t->r11);
    kprintf("r12 %016X  r13 %016X  r14 %016X\n", t->r12, t->r13, t->r14);
    kprintf("r15 %016X  rip %016X  rflags %08X\n", t->r15, t->rip, t->rflags);
    kprintf("cr0 %08X  cr2 %016X  cr3 %X  cr4 %X  cs %02X  ss %02X\n", cr0, fault_address(), cr3,
            cr4, t->cs, t->ss);
}

uintptr_t arch_registers_pc(const arch_registers *t)
{
    return t->rip;
}

uintptr_t arch_registers_fp(const arch_registers *t)
{
    return t->rbp;
}

static _Noreturn void report(const x64_trap *t)
{
    panic_begin();
    print_reason(t);
    panic_tell(t, "trap in the kernel");
}

void x64_trap_handle(x64_trap *t)
{
    unsigned vector = (unsigned)t->vector;
    if (handlers[vector] != NULL)
        handlers[vector]();
    else if (vector < X64_IRQ_BASE || vector >= X64_IRQ_BASE + X64_IRQS ||
             !board_irq(vector - X64_IRQ_BASE))
        report(t);
}
