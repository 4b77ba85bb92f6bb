/* SPDX-License-Identifier: MIT */
/* divide - divides by zero. */
#include "user/lib/user_lib.h"

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    volatile int zero = argc == 0;
    volatile int one = 1;
    /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): that is what this program is for */
    one = one / zero;
    user_print("divide: still here\n");
    return 1;
}
