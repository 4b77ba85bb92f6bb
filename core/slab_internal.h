/* SPDX-License-Identifier: MIT */
#ifndef LOAM_SLAB_INTERNAL_H
#define LOAM_SLAB_INTERNAL_H

/* slab_internal.h - the object layer's data, shared by slab*.c and kmalloc.c and by nobody else.
 *
 *   address --(- base)--> off --(>> shift)--> index --(leaf[index / 64])--> descriptor, 64 bytes
 *                                                                          |   |    |
 *   cache <--- front: current word, its slab, lists <----------------------+   |    | + one frame
 *     |          ^ one a processor that allocated, and a shared one            v    v
 *     '---front[cpu]                                        free words        remote line
 *                                                           bit set = free    bit set = freed by
 *                                                           the owner's       another: anybody's
 *
 * The guard of a field is the first word of its comment. [own]: the processor whose front owns the
 * slab, with interrupts off; if that is the shared front, whoever holds the layer's lock. [lock]:
 * slab_lock. [init]: written before others see it. [cpu]: one processor's own.
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
    SLAB_OWN_HALVES = 10,   /* halves of remote words in the remote line: of 320 slots */
    SLAB_TURNS = 2,         /* others are asked so often before memory is out */
    SLAB_GATHER = 32,       /* words whose frees a processor gathers */
    SLAB_GUARD_LEAD = 16,   /* least bytes of magic before a block */
    SLAB_GUARD_TAIL = 8,    /* least bytes of magic behind the largest block of a class */
    SLAB_GUARD_MOST = 128,  /* most bytes of it on either side, so that large blocks cost no more */
    SLAB_GUARD_BYTE = 0xfb, /* the magic's, unless it is drawn at random */
    SLAB_POISON_BYTE = 0x6b /* what freed bytes read, unless zero_free says 0 */
};

#define SLAB_MAGIC (SLAB_GUARD_BYTE * 0x0101010101010101ULL)

_Static_assert(SLAB_LEAF == 1 << SLAB_LEAF_BITS && SLAB_LEAF * SLAB_LINE == LOAM_PAGE_SIZE,
               "a leaf is one frame");

/* These modes keep a slab_info for each slot. */
#define SLAB_INFO_MODES (LOAM_SLAB_GUARD | LOAM_SLAB_QUARANTINE | LOAM_SLAB_OWNER)

typedef enum slab_kind { SLAB_NONE, SLAB_SLOTS, SLAB_LARGE, SLAB_KINDS } slab_kind;

/* What is known of one slab-sized piece of the window. Where nothing of ours starts all is zero but
 * `front`, and the fast path of free fails by itself: that front takes nobody's frees. */
typedef struct slab_desc {
    _Alignas(64) union {
        uint32_t recip;  /* [init] slots: ceil(2^32 / stride) */
        uint32_t npages; /* [init] large: frames */
    };
    /* [atomic] slots: processor of the front that owns it, changes with `front`; else 0 */
    uint8_t cpu;
    uint8_t nothing;     /* 0 */
    uint8_t kind;        /* [lock] slab_kind */
    uint8_t large;       /* of a large block: SLAB_LARGE_OUT, ..; claimed and given out by a cas */
    unsigned char *base; /* [init] first byte of the frames */
    loam_list link;      /* [own] slots: partial or full list; large [lock]: all */
    /* [atomic] the slab_front that owns it, changes under the lock; all but slots: the layer's
     * `nobody` */
    void *front;
    union {
        struct {
            uint64_t *words; /* [init] behind their slab_head; then each slot's slab_info */
            uint32_t bound;  /* [init] as in slab_front */
            uint64_t tag;    /* [init] slab_tag_of word 0; stays when the slab goes */
        };
        struct {
            const void *nowhere; /* NULL */
            const char *former;  /* [lock] where nothing starts: the class that did, or NULL */
        };
        struct {
            union {
                void *owner; /* the loam_kmalloc; views read it and what follows at any time */
                struct slab_desc *next; /* [kept] of the list of what is kept */
            };
            uint64_t size; /* bytes asked for; of a slab that is kept, its former name */
            void *site;    /* of a slab that is kept, its tag: a late free finds it */
        };
    };
} slab_desc;
_Static_assert(sizeof(slab_desc) == SLAB_LINE, "one cache line");

/* What each allocation and each free of the owner changes: before the free words, and not in the
 * descriptor, which others read who free. */
typedef struct slab_head {
    uint64_t any;     /* [own] bit i: word i may have a free slot; clear: it has none */
    uint32_t used;    /* [own] slots that are out */
    uint32_t nothing; /* 0 */
} slab_head;

enum {
    SLAB_INNER_BYTES = sizeof(slab_head) + sizeof(uint64_t),
    SLAB_INNER_AT = SLAB_LINE - SLAB_INNER_BYTES,
    /* With 32-bit addresses a descriptor has room for the head and word of so many slots. */
    SLAB_INNER_SLOTS = sizeof(void *) == 4 ? 64 : 0
};
_Static_assert(SLAB_INNER_SLOTS == 0 ||
                   offsetof(slab_desc, tag) + sizeof(uint64_t) <= SLAB_INNER_AT,
               "the rest of a descriptor lies before them");

/* The other line of a slab in a layer of many processors, one frame behind the descriptor: what
 * those write that do not own the slab. slab_remote.c has the protocol. All zero: no slab. */
typedef struct slab_remote {
    _Alignas(64) uint32_t state; /* [atomic] generation, alive, queued, pins */
    uint32_t next;   /* of who queued it: index + 1 of the next slab of a stack, 0: the last */
    uint32_t any[2]; /* [atomic] bit i: word i may have remote bits */
    uint32_t *half;  /* [init] the remote words in halves [atomic]: `own`, or lines of their own */
    uint32_t own[SLAB_OWN_HALVES];
} slab_remote;
_Static_assert(sizeof(slab_remote) == SLAB_LINE, "one cache line");

/* slab_remote.state */
enum {
    SLAB_PIN = 1, /* so many publish, look or take: the slab stays */
    SLAB_PINS = 0xfff,
    SLAB_ALIVE = 0x1000,
    SLAB_QUEUED = 0x2000, /* on a stack, or on its way there */
    SLAB_GENERATION = 16  /* from this bit up: which of the slabs that were at this place */
};

typedef enum slab_state { SLAB_FREE, SLAB_OUT, SLAB_WAITING } slab_state;

/* slab_desc.large: the block is out. Clear while it waits, in quarantine or kept, and where no such
 * block is, so that a free that comes late finds nothing to claim. */
enum {
    SLAB_LARGE_OUT = 0x80,
    SLAB_LARGE_SLAB = 0x40, /* it waits, and was a slab */
    SLAB_LARGE_LEAD = 0x3f  /* log2 of the bytes before it, 0 for none */
};

/* Of one slot, with SLAB_INFO_MODES. */
typedef struct slab_info {
    const void *site;
    uint32_t size; /* bytes asked for */
    uint32_t tag;  /* [atomic] slab_state, and above it the slot's bytes before the block */
} slab_info;

enum { SLAB_TAG_STATE = 3, SLAB_TAG_LEAD = 2 /* mask; shift */ };

static inline uint32_t slab_tag(size_t lead, slab_state state)
{
    return (uint32_t)lead << SLAB_TAG_LEAD | (uint32_t)state;
}

/* Anybody may ask. no order: a block that is out stays so until it is freed. */
static inline slab_state slab_state_of(const slab_info *info)
{
    return (slab_state)(loam_atomic_peek(&info->tag) & SLAB_TAG_STATE);
}

static inline size_t slab_lead_of(const slab_info *info)
{
    return loam_atomic_peek(&info->tag) >> SLAB_TAG_LEAD; /* no order: as above */
}

/* One processor's part of a cache; or the shared one's, which has no current word: the fast paths
 * find nothing there. */
typedef struct slab_front {
    _Alignas(64) uint64_t *word; /* [cpu] current free word; the layer's zero word for none */
    slab_desc *slab;             /* [cpu] the slab of the current word */
    uintptr_t key;     /* [init] the address of the loam_kmalloc or cache; the shared one's: 0 */
    uint32_t bound;    /* [init] what a slot's offset leaves at most in the low half: slab_bound */
    uint32_t slabs;    /* [atomic] on both lists, and on their way to or from them */
    loam_list partial; /* [own] slabs with any != 0 */
    loam_list full;    /* [own] slabs with any == 0 */
    /* what others read who free */
    _Alignas(64) uintptr_t
        told_key; /* [init] the same as key; 0 in a layer without remote words, or with records */
    loam_cache *cache; /* [init] */
    uint32_t stride;   /* [init] as in loam_cache */
    uint32_t cpu;      /* [init] processor; the layer's ncpus: the shared one */
    slab_desc *empty;  /* [own] the last slab that was seen to become empty, or NULL */
    uint64_t rng;      /* [own] of the random mode */
} slab_front;
_Static_assert(offsetof(slab_front, told_key) == SLAB_LINE, "one line for each side");

struct loam_cache {
    /* read by the fast paths */
    _Alignas(64) const bool *slow; /* as in loam_slabs */
    uint32_t stride;               /* [init] bytes a slot */
    uint32_t slots;                /* [init] slots a slab */
    uint32_t recip;                /* [init] ceil(2^32 / stride) */
    /* the rest */
    uint32_t align;
    const void *owner; /* the loam_kmalloc whose class this is, or NULL */
    loam_slabs *slabs;
    const char *name;
    size_t size;    /* bytes of an object */
    loam_list link; /* [lock] */
    loam_ctor_fn *ctor;
    void *ctx;
    uint32_t lead; /* bytes of magic before an object of default alignment */
    /* [cpu] whom each processor uses: its own, or the shared one's */
    slab_front *front[LOAM_PORT_MAX_CPUS];
    slab_front shared; /* whom all share; of a layer of one processor that one's */
    /* [lock] each processor's own, as many as loam_slabs.parts; NULL: not made yet */
    slab_front *part[];
};

/* Header of a frame that is cut into lines. */
typedef struct slab_lines {
    _Alignas(64) loam_list link;
    uint64_t free; /* bit i: line i is free; bit 0 is this header and never set */
} slab_lines;
_Static_assert(sizeof(slab_lines) == SLAB_LINE, "one line");

/* Blocks that were freed and wait, oldest first. slab_quarantine.c */
typedef struct slab_ring {
    void **block;
    uint32_t cap, head;
    uint32_t count; /* [own] stored whole, for views that add it up */
    uint64_t bytes, limit;
} slab_ring;

/* Frees of another's objects, not told yet: those of one word. */
typedef struct slab_gathered {
    uint64_t tag;  /* whose: slab_tag_of; 0: nothing */
    uint64_t bits; /* bit i set: slot i was freed here, or there is none */
} slab_gathered;

/* One comparison tells whether an entry is for a word: index + 1 of the slab, generation, word. */
static inline uint64_t slab_tag_of(uint32_t slab, uint32_t generation, unsigned word)
{
    return (uint64_t)slab << 32 | (generation & 0xffff) << 16 | word;
}

/* Where no slab was: neither an entry nor a slab has it. */
#define SLAB_GONE slab_tag_of(UINT32_MAX, 0, 0)

static inline uint32_t slab_tag_slab(uint64_t tag)
{
    return (uint32_t)(tag >> 32);
}

static inline uint32_t slab_tag_generation(uint64_t tag)
{
    return (uint32_t)tag >> 16;
}

static inline unsigned slab_tag_word(uint64_t tag)
{
    return (unsigned)tag & 0xffff;
}

/* Its place in the table: neighbouring slabs start five apart. */
static inline unsigned slab_gather_at(const slab_desc *d, unsigned word)
{
    return ((unsigned)((uintptr_t)d / SLAB_LINE) * 5 + word) & (SLAB_GATHER - 1);
}

/* What a processor has beside its fronts. */
typedef struct slab_cpu {
    _Alignas(64) uint32_t stack; /* [atomic] index + 1 of the slab queued last; 0; SLAB_CLOSED */
    uint32_t asked;              /* [atomic] 1: memory is short elsewhere */
    /* [cpu] bytes that may still be gathered before all is told; slab_room: nothing is */
    _Alignas(64) uint32_t room;
    bool offline;                     /* [lock] written by the processor itself */
    slab_gathered entry[SLAB_GATHER]; /* [cpu] */
    slab_ring ring;                   /* [cpu] */
} slab_cpu;

#define SLAB_CLOSED UINT32_MAX

typedef enum slab_gathering { SLAB_GATHERED, SLAB_TWICE, SLAB_FULL, SLAB_MUCH } slab_gathering;

/* One bit more for a word that has its entry. Interrupts are off. */
static inline slab_gathering slab_gather(slab_gathered *at, uint64_t bit)
{
    uint64_t bits = at->bits;
    if (LOAM_UNLIKELY((bits & bit) != 0))
        return SLAB_TWICE;
    at->bits = bits |= bit;
    return LOAM_LIKELY(bits != UINT64_MAX) ? SLAB_GATHERED : SLAB_FULL;
}

enum { SLAB_KEPT_LISTS = 44, SLAB_KEPT_MOST = 1024 /* frames */ };

/* Large blocks that a processor freed and keeps for its next request: slab_kept.c. */
typedef struct slab_kept {
    _Alignas(64) loam_lock lock; /* a leaf */
    uint32_t frames; /* [atomic] of all of them, written with the lock; others read it as a hint */
    uint32_t blocks; /* [kept] the lock above */
    uint32_t hand;   /* [kept] the list from which the next goes, when they are too many */
    uint64_t lists;  /* [kept] bit i: list i has blocks */
    slab_desc *list[SLAB_KEPT_LISTS]; /* [kept] newest first, linked by `next` */
} slab_kept;

struct loam_slabs {
    uintptr_t base;   /* first address of the window, rounded down to a leaf's span */
    uintptr_t len;    /* bytes of the window from there */
    const bool *slow; /* true: every call takes the general path (modes, a trace that is on) */
    uintptr_t mask;   /* slab size - 1 */
    unsigned shift;   /* log2 of the slab size */
    unsigned modes;
    bool keep_empty;
    bool lazy;            /* [init] a processor's front comes with its first block */
    bool locked;          /* many processors and a mode: all use the shared fronts */
    uint32_t ncpus;       /* 1: no locks, no remote lines, no shared fronts */
    uint32_t parts;       /* processors with fronts of their own; 0: all use the shared ones */
    loam_lock lock;       /* a leaf: nothing else is taken or called while it is held */
    uint32_t births;      /* [lock] generation of the slab made last */
    slab_cpu *cpu;        /* one for each processor, NULL with one */
    bool always;          /* what `slow` points to unless only the trace decides */
    slab_front nobody;    /* owns what is no slab; has no key */
    uint64_t none;        /* 0: the current word of a front that has none */
    uint32_t building;    /* > 0: leaves and line frames that look unused may be in use soon */
    uint32_t leaves;      /* entries of leaf[] */
    uintptr_t no_leaf;    /* the leaf of nothing; a real leaf when the window needs only one */
    uintptr_t align_max;  /* alignment on which addresses and frames agree, 0: every one */
    uint64_t rng;         /* [lock] of the random mode: fronts draw their first from it */
    uint64_t magic;       /* [init] of the guard mode */
    uint64_t first_frame; /* frame of the window's first byte */
    loam_zone *meta;      /* [init] of what is its own; NULL: the same zones as of objects */
    loam_linear meta_map; /* [init] that zone's; len 0 without it */
    void (*seal)(void *va, size_t len); /* [init] or NULL */
    loam_list caches;                   /* in order of creation */
    uint32_t cache_count;
    loam_list lines_partial; /* slab_lines with a free line */
    loam_list lines_full;
    uint32_t line_frames, lines_used;
    loam_list large;
    uint32_t large_count;
    uint64_t refusals, failures;
    slab_ring ring;       /* [lock] of who has none of its own, and of large blocks */
    slab_kept *kept;      /* one for each processor and one for all others; NULL: none is kept */
    uint32_t kept_frames; /* [init] that a processor keeps at most; a block has half of that */
    loam_zonelist zones;  /* [init] the layer's own, and those that it falls back to */
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

/* May something of the layer's own lie there? */
static inline bool slab_holds(const loam_slabs *s, const void *p)
{
    return slab_off(s, p) < s->len ||
           (uintptr_t)p - (uintptr_t)s->meta_map.va < (uintptr_t)s->meta_map.len;
}

/* off is inside the window. */
static inline slab_desc *slab_desc_at(const loam_slabs *s, uintptr_t off)
{
    uintptr_t index = off >> s->shift;
    return (slab_desc *)(s->leaf[index >> SLAB_LEAF_BITS] + index * SLAB_LINE);
}

/* The front of this processor; the caller keeps interrupts off. */
static inline slab_front *slab_front_of(loam_cache *c)
{
    return LOAM_PORT_MAX_CPUS == 1 ? &c->shared : c->front[loam_port_cpu()];
}

static inline bool slab_is_many(const loam_slabs *s)
{
    return LOAM_PORT_MAX_CPUS > 1 && s->ncpus > 1;
}

/* The front that owns a slab. Only the owner changes it, who so reads what is; what others read may
 * be out of date, and they find out at the stack or under the lock. */
static inline slab_front *slab_owner_of(const slab_desc *d)
{
    /* pairs with the store in slab_fill_desc, front_move: a front may be younger than the slab */
    return loam_atomic_ptr_load(&d->front);
}

/* Is it this processor's? no order: as above. Interrupts are off. */
static inline bool slab_is_here(const slab_desc *d)
{
    return LOAM_PORT_MAX_CPUS == 1 || loam_atomic_byte_peek(&d->cpu) == loam_port_cpu();
}

/* Under the lock, which keeps out all others that write it. */
static inline void slab_set_cpu(slab_desc *d, uint32_t cpu)
{
    uint8_t old = loam_atomic_byte_peek(&d->cpu); /* no order: the lock */
    /* no order: who reads the old one asks the front, too */
    (void)loam_atomic_byte_cas(&d->cpu, old, (uint8_t)cpu);
}

static inline bool slab_is_shared(const loam_slabs *s, const slab_front *f)
{
    return slab_is_many(s) && f->cpu == s->ncpus;
}

static inline loam_cache *slab_cache_of(const slab_desc *d)
{
    return slab_owner_of(d)->cache;
}

/* slab_cpu.room at first. */
static inline uint32_t slab_room(const loam_slabs *s)
{
    return (uint32_t)(2 * s->mask);
}

/* Only where there are many processors. */
static inline slab_remote *slab_remote_of(const slab_desc *d)
{
    return (slab_remote *)((uintptr_t)d + LOAM_PAGE_SIZE);
}

/* Frames of a leaf: descriptors, and behind them the remote lines. */
static inline uint64_t slab_leaf_frames(const loam_slabs *s)
{
    return slab_is_many(s) ? 2 : 1;
}

/* Can others free slots of the layer's slabs, by their remote words? */
static inline bool slab_has_remote(const loam_slabs *s)
{
    return slab_is_many(s) && !s->locked;
}

/* Interrupts off, and with many processors the layer's lock. */
static inline loam_irq slab_lock(loam_slabs *s)
{
    return slab_is_many(s) ? loam_lock_acquire(&s->lock) : loam_port_irq_save();
}

static inline void slab_unlock(loam_slabs *s, loam_irq irq)
{
    if (slab_is_many(s))
        loam_lock_release(&s->lock, irq);
    else
        loam_port_irq_restore(irq);
}

/* ceil(2^32 / stride), stride 1 .. 65536: 0 would mean "no slab". */
static inline uint32_t slab_reciprocal(uint32_t stride)
{
    return UINT32_MAX / stride + 1;
}

/* The last slot's offset leaves (slots - 1) x (stride x recip - 2^32) in the low half, the others
 * less. What follows the last slot leaves more, if there is room for a first byte of another; what
 * lies inside a slot leaves recip at least, and that is more than 2^16 and so than this. */
static inline uint32_t slab_bound(uint32_t stride, uint32_t slots)
{
    return (slots - 1) * (stride * slab_reciprocal(stride));
}

static inline unsigned slab_word_count(const loam_cache *c)
{
    return (c->slots + 63) >> 6;
}

static inline slab_head *slab_head_of(const slab_desc *d)
{
    return (slab_head *)(void *)d->words - 1;
}

/* The words of a slab that has no lines for them. */
static inline slab_head *slab_inner_head(slab_desc *d)
{
    return (slab_head *)(void *)((unsigned char *)d + SLAB_INNER_AT);
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
    return (slab_info *)(void *)(d->words + slab_word_count(slab_cache_of(d))) + slot;
}

/* Anybody may ask. no order: a block that is out reads 0 until it is freed. */
static inline bool slab_slot_is_free(const slab_desc *d, unsigned slot)
{
    return (loam_atomic_peek64(&d->words[slot >> 6]) >> (slot & 63) & 1) != 0;
}

static inline unsigned char *slab_slot_base(const slab_desc *d, unsigned slot)
{
    return d->base + (size_t)slot * slab_cache_of(d)->stride;
}

/* Nothing of ours starts here any more; or not yet. former: the name of the class that did, for who
 * frees it once more; or NULL. */
static inline void slab_desc_clear(loam_slabs *s, slab_desc *d, const char *former)
{
    /* no order: what was freed nobody may free. Never NULL: who does so all the same looks there */
    loam_atomic_ptr_store(&d->front, &s->nobody);
    if (d->kind != SLAB_SLOTS)
        d->tag = SLAB_GONE;
    d->recip = d->nothing = d->kind = d->large = 0;
    slab_set_cpu(d, 0);
    d->base = NULL;
    d->link = (loam_list){NULL, NULL};
    d->words = NULL;
    d->former = former;
}

/* The class whose blocks were where nothing is now, or NULL. */
static inline const char *slab_former_of(const slab_desc *d)
{
    return d->kind == SLAB_NONE ? d->former : NULL;
}

static inline size_t slab_large_bytes(const slab_desc *d)
{
    return (size_t)d->npages << LOAM_PAGE_SHIFT;
}

/* The block in a slot that is out. */
static inline unsigned char *slab_block_of(const slab_desc *d, unsigned slot)
{
    size_t lead = slab_has_info(slab_cache_of(d)->slabs) ? slab_lead_of(slab_info_of(d, slot)) : 0;
    return slab_slot_base(d, slot) + lead;
}

/* Bytes before a large block. no order: they are for good. */
static inline size_t slab_large_lead(const slab_desc *d)
{
    unsigned log2 = loam_atomic_byte_peek(&d->large) & (unsigned)SLAB_LARGE_LEAD;
    return log2 == 0 ? 0 : (size_t)1 << log2;
}

static inline unsigned char *slab_large_block(const slab_desc *d)
{
    return d->base + slab_large_lead(d);
}

/* no order: who holds the block knows; others learn what was. */
static inline bool slab_large_is_out(const slab_desc *d)
{
    return (loam_atomic_byte_peek(&d->large) & SLAB_LARGE_OUT) != 0;
}

/* no order: as above. */
static inline bool slab_large_was_slab(const slab_desc *d)
{
    return (loam_atomic_byte_peek(&d->large) & SLAB_LARGE_SLAB) != 0;
}

/* The class of the slab that a kept block was, or NULL. no order: as above. */
static inline const char *slab_large_former(const slab_desc *d)
{
    return (const char *)(uintptr_t)loam_atomic_peek64(&d->size);
}

/* Bytes asked for. no order: as above. */
static inline size_t slab_large_size(const slab_desc *d)
{
    return (size_t)loam_atomic_peek64(&d->size);
}

/* Freed objects of a cache with a constructor keep their contents. */
static inline bool slab_poisons(const loam_cache *c)
{
    return (c->slabs->modes & LOAM_SLAB_POISON) != 0 && c->ctor == NULL;
}

/* xorshift64: a state that is not 0 stays so. */
static inline uint64_t loam_slab__random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return x >> 11;
}

/* [own] Any bit of a word that has one. */
static inline unsigned slab_random_bit(slab_front *f, uint64_t w)
{
    uint64_t high = w & ~loam_mask64((unsigned)loam_slab__random(&f->rng) & 63);
    return loam_ctz64(high != 0 ? high : w);
}

static inline unsigned char slab_poison_byte(const loam_slabs *s)
{
    return (s->modes & LOAM_SLAB_ZERO_FREE) != 0 ? 0 : SLAB_POISON_BYTE;
}

static inline uint64_t slab_poison_word(const loam_slabs *s)
{
    return slab_poison_byte(s) * 0x0101010101010101ULL;
}

/* ---- fast paths: nothing is called, nothing is divided, no lock, no locked instruction ---- */

/* Takes the lowest free slot of the current word; false when it has none. Interrupts are off. */
static inline bool slab_take_fast(loam_cache *c, void **object)
{
    slab_front *f = slab_front_of(c);
    uint64_t *word = f->word, w = *word;
    if (LOAM_UNLIKELY(w == 0))
        return false;
    slab_desc *d = f->slab;
    loam_atomic_poke64(word, w & (w - 1)); /* no order: others look, see slab_slot_is_free */
    slab_head_of(d)->used++;
    uint32_t first = (uint32_t)((uintptr_t)word - (uintptr_t)d->words) * 8;
    *object = d->base + (first + loam_ctz64(w)) * c->stride;
    LOAM_PORT_NOTE_ALLOC(c, *object, c->size, c->ctor != NULL);
    return true;
}

typedef enum slab_put { SLAB_PUT, SLAB_PUT_REFUSED, SLAB_PUT_SETTLE } slab_put;

/* Frees the slot that starts at off, unless it is none, or free already, or not of a slab that this
 * processor owns and that belongs to `base`, a loam_kmalloc or a cache: then nothing has changed.
 * *desc: what the address's descriptor is. SETTLE: done, and *desc and *at are for
 * loam_slab__settle. Interrupts are off, off is inside the window. */
static inline slab_put slab_put_fast(const loam_slabs *s, uintptr_t off, const void *base,
                                     slab_desc **desc, uint64_t **at)
{
    slab_desc *d = *desc = slab_desc_at(s, off);
    uint64_t x = (uint64_t)(uint32_t)(off & s->mask) * d->recip;
    slab_front *f = slab_owner_of(d);
    if (LOAM_UNLIKELY(!slab_is_here(d) || f->key != (uintptr_t)base || (uint32_t)x > f->bound))
        return SLAB_PUT_REFUSED;
    uint32_t slot = (uint32_t)(x >> 32);
    slab_head *head = slab_head_of(d);
    uint64_t *word = (uint64_t *)(void *)(head + 1) + (slot >> 6), w = *word,
             next = w | 1ULL << (slot & 63);
    if (LOAM_UNLIKELY(next == w)) /* it is free already */
        return SLAB_PUT_REFUSED;
    LOAM_PORT_NOTE_FREE(f->cache, (void *)(s->base + off), f->cache->size);
    loam_atomic_poke64(word, next); /* no order: as above */
    f->word = *at = word;
    f->slab = d;
    bool empty = --head->used == 0; /* the first question: it is one with the subtraction */
    if (LOAM_UNLIKELY(empty && f->empty != d))
        return SLAB_PUT_SETTLE;
    return LOAM_UNLIKELY(w == 0) ? SLAB_PUT_SETTLE : SLAB_PUT;
}

/* ---- slab.c ---- */

/* The next word with a free slot, and a slot of it; false: every slab of this processor's front is
 * full, or it has none of its own. Not with modes. */
bool loam_slab__refill(loam_cache *c, void **object);
/* The general allocation: refills, modes, trace. align: 0 for the cache's own. */
void *loam_slab__alloc(loam_cache *c, size_t size, size_t align, const void *site);
/* The general free, by a block of this owner or cache (the other is NULL). */
loam_err loam_slab__free(loam_slabs *s, void *p, const void *owner, loam_cache *cache,
                         const void *caller);
/* After a slot was freed into a word that was empty, or a slab became empty. Restores irq. */
loam_err loam_slab__settle(slab_desc *d, uint64_t *word, loam_irq irq);
/* Makes a slot that is out free, or tells its owner; false: it is free, or told already. */
bool loam_slab__put_slot(slab_desc *d, unsigned slot);
/* [own] Puts the slab on the list that `any` wants. */
void loam_slab__list(slab_desc *d);
/* [own] The slab has no object out: which is to go now, off its list and dead, or NULL. */
slab_desc *loam_slab__emptied(slab_desc *d);
/* Gives back a slab that is off its list and dead. */
void loam_slab__release(slab_desc *d);
/* Waiting blocks, kept slabs, unused leaves and line frames go; true when something went. Other
 * processors are asked for theirs. */
bool loam_slab__reclaim(loam_slabs *s);

/* ---- slab_fronts.c ---- */

/* Between enter or own, and leave, a front and its slabs are the caller's. */
typedef struct slab_hold {
    loam_irq irq;
    bool locked;
} slab_hold;

/* The front that this processor uses. */
slab_front *loam_slab__enter(loam_cache *c, slab_hold *hold);
/* The front of a slab that is alive; false: it is another processor's, and nothing is held. */
bool loam_slab__own(slab_desc *d, slab_hold *hold);
void loam_slab__leave(loam_slabs *s, const slab_hold *hold);
/* Gives back the empty slabs that this processor and the shared front keep, of a cache or of all
 * (NULL); did any go? */
bool loam_slab__drop_empty(loam_slabs *s, loam_cache *c);
/* Takes what others freed of this processor's, and gives if they asked; was there anything? */
bool loam_slab__look(loam_slabs *s);
/* A slab with free slots that others handed over becomes this processor's; was there one? */
bool loam_slab__adopt(loam_cache *c);
/* Asks every other processor for what it can spare. */
void loam_slab__ask(loam_slabs *s);
/* Waits, if the zone's config says how, until all have given; false: they have not, or there are
 * none. A second turn, which asks again: what one tells an owner in the first, that one gives. */
bool loam_slab__await(loam_slabs *s, unsigned turn);
/* The fronts of a new cache: the shared one, and unless the layer is lazy all others; false: no
 * memory, none is there. */
bool loam_slab__start_fronts(loam_cache *c);
/* Gives this processor a front of its own, unless it has one, or uses what all share; or memory is
 * out: then it goes on using that. */
void loam_slab__make_front(loam_cache *c);
/* Gives back the memory of all but the shared one. */
void loam_slab__end_fronts(loam_cache *c);

/* ---- slab_remote.c ---- */

/* [lock] A slab of the layer begins. half: lines for its remote words, or NULL for those inside. */
void loam_slab__remote_start(loam_slabs *s, slab_desc *d, uint32_t *half);
/* [own] Nobody may touch it any more; false: somebody is about to, and it will be queued. */
bool loam_slab__kill(const loam_slabs *s, const slab_desc *d);
/* Was this slot freed by another processor, and not taken yet? */
bool loam_slab__is_told(const loam_slabs *s, const slab_desc *d, unsigned slot);
/* A slot of another's slab, of this cache, is freed: gathers it; false: it was gathered before. The
 * slab may be gone already, by a wrong free: then its descriptor no longer tells the cache. */
bool loam_slab__gather(loam_slabs *s, const slab_desc *d, const loam_cache *c, unsigned slot);
/* What a gathering asks for that found a word full, or gathered much: tells this word, or all. */
void loam_slab__tell(loam_slabs *s, slab_gathering how, uint64_t tag);
/* Publishes all that this processor gathered. */
void loam_slab__publish_all(loam_slabs *s);
/* Handles the slabs of a stack that was taken whole, this one and those behind it. */
void loam_slab__take_stack(loam_slabs *s, uint32_t first);
/* [lock] Keeps a slab where it is while it is looked at; false: it is gone. */
bool loam_slab__pin(const slab_desc *d);
void loam_slab__unpin(loam_slabs *s, slab_desc *d);

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
slab_fault loam_slab__find(loam_slabs *s, const void *p, const void *owner, const loam_cache *cache,
                           slab_place *at);
/* Reports a fault found so: LOAM_EINVAL. freeing: free, else another use. */
loam_err loam_slab__refuse(loam_slabs *s, const void *p, slab_fault fault, const slab_place *at,
                           bool freeing, const void *caller);
/* [own] Looks at a slab that a slow path came upon, and at the word with a free slot that it is to
 * use: ends with the rule that is broken, if one is. */
void loam_slab__verify(const slab_front *f, const slab_desc *d, const uint64_t *word);
/* The same when no object of the slab is out any more: every bit is set. */
void loam_slab__verify_empty(const slab_desc *d);
/* Counts a refusal. */
void loam_slab__count_refusal(loam_slabs *s);
/* The words for a fault: of a free, else of another use. */
const char *loam_slab__what(slab_fault fault, bool freeing);
/* The rule that a free of such an address would break. */
const char *loam_slab__rule_at_risk(slab_fault fault);
/* Name, size and site of what lies there, for a report. */
void loam_slab__describe(const slab_place *at, loam_report *r);
/* Bytes that the owner of the block may use. */
size_t loam_slab__usable(const slab_place *at);
/* The next descriptor in use at or after *index, which is moved past it; NULL: no more. With many
 * processors [lock], or nobody else inside. */
slab_desc *loam_slab__next(const loam_slabs *s, uintptr_t *index);
/* A walk over all that is in use, by address, while others may be inside. Starts with all zero. */
typedef struct slab_visit {
    uintptr_t index; /* where to look next */
    slab_desc *slab; /* stays where it is until the next step; NULL: a large block, as it was */
    const void *owner, *site;
    void *block; /* NULL: it waits */
    size_t size;
} slab_visit;
bool loam_slab__visit(loam_slabs *s, slab_visit *v);
/* Ends a walk early. */
void loam_slab__visit_end(loam_slabs *s, slab_visit *v);

/* ---- slab_meta.c ---- */

void *loam_slab__frames_alloc(loam_slabs *s, uint64_t npages);
void loam_slab__frames_free(loam_slabs *s, void *va);
/* A block of so many frames has another number of them, in place; false: it has not. */
bool loam_slab__frames_resize(loam_slabs *s, void *va, uint64_t was, uint64_t npages);
/* The same for what is the layer's own. */
void *loam_slab__own_alloc(loam_slabs *s, uint64_t npages);
void loam_slab__own_free(loam_slabs *s, void *va);
/* Does the zone know a frame of the layer's own as the object layers'? */
bool loam_slab__own_is_ours(const loam_slabs *s, const void *va);
/* Makes a frame, or two, a leaf that knows of nothing. */
void loam_slab__leaf_clear(loam_slabs *s, unsigned char *leaf);
/* What the zones say of the frame at an offset of the window. */
loam_frame_state loam_slab__frame_state(const loam_slabs *s, uintptr_t off);
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

/* A slot that was just taken becomes a block: poison checked, magic written. */
void *loam_slab__dress(slab_desc *d, unsigned slot, size_t size, size_t align, const void *site);
/* The same, with what is taken and freed mostly, at once: a slot of the current word with the
 * cache's own alignment, a block of this owner. NULL, false: not so easy, nothing has changed. Only
 * where there are modes. */
void *loam_slab__take_dressed(loam_cache *c, size_t size, const void *site);
bool loam_slab__put_dressed(loam_slabs *s, void *p, const void *owner);
/* A block comes back: magic checked, poison written; the slot is free or waits. false: it came back
 * already. */
bool loam_slab__undress(slab_desc *d, unsigned slot);
/* The size of a block changes in place. */
void loam_slab__redress(const loam_slabs *s, const slab_place *at, size_t size, const void *site);
/* The first bytes of a new slab, and the last look at one that goes. */
void loam_slab__slab_comes(const loam_cache *c, unsigned char *base);
void loam_slab__slab_goes(const slab_desc *d);
void loam_slab__large_dress(slab_desc *d, const loam_slabs *s);
/* false: it came back already. */
bool loam_slab__large_undress(loam_slabs *s, slab_desc *d, const void *p);
/* The side of the block whose magic is damaged, or NULL. */
const char *loam_slab__guard_fault(const slab_place *at, const loam_slabs *s);
bool loam_slab__poison_fault(const loam_slabs *s, const slab_desc *d, unsigned slot);
_Noreturn void loam_slab__damage(const char *rule, const char *state, const slab_place *at);
/* A slot that waits is free from now on; false: its bit says that it is free already. */
bool loam_slab__settle_slot(slab_desc *d, unsigned slot);
/* A large block that waited is looked at, and goes. */
void loam_slab__large_settle(loam_slabs *s, slab_desc *d);

/* ---- slab_quarantine.c ---- */

/* A block that was claimed waits from now on, and others so no longer; false: there is no such
 * mode, or the block is too large for it. */
bool loam_slab__quarantine_put(loam_slabs *s, slab_desc *d, void *p);
/* All that waits in this processor's ring, and in the shared one, goes; did any? */
bool loam_slab__quarantine_empty(loam_slabs *s);
/* Blocks that wait: of all caches and large, of one slab. */
uint64_t loam_slab__quarantined(const loam_slabs *s);
uint32_t loam_slab__waiting(const slab_desc *d);

/* ---- slab_large.c ---- */

void *loam_slab__large_alloc(loam_slabs *s, const void *owner, size_t size, size_t align,
                             const void *site);
/* Traces what happens to a large block, and counts OBJ_FAIL. */
void loam_slab__large_tell(loam_slabs *s, loam_trace_kind kind, const void *p, uint64_t size);
/* Whose a block is, how large, and who asked; it is the caller's. */
void loam_slab__large_name(slab_desc *d, const void *owner, size_t size, const void *site);
/* A block that is out is on its way back; false: it is none, or was claimed before. */
bool loam_slab__large_claim(slab_desc *d, const void *p);
/* Keeps the block or gives its frames back; it is claimed. */
void loam_slab__large_release(loam_slabs *s, slab_desc *d);
/* Its descriptor is clear, and nobody's; the block was claimed. Its frames. */
unsigned char *loam_slab__large_forget(loam_slabs *s, slab_desc *d);
/* Gives the frames back; the block is claimed. */
void loam_slab__large_give_back(loam_slabs *s, slab_desc *d);
/* A large block that is the caller's has room for so many bytes, in place, where blocks are kept:
 * when it grows for some more besides; false: it has not. */
bool loam_slab__large_resize(loam_slabs *s, slab_desc *d, size_t size);
/* Bytes for the block in its frames. */
size_t loam_slab__large_room(const loam_slabs *s, const slab_desc *d);

/* Without modes, a trace or an aligned address: a block out of what is kept; NULL: the general way.
 */
void *loam_slab__large_again(loam_slabs *s, const void *owner, size_t size, const void *site);
/* Without modes or a trace: frees a large block of this owner that starts at an offset of the
 * window; false: it is none, nothing done. */
bool loam_slab__large_put(loam_slabs *s, uintptr_t off, const void *owner);

/* ---- slab_kept.c ---- */

/* A kept block of so many frames, or a few more, that lies at a multiple of the slab size: it is
 * the caller's, and waits. NULL: none. */
slab_desc *loam_slab__kept_take(loam_slabs *s, uint64_t npages);
/* Keeps a block that is claimed; false: it is too large, or there are too many. Others may go. */
bool loam_slab__keep(loam_slabs *s, slab_desc *d);
/* Frames of a slab out of what is kept; NULL: none. */
unsigned char *loam_slab__kept_slab(loam_slabs *s);
/* Lock held. The frames of a slab whose descriptor is clear become a large block that waits; false:
 * none is kept. It remembers what the descriptor does. */
bool loam_slab__kept_name(loam_slabs *s, slab_desc *d, unsigned char *base);
/* This processor's go back, or everybody's; did any? */
bool loam_slab__kept_drop(loam_slabs *s, bool all);
/* Frames and blocks that are kept. */
void loam_slab__kept_sums(loam_slabs *s, uint64_t *frames, uint64_t *blocks);
/* Every processor's lock, for a copy of the whole; and back. */
void loam_slab__kept_freeze(loam_slabs *s);
void loam_slab__kept_thaw(loam_slabs *s);
/* The parts of a layer that keeps, at this place; fresh: it reads 0. */
void loam_slab__kept_start(loam_slabs *s, void *at, bool fresh);
/* S17; the descriptors are sound. */
const char *loam_slab__check_kept(const loam_slabs *s);

/* ---- slab_check.c ---- */

/* S6: may the leaves be read? The first question of every check. */
const char *loam_slab__check_leaves(const loam_slabs *s);
/* May the large block be believed: its place, its list and its size? */
bool loam_slab__large_is_sound(const loam_slabs *s, const slab_desc *d, uintptr_t index);

/* S13 to S16; all other rules hold. slab_check_many.c */
const char *loam_slab__check_many(const loam_slabs *s);

/* ---- slab_cache.c ---- */

loam_cache *loam_slab__cache_create(loam_slabs *s, const char *name, size_t size, size_t align,
                                    const void *owner, loam_ctor_fn *ctor, void *ctx);
size_t loam_slab__stride(const loam_slabs *s, size_t size, size_t align, size_t *lead);

/* ---- the fast path of a free that another processor's front is told ---- */

/* Frees what slab_put_fast refused, from an offset of the window and its descriptor, when it is an
 * object of `base` that another processor's front owns; false: it is not, or was gathered before,
 * or this processor has no fronts; then nothing has changed. All that is read of the slab and of
 * its front is [init], or d->cpu: lines that stay in this processor's cache while the owner works.
 * For layers that are not slow. */
static inline bool slab_put_far(loam_slabs *s, uintptr_t off, const void *base, const slab_desc *d)
{
    uint64_t x = (uint64_t)(uint32_t)(off & s->mask) * d->recip;
    const slab_front *f = slab_owner_of(d);
    loam_irq irq = loam_port_irq_save();
    unsigned cpu = loam_port_cpu();
    if (LOAM_UNLIKELY(slab_is_here(d) || f->told_key != (uintptr_t)base || cpu >= s->ncpus ||
                      (uint32_t)x > d->bound)) {
        loam_port_irq_restore(irq);
        return false;
    }
    LOAM_PORT_NOTE_FREE(f->cache, (void *)(s->base + off), f->cache->size);
    uint32_t slot = (uint32_t)(x >> 32);
    slab_cpu *me = &s->cpu[cpu];
    slab_gathered *at = &me->entry[slab_gather_at(d, slot >> 6)];
    uint64_t tag = d->tag | slot >> 6;
    if (LOAM_UNLIKELY(at->tag != tag)) { /* who is offline has no entry */
        loam_port_irq_restore(irq);
        return loam_slab__gather(s, d, f->cache, slot);
    }
    slab_gathering how = slab_gather(at, 1ULL << (slot & 63));
    me->room -= f->stride;
    if (LOAM_LIKELY(how == SLAB_GATHERED && (int32_t)me->room >= 0)) {
        loam_port_irq_restore(irq);
        return true;
    }
    at->tag = how == SLAB_FULL ? 0 : tag;
    loam_port_irq_restore(irq);
    loam_slab__tell(s, how, tag);
    return how != SLAB_TWICE;
}

#endif
