/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BOOTINFO_H
#define LOAM_BOOTINFO_H

/* bootinfo.h - what the boot loader told: one result, whatever the loader spoke.
 *
 * A kernel fills it from a device tree, Multiboot or PVH information (or by hand, when there is
 * none), adds what it knows itself (where its image and the tree lie), and feeds it to a memblock.
 * Strings point into the device tree and live as long as it does; those of other loaders are copied
 * into `text`, so that nothing of the loader's has to be kept, and info must not be moved. Not
 * locked: one CPU.
 */
#include "loam/base.h"
#include "loam/fdt.h"
#include "loam/fdt_arm.h"
#include "loam/memblock.h"
#include "loam/phys.h"

enum {
    LOAM_BOOTINFO_RAM = 256,
    LOAM_BOOTINFO_HELD = 512,
    LOAM_BOOTINFO_DYNAMIC = 32,
    LOAM_BOOTINFO_CPUS = 64,
    LOAM_BOOTINFO_MODULES = 16,
    LOAM_BOOTINFO_NODES = 16,
    LOAM_BOOTINFO_RUNS = 64,
    LOAM_BOOTINFO_NEAR = 10,     /* distance of a node to itself */
    LOAM_BOOTINFO_FAR = 20,      /* and to others, where nobody says more */
    LOAM_BOOTINFO_TEXT = 2048,   /* bytes for copied strings */
    LOAM_BOOTINFO_CMDLINE = 1024 /* of them for the command line, its 0 included */
};

typedef enum loam_bootinfo_source {
    LOAM_BOOTINFO_OWNER,      /* added by the kernel: its image, the device tree, ... */
    LOAM_BOOTINFO_MEMRESERVE, /* the tree's reservation block */
    LOAM_BOOTINFO_REGION,     /* a child of /reserved-memory; in a Multiboot map: not RAM */
    LOAM_BOOTINFO_INITRD      /* or any other module */
} loam_bootinfo_source;

typedef struct loam_bootinfo_held {
    loam_span span;   /* as given: any alignment, len > 0, may overlap others or stick out of RAM */
    const char *name; /* "memreserve", "initrd", the node's name, or what the kernel said */
    uint8_t source;   /* loam_bootinfo_source */
    bool no_map;      /* must not be mapped at all */
    bool reusable;    /* the owner lets others use it while it does not (kept held all the same) */
} loam_bootinfo_held;

/* A child of /reserved-memory that wants memory anywhere: the kernel may allocate it. */
typedef struct loam_bootinfo_dynamic {
    const char *name;
    uint64_t len;
    uint64_t align; /* 0: none given */
    bool no_map;
    bool reusable;
} loam_bootinfo_dynamic;

typedef struct loam_bootinfo_cpu {
    uint64_t id;               /* its reg; on a PC the number of its local APIC */
    const char *enable_method; /* "spin-table", "psci", ... or NULL */
    uint64_t release;          /* cpu-release-addr, or 0 */
    uint32_t node;             /* < node_count */
} loam_bootinfo_cpu;

/* Memory that the firmware says is near a node; it need not be RAM. */
typedef struct loam_bootinfo_near {
    loam_span span; /* len > 0, does not wrap */
    uint32_t node;  /* < node_count */
} loam_bootinfo_near;

/* Addresses from base on, up to the base of the next run (or 2^64): memory there is near the
 * processors of this node. */
typedef struct loam_bootinfo_run {
    uint64_t base;
    uint32_t node; /* < node_count */
} loam_bootinfo_run;

/* A file that the loader put into memory, and what it was told about it. */
typedef struct loam_bootinfo_module {
    loam_span span;
    const char *text; /* "" when there is none */
} loam_bootinfo_module;

typedef struct loam_bootinfo {
    loam_span ram[LOAM_BOOTINFO_RAM]; /* as given, len > 0; may overlap */
    size_t ram_count;
    loam_bootinfo_held held[LOAM_BOOTINFO_HELD];
    size_t held_count;
    loam_bootinfo_dynamic dynamic[LOAM_BOOTINFO_DYNAMIC];
    size_t dynamic_count;
    loam_bootinfo_cpu cpu[LOAM_BOOTINFO_CPUS]; /* the first of them */
    size_t cpu_count; /* all that can run; may be more than the array has */
    /* Memory nodes: one, with one run from 0 on, where nobody says more. Of more, nodes are in the
     * order of their firmware's numbers; near ascends, runs do, and the first run is at 0. */
    uint32_t node_count;
    uint32_t node_id[LOAM_BOOTINFO_NODES]; /* the firmware's numbers */
    loam_bootinfo_near near[LOAM_BOOTINFO_RUNS];
    size_t near_count;
    loam_bootinfo_run run[LOAM_BOOTINFO_RUNS]; /* made of near: every address has a node */
    size_t run_count;
    uint8_t distance[LOAM_BOOTINFO_NODES][LOAM_BOOTINFO_NODES]; /* from, to; 10 .. 255 */
    loam_bootinfo_module module[LOAM_BOOTINFO_MODULES]; /* the first of them; none is empty */
    size_t module_count;                                /* in the array */
    loam_span initrd;               /* len 0: none. The first module. Is in held, too */
    const char *cmdline;            /* terminated; "" when there is none */
    const char *model, *compatible; /* of the machine (the first compatible), or NULL */
    loam_fdt_node console;          /* what stdout-path names, or LOAM_FDT_NO_NODE */
    const char *console_options;    /* "115200n8", or "" */
    uint32_t nodes;                 /* of the device tree; 0: there was none */
    uint32_t blob_len;              /* bytes of the device tree */
    loam_fdt_arm arm;               /* devices that the tree names; all 0 where there are none */
    uint64_t rsdp;                  /* where ACPI begins; 0: not said */
    uint64_t local_apic;            /* where ACPI says that its registers are; 0: it does not */
    /* The first thing that was malformed and left out, because it does not concern memory. */
    const char *note;
    const char *loader; /* its name, or NULL */
    char text[LOAM_BOOTINFO_TEXT];
    size_t text_used;
} loam_bootinfo;

/* Nothing known. O(1). */
void loam_bootinfo_init(loam_bootinfo *info);

/* Adds RAM, or a span that is taken. len 0 adds nothing. name: a literal, or lives as long as info.
 *   returns     LOAM_OK; LOAM_ERANGE when base + len > 2^64; LOAM_EFULL
 *   on error    info is unchanged
 *   cost        O(1)
 */
loam_err loam_bootinfo_add(loam_bootinfo *info, loam_pa base, uint64_t len);
loam_err loam_bootinfo_hold(loam_bootinfo *info, loam_pa base, uint64_t len, const char *name);

/* Fills info from a device tree; what was in it before is gone. The tree's own place is not known
 * here: hold it (blob_len bytes) and the kernel's image afterwards.
 *
 * Whatever is malformed and concerns memory refuses the tree; what does not is left out and named
 * in info->note. bootinfo_fdt.c says what counts as RAM and as reserved.
 *
 *   len         bytes that may be read at blob
 *   why         set to a literal unless the answer is LOAM_OK; may be NULL
 *   returns     LOAM_OK; LOAM_EFORMAT (no tree, or memory badly described); LOAM_ERANGE (a range
 *               that wraps); LOAM_EFULL (more ranges than the arrays take); LOAM_ENOENT (no memory)
 *   on error    info is as after loam_bootinfo_init
 *   cost        O(len)
 */
loam_err loam_bootinfo_from_fdt(loam_bootinfo *info, const void *blob, size_t len,
                                const char **why);

/* The same from what a Multiboot 1 loader left. All that is kept is copied: but for the modules,
 * which are held, the loader's memory is free afterwards. bootinfo_mb1.c says what counts.
 *
 *   magic, at   eax and ebx, as the loader left them
 *   returns     LOAM_OK; LOAM_EFORMAT (no such loader, or memory badly described); LOAM_ERANGE (a
 *               range that wraps); LOAM_EFULL (more ranges than the arrays take); LOAM_ENOENT (no
 *               memory map, or no RAM in it)
 *   on error    info is as after loam_bootinfo_init
 *   cost        O(map + modules)
 */
loam_err loam_bootinfo_from_mb1(loam_bootinfo *info, uint32_t magic, loam_pa at,
                                const loam_phys *memory, const char **why);

/* The same from Multiboot 2, and from what starts a kernel by its PVH note (`at` in ebx); ACPI's
 * tables are read, too, where the loader says that there are some: loam_bootinfo_add_acpi. PVH has
 * no words on where ACPI begins when info->rsdp is 0; loam_acpi_search may find it.
 *   returns     as loam_bootinfo_from_mb1
 */
loam_err loam_bootinfo_from_mb2(loam_bootinfo *info, uint32_t magic, loam_pa at,
                                const loam_phys *memory, const char **why);
loam_err loam_bootinfo_from_pvh(loam_bootinfo *info, loam_pa at, const loam_phys *memory,
                                const char **why);

/* Adds what ACPI's tables say: processors, memory nodes, distances. Broken tables are left out,
 * with a note: memory is not concerned. bootinfo_acpi.c says what counts.
 *   rsdp        address of the first structure
 *   cost        O(bytes of the tables + processors^2)
 */
void loam_bootinfo_add_acpi(loam_bootinfo *info, uint64_t rsdp, const loam_phys *memory);

/* The processor of this id is the one that booted: it comes first, the others keep their order. One
 * that is not listed, is then. O(processors). */
void loam_bootinfo_boot_cpu(loam_bootinfo *info, uint64_t id);

/* The node of an address, 0 .. node_count - 1. O(runs). */
uint32_t loam_bootinfo_node_of(const loam_bootinfo *info, loam_pa pa);

/* Forgets a module (or initrd) of which a byte lies in the span, because something else was written
 * there: the kernel's image. To be called until it says false. What it held stays held.
 *   lost        the module, when the answer is true
 *   cost        O(modules)
 */
bool loam_bootinfo_drop_module(loam_bootinfo *info, loam_span span, loam_bootinfo_module *lost);

/* What a memblock did not take. */
typedef struct loam_bootinfo_refusal {
    loam_span span;
    const char *name; /* "ram", or the name of the held span */
    loam_err err;
} loam_bootinfo_refusal;

/* Adds all RAM to the map, then reserves all that is held, in the order of the arrays.
 *   refused     filled when the answer is not LOAM_OK; may be NULL
 *   returns     LOAM_OK, or the first error of the memblock. The map then has what came before the
 *               refused span, and is not to be used
 *   cost        O(spans^2), tens of spans, once
 */
loam_err loam_bootinfo_feed(const loam_bootinfo *info, loam_memblock *map,
                            loam_bootinfo_refusal *refused);

/* Feeds an empty map and hands it over: give gets each maximal run of whole frames that is RAM and
 * untouched by anything held, ascending. For who wants that list and has no allocator.
 *   returns     as loam_bootinfo_feed, then as loam_memblock_handover
 */
loam_err loam_bootinfo_usable(const loam_bootinfo *info, loam_memblock *map,
                              loam_bootinfo_refusal *refused, loam_memblock_give_fn *give,
                              void *ctx);

#endif
