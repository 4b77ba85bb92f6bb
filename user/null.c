/* SPDX-License-Identifier: MIT */
/* null - reads through a NULL pointer. */
#include "user/lib/user_lib.h"

static volatile uintptr_t address; /* 0, which the compiler may not know */

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    (void)*(volatile unsigned char *)address;
    user_print("null: still here\n");
    return 1;
}
