/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_IN_CHILD_H
#define LOAM_TEST_IN_CHILD_H

/* in_child.h - what must end a program is done in a child, and its words are read. */
#include "tap.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child's line; "" and *status 0 when nothing ended it. */
static inline void in_child(void (*fn)(void), char *line, size_t cap, int *status)
{
    int ends[2];
    size_t len = 0;
    ssize_t n;
    if (pipe(ends) != 0)
        return;
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        dup2(ends[1], STDERR_FILENO);
        fn();
        _exit(0);
    }
    close(ends[1]);
    while (len < cap - 1 && (n = read(ends[0], line + len, cap - 1 - len)) > 0)
        len += (size_t)n;
    line[len] = '\0';
    close(ends[0]);
    waitpid(child, status, 0);
}

/* A call that must end the program with one line, and words that are in it. */
typedef struct wrong_call {
    void (*fn)(void);
    const char *words;
} wrong_call;

static inline void each_is_stopped(tap *t, const wrong_call *wrong, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char line[1000] = "";
        int status = 0;
        in_child(wrong[i].fn, line, sizeof(line), &status);
        bool told = strstr(line, wrong[i].words) != NULL;
        TAP_CHECK(t, WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        TAP_CHECK(t, strncmp(line, "loam: ", 6) == 0 && told);
        TAP_CHECK(t, strchr(line, '\n') == line + strlen(line) - 1);
        if (!told)
            tap_note(t, "%s: %s", wrong[i].words, line);
    }
}

#endif
