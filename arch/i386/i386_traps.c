/* SPDX-License-Identifier: MIT */
/* i386_traps.c - interrupts go to the board, programs' traps to the hooks of user.h, and the
 * kernel's own faults are reported: what, where, registers, calls.
 *
 * A page fault's error code: bit 0 the page is there (a right was missing), bit 1 a write, bit 2
 * from privilege 3. The address is in CR2.
 */
#include "arch.h"
#include "board.h"
#include "console.h"
#include "i386_layout.h"
#include "i386_trap.h"
#include "panic.h"
#include "processor.h"
#include "user.h"
#include "x86_exception.h"

static const arch_user_hooks *hooks;
static uint32_t user_kernel_esp; /* where arch_leave_user goes back to; 0: no program is inside */

int i386_user_enter(uint32_t eip, uint32_t esp, uint32_t *kernel_esp);
_Noreturn void i386_user_leave(uint32_t kernel_esp, int result);

static uint32_t fault_address(void)
{
    uint32_t address;
    __asm__ volatile("movl %%cr2, %0" : "=r"(address));
    return address;
}

/* ---- user mode ---- */

void arch_set_user_hooks(const arch_user_hooks *wanted)
{
    hooks = wanted;
}

int arch_enter_user(uint32_t eip, uint32_t esp)
{
    uint32_t outer = user_kernel_esp;
    int result = i386_user_enter(eip, esp, &user_kernel_esp);
    user_kernel_esp = outer;
    if (outer != 0)
        i386_set_kernel_stack(outer);
    return result;
}

_Noreturn void arch_leave_user(int result)
{
    if (user_kernel_esp == 0)
        kpanic("arch_leave_user: no program is running");
    i386_user_leave(user_kernel_esp, result);
}

/* true: a hook took it. */
static bool give_to_hooks(i386_trap *t)
{
    bool user = i386_trap_from_user(t);
    if (hooks == NULL)
        return false;
    if (t->vector == X86_PAGE_FAULT) {
        uint32_t address = fault_address();
        return (user || address < I386_KERNEL_BASE) && hooks->page_fault(t, address);
    }
    if (!user)
        return false;
    if (t->vector == I386_SYSCALL)
        hooks->syscall(t);
    else
        hooks->exception(t);
    return true;
}

/* ---- reports ---- */

static void print_page_fault(const i386_trap *t, uint32_t address)
{
    const char *why;
    kprintf(" on %s of address 0x%X: %s",
            (t->error & X86_PF_WRITE) != 0 ? "write"
            : t->eip == address            ? "execution"
                                           : "read",
            (uint64_t)address,
            (t->error & X86_PF_PRESENT) != 0 ? "no right to do that" : "nothing is mapped there");
    console_put('\n');
    why = panic_address_note(address);
    if (why != NULL)
        kprintf("trap: that is %s\n", why);
}

static void print_reason(const i386_trap *t)
{
    kprintf("\ntrap: %s (vector %u, error code 0x%X), from %s\n", x86_exception_name(t->vector),
            (int)t->vector, (uint64_t)t->error,
            i386_trap_from_user(t) ? "user code" : "the kernel");
    if (t->vector == X86_PAGE_FAULT) {
        kprintf("trap: page fault");
        print_page_fault(t, fault_address());
    }
}

void arch_registers_print(const arch_registers *t)
{
    bool stack = i386_trap_has_stack(t);
    uint32_t esp = stack ? t->esp : (uint32_t)(uintptr_t)&t->esp;
    uint32_t ss = stack ? t->ss : I386_KERNEL_DATA;
    uint32_t cr0, cr3;
    __asm__ volatile("movl %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("movl %%cr3, %0" : "=r"(cr3));
    kprintf("eax %08X  ebx %08X  ecx %08X  edx %08X\n", (uint64_t)t->eax, (uint64_t)t->ebx,
            (uint64_t)t->ecx, (uint64_t)t->edx);
    kprintf("esi %08X  edi %08X  ebp %08X  esp %08X\n", (uint64_t)t->esi, (uint64_t)t->edi,
            (uint64_t)t->ebp, (uint64_t)esp);
    kprintf("eip %08X  eflags %08X  cs %02X  ds %02X  ss %02X\n", (uint64_t)t->eip,
            (uint64_t)t->eflags, (uint64_t)(uint16_t)t->cs, (uint64_t)(uint16_t)t->ds,
            (uint64_t)(uint16_t)ss);
    kprintf("cr0 %08X  cr2 %08X  cr3 %08X\n", (uint64_t)cr0, (uint64_t)fault_address(),
            (uint64_t)cr3);
}

uintptr_t arch_registers_pc(const arch_registers *t)
{
    return t->eip;
}

uintptr_t arch_registers_fp(const arch_registers *t)
{
    return t->ebp;
}

static _Noreturn void report(const i386_trap *t)
{
    panic_begin();
    print_reason(t);
    panic_tell(t, "trap in the kernel");
}

void i386_trap_handle(i386_trap *t)
{
    if (t->vector >= I386_IRQ_BASE && t->vector < I386_VECTORS) {
        if (board_irq(t->vector - I386_IRQ_BASE)) {
            if (i386_trap_from_user(t) && hooks != NULL && hooks->interrupted != NULL)
                hooks->interrupted(t);
            return;
        }
    } else if (t->vector == X86_INVALID && processor_probe_trapped(t->eip, &t->eip)) {
        return;
    } else if (give_to_hooks(t)) {
        return;
    }
    report(t);
}

_Noreturn void i386_double_fault(void)
{
    i386_trap t;
    const char *why;
    panic_begin();
    i386_interrupted(&t);
    kprintf("\ntrap: double fault: a fault could not be reported on the stack at 0x%X\n",
            (uint64_t)t.esp);
    why = panic_address_note(fault_address());
    if (why != NULL)
        kprintf("trap: address 0x%X is %s\n", (uint64_t)fault_address(), why);
    panic_tell(&t, "trap in the kernel");
}
