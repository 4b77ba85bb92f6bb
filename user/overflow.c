/* SPDX-License-Identifier: MIT */
/* overflow - calls itself for ever: the stack ends at its guard page. */
#include "user/lib/user_lib.h"

/* NOLINTNEXTLINE(misc-no-recursion): that is what this program is for */
static unsigned deeper(volatile unsigned *above)
{
    volatile unsigned here[16];
    here[0] = *above + 1;
    if (here[0] == UINT32_MAX)
        return 0;
    return deeper(here) + here[0];
}

int main(int argc, char **argv)
{
    volatile unsigned zero = 0;
    (void)argc;
    (void)argv;
    unsigned sum = deeper(&zero);
    user_print("overflow: still here: %u\n", (int)sum);
    return 1;
}
