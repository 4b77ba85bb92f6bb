/* SPDX-License-Identifier: MIT */
/* eat - touches more memory than there is. */
#include "user/lib/user_lib.h"

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    static const size_t size = 2U << 30;
    volatile unsigned char *p = user_map(NULL, size, USER_WRITE);
    user_need(p != NULL, "a region of 2 GiB");
    for (size_t i = 0; i < size; i += 4096)
        p[i] = 1;
    user_print("eat: 2 GiB touched, and there is more\n");
    return 0;
}
