/* SPDX-License-Identifier: MIT */
/* port - writes to a port. */
#include "user/lib/user_lib.h"

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    __asm__ volatile("outb %%al, %%dx" : : "a"(0), "d"(0xf4));
    user_print("port: still here\n");
    return 1;
}
