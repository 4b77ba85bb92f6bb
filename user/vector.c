/* SPDX-License-Identifier: MIT */
/* vector - calls an interrupt that is the kernel's own. */
#include "user/lib/user_lib.h"

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    __asm__ volatile("int $0x20");
    user_print("vector: still here\n");
    return 1;
}
