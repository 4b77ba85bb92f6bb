/* SPDX-License-Identifier: MIT */
/* bench_free.c - what a free costs while free blocks become more: from 16 to a million of them, of
 * order 0, none beside another.
 *
 *     every frame is out, but for n that are even; n grows, and the n of before stay
 *     alone     16 even frames are freed whose buddies are out: nothing merges
 *     merging   16 odd frames are freed whose buddies are free: blocks of order 1
 *
 * Each sample starts from a copy of the same state, so that n means n, and every n finds the caches
 * as the copy left them. Instructions are counted one by one (single_step.h).
 *
 *     bench_free [--quick | --tiny] [--csv FILE]
 */
#include "frames.h"
#include "single_step.h"
#include <stdlib.h>
#include <string.h>

extern const frames_api frames_stacsos, frames_walk;

enum { FREED = 16, STEPPED = 8, LEAST = 4, MOST = 20, WALK_MOST = 12, LEVELS = MOST - LEAST + 1 };

static const frames_api *const apis[] = {&frames_walk, &frames_stacsos, &frames_loam,
                                         &frames_textbook};
enum { APIS = LOAM_ARRAY_LEN(apis), STACSOS = 1 };

typedef enum kind { ALONE, MERGING, KINDS } kind;
typedef enum measure { TIME, INSTRUCTIONS, MEASURES } measure;

static struct {
    uint64_t frames;
    unsigned most; /* free blocks: up to 2^most, in steps of 2^step */
    unsigned step;
    unsigned samples; /* times, for each number of free blocks */
    uint32_t *even;   /* frames, shuffled: first the ones to be freed, then those that are free */
    uint32_t *held;   /* room for all frames */
    uint32_t victim[KINDS][FREED];
    bench_samples got[MEASURES][KINDS][APIS][LEVELS];
} run;

typedef struct machine {
    const frames_api *api;
    void *mem, *copy, *a;
    uint64_t bytes;
} machine;

typedef struct stepped {
    const machine *m;
    const uint32_t *frame;
} stepped;

static void free_stepped(void *ctx)
{
    const stepped *s = ctx;
    s->m->api->empty(s->m->a, 0, s->frame, STEPPED);
}

static void measure_level(const machine *m, kind k, unsigned api, unsigned level)
{
    const uint32_t *frame = run.victim[k];
    for (unsigned i = 0; i < run.samples; i++) {
        memcpy(m->mem, m->copy, m->bytes);
        uint64_t t = bench_ticks();
        m->api->empty(m->a, 0, frame, FREED);
        t = bench_ticks() - t;
        bench_sample_add(&run.got[TIME][k][api][level], bench_ticks_to_ns(t) / FREED);
    }
    if (step_possible()) {
        stepped s = {m, frame};
        memcpy(m->mem, m->copy, m->bytes);
        step_counts c = step_run(free_stepped, &s);
        bench_sample_add(&run.got[INSTRUCTIONS][k][api][level], (double)c.instructions / STEPPED);
    }
    memcpy(m->mem, m->copy, m->bytes);
}

static void measure_api(unsigned api)
{
    frames_shape shape = {.frames = run.frames, .order = 0, .threads = 1};
    machine m = {.api = apis[api], .bytes = apis[api]->bytes(&shape)};
    unsigned most = apis[api] == &frames_walk && run.most > WALK_MOST ? WALK_MOST : run.most;
    m.mem = bench_map(m.bytes);
    m.copy = bench_map(m.bytes);
    m.a = m.api->init(m.mem, m.bytes, &shape);
    if (m.api->fill(m.a, 0, run.held, run.frames) != run.frames)
        bench_die("an allocator did not give out all of its memory");
    for (unsigned level = 0, n = 0; level + LEAST <= most; level += run.step) {
        unsigned more = (1U << (level + LEAST)) - n;
        m.api->empty(m.a, 0, run.even + FREED + n, more);
        n += more;
        if (m.api->drain != NULL)
            m.api->drain(m.a);
        memcpy(m.copy, m.mem, m.bytes);
        for (kind k = ALONE; k < KINDS; k++)
            measure_level(&m, k, api, level);
    }
    bench_unmap(m.mem, m.bytes);
    bench_unmap(m.copy, m.bytes);
}

static void prepare(void)
{
    bench_rng rng = {11};
    size_t evens = (size_t)run.frames / 2;
    run.even = bench_map(evens * sizeof(uint32_t));
    run.held = bench_map(run.frames * sizeof(uint32_t));
    for (size_t i = 0; i < evens; i++)
        run.even[i] = (uint32_t)(2 * i);
    bench_shuffle(&rng, run.even, evens);
    for (size_t i = 0; i < FREED; i++) {
        run.victim[ALONE][i] = run.even[i];
        run.victim[MERGING][i] = run.even[FREED + i] + 1; /* of those that are always free */
    }
}

/* ---- the report ---- */

static const char *const kind_id[KINDS] = {"alone", "merging"};
static const char *const measure_id[MEASURES] = {"ns", "insn"};
static const char *const unit[MEASURES] = {"ns/free", "instructions/free"};

static void report_level(const bench_report *to, measure what, kind k, unsigned level)
{
    static bench_row row;
    char id[48], text[48];
    memset(&row, 0, sizeof row);
    snprintf(id, sizeof id, "free_%s_2e%u_%s", kind_id[k], level + LEAST, measure_id[what]);
    snprintf(text, sizeof text, "%s, 2^%u free blocks", kind_id[k], level + LEAST);
    row.id = id;
    row.text = text;
    row.unit = unit[what];
    for (unsigned c = 0; c < APIS; c++)
        row.col[c] = run.got[what][k][c][level];
    bench_report_row(to, &row);
}

typedef enum shape { GROWTH, SPREAD, SHAPES } shape;

/* The dearest number of free blocks, over the fewest of them or over the cheapest. Of times the
 * least of the samples: others on the machine only add. */
static double shape_of(shape s, measure what, kind k, unsigned c)
{
    double base = 0, most = 0;
    for (unsigned level = 0; level < LEVELS; level += run.step) {
        const bench_samples *got = &run.got[what][k][c][level];
        double v = bench_min(got);
        if (got->count == 0)
            break;
        base = level == 0 || (s == SPREAD && v < base) ? v : base;
        most = v > most ? v : most;
    }
    return base > 0 ? most / base : 0;
}

static void report_shape(const bench_report *to, shape s, measure what, kind k)
{
    static const char *const shape_id[SHAPES] = {"growth", "spread"};
    static const char *const over[SHAPES] = {"over 2^4", "over least"};
    static bench_row row;
    char id[48], text[48];
    memset(&row, 0, sizeof row);
    snprintf(id, sizeof id, "free_%s_%s_%s", kind_id[k], shape_id[s], measure_id[what]);
    snprintf(text, sizeof text, "%s: most %s", kind_id[k], over[s]);
    row.id = id;
    row.text = text;
    row.unit = "times";
    if (s == GROWTH) {
        row.bar_kind = BENCH_BAR_VALUE_AT_MOST;
        row.bar = 1.1;
    }
    for (unsigned c = 0; c < APIS; c++)
        bench_sample_add(&row.col[c], shape_of(s, what, k, c));
    bench_report_row(to, &row);
}

static void report_all(const bench_report *to)
{
    static const char *const title[MEASURES] = {"a free, by time", "a free, instructions, exact"};
    for (measure what = TIME; what < MEASURES; what++) {
        if (what == INSTRUCTIONS && !step_possible())
            continue;
        bench_report_heading(to, title[what]);
        for (kind k = ALONE; k < KINDS; k++) {
            for (unsigned level = 0; level + LEAST <= run.most; level += run.step)
                report_level(to, what, k, level);
            report_shape(to, GROWTH, what, k);
            report_shape(to, SPREAD, what, k);
        }
    }
}

static void set_size(const char *size)
{
    run.frames = 1ULL << (MOST + 2);
    run.most = MOST;
    run.step = 1;
    run.samples = 41;
    if (strcmp(size, "--quick") == 0) {
        run.samples = 21;
        run.step = 4;
    } else if (strcmp(size, "--tiny") == 0) {
        run.frames = 1 << 14;
        run.most = 12;
        run.samples = 3;
    }
}

int main(int argc, char **argv)
{
    bench_report to = {.bench = "free", .cols = APIS, .loam = STACSOS};
    const char *csv = NULL;
    set_size("");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--csv") == 0 && i + 1 < argc)
            csv = argv[++i];
        else if (strcmp(argv[i], "--quick") == 0 || strcmp(argv[i], "--tiny") == 0)
            set_size(argv[i]);
        else
            bench_die("usage: bench_free [--quick | --tiny] [--csv FILE]");
    }
    if (step_possible() && step_verify() != NULL)
        bench_die(step_verify());
    prepare();
    for (unsigned c = 0; c < APIS; c++) {
        to.col[c] = apis[c]->name;
        measure_api(c);
    }
    printf("free: %llu frames, all out but so many; %u frees a sample, medians of %u\n",
           (unsigned long long)run.frames, (unsigned)FREED, run.samples);
    bench_report_open(&to, csv);
    report_all(&to);
    bench_report_close(&to);
    return 0;
}
