/* SPDX-License-Identifier: MIT */
/* pt_change_test.c - page tables by example, on every format: what changes or ends mappings, views,
 * roots with a common part, the flush. */
#include "pt_ground.h"

/* ---- unmap ---- */

static struct {
    uint64_t va[8], pa[8], len[8];
    unsigned count;
} gone;

static void on_gone(void *ctx, uint64_t va, loam_pa pa, uint64_t len)
{
    (void)ctx;
    if (gone.count < LOAM_ARRAY_LEN(gone.va)) {
        gone.va[gone.count] = va;
        gone.pa[gone.count] = pa.v;
        gone.len[gone.count] = len;
    }
    gone.count++;
}

static void gone_is(tap *t, unsigned i, uint64_t va, uint64_t pa, uint64_t len)
{
    TAP_EQ(t, gone.va[i], va);
    TAP_EQ(t, gone.pa[i], pa);
    TAP_EQ(t, gone.len[i], len);
}

static void unmap_tells(tap *t)
{
    for
        EACH_KIND(k)
        {
            fresh(t, k);
            gone.count = 0;
            map(0x3ff000, 0x10000, 2 * PAGE, W); /* over the edge of a table */
            map(0x402000, 0x20000, PAGE, W);
            map(0x405000, 0x23000, PAGE, W);
            map(0x406000, 0x22000, PAGE, W);
            TAP_EQ(t, loam_pt_unmap(&pt, 0, 0x10000000, on_gone, NULL, &batch), LOAM_OK);
            TAP_EQ(t, gone.count, 4);
            gone_is(t, 0, 0x3ff000, 0x10000, 2 * PAGE);
            gone_is(t, 1, 0x402000, 0x20000, PAGE);
            gone_is(t, 2, 0x405000, 0x23000, PAGE);
            gone_is(t, 3, 0x406000, 0x22000, PAGE);
            TAP_EQ(t, batch.count, 5);
            TAP_EQ(t, batch.va[0], 0x3ff000);
            TAP_EQ(t, batch.va[4], 0x406000);
        }
}

static void unmap_nothing(tap *t)
{
    for
        EACH_KIND(k)
        {
            fresh(t, k);
            refused(t, unmap(0x1000, 0), LOAM_EINVAL);
            refused(t, unmap(0x1001, PAGE), LOAM_EINVAL);
            refused(t, unmap(0x1000, 7), LOAM_EINVAL);
            refused(t, unmap((uint64_t)1 << 48, PAGE), LOAM_ERANGE);
            refused(t, unmap(0 - (uint64_t)PAGE, 2 * PAGE), LOAM_ERANGE);
            refused(t, unmap(0, 0x80000000), LOAM_OK);
            refused(t, loam_pt_protect(&pt, 0, 0x80000000, W, &batch), LOAM_OK);
        }
}

/* A table that is let go may still be walked until the flush: nothing may be found in it. */
static void unmap_waits(tap *t)
{
    for
        EACH_KIND(k)
        {
            fresh(t, k);
            map(0x1000, 0x1000, PAGE, W);
            map(0x40001000, 0x1000, PAGE, W);
            unsigned out = memory.out;
            mmu_page before = mmu_walk(&cpu, 0x1000), other = mmu_walk(&cpu, 0x40001000);
            TAP_EQ(t, unmap(0, 0x80000000), LOAM_OK);
            TAP_EQ(t, pt.tables, 1);
            TAP_EQ(t, memory.out, out);
            for (unsigned step = 1; step < 4; step++) {
                uint64_t table = before.tables[step], second = other.tables[step];
                for (unsigned i = 0; table != 0 && i < PAGE / 8; i++)
                    TAP_EQ(t, table_memory_word(&memory, table + 8 * i) & 0x100000001, 0);
                for (unsigned i = 0; second != 0 && i < PAGE / 8; i++)
                    TAP_EQ(t, table_memory_word(&memory, second + 8 * i) & 0x100000001, 0);
            }
            loam_pt_release(&pt, &batch);
            TAP_EQ(t, memory.out, 1);
            TAP_CHECK(t, batch.emptied == 0 && batch.count == 0 && !batch.dirty);
            sound(t);
        }
}

static void unmap_one_of_many(tap *t)
{
    for
        EACH_KIND(k)
        {
            fresh(t, k);
            map(0, 0, PAGE, W);
            map(100 * PAGE, 0, PAGE, W);
            uint64_t tables = pt.tables;
            TAP_EQ(t, unmap(100 * PAGE, PAGE), LOAM_OK);
            TAP_EQ(t, pt.tables, tables);
            maps_to(t, k, 0, 0, W);
            sound(t);
            map(200 * PAGE, 0, PAGE, W);
            TAP_EQ(t, unmap(0, PAGE), LOAM_OK);
            TAP_EQ(t, pt.tables, tables);
            maps_to(t, k, 200 * PAGE, 0, W);
            sound(t);
        }
}

/* 33 pages are too many for a batch. */
static void unmap_many(tap *t)
{
    fresh(t, x64);
    map(0, 0, 64 * PAGE, W);
    TAP_EQ(t, unmap(0, LOAM_PT_BATCH * PAGE), LOAM_OK);
    TAP_CHECK(t, batch.count == LOAM_PT_BATCH && !batch.all);
    TAP_EQ(t, unmap(LOAM_PT_BATCH * PAGE, PAGE), LOAM_OK);
    TAP_CHECK(t, batch.all);
}

/* Both ends of the range lie in one large page. */
static void unmap_inside_large(tap *t)
{
    for
        EACH_KIND(k)
        {
            uint64_t size = large_size(k);
            fresh(t, k);
            gone.count = 0;
            map(size, 4 * size, size, W | X | U);
            uint64_t before = pt.tables;
            TAP_EQ(t, loam_pt_unmap(&pt, size + 3 * PAGE, 2 * PAGE, on_gone, NULL, &batch),
                   LOAM_OK);
            TAP_EQ(t, pt.tables, before + has_large(k));
            TAP_EQ(t, gone.count, 1);
            gone_is(t, 0, size + 3 * PAGE, 4 * size + 3 * PAGE, 2 * PAGE);
            for (uint64_t at = 0; at < size; at += PAGE) {
                if (at == 3 * PAGE || at == 4 * PAGE)
                    maps_nothing(t, size + at);
                else
                    maps_to(t, k, size + at, 4 * size + at, W | X | U);
            }
            TAP_EQ(t, batch.count, 2);
            sound(t);
        }
}

/* ---- protect, remap ---- */

static void protect_rights(tap *t)
{
    for
        EACH_KIND(k)
        {
            for (unsigned flags = 0; flags < 32; flags++) {
                fresh(t, k);
                map(0x3ff000, 0x7000, 3 * PAGE, W);
                loam_pt_batch_init(&batch);
                TAP_EQ(t, loam_pt_protect(&pt, 0x400000, PAGE, flags, &batch), LOAM_OK);
                TAP_CHECK(t, batch.count == 1 && batch.va[0] == 0x400000 && batch.dirty);
                maps_to(t, k, 0x3ff000, 0x7000, W);
                maps_to(t, k, 0x400000, 0x8000, flags);
                maps_to(t, k, 0x401000, 0x9000, W);
            }
            loam_pt_batch_init(&batch);
            refused(t, loam_pt_protect(&pt, 0x400000, PAGE, 32, &batch), LOAM_EINVAL);
            refused(t, loam_pt_protect(&pt, 0x400000, 0, W, &batch), LOAM_EINVAL);
            refused(t, loam_pt_protect(&pt, 0x400001, PAGE, W, &batch), LOAM_EINVAL);
            refused(t, loam_pt_protect(&pt, (uint64_t)1 << 48, PAGE, W, &batch), LOAM_ERANGE);
        }
}

static void protect_large(tap *t)
{
    for
        EACH_KIND(k)
        {
            uint64_t size = large_size(k);
            fresh(t, k);
            map(0, 0, 4 * size, W | GLOBAL);
            /* half of the first, all of the second, a page of the third */
            TAP_EQ(t, loam_pt_protect(&pt, size / 2, size + size / 2 + PAGE, X, &batch), LOAM_OK);
            maps_to(t, k, size / 2 - 1, size / 2 - 1, W | GLOBAL);
            maps_to(t, k, size / 2, size / 2, X);
            maps_to(t, k, size, size, X);
            maps_to(t, k, 2 * size, 2 * size, X);
            maps_to(t, k, 2 * size + PAGE, 2 * size + PAGE, W | GLOBAL);
            maps_to(t, k, 3 * size, 3 * size, W | GLOBAL);
            TAP_EQ(t, mmu_walk(&cpu, size).size, has_large(k) ? size : PAGE);
            sound(t);
        }
}

static void remap(tap *t)
{
    for
        EACH_KIND(k)
        {
            loam_pfn pfn = {0x1234};
            fresh(t, k);
            map(0x5000, 0x7000, 2 * PAGE, U);
            map(large_size(k), 0, large_size(k), W);
            loam_pt_batch_init(&batch);
            refused(t, loam_pt_remap(&pt, 0x4000, pfn, W, &batch), LOAM_ENOENT);
            refused(t, loam_pt_remap(&pt, 0x5001, pfn, W, &batch), LOAM_EINVAL);
            refused(t, loam_pt_remap(&pt, 0x5000, pfn, 32, &batch), LOAM_EINVAL);
            refused(t, loam_pt_remap(&pt, 0x5000, loam_pfn_of((uint64_t)1 << 40), W, &batch),
                    LOAM_ERANGE);
            refused(t, loam_pt_remap(&pt, (uint64_t)1 << 48, pfn, W, &batch), LOAM_ERANGE);
            if (has_large(k))
                refused(t, loam_pt_remap(&pt, large_size(k), pfn, W, &batch), LOAM_EBUSY);
            TAP_EQ(t, loam_pt_remap(&pt, 0x5000, pfn, W | U, &batch), LOAM_OK);
            maps_to(t, k, 0x5000, 0x1234000, W | U);
            maps_to(t, k, 0x6000, 0x8000, U);
            TAP_CHECK(t, batch.count == 1 && batch.va[0] == 0x5000 && batch.dirty);
            sound(t);
        }
}

/* ---- query, each ---- */

/* What the processor notes in a page is told, and survives protect and a split. */
static void notes(tap *t)
{
    loam_pt_entry e;
    fresh(t, x64);
    map(0x200000, 0x200000, 0x200000, W);
    TAP_CHECK(t, loam_pt_query(&pt, 0x234567, &e) && !e.accessed && !e.dirty);
    TAP_CHECK(t, e.va == 0x200000 && e.len == 0x200000 && e.pa.v == 0x200000);
    table64(0x200000, 2)[1] |= 0x60;
    TAP_CHECK(t, loam_pt_query(&pt, 0x234567, &e) && e.accessed && e.dirty);
    TAP_EQ(t, loam_pt_protect(&pt, 0x234000, PAGE, 0, &batch), LOAM_OK);
    TAP_CHECK(t, loam_pt_query(&pt, 0x234567, &e) && e.accessed && e.dirty && e.len == PAGE);
    TAP_CHECK(t, loam_pt_query(&pt, 0x200000, &e) && e.accessed && e.dirty);
    fresh(t, &kinds[4]);
    map(0x1000, 0x1000, PAGE, W);
    TAP_CHECK(t, loam_pt_query(&pt, 0x1000, &e) && e.accessed && !e.dirty);
    TAP_CHECK(t, !loam_pt_query(&pt, (uint64_t)1 << 48, &e));
}

static struct {
    uint64_t va[8], stop_at;
    unsigned count;
} seen;

static bool on_entry(void *ctx, const loam_pt_entry *entry)
{
    (void)ctx;
    if (seen.count < LOAM_ARRAY_LEN(seen.va))
        seen.va[seen.count] = entry->va;
    seen.count++;
    return entry->va != seen.stop_at;
}

static void each_ascends(tap *t)
{
    for
        EACH_KIND(k)
        {
            uint64_t size = large_size(k);
            fresh(t, k);
            map(0x1000, 0x1000, PAGE, W);
            map(0x5000, 0x1000, PAGE, U);
            map(size - PAGE, 0x9000, 2 * PAGE, X);
            seen.count = 0;
            seen.stop_at = 1;
            loam_pt_each(&pt, 0, (uint64_t)1 << 32, on_entry, NULL);
            TAP_EQ(t, seen.count, 4);
            TAP_CHECK(t, seen.va[0] == 0x1000 && seen.va[1] == 0x5000);
            TAP_CHECK(t, seen.va[2] == size - PAGE && seen.va[3] == size);
            seen.count = 0;
            loam_pt_each(&pt, 0x1800, 0x3801, on_entry, NULL); /* parts of two */
            TAP_EQ(t, seen.count, 2);
            seen.count = 0;
            loam_pt_each(&pt, 0x2000, 0x3000, on_entry, NULL); /* between them */
            loam_pt_each(&pt, (uint64_t)1 << 48, 1, on_entry, NULL);
            TAP_EQ(t, seen.count, 0);
            seen.stop_at = 0x5000;
            loam_pt_each(&pt, 0, (uint64_t)1 << 32, on_entry, NULL);
            TAP_EQ(t, seen.count, 2);
        }
}

/* ---- roots with a common part ---- */

static uint64_t root_span(const kind *k)
{
    return k->mmu == MMU_I386 ? 4 << 20 : (uint64_t)1 << 39;
}

static void prepare(tap *t)
{
    for
        EACH_KIND(k)
        {
            uint64_t span = root_span(k);
            fresh(t, k);
            map(2 * span + PAGE, 0, PAGE, W);
            uint64_t before = pt.tables;
            loam_pt_batch_init(&batch);
            refused(t, loam_pt_prepare(&pt, span, 0), LOAM_EINVAL);
            refused(t, loam_pt_prepare(&pt, (uint64_t)1 << 48, span), LOAM_EINVAL);
            memory.fail_at = memory.asked + 2;
            refused(t, loam_pt_prepare(&pt, span, 4 * span), LOAM_ENOMEM);
            TAP_EQ(t, pt.tables, before);
            TAP_EQ(t, loam_pt_prepare(&pt, span, 4 * span), LOAM_OK);
            TAP_EQ(t, pt.tables, before + 3);
            sound(t);
            TAP_EQ(t, loam_pt_prepare(&pt, span + PAGE, PAGE), LOAM_OK); /* again: nothing to do */
            TAP_EQ(t, pt.tables, before + 3);
            map(span, 0, PAGE, W);
            TAP_EQ(t, unmap(span, 4 * span), LOAM_OK);
            TAP_EQ(t, pt.tables, 5); /* the four stay, those below them do not */
            maps_nothing(t, 2 * span + PAGE);
            sound(t);
            loam_pt_release(&pt, &batch);
            loam_pt_fini(&pt, (loam_span){0, 0});
            TAP_EQ(t, memory.out, 0);
        }
}

static void share(tap *t)
{
    for
        EACH_KIND(k)
        {
            uint64_t span = root_span(k);
            loam_pt kernel;
            fresh(t, k);
            kernel = pt;
            TAP_EQ(t, loam_pt_prepare(&kernel, 4 * span, 2 * span), LOAM_OK);
            TAP_EQ(t, loam_pt_init(&pt, k->format, k->features, &kernel.memory), LOAM_OK);
            cpu.root = pt.root.v;
            map(PAGE, 0x3000, PAGE, U);
            TAP_EQ(t, loam_pt_share(&pt, &kernel, 4 * span, 2 * span), LOAM_OK);
            uint64_t own = pt.tables;
            TAP_RULE(t, loam_pt_check(&pt), NULL);
            /* what the kernel maps later is seen, and is its own */
            TAP_EQ(t, loam_pt_map(&kernel, 5 * span, loam_pa_of(0x9000), PAGE, W, &batch), LOAM_OK);
            maps_to(t, k, 5 * span, 0x9000, W);
            TAP_EQ(t, pt.tables, own);
            TAP_RULE(t, loam_pt_check(&pt), NULL);
            TAP_RULE(t, loam_pt_check(&kernel), NULL);
            TAP_EQ(t, map(5 * span + PAGE, 0, PAGE, W), LOAM_EINVAL);
            TAP_EQ(t, map(3 * span, 0, 2 * span, W), LOAM_EINVAL);
            TAP_EQ(t, unmap(5 * span, PAGE), LOAM_EINVAL);
            TAP_EQ(t, loam_pt_protect(&pt, 5 * span, PAGE, U, &batch), LOAM_EINVAL);
            TAP_EQ(t, loam_pt_share(&pt, &kernel, 0, span), LOAM_EBUSY);
            TAP_EQ(t, loam_pt_share(&pt, &kernel, span, PAGE), LOAM_EINVAL);
            TAP_EQ(t, loam_pt_share(&pt, &kernel, (uint64_t)1 << 48, span), LOAM_ERANGE);
            TAP_EQ(t, loam_pt_share(&pt, &kernel, 4 * span, 2 * span), LOAM_OK); /* again */
            loam_pt_fini(&pt, (loam_span){0, 0});
            TAP_EQ(t, memory.out, kernel.tables);
            cpu.root = kernel.root.v;
            TAP_CHECK(t, mmu_walk(&cpu, 5 * span).mapped);
            loam_pt_fini(&kernel, (loam_span){0, 0});
            TAP_EQ(t, memory.out, 0);
            TAP_EQ(t, memory.faults, 0);
        }
}

/* A table that was never prepared is shared, and loses all it has: it stays: others name it. */
static void share_keeps(tap *t)
{
    for
        EACH_KIND(k)
        {
            loam_pt kernel;
            fresh(t, k);
            map(0x1000, 0x1000, PAGE, W);
            kernel = pt;
            TAP_EQ(t, loam_pt_init(&pt, k->format, k->features, &kernel.memory), LOAM_OK);
            TAP_EQ(t, loam_pt_share(&pt, &kernel, 0, root_span(k)), LOAM_OK);
            TAP_EQ(t, loam_pt_unmap(&kernel, 0x1000, PAGE, NULL, NULL, &batch), LOAM_OK);
            loam_pt_release(&kernel, &batch);
            TAP_EQ(t, kernel.tables, 2);
            TAP_RULE(t, loam_pt_check(&kernel), NULL);
            TAP_EQ(t, loam_pt_map(&kernel, 0x5000, loam_pa_of(0x3000), PAGE, U, &batch), LOAM_OK);
            cpu.root = pt.root.v;
            maps_to(t, k, 0x5000, 0x3000, U);
            TAP_EQ(t, memory.faults, 0);
        }
}

static void fini_keeps(tap *t)
{
    for
        EACH_KIND(k)
        {
            uint64_t span = root_span(k);
            fresh(t, k);
            map(span, 0, PAGE, W);
            map(2 * span, 0, PAGE, W);
            map(3 * span, 0, PAGE, W);
            unsigned each = (memory.out - 1) / 3;
            loam_pt_fini(&pt, (loam_span){2 * span, span});
            TAP_EQ(t, memory.out, each);
        }
}

/* A root that somebody else has made: a table that takes rights away, and an empty one. */
static void adopt(tap *t)
{
    loam_pt boot;
    loam_pt_entry e;
    fresh(t, x64);
    map(0x1000, 0x7000, PAGE, W | U | X);
    loam_pt_prepare(&pt, root_span(x64), PAGE);
    root64()[1] &= ~(uint64_t)0x200;
    root64()[0] &= ~(uint64_t)4;                /* no user */
    table64(0x1000, 1)[0] &= ~(uint64_t)2;      /* no write */
    table64(0x1000, 2)[0] |= (uint64_t)1 << 63; /* no execution */
    TAP_EQ(t, loam_pt_adopt(&boot, x64->format, x64->features, &pt.memory, loam_pa_of(1)),
           LOAM_EINVAL);
    TAP_EQ(t, loam_pt_adopt(&boot, x64->format, 16, &pt.memory, pt.root), LOAM_EINVAL);
    TAP_EQ(t, loam_pt_adopt(&boot, x64->format, x64->features, &pt.memory, pt.root), LOAM_OK);
    TAP_EQ(t, boot.tables, pt.tables);
    pt = boot;
    sound(t);
    maps_to(t, x64, 0x1000, 0x7000, 0);
    TAP_CHECK(t, loam_pt_query(&pt, 0x1000, &e) && e.flags == 0);
    TAP_EQ(t, map(0x2000, 0x8000, PAGE, W | U | X), LOAM_OK);
    TAP_CHECK(t, batch.all); /* the rights of the old page have changed */
    maps_to(t, x64, 0x2000, 0x8000, W | U | X);
    sound(t);
    fresh(t, &kinds[4]);
    map(0x1000, 0x7000, PAGE, W | U | X);
    root64()[0] |= (uint64_t)15 << 59;
    maps_to(t, &kinds[4], 0x1000, 0x7000, 0);
    TAP_EQ(t, map(0x2000, 0x8000, PAGE, W | U | X), LOAM_OK);
    maps_to(t, &kinds[4], 0x2000, 0x8000, W | U | X);
    fresh(t, &kinds[0]);
    map(0x1000, 0x7000, PAGE, W | U);
    *(uint32_t *)table_memory_at(&memory, pt.root) &= ~6U;
    maps_to(t, &kinds[0], 0x1000, 0x7000, 0);
}

/* ---- the flush ---- */

static struct {
    loam_tlb tlb;
    char log[64];
    loam_text text;
    bool told;
} side;

static void side_note(char c)
{
    loam_text_char(&side.text, c);
}

static void side_page(void *ctx, uint64_t va)
{
    (void)ctx;
    side_note((char)('0' + va / PAGE % 10));
}

static void side_all(void *ctx)
{
    (void)ctx;
    side_note('a');
}

static void side_fence(void *ctx)
{
    (void)ctx;
    side_note('f');
}

static bool side_others(void *ctx, const uint64_t *va, uint32_t count)
{
    (void)ctx;
    side_note('<');
    for (uint32_t i = 0; i < count; i++)
        side_page(NULL, va[i]);
    if (count == 0)
        side_note('a');
    side_note('>');
    return side.told;
}

static void flushed(tap *t, const char *want)
{
    loam_tlb_flush(&side.tlb, &pt, &batch);
    TAP_STR(t, side.log, want);
    TAP_CHECK(t, batch.count == 0 && !batch.all && !batch.dirty && batch.emptied == 0);
    loam_text_init(&side.text, side.log, sizeof side.log);
}

static void flush(tap *t)
{
    fresh(t, x64);
    side.tlb = (loam_tlb){.page = side_page, .all = side_all, .fence = side_fence, .threshold = 3};
    loam_text_init(&side.text, side.log, sizeof side.log);
    flushed(t, "");
    map(PAGE, 0, 9 * PAGE, W);
    flushed(t, "f"); /* new pages: nothing is remembered of them */
    unmap(2 * PAGE, 3 * PAGE);
    flushed(t, "f234f");
    unmap(5 * PAGE, 4 * PAGE);
    flushed(t, "faf");
    side.tlb.page = NULL;
    unmap(PAGE, PAGE);
    flushed(t, "faf");
    side.tlb.fence = NULL;
    side.tlb.page = side_page;
    unmap(9 * PAGE, PAGE);
    TAP_EQ(t, memory.out, 4);
    flushed(t, "9");
    TAP_EQ(t, memory.out, 1); /* given back, and not before */
    batch.all = true;
    flushed(t, "a");
    TAP_EQ(t, side.tlb.stats.batches, 5);
    TAP_EQ(t, side.tlb.stats.pages, 4);
    TAP_EQ(t, side.tlb.stats.fulls, 3);
    TAP_EQ(t, side.tlb.stats.told, 0);
}

/* Other processors are told once a batch, before the last fence and before tables go back. */
static void flush_others(tap *t)
{
    fresh(t, x64);
    side.tlb = (loam_tlb){.page = side_page,
                          .all = side_all,
                          .fence = side_fence,
                          .others = side_others,
                          .threshold = 3};
    side.told = true;
    loam_text_init(&side.text, side.log, sizeof side.log);
    map(PAGE, 0, 9 * PAGE, W);
    flushed(t, "f");
    unmap(2 * PAGE, 3 * PAGE);
    flushed(t, "f234<234>f");
    unmap(5 * PAGE, 4 * PAGE);
    flushed(t, "fa<a>f");
    TAP_EQ(t, side.tlb.stats.told, 2);
    side.told = false; /* nobody is there */
    unmap(PAGE, PAGE);
    flushed(t, "f1<1>f");
    TAP_EQ(t, side.tlb.stats.told, 2);
    TAP_EQ(t, side.tlb.stats.batches, 3);
}

static const tap_case cases[] = {
    {"pt_unmap: told of runs, batch of pages", unmap_tells},
    {"pt_unmap: bad arguments, nothing there: nothing changed", unmap_nothing},
    {"pt_unmap: emptied tables wait for the flush, and are empty", unmap_waits},
    {"pt_unmap: a table with one entry left stays", unmap_one_of_many},
    {"pt_unmap: more pages than a batch holds: all", unmap_many},
    {"pt_unmap: inside one large page: one split", unmap_inside_large},
    {"pt_protect: one page, all flags", protect_rights},
    {"pt_protect: large pages: split at the ends only", protect_large},
    {"pt_remap: another frame", remap},
    {"pt_query: what the processor noted", notes},
    {"pt_each: ascending, cut, stopped", each_ascends},
    {"pt_prepare: tables that stay", prepare},
    {"pt_share: seen by both, changed by one", share},
    {"pt_share: an emptied table stays while others name it", share_keeps},
    {"pt_fini: what is kept back stays", fini_keeps},
    {"pt_adopt: another's tables, narrow and empty", adopt},
    {"tlb_flush: pages, all, fences, counters", flush},
    {"tlb_flush: other processors: told once a batch", flush_others},
};

TAP_SUITE(pt_change_test, cases);
