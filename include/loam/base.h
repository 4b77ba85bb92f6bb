/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BASE_H
#define LOAM_BASE_H

/* base.h - what every unit stands on: errors, address types, bits, checked arithmetic, lists,
 * bounded text.
 *
 * Addresses are types, so that a frame number and an address cannot be mixed: loam_pa is a physical
 * address in bytes, 64 bits wide on every machine; loam_pfn is a frame number (address divided by
 * LOAM_PAGE_SIZE).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LOAM_LIKELY(x)    __builtin_expect(!!(x), 1)
#define LOAM_UNLIKELY(x)  __builtin_expect(!!(x), 0)
#define LOAM_NOINLINE     __attribute__((noinline))
#define LOAM_INLINE       static inline __attribute__((always_inline))
#define LOAM_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

enum { LOAM_PAGE_SHIFT = 12, LOAM_PAGE_SIZE = 1 << LOAM_PAGE_SHIFT };

/* What a call that can fail answers. Nothing has changed unless the answer is LOAM_OK. */
typedef enum loam_err {
    LOAM_OK = 0,
    LOAM_EINVAL, /* an argument is out of its range: zero, misaligned, unknown */
    LOAM_ERANGE, /* base + len leaves the 64-bit address space */
    LOAM_EFULL,  /* a table of fixed capacity has no room for one more entry */
    LOAM_ENOMEM, /* no memory that fits the request */
    LOAM_EBUSY,  /* the thing asked for is taken */
    LOAM_ESTATE, /* the call comes too late or too early, as after a hand-over */
    LOAM_ENOENT, /* what was named is not there */
    LOAM_EFORMAT /* input from outside is malformed */
} loam_err;

/* The name of an error ("LOAM_EFULL") or "?" for a value that is none. */
const char *loam_err_name(loam_err err);

typedef struct loam_pa {
    uint64_t v;
} loam_pa;

typedef struct loam_pfn {
    uint64_t v;
} loam_pfn;

static inline loam_pa loam_pa_of(uint64_t v)
{
    loam_pa pa = {v};
    return pa;
}

static inline loam_pfn loam_pfn_of(uint64_t v)
{
    loam_pfn pfn = {v};
    return pfn;
}

/* The frame that holds an address, and the first address of a frame. */
static inline loam_pfn loam_pa_to_pfn(loam_pa pa)
{
    return loam_pfn_of(pa.v >> LOAM_PAGE_SHIFT);
}

static inline loam_pa loam_pfn_to_pa(loam_pfn pfn)
{
    return loam_pa_of(pfn.v << LOAM_PAGE_SHIFT);
}

/* A half-open range of bytes, [base, base + len). base + len may be exactly 2^64, never more. */
typedef struct loam_span {
    uint64_t base;
    uint64_t len;
} loam_span;

/* ---- bits: the argument of ctz, clz and log2 is not 0 ----
 *
 * In halves where a word has 32 bits: there the compilers call libgcc for the 64-bit builtins. */

static inline unsigned loam_ctz64(uint64_t x)
{
    if (sizeof(void *) == 8)
        return (unsigned)__builtin_ctzll(x);
    uint32_t low = (uint32_t)x;
    return (unsigned)(low != 0 ? __builtin_ctz(low) : 32 + __builtin_ctz((uint32_t)(x >> 32)));
}

static inline unsigned loam_clz64(uint64_t x)
{
    if (sizeof(void *) == 8)
        return (unsigned)__builtin_clzll(x);
    uint32_t high = (uint32_t)(x >> 32);
    return (unsigned)(high != 0 ? __builtin_clz(high) : 32 + __builtin_clz((uint32_t)x));
}

/* Index of the highest set bit: floor(log2(x)). */
static inline unsigned loam_log2_floor(uint64_t x)
{
    return 63U - loam_clz64(x);
}

/* ceil(log2(x)); 0 for 1. */
static inline unsigned loam_log2_ceil(uint64_t x)
{
    return x <= 1 ? 0 : 64U - loam_clz64(x - 1);
}

static inline unsigned loam_popcount64(uint64_t x)
{
    x -= (x >> 1) & 0x5555555555555555ULL;
    x = (x & 0x3333333333333333ULL) + ((x >> 2) & 0x3333333333333333ULL);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
    return (unsigned)((x * 0x0101010101010101ULL) >> 56);
}

static inline bool loam_is_pow2(uint64_t x)
{
    return x != 0 && (x & (x - 1)) == 0;
}

/* n low bits set, n from 0 to 64. */
static inline uint64_t loam_mask64(unsigned n)
{
    return n >= 64 ? ~0ULL : (1ULL << n) - 1;
}

/* ---- checked arithmetic: true when the result does not fit, *out is then not to be used ---- */

static inline bool loam_add_overflows(uint64_t a, uint64_t b, uint64_t *out)
{
    return __builtin_add_overflow(a, b, out);
}

static inline bool loam_mul_overflows(uint64_t a, uint64_t b, uint64_t *out)
{
    *out = a * b; /* not __builtin_mul_overflow: on 32 bits that calls into libgcc */
    if (((a | b) >> 32) == 0)
        return false;
    uint64_t hi = a > b ? a : b, lo = a > b ? b : a;
    if ((lo >> 32) != 0)
        return true;
    uint64_t low = (hi & 0xffffffffU) * lo, high = (hi >> 32) * lo;
    return (high + (low >> 32)) >> 32 != 0;
}

/* align is a power of two. align_up wraps to 0 past the top: use loam_align_up_overflows on outside
 * input. */
static inline uint64_t loam_align_down(uint64_t x, uint64_t align)
{
    return x & ~(align - 1);
}

static inline uint64_t loam_align_up(uint64_t x, uint64_t align)
{
    return (x + align - 1) & ~(align - 1);
}

static inline bool loam_align_up_overflows(uint64_t x, uint64_t align, uint64_t *out)
{
    bool bad = loam_add_overflows(x, align - 1, out);
    *out &= ~(align - 1);
    return bad;
}

/* Order of the largest naturally aligned block that starts the range [first, first + count), count
 * > 0. */
static inline unsigned loam_natural_order(uint64_t first, uint64_t count)
{
    unsigned order = loam_log2_floor(count);
    return first != 0 && loam_ctz64(first) < order ? loam_ctz64(first) : order;
}

/* ---- list: circular, doubly linked, the head is a node ---- */

typedef struct loam_list {
    struct loam_list *next, *prev;
} loam_list;

static inline void loam_list_init(loam_list *head)
{
    head->next = head->prev = head;
}

static inline bool loam_list_is_empty(const loam_list *head)
{
    return head->next == head;
}

/* Puts a node that is on no list right after head. */
static inline void loam_list_push(loam_list *head, loam_list *node)
{
    node->next = head->next;
    node->prev = head;
    head->next->prev = node;
    head->next = node;
}

/* Puts a node that is on no list last, right before head. */
static inline void loam_list_append(loam_list *head, loam_list *node)
{
    loam_list_push(head->prev, node);
}

/* Takes a node off its list and leaves it pointing to itself: removing it again changes nothing. */
static inline void loam_list_remove(loam_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    loam_list_init(node);
}

#define LOAM_CONTAINER_OF(ptr, type, member)                                                       \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* ---- text into a caller's buffer: never past its end, always terminated, remembers a cut ---- */

typedef struct loam_text {
    char *buf;
    size_t cap; /* bytes in buf, the terminator included; at least 1 */
    size_t len; /* characters written, without the terminator */
    bool cut;   /* something did not fit */
} loam_text;

void loam_text_init(loam_text *t, char *buf, size_t cap);
void loam_text_char(loam_text *t, char c);
void loam_text_str(loam_text *t, const char *s);
void loam_text_dec(loam_text *t, uint64_t v);
void loam_text_hex(loam_text *t, uint64_t v); /* no prefix, lower case, no leading zeros */
/* Like printf with only %s %c %d %u (int), %U (uint64_t decimal), %X (uint64_t hex without prefix),
 * %p (const void *, 0x...), %%; a number may carry a width of at most 2 digits, 0 before it pads
 * with zeros, else spaces. Any other directive is copied as it is. */
void loam_text_fmt(loam_text *t, const char *fmt, ...);
void loam_text_vfmt(loam_text *t, const char *fmt, __builtin_va_list ap);

#ifdef __cplusplus
}
#endif

#endif
