/* SPDX-License-Identifier: MIT */
#ifndef LOAM_SLAB_DATA_H
#define LOAM_SLAB_DATA_H

/* slab_data.h - the object layer's data, shared by slab*.c and kmalloc.c and by nobody else.
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
    SLAB_LINE = 64,        /* bytes: descriptors, words and fronts come in whole cache lines */
    SLAB_LEAF = 64,        /* descriptors a leaf */
    SLAB_LEAF_BITS = 6,    /* log2 of it */
    SLAB_WORDS = 64,       /* words a slab at most: `any` has a bit for each */
    SLAB_SLOT_BITS = 12,   /* of a slot's number in its slab */
    SLAB_FRAME_LINES = 63, /* lines a metadata frame, after its header */
    SLAB_OWN_HALVES = 10,  /* halves of remote words in the remote line: of 320 slots */
    SLAB_RESTERS = 64,     /* processors that rest at a time, at most */
    SLAB_TURNS = 2,        /* others are asked so often before memory is out */
    SLAB_GATHER = 64,      /* words whose frees a processor gathers */
    SLAB_TOLD_MOST = 4096, /* bytes that one free counts at most among them */
    SLAB_FORMER = 8,       /* places of its former slabs that a cache knows */
    SLAB_STACKED = 0x8000, /* in slab_desc.cpu: the stack is on */
    SLAB_NO_CPU = 0xffff,  /* slab_desc.cpu of what no processor frees without being asked */
    SLAB_GUARD_LEAD = 16,  /* least bytes before a block: a seal, and magic */
    SLAB_GUARD_TAIL = 8,   /* bytes of magic or of a seal behind the largest block of a class */
    SLAB_GUARD_MOST = 128, /* most bytes of it on either side, so that large blocks cost no more */
    SLAB_WAITING_MOST = 16384, /* bytes of slots that wait for each front at most, .. */
    SLAB_WAITING_SLOTS = 256,  /* .. and how many */
    SLAB_KEPT_BYTES = 8192,    /* the last of them that slab_swift.c gives to nobody, at most, .. */
    SLAB_KEPT_SLOTS = 64,      /* .. and how many; of as many others it draws */
    SLAB_DRAWN_LEAST = 8,      /* slots of which one is drawn that nobody had, at least */
    SLAB_GUARD_BYTE = 0xfb,    /* the magic's, unless it is drawn at random */
    SLAB_POISON_BYTE = 0x6b    /* what freed bytes read, unless zero_free says 0 */
};

/* Processors of which a cache has places in itself; and the others. */
enum {
    SLAB_NEAR = LOAM_PORT_MAX_CPUS < 32 ? LOAM_PORT_MAX_CPUS : 32,
    SLAB_FAR = LOAM_PORT_MAX_CPUS - SLAB_NEAR
};

#define SLAB_MAGIC (SLAB_GUARD_BYTE * 0x0101010101010101ULL)

_Static_assert(SLAB_LEAF == 1 << SLAB_LEAF_BITS && SLAB_LEAF * SLAB_LINE == LOAM_PAGE_SIZE,
               "a leaf is one frame");

/* With these modes a slab has three arrays of words, not one: slab_shut, slab_virgin. */
#define SLAB_SHADOW_MODES (LOAM_SLAB_GUARD | LOAM_SLAB_POISON | LOAM_SLAB_QUARANTINE)
/* With these all that a free of one's own and an allocation must do is done by slab_swift.c. */
#define SLAB_SWIFT_MODES                                                                           \
    (LOAM_SLAB_GUARD | LOAM_SLAB_POISON | LOAM_SLAB_QUARANTINE | LOAM_SLAB_RANDOM |                \
     LOAM_SLAB_ZERO_FREE)

typedef enum slab_kind { SLAB_NONE, SLAB_SLOTS, SLAB_LARGE, SLAB_KINDS } slab_kind;

/* What is known of one slab-sized piece of the window. Where nothing of ours starts all is zero but
 * `front`, and the fast path of free fails by itself: that front takes nobody's frees. */
typedef struct slab_desc {
    _Alignas(64) union {
        uint32_t recip;  /* [init] slots: ceil(2^32 / stride) */
        uint32_t npages; /* [init] large: frames */
    };
    /* [atomic] slots: processor of the front that owns it, and SLAB_STACKED if its stack is on;
     * changes with `front`; SLAB_NO_CPU: it is the shared one of many, or there are no slots */
    uint16_t cpu;
    uint8_t kind;        /* [lock] slab_kind */
    uint8_t large;       /* of a large block: SLAB_LARGE_OUT, ..; claimed and given out by a cas;
                            slots: [own] SLAB_IDLE, or 0 */
    unsigned char *base; /* [init] first byte of the frames; slots: of the first of them */
    loam_list link;      /* [own] slots: partial or full list, or idle; large [lock]: all */
    /* [atomic] the slab_front that owns it, changes under the lock; all but slots: the layer's
     * `nobody` */
    void *front;
    union {
        struct {
            uint64_t
                *words;     /* [init] behind their slab_head; then what modes want: slab_shut, .. */
            uint32_t bound; /* [init] as in slab_front */
            uint64_t tag;   /* [init] slab_tag_of word 0; stays when the slab goes */
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
_Static_assert((int)LOAM_PORT_MAX_CPUS <= (int)SLAB_STACKED, "no processor has that number");

/* What each allocation and each free of the owner changes: before the free words, and not in the
 * descriptor, which others read who free. */
typedef struct slab_head {
    uint64_t any;   /* [own] bit i: word i may have a free slot; clear: it has none */
    uint32_t used;  /* [own] slots that are out */
    uint32_t begun; /* [own] words of which a slot was ever out: lower ones come first */
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
    SLAB_LARGE_LEAD = 0x3f, /* log2 of the bytes before it, 0 for none */
    SLAB_IDLE = 0x01        /* of a slab with slots: it is idle */
};

/* Of one slot, with the owner mode. */
typedef struct slab_info {
    const void *site;
    uint32_t size;    /* bytes asked for */
    uint32_t nothing; /* 0 */
} slab_info;

/* A slot that waits on a stack. */
typedef struct slab_held {
    void *at;       /* its first byte; NULL below the first: the stack is empty */
    uint64_t where; /* slab_held_where: its bit */
} slab_held;

/* A slot that waits for slab_swift.c, which moves both at once. */
typedef struct swift_slot {
    _Alignas(16) void *at; /* its block's first byte; NULL: none */
    uint64_t where;        /* slab_held_where: its bit in slab_shut */
} swift_slot;
_Static_assert(sizeof(swift_slot) == 16, "a row of them is masked");

/* One processor's part of a cache; or the shared one's, which has no current word: the fast paths
 * find nothing there. */
typedef struct slab_front {
    _Alignas(64) uint64_t *word; /* [cpu] current free word; the layer's zero word for none */
    slab_desc *slab;             /* [cpu] the slab of the current word */
    uintptr_t key;     /* [init] the address of the loam_kmalloc or cache; the shared one's, and of
                          caches with stacks: 0 */
    uint32_t bound;    /* [init] what a slot's offset leaves at most in the low half: slab_bound */
    uint32_t stride;   /* [init] as in loam_cache */
    loam_list partial; /* [own] slabs with any != 0 */
    loam_list full;    /* [own] slabs with any == 0 */
    /* what others read who free */
    _Alignas(64) uintptr_t
        told_key;      /* [init] that address, too; 0 in a layer of one processor, or with seals */
    loam_cache *cache; /* [init] */
    uint32_t told_stride; /* [init] slab_told_stride */
    uint32_t cpu;         /* [init] processor; the layer's ncpus: the shared one */
    slab_desc *empty;     /* [own] the last slab that was seen to become empty, or NULL */
    uint32_t slabs;       /* [atomic] on both lists, idle, and on their way to or from there */
    uint32_t ring_cap;    /* [init] slots that the ring holds; 0: none waits */
    uint32_t spill;       /* [init] so many leave it together */
    uint8_t idles;        /* [own] slabs that are idle */
    uint8_t idles_most;   /* [own] so many may be */
    uint8_t gone;         /* [own] empty slabs that went, less those that came since */
    slab_desc *idle;      /* [own] the newest of these, in a circle with the others, or NULL */
    uint64_t beyond;      /* [init] bits of a slab_head's `any` that stand for no word */
    /* a layer without modes has no memory for these */
    _Alignas(64) uint64_t *face; /* [init] the layer's zero word: see swift_face */
    uintptr_t swift_key;         /* [init] the same as key, for slab_swift.c */
    /* of slab_swift.c; a front that is not for it has no slots, and its top is its floor */
    swift_slot *top;    /* [own] what comes next; the others lie below it */
    swift_slot *floor;  /* [init] it is given out while it lies above this */
    size_t room;        /* [init] bytes from a block's first one to its seal */
    size_t span;        /* [init] bytes of a slab's free words */
    uint64_t rng;       /* [own] of the random mode; odd */
    uint32_t kept_at;   /* [own] bytes to the place of what was kept longest, where the next goes */
    uint32_t kept_mask; /* [init] the bits of these */
    swift_slot *held;   /* [init] the place below the lowest, which has none */
    swift_slot *most;   /* [init] when the top is there the lowest leave */
    size_t draw;        /* [init] bytes of those of which one is the next */
    uint32_t slots;     /* [init] as in loam_cache */
    uint32_t picked;    /* [own] slots that were taken singly, since the stack was empty */
    union {
        uint64_t magic[4];    /* [init] the layer's, as often as a unit has words */
        struct {              /* of all others with a quarantine */
            uint64_t *ring;   /* [own] freed slots that wait, a slab_wait_of each */
            uint32_t ring_at; /* [own] where the next goes */
            uint32_t waiting; /* [own] before it; stored whole, for views that add it up */
        };
    };
} slab_front;

/* What follows the two lines of a processor's own front, of a cache with stacks: what its requests
 * and frees want of it, whether slots wait or not. */
typedef struct slab_stack {
    _Alignas(64) uint64_t *word; /* [cpu] current free word, the layer's zero word for none;
                                    face of a front without a stack */
    slab_desc *slab;             /* [cpu] its slab; on: NULL, or there is no stack at all */
    slab_held *top;              /* [cpu] pushed last */
    slab_held *limit;            /* [init] top of a stack that is full */
    uint32_t stride;             /* [init] as in loam_cache */
    uint16_t batch;              /* [init] slots that come from words at a time, at most */
    uint16_t few;                /* [init] with fewer another word is looked for */
    uint32_t misses;             /* [own] since a request found nothing: times that it was full */
    uint32_t pushes;             /* [own] since then: slots that came to wait */
    bool on;                     /* [own] what is freed waits; then there is no current word */
    slab_held held[];            /* [cpu] the first is none */
} slab_stack;
_Static_assert(offsetof(slab_front, told_key) == SLAB_LINE &&
                   offsetof(slab_front, face) == 2 * SLAB_LINE &&
                   sizeof(slab_front) == 4 * SLAB_LINE && offsetof(slab_front, word) == 0,
               "the owner's line, one for others, and two for the modes, which read as a front "
               "without a word ..");
_Static_assert(offsetof(slab_front, top) - offsetof(slab_front, face) ==
                       offsetof(slab_stack, top) &&
                   offsetof(slab_front, floor) - offsetof(slab_front, face) ==
                       offsetof(slab_stack, limit),
               ".. and a stack");

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
    uint32_t lead;  /* bytes of seal and magic before an object of default alignment */
    bool stacked;   /* [init] its fronts but the shared one have stacks */
    bool swift;     /* [init] loam_slab__take_swift gives out its objects */
    uint8_t shades; /* [init] places where its slabs' first slots may be: slab_shade_of */
    uint8_t shade;  /* [init] log2 of the bytes between them */
    /* [cpu] whom each processor uses: its own, or the shared one's. An own one stays in its place
     * for good; while its processor is offline it has neither word nor slab, and slab_front_here is
     * the shared one. */
    slab_front *front[SLAB_NEAR];
    /* [atomic] the same of SLAB_FAR more processors, NULL for the shared one; comes with the first
     * of these that has a front, and stays: NULL before */
    void *far;
    /* [atomic] index + 1 of where a slab was that went, of whose pages little is there; 0 */
    uint32_t former[SLAB_FORMER];
    slab_front shared; /* whom all share; of a layer of one processor that one's */
};

/* Header of a frame that is cut into lines. */
typedef struct slab_lines {
    _Alignas(64) loam_list link;
    uint64_t free; /* bit i: line i is free; bit 0 is this header and never set */
} slab_lines;
_Static_assert(sizeof(slab_lines) == SLAB_LINE, "one line");

/* Large blocks that were freed and wait, oldest first. slab_quarantine.c */
typedef struct slab_ring {
    void **block;
    uint32_t cap, head;
    uint32_t count; /* stored whole, for views that add it up */
    uint64_t bytes, limit;
} slab_ring;

/* An address and the number of a slot in one word. The upper 12 bits of an address are as the one
 * below: of 48 bits all 0, for a process on 64-bit ARM, or all 1, for its kernel. */
static inline uint64_t slab_place_of(const void *at, size_t slot)
{
    return (uint64_t)(uintptr_t)at << SLAB_SLOT_BITS | slot;
}

static inline uintptr_t slab_place_at(uint64_t place)
{
    return (uintptr_t)((int64_t)place >> SLAB_SLOT_BITS);
}

static inline unsigned slab_place_slot(uint64_t place)
{
    return (unsigned)place & (SLAB_WORDS * 64 - 1);
}
_Static_assert(SLAB_WORDS * 64 == 1 << SLAB_SLOT_BITS, "every slot has a number");

/* A slot that waits: where it begins, which of its slab it is. */
static inline uint64_t slab_wait_of(const unsigned char *base, unsigned slot)
{
    return slab_place_of(base, slot);
}

static inline unsigned char *slab_wait_base(uint64_t wait)
{
    return (unsigned char *)slab_place_at(wait);
}

static inline unsigned slab_wait_slot(uint64_t wait)
{
    return slab_place_slot(wait);
}

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

enum { SLAB_CONTENT, SLAB_ASKED, SLAB_GIVING }; /* slab_cpu.asked */
enum { SLAB_TIGHT_UNIT = 64 };                  /* bytes, in slab_cpu.untold */

/* What a processor has beside its fronts. */
typedef struct slab_cpu {
    _Alignas(64) uint32_t stack; /* [atomic] index + 1 of the slab queued last; 0; SLAB_CLOSED */
    uint32_t asked;              /* [atomic] SLAB_ASKED: memory is short elsewhere */
    /* [cpu] bytes that may still be gathered before all is told; slab_room: nothing is */
    _Alignas(64) uint32_t room;
    uint32_t taken;                   /* [cpu] as stack: of one that was taken, what is left */
    bool offline;                     /* [lock] written by the processor itself */
    bool stacked;                     /* [cpu] stacks of short slots are on: slab_stack.c */
    uint8_t patience;                 /* [cpu] log2 of how much longer the next trial waits */
    uint32_t misses, pushes;          /* [cpu] of all of them, since the last look */
    uint32_t untold;                  /* [cpu] of SLAB_TIGHT_UNIT: used and not told to `tight` */
    uint32_t idle;                    /* [cpu] frames of its slabs that are idle */
    slab_gathered entry[SLAB_GATHER]; /* [cpu] */
} slab_cpu;

#define SLAB_CLOSED UINT32_MAX

/* Frames: so many each, all of them while few do; below 2^SLAB_KEPT_LOG2 a block. */
enum {
    SLAB_KEPT_MOST = 1024,
    SLAB_KEPT_TOTAL = 8192,
    SLAB_KEPT_LOG2 = 11,
    SLAB_KEPT_LISTS = 4 * SLAB_KEPT_LOG2,
    SLAB_IDLE_PART = 4 /* slabs that are idle may have this part of a processor's besides */
};

/* Large blocks that a processor freed and keeps for its next request: slab_kept.c. */
typedef struct slab_kept {
    _Alignas(64) loam_lock lock; /* a leaf */
    uint32_t frames; /* [atomic] of all of them, written with the lock; others read it as a hint */
    uint32_t blocks; /* [kept] the lock above */
    uint32_t hand;   /* [kept] the list from which the next goes, when they are too many */
    uint32_t begun;  /* [atomic] 1: the part is below kept_end */
    uint64_t lists;  /* [kept] bit i: list i has blocks */
    /* [atomic] freed last, in none of the lists; the processor puts it there, and takes it; others
     * do with the lock */
    void *last;
    uint32_t last_frames;             /* [atomic] of the block that was put there last; its own */
    slab_desc *list[SLAB_KEPT_LISTS]; /* [kept] newest first, linked by `next` */
} slab_kept;

/* Three kinds of lines: what every call reads and hardly anybody writes, what the lock guards, and
 * the leaves. Who frees reads the first and the last: a line that holders of the lock write would
 * leave its processor's cache each time. */
struct loam_slabs {
    uintptr_t base;   /* first address of the window, rounded down to a leaf's span */
    uintptr_t len;    /* [atomic] bytes of the window from there: slab_len; grows once */
    const bool *slow; /* true: every call takes the general path (modes, a trace that is on) */
    uintptr_t mask;   /* slab size - 1 */
    unsigned shift;   /* log2 of the slab size */
    unsigned modes;
    bool keep_empty;
    bool lazy;            /* [init] a processor's front comes with its first block */
    bool stacks;          /* [init] no modes, many processors: fronts have stacks */
    bool swift;           /* [init] the modes are SLAB_SWIFT_MODES, or those and hardened */
    bool always;          /* what `slow` points to unless only the trace decides */
    bool spares;          /* [init] large blocks are kept, or would be but for the modes */
    uint32_t ncpus;       /* 1: no locks, no remote lines, no shared fronts */
    uint32_t parts;       /* processors with fronts of their own: ncpus, 0 instead of 1 */
    slab_cpu *cpu;        /* one for each processor, NULL with one */
    uint64_t none;        /* 0: the current word of a front that has none */
    uint32_t tight_now;   /* [atomic] as for loam_slab__set_tight */
    uint32_t tight_step;  /* [atomic] so many units are told at a time */
    uint32_t leaves;      /* entries of leaf[] that lead somewhere; grows with len */
    uint32_t all_leaves;  /* [init] entries that there can be */
    uintptr_t whole;      /* [init] len, with all of them */
    uintptr_t no_leaf;    /* the leaf of nothing; a real leaf when the window needs only one */
    uintptr_t align_max;  /* alignment on which addresses and frames agree, 0: every one */
    uint64_t magic;       /* [init] of the guard mode */
    uint64_t first_frame; /* frame of the window's first byte */
    loam_zone *meta;      /* [init] of what is its own; NULL: the same zones as of objects */
    loam_linear meta_map; /* [init] that zone's; len 0 without it */
    uint32_t wait_bytes;  /* [init] bytes of slots that wait for each front, at most */
    uint32_t rests;       /* [init] processors that rest at a time, at most */
    uint32_t resting;     /* [atomic] that do, written with the lock; others: a hint */
    uint32_t kept_frames; /* [init] that each processor may keep, however many do */
    uint32_t idle_frames; /* [init] of slabs that may be idle, each processor's */
    uint32_t kept_total;  /* [init] that all may, while they are few; kept_frames at least */
    /* [atomic] processors from here on have no front, and gathered nothing; it only grows */
    uint32_t cpu_end;
    uint32_t kept_end; /* [atomic] parts from here on keep nothing, and never did */
    /* [atomic] written with the lock: that a processor keeps at most now; a block has half of it */
    uint32_t kept_most;
    /* [init] of processor 0; those of the others, and one for all without a number, lie before it;
     * NULL: none is kept */
    slab_kept *kept;
    /* [init] bit i [atomic]: piece i is worn, slab_worn.c; more words lie before the first; NULL:
     * not known */
    uint32_t *worn;
    void (*seal)(void *va, size_t len);                     /* [init] or NULL */
    bool (*bring)(loam_slabs *slabs, void *va, size_t len); /* [init] or NULL */
    loam_slab_carried (*carry)(loam_slabs *slabs, void *to, size_t room, void *from,
                               size_t len);                                     /* [init] or NULL */
    void (*spare)(loam_slabs *slabs, const void *va, size_t len, size_t fresh); /* [init] or NULL */
    void (*tight)(loam_slabs *slabs, size_t bytes);                             /* [init] or NULL */
    loam_zonelist zones; /* [init] the layer's own, and those that it falls back to */
    loam_trace *trace;
    slab_front nobody; /* owns what is no slab; has no key */
    /* what is written with the lock, or as often; first what each slab and each large block that
     * comes or goes writes: one line */
    _Alignas(64) loam_lock lock; /* a leaf: nothing else is taken or called while it is held */
    loam_list lines_partial;     /* slab_lines with a free line */
    loam_list large;
    uint32_t lines_used;
    uint32_t large_count;
    uint32_t idle;     /* [cpu] of a layer of one processor: as slab_cpu's */
    uint32_t births;   /* [lock] generation of the slab made last */
    uint32_t building; /* > 0: leaves and line frames that look unused may be in use soon */
    loam_list lines_full;
    uint32_t line_frames;
    uint32_t worn_pieces; /* [atomic] that are; 0 without */
    loam_list caches;     /* in order of creation */
    uint32_t cache_count;
    uint64_t refusals, failures;
    uint64_t rng;                  /* [lock] of the random mode: fronts draw their first from it */
    slab_ring ring;                /* [lock] large blocks that wait */
    uint16_t rester[SLAB_RESTERS]; /* [lock] the processors that rest */
    /* leaf i describes slab indices 64 i ..: its address less 64 times the first of them, so that
     * adding 64 times an index gives the descriptor */
    _Alignas(64) uintptr_t leaf[];
};

#endif
