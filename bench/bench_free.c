/* SPDX-License-Identifier: MIT */
/* bench_free.c - what a free costs while free blocks become more: from 16 to a million of them, of
 * order 0, none beside another.
 *
 *     every frame is out, but for n that are even; n grows, and the n of before stay
 *     alone     16 even frames are freed whose buddies are out: nothing merges
 *     merging   16 odd frames are freed whose buddies are free: blocks of order 1
 *
 * The free blocks lie in one of two ways:
 *     scattered anywhere, so that with n they come nearer to the frames that are freed
 *     apart     16 of them in the last eighth of memory, where frames are freed; all others in
 *               front of it: only their number grows, the neighbourhood stays as it is
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
typedef enum place { SCATTERED, APART, PLACES } place;
typedef enum measure { TIME, INSTRUCTIONS, MEASURES } measure;

static struct {
    uint64_t frames;
    unsigned most; /* free blocks: up to 2^most, in steps of 2^step */
    unsigned step;
    unsigned samples; /* times, for each number of free blocks */
    uint32_t *even;   /* frames, shuffled: first the ones to be freed, then those that are free */
    uint32_t *held;   /* room for all frames */
    uint32_t victim[KINDS][FREED];
    bench_samples got[PLACES][MEASURES][KINDS][APIS][LEVELS];
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

static void measure_level(const machine *m, place at, kind k, unsigned api, unsigned level)
{
    const uint32_t *frame = run.victim[k];
    for (unsigned i = 0; i < run.samples; i++) {
        memcpy(m->mem, m->copy, m->bytes);
        uint64_t t = bench_ticks();
        m->api->empty(m->a, 0, frame, FREED);
        t = bench_ticks() - t;
        bench_sample_add(&run.got[at][TIME][k][api][level], bench_ticks_to_ns(t) / FREED);
    }
    if (step_possible()) {
        stepped s = {m, frame};
        memcpy(m->mem, m->copy, m->bytes);
        step_counts c = step_run(free_stepped, &s);
        bench_sample_add(&run.got[at][INSTRUCTIONS][k][api][level],
                         (double)c.instructions / STEPPED);
    }
    memcpy(m->mem, m->copy, m->bytes);
}

static void measure_api(place at, unsigned api)
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
            measure_level(&m, at, k, api, level);
    }
    bench_unmap(m.mem, m.bytes);
    bench_unmap(m.copy, m.bytes);
}

/* Even frames in random order; apart: the first ones, of the last eighth, come first. */
static void prepare(place at)
{
    bench_rng rng = {11};
    size_t evens = (size_t)run.frames / 2, near = at == APART ? evens / 8 : 0;
    for (size_t i = 0; i < evens; i++)
        run.even[(i + near) % evens] = (uint32_t)(2 * i);
    bench_shuffle(&rng, run.even, near);
    if (at == APART) { /* but for those that are freed and the first that are free, all stay out */
        memmove(run.even + 2 * FREED, run.even + near, (evens - near) * sizeof(uint32_t));
        bench_shuffle(&rng, run.even + 2 * FREED, evens - near);
    } else {
        bench_shuffle(&rng, run.even, evens);
    }
    for (size_t i = 0; i < FREED; i++) {
        run.victim[ALONE][i] = run.even[i];
        run.victim[MERGING][i] = run.even[FREED + i] + 1; /* of those that are always free */
    }
}

/* ---- the report ---- */

static const char *const place_id[PLACES] = {"", "_apart"};
static const char *const place_text[PLACES] = {"free blocks scattered", "free blocks apart"};
static const char *const kind_id[KINDS] = {"alone", "merging"};
static const char *const measure_id[MEASURES] = {"ns", "insn"};
static const char *const measure_text[MEASURES] = {"by time", "instructions, exact"};
static const char *const unit[MEASURES] = {"ns/free", "instructions/free"};

/* What a row is about. */
typedef struct about {
    place at;
    measure what;
    kind k;
} about;

static void report_row(const bench_report *to, bench_row *row, const about *a, const char *of,
                       const char *text)
{
    char id[64], words[64];
    snprintf(id, sizeof id, "free_%s%s_%s_%s", kind_id[a->k], place_id[a->at], of,
             measure_id[a->what]);
    snprintf(words, sizeof words, "%s%s", kind_id[a->k], text);
    row->id = id;
    row->text = words;
    bench_report_row(to, row);
}

static void report_level(const bench_report *to, const about *a, unsigned level)
{
    static bench_row row;
    char of[16], text[40];
    memset(&row, 0, sizeof row);
    snprintf(of, sizeof of, "2e%u", level + LEAST);
    snprintf(text, sizeof text, ", 2^%u free blocks", level + LEAST);
    row.unit = unit[a->what];
    for (unsigned c = 0; c < APIS; c++)
        row.col[c] = run.got[a->at][a->what][a->k][c][level];
    report_row(to, &row, a, of, text);
}

typedef enum shape { GROWTH, SPREAD, SHAPES } shape;

/* The dearest number of free blocks, over the fewest of them or over the cheapest. Of times the
 * least of the samples: others on the machine only add. */
static double shape_of(shape s, const about *a, unsigned c)
{
    double base = 0, most = 0;
    for (unsigned level = 0; level < LEVELS; level += run.step) {
        const bench_samples *got = &run.got[a->at][a->what][a->k][c][level];
        double v = bench_min(got);
        if (got->count == 0)
            break;
        base = level == 0 || (s == SPREAD && v < base) ? v : base;
        most = v > most ? v : most;
    }
    return base > 0 ? most / base : 0;
}

/* Apart, the cost is to be flat; scattered, it may fall as well. */
static void report_shape(const bench_report *to, const about *a, shape s)
{
    static const char *const shape_id[SHAPES] = {"growth", "spread"};
    static const char *const over[SHAPES] = {": most over 2^4", ": most over least"};
    static bench_row row;
    memset(&row, 0, sizeof row);
    row.unit = "times";
    if (s == GROWTH || a->at == APART) {
        row.bar_kind = BENCH_BAR_VALUE_AT_MOST;
        row.bar = 1.1;
    }
    for (unsigned c = 0; c < APIS; c++)
        bench_sample_add(&row.col[c], shape_of(s, a, c));
    report_row(to, &row, a, shape_id[s], over[s]);
}

static void report_table(const bench_report *to, place at, measure what)
{
    char title[80];
    snprintf(title, sizeof title, "a free, %s, %s", place_text[at], measure_text[what]);
    bench_report_heading(to, title);
    for (kind k = ALONE; k < KINDS; k++) {
        about a = {at, what, k};
        for (unsigned level = 0; level + LEAST <= run.most; level += run.step)
            report_level(to, &a, level);
        report_shape(to, &a, GROWTH);
        report_shape(to, &a, SPREAD);
    }
}

static void report_all(const bench_report *to)
{
    for (measure what = TIME; what < MEASURES; what++)
        for (place at = SCATTERED; at < PLACES; at++)
            if (what == TIME || step_possible())
                report_table(to, at, what);
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
        run.step = 8;
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
    run.even = bench_map((size_t)run.frames / 2 * sizeof(uint32_t));
    run.held = bench_map(run.frames * sizeof(uint32_t));
    for (unsigned c = 0; c < APIS; c++)
        to.col[c] = apis[c]->name;
    for (place at = SCATTERED; at < PLACES; at++) {
        prepare(at);
        for (unsigned c = 0; c < APIS; c++)
            measure_api(at, c);
    }
    printf("free: %llu frames, all out but so many; %u frees a sample, medians of %u\n",
           (unsigned long long)run.frames, (unsigned)FREED, run.samples);
    bench_report_open(&to, csv);
    report_all(&to);
    bench_report_close(&to);
    return 0;
}
