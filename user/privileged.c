/* SPDX-License-Identifier: MIT */
/* privileged - turns interrupts off, which is not its right. */
#include "user/lib/user_lib.h"

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    __asm__ volatile("cli");
    user_print("privileged: still here\n");
    return 1;
}
