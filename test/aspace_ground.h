/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_ASPACE_GROUND_H
#define LOAM_TEST_ASPACE_GROUND_H

/* aspace_ground.h - a machine for tests of address spaces: frames, tables and unit memory in static
 * arrays, each of which can refuse its n-th request; a kernel's root; and a processor that reads
 * and writes bytes through the tables, and faults. It remembers what it has looked up until it is
 * told to forget, or goes to another space.
 *
 *     ground_start(&loam_pt_i386);
 *     loam_aspace *as = loam_aspace_create(ground.world);
 *     ground_write(as, at, 7);          // as the program would: faults until it may, or a reason
 *
 * One machine a program. Includes the unit's private header, since a test that expects a rule's
 * name has to break it. */
#include "../core/aspace_impl.h"

#ifndef GROUND_FRAMES
#define GROUND_FRAMES 160
#endif
#ifndef GROUND_TABLES
#define GROUND_TABLES 96
#endif
#ifndef GROUND_UNIT
#define GROUND_UNIT (64 * 1024)
#endif

enum {
    GROUND_FIRST = 0x11000 - GROUND_FRAMES / 2, /* frames on both sides of a leaf's edge */
    GROUND_TABLE_PA = 0x8000000,
    GROUND_META = 64 * 1024,
    GROUND_PIECE = 16 /* bytes that unit memory comes in */
};

#define GROUND_NEVER (~0ULL)

/* What the TLB remembers of a page. */
typedef struct ground_known {
    bool valid;
    loam_pt_entry entry;
} ground_known;

enum { GROUND_KNOWN = 256 }; /* pages; a later one takes the place of an earlier one */

/* A source of memory: how much is out, and which requests it refuses. */
typedef struct ground_source {
    uint64_t out;    /* frames, tables, bytes */
    uint64_t asked;  /* requests so far */
    uint64_t refuse; /* this request (1, 2, ...) and, with `rest`, all later ones */
    bool rest;
} ground_source;

static struct ground {
    const loam_pt_format *format;
    loam_aspace_config config;
    loam_aspace_world *world;
    loam_zone *zone;
    loam_zonelist frames;
    loam_pt kernel;
    loam_tlb tlb;
    ground_source frame, table, unit;
    uint64_t flushed_page; /* the last one */
    uint64_t root;         /* that the processor is on; 0: none of a space */
    ground_known known[GROUND_KNOWN];
    uint64_t cleared, copied, fences;
    unsigned windows; /* open now */
    unsigned faults;  /* that the processor took */
} ground;

static unsigned char ground_ram[GROUND_FRAMES][LOAM_PAGE_SIZE] __attribute__((aligned(4096)));
static unsigned char ground_table[GROUND_TABLES][LOAM_PAGE_SIZE] __attribute__((aligned(4096)));
static bool ground_table_out[GROUND_TABLES];
static unsigned char ground_unit[GROUND_UNIT] __attribute__((aligned(16)));
static bool ground_unit_out[GROUND_UNIT / GROUND_PIECE];
static unsigned char ground_meta[GROUND_META] __attribute__((aligned(64)));

/* ---- sources ---- */

static inline bool ground_refuses(ground_source *s)
{
    s->asked++;
    return s->rest ? s->asked >= s->refuse : s->asked == s->refuse;
}

/* From now on the n-th request fails. */
static inline void ground_refuse(ground_source *s, uint64_t n, bool rest)
{
    s->refuse = n == GROUND_NEVER ? GROUND_NEVER : s->asked + n;
    s->rest = rest;
}

static inline bool ground_refuse_frame(void *ctx, unsigned order)
{
    (void)ctx;
    (void)order;
    return ground_refuses(&ground.frame);
}

static inline bool ground_table_alloc(void *ctx, loam_pa *table)
{
    (void)ctx;
    if (ground_refuses(&ground.table))
        return false;
    for (unsigned i = 0; i < GROUND_TABLES; i++) {
        if (ground_table_out[i])
            continue;
        ground_table_out[i] = true;
        ground.table.out++;
        __builtin_memset(ground_table[i], 0, LOAM_PAGE_SIZE);
        *table = loam_pa_of(GROUND_TABLE_PA + (uint64_t)i * LOAM_PAGE_SIZE);
        return true;
    }
    return false;
}

static inline void ground_forget_all(void)
{
    for (unsigned i = 0; i < GROUND_KNOWN; i++)
        ground.known[i].valid = false;
}

static inline void ground_table_free(void *ctx, loam_pa table)
{
    uint64_t i = (table.v - GROUND_TABLE_PA) / LOAM_PAGE_SIZE;
    (void)ctx;
    if (table.v == ground.root) /* whoever ends a space has left it */
        ground.root = 0;
    if (i >= GROUND_TABLES || !ground_table_out[i])
        __builtin_trap(); /* a table that is nobody's */
    ground_table_out[i] = false;
    ground.table.out--;
    __builtin_memset(ground_table[i], 0xa5, LOAM_PAGE_SIZE);
}

static inline void *ground_table_at(void *ctx, loam_pa table)
{
    (void)ctx;
    return ground_table[(table.v - GROUND_TABLE_PA) / LOAM_PAGE_SIZE];
}

static inline size_t ground_pieces(size_t size)
{
    return (size + GROUND_PIECE - 1) / GROUND_PIECE;
}

static inline void ground_pieces_set(size_t at, size_t n, bool out)
{
    for (size_t i = at; i < at + n; i++) {
        if (ground_unit_out[i] == out)
            __builtin_trap(); /* freed twice, or freed with another size */
        ground_unit_out[i] = out;
    }
}

static inline void *ground_alloc(void *ctx, size_t size)
{
    size_t n = ground_pieces(size), run = 0;
    (void)ctx;
    if (ground_refuses(&ground.unit))
        return NULL;
    for (size_t i = 0; i < GROUND_UNIT / GROUND_PIECE; i++) {
        run = ground_unit_out[i] ? 0 : run + 1;
        if (run < n)
            continue;
        unsigned char *p = ground_unit + (i + 1 - n) * GROUND_PIECE;
        ground_pieces_set(i + 1 - n, n, true);
        ground.unit.out += n * GROUND_PIECE;
        __builtin_memset(p, 0, size);
        return p;
    }
    return NULL;
}

static inline void ground_free(void *ctx, void *p, size_t size)
{
    size_t n = ground_pieces(size);
    (void)ctx;
    ground_pieces_set((size_t)((unsigned char *)p - ground_unit) / GROUND_PIECE, n, false);
    ground.unit.out -= n * GROUND_PIECE;
    __builtin_memset(p, 0xa5, n * GROUND_PIECE);
}

/* ---- frames ---- */

static inline unsigned char *ground_bytes(loam_pfn pfn)
{
    uint64_t i = pfn.v - GROUND_FIRST;
    if (i >= GROUND_FRAMES)
        __builtin_trap(); /* a frame that is not there */
    return ground_ram[i];
}

static inline void ground_clear(void *ctx, loam_pfn pfn)
{
    (void)ctx;
    ground.cleared++;
    __builtin_memset(ground_bytes(pfn), 0, LOAM_PAGE_SIZE);
}

static inline void ground_copy(void *ctx, loam_pfn to, loam_pfn from)
{
    (void)ctx;
    ground.copied++;
    __builtin_memcpy(ground_bytes(to), ground_bytes(from), LOAM_PAGE_SIZE);
}

static inline unsigned char *ground_window(void *ctx, loam_pfn pfn)
{
    (void)ctx;
    if (loam_pfn_is_none(pfn)) {
        ground.windows--;
        return NULL;
    }
    ground.windows++;
    return ground_bytes(pfn);
}

/* Frames out of the zone: nobody else takes any. */
static inline uint64_t ground_frames_out(void)
{
    return GROUND_FRAMES - loam_zone_free_pages(ground.zone);
}

/* ---- the TLB ---- */

static inline ground_known *ground_known_of(uint64_t va)
{
    return &ground.known[va / LOAM_PAGE_SIZE % GROUND_KNOWN];
}

static inline void ground_flush_page(void *ctx, uint64_t va)
{
    ground_known *k = ground_known_of(va);
    (void)ctx;
    ground.flushed_page = va;
    if (k->entry.va == va)
        k->valid = false;
}

static inline void ground_flush_all(void *ctx)
{
    (void)ctx;
    ground_forget_all();
}

static inline void ground_fence(void *ctx)
{
    (void)ctx;
    ground.fences++;
}

/* ---- the machine ---- */

static inline bool ground_zone(void)
{
    loam_zone_config z;
    loam_span ram = {(uint64_t)GROUND_FIRST << LOAM_PAGE_SHIFT,
                     (uint64_t)GROUND_FRAMES << LOAM_PAGE_SHIFT};
    loam_zone_config_init(&z);
    z.fronts = false;
    z.refuse = ground_refuse_frame;
    ground.zone = loam_zone_init(ground_meta, GROUND_META, false, &ram, 1, &z);
    return ground.zone != NULL &&
           loam_zone_add(ground.zone, loam_pfn_of(GROUND_FIRST), GROUND_FRAMES) == LOAM_OK &&
           loam_zonelist_add_zone(&ground.frames, ground.zone) == LOAM_OK;
}

/* Where this format's user window and kernel lie in these tests. */
typedef struct ground_layout {
    uint64_t base, len, kernel; /* kernel: an address outside of the window */
} ground_layout;

static inline ground_layout ground_layout_of(const loam_pt_format *format)
{
    if (format == &loam_pt_i386)
        return (ground_layout){0, 0xc0000000U, 0xc0000000U};
    return (ground_layout){0, 1ULL << 46, 1ULL << 46}; /* half of the lower half */
}

/* Everything but the world: ground.config may still be changed. */
static inline bool ground_prepare(const loam_pt_format *format)
{
    ground_layout at = ground_layout_of(format);
    loam_pt_batch batch;
    __builtin_memset(&ground, 0, sizeof ground);
    __builtin_memset(ground_table_out, 0, sizeof ground_table_out);
    __builtin_memset(ground_unit_out, 0, sizeof ground_unit_out);
    ground.format = format;
    ground.frame.refuse = ground.table.refuse = ground.unit.refuse = GROUND_NEVER;
    ground.tlb = (loam_tlb){
        .page = ground_flush_page, .all = ground_flush_all, .fence = ground_fence, .threshold = 32};
    unsigned features = format == &loam_pt_i386 ? 0 : (unsigned)LOAM_PT_NX;
    loam_pt_memory memory = {NULL, ground_table_alloc, ground_table_free, ground_table_at};
    loam_pt_batch_init(&batch);
    if (!ground_zone() || loam_pt_init(&ground.kernel, format, features, &memory) != LOAM_OK ||
        loam_pt_map(&ground.kernel, at.kernel, loam_pa_of(0x100000), LOAM_PAGE_SIZE, LOAM_PT_WRITE,
                    &batch) != LOAM_OK)
        return false;
    ground.config = (loam_aspace_config){
        .format = format,
        .features = features,
        .memory = memory,
        .kernel = &ground.kernel,
        .tlb = &ground.tlb,
        .base = at.base,
        .len = at.len,
        .frames = &ground.frames,
        .clear = ground_clear,
        .copy = ground_copy,
        .window = ground_window,
        .alloc = ground_alloc,
        .free = ground_free,
    };
    return true;
}

static inline bool ground_start(const loam_pt_format *format)
{
    if (!ground_prepare(format))
        return false;
    ground.world = loam_aspace_world_init(&ground.config);
    return ground.world != NULL;
}

/* ---- the processor ---- */

static inline bool ground_allows(const loam_pt_entry *entry, loam_aspace_access access)
{
    if ((entry->flags & LOAM_PT_USER) == 0)
        return false;
    if (access == LOAM_ACCESS_WRITE)
        return (entry->flags & LOAM_PT_WRITE) != 0;
    return access != LOAM_ACCESS_EXEC || (entry->flags & LOAM_PT_EXEC) != 0;
}

/* What the processor finds at va: what it remembers, or what the tables say. */
static inline bool ground_look(const loam_aspace *as, uint64_t va, loam_pt_entry *entry)
{
    ground_known *k = ground_known_of(va);
    bool mapped = loam_pt_query(&as->pt, va, entry);
    if (ground.root != as->pt.root.v)
        ground_forget_all();
    ground.root = as->pt.root.v;
    if (k->valid && k->entry.va == loam_align_down(va, LOAM_PAGE_SIZE)) {
        if (!mapped || k->entry.pa.v != entry->pa.v || (k->entry.flags & ~entry->flags) != 0)
            __builtin_trap(); /* it was not told that this is no longer so */
        *entry = k->entry;
    } else if (mapped) {
        *k = (ground_known){true, *entry};
    }
    return mapped;
}

/* The byte that an access reaches, after as many faults as it takes; NULL: the reason is in
 * *verdict. */
static inline unsigned char *ground_reach(loam_aspace *as, uint64_t va, loam_aspace_access access,
                                          loam_aspace_verdict *verdict)
{
    loam_pt_entry entry;
    *verdict = LOAM_FAULT_DONE;
    for (unsigned tries = 0; tries < 3; tries++) {
        if (ground_look(as, va, &entry) && ground_allows(&entry, access))
            return ground_bytes(loam_pa_to_pfn(loam_pa_of(entry.pa.v + (va - entry.va)))) +
                   va % LOAM_PAGE_SIZE;
        ground.faults++;
        *verdict = loam_aspace_fault(as, va, access);
        if (*verdict != LOAM_FAULT_DONE)
            return NULL;
    }
    __builtin_trap(); /* a fault that is answered without an end */
}

static inline loam_aspace_verdict ground_write(loam_aspace *as, uint64_t va, unsigned char value)
{
    loam_aspace_verdict verdict;
    unsigned char *p = ground_reach(as, va, LOAM_ACCESS_WRITE, &verdict);
    if (p != NULL)
        *p = value;
    return verdict;
}

/* The byte, or -1. */
static inline int ground_read(loam_aspace *as, uint64_t va)
{
    loam_aspace_verdict verdict;
    const unsigned char *p = ground_reach(as, va, LOAM_ACCESS_READ, &verdict);
    return p != NULL ? *p : -1;
}

#endif
