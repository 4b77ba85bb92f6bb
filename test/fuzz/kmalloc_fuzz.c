/* SPDX-License-Identifier: MIT */
/* kmalloc_fuzz.c - bytes as a sequence of calls on the object layers.
 *
 * The first bytes choose modes, slab size and memory; the rest are calls: right ones, whose blocks
 * are filled with a pattern of their own and read back, and wrong ones, which have to be refused
 * with one report each. The layer below is short of memory, or refuses a request, when the bytes
 * say so. In the end everything goes back, and the zone is what it was. */
#include "fuzz.h"
#include "object_machine.h"
#include <string.h>

enum { SLOTS = 48, FRAMES_OUT = 8, EDGE = 512, STEPS = 600 };

typedef struct slot {
    unsigned char *p;
    size_t size, usable;
    unsigned char tag;
} slot;

static objects o;
static slot slots[SLOTS];
static loam_pfn out[FRAMES_OUT]; /* taken from the zone behind the back of the object layers */
static unsigned out_count;
static void *last_freed;
static unsigned reports;

static void on_report(void *ctx, const loam_report *report)
{
    (void)ctx;
    (void)report;
    reports++;
}

/* ---- contents ---- */

static unsigned char byte_at(const slot *s, size_t i)
{
    return (unsigned char)(s->tag + i * 7);
}

/* Both ends of a block: all of it when it is small. */
static void fill(slot *s)
{
    for (size_t i = 0; i < s->usable && i < EDGE; i++)
        s->p[i] = byte_at(s, i);
    for (size_t i = 0; i < s->usable && i < EDGE; i++)
        s->p[s->usable - 1 - i] = byte_at(s, s->usable - 1 - i);
}

static void verify(const slot *s, size_t len)
{
    for (size_t i = 0; i < len && i < EDGE; i++)
        FUZZ_CHECK(s->p[i] == byte_at(s, i));
    for (size_t i = 0; len == s->usable && i < len && i < EDGE; i++)
        FUZZ_CHECK(s->p[len - 1 - i] == byte_at(s, len - 1 - i));
}

/* Both ends again, and a byte here and there. */
static bool is_zero(const unsigned char *p, size_t len)
{
    for (size_t i = 0; i < len; i += i < 8 * EDGE || len - i < 8 * EDGE ? 1 : EDGE - 1)
        if (p[i] != 0)
            return false;
    return true;
}

/* ---- right calls ---- */

static bool is_inside(const void *p, size_t size)
{
    uintptr_t at = (uintptr_t)p - (uintptr_t)objects_ram, len = (uintptr_t)o.frames << 12;
    return at < len && size <= len - at;
}

static void keep(slot *s, void *p, size_t size, size_t align)
{
    static unsigned char tag;
    tag++;
    *s = (slot){.p = p, .size = size, .usable = loam_kmalloc_size(o.k, p), .tag = tag};
    FUZZ_CHECK(s->usable >= size && is_inside(p, s->usable));
    FUZZ_CHECK(((uintptr_t)p & (align - 1)) == 0);
    for (const slot *other = slots; other < slots + SLOTS; other++)
        if (other != s && other->p != NULL)
            FUZZ_CHECK(other->p + other->usable <= s->p || s->p + s->usable <= other->p);
    fill(s);
}

static void drop(slot *s)
{
    if (s->p == NULL)
        return;
    verify(s, s->usable);
    FUZZ_CHECK(loam_kmalloc_free(o.k, s->p) == LOAM_OK);
    last_freed = s->p;
    s->p = NULL;
}

static void check_null(size_t size, const void *p)
{
    FUZZ_CHECK(size != 0 || p == NULL);
    FUZZ_CHECK(size <= sizeof objects_ram || p == NULL);
}

static void step_alloc(slot *s, size_t size)
{
    drop(s);
    void *p = loam_kmalloc_alloc(o.k, size);
    check_null(size, p);
    if (p != NULL) {
        FUZZ_CHECK((o.config.modes & LOAM_SLAB_ZERO) == 0 || is_zero(p, size));
        keep(s, p, size, 16);
    }
}

static void step_calloc(slot *s, size_t n, size_t size)
{
    size_t all = 0;
    bool wraps = __builtin_mul_overflow(n, size, &all);
    drop(s);
    unsigned char *p = loam_kmalloc_calloc(o.k, n, size);
    FUZZ_CHECK(!wraps || p == NULL);
    if (p == NULL)
        return;
    check_null(all, p);
    FUZZ_CHECK(is_zero(p, all));
    keep(s, p, all, 16);
}

static void step_aligned(slot *s, size_t size, unsigned shift, unsigned odd)
{
    size_t align = ((size_t)1 << shift % 25) + (odd == 0);
    drop(s);
    void *p = loam_kmalloc_aligned(o.k, size, align);
    check_null(size, p);
    FUZZ_CHECK(p == NULL || (align & (align - 1)) == 0);
    if (p != NULL)
        keep(s, p, size, align);
}

static void step_realloc(slot *s, size_t size)
{
    unsigned char *p = loam_kmalloc_realloc(o.k, s->p, size);
    if (s->p == NULL) {
        check_null(size, p);
    } else if (size == 0) {
        FUZZ_CHECK(p == NULL);
        last_freed = s->p;
        s->p = NULL;
    } else if (p == NULL) { /* refused: as it was */
        FUZZ_CHECK(size > s->size);
        verify(s, s->usable);
        return;
    } else {
        s->p = p;
        verify(s, size < s->size ? size : s->size);
    }
    if (p != NULL)
        keep(s, p, size, 16);
}

/* ---- wrong calls ---- */

static bool is_start(const void *p)
{
    for (const slot *s = slots; s < slots + SLOTS; s++)
        if (s->p != NULL && s->p == p)
            return true;
    return false;
}

static void refused(void *p)
{
    loam_kmalloc_stats before, after;
    if (p == NULL || is_start(p))
        return;
    loam_kmalloc_stat(o.k, &before);
    reports = 0;
    FUZZ_CHECK(loam_kmalloc_free(o.k, p) == LOAM_EINVAL);
    FUZZ_CHECK(reports == 1);
    FUZZ_CHECK(loam_kmalloc_size(o.k, p) == 0);
    FUZZ_CHECK(loam_kmalloc_realloc(o.k, p, 32) == NULL);
    loam_kmalloc_stat(o.k, &after);
    FUZZ_CHECK(before.used_blocks == after.used_blocks && before.used_bytes == after.used_bytes);
    FUZZ_CHECK(after.refusals > before.refusals);
    reports = 0;
}

static void step_wrong(slot *s, unsigned kind, unsigned where)
{
    switch (kind % 5) {
    case 0:
        refused(last_freed);
        break;
    case 1: /* inside */
        if (s->p != NULL)
            refused(s->p + 1 + where % s->usable);
        break;
    case 2: /* before the block */
        if (s->p != NULL && is_inside(s->p - 1 - where, 1))
            refused(s->p - 1 - where);
        break;
    case 3: /* any address of the machine, and right behind it */
        refused(objects_ram + ((size_t)where << 12 | (size_t)kind << 4) % (sizeof objects_ram + 1));
        break;
    default: /* memory of somebody else */
        refused(&slots[where % SLOTS]);
        if (out_count > 0)
            refused(loam_zone_to_va(o.zone, out[where % out_count]));
    }
}

/* ---- the layer below ---- */

static void step_frames(unsigned order)
{
    if (out_count == FRAMES_OUT) {
        while (out_count > 0)
            FUZZ_CHECK(loam_zone_free(o.zone, out[--out_count]) == LOAM_OK);
        return;
    }
    loam_pfn pfn = loam_zone_alloc(o.zone, order % 10, 0);
    if (!loam_pfn_is_none(pfn))
        out[out_count++] = pfn;
}

static size_t size_of(fuzz_bytes *b)
{
    unsigned kind = fuzz_byte(b);
    size_t n = fuzz_byte(b);
    switch (kind % 8) {
    case 0:
    case 1:
        return n;
    case 2:
        return n * 8;
    case 3:
        return n * 64;
    case 4:
        return n * 512;
    case 5:
        return n * 4096 - kind / 8;
    case 6:
        return ((size_t)1 << n % 22) + kind / 8 - 16;
    default:
        return n == 0 ? 0 - (size_t)kind : n;
    }
}

static void check_all(void)
{
    loam_kmalloc_stats stats;
    uint64_t blocks = 0, bytes = 0;
    for (const slot *s = slots; s < slots + SLOTS; s++) {
        blocks += s->p != NULL;
        bytes += s->p != NULL ? s->size : 0;
    }
    loam_kmalloc_stat(o.k, &stats);
    FUZZ_CHECK(stats.used_blocks == blocks && stats.used_bytes >= bytes);
    FUZZ_RULE(loam_kmalloc_check(o.k));
    FUZZ_RULE(loam_slabs_check(o.slabs));
    FUZZ_RULE(loam_zone_check(o.zone));
}

static void step(fuzz_bytes *b)
{
    unsigned op = fuzz_byte(b);
    slot *s = &slots[fuzz_byte(b) % SLOTS];
    if (op % 16 < 5)
        step_alloc(s, size_of(b));
    else if (op % 16 < 8)
        drop(s);
    else if (op % 16 < 10)
        step_realloc(s, size_of(b));
    else if (op % 16 == 10)
        step_calloc(s, op / 16 < 15 ? op / 16 : SIZE_MAX / 2, size_of(b));
    else if (op % 16 == 11)
        step_aligned(s, size_of(b), fuzz_byte(b), op / 16);
    else if (op % 16 == 12)
        step_wrong(s, op / 16, fuzz_byte(b));
    else if (op % 16 == 13)
        step_frames(op / 16);
    else if (op % 16 == 14)
        loam_kmalloc_shrink(o.k);
    else
        o.refuse_at = o.asked + op / 16; /* 0: what is past, so nothing */
    FUZZ_CHECK(reports == 0);
}

static bool start(fuzz_bytes *b)
{
    unsigned modes = fuzz_byte(b), shape = fuzz_byte(b), frames = fuzz_byte(b);
    objects_init(&o, 32 + frames * 3, shape & 1);
    o.config.modes = modes & 64 ? modes & LOAM_SLAB_ALL_MODES : 0;
    o.config.shift = shape >> 4 < 5 ? 12 + (shape >> 4) : 0;
    o.config.keep_empty = shape & 2;
    o.config.quarantine_bytes = shape & 4 ? 4096 : 65536;
    memset(slots, 0, sizeof slots);
    out_count = reports = 0;
    last_freed = NULL;
    FUZZ_CHECK(objects_zone(&o));
    uint64_t before = objects_free_list(&o);
    o.slabs = loam_slabs_init(o.zone, &o.config);
    if (o.slabs == NULL) {
        FUZZ_CHECK(objects_free_list(&o) == before);
        return false;
    }
    before = objects_free_list(&o);
    o.k = loam_kmalloc_init(o.slabs);
    FUZZ_CHECK(o.k != NULL || objects_free_list(&o) == before);
    return o.k != NULL;
}

static void finish(uint64_t free_list)
{
    o.refuse_at = 0;
    for (slot *s = slots; s < slots + SLOTS; s++)
        drop(s);
    while (out_count > 0)
        FUZZ_CHECK(loam_zone_free(o.zone, out[--out_count]) == LOAM_OK);
    loam_kmalloc_shrink(o.k);
    check_all();
    FUZZ_CHECK(objects_free_list(&o) == free_list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    fuzz_bytes b = {data, data + len};
    loam_policy policy = loam_port_set_policy(LOAM_POLICY_REPORT);
    loam_port_on_report(on_report, NULL);
    if (start(&b)) {
        loam_kmalloc_shrink(o.k);
        uint64_t free_list = objects_free_list(&o);
        for (unsigned steps = 0; b.at < b.end && steps < STEPS; steps++) {
            step(&b);
            if (steps % 32 == 0)
                check_all();
        }
        finish(free_list);
    }
    loam_port_on_report(NULL, NULL);
    loam_port_set_policy(policy);
    return 0;
}
