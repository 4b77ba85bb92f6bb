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
#include "objects_rows.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the child ---- */

typedef struct scale {
    size_t ops; /* pairs of a row */
    unsigned rounds;
} scale;

static const struct {
    const char *flag;
    scale scale;
} scales[] = {{"--full", {200000, 15}}, {"--quick", {20000, 3}}, {"--tiny", {500, 1}}};

/* One round: one line a row, in the order of rows. */
static int child(const char *name, size_t ops)
{
    const objects_api *api = strcmp(name, "loam") == 0 ? &objects_loam : &objects_libc;
    bench_meter_open();
    const char *wrong = objects_verify(api);
    if (wrong != NULL)
        bench_die(wrong);
    void *a = api->init((uint64_t)128 << 20, 1);
    for (unsigned r = 0; r < OBJECTS_ROWS; r++) {
        if (objects_rows[r].two_threads)
            a = api->init((uint64_t)64 << 20, 2);
        printf("%.6f\n", objects_rows[r].run(api, a, &objects_rows[r], ops));
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
    while (in != NULL && got < OBJECTS_ROWS && fscanf(in, "%lf", &value[got]) == 1)
        got++;
    int status = 0;
    waitpid(pid, &status, 0);
    if (in != NULL)
        fclose(in);
    if (got != OBJECTS_ROWS || status != 0) {
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

static bench_row out[OBJECTS_ROWS];

static void measure(const scale *s, const peer *const *found, unsigned n)
{
    for (unsigned turn = 0; turn < s->rounds * n; turn++) {
        unsigned c = (turn + turn / n) % n; /* who starts changes with each round */
        double value[OBJECTS_ROWS];
        run_peer(found[c], s->ops, value);
        for (unsigned r = 0; r < OBJECTS_ROWS; r++) {
            if (value[r] >= 0)
                bench_sample_add(&out[r].col[c], value[r]);
        }
    }
}

static void measure_and_report(const scale *s, const char *csv)
{
    const peer *found[PEERS];
    char unit[32];
    bench_report report = {.bench = "objects", .cols = find_peers(found), .loam = 1, .process = 2};
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
    for (unsigned r = 0; r < OBJECTS_ROWS; r++) {
        out[r].id = objects_rows[r].id;
        out[r].text = objects_rows[r].text;
        out[r].unit = objects_rows[r].unit == NULL ? unit : objects_rows[r].unit;
        out[r].bar = objects_rows[r].bar;
        out[r].bar_kind = objects_rows[r].bar_kind;
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
