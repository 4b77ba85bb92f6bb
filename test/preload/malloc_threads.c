/* SPDX-License-Identifier: MIT */
/* malloc_threads.c - the malloc of libloam.so with threads: at work, ending, many, and in forks. */
#define _GNU_SOURCE
#include "smaps.h"
#include "tap_host.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOTS = 200, TABLE = 1000, MANY = 150 };

static void *(*volatile alloc)(size_t) = malloc;
static void (*volatile release)(void *) = free;

static bool is_long(void)
{
    return getenv("LOAM_LONG") != NULL;
}

static void run(unsigned n, void *(*fn)(void *arg))
{
    pthread_t thread[MANY];
    for (unsigned i = 0; i < n; i++)
        pthread_create(&thread[i], NULL, fn, (void *)(uintptr_t)i);
    for (unsigned i = 0; i < n; i++)
        pthread_join(thread[i], NULL);
}

/* ---- blocks that only their thread writes ---- */

static atomic_uint spoiled;
static atomic_bool stop;

typedef struct owner {
    unsigned char *p[SLOTS], fill;
    size_t size[SLOTS];
    uint32_t rng;
} owner;

static uint32_t draw(owner *o)
{
    o->rng = o->rng * 1103515245U + 12345U;
    return o->rng >> 8;
}

static void let_go(owner *o, unsigned i)
{
    if (o->p[i] == NULL)
        return;
    for (size_t k = 0; k < o->size[i]; k += 61)
        if (o->p[i][k] != (unsigned char)(o->fill + i))
            atomic_fetch_add(&spoiled, 1);
    release(o->p[i]);
    o->p[i] = NULL;
}

static void step(owner *o)
{
    unsigned i = draw(o) % SLOTS;
    if (o->p[i] != NULL) {
        let_go(o, i);
        return;
    }
    o->size[i] = draw(o) % 50 == 0 ? 100000 : 1 + draw(o) % 2000;
    o->p[i] = alloc(o->size[i]);
    if (o->p[i] != NULL)
        memset(o->p[i], o->fill + (int)i, o->size[i]);
}

static void *own_blocks(void *arg)
{
    owner o = {.fill = (unsigned char)(uintptr_t)arg, .rng = (uint32_t)(uintptr_t)arg * 7919 + 1};
    unsigned steps = is_long() ? 300000 : 20000;
    for (unsigned i = 0; i < steps && !atomic_load(&stop); i++)
        step(&o);
    for (unsigned i = 0; i < SLOTS; i++)
        let_go(&o, i);
    return NULL;
}

static void keep_blocks(tap *t)
{
    atomic_store(&stop, false);
    run(8, own_blocks);
    TAP_EQ(t, atomic_load(&spoiled), 0);
}

/* More threads than there are fronts. */
static void many_at_once(tap *t)
{
    run(MANY, own_blocks);
    TAP_EQ(t, atomic_load(&spoiled), 0);
}

/* ---- blocks that others free ---- */

static _Atomic(void *) table[TABLE];

static void *hand_over(void *arg)
{
    unsigned steps = is_long() ? 2000000 : 100000;
    for (unsigned i = 0; i < steps; i++) {
        size_t size = 16 + (i * 37 + (uintptr_t)arg) % 700;
        unsigned char *p = alloc(size);
        memset(p, 0x3c, size);
        release(atomic_exchange(&table[i % TABLE], p));
    }
    return NULL;
}

static void handed_over(tap *t)
{
    run(4, hand_over);
    for (unsigned i = 0; i < TABLE; i++)
        release(atomic_exchange(&table[i], NULL));
    long before = smaps_resident();
    run(4, hand_over);
    TAP_CHECK(t, smaps_resident() < before + 8 * 1024);
    for (unsigned i = 0; i < TABLE; i++)
        release(atomic_exchange(&table[i], NULL));
}

/* ---- threads that end ---- */

static void *a_moment(void *arg)
{
    void *p = alloc(100);
    release(alloc(50));
    release(p);
    (void)arg;
    return alloc(300); /* the one who joins frees it */
}

static void come_and_go(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        pthread_t thread;
        void *p = NULL;
        pthread_create(&thread, NULL, a_moment, NULL);
        pthread_join(thread, &p);
        release(p);
    }
}

static void ten_thousand(tap *t)
{
    come_and_go(500);
    long before = smaps_resident();
    come_and_go(10000);
    TAP_CHECK(t, smaps_resident() < before + 1024);
}

static pthread_key_t key;
static atomic_uint ended;

/* Allocates and frees in each round of the destructors. */
static void last_words(void *value)
{
    unsigned *rounds = value;
    void *p = alloc(777);
    release(p);
    if (++*rounds < 4)
        pthread_setspecific(key, rounds);
    else
        release(rounds);
    atomic_fetch_add(&ended, 1);
}

static void *with_destructor(void *arg)
{
    pthread_setspecific(key, calloc(1, sizeof(unsigned)));
    return arg;
}

static void destructors(tap *t)
{
    TAP_EQ(t, pthread_key_create(&key, last_words), 0);
    for (unsigned i = 0; i < 50; i++)
        run(4, with_destructor);
    TAP_EQ(t, atomic_load(&ended), 800);
}

static pthread_key_t late;

static void first_words(void *value)
{
    (void)value;
    release(alloc(777));
}

static void *first_in_destructor(void *arg)
{
    pthread_setspecific(late, &late);
    return arg;
}

enum { NEAR = 1 << 16 /* bytes of a slab */ };

static pthread_barrier_t together;
static uintptr_t place[2];

static void *where(void *arg)
{
    void *p = alloc(48);
    place[(uintptr_t)arg] = (uintptr_t)p / NEAR;
    pthread_barrier_wait(&together);
    release(p);
    return arg;
}

/* A number that stayed with a thread that is no more would leave the others with the shared front:
 * two of them have blocks in one slab there, and never with fronts of their own. */
static void numbers_come_back(tap *t)
{
    TAP_EQ(t, pthread_key_create(&late, first_words), 0);
    for (unsigned i = 0; i < 100; i++)
        run(1, first_in_destructor);
    pthread_barrier_init(&together, NULL, 2);
    run(2, where);
    TAP_CHECK(t, place[0] != place[1]);
}

/* ---- forks ---- */

/* In the child: blocks of all sizes, a thread, a child of its own. */
static int child(unsigned number)
{
    void *p[300];
    alarm(60);
    for (unsigned i = 0; i < 300; i++)
        memset(p[i] = alloc(i * 371 + 1), 1, i * 371 + 1);
    for (unsigned i = 0; i < 300; i++)
        release(p[i]);
    if (number % 10 != 0)
        return 0;
    come_and_go(5);
    int status = 0;
    pid_t again = fork();
    if (again == 0) {
        release(alloc(100));
        _exit(0);
    }
    waitpid(again, &status, 0);
    return status != 0;
}

/* Without signals meanwhile: before and after the handlers the C library's fork holds a lock of its
 * own, for which a fork in a signal's handler would wait for ever, whatever malloc there is. */
static pid_t fork_quietly(void)
{
    sigset_t all, mask;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    pid_t pid = fork();
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    return pid;
}

static void *fork_often(void *arg)
{
    unsigned forks = is_long() ? 400 : 40;
    (void)arg;
    for (unsigned i = 0; i < forks; i++) {
        int status = 0;
        pid_t pid = fork_quietly();
        if (pid == 0)
            _exit(child(i));
        waitpid(pid, &status, 0);
        if (status != 0)
            atomic_fetch_add(&spoiled, 1);
    }
    atomic_store(&stop, true);
    return NULL;
}

static void *fork_or_work(void *arg)
{
    if ((uintptr_t)arg == 0)
        return fork_often(arg);
    while (!atomic_load(&stop))
        own_blocks(arg);
    return NULL;
}

static void forks(tap *t)
{
    atomic_store(&stop, false);
    run(5, fork_or_work);
    TAP_EQ(t, atomic_load(&spoiled), 0);
}

/* A thread that holds the lock of all streams waits for one that holds a stream and wants memory:
 * whoever forks must not be between the two. */
static void *fork_or_read(void *arg)
{
    char *line = NULL;
    size_t room = 0;
    if ((uintptr_t)arg == 0)
        return fork_often(arg);
    while (!atomic_load(&stop)) {
        FILE *f = (uintptr_t)arg == 1 ? NULL : fopen("/proc/self/maps", "r");
        if (f == NULL) {
            (void)fflush(NULL);
            continue;
        }
        while (getline(&line, &room, f) > 0) {
            free(line);
            line = NULL;
        }
        free(line);
        line = NULL;
        (void)fclose(f);
    }
    return NULL;
}

static void forks_and_streams(tap *t)
{
    atomic_store(&stop, false);
    run(4, fork_or_read);
    TAP_EQ(t, atomic_load(&spoiled), 0);
}

static void fork_in_handler(int signal)
{
    int status = 0;
    (void)signal;
    pid_t pid = fork_quietly();
    if (pid == 0) {
        release(alloc(100));
        _exit(0);
    }
    waitpid(pid, &status, 0);
    if (status != 0)
        atomic_fetch_add(&spoiled, 1);
}

/* One signal for each turn, whose handler forks: before the fork, after it, while it is waited for.
 * The second thread never gets one. malloc_api.c has signals in the middle of a fork. */
static void *fork_or_be_there(void *arg)
{
    struct itimerval soon = {{0, 0}, {0, 0}};
    unsigned turns = is_long() ? 2000 : 200;
    sigset_t alarms;
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    if ((uintptr_t)arg != 0) {
        while (!atomic_load(&stop))
            own_blocks(arg);
        return NULL;
    }
    pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
    for (unsigned i = 0; i < turns; i++) {
        soon.it_value.tv_usec = (suseconds_t)(1 + i % 50 * 20);
        setitimer(ITIMER_REAL, &soon, NULL);
        fork_in_handler(SIGALRM);
    }
    pthread_sigmask(SIG_BLOCK, &alarms, NULL);
    atomic_store(&stop, true);
    return NULL;
}

static void forks_and_signals(tap *t)
{
    struct sigaction action = {.sa_handler = fork_in_handler, .sa_flags = SA_RESTART}, old;
    const struct itimerval none = {{0, 0}, {0, 0}};
    sigset_t alarms, mask;
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    sigaction(SIGALRM, &action, &old);
    pthread_sigmask(SIG_BLOCK, &alarms, &mask);
    for (unsigned threads = 1; threads <= 2; threads++) {
        atomic_store(&stop, false);
        run(threads, fork_or_be_there);
    }
    setitimer(ITIMER_REAL, &none, NULL); /* the last one may be still to come */
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    sigaction(SIGALRM, &old, NULL);
    TAP_EQ(t, atomic_load(&spoiled), 0);
}

static const tap_case cases[] = {
    {"threads: each keeps its blocks", keep_blocks},
    {"threads: more than there are fronts", many_at_once},
    {"threads: blocks freed by others: memory flat", handed_over},
    {"threads: 10,000 come and go: memory flat", ten_thousand},
    {"threads: destructors that allocate and free to the last", destructors},
    {"threads: a first block in a destructor: its number comes back", numbers_come_back},
    {"threads: forks while others are inside", forks},
    {"threads: forks while others read and flush streams", forks_and_streams},
    {"threads: forks in handlers between forks", forks_and_signals},
};
static const tap_suite suite = {"malloc_threads", cases, LOAM_ARRAY_LEN(cases)};

int main(int argc, char **argv)
{
    return tap_host_main(&suite, argc, argv);
}
