/* SPDX-License-Identifier: MIT */
/* loop - two processes that never end and never yield: the timer lets both run, and Ctrl-C ends
 * them. */
#include "user/lib/user_lib.h"

enum { ROUND = 2000000 };

int main(int argc, char **argv)
{
    volatile unsigned turns = 0;
    (void)argc;
    (void)argv;
    int number = user_clone();
    user_need(number >= 0, "a clone");
    for (;;) {
        if (turns++ % ROUND == 0)
            user_print("loop: the %s runs\n", number == 0 ? "child" : "parent");
    }
}
