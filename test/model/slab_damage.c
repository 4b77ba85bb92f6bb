/* SPDX-License-Identifier: MIT */
/* slab_damage.c - damage that the modes must find, at the call that must find it.
 *
 * loam_port_corrupt does not return. Here the report is looked at and the test leaves by longjmp,
 * so that each damage starts a machine of its own.
 */
#include "../../core/slab_internal.h"
#include "loam/kmalloc.h"
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA = 2 << 20, META = 64 << 10, PA = 0x1000000 };

static unsigned char *arena, *meta;
static loam_kmalloc *k;
static loam_cache *cache;
static loam_report seen;
static jmp_buf caught;

static void on_report(void *ctx, const loam_report *report)
{
    (void)ctx;
    seen = *report;
    longjmp(caught, 1);
}

static bool start(const char *options)
{
    loam_zone_config z;
    loam_slab_config c;
    loam_span ram = {PA, ARENA};
    loam_zone_config_init(&z);
    loam_slab_config_init(&c);
    z.linear = (loam_linear){PA, ARENA, arena};
    loam_zone *zone = loam_zone_init(meta, META, false, &ram, 1, &z);
    if (zone == NULL || loam_zone_add(zone, loam_pa_to_pfn(loam_pa_of(PA)), ARENA / 4096) ||
        loam_slab_config_parse(&c, options, NULL))
        return false;
    loam_slabs *s = loam_slabs_init(zone, &c);
    k = s != NULL ? loam_kmalloc_init(s) : NULL;
    cache = s != NULL ? loam_cache_create(s, "things", 40, 0, NULL, NULL) : NULL;
    return k != NULL && cache != NULL;
}

/* ---- each damage: what it does until it is found ---- */

static unsigned char *block;

static void flip(size_t size, long at)
{
    block = loam_kmalloc_alloc(k, size);
    block[at] ^= 0x80;
}

static void after_small(void)
{
    flip(100, 100);
    loam_kmalloc_free(k, block);
}

static void before_small(void)
{
    flip(100, -1);
    loam_kmalloc_free(k, block);
}

static void after_large(void)
{
    flip(50000, 50000);
    loam_kmalloc_free(k, block);
}

static void before_large(void)
{
    flip(50000, -1);
    loam_kmalloc_free(k, block);
}

static void after_at_realloc(void)
{
    flip(100, 100);
    block = loam_kmalloc_realloc(k, block, 101);
}

static void before_at_realloc_to_nothing(void)
{
    flip(100, -8);
    block = loam_kmalloc_realloc(k, block, 0);
}

static void after_object(void)
{
    block = loam_cache_alloc(cache);
    block[40] = 0;
    loam_cache_free(cache, block);
}

static void aligned_after(void)
{
    block = loam_kmalloc_aligned(k, 100, 512);
    block[100] = 0;
    loam_kmalloc_free(k, block);
}

static void write_then(size_t size)
{
    block = loam_kmalloc_alloc(k, size);
    loam_kmalloc_free(k, block);
    block[size / 2] = 0;
}

static void poison_at_reuse(void)
{
    write_then(100);
    if (loam_kmalloc_alloc(k, 100) == block)
        return;
}

static void poison_when_slab_goes(void)
{
    write_then(100);
    loam_kmalloc_shrink(k);
}

static void quarantine_when_it_leaves(void)
{
    write_then(100);
    for (int i = 0; i < 1000; i++)
        loam_kmalloc_free(k, loam_kmalloc_alloc(k, 100));
}

/* Where the first of the blocks that wait is said to be. */
static void quarantine_bent(uint64_t to)
{
    block = loam_kmalloc_alloc(k, 100);
    loam_slabs *s = cache->slabs;
    slab_front *f = slab_owner_of(slab_desc_at(s, slab_off(s, block)));
    loam_kmalloc_free(k, block);
    f->ring[(f->ring_at == 0 ? f->ring_cap : f->ring_at) - 1] = to;
    block = slab_wait_base(to);
    for (int i = 0; i < 1000; i++)
        loam_kmalloc_free(k, loam_kmalloc_alloc(k, 100));
}

static void quarantine_of_nowhere(void)
{
    quarantine_bent(0);
}

static void quarantine_of_what_is_out(void)
{
    quarantine_bent(slab_wait_of(loam_kmalloc_alloc(k, 100), 1));
}

static void quarantine_at_shrink(void)
{
    write_then(50000);
    loam_kmalloc_shrink(k);
}

static void quarantine_without_memory(void)
{
    write_then(50000);
    if (loam_kmalloc_alloc(k, 1900 << 10) != NULL)
        return;
}

/* ---- metadata, with no mode ---- */

static slab_desc *descriptor(void)
{
    loam_slabs *s = cache->slabs;
    block = loam_cache_alloc(cache);
    return slab_desc_at(s, slab_off(s, block));
}

/* Objects until a word is used up; the slab's address is what the report has. */
static void use_up(const slab_desc *d)
{
    block = d->base;
    for (int i = 0; i < 200; i++) {
        if (loam_cache_alloc(cache) == NULL)
            return;
    }
}

static void bits_beyond(void)
{
    slab_desc *d = descriptor();
    unsigned last = slab_word_count(cache) - 1;
    d->words[last] |= 1ULL << 63;
    block = d->base;
    while (loam_cache_alloc(cache) != NULL) {
    }
}

/* Of a word that was used before, in the slab that is current. */
static void bits_beyond_again(void)
{
    slab_desc *d = descriptor();
    unsigned last = slab_word_count(cache) - 1, base = last * 64;
    void *first = block, *final = NULL;
    for (unsigned i = 1; i <= base; i++)
        final = loam_cache_alloc(cache);
    loam_cache_free(cache, final);
    loam_cache_free(cache, first); /* the current word; the last one has more */
    d->words[last] |= 1ULL << 63;
    block = d->base;
    loam_cache_alloc(cache);
    loam_cache_alloc(cache);
}

/* Nothing is read behind the slab's words, though it says no more than they do there. */
static void word_beyond(void)
{
    slab_desc *d = descriptor();
    slab_head_of(d)->any = 1ULL << slab_word_count(cache);
    use_up(d);
}

static void base_moved(void)
{
    slab_desc *d = descriptor();
    d->base += 4096;
    use_up(d);
}

static void reciprocal_changed(void)
{
    slab_desc *d = descriptor();
    d->recip++;
    use_up(d);
}

static void list_bent(void)
{
    slab_desc *d = descriptor();
    static loam_list elsewhere;
    elsewhere = (loam_list){&elsewhere, &elsewhere};
    d->link.next = &elsewhere;
    use_up(d);
}

static void bit_of_what_is_free(void)
{
    slab_desc *d = descriptor();
    d->words[0] &= ~(1ULL << 10); /* nobody's, and will never be free */
    loam_cache_free(cache, block);
    block = d->base;
    loam_cache_shrink(cache);
}

static void record_says_out(void)
{
    block = loam_kmalloc_alloc(k, 100);
    loam_slabs *s = cache->slabs;
    slab_desc *d = slab_desc_at(s, slab_off(s, block));
    unsigned slot = (unsigned)((uint64_t)(slab_off(s, block) & s->mask) * d->recip >> 32);
    d->words[slot >> 6] |= 1ULL << (slot & 63); /* out, and its bit says free */
    if (loam_kmalloc_alloc(k, 100) != NULL)
        return;
}

/* Of a class's own size: the seal is the first byte behind it. */
static void after_whole(void)
{
    flip(112, 112);
    loam_kmalloc_free(k, block);
}

/* In the last word of its room but one byte. */
static void after_nearly(void)
{
    flip(108, 108);
    loam_kmalloc_free(k, block);
}

static void after_longer(void)
{
    flip(1000, 1000);
    loam_kmalloc_free(k, block);
}

/* In the half of the seal that free does not take the size from. */
static void after_seal(void)
{
    flip(300, 322);
    loam_kmalloc_free(k, block);
}

static void before_longer(void)
{
    flip(1000, -1);
    loam_kmalloc_free(k, block);
}

/* What is drawn comes back to each slot sooner or later. */
static void write_until_found(size_t size, long at)
{
    block = loam_kmalloc_alloc(k, size);
    loam_kmalloc_free(k, block);
    block[at] ^= 0x80;
    for (int i = 0; i < 100000; i++)
        loam_kmalloc_free(k, loam_kmalloc_alloc(k, size));
}

static void late_first(void)
{
    write_until_found(100, 0);
}

static void late_last(void)
{
    write_until_found(100, 111);
}

static void late_third(void)
{
    write_until_found(64, 40);
}

static void late_seal(void)
{
    write_until_found(100, 112);
}

static void late_middle(void)
{
    write_until_found(400, 200);
}

static void late_tail(void)
{
    write_until_found(400, 399);
}

static void late_middle_seal(void)
{
    write_until_found(400, 450);
}

static void late_longer(void)
{
    write_until_found(1000, 1008);
}

/* Behind what a block has of its slot nobody looks until it grows over it. */
static void late_grown(void)
{
    flip(900, 960);
    block = loam_kmalloc_realloc(k, block, 1000);
}

typedef struct damage {
    const char *name, *options;
    void (*run)(void);
    const char *rule, *state, *cache;
    uint64_t size;
} damage;

#define SWIFT "guard,zero_free,quarantine=16K,random"

static const damage damages[] = {
    {"guard: one byte after: at free", "guard,owner", after_small, "S9 ", "after the block",
     "kmalloc-112", 100},
    {"guard: one byte before: at free", "guard,owner", before_small, "S9 ", "before the block",
     "kmalloc-112", 100},
    {"guard: one byte after a large block: at free", "guard,owner", after_large, "S9 ",
     "after the block", "large", 50000},
    {"guard: one byte before a large block: at free", "guard,owner", before_large, "S9 ",
     "before the block", "large", 50000},
    {"guard: one byte after: at realloc", "guard,owner", after_at_realloc, "S9 ", "after the block",
     "kmalloc-112", 100},
    {"guard: 8 bytes before: at realloc to 0", "guard,owner", before_at_realloc_to_nothing, "S9 ",
     "before the block", "kmalloc-112", 100},
    {"guard: one byte after an object: at free", "guard,owner", after_object, "S9 ",
     "after the block", "things", 40},
    {"guard: one byte after an aligned block: at free", "guard,owner", aligned_after, "S9 ",
     "after the block", "kmalloc-640", 100},
    {"poison: written while free: at reuse", "poison,owner", poison_at_reuse, "S10 ",
     "written after free", "kmalloc-112", 100},
    {"poison: written while free: when the slab goes back", "poison,owner", poison_when_slab_goes,
     "S10 ", "written after free", "kmalloc-112", 100},
    {"quarantine: written while waiting: when it leaves", "quarantine=4K,owner",
     quarantine_when_it_leaves, "S10 ", "written after free", "kmalloc-112", 100},
    {"quarantine: an entry that leads nowhere: when it leaves", "quarantine=4K",
     quarantine_of_nowhere, "S11 ", "metadata overwritten", "kmalloc-112", 112},
    {"quarantine: an entry of a block that is out: when it leaves", "quarantine=4K",
     quarantine_of_what_is_out, "S11 ", "metadata overwritten", "kmalloc-112", 112},
    {"quarantine: a large block written while waiting: at shrink", "quarantine,owner",
     quarantine_at_shrink, "S10 ", "written after free", "large", 50000},
    {"bits: one beyond the last slot: when its word is used", "shift=14", bits_beyond, "S3 ",
     "metadata overwritten", "things", 40},
    {"bits: the same of a word that was used before", "shift=14", bits_beyond_again, "S3 ",
     "metadata overwritten", "things", 40},
    {"bits: a word beyond the last one: when a word is used up", "shift=14", word_beyond, "S3 ",
     "metadata overwritten", "things", 40},
    {"descriptor: its base changed: when a word is used up", "shift=14", base_moved, "S1 ",
     "metadata overwritten", "things", 40},
    {"descriptor: its reciprocal changed: when a word is used up", "shift=14", reciprocal_changed,
     "S2 ", "metadata overwritten", "things", 40},
    {"descriptor: its list changed: when a word is used up", "shift=14", list_bent, "S5 ",
     "metadata overwritten", "things", 40},
    {"bits: one that was cleared: when its slab goes", "shift=14", bit_of_what_is_free, "S3 ",
     "metadata overwritten", "things", 40},
    {"guard: a free bit of a block that is out: when it is taken", "guard,owner", record_says_out,
     "S11 ", "given out though it is not free", "kmalloc-112", 100},
    {"all of hardened: one byte after: at free", SWIFT, after_small, "S9 ", "after the block",
     "kmalloc-112", 100},
    {"all of hardened: one byte before: at free", SWIFT, before_small, "S9 ", "before the block",
     "kmalloc-112", 100},
    {"all of hardened: one byte after a class's own size: at free", SWIFT, after_whole, "S9 ",
     "after the block", "kmalloc-112", 112},
    {"all of hardened: one byte after 108: at free", SWIFT, after_nearly, "S9 ", "after the block",
     "kmalloc-112", 108},
    {"all of hardened: one byte after 1000: at free", SWIFT, after_longer, "S9 ", "after the block",
     "kmalloc-1024", 1000},
    {"all of hardened: in the seal behind 300: at free", SWIFT, after_seal, "S9 ",
     "after the block", "kmalloc-320", 320},
    {"all of hardened: one byte before 1000: at free", SWIFT, before_longer, "S9 ",
     "before the block", "kmalloc-1024", 1000},
    {"all of hardened: the first byte of a free block: at reuse", SWIFT, late_first, "S10 ",
     "written after free", "kmalloc-112", 112},
    {"all of hardened: the last byte of a free slot: at reuse", SWIFT, late_last, "S10 ",
     "written after free", "kmalloc-112", 112},
    {"all of hardened: the third unit of a free block of 64: at reuse", SWIFT, late_third, "S10 ",
     "written after free", "kmalloc-64", 64},
    {"all of hardened: behind a free slot: at reuse", SWIFT, late_seal, "S10 ",
     "written after free", "kmalloc-112", 112},
    {"all of hardened: in the middle of a free block of 400: at reuse", SWIFT, late_middle, "S10 ",
     "written after free", "kmalloc-448", 448},
    {"all of hardened: the last byte of a free block of 400: at reuse", SWIFT, late_tail, "S10 ",
     "written after free", "kmalloc-448", 448},
    {"all of hardened: behind a free block of 400: at reuse", SWIFT, late_middle_seal, "S10 ",
     "written after free", "kmalloc-448", 448},
    {"all of hardened: behind a free block of 1000: at reuse", SWIFT, late_longer, "S10 ",
     "written after free", "kmalloc-1024", 1024},
    {"all of hardened: far behind a block of 900: when it grows", SWIFT, late_grown, "S10 ",
     "written after free", "kmalloc-1024", 900},
    {"quarantine: a large block written while waiting: no memory", "quarantine,owner",
     quarantine_without_memory, "S10 ", "written after free", "large", 50000},
};

/* What is missing from the report, or NULL. */
static const char *judge(const damage *d)
{
    if (seen.what == NULL)
        return "found nothing";
    if (strncmp(seen.what, d->rule, strlen(d->rule)) != 0)
        return seen.what;
    if (seen.state == NULL || strcmp(seen.state, d->state) != 0)
        return "state";
    if (seen.name == NULL || strcmp(seen.name, d->cache) != 0)
        return "cache";
    if (seen.value != (uintptr_t)block)
        return "address";
    if (seen.size != d->size)
        return "size";
    return seen.site != NULL || strstr(d->options, "owner") == NULL ? NULL : "call site";
}

static void run_until_caught(const damage *d)
{
    if (setjmp(caught) == 0)
        d->run();
}

int main(void)
{
    unsigned failed = 0;
    arena = aligned_alloc(65536, ARENA);
    meta = aligned_alloc(64, META);
    if (arena == NULL || meta == NULL)
        return 1;
    loam_port_on_report(on_report, NULL);
    printf("1..%zu\n", LOAM_ARRAY_LEN(damages));
    for (size_t i = 0; i < LOAM_ARRAY_LEN(damages); i++) {
        seen = (loam_report){0};
        const char *bad = start(damages[i].options) ? NULL : "no machine";
        if (bad == NULL) {
            run_until_caught(&damages[i]);
            bad = judge(&damages[i]);
        }
        printf("%sok %zu - slab_damage: %s\n", bad == NULL ? "" : "not ", i + 1, damages[i].name);
        if (bad != NULL)
            printf("# missing: %s\n", bad);
        failed += bad != NULL;
    }
    free(arena);
    free(meta);
    return failed != 0;
}
