/* SPDX-License-Identifier: MIT */
/* faults - how long a page fault takes, from the access that faults until it is done, in ticks of
 * the time-stamp counter (a Pentium or later). In QEMU with `-icount shift=0` a tick is an
 * instruction. */
#include "user/lib/user_lib.h"

enum { PAGE = 4096, PAGES = 64 };

static unsigned char *memory;

/* Ticks of a write to each page, less those of a write that does not fault, in ascending order. */
static void measure(int ticks[PAGES])
{
    volatile unsigned char here = 0;
    for (unsigned i = 0; i < PAGES; i++) {
        volatile unsigned char *p = memory + (size_t)i * PAGE;
        uint32_t start = user_ticks();
        here = 1;
        uint32_t middle = user_ticks();
        *p = here;
        int all = (int)(user_ticks() - middle), cost = all - (int)(middle - start);
        unsigned at = i;
        for (; at > 0 && ticks[at - 1] > cost; at--)
            ticks[at] = ticks[at - 1];
        ticks[at] = cost;
    }
}

static void tell(const char *what)
{
    static int ticks[PAGES];
    measure(ticks);
    user_print("faults: %s: %d ticks, %d to %d\n", what, ticks[PAGES / 2], ticks[0],
               ticks[PAGES - 1]);
}

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    memory = user_map(NULL, (size_t)PAGES * PAGE, USER_WRITE);
    user_need(memory != NULL, "memory");
    tell("warm-up");
    user_need(user_unmap(memory, (size_t)PAGES * PAGE) == 0, "unmap");
    memory = user_map(NULL, (size_t)PAGES * PAGE, USER_WRITE);
    user_need(memory != NULL, "memory");
    tell("touch");
    tell("none");
    int number = user_clone();
    user_need(number >= 0, "a clone");
    if (number == 0) {
        tell("copy");
        return 0;
    }
    user_need(user_wait(NULL) == number, "the child's end");
    tell("keep");
    return 0;
}
