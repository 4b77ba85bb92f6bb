/* SPDX-License-Identifier: MIT */
/* invalid - executes what is no instruction. */
#include "user/lib/user_lib.h"

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    __asm__ volatile("ud2");
    user_print("invalid: still here\n");
    return 1;
}
