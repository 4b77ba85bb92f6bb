/* SPDX-License-Identifier: MIT */
/* loop - two processes that never end and never yield: the timer lets both run, and Ctrl-C ends
 * them. Each has children that ended at once, and that nobody waits for. */
#include "user/lib/user_lib.h"

enum { ROUND = 2000000, ENDED = 5 };

static void leave_children(void)
{
    for (int i = 0; i < ENDED; i++) {
        int child = user_clone();
        user_need(child >= 0, "a clone that ends");
        if (child == 0)
            user_exit(0);
    }
}

int main(int argc, char **argv)
{
    volatile unsigned turns = 0;
    (void)argc;
    (void)argv;
    int number = user_clone();
    user_need(number >= 0, "a clone");
    leave_children();
    for (;;) {
        if (turns++ % ROUND == 0)
            user_print("loop: the %s runs\n", number == 0 ? "child" : "parent");
    }
}
