/* SPDX-License-Identifier: MIT */
/* musl.c - what loam_libc.h promises and musl has not. For musl alone.
 *
 * One thread: musl knows, and tells nobody. The system does, by the links of a folder: two, and one
 * more for each thread. Where no such folder is there may be several.
 *
 * The calls that lead to a malloc: the unwinder is a library of the compiler's, which programs in
 * C++ have anyway, and C ones may. Nobody loads it for a profile: without it that has each block's
 * caller alone. */
#define _GNU_SOURCE
#include "loam_libc.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unwind.h>

#pragma weak _Unwind_Backtrace
#pragma weak _Unwind_GetIP

enum { FOLDER_LINKS = 2 };

const char *libc_error(int error)
{
    return strerror(error); /* a table */
}

bool libc_is_single(void)
{
    struct stat tasks;
    int before = errno;
    bool single = stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink == FOLDER_LINKS + 1;
    errno = before;
    return single;
}

typedef struct calls {
    void **call;
    int n, most;
} calls;

static _Unwind_Reason_Code calls_next(struct _Unwind_Context *at, void *ctx)
{
    calls *c = ctx;
    if (c->n == c->most)
        return _URC_END_OF_STACK;
    c->call[c->n++] = (void *)_Unwind_GetIP(at);
    return _URC_NO_REASON;
}

int libc_calls(void **call, int most)
{
    calls c = {call, 0, most};
    if (_Unwind_Backtrace != NULL && _Unwind_GetIP != NULL)
        (void)_Unwind_Backtrace(calls_next, &c);
    return c.n;
}
