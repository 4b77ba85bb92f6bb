/* SPDX-License-Identifier: MIT */
/* touch - a large region costs nothing; each page costs a frame when it is touched. */
#include "user/lib/user_lib.h"

enum { PAGE = 4096, PAGES = 64, LARGE = 256 << 20 };

int main(int argc, char **argv)
{
    user_counts before, after;
    volatile unsigned char *p = user_map(NULL, LARGE, USER_WRITE);
    (void)argc;
    (void)argv;
    user_need(p != NULL, "a region of 256 MiB");
    user_need(user_counts_read(&before) == 0, "counts");
    for (unsigned i = 0; i < PAGES; i++) {
        user_need(p[i * PAGE] == 0, "a fresh page reads 0");
        p[i * PAGE] = (unsigned char)(i + 1);
    }
    user_need(user_counts_read(&after) == 0, "counts");
    user_print("touch: 256 MiB mapped, %u pages touched: %u frames given\n", PAGES,
               (int)(after.demand_zero - before.demand_zero));
    user_need(after.demand_zero - before.demand_zero == PAGES, "one frame a page");
    user_need(user_unmap((void *)p, LARGE) == 0, "unmap");
    user_need(user_counts_read(&after) == 0, "counts");
    user_print("touch: unmapped: %u pages resident, as before: %s\n", (int)after.resident,
               after.resident == before.resident ? "yes" : "NO");
    return after.resident == before.resident ? 0 : 1;
}
