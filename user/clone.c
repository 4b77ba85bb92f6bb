/* SPDX-License-Identifier: MIT */
/* clone - a second process with the same memory: nothing is copied until one of them writes. */
#include "user/lib/user_lib.h"

enum { PAGE = 4096, PAGES = 32, WRITTEN = 8 };

static unsigned char *shared;

static int child(void)
{
    user_counts before, after;
    user_need(user_counts_read(&before) == 0, "counts");
    for (unsigned i = 0; i < PAGES; i++)
        user_need(shared[i * PAGE] == i + 1, "the clone reads what was written before");
    for (unsigned i = 0; i < WRITTEN; i++)
        shared[i * PAGE] = 200;
    user_need(user_counts_read(&after) == 0, "counts");
    user_print("clone: child %u: %u pages shared at first; %u written, %u copied\n", user_number(),
               (int)before.shared, WRITTEN, (int)(after.cow_copied - before.cow_copied));
    user_need(before.shared >= PAGES, "every page is shared");
    user_need(after.cow_copied - before.cow_copied == WRITTEN, "one copy for each page written");
    return 7;
}

static void parent(int number)
{
    user_counts before, after;
    int status = 0;
    user_need(user_wait(&status) == number && status == 7, "the child's number and status");
    user_need(user_counts_read(&before) == 0, "counts");
    for (unsigned i = 0; i < PAGES; i++)
        user_need(shared[i * PAGE] == i + 1, "the child's writes are the child's");
    for (unsigned i = 0; i < PAGES; i++)
        shared[i * PAGE] = 100;
    user_need(user_counts_read(&after) == 0, "counts");
    user_print("clone: parent: the child has gone: %u pages written, %u copied, %u kept\n", PAGES,
               (int)(after.cow_copied - before.cow_copied),
               (int)(after.cow_reused - before.cow_reused));
    user_need(after.cow_copied == before.cow_copied, "the last owner copies nothing");
    user_need(after.cow_reused - before.cow_reused == PAGES, "the last owner keeps every page");
}

/* Several at once, that take turns: each counts in its own copy. */
static void crowd(void)
{
    static volatile int turns;
    int sum = 0;
    for (int i = 1; i <= 4; i++) {
        if (user_clone() != 0)
            continue;
        for (int k = 0; k < i; k++) {
            turns++;
            (void)user_yield();
        }
        user_exit(turns);
    }
    for (int i = 1; i <= 4; i++) {
        int status = 0;
        user_need(user_wait(&status) > 0, "a child of the crowd");
        sum += status;
    }
    user_print("clone: four children counted to 1, 2, 3 and 4, in turns: %u in all\n", sum);
    user_need(sum == 10 && turns == 0, "each had its own count");
    user_need(user_wait(NULL) == USER_ENOENT, "no child is left");
}

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    shared = user_map(NULL, PAGES * PAGE, USER_WRITE);
    user_need(shared != NULL, "memory");
    for (unsigned i = 0; i < PAGES; i++)
        shared[i * PAGE] = (unsigned char)(i + 1);
    int number = user_clone();
    user_need(number >= 0, "a clone");
    if (number == 0)
        return child();
    parent(number);
    crowd();
    return 0;
}
