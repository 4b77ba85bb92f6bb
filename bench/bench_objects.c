/* SPDX-License-Identifier: MIT */
/* bench_objects.c - loam_kmalloc beside malloc: the C library's, libloam.so's, and those of
 * jemalloc, mimalloc and tcmalloc where they are installed.
 *
 * Each allocator runs in a process of its own, one round at a time, in turn: this program starts
 * itself again with --child, a foreign malloc loaded before the C library.
 *
 *     bench_objects [--quick | --tiny] [--csv FILE]
 */
#define _GNU_SOURCE
#include "objects.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what one child measures ---- */

typedef struct scale {
    size_t ops; /* pairs of a row */
    unsigned rounds;
} scale;

static const struct {
    const char *flag;
    scale scale;
} scales[] = {{"--full", {200000, 15}}, {"--quick", {50000, 5}}, {"--tiny", {500, 1}}};

typedef struct objects_row {
    const char *id, *text;
    double (*run)(const objects_api *api, void *a, const struct objects_row *row, size_t ops);
    size_t size, count;
    bool reversed;
    const char *unit; /* NULL: the meter's unit a pair */
    double bar;       /* 0: none; else the most that is allowed */
} objects_row;

static double run_pair(const objects_api *api, void *a, const objects_row *row, size_t ops)
{
    ops /= row->size > 4096 ? 4 : 1;
    api->pair(a, row->size, ops);
    uint64_t t = bench_meter_read();
    api->pair(a, row->size, ops);
    return (double)bench_meter_since(t) / (double)ops;
}

static double run_batch(const objects_api *api, void *a, const objects_row *row, size_t ops)
{
    size_t n = ops / row->count + 1;
    api->batch(a, row->size, row->count, row->reversed, n / 4 + 1);
    uint64_t t = bench_meter_read();
    api->batch(a, row->size, row->count, row->reversed, n);
    return (double)bench_meter_since(t) / (double)(n * row->count);
}

static double run_slots(const objects_api *api, void *a, const objects_row *row, size_t ops)
{
    static void *slots[OBJECTS_SLOTS];
    (void)row;
    api->slots(a, slots, 29, (size_t)10 * OBJECTS_SLOTS);
    uint64_t t = bench_meter_read();
    api->slots(a, slots, 31, ops);
    double v = (double)bench_meter_since(t) / (double)ops;
    for (size_t i = 0; i < OBJECTS_SLOTS; i++) {
        if (slots[i] != NULL)
            api->release(a, slots[i]);
        slots[i] = NULL;
    }
    return v;
}

static double run_grow(const objects_api *api, void *a, const objects_row *row, size_t ops)
{
    size_t n = ops / 200 + 1, calls = api->grow(a, n / 4 + 1);
    (void)row;
    uint64_t t = bench_meter_read();
    api->grow(a, n);
    return (double)bench_meter_since(t) / (double)(n * calls);
}

/* What 64-byte objects take beyond their 64 bytes, in percent, whole pages counted. */
static double run_overhead(const objects_api *api, void *a, const objects_row *row, size_t ops)
{
    (void)ops;
    if (api->used_pages == NULL)
        return -1;
    uint64_t before = api->used_pages(a), n = 0;
    void **p = calloc(row->count, sizeof *p);
    if (p == NULL)
        bench_die("no memory");
    while (n < row->count && (p[n] = api->alloc(a, row->size)) != NULL)
        n++;
    uint64_t bytes = (api->used_pages(a) - before) << LOAM_PAGE_SHIFT;
    for (uint64_t i = 0; i < n; i++)
        api->release(a, p[i]);
    free(p);
    return n != row->count ? -1 : 100.0 * ((double)bytes / (double)(n * row->size) - 1);
}

static double run_remote(const objects_api *api, void *a, const objects_row *row, size_t ops)
{
    double per_pair, pairs_a_us;
    objects_remote(api, a, row->size, ops, &per_pair, &pairs_a_us);
    return row->unit == NULL ? per_pair : pairs_a_us;
}

static const objects_row rows[] = {
    {"pair_16", "16 bytes, pair", run_pair, 16, 0, false, NULL, 0},
    {"pair_64", "64 bytes, pair", run_pair, 64, 0, false, NULL, 0},
    {"pair_256", "256 bytes, pair", run_pair, 256, 0, false, NULL, 0},
    {"pair_1k", "1 KiB, pair", run_pair, 1024, 0, false, NULL, 0},
    {"pair_4k", "4 KiB, pair", run_pair, 4096, 0, false, NULL, 0},
    {"pair_32k", "32 KiB, pair", run_pair, 32768, 0, false, NULL, 0},
    {"batch_64", "64 bytes, 1000, freed in order", run_batch, 64, 1000, false, NULL, 0},
    {"batch_64_reversed", "64 bytes, 1000, freed reversed", run_batch, 64, 1000, true, NULL, 0},
    {"batch_1k", "1 KiB, 1000, freed in order", run_batch, 1024, 1000, false, NULL, 0},
    {"batch_16k", "16 KiB, 64, freed in order", run_batch, 16384, 64, false, NULL, 0},
    {"slots", "random slots, 16 B - 4 KiB", run_slots, 0, 0, false, NULL, 0},
    {"grow", "realloc, 16 B to 64 KiB, a call", run_grow, 0, 0, false, NULL, 0},
    {"overhead_64", "64 bytes: memory beyond them", run_overhead, 64, 200000, false, "percent", 1},
    {"remote_64", "64 bytes, another thread frees", run_remote, 64, 0, false, NULL, 0},
    {"remote_64_rate", "the same, on the wall", run_remote, 64, 0, false, "pairs/us", 0},
    {"remote_1k", "1 KiB, another thread frees", run_remote, 1024, 0, false, NULL, 0},
    {"remote_1k_rate", "the same, on the wall", run_remote, 1024, 0, false, "pairs/us", 0},
};
enum { ROWS = LOAM_ARRAY_LEN(rows) };

/* One round: one line a row, in the order of rows. */
static int child(const char *name, size_t ops)
{
    const objects_api *api = strcmp(name, "loam") == 0 ? &objects_loam : &objects_libc;
    bench_meter_open();
    const char *wrong = objects_verify(api);
    if (wrong != NULL)
        bench_die(wrong);
    void *a = api->init((uint64_t)128 << 20, 1);
    for (unsigned r = 0; r < ROWS; r++) {
        if (rows[r].run == run_remote)
            a = api->init((uint64_t)64 << 20, 2);
        printf("%.6f\n", rows[r].run(api, a, &rows[r], ops));
    }
    return 0;
}

/* ---- the parent ---- */

typedef struct peer {
    const char *name;
    const char *files[3]; /* where Debian puts it; none: part of this program or of the C library */
} peer;

#define LIB "/usr/lib/x86_64-linux-gnu/"
#define ARM "/usr/lib/aarch64-linux-gnu/"
static const peer peers[] = {
    {"malloc", {NULL}},
    {"loam", {NULL}},
    {"libloam", {"build/host/libloam.so", NULL}}, /* the same core as the process's malloc */
    {"jemalloc", {LIB "libjemalloc.so.2", ARM "libjemalloc.so.2", NULL}},
    {"mimalloc", {LIB "libmimalloc.so.2.0", ARM "libmimalloc.so.2.0", NULL}},
    {"tcmalloc", {LIB "libtcmalloc_minimal.so.4", ARM "libtcmalloc_minimal.so.4", NULL}},
};
enum { PEERS = LOAM_ARRAY_LEN(peers) };

static const char *library_of(const peer *p)
{
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(p->files) && p->files[i] != NULL; i++) {
        if (access(p->files[i], R_OK) == 0)
            return p->files[i];
    }
    return NULL;
}

static _Noreturn void become_child(const peer *p, size_t ops, int out)
{
    char text[24];
    const char *library = library_of(p);
    snprintf(text, sizeof text, "%zu", ops);
    dup2(out, STDOUT_FILENO);
    if (library != NULL)
        setenv("LD_PRELOAD", library, 1);
    /* An arena keeps its memory; so may the C library, instead of returning and faulting it. */
    setenv("MALLOC_TRIM_THRESHOLD_", "1073741824", 1);
    setenv("MALLOC_MMAP_THRESHOLD_", "33554432", 1);
    execl("/proc/self/exe", "bench_objects", "--child", p->name, text, (char *)NULL);
    bench_die(strerror(errno));
}

static void run_peer(const peer *p, size_t ops, double *value)
{
    int fd[2];
    fflush(stdout);
    pid_t pid = pipe(fd) == 0 ? fork() : -1;
    if (pid < 0)
        bench_die("a child cannot be started");
    if (pid == 0)
        become_child(p, ops, fd[1]);
    close(fd[1]);
    FILE *in = fdopen(fd[0], "r");
    unsigned got = 0;
    while (in != NULL && got < ROWS && fscanf(in, "%lf", &value[got]) == 1)
        got++;
    int status = 0;
    waitpid(pid, &status, 0);
    if (in != NULL)
        fclose(in);
    if (got != ROWS || status != 0) {
        fprintf(stderr, "bench_objects: %s failed\n", p->name);
        exit(1);
    }
}

static unsigned find_peers(const peer **found)
{
    unsigned n = 0;
    for (unsigned i = 0; i < PEERS; i++) {
        if (peers[i].files[0] == NULL || library_of(&peers[i]) != NULL)
            found[n++] = &peers[i];
    }
    return n;
}

static bench_row out[ROWS];

static void measure(const scale *s, const peer *const *found, unsigned n)
{
    for (unsigned turn = 0; turn < s->rounds * n; turn++) {
        unsigned c = (turn + turn / n) % n; /* who starts changes with each round */
        double value[ROWS];
        run_peer(found[c], s->ops, value);
        for (unsigned r = 0; r < ROWS; r++) {
            if (value[r] >= 0)
                bench_sample_add(&out[r].col[c], value[r]);
        }
    }
}

static void measure_and_report(const scale *s, const char *csv)
{
    const peer *found[PEERS];
    char unit[32];
    bench_report report = {.bench = "objects", .cols = find_peers(found), .loam = 1};
    measure(s, found, report.cols);
    bench_meter_open();
    snprintf(unit, sizeof unit, "%s/pair", bench_meter_unit());
    printf("objects: %s\nmedians of %u interleaved rounds, each allocator in a process of its own; "
           "x: times the C\nlibrary's malloc in the same round; a pair is one allocation and its "
           "free\n",
           bench_meter_text(), s->rounds);
    for (unsigned c = 0; c < report.cols; c++)
        report.col[c] = found[c]->name;
    bench_report_open(&report, csv);
    bench_report_heading(&report, "one thread, but for the last rows");
    for (unsigned r = 0; r < ROWS; r++) {
        out[r].id = rows[r].id;
        out[r].text = rows[r].text;
        out[r].unit = rows[r].unit == NULL ? unit : rows[r].unit;
        out[r].bar = rows[r].bar;
        out[r].bar_kind = rows[r].bar > 0 ? BENCH_BAR_VALUE_AT_MOST : BENCH_BAR_NONE;
        bench_report_row(&report, &out[r]);
    }
    bench_report_close(&report);
}

static const scale *scale_named(const char *flag)
{
    for (size_t k = 0; k < LOAM_ARRAY_LEN(scales); k++) {
        if (strcmp(flag, scales[k].flag) == 0)
            return &scales[k].scale;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const scale *s = &scales[0].scale;
    const char *csv = NULL;
    if (argc == 4 && strcmp(argv[1], "--child") == 0)
        return child(argv[2], strtoul(argv[3], NULL, 10));
    for (int i = 1; i < argc; i++) {
        const scale *named = scale_named(argv[i]);
        if (named != NULL)
            s = named;
        else if (strcmp(argv[i], "--csv") == 0 && i + 1 < argc)
            csv = argv[++i];
        else
            bench_die("usage: bench_objects [--full | --quick | --tiny] [--csv FILE]");
    }
    measure_and_report(s, csv);
    return 0;
}
