/* SPDX-License-Identifier: MIT */
#ifndef LOAM_I386_USER_H
#define LOAM_I386_USER_H

/* user.h - the processor's part of user mode: the way to privilege 3, and the ways back.
 *
 *     kernel                                     program
 *     int r = arch_enter_user(eip, esp)  ------>  runs at privilege 3, interrupts on
 *       (waits in here)                  <------  int 0x80        hooks->syscall(frame)
 *                                        <------  page fault      hooks->page_fault(frame, address)
 *                                        <------  divide, #GP ... hooks->exception(frame)
 *                                        <------  timer, keyboard the kernel's own handlers, then
 *                                                                 hooks->interrupted(frame)
 *       a hook returns                   ------>  goes on with what the frame says now
 *     r = result  <---- a hook calls arch_leave_user(result): the program is left for good
 *
 * A hook runs on the kernel stack of the caller of arch_enter_user, right below its frame, with
 * interrupts off; it may turn them on. One program at a time is inside; a hook may start another
 * (enter nests), which then has to be left first.
 */
#include "i386_trap.h"
#include "loam/base.h"

typedef struct arch_user_hooks {
    /* int 0x80. Numbers and arguments are registers of the frame; what is written there is what the
     * program sees. */
    void (*syscall)(i386_trap *t);
    /* A page fault at privilege 3, or of the kernel on an address below 0xc0000000. true: go on
     * (the instruction is tried again); false: it is the kernel's own fault, and ends it. error:
     * X86_PF_* in t->error. */
    bool (*page_fault)(i386_trap *t, uint32_t address);
    /* Any other exception at privilege 3; t->vector says which (x86_exception_name). Has to call
     * arch_leave_user or to change the frame. */
    void (*exception)(i386_trap *t);
    /* An interrupt came while a program ran, and has been served; or NULL: nobody wants to know. */
    void (*interrupted)(i386_trap *t);
} arch_user_hooks;

/* Until this is called every trap of a program ends the kernel. NULL: again so. */
void arch_set_user_hooks(const arch_user_hooks *hooks);

/* Runs a program at eip with the stack pointer esp, all other registers 0. Returns what
 * arch_leave_user was called with. The page directory is the caller's matter. */
int arch_enter_user(uint32_t eip, uint32_t esp);

/* Leaves the program: arch_enter_user returns result. From a hook only. */
_Noreturn void arch_leave_user(int result);

/* Switches the page directory; root is page aligned, and has the kernel's part of
 * kern_this.pt. Flushes the TLB, global pages excepted. */
void arch_use_root(loam_pa root);

#endif
