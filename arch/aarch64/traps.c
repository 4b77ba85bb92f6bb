/* SPDX-License-Identifier: MIT */
/* traps.c - says why the processor stopped: the syndrome in words, the registers, the calls.
 *
 * ESR_EL1 = EC (31:26, the class of the exception) and ISS (24:0, details). For aborts ISS holds
 * WnR (bit 6: a write) and a status code (5:0) whose low two bits are the table level.
 */
#include "arch.h"
#include "board.h"
#include "console.h"
#include "loam/base.h"
#include "panic.h"
#include "trap_layout.h"

struct arch_registers {
    uint64_t x[31];
    uint64_t sp;
    uint64_t elr, spsr;
    uint64_t esr, far;
};
_Static_assert(sizeof(arch_registers) == TRAP_FRAME_SIZE, "vectors.S stores this many bytes");

enum { TRAP_KINDS = 4, TRAP_IRQ = 1, TRAP_FAR_EC_MASK = 0x3f };

void trap_handle(arch_registers *f, uint64_t entry);

static const char *class_name(uint64_t ec)
{
    switch (ec) {
    case 0x00:
        return "undefined instruction";
    case 0x07:
        return "floating point is off";
    case 0x0e:
        return "illegal execution state";
    case 0x15:
        return "system call";
    case 0x18:
        return "trapped system register access";
    case 0x20:
    case 0x21:
        return "instruction abort";
    case 0x22:
        return "program counter not aligned";
    case 0x24:
    case 0x25:
        return "data abort";
    case 0x26:
        return "stack pointer not aligned";
    case 0x2f:
        return "SError";
    case 0x30:
    case 0x31:
        return "hardware breakpoint";
    case 0x32:
    case 0x33:
        return "single step";
    case 0x34:
    case 0x35:
        return "watchpoint";
    case 0x3c:
        return "BRK instruction";
    default:
        return "exception of an unknown class";
    }
}

static const char *abort_reason(uint64_t status)
{
    switch (status >> 2) {
    case 0:
        return "address size fault";
    case 1:
        return "translation fault: nothing is mapped there";
    case 2:
        return "access flag fault";
    case 3:
        return "permission fault";
    case 4:
        return "external abort: no device answered";
    case 5:
        return "external abort on a table walk";
    case 8:
        return status == 0x21 ? "alignment fault" : "unknown fault";
    default:
        return "unknown fault";
    }
}

static bool is_abort(uint64_t ec)
{
    return ec == 0x20 || ec == 0x21 || ec == 0x24 || ec == 0x25;
}

static void print_reason(const arch_registers *f, uint64_t entry)
{
    static const char *const kind[] = {"synchronous", "IRQ", "FIQ", "SError"};
    static const char *const from[] = {"the kernel", "a trap", "64-bit user code",
                                       "32-bit user code"};
    uint64_t ec = f->esr >> 26 & TRAP_FAR_EC_MASK, status = f->esr & 0x3f;
    const char *note;
    kprintf("\ntrap: %s, from %s\n", kind[entry % TRAP_KINDS], from[entry / TRAP_KINDS % 4]);
    if (entry % TRAP_KINDS != 0)
        return;
    kprintf("trap: %s", class_name(ec));
    if (is_abort(ec))
        kprintf(" on %s of address 0x%X: %s, level %u",
                ec < 0x24          ? "execution"
                : f->esr & 1U << 6 ? "write"
                                   : "read",
                f->far, abort_reason(status), (unsigned)(status & 3));
    console_put('\n');
    note = is_abort(ec) ? panic_address_note((uintptr_t)f->far) : NULL;
    if (note != NULL)
        kprintf("trap: that is %s\n", note);
}

void arch_registers_print(const arch_registers *f)
{
    for (unsigned i = 0; i < 31; i++)
        kprintf("%s%u %016X%s", i < 10 ? " x" : "x", i, f->x[i], i % 4 == 3 ? "\n" : "  ");
    kprintf(" sp %016X\n", f->sp);
    kprintf("elr %016X  spsr %08X  esr %08X  far %016X\n", f->elr, f->spsr, f->esr, f->far);
}

uintptr_t arch_registers_pc(const arch_registers *f)
{
    return (uintptr_t)f->elr;
}

uintptr_t arch_registers_fp(const arch_registers *f)
{
    return (uintptr_t)f->x[29];
}

void trap_handle(arch_registers *f, uint64_t entry)
{
    if (entry == TRAP_IRQ && board_irq(0))
        return;
    panic_begin();
    print_reason(f, entry);
    panic_tell(f, "trap in the kernel");
}
