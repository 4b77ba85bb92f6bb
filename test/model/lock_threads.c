/* SPDX-License-Identifier: MIT */
/* lock_threads.c - the lock of the hosted port: one holder at a time, and who waits long sleeps, so
 * that a holder of a lower priority comes to run.
 *
 * Also run with the thread sanitizer. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "loam/port.h"
#include "tap_host.h"

enum { THREADS = 4, ROUNDS = 2000, LONG = 256, WAITERS = 3, LOOKS = 5000, LIMIT = 30 };

static loam_lock lock = LOAM_LOCK_INIT;

static void pause_ms(long ms)
{
    const struct timespec span = {0, ms * 1000000};
    (void)nanosleep(&span, NULL);
}

static void start(tap *t, pthread_t *thread, const pthread_attr_t *how, void *(*fn)(void *),
                  void *arg)
{
    TAP_CHECK(t, pthread_create(thread, how, fn, arg) == 0);
}

/* ---- one at a time ---- */

static unsigned inside, entered, twice; /* [lock] */

static void *enter_often(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        loam_irq irq = loam_lock_acquire(&lock);
        twice += inside++ != 0;
        if (i % LONG == 0)
            pause_ms(2); /* the others sleep by then */
        entered++;
        inside--;
        loam_lock_release(&lock, irq);
    }
    return NULL;
}

static void one_at_a_time(tap *t)
{
    pthread_t thread[THREADS];
    inside = entered = twice = 0;
    for (unsigned i = 0; i < THREADS; i++)
        start(t, &thread[i], NULL, enter_often, NULL);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    TAP_EQ(t, entered, THREADS * ROUNDS);
    TAP_EQ(t, twice, 0);
}

/* ---- asleep ---- */

typedef struct waiter {
    pthread_t thread;
    uint32_t id; /* [atomic] the system's number; 0: it has not begun */
    int error;   /* what errno is, once it had the lock */
} waiter;

static void *wait_once(void *arg)
{
    waiter *w = arg;
    errno = EDOM;
    loam_atomic_store(&w->id, (uint32_t)syscall(SYS_gettid));
    loam_irq irq = loam_lock_acquire(&lock);
    loam_lock_release(&lock, irq);
    w->error = errno;
    return NULL;
}

/* Of a thread of this process, as the system has it: S is asleep. */
static char state_of(uint32_t id)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof(path), "/proc/self/task/%u/stat", id);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return '?';
    size_t n = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[n] = '\0';
    const char *end = strrchr(text, ')'); /* of its name */
    return (char)(end != NULL && end[1] == ' ' ? end[2] : '?');
}

static bool falls_asleep(waiter *w)
{
    bool asleep = false;
    for (unsigned i = 0; i < LOOKS && !asleep; i++) {
        uint32_t id = loam_atomic_load(&w->id);
        asleep = id != 0 && state_of(id) == 'S';
        if (!asleep)
            pause_ms(1);
    }
    return asleep;
}

static void waiters_sleep(tap *t)
{
    waiter w[WAITERS] = {0};
    loam_irq irq = loam_lock_acquire(&lock);
    for (unsigned i = 0; i < WAITERS; i++)
        start(t, &w[i].thread, NULL, wait_once, &w[i]);
    for (unsigned i = 0; i < WAITERS; i++)
        TAP_CHECK(t, falls_asleep(&w[i]));
    loam_lock_release(&lock, irq);
    for (unsigned i = 0; i < WAITERS; i++) {
        pthread_join(w[i].thread, NULL);
        TAP_EQ(t, w[i].error, EDOM);
    }
}

/* ---- priorities ---- */

/* A thread of this priority on one processor; false: the system does not allow it. */
static bool ask_for(pthread_attr_t *how, int priority)
{
    struct sched_param param = {.sched_priority = priority};
    cpu_set_t all, one;
    size_t cpu = 0;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof(all), &all) != 0)
        return false;
    while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &all))
        cpu++;
    CPU_SET(cpu, &one);
    return pthread_attr_init(how) == 0 && pthread_attr_setschedpolicy(how, SCHED_FIFO) == 0 &&
           pthread_attr_setschedparam(how, &param) == 0 &&
           pthread_attr_setinheritsched(how, PTHREAD_EXPLICIT_SCHED) == 0 &&
           pthread_attr_setaffinity_np(how, sizeof(one), &one) == 0;
}

static pthread_t higher;

/* Holds the lock while a thread comes that runs first. */
static void *hold(void *arg)
{
    pthread_attr_t how;
    static waiter w;
    loam_irq irq = loam_lock_acquire(&lock);
    bool *began = arg;
    *began = ask_for(&how, 2) && pthread_create(&higher, &how, wait_once, &w) == 0;
    loam_lock_release(&lock, irq);
    pthread_attr_destroy(&how);
    return NULL;
}

static void higher_priority(tap *t)
{
    pthread_attr_t how;
    pthread_t lower;
    bool began = false;
    alarm(LIMIT); /* a thread that never sleeps would keep the processor */
    bool allowed = ask_for(&how, 1) && pthread_create(&lower, &how, hold, &began) == 0;
    pthread_attr_destroy(&how);
    if (allowed) {
        pthread_join(lower, NULL);
        TAP_CHECK(t, began);
    } else {
        puts("# priorities: the system does not allow them here");
    }
    if (began)
        pthread_join(higher, NULL);
    alarm(0);
}

static const tap_case cases[] = {
    {"lock: several threads, long holds: one at a time", one_at_a_time},
    {"lock: who waits long sleeps, and wakes up; errno stays", waiters_sleep},
    {"lock: a holder of a lower priority comes to run", higher_priority},
};
TAP_SUITE(lock_threads, cases);

int main(int argc, char **argv)
{
    return tap_host_main(&tap_suite_lock_threads, argc, argv);
}
