/* SPDX-License-Identifier: MIT */
/* bench_frames.c - Loam's zone and its engine beside an array stack (the lower bound), a textbook
 * buddy and a model of Linux's zone: in one run, round by round, on the same requests.
 *
 *     bench_frames [--quick | --tiny] [--csv FILE] [--only TEXT]
 */
#define _GNU_SOURCE
#include "frames_tasks.h"
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static const frames_api *const apis[] = {&frames_stack, &frames_loam, &frames_buddy,
                                         &frames_textbook, &frames_linux};
enum { APIS = LOAM_ARRAY_LEN(apis), HELD_LEAST = 1 << 18 };

typedef struct options {
    frames_env env;
    unsigned rounds;
    const char *csv, *only;
} options;

static unsigned cpus_allowed(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    return (unsigned)CPU_COUNT(&set);
}

static void set_size(options *o, const char *size)
{
    o->env = (frames_env){.frames = 1U << 18, .large = 1U << 24, .ops = 1U << 20, .repeat = 40};
    o->rounds = 21;
    o->env.huge_tables = true;
    if (strcmp(size, "--quick") == 0) {
        o->rounds = 5;
        o->env.ops = 1U << 18;
        o->env.huge_tables = false;
    } else if (strcmp(size, "--tiny") == 0) {
        o->rounds = 1;
        o->env = (frames_env){.frames = 1U << 14, .large = 1U << 14, .ops = 1U << 10, .repeat = 2};
    }
    o->env.cpus = cpus_allowed();
}

static options parse(int argc, char **argv)
{
    options o = {.csv = NULL};
    set_size(&o, "");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0 || strcmp(argv[i], "--tiny") == 0)
            set_size(&o, argv[i]);
        else if (strcmp(argv[i], "--csv") == 0 && i + 1 < argc)
            o.csv = argv[++i];
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            o.only = argv[++i];
        else
            bench_die("usage: bench_frames [--quick | --tiny] [--csv FILE] [--only TEXT]");
    }
    return o;
}

static unsigned rows_of(const frames_task *task)
{
    unsigned n = 0;
    while (n < FRAMES_TASK_ROWS && task->row[n].id != NULL)
        n++;
    return n;
}

static bool is_wanted(const frames_task *task, const char *only)
{
    for (unsigned i = 0; i < rows_of(task); i++) {
        if (only == NULL || strstr(task->row[i].id, only) != NULL)
            return true;
    }
    return false;
}

static void run_once(const options *o, const frames_task *task, unsigned c, bench_row *rows)
{
    double value[FRAMES_TASK_ROWS];
    for (unsigned r = 0; r < FRAMES_TASK_ROWS; r++)
        value[r] = FRAMES_NOTHING;
    task->run(&o->env, apis[c], value);
    for (unsigned r = 0; r < rows_of(task); r++) {
        if (value[r] >= 0)
            bench_sample_add(&rows[r].col[c], value[r]);
    }
}

/* Rounds of all allocators in turn; who starts changes with each round. */
static void run_task(const options *o, const frames_task *task, bench_row *rows)
{
    unsigned rounds = task->once ? (o->rounds + 2) / 3 : o->rounds;
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < APIS; i++)
            run_once(o, task, (i + round) % APIS, rows);
    }
}

static void report_task(const options *o, const bench_report *report, const frames_task *task)
{
    static char per_op[32];
    static bench_row rows[FRAMES_TASK_ROWS];
    snprintf(per_op, sizeof per_op, "%s/op", bench_meter_unit());
    memset(rows, 0, sizeof rows);
    for (unsigned r = 0; r < rows_of(task); r++) {
        const frames_task_row *d = &task->row[r];
        rows[r].id = d->id;
        rows[r].text = d->text;
        rows[r].unit = d->unit == NULL ? per_op : d->unit;
        rows[r].bar_kind = d->bar_kind;
        rows[r].bar = d->bar;
    }
    run_task(o, task, rows);
    if (task->title != NULL || o->only != NULL)
        bench_report_heading(report, task->title == NULL ? task->row[0].id : task->title);
    for (unsigned r = 0; r < rows_of(task); r++)
        bench_report_row(report, &rows[r]);
}

static void verify_all(void)
{
    for (unsigned c = 0; c < APIS; c++) {
        const char *wrong = frames_verify(apis[c]);
        if (wrong != NULL) {
            fprintf(stderr, "bench_frames: %s: %s\n", apis[c]->name, wrong);
            exit(1);
        }
    }
}

int main(int argc, char **argv)
{
    options o = parse(argc, argv);
    bench_report report = {.bench = "frames", .cols = APIS, .loam = 1};
    for (unsigned c = 0; c < APIS; c++)
        report.col[c] = apis[c]->name;
    bench_meter_open();
    verify_all();
    uint64_t held = o.env.large > HELD_LEAST ? o.env.large : HELD_LEAST;
    o.env.held = bench_map(held * sizeof(uint32_t));
    o.env.ticks = bench_map(o.env.ops * sizeof(uint32_t));
    printf("frames: %s\n", bench_meter_text());
    printf("medians of %u interleaved rounds; x: times the array stack of the same round; an "
           "operation is one\nallocation or one free; all allocators passed the check of their "
           "results first\n",
           o.rounds);
    bench_report_open(&report, o.csv);
    for (size_t i = 0; i < frames_task_count; i++) {
        if (is_wanted(&frames_tasks[i], o.only))
            report_task(&o, &report, &frames_tasks[i]);
    }
    bench_report_close(&report);
    return 0;
}
