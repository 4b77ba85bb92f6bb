/* SPDX-License-Identifier: MIT */
#ifndef LOAM_DRIVER_H
#define LOAM_DRIVER_H

/* driver.h - the core over a fake machine, driven by lines: one command in, one line of answer out.
 *
 * The interpreter needs no C library and calls the public API alone: it runs behind stdin and
 * stdout (driver_main.c), and in a kernel's shell over a piece of memory that the kernel lends it.
 */
#include "loam/kmalloc.h"
#include "loam/memblock.h"
#include "loam/pt.h"
#include "loam/zone.h"

enum {
    DRIVER_LINE = 1000, /* longest line, in characters */
    DRIVER_ARGS = 4,
    DRIVER_FLUSHED = 2048,  /* pages flushed that are noted one by one */
    DRIVER_ARRAYS = 1 << 30 /* bytes of a zone's arrays at most: it writes all of them */
};

/* What the interpreter runs on. Memory handed out lives until the next reset. */
typedef struct driver_machine {
    void *ctx;
    unsigned cpus;                                        /* 1 .. LOAM_PORT_MAX_CPUS */
    void (*set_cpu)(void *ctx, unsigned cpu);             /* calls after this run as that one */
    void (*put)(void *ctx, const char *text, size_t len); /* a piece of an answer */
    void (*note)(void *ctx, const char *why);             /* why an answer is "err", for people */
    void (*reset)(void *ctx);                             /* forgets all contents and pieces */
    void *(*map)(void *ctx, uint64_t pa, uint64_t len);   /* fake RAM in one piece, all 0; NULL */
    void *(*outside)(void *ctx, uint64_t len);            /* other memory, the same way */
    bool (*fill)(void *ctx, uint64_t pa, uint64_t len, unsigned char byte);  /* whole frames */
    bool (*check)(void *ctx, uint64_t pa, uint64_t len, unsigned char byte); /* do they hold it? */
    unsigned char *(*frame)(void *ctx, uint64_t pa); /* one frame as memory, from now on; NULL */
    void (*peek)(void *ctx, uint64_t pa, unsigned char *byte, unsigned n); /* bytes of RAM */
} driver_machine;

typedef enum driver_stage {
    DRIVER_BOOT,   /* regions and reservations are told */
    DRIVER_PAGES,  /* `start` was answered ok */
    DRIVER_OBJECTS /* `reset PAGES` was */
} driver_stage;

typedef struct driver_large { /* a large page that the fake processor may remember */
    uint64_t va, len;
    bool noted; /* as flushed */
} driver_large;

typedef struct driver {
    const driver_machine *machine;
    bool meta_outside;       /* the allocator's arrays are not taken from the regions */
    loam_slab_config config; /* of the object layers */
    driver_stage stage;
    unsigned cpu;      /* as told by `cpu N` */
    uint64_t fail_in;  /* the request to the layer below that fails; 0: none */
    uint64_t mb_taken; /* bytes of the last mb_alloc; 0: it got none */
    loam_memblock map;
    loam_zone *zone;    /* from DRIVER_PAGES on */
    unsigned ncpus;     /* of the zone */
    unsigned max_order; /* as told by `start` */
    loam_span meta;     /* the zone's arrays inside the regions; len 0: outside */
    loam_linear linear; /* from DRIVER_OBJECTS on: the whole machine */
    loam_slabs *slabs;
    loam_kmalloc *kmalloc;
    const loam_pt_format *vm_format; /* of --vm=; NULL: none */
    unsigned vm_features;
    bool vm_there; /* between vm_new and vm_free */
    loam_pt vm;
    driver_large large[LOAM_PT_BATCH]; /* those that the call that runs may change */
    unsigned larges;
    uint64_t flushed[DRIVER_FLUSHED]; /* since the last vm_flushed */
    unsigned flushes;
    bool flushed_all;
} driver;

/* A machine about which nothing is known, as after `reset`. spans: 3 * cap of them, for the boot
 * map. */
void driver_init(driver *d, const driver_machine *machine, loam_span *spans, size_t cap);

/* The format of address spaces to come, with all that its processors can have. false: it is NULL,
 * and nothing has changed. */
bool driver_vm_format(driver *d, const loam_pt_format *format);

/* Answers one line, without its newline: puts the answer and a newline. line need not be
 * terminated. */
void driver_line(driver *d, const char *line, size_t len);

/* ---- between the driver's own files ---- */

typedef void driver_word_fn(driver *d, const uint64_t *arg, unsigned n);

typedef struct driver_word {
    const char *name, *sub; /* sub: the second word, or NULL */
    unsigned min, max;      /* numbers that follow */
    driver_word_fn *fn;
} driver_word;

extern const driver_word driver_boot_words[], driver_page_words[], driver_object_words[],
    driver_vm_words[];

void driver_reset(driver *d);
void driver_put(driver *d, const char *text);
void driver_put_hex(driver *d, uint64_t v);
void driver_answer(driver *d, loam_err err, const char *what); /* "ok", or "err" and a note */
void driver_refuse(driver *d, const char *why);                /* "err" and a note */
/* Bytes of the machine: are none of them in pages that the object layers keep for themselves, or in
 * page tables? */
bool driver_may_write(const driver *d, uint64_t addr, uint64_t len);
/* May there be page tables among these bytes? (More than 4 GiB are not looked through.) */
bool driver_holds_table(const driver *d, uint64_t addr, uint64_t len);
/* Do the bytes lie in one piece of RAM? */
bool driver_is_ram(const driver *d, uint64_t addr, uint64_t len);
/* `start` and `reset PAGES`, without an answer. false: no memory. */
bool driver_start(driver *d, unsigned max_order);
bool driver_objects(driver *d, uint64_t pages);
bool driver_fails(driver *d); /* counts a request to the layer below: is it the one that fails? */

#endif
