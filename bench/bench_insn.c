/* SPDX-License-Identifier: MIT */
/* bench_insn.c - one workload, one allocator, n operations, to be counted from outside: the
 * instructions of a run with n operations, less those of a run with none, are the workload's. Time
 * and other programs play no part.
 *
 *     bench_insn ALLOCATOR WORKLOAD N      bench_insn --list
 */
#include "frames.h"
#include "insn_objects.h"
#include "insn_tables.h"
#include "insn_vm.h"
#include <stdlib.h>
#include <string.h>

enum { FRAMES = 1 << 18 }; /* 1 GiB */

typedef struct state {
    const frames_api *api;
    void *a;
    uint32_t held[FRAMES];
    uint8_t order[FRAMES];
    frames_mixed mixed;
} state;

typedef struct workload {
    const char *name;
    unsigned order;    /* of the array stack's blocks */
    unsigned percent;  /* of memory out, in random places, before */
    bool all_orders;   /* not for the array stack */
    size_t n, ops_a_n; /* how many are counted; operations in each of them */
    void (*run)(state *s, size_t n);
} workload;

static void run_pair(state *s, size_t n)
{
    s->api->pair(s->a, 0, n);
}

static void run_fill(state *s, size_t n)
{
    s->api->fill(s->a, 0, s->held, n);
}

static void run_empty(state *s, size_t n)
{
    s->api->empty(s->a, 0, s->held, n);
}

static void run_churn(state *s, size_t n)
{
    s->api->churn(s->a, 0, s->held, FRAMES / 10 * 9, 5, n);
}

static void run_mixed(state *s, size_t n)
{
    s->api->mixed(s->a, &s->mixed, n);
}

static void run_pair9(state *s, size_t n)
{
    s->api->pair(s->a, 9, n);
}

static void run_fill9(state *s, size_t n)
{
    s->api->fill(s->a, 9, s->held, n);
}

static void run_empty9(state *s, size_t n)
{
    s->api->empty(s->a, 9, s->held, n);
}

static const workload workloads[] = {
    {"pair_half", 0, 50, false, 20000, 2, run_pair},
    {"fill", 0, 0, false, FRAMES, 1, run_fill},
    {"free_random", 0, 100, false, FRAMES, 1, run_empty},
    {"churn_90", 0, 90, false, 20000, 2, run_churn},
    {"churn_mixed_90", 0, 0, true, 40000, 1, run_mixed},
    {"order9_fill", 9, 0, false, FRAMES >> 9, 1, run_fill9},
    {"order9_free_random", 9, 100, false, FRAMES >> 9, 1, run_empty9},
    {"order9_pair", 9, 0, false, 20000, 2, run_pair9},
};

static const frames_api *const apis[] = {&frames_stack, &frames_loam, &frames_buddy,
                                         &frames_textbook, &frames_linux};

static state it;

static void prepare(state *s, const frames_api *api, const workload *w)
{
    frames_shape shape = {.frames = FRAMES, .order = w->order, .threads = 1};
    uint64_t bytes = api->bytes(&shape);
    bench_rng rng = {3};
    size_t blocks = FRAMES >> w->order, out = blocks * w->percent / 100;
    s->api = api;
    s->a = api->init(bench_map(bytes), bytes, &shape);
    if (w->percent != 0) {
        if (api->fill(s->a, w->order, s->held, blocks) != blocks)
            bench_die("an allocator did not give out all of its memory");
        bench_shuffle(&rng, s->held, blocks);
        api->empty(s->a, w->order, s->held + out, blocks - out);
    }
    s->mixed = (frames_mixed){
        .block = s->held, .order = s->order, .cap = FRAMES, .target = FRAMES / 10 * 9, .rng = {7}};
    if (w->all_orders)
        api->mixed(s->a, &s->mixed, FRAMES);
}

/* allocator, workload, how many to ask for, operations that this makes */
static void list(void)
{
    for (size_t w = 0; w < LOAM_ARRAY_LEN(workloads); w++) {
        for (size_t a = 0; a < LOAM_ARRAY_LEN(apis); a++) {
            const workload *x = &workloads[w];
            if (apis[a]->any_order || !x->all_orders)
                printf("%s %s %zu %zu\n", apis[a]->name, x->name, x->n, x->n * x->ops_a_n);
        }
    }
    insn_objects_list();
    insn_vm_list();
    insn_tables_list();
}

static void run(const char *allocator, const char *name, size_t n)
{
    for (size_t w = 0; w < LOAM_ARRAY_LEN(workloads); w++) {
        for (size_t a = 0; a < LOAM_ARRAY_LEN(apis); a++) {
            if (strcmp(workloads[w].name, name) != 0 || strcmp(apis[a]->name, allocator) != 0)
                continue;
            prepare(&it, apis[a], &workloads[w]);
            workloads[w].run(&it, n);
            return;
        }
    }
    if (!insn_objects_run(allocator, name, n) && !insn_vm_run(allocator, name, n) &&
        !insn_tables_run(allocator, name, n))
        bench_die("no such workload: try --list");
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        list();
    else if (argc == 4)
        run(argv[1], argv[2], strtoul(argv[3], NULL, 10));
    else
        bench_die("usage: bench_insn ALLOCATOR WORKLOAD N, or --list");
    return 0;
}
