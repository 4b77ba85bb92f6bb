/* SPDX-License-Identifier: MIT */
/* step - turns on the trap flag: a debugger's, and there is none. */
#include "user/lib/user_lib.h"

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    __asm__ volatile("pushfl\n\torl $0x100, (%%esp)\n\tpopfl\n\tnop" : : : "memory", "cc");
    user_print("step: still here\n");
    return 1;
}
