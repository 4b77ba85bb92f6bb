/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_KERN_H
#define LOAM_KERN_KERN_H

/* kern.h - the one kernel: its memory, in the order in which it comes to life. */
#include "firmware.h"
#include "loam/bootinfo.h"
#include "loam/kmalloc.h"
#include "loam/memblock.h"
#include "loam/pt.h"
#include "loam/slab.h"
#include "loam/trace.h"
#include "loam/vmap.h"
#include "loam/zone.h"
#include "options.h"

enum {
    KERN_VIEW_ORDER = 10,     /* views and traces show blocks up to 4 MiB */
    KERN_TRACE_EVENTS = 1024, /* kept in the ring of each processor */
    KERN_TICK_HZ = 100
};

typedef struct kern {
    options options;
    loam_bootinfo bootinfo;
    bool told; /* the firmware's description was good */
    loam_memblock map;
    loam_memblock_sum sum;
    loam_trace trace;
    loam_zonelist zones;                      /* all; as processor 0 tries them */
    loam_zonelist local[LOAM_BOOTINFO_NODES]; /* all; as processors of a node try them */
    loam_zonelist mapped; /* of these, those whose frames have a kernel address */
    loam_zone *zone;      /* one of these: slab's and kmalloc's */
    loam_pt pt;           /* the kernel's tables; format NULL: the start code made them */
    loam_tlb tlb;         /* how they are flushed */
    loam_vmap *vmap;      /* for anybody; or NULL */
    loam_slabs *slabs;
    loam_kmalloc *kmalloc;
    volatile uint64_t ticks;                  /* of processor 0's timer, KERN_TICK_HZ a second */
    void (*volatile on_tick)(void);           /* or NULL; in interrupt context on processor 0 */
    void (*volatile on_every_tick)(void);     /* the same on each processor */
    const char *(*address_note)(uint64_t va); /* or NULL: more to say of an address that faulted */
} kern;

extern kern kern_this;

/* ---- startup.c ---- */

/* From the firmware's words to bootinfo and options. */
void startup_find(const uintptr_t word[BOARD_FIRMWARE_WORDS]);
/* memblock, reservations, metadata, zones; each with its lines in the boot log. */
void startup_memory(void);
/* slab, vmap where there is one, kmalloc. */
void startup_objects(void);

/* Prints the misuse and goes on, or panics: `report` unless the command line says otherwise. Gives
 * the former policy; for words of the shell and tests. */
loam_policy kern_misuse_default(bool in_shell);

/* Switches events as lines on the console on or off. */
void kern_trace_lines(bool on);

/* All zones in the order that is best for this processor: near ones first. */
loam_zonelist *kern_zones_here(void);
/* The memory node of a processor. */
unsigned kern_node_of_cpu(unsigned cpu);

/* Free pages of all zones, fronts included. */
uint64_t kern_free_pages(void);

/* Free pages per order, up to KERN_VIEW_ORDER, fronts drained. */
typedef struct kern_free_lists {
    uint64_t blocks[KERN_VIEW_ORDER + 1];
    uint64_t pages;
    uint64_t fingerprint; /* of every block's place and order */
} kern_free_lists;
void kern_free_lists_read(kern_free_lists *lists);
void kern_free_lists_print(const char *title, const kern_free_lists *lists);
bool kern_free_lists_equal(const kern_free_lists *a, const kern_free_lists *b);

/* The first broken rule of any unit, or NULL. */
const char *kern_check(void);

/* ---- play: blocks by keys; linked when compat/shomp is ---- */

/* how: "", "grow" or "guard". Comes back when the player leaves: 0, or 1 when it could not start.
 */
int shomp_run(const char *how) __attribute__((weak));

/* ---- a page allocator; linked when compat/stacsos is ---- */

/* 0 when every list was as expected. */
int stacsos_selftest(void) __attribute__((weak));
/* The page allocator on most of the machine's memory, for a while: 0 when all went well. */
int stacsos_boot(void) __attribute__((weak));

/* ---- demos.c ---- */

/* Runs a demo by name: 0 went well, 1 did not, -1 there is none of this name. */
int demo_run(const char *name);
void demo_list(void);

/* ---- tests.c ---- */

/* The core's unit tests, TAP on the console and a last line; true when all passed. */
bool tests_run(const char *only, uint64_t seed);

/* ---- shell.c ---- */

/* Reads and does commands for ever. */
_Noreturn void shell_run(void);

#endif
