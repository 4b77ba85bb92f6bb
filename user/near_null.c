/* SPDX-License-Identifier: MIT */
/* near-null - writes to a member of a structure that is not there. */
#include "user/lib/user_lib.h"

static volatile uintptr_t address; /* 0, which the compiler may not know */

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    *(volatile unsigned char *)(address + 0x1234) = 1;
    user_print("near-null: still here\n");
    return 1;
}
