/* SPDX-License-Identifier: MIT */
/* hardened_free.c - every wrong free, of every kind of block, by every call and from everywhere:
 * one line that names what, where, the size class and the caller; the same line in
 * loam_last_report. And where the library's own data lies: never next to a block. */
#define _GNU_SOURCE
#include "tap_host.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

extern char __executable_start[], etext[];

/* No compiler knows what these return: calls stay calls. */
static void *(*volatile alloc)(size_t) = malloc;
static void *(*volatile alloc_aligned)(size_t, size_t) = memalign;
static void *(*volatile resize)(void *, size_t) = realloc;
static size_t (*volatile usable)(void *) = malloc_usable_size;
static void (*volatile release)(void *) = free;

/* ---- one wrong call ---- */

typedef struct kind {
    const char *name, *cache;
    size_t size, align, inner;
} kind;

static const kind kinds[] = {
    {"small", "kmalloc-", 64, 0, 16},
    {"small, with room behind it", "kmalloc-", 40, 0, 16},
    {"a page and more", "kmalloc-", 5000, 0, 1024},
    {"the last class", "kmalloc-", 20000, 0, 4096},
    {"large", "large", 200000, 0, 65536},
    {"huge", "huge", 40 * MIB, 0, 8 * MIB},
    {"aligned", "kmalloc-", 100, 1024, 16},
    {"aligned, large", "large", 200000, 65536, 65536},
};

typedef enum fault { DOUBLE, INNER, MISALIGNED, FAULTS } fault;
typedef enum call { BY_FREE, BY_REALLOC, BY_SIZE, CALLS } call;
typedef enum place { HERE, OTHER_THREAD, OWNER_ENDED, CHILD, PLACES } place;

static const char *const words[FAULTS][2] = {
    [DOUBLE] = {"use of a free block", "double free"},
    [INNER] = {"use of an address inside a block", "inner free"},
    [MISALIGNED] = {"use of a misaligned address", "misaligned free"},
};
static const char *const places[PLACES] = {"here", "another thread", "its thread has ended",
                                           "a child"};

static struct wrong {
    const kind *kind;
    fault fault;
    call call;
    unsigned char *p;
    pthread_barrier_t made;
} wrong;

static void make(void)
{
    const kind *k = wrong.kind;
    wrong.p = k->align != 0 ? alloc_aligned(k->align, k->size) : alloc(k->size);
    if (wrong.fault == DOUBLE)
        release(wrong.p);
    else
        wrong.p += wrong.fault == INNER ? k->inner : 3;
}

static void misuse(void)
{
    if (wrong.call == BY_FREE)
        release(wrong.p);
    else if (wrong.call == BY_REALLOC)
        wrong.p = resize(wrong.p, wrong.kind->size + 1);
    else
        wrong.p += usable(wrong.p);
}

/* The other thread is there before the block is freed: its own making would take memory. */
static void *misuse_later(void *arg)
{
    pthread_barrier_wait(&wrong.made);
    misuse();
    return arg;
}

static void *make_there(void *arg)
{
    make();
    return arg;
}

static void do_wrong(place where)
{
    pthread_t thread;
    pthread_barrier_init(&wrong.made, NULL, 2);
    if (where == OTHER_THREAD) {
        pthread_create(&thread, NULL, misuse_later, NULL);
        make();
        pthread_barrier_wait(&wrong.made);
        pthread_join(thread, NULL);
    } else if (where == OWNER_ENDED) {
        pthread_create(&thread, NULL, make_there, NULL);
        pthread_join(thread, NULL);
        misuse();
    } else if (where == CHILD) {
        make();
        pid_t child = fork();
        int status = 0;
        if (child == 0)
            misuse();
        else if (waitpid(child, &status, 0) == child)
            _exit(WEXITSTATUS(status));
    } else {
        make();
        misuse();
    }
}

/* ---- in a child that ends ---- */

enum { ENDED_RIGHT = 77 };

/* The line has gone out by then; what a core dump would hold is shown behind it. */
static void on_abort(int signal)
{
    (void)signal;
    (void)!write(STDERR_FILENO, loam_last_report, strlen(loam_last_report));
    _exit(ENDED_RIGHT);
}

static int in_child(place where, char *text, size_t cap)
{
    int ends[2], status = 0;
    size_t len = 0;
    ssize_t n;
    if (pipe(ends) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, on_abort);
        do_wrong(where);
        _exit(0);
    }
    close(ends[1]);
    while (len < cap - 1 && (n = read(ends[0], text + len, cap - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    close(ends[0]);
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* What is missing from the two lines, or NULL. */
static const char *judge(const char *text)
{
    const char *second = strchr(text, '\n');
    const char *caller = strstr(text, "caller 0x");
    if (strncmp(text, "loam: ", 6) != 0 || second == NULL)
        return "a line";
    if (strlen(second + 1) != (size_t)(second - text) ||
        strncmp(text, second + 1, (size_t)(second - text)) != 0)
        return "the same in loam_last_report";
    if (strstr(text, words[wrong.fault][wrong.call == BY_FREE]) == NULL)
        return "what";
    bool alone = strcmp(wrong.kind->cache, "large") == 0 && strstr(text, "huge") != NULL;
    if (!alone && strstr(text, wrong.kind->cache) == NULL) /* with guard pages they are huge */
        return "the size class";
    if (strstr(text, ": address ") == NULL)
        return "the address";
    if (strstr(text, ", found when processors met") != NULL)
        return NULL; /* its free has returned by then: only modes with records find it at once */
    uintptr_t at = caller != NULL ? (uintptr_t)strtoull(caller + 9, NULL, 16) : 0;
    return at >= (uintptr_t)__executable_start && at < (uintptr_t)etext ? NULL : "the caller";
}

static void each_kind(tap *t, place where)
{
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(kinds); i++) {
        for (unsigned n = 0; n < FAULTS * CALLS; n++) {
            char text[1000] = "";
            wrong.kind = &kinds[i];
            wrong.fault = (fault)(n / CALLS);
            wrong.call = (call)(n % CALLS);
            int ended = in_child(where, text, sizeof(text));
            const char *missing = ended == ENDED_RIGHT ? judge(text) : "the end";
            TAP_CHECK(t, missing == NULL);
            if (missing != NULL)
                tap_note(t, "%s, %s, %s: missing: %s: %s", kinds[i].name, places[where],
                         words[wrong.fault][wrong.call == BY_FREE], missing, text);
        }
    }
}

static void from_here(tap *t)
{
    each_kind(t, HERE);
}

static void from_another_thread(tap *t)
{
    each_kind(t, OTHER_THREAD);
}

static void after_the_thread(tap *t)
{
    each_kind(t, OWNER_ENDED);
}

static void after_a_fork(tap *t)
{
    each_kind(t, CHILD);
}

/* ---- where the library's own data lies ---- */

enum { MAPS = 4096, BLOCKS = 60000 };

typedef struct map {
    uintptr_t from, to;
    bool closed, plain; /* nobody can touch it; anonymous, and can be written */
} map;

static map maps[MAPS];
static unsigned map_count;

/* What goes on where the last one ends, and is like it, is the same: the system tells memory apart
 * that may have large pages. */
static void add_map(map m)
{
    map *last = map_count != 0 ? &maps[map_count - 1] : NULL;
    if (last != NULL && last->to == m.from && m.plain && last->plain)
        last->to = m.to;
    else
        maps[map_count++] = m;
}

static void read_maps(void)
{
    char line[512];
    FILE *file = fopen("/proc/self/maps", "r");
    map_count = 0;
    while (file != NULL && map_count < MAPS && fgets(line, sizeof(line), file) != NULL) {
        unsigned long from, to, inode;
        char perms[8] = "";
        if (sscanf(line, "%lx-%lx %4s %*s %*s %lu", &from, &to, perms, &inode) != 4)
            continue;
        add_map((map){from, to, strncmp(perms, "---", 3) == 0,
                      inode == 0 && perms[1] == 'w' && strchr(line, '[') == NULL});
    }
    if (file != NULL)
        fclose(file);
}

static unsigned map_of(const void *p)
{
    unsigned i = 0;
    while (i < map_count && (uintptr_t)p - maps[i].from >= maps[i].to - maps[i].from)
        i++;
    return i;
}

static bool is_apart(unsigned i)
{
    bool before = i == 0 || maps[i - 1].to != maps[i].from || maps[i - 1].closed;
    return before && (i + 1 == map_count || maps[i + 1].from != maps[i].to || maps[i + 1].closed);
}

/* Words of a mapping that are addresses in another one which lies apart, as the library's do. */
static unsigned pointers_out(unsigned i)
{
    unsigned found = 0;
    for (uintptr_t at = maps[i].from; at < maps[i].to; at += sizeof(uintptr_t)) {
        unsigned to = map_of(*(void **)at);
        found += to < map_count && to != i && maps[to].plain && is_apart(to);
    }
    return found;
}

static void metadata_lies_apart(tap *t)
{
    static unsigned char *block[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++)
        memset(block[i] = alloc(1 + i % 700), 0xff, 1 + i % 700);
    read_maps();
    unsigned home = map_of(block[0]);
    TAP_CHECK(t, home < map_count && maps[home].plain);
    for (unsigned i = 0; i < BLOCKS; i++)
        TAP_CHECK(t, map_of(block[i]) == home);
    TAP_CHECK(t, is_apart(home)); /* what is next to blocks faults */
    TAP_EQ(t, pointers_out(home), 0);
    for (unsigned i = 0; i < BLOCKS; i++)
        release(block[i]);
    TAP_EQ(t, pointers_out(home), 0);
}

static const tap_case cases[] = {
    {"wrong frees: in the thread that has the block: told, the end", from_here},
    {"wrong frees: in another thread: told, the end", from_another_thread},
    {"wrong frees: after the block's thread has ended: told, the end", after_the_thread},
    {"wrong frees: in a child: told, the end", after_a_fork},
    {"metadata: next to no block, on addresses of its own", metadata_lies_apart},
};
static const tap_suite suite = {"hardened_free", cases, LOAM_ARRAY_LEN(cases)};

int main(int argc, char **argv)
{
    return tap_host_main(&suite, argc, argv);
}
