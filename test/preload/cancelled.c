/* SPDX-License-Identifier: MIT */
/* cancelled.c - a thread that is to be cancelled goes on through the calls of libloam.so: none of
 * them is a point at which it may end, whatever is written or asked of the system meanwhile. Each
 * in a process of its own, with its LOAM_CONF. */
#define _GNU_SOURCE
#include "loam_libc.h"
#include "tap_host.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void *(*volatile alloc)(size_t) = malloc;
static void (*volatile release)(void *) = free;

/* Rings of events go out. */
static void many(void)
{
    for (unsigned i = 0; i < 100000; i++)
        release(alloc(1 + i % 500));
}

/* Is memory promised, or lent? The system is asked. */
static void too_much(void)
{
    release(alloc(SIZE_MAX / 4));
    (void)malloc_trim(0);
}

static void profile_now(void)
{
    many();
    (void)raise(SIGUSR1);
}

static void twice(void)
{
    void *p = alloc(100);
    release(p);
    release(p);
}

static void overrun(void)
{
    char *p = alloc(100);
    p[100]++;
    release(p);
}

static const struct {
    const char *name, *conf;
    void (*fn)(void);
    int signal; /* that ends the process; 0: the thread comes to its end */
} calls[] = {
    {"a trace is written", "trace=/dev/null", many, 0},
    {"a profile is written", "profile=/dev/null,profile_signal=10", profile_now, 0},
    {"no memory", "", too_much, 0},
    {"malloc_stats", "", malloc_stats, 0},
    {"a double free", "", twice, SIGABRT},
    {"an overrun", "hardened", overrun, SIGABRT},
};

static volatile bool reached;

static void *cancelled(void *arg)
{
    unsigned i = (unsigned)(uintptr_t)arg;
    pthread_cancel(pthread_self()); /* waits for the next point */
    calls[i].fn();
    reached = true;
    pthread_testcancel();
    return NULL;
}

/* In the process whose LOAM_CONF it is. */
static int child(unsigned i)
{
    pthread_t thread;
    void *end = NULL;
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    alarm(20);
    pthread_create(&thread, NULL, cancelled, (void *)(uintptr_t)i);
    pthread_join(thread, &end);
    many(); /* it left no lock */
    return reached && end == PTHREAD_CANCELED ? 0 : 1;
}

static void go_on(tap *t)
{
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(calls); i++) {
        char number[2] = {(char)('0' + i), '\0'};
        int status = -1;
        pid_t pid = fork();
        if (pid == 0) {
            setenv("LOAM_CONF", calls[i].conf, 1);
            execl("/proc/self/exe", "cancelled", "--child", number, (char *)NULL);
            _exit(2);
        }
        waitpid(pid, &status, 0);
        if (status != calls[i].signal && status != (calls[i].signal | 0x80))
            tap_note(t, "%s: status %u", calls[i].name, (unsigned)status);
        TAP_EQ(t, status & 0x7f, calls[i].signal);
        TAP_EQ(t, status >> 8, 0);
    }
}

static const tap_case cases[] = {
    {"a cancelled thread: no call of malloc's is its end", go_on},
};
static const tap_suite suite = {"cancelled", cases, LOAM_ARRAY_LEN(cases)};

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--child") == 0)
        return child((unsigned)(argv[2][0] - '0'));
    return tap_host_main(&suite, argc, argv);
}
