/* SPDX-License-Identifier: MIT */
/* measure.c - runs a command and writes what it and all its descendants took.
 *
 *     measure FILE LIBRARY COMMAND ARGUMENT...
 *
 * FILE gets one line: microseconds of processor time, user and system together, of the whole tree
 * as far as it was waited for; and KiB, the peak of the largest process in it. The exit code is the
 * command's. A child's peak begins with its parent's: hence this small program between a large one
 * and the command. LIBRARY ("": none) is preloaded under the command, not under this program.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static long microseconds(struct timeval t)
{
    return (long)t.tv_sec * 1000000 + (long)t.tv_usec;
}

static _Noreturn void become(const char *library, char **command)
{
    if (library[0] != '\0')
        setenv("LD_PRELOAD", library, 1);
    execvp(command[0], command);
    perror(command[0]);
    _exit(127);
}

int main(int argc, char **argv)
{
    struct rusage used;
    int status = 0;
    if (argc < 4) {
        fprintf(stderr, "usage: measure FILE LIBRARY COMMAND ARGUMENT...\n");
        return 2;
    }
    pid_t pid = fork();
    if (pid == 0)
        become(argv[2], argv + 3);
    if (pid < 0 || wait4(pid, &status, 0, &used) != pid) {
        perror("measure");
        return 2;
    }
    FILE *out = fopen(argv[1], "w");
    if (out == NULL ||
        fprintf(out, "%ld %ld\n", microseconds(used.ru_utime) + microseconds(used.ru_stime),
                used.ru_maxrss) < 0 ||
        fclose(out) != 0) {
        perror(argv[1]);
        return 2;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
