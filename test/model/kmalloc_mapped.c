/* SPDX-License-Identifier: MIT */
/* kmalloc_mapped.c - large blocks of kmalloc as areas of a vmap, on a machine whose tables are
 * believed (vm_ground.h): contents, guards, misuse, frames that come back. */
#include "vm_ground.h"

#include "../../core/kmalloc_impl.h"
#include "tap_host.h"

enum { PAGE = LOAM_PAGE_SIZE, FRAMES = 1024, HIGH = 512, WINDOW = 3 << 20 };

static vm_ground g;

static void start(tap *t, const char *options)
{
    vm_ground_start(&g, FRAMES, HIGH, WINDOW);
    vm_ground_layers(&g, options);
    TAP_EQ(t, loam_kmalloc_set_vmap(g.k, g.vmap), LOAM_OK);
}

static void end(tap *t)
{
    TAP_RULE(t, loam_kmalloc_check(g.k), NULL);
    vm_ground_end(&g);
}

static bool is_mapped(const void *p)
{
    return (uintptr_t)p - (uintptr_t)g.window < g.window_len;
}

static loam_kmalloc_stats stats(void)
{
    loam_kmalloc_stats s;
    loam_kmalloc_stat(g.k, &s);
    return s;
}

/* ---- where blocks come from ---- */

static void large_is_mapped(tap *t)
{
    start(t, NULL);
    uint64_t high = loam_zone_free_pages(g.high_zone);
    unsigned char *small = loam_kmalloc_alloc(g.k, 5000), *large = loam_kmalloc_alloc(g.k, 100001);
    TAP_CHECK(t, small != NULL && !is_mapped(small));
    TAP_CHECK(t, large != NULL && is_mapped(large));
    TAP_EQ(t, loam_kmalloc_size(g.k, large), 25 * PAGE);
    TAP_EQ(t, loam_zone_free_pages(g.high_zone), high - 25); /* where kernels have no addresses */
    memset(large, 1, 25 * PAGE);
    TAP_CHECK(t, !vm_ground_reads(large - 1));
    TAP_CHECK(t, !vm_ground_reads(large + 25 * PAGE));
    TAP_EQ(t, stats().mapped_blocks, 1);
    TAP_EQ(t, stats().large_blocks, 1);
    TAP_EQ(t, stats().large_bytes, 25 * PAGE);
    TAP_EQ(t, loam_kmalloc_free(g.k, large), LOAM_OK);
    TAP_CHECK(t, !vm_ground_reads(large));
    TAP_EQ(t, loam_kmalloc_free(g.k, small), LOAM_OK);
    TAP_EQ(t, loam_zone_free_pages(g.high_zone), high);
    end(t);
}

static void aligned_is_in_a_row(tap *t)
{
    start(t, NULL);
    unsigned char *p = loam_kmalloc_aligned(g.k, 50000, 8192);
    TAP_CHECK(t, p != NULL && !is_mapped(p));
    TAP_EQ(t, (uintptr_t)p % 8192, 0);
    TAP_EQ(t, loam_kmalloc_free(g.k, p), LOAM_OK);
    end(t);
}

/* No window left: frames in a row, as without a vmap. */
static void no_window_left(tap *t)
{
    uint64_t va;
    start(t, NULL);
    TAP_EQ(t, loam_vmap_alloc(g.vmap, 480 * PAGE, 0, LOAM_PT_WRITE, &va), LOAM_OK);
    TAP_EQ(t, loam_vmap_alloc(g.vmap, 270 * PAGE, 0, LOAM_PT_WRITE, &va), LOAM_OK);
    unsigned char *p = loam_kmalloc_alloc(g.k, 100000);
    TAP_CHECK(t, p != NULL && !is_mapped(p));
    memset(p, 3, 100000);
    TAP_EQ(t, stats().mapped_blocks, 0);
    TAP_EQ(t, stats().large_blocks, 1);
    TAP_EQ(t, loam_kmalloc_free(g.k, p), LOAM_OK);
    end(t);
}

/* The n-th table and all behind it are refused: frames in a row, or a block that stays. */
static void no_tables_left(tap *t)
{
    bool mapped = false;
    for (unsigned n = 0; n < 12 && !mapped; n++) {
        start(t, NULL);
        uint64_t before = vm_ground_free_frames(&g);
        g.few_tables = true;
        g.tables_left = n;
        unsigned char *p = loam_kmalloc_alloc(g.k, 100 * PAGE);
        TAP_CHECK(t, p != NULL);
        mapped = is_mapped(p);
        memset(p, 5, 100 * PAGE);
        g.tables_left = 0;
        unsigned char *q = loam_kmalloc_realloc(g.k, p, 180 * PAGE);
        TAP_CHECK(t, q != NULL && q[100 * PAGE - 1] == 5);
        memset(q, 6, 180 * PAGE);
        TAP_CHECK(t,
                  (p = loam_kmalloc_realloc(g.k, q, 60 * PAGE)) != NULL && p[60 * PAGE - 1] == 6);
        TAP_RULE(t, loam_kmalloc_check(g.k), NULL);
        TAP_EQ(t, loam_kmalloc_free(g.k, p), LOAM_OK);
        TAP_EQ(t, vm_ground_free_frames(&g), before);
        end(t);
    }
    TAP_CHECK(t, mapped);
}

/* Every second frame is taken: no two in a row, and yet there is a large block. */
static void scattered(tap *t)
{
    static loam_pfn pfn[FRAMES];
    size_t n = 0;
    start(t, NULL);
    while (n < FRAMES && !loam_pfn_is_none(pfn[n] = loam_zone_alloc(g.high_zone, 0, 0)))
        n++;
    for (size_t i = 0; i < n; i++)
        if (pfn[i].v % 2 == 0)
            loam_zone_free(g.high_zone, pfn[i]);
    loam_zone_drain(g.high_zone);
    unsigned char *p = loam_kmalloc_alloc(g.k, 200 * PAGE);
    TAP_CHECK(t, p != NULL && is_mapped(p));
    memset(p, 0x77, 200 * PAGE);
    TAP_EQ(t, loam_kmalloc_free(g.k, p), LOAM_OK);
    end(t);
}

/* ---- realloc ---- */

static void realloc_in_place(tap *t)
{
    start(t, NULL);
    uint64_t before = vm_ground_free_frames(&g);
    unsigned char *p = loam_kmalloc_alloc(g.k, 10 * PAGE);
    memset(p, 9, 10 * PAGE);
    TAP_CHECK(t, loam_kmalloc_realloc(g.k, p, 100 * PAGE) == p);
    memset(p + 10 * PAGE, 8, 90 * PAGE);
    TAP_CHECK(t, loam_kmalloc_realloc(g.k, p, 10 * PAGE - 5) == p);
    TAP_EQ(t, p[10 * PAGE - 1], 9);
    TAP_CHECK(t, !vm_ground_reads(p + 10 * PAGE)); /* the tail went back */
    unsigned char *wall = loam_kmalloc_alloc(g.k, 10 * PAGE);
    unsigned char *q = loam_kmalloc_realloc(g.k, p, 20 * PAGE);
    TAP_CHECK(t, q != NULL && q != p && is_mapped(q));
    TAP_EQ(t, q[0], 9);
    TAP_EQ(t, q[10 * PAGE - 6], 9);
    TAP_CHECK(t, !vm_ground_reads(p));
    p = loam_kmalloc_realloc(g.k, q, 100); /* into a class */
    TAP_CHECK(t, p != NULL && !is_mapped(p));
    TAP_EQ(t, p[99], 9);
    q = loam_kmalloc_realloc(g.k, p, 12 * PAGE); /* and out of it */
    TAP_CHECK(t, q != NULL && is_mapped(q));
    TAP_EQ(t, q[99], 9);
    TAP_CHECK(t, loam_kmalloc_realloc(g.k, q, 0) == NULL);
    TAP_EQ(t, loam_kmalloc_free(g.k, wall), LOAM_OK);
    TAP_EQ(t, vm_ground_free_frames(&g), before);
    end(t);
}

static void realloc_without_memory(tap *t)
{
    start(t, NULL);
    unsigned char *p = loam_kmalloc_alloc(g.k, 10 * PAGE);
    memset(p, 9, 10 * PAGE);
    TAP_CHECK(t, loam_kmalloc_realloc(g.k, p, 2000 * PAGE) == NULL);
    TAP_CHECK(t, loam_kmalloc_realloc(g.k, p, SIZE_MAX) == NULL);
    TAP_EQ(t, p[10 * PAGE - 1], 9);
    TAP_EQ(t, loam_kmalloc_size(g.k, p), 10 * PAGE);
    TAP_EQ(t, loam_kmalloc_free(g.k, p), LOAM_OK);
    end(t);
}

/* ---- misuse ---- */

static void refused(tap *t, void *p, const char *what, const char *state)
{
    uint64_t before = stats().refusals;
    tap_catch(t);
    TAP_EQ(t, loam_kmalloc_free(g.k, p), LOAM_EINVAL);
    TAP_EQ(t, tap_caught(t), 1);
    TAP_STR(t, t->report.unit, "slab");
    TAP_STR(t, t->report.what, what);
    TAP_STR(t, t->report.state, state);
    TAP_CHECK(t, t->report.caller != NULL);
    TAP_EQ(t, stats().refusals, before + 1);
    TAP_RULE(t, loam_kmalloc_check(g.k), NULL);
}

static void misuse_is_named(tap *t)
{
    uint64_t va;
    start(t, NULL);
    unsigned char *p = loam_kmalloc_alloc(g.k, 50000);
    TAP_EQ(t, loam_vmap_alloc(g.vmap, PAGE, 0, LOAM_PT_WRITE, &va), LOAM_OK);
    refused(t, p + PAGE, "inner free", "inner");
    TAP_STR(t, t->report.name, "large");
    TAP_EQ(t, t->report.size, 50000);
    TAP_CHECK(t, t->report.site != NULL);
    refused(t, p + 3, "misaligned free", "misaligned");
    refused(t, (void *)(uintptr_t)va, "foreign free", "area of the vmap");
    refused(t, g.window + WINDOW - PAGE, "double free", "free");
    refused(t, g.window + WINDOW - 24, "foreign free", "free");
    tap_catch(t);
    TAP_EQ(t, loam_kmalloc_size(g.k, p + PAGE), 0);
    TAP_CHECK(t, loam_kmalloc_realloc(g.k, p + PAGE, 7) == NULL);
    TAP_EQ(t, loam_vmap_free(g.vmap, (uintptr_t)p), LOAM_EINVAL); /* not by the vmap's own call */
    TAP_EQ(t, loam_vmap_resize(g.vmap, (uintptr_t)p, PAGE), LOAM_EINVAL);
    TAP_EQ(t, loam_vmap_protect(g.vmap, (uintptr_t)p, 0), LOAM_EINVAL);
    TAP_EQ(t, tap_caught(t), 5);
    TAP_STR(t, t->report.state, "kmalloc's");
    TAP_EQ(t, loam_vmap_alloc(g.vmap, PAGE, 0, LOAM_VMAP_KMALLOC, &va), LOAM_EINVAL);
    TAP_EQ(t, loam_kmalloc_free(g.k, p), LOAM_OK);
    refused(t, p, "double free", "free");
    end(t);
}

static void one_vmap_one_kmalloc(tap *t)
{
    start(t, NULL);
    loam_kmalloc *other = loam_kmalloc_init(g.slabs);
    TAP_EQ(t, loam_kmalloc_set_vmap(other, g.vmap), LOAM_EBUSY);
    void *p = loam_kmalloc_alloc(g.k, 50000);
    TAP_EQ(t, loam_kmalloc_set_vmap(g.k, NULL), LOAM_EBUSY);
    TAP_EQ(t, loam_kmalloc_set_vmap(g.k, g.vmap), LOAM_OK);
    TAP_EQ(t, loam_kmalloc_free(g.k, p), LOAM_OK);
    TAP_EQ(t, loam_kmalloc_set_vmap(g.k, NULL), LOAM_OK);
    p = loam_kmalloc_alloc(g.k, 50000);
    TAP_CHECK(t, p != NULL && !is_mapped(p));
    TAP_EQ(t, loam_kmalloc_set_vmap(g.k, g.vmap), LOAM_OK); /* blocks of the zone may be out */
    TAP_EQ(t, loam_kmalloc_free(g.k, p), LOAM_OK);
    g.vmap->kmalloc = other;
    TAP_RULE(t, loam_kmalloc_check(g.k), "K5");
    g.vmap->kmalloc = g.k;
    g.vmap->mapped++;
    TAP_RULE(t, loam_kmalloc_check(g.k), "V1");
    g.vmap->mapped--;
    end(t);
}

/* ---- modes ---- */

static void guard_in_the_slack(tap *t)
{
    start(t, "shift=14,guard");
    unsigned char *p = loam_kmalloc_alloc(g.k, 50000);
    TAP_EQ(t, loam_kmalloc_size(g.k, p), 50000);
    TAP_RULE(t, loam_kmalloc_check(g.k), NULL);
    unsigned char was = p[50000];
    p[50000] = 1;
    TAP_RULE(t, loam_kmalloc_check(g.k), "S9");
    p[50000] = was;
    TAP_CHECK(t, loam_kmalloc_realloc(g.k, p, 60001) == p);
    TAP_EQ(t, p[60001], was);
    TAP_CHECK(t, loam_kmalloc_realloc(g.k, p, 59999) == p);
    TAP_EQ(t, p[59999], was);
    TAP_RULE(t, loam_kmalloc_check(g.k), NULL);
    TAP_EQ(t, loam_kmalloc_free(g.k, p), LOAM_OK);
    end(t);
}

static void zero_mode(tap *t)
{
    start(t, "shift=14,zero");
    unsigned char *p = loam_kmalloc_alloc(g.k, 400 * PAGE);
    memset(p, 0xee, 400 * PAGE);
    TAP_EQ(t, loam_kmalloc_free(g.k, p), LOAM_OK);
    p = loam_kmalloc_alloc(g.k, 300 * PAGE);
    p = loam_kmalloc_realloc(g.k, p, 400 * PAGE);
    unsigned sum = 0;
    for (unsigned i = 0; i < 400 * PAGE; i++)
        sum |= p[i];
    TAP_EQ(t, sum, 0);
    TAP_EQ(t, loam_kmalloc_free(g.k, p), LOAM_OK);
    end(t);
}

typedef struct seen {
    unsigned blocks, mapped, limit;
    size_t bytes;
    bool sites;
} seen;

static bool see(void *ctx, void *p, size_t size, const char *cache, const void *site)
{
    seen *s = ctx;
    s->blocks++;
    if (is_mapped(p)) {
        s->mapped++;
        s->bytes += size;
        s->sites = site != NULL && tap_str_eq(cache, "large");
    }
    return s->blocks < s->limit;
}

static void leak_report(tap *t)
{
    seen s = {.limit = 100};
    start(t, NULL);
    void *a = loam_kmalloc_alloc(g.k, 100), *b = loam_kmalloc_alloc(g.k, 50000);
    void *c = loam_kmalloc_alloc(g.k, 60001);
    loam_kmalloc_each(g.k, see, &s);
    TAP_EQ(t, s.blocks, 3);
    TAP_EQ(t, s.mapped, 2);
    TAP_EQ(t, s.bytes, 110001);
    TAP_CHECK(t, s.sites);
    s = (seen){.limit = 2};
    loam_kmalloc_each(g.k, see, &s);
    TAP_EQ(t, s.blocks, 2);
    loam_kmalloc_free(g.k, a);
    loam_kmalloc_free(g.k, b);
    loam_kmalloc_free(g.k, c);
    end(t);
}

/* ---- churn ---- */

static void churn(tap *t, const char *options, unsigned steps)
{
    enum { SLOTS = 32 };
    unsigned char *p[SLOTS] = {NULL};
    size_t size[SLOTS] = {0};
    start(t, options);
    uint64_t before = vm_ground_free_frames(&g);
    for (unsigned step = 0; step < steps; step++) {
        unsigned i = (unsigned)tap_below(t, SLOTS);
        size_t want = (size_t)(1 + tap_below(t, tap_below(t, 4) == 0 ? 4000 : 30 * PAGE));
        if (p[i] != NULL) {
            TAP_EQ(t, p[i][0], i + 1);
            TAP_EQ(t, p[i][size[i] - 1], i + 1);
        }
        if (tap_below(t, 3) == 0) {
            TAP_EQ(t, loam_kmalloc_free(g.k, p[i]), LOAM_OK);
            p[i] = NULL;
            continue;
        }
        unsigned char *q = loam_kmalloc_realloc(g.k, p[i], want);
        if (q == NULL)
            continue;
        TAP_CHECK(t, p[i] == NULL || (q[0] == i + 1));
        memset(q, (int)i + 1, want);
        p[i] = q;
        size[i] = want;
        if (step % 64 == 0)
            TAP_RULE(t, loam_kmalloc_check(g.k), NULL);
    }
    for (unsigned i = 0; i < SLOTS; i++)
        loam_kmalloc_free(g.k, p[i]);
    TAP_RULE(t, loam_kmalloc_check(g.k), NULL);
    TAP_EQ(t, vm_ground_free_frames(&g), before);
    end(t);
}

static unsigned steps(void)
{
    return getenv("LOAM_LONG") != NULL ? 20000 : 1500;
}

static void churn_plain(tap *t)
{
    churn(t, NULL, steps());
}

static void churn_guarded(tap *t)
{
    churn(t, "shift=14,guard,quarantine=16K", steps());
}

static const tap_case cases[] = {
    {"kmalloc_mapped: large blocks are areas, from high frames", large_is_mapped},
    {"kmalloc_mapped: aligned blocks are frames in a row", aligned_is_in_a_row},
    {"kmalloc_mapped: no window left: frames in a row", no_window_left},
    {"kmalloc_mapped: no tables left: frames in a row", no_tables_left},
    {"kmalloc_mapped: no two free frames in a row", scattered},
    {"kmalloc_mapped: realloc in place, the tail goes back", realloc_in_place},
    {"kmalloc_mapped: realloc without memory: unchanged", realloc_without_memory},
    {"kmalloc_mapped: misuse is refused and named", misuse_is_named},
    {"kmalloc_mapped: one vmap serves one kmalloc; K5", one_vmap_one_kmalloc},
    {"kmalloc_mapped: guard: the last page's rest, S9", guard_in_the_slack},
    {"kmalloc_mapped: zero", zero_mode},
    {"kmalloc_mapped: leak report", leak_report},
    {"kmalloc_mapped: churn", churn_plain},
    {"kmalloc_mapped: churn with guard and quarantine", churn_guarded},
};
static const tap_suite suite = {"kmalloc_mapped", cases, LOAM_ARRAY_LEN(cases)};

int main(int argc, char **argv)
{
    return tap_host_main(&suite, argc, argv);
}
