/* SPDX-License-Identifier: MIT */
#ifndef LOAM_SLAB_INTERNAL_H
#define LOAM_SLAB_INTERNAL_H

/* slab_internal.h - the object layer's data, shared by slab*.c and kmalloc.c and by nobody else.
 *
 *   address --(- base)--> off --(>> shift)--> index --(leaf[index / 64])--> descriptor, 64 bytes
 *                                                                             |      |
 *   cache: fast line, rest, one front a processor <---------------------------+      |
 *            front: current word, its slab, lists                                    v
 *                                                                     free words, bit set = free
 */
#include "loam/port.h"
#include "loam/slab.h"
#include "loam/trace.h"
#include "loam/zone.h"

enum {
    SLAB_LINE = 64,         /* bytes: descriptors, words and fronts come in whole cache lines */
    SLAB_LEAF = 64,         /* descriptors a leaf */
    SLAB_LEAF_BITS = 6,     /* log2 of it */
    SLAB_WORDS = 64,        /* words a slab at most: `any` has a bit for each */
    SLAB_FRAME_LINES = 63,  /* lines a metadata frame, after its header */
    SLAB_FRONTS = 1,        /* fronts a cache: one for each processor, one day */
    SLAB_GUARD_LEAD = 16,   /* least bytes of magic before a block */
    SLAB_GUARD_TAIL = 8,    /* least bytes of magic behind the largest block of a class */
    SLAB_GUARD_BYTE = 0xfb, /* the magic */
    SLAB_POISON_BYTE = 0x6b /* what freed bytes read */
};
_Static_assert(SLAB_LEAF == 1 << SLAB_LEAF_BITS && SLAB_LEAF * SLAB_LINE == LOAM_PAGE_SIZE,
               "a leaf is one frame");

/* These modes keep a slab_info for each slot. */
#define SLAB_INFO_MODES (LOAM_SLAB_GUARD | LOAM_SLAB_QUARANTINE | LOAM_SLAB_OWNER)

typedef enum slab_kind { SLAB_NONE, SLAB_SLOTS, SLAB_LARGE, SLAB_KINDS } slab_kind;

/* What is known of one slab-sized piece of the window. All zero: nothing of ours starts here, and
 * the fast path of free fails by itself because no number is below a reciprocal of 0. */
typedef struct slab_desc {
    _Alignas(64) uint32_t recip; /* ceil(2^32 / stride); 0 unless kind is SLAB_SLOTS */
    uint16_t used;               /* slots: those out; large: 1 while it waits in quarantine */
    uint8_t kind;                /* slab_kind */
    uint8_t lead_log2;           /* large: log2 of the bytes before the block, 0 for none */
    unsigned char *base;         /* first byte of the frames */
    loam_list link;              /* slots: partial or full list of the front; large: all */
    union {
        struct {
            loam_cache *cache;
            uint64_t *words; /* &word, or lines of their own; then the slab_info of each slot */
            uint64_t any;    /* bit i: word i may have a free slot; clear: it has none */
            uint64_t word;   /* the free word of a slab that has only one */
        };
        struct {
            const void *owner; /* the loam_kmalloc */
            uintptr_t npages;
            uint64_t size; /* bytes asked for */
            const void *site;
        };
    };
} slab_desc;
_Static_assert(sizeof(slab_desc) == SLAB_LINE, "one cache line");

typedef enum slab_state { SLAB_FREE, SLAB_OUT, SLAB_WAITING } slab_state;

/* Of one slot, with SLAB_INFO_MODES. */
typedef struct slab_info {
    const void *site;
    uint32_t size;  /* bytes asked for */
    uint16_t lead;  /* from the slot's first byte to the block */
    uint16_t state; /* slab_state */
} slab_info;

/* One processor's part of a cache, one cache line. */
typedef struct slab_front {
    _Alignas(64) uint64_t *word; /* current free word; the layer's zero word when there is none */
    slab_desc *slab;             /* the slab of the current word */
    slab_desc *empty;            /* the last slab that was seen to become empty, or NULL */
    loam_list partial;           /* slabs with any != 0 */
    loam_list full;              /* slabs with any == 0 */
    uint32_t slabs;              /* on both lists */
} slab_front;
_Static_assert(sizeof(slab_front) == SLAB_LINE, "one cache line");

struct loam_cache {
    /* read by the fast paths */
    _Alignas(64) const void *owner; /* the loam_kmalloc whose class this is, or NULL */
    const bool *slow;               /* as in loam_slabs */
    size_t stride;                  /* bytes a slot */
    uint32_t slots;                 /* slots a slab */
    uint32_t recip;                 /* ceil(2^32 / stride) */
    /* the rest */
    loam_slabs *slabs;
    const char *name;
    size_t size; /* bytes of an object */
    loam_list link;
    loam_ctor_fn *ctor;
    void *ctx;
    uint32_t align;
    uint32_t lead;    /* bytes of magic before an object of default alignment */
    uint32_t waiting; /* objects in quarantine */
    slab_front front[SLAB_FRONTS];
};
_Static_assert(sizeof(struct loam_cache) <= 3 * SLAB_LINE, "two lines and a front");

/* Header of a frame that is cut into lines. */
typedef struct slab_lines {
    _Alignas(64) loam_list link;
    uint64_t free; /* bit i: line i is free; bit 0 is this header and never set */
} slab_lines;
_Static_assert(sizeof(slab_lines) == SLAB_LINE, "one line");

/* Blocks that were freed and wait, oldest first. */
typedef struct slab_ring {
    void **block;
    uint32_t cap, head, count;
    uint64_t bytes, limit;
} slab_ring;

struct loam_slabs {
    uintptr_t base;   /* first address of the window, rounded down to a leaf's span */
    uintptr_t len;    /* bytes of the window from there */
    const bool *slow; /* true: every call takes the general path (modes, a trace that is on) */
    uintptr_t mask;   /* slab size - 1 */
    unsigned shift;   /* log2 of the slab size */
    unsigned modes;
    bool keep_empty;
    bool always;          /* what `slow` points to unless only the trace decides */
    uint64_t none;        /* 0: the current word of a front that has none */
    uint32_t building;    /* > 0: leaves and line frames that look unused may be in use soon */
    uint32_t leaves;      /* entries of leaf[] */
    uintptr_t no_leaf;    /* the frame of zeros; a real leaf when the window needs only one */
    uintptr_t align_max;  /* alignment on which addresses and frames agree, 0: every one */
    uint64_t rng;         /* of the random mode */
    uint64_t first_frame; /* frame of the window's first byte */
    loam_list caches;     /* in order of creation */
    uint32_t cache_count;
    loam_list lines_partial; /* slab_lines with a free line */
    loam_list lines_full;
    uint32_t line_frames, lines_used;
    loam_list large;
    uint32_t large_count;
    uint64_t refusals, failures;
    slab_ring ring;
    loam_zone *zone;
    loam_trace *trace;
    /* leaf i describes slab indices 64 i ..: its address less 64 times the first of them, so that
     * adding 64 times an index gives the descriptor */
    uintptr_t leaf[];
};

/* ---- shared small things ---- */

static inline uintptr_t slab_off(const loam_slabs *s, const void *p)
{
    return (uintptr_t)p - s->base;
}

/* off is inside the window. */
static inline slab_desc *slab_desc_at(const loam_slabs *s, uintptr_t off)
{
    uintptr_t index = off >> s->shift;
    return (slab_desc *)(s->leaf[index >> SLAB_LEAF_BITS] + index * SLAB_LINE);
}

/* The front of this processor; the caller keeps interrupts off. */
static inline slab_front *slab_front_of(loam_cache *cache)
{
    return &cache->front[0];
}

/* ceil(2^32 / stride), stride 1 .. 65536: 0 would mean "no slab". */
static inline uint32_t slab_reciprocal(uint32_t stride)
{
    return UINT32_MAX / stride + 1;
}

static inline unsigned slab_word_count(const loam_cache *c)
{
    return (c->slots + 63) >> 6;
}

static inline uint64_t slab_full_word(const loam_cache *c, unsigned i)
{
    return loam_mask64(c->slots - 64 * i);
}

static inline bool slab_has_info(const loam_slabs *s)
{
    return (s->modes & SLAB_INFO_MODES) != 0;
}

static inline slab_info *slab_info_of(const slab_desc *d, unsigned slot)
{
    return (slab_info *)(void *)(d->words + slab_word_count(d->cache)) + slot;
}

static inline bool slab_slot_is_free(const slab_desc *d, unsigned slot)
{
    return (d->words[slot >> 6] >> (slot & 63) & 1) != 0;
}

static inline unsigned char *slab_slot_base(const slab_desc *d, unsigned slot)
{
    return d->base + slot * d->cache->stride;
}

/* The block in a slot that is out. */
static inline unsigned char *slab_block_of(const slab_desc *d, unsigned slot)
{
    size_t lead = slab_has_info(d->cache->slabs) ? slab_info_of(d, slot)->lead : 0;
    return slab_slot_base(d, slot) + lead;
}

static inline unsigned char *slab_large_block(const slab_desc *d)
{
    return d->base + (d->lead_log2 == 0 ? 0 : (size_t)1 << d->lead_log2);
}

/* Freed objects of a cache with a constructor keep their contents. */
static inline bool slab_poisons(const loam_cache *c)
{
    return (c->slabs->modes & LOAM_SLAB_POISON) != 0 && c->ctor == NULL;
}

/* ---- fast paths: nothing is called, nothing is divided ---- */

/* Takes the lowest free slot of the current word; false when it has none. Interrupts are off. */
static inline bool slab_take_fast(loam_cache *c, void **object)
{
    slab_front *f = slab_front_of(c);
    uint64_t *word = f->word, w = *word;
    if (LOAM_UNLIKELY(w == 0))
        return false;
    slab_desc *d = f->slab;
    *word = w & (w - 1);
    d->used++;
    size_t slot = ((uintptr_t)word - (uintptr_t)d->words) * 8 + loam_ctz64(w);
    *object = d->base + slot * c->stride;
    return true;
}

typedef enum slab_put { SLAB_PUT, SLAB_PUT_REFUSED, SLAB_PUT_SETTLE } slab_put;

/* Frees the slot that starts at off, unless it is none, or not of this owner (a loam_kmalloc) or
 * cache, or free already: then nothing has changed. SETTLE: done, and *settle and *at are for
 * loam_slab__settle. Interrupts are off, off is inside the window. */
static inline slab_put slab_put_fast(const loam_slabs *s, uintptr_t off, const void *owner,
                                     const loam_cache *cache, slab_desc **settle, uint64_t **at)
{
    slab_desc *d = slab_desc_at(s, off);
    uint64_t recip = d->recip, x = (off & s->mask) * recip;
    if (LOAM_UNLIKELY((uint32_t)x >= (uint32_t)recip))
        return SLAB_PUT_REFUSED;
    loam_cache *c = d->cache;
    uint32_t slot = (uint32_t)(x >> 32);
    if (LOAM_UNLIKELY((cache != NULL ? c != cache : c->owner != owner) || slot >= c->slots))
        return SLAB_PUT_REFUSED;
    uint64_t *word = d->words + (slot >> 6), w = *word, next = w | 1ULL << (slot & 63);
    if (LOAM_UNLIKELY(next == w)) /* it is free already */
        return SLAB_PUT_REFUSED;
    slab_front *f = slab_front_of(c);
    *word = next;
    f->word = *at = word;
    f->slab = *settle = d;
    bool empty = --d->used == 0; /* first of the two questions: it is one with the subtraction */
    if (LOAM_UNLIKELY(empty && f->empty != d))
        return SLAB_PUT_SETTLE;
    return LOAM_UNLIKELY(w == 0) ? SLAB_PUT_SETTLE : SLAB_PUT;
}

/* ---- slab.c ---- */

/* The general allocation: refills, modes, trace. align: 0 for the cache's own. */
void *loam_slab__alloc(loam_cache *c, size_t size, size_t align, const void *site);
/* The general free, by a block of this owner or cache (the other is NULL). */
loam_err loam_slab__free(loam_slabs *s, void *p, const void *owner, const loam_cache *cache,
                         const void *caller);
/* After a slot was freed into a word that was empty, or a slab became empty. Restores irq. */
loam_err loam_slab__settle(slab_desc *d, uint64_t *word, loam_irq irq);
/* Makes a slot that is out free. */
void loam_slab__put_slot(slab_desc *d, unsigned slot);
/* Gives back the slab the front keeps empty, if any. */
bool loam_slab__drop_empty(loam_cache *c);
/* Waiting blocks, kept slabs, unused leaves and line frames go; true when something went. */
bool loam_slab__reclaim(loam_slabs *s);

/* ---- slab_find.c ---- */

typedef enum slab_fault {
    SLAB_FINE,
    SLAB_IS_FREE,
    SLAB_IS_WAITING,
    SLAB_IS_INNER,
    SLAB_IS_MISALIGNED,
    SLAB_IS_FOREIGN,
    SLAB_IS_OTHERS,
    SLAB_FAULTS
} slab_fault;

typedef struct slab_place {
    slab_desc *desc; /* NULL when the address is nowhere in a slab or large block */
    unsigned slot;   /* of a slab */
} slab_place;

/* Finds the block that is out at exactly p; any other answer than SLAB_FINE says what p is. */
slab_fault loam_slab__find(const loam_slabs *s, const void *p, const void *owner,
                           const loam_cache *cache, slab_place *at);
/* Reports a fault found so: LOAM_EINVAL. freeing: free, else another use. */
loam_err loam_slab__refuse(loam_slabs *s, const void *p, slab_fault fault, const slab_place *at,
                           bool freeing, const void *caller);
/* The words for a fault: of a free, else of another use. */
const char *loam_slab__what(slab_fault fault, bool freeing);
/* The rule that a free of such an address would break. */
const char *loam_slab__rule_at_risk(slab_fault fault);
/* Name, size and site of what lies there, for a report. */
void loam_slab__describe(const slab_place *at, loam_report *r);
/* Bytes that the owner of the block may use. */
size_t loam_slab__usable(const slab_place *at);
/* The next descriptor in use at or after *index, which is moved past it; NULL: no more. */
slab_desc *loam_slab__next(const loam_slabs *s, uintptr_t *index);

/* ---- slab_meta.c ---- */

void *loam_slab__frames_alloc(loam_slabs *s, uint64_t npages);
void loam_slab__frames_free(loam_slabs *s, void *va);
/* The descriptor for an address of the window, its leaf made when missing; NULL: no memory. */
slab_desc *loam_slab__desc_make(loam_slabs *s, const void *va);
/* Gives back the leaf of this address, or every one (NULL), when nothing uses it; did any go? */
bool loam_slab__leaf_trim(loam_slabs *s, const void *va);
/* Whole lines, or whole frames when that is more than a frame has. NULL: no memory. */
void *loam_slab__meta_alloc(loam_slabs *s, size_t bytes);
void loam_slab__meta_free(loam_slabs *s, void *p, size_t bytes);
/* Gives back line frames that nothing uses; did any go? */
bool loam_slab__meta_trim(loam_slabs *s);

/* ---- slab_modes.c ---- */

uint64_t loam_slab__random(loam_slabs *s);
/* A slot that was just taken becomes a block: poison checked, magic written. */
void *loam_slab__dress(slab_desc *d, unsigned slot, size_t size, size_t align, const void *site);
/* A block comes back: magic checked, poison written; the slot is free or waits. */
void loam_slab__undress(slab_desc *d, unsigned slot);
/* The size of a block changes in place. */
void loam_slab__redress(const loam_slabs *s, const slab_place *at, size_t size, const void *site);
/* The first bytes of a new slab, and the last look at one that goes. */
void loam_slab__slab_comes(slab_desc *d);
void loam_slab__slab_goes(const slab_desc *d);
void loam_slab__large_dress(slab_desc *d, const loam_slabs *s);
void loam_slab__large_undress(loam_slabs *s, slab_desc *d);
/* The side of the block whose magic is damaged, or NULL. */
const char *loam_slab__guard_fault(const slab_place *at, const loam_slabs *s);
bool loam_slab__poison_fault(const slab_desc *d, unsigned slot);
_Noreturn void loam_slab__damage(const char *rule, const char *state, const slab_place *at);
/* Lets the oldest waiting blocks go until at most `bytes` wait. */
void loam_slab__quarantine_trim(loam_slabs *s, uint64_t bytes);

/* ---- slab_large.c ---- */

void *loam_slab__large_alloc(loam_slabs *s, const void *owner, size_t size, size_t align,
                             const void *site);
/* Traces what happens to a large block, and counts OBJ_FAIL. */
void loam_slab__large_tell(loam_slabs *s, loam_trace_kind kind, const void *p, uint64_t size);
/* Gives the frames back; the block is out or waits. */
void loam_slab__large_release(loam_slabs *s, slab_desc *d);
/* Bytes for the block in its frames. */
size_t loam_slab__large_room(const loam_slabs *s, const slab_desc *d);

/* ---- slab_check.c ---- */

/* S6: may the leaves be read? The first question of every check. */
const char *loam_slab__check_leaves(const loam_slabs *s);
/* May the large block be believed: its place, its list and its size? */
bool loam_slab__large_is_sound(const loam_slabs *s, const slab_desc *d, uintptr_t index);

/* ---- slab_cache.c ---- */

loam_cache *loam_slab__cache_create(loam_slabs *s, const char *name, size_t size, size_t align,
                                    const void *owner);
size_t loam_slab__stride(const loam_slabs *s, size_t size, size_t align, size_t *lead);

#endif
