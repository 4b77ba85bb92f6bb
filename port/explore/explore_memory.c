/* SPDX-License-Identifier: MIT */
/* explore_memory.c - the memory that actors share: every write can be taken back, and its hash is
 * always known.
 *
 * WHAT   Makes going back to an earlier state, and telling whether a state is new, cost what the
 *        step wrote, not what there is.
 * MODEL  The compiler calls __tsan_write4(p) and the like before each access. A write appends the
 *        old words to a log; going back writes them again in reverse order:
 *
 *            log   | step 1: w3 = 5 | step 2: w9 = 0, w3 = 6 | ...        hash = sum over words of
 *                  ^ mark of level 1 ^ mark of level 2                         mix(place, value)
 *
 *        What is read and written is also listed, step by step, for explore_race.c.
 * RULES  The functions that the compiler calls run on the actor's stack: they are leaves, and
 *        leave nothing there that depends on the order explored before.
 * LOCKS  None: one thread of the host.
 * COST   A write: some 16 bytes of log.
 * FROM   Undo logs of data bases; the hash as of Zobrist (1970).
 * NOT    Memory outside of the arena: an actor's stack is copied whole (explore_search.c), and
 *        anything else must not change.
 */
#include <string.h>

#include "explore_builtin.h"
#include "explore_impl.h"

enum { WORDS = EXPLORE_ARENA / 8, UNDO = 4 << 20, TOUCHES = 1 << 18 };

typedef struct explore_old {
    uint32_t word;
    uint64_t value;
} explore_old;

unsigned char explore_arena[EXPLORE_ARENA] __attribute__((aligned(4096)));
bool explore_live;

static uint32_t shared_used, notes_used; /* bytes from below, from above */
static explore_old undo[UNDO];
static uint32_t undos, settled; /* the hash knows the first `settled` of them */
static uint64_t hash;
static explore_touch touches[TOUCHES];
static uint32_t touched;
static uint32_t seen_in[WORDS]; /* the settling that saw this word last */
static uint32_t settling;

uint64_t explore_mix(uint64_t a, uint64_t b)
{
    uint64_t x = (a ^ 0x9e3779b97f4a7c15U) * 0xbf58476d1ce4e5b9U + b;
    x ^= x >> 29;
    x *= 0x94d049bb133111ebU;
    x ^= x >> 32;
    x *= 0x9e3779b97f4a7c15U;
    return x ^ x >> 28;
}

static uint64_t word_at(uint32_t word)
{
    uint64_t value;
    memcpy(&value, explore_arena + (size_t)word * 8, 8);
    return value;
}

void explore_memory_begin(void)
{
    explore_live = false;
    memset(explore_arena, 0, shared_used);
    memset(explore_arena + EXPLORE_ARENA - notes_used, 0, notes_used);
    shared_used = notes_used = 0;
    undos = settled = touched = 0;
}

static uint64_t whole_hash(void)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < shared_used / 8; i++)
        sum += explore_mix(i, word_at(i));
    for (uint32_t i = WORDS - notes_used / 8; i < WORDS; i++)
        sum += explore_mix(i, word_at(i));
    return sum;
}

void explore_memory_start(void)
{
    undos = settled = touched = 0;
    hash = whole_hash();
}

bool explore_memory_is_sound(void)
{
    return hash == whole_hash();
}

uint64_t explore_memory_settle(void)
{
    settling++;
    for (; settled < undos; settled++) {
        uint32_t word = undo[settled].word;
        if (seen_in[word] == settling)
            continue; /* its first entry holds the value that the hash knows */
        seen_in[word] = settling;
        hash += explore_mix(word, word_at(word)) - explore_mix(word, undo[settled].value);
    }
    return hash;
}

explore_mark explore_memory_mark(void)
{
    return (explore_mark){undos, hash};
}

void explore_memory_undo(explore_mark mark)
{
    while (undos > mark.undo) {
        undos--;
        memcpy(explore_arena + (size_t)undo[undos].word * 8, &undo[undos].value, 8);
    }
    settled = undos;
    hash = mark.hash;
    touched = 0;
}

void *explore_shared(size_t bytes)
{
    uint32_t at = shared_used;
    shared_used += (uint32_t)((bytes + 63) & ~(size_t)63);
    if (shared_used + notes_used > EXPLORE_ARENA)
        __builtin_trap();
    return explore_arena + at;
}

void *explore_notes(size_t bytes)
{
    notes_used += (uint32_t)((bytes + 63) & ~(size_t)63);
    if (shared_used + notes_used > EXPLORE_ARENA)
        __builtin_trap();
    return explore_arena + EXPLORE_ARENA - notes_used;
}

bool explore_in_arena(const void *p)
{
    return (uintptr_t)p - (uintptr_t)explore_arena < EXPLORE_ARENA;
}

bool explore_in_notes(uint32_t at)
{
    return at >= EXPLORE_ARENA - notes_used && at < EXPLORE_ARENA;
}

const explore_touch *explore_touches(uint32_t *count)
{
    *count = touched;
    touched = 0;
    return touches;
}

/* The old contents of every word that [at, at + bytes) touches. */
static inline void remember(uintptr_t at, uintptr_t bytes)
{
    for (uintptr_t word = at / 8; word <= (at + bytes - 1) / 8; word++) {
        if (undos == UNDO)
            __builtin_trap();
        undo[undos].word = (uint32_t)word;
        undo[undos].value = *(const uint64_t *)(const void *)(explore_arena + word * 8);
        undos++;
    }
}

static inline void touch(const void *p, uintptr_t bytes, explore_access access, const void *site)
{
    uintptr_t at = (uintptr_t)p - (uintptr_t)explore_arena;
    if (at >= EXPLORE_ARENA || !explore_live || bytes == 0)
        return;
    if (touched == TOUCHES)
        __builtin_trap();
    touches[touched++] = (explore_touch){(uint32_t)at, (uint32_t)bytes, access, site};
    if (access == ACCESS_WRITE)
        remember(at, bytes);
}

void explore_note(const void *p, uint32_t bytes, explore_access access, const void *site)
{
    touch(p, bytes, access, site);
}

void explore_note_irq(unsigned cpu, explore_access access)
{
    if (explore_live && touched < TOUCHES)
        touches[touched++] = (explore_touch){EXPLORE_ARENA + cpu, 0, access, NULL};
}

uint64_t explore_read(const void *word, uint32_t bytes)
{
    switch (bytes) {
    case 1:
        return *(const uint8_t *)word;
    case 2:
        return *(const uint16_t *)word;
    case 4:
        return *(const uint32_t *)word;
    default:
        return *(const uint64_t *)word;
    }
}

void explore_write(void *word, uint64_t value, uint32_t bytes)
{
    if (explore_live && explore_in_arena(word))
        remember((uintptr_t)word - (uintptr_t)explore_arena, bytes);
    if (bytes == 1)
        *(uint8_t *)word = (uint8_t)value;
    else if (bytes == 2)
        *(uint16_t *)word = (uint16_t)value;
    else if (bytes == 4)
        *(uint32_t *)word = (uint32_t)value;
    else
        *(uint64_t *)word = value;
}

/* ---- what -fsanitize=thread calls ---- */

#define SITE __builtin_return_address(0)
#define HOOKS(bytes)                                                                               \
    void __tsan_read##bytes(const void *p);                                                        \
    void __tsan_read##bytes(const void *p)                                                         \
    {                                                                                              \
        touch(p, bytes, ACCESS_READ, SITE);                                                        \
    }                                                                                              \
    void __tsan_write##bytes(const void *p);                                                       \
    void __tsan_write##bytes(const void *p)                                                        \
    {                                                                                              \
        touch(p, bytes, ACCESS_WRITE, SITE);                                                       \
    }                                                                                              \
    void __tsan_unaligned_read##bytes(const void *p);                                              \
    void __tsan_unaligned_read##bytes(const void *p)                                               \
    {                                                                                              \
        touch(p, bytes, ACCESS_READ, SITE);                                                        \
    }                                                                                              \
    void __tsan_unaligned_write##bytes(const void *p);                                             \
    void __tsan_unaligned_write##bytes(const void *p)                                              \
    {                                                                                              \
        touch(p, bytes, ACCESS_WRITE, SITE);                                                       \
    }

HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)

void __tsan_read_range(const void *p, uintptr_t bytes);
void __tsan_read_range(const void *p, uintptr_t bytes)
{
    touch(p, bytes, ACCESS_READ, SITE);
}

void __tsan_write_range(const void *p, uintptr_t bytes);
void __tsan_write_range(const void *p, uintptr_t bytes)
{
    touch(p, bytes, ACCESS_WRITE, SITE);
}

/* Entries of page tables, stored whole for a processor that walks them meanwhile (pt stands on no
 * port): writes like others here. */
void __tsan_atomic32_store(uint32_t *p, uint32_t v, int order);
void __tsan_atomic32_store(uint32_t *p, uint32_t v, int order)
{
    (void)order;
    touch(p, 4, ACCESS_WRITE, SITE);
    *p = v;
}

void __tsan_atomic64_store(uint64_t *p, uint64_t v, int order);
void __tsan_atomic64_store(uint64_t *p, uint64_t v, int order)
{
    (void)order;
    touch(p, 8, ACCESS_WRITE, SITE);
    *p = v;
}

void __tsan_init(void);
void __tsan_init(void)
{
}

void __tsan_func_entry(const void *caller);
void __tsan_func_entry(const void *caller)
{
    (void)caller;
}

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}

/* ---- what explore_builtin.h puts in place of the compiler's own ---- */

void *explore_memcpy(void *to, const void *from, size_t bytes)
{
    touch(from, bytes, ACCESS_READ, SITE);
    touch(to, bytes, ACCESS_WRITE, SITE);
    return memcpy(to, from, bytes);
}

void *explore_memmove(void *to, const void *from, size_t bytes)
{
    touch(from, bytes, ACCESS_READ, SITE);
    touch(to, bytes, ACCESS_WRITE, SITE);
    return memmove(to, from, bytes);
}

void *explore_memset(void *to, int value, size_t bytes)
{
    touch(to, bytes, ACCESS_WRITE, SITE);
    return memset(to, value, bytes);
}
