/* SPDX-License-Identifier: MIT */
/* kernel - reads the kernel. */
#include "user/lib/user_lib.h"

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    volatile unsigned char *p = (volatile unsigned char *)(uintptr_t)0xc0100000U;
    (void)*p;
    user_print("kernel: still here\n");
    return 1;
}
