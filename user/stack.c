/* SPDX-License-Identifier: MIT */
/* stack - calls itself: the stack grows page by page, and what it held is still there. */
#include "user/lib/user_lib.h"

enum { DEPTH = 50, FRAME = 4000 };

/* NOLINTNEXTLINE(misc-no-recursion): that is what this program is for */
static unsigned deep(unsigned n)
{
    volatile unsigned char here[FRAME];
    here[0] = here[FRAME - 1] = (unsigned char)n;
    unsigned below = n == 0 ? 0 : deep(n - 1);
    return below + here[0] + here[FRAME - 1];
}

int main(int argc, char **argv)
{
    user_counts before, after;
    (void)argc;
    (void)argv;
    user_need(user_counts_read(&before) == 0, "counts");
    unsigned sum = deep(DEPTH);
    user_need(user_counts_read(&after) == 0, "counts");
    user_print("stack: %u calls of 4000 bytes: it grew by %u pages\n", DEPTH,
               (int)(after.stack_grown - before.stack_grown));
    user_need(sum == DEPTH * (DEPTH + 1), "every frame was still there");
    user_need(after.stack_grown - before.stack_grown >= DEPTH - 4, "pages came one by one");
    return 0;
}
