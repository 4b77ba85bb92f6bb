/* SPDX-License-Identifier: MIT */
/* port_abort.c - the hosted port at the end of its patience: each case is a child process that is
 * expected to abort, or not to. */
#define _POSIX_C_SOURCE 200809L
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loam/port.h"

static const loam_report report = {
    .unit = "zone", .what = "double free", .object = "frame", .value = 0x1a2b};

static void quiet(void *ctx, const loam_report *told)
{
    (void)ctx;
    (void)told;
}

static void misuse(void)
{
    loam_port_misuse(&report);
}

static void misuse_reported(void)
{
    loam_port_set_policy(LOAM_POLICY_REPORT);
    loam_port_misuse(&report);
}

static void misuse_listened_to(void)
{
    loam_port_on_report(quiet, NULL);
    loam_port_misuse(&report);
}

static void corrupt_reported(void)
{
    loam_port_set_policy(LOAM_POLICY_REPORT);
    loam_port_corrupt(&report);
}

static void corrupt_listened_to(void)
{
    loam_port_set_policy(LOAM_POLICY_REPORT);
    loam_port_on_report(quiet, NULL);
    loam_port_corrupt(&report);
}

static const struct {
    const char *name;
    void (*run)(void);
    bool aborts;
    const char *line;
} cases[] = {
    {"port_misuse: as it starts: a line, then abort", misuse, true,
     "loam: zone: double free: frame 1a2b\n"},
    {"port_misuse: policy report: a line, and back", misuse_reported, false,
     "loam: zone: double free: frame 1a2b\n"},
    {"port_misuse: listener: no line, then abort", misuse_listened_to, true, ""},
    {"port_corrupt: policy report: a line, then abort", corrupt_reported, true,
     "loam: zone: double free: frame 1a2b\n"},
    {"port_corrupt: policy report, listener: still abort", corrupt_listened_to, true, ""},
};

/* Runs one case in a child; true when it ended, and spoke, as expected. */
static bool holds(size_t i)
{
    int ends[2], status = 0;
    char said[256] = "";
    if (pipe(ends) != 0)
        return false;
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        dup2(ends[1], STDERR_FILENO);
        cases[i].run();
        _exit(0);
    }
    close(ends[1]);
    size_t len = 0;
    for (ssize_t n; (n = read(ends[0], said + len, sizeof said - 1 - len)) > 0; len += (size_t)n)
        ;
    close(ends[0]);
    if (child < 0 || waitpid(child, &status, 0) != child)
        return false;
    bool aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    bool ended = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return (cases[i].aborts ? aborted : ended) && strcmp(said, cases[i].line) == 0;
}

int main(void)
{
    bool all = true;
    printf("1..%zu\n", LOAM_ARRAY_LEN(cases));
    fflush(stdout);
    for (size_t i = 0; i < LOAM_ARRAY_LEN(cases); i++) {
        bool ok = holds(i);
        printf("%s %zu - %s\n", ok ? "ok" : "not ok", i + 1, cases[i].name);
        fflush(stdout);
        all = all && ok;
    }
    return all ? EXIT_SUCCESS : EXIT_FAILURE;
}
