/* SPDX-License-Identifier: MIT */
/* write-text - writes to its own code. */
#include "user/lib/user_lib.h"

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    *(volatile unsigned char *)(uintptr_t)main = 0xc3;
    user_print("write-text: still here\n");
    return 1;
}
