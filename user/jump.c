/* SPDX-License-Identifier: MIT */
/* jump - goes where no code is. */
#include "user/lib/user_lib.h"

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    void (*nowhere)(void) = (void (*)(void))(uintptr_t)0x30000000U;
    nowhere();
    user_print("jump: still here\n");
    return 1;
}
