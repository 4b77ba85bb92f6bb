/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_BOARD_H
#define LOAM_KERN_BOARD_H

/* board.h - what the common kernel asks of a board; kern/boards/<board>/ answers. */
#include "firmware.h"
#include "loam/base.h"
#include "loam/zone.h"

typedef struct board_span {
    loam_span span;
    const char *why;
} board_span;

/* Frames of one kind: [first, limit) of the physical addresses. */
typedef struct board_zone {
    const char *name;
    loam_span span; /* bytes */
    bool mapped;    /* inside board.mapped: the kernel has an address for each of its frames */
} board_zone;

enum { BOARD_ZONES = 4 };

typedef struct board {
    const char *name;
    const char *elf;                /* the kernel with its symbols, for messages */
    const board_firmware *firmware; /* who tells what memory there is */
    uint64_t tree_place;            /* of a device tree that no register names; 0: nowhere */
    const loam_span *default_ram;   /* used when the firmware says nothing that can be used */
    size_t default_ram_count;
    const loam_bootinfo_cpu *default_cpu; /* goes with it: the processors; or NULL */
    size_t default_cpu_count;
    loam_linear mapped; /* RAM that has a kernel address for as long as the kernel runs */
    loam_linear image;  /* the kernel image's own addresses, where it is mapped elsewhere; or 0 */
    uint64_t early_len; /* bytes of mapped that have an address before map_ram; 0: all */
    /* Gives an address to all the others, out of the boot map, before anything of them is used; or
     * NULL: the start code did. */
    void (*map_ram)(void);
    const board_zone *zones; /* ascending; together all the RAM this kernel can use */
    size_t zone_count;
    const board_span *held; /* taken on every machine of this kind */
    size_t held_count;
    const char *initrd_place;             /* where a loader may put it: for messages */
    const char *console_default;          /* a word that board_console takes */
    const char *console_names;            /* all of them, for messages */
    const struct shell_command *commands; /* of the shell, on this kind of board; or NULL */
    const struct shell_command *more_commands;
} board;

extern const board board_this;

/* A physical address inside board_this.mapped as the kernel's; and one of the kernel's, an image's
 * too, as a physical one. */
static inline void *virt_of(loam_pa pa)
{
    return board_this.mapped.va + (uintptr_t)(pa.v - board_this.mapped.pa);
}

static inline loam_pa phys_of(const void *va)
{
    const loam_linear *image = &board_this.image;
    bool inside = (uintptr_t)va - (uintptr_t)image->va < image->len;
    const loam_linear *in = inside ? image : &board_this.mapped;
    return loam_pa_of((uintptr_t)va - (uintptr_t)in->va + in->pa);
}

/* Makes the default console work; nothing has been printed before. */
void board_early(void);

/* Moves the console to the device of this name, or to the device that a stdout-path ends in.
 * false: no such device, nothing has changed. */
bool board_console(const char *name);

void board_putc(char c);
bool board_getc(char *c);    /* false: nothing has come */
void board_wait_input(void); /* sleeps until something may have come */

/* The kernel's final page tables, made from frames of the zones; nothing where the start code made
 * them. */
void board_paging(void);
/* Memory that the unit tests alone use is there from now on, or no more. false: not enough. */
bool board_tests_memory(bool wanted);

/* Starts the tick: fn runs in interrupt context hz times a second, interrupts must be on. */
void board_tick_start(unsigned hz, void (*fn)(void));
/* Serves a pending interrupt; line says which, where the processor knows, else it is 0. false:
 * nobody knows why it came. */
bool board_irq(unsigned line);

/* ---- processors, for smp.c ---- */

/* How many the firmware names, at least 1; number 0 is the one that booted. Valid after
 * startup_find. A board with one processor answers 1, and the other three are never called. */
unsigned board_cpus(void);
/* Starts processor cpu: on this stack, paging and caches on, interrupts off, loam_port_cpu() its
 * own, it calls smp_enter(). false: the firmware refused. */
bool board_cpu_start(unsigned cpu, void *stack_top);
/* On the new one, interrupts off: its interrupt controller, and its tick (smp_tick, KERN_TICK_HZ).
 */
void board_cpu_init(void);
/* Makes processor cpu call smp_interrupted() as soon as its interrupts are on. Any context. */
void board_cpu_interrupt(unsigned cpu);

/* From here on board_off() ends the emulator with the code (never on real hardware: the instruction
 * traps there). A board whose way of ending is harmless everywhere needs no such word. */
void board_exit_by_semihosting(void);

/* Ends the machine: exit code under an emulator, power-down or a stop elsewhere. */
_Noreturn void board_off(int code);
_Noreturn void board_reboot(void);

#endif
