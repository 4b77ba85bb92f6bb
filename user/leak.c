/* SPDX-License-Identifier: MIT */
/* leak [many] - lets the kernel keep four blocks, and forgets two of them: the kernel counts and
 * names them at the end. With `many` it forgets twenty more. */
#include "user/lib/user_lib.h"

int main(int argc, char **argv)
{
    static const char *const text[] = {"first", "the second", "a third", "and a fourth"};
    int handle[4];
    char back[16];
    for (unsigned i = 0; argc > 1 && argv[1][0] == 'm' && i < 20; i++)
        user_need(user_keep(text[3], 5) > 0, "one of many blocks is kept");
    for (unsigned i = 0; i < 4; i++) {
        handle[i] = user_keep(text[i], user_len(text[i]) + 1);
        user_need(handle[i] > 0, "a block is kept");
    }
    for (unsigned i = 0; i < 4; i++) {
        int len = user_fetch(handle[i], back, sizeof(back));
        user_need(len == (int)user_len(text[i]) + 1, "the length that was kept");
        for (int k = 0; k < len; k++)
            user_need(back[k] == text[i][k], "the bytes that were kept");
    }
    user_need(user_drop(handle[0]) == 0 && user_drop(handle[2]) == 0, "two are dropped");
    user_need(user_drop(handle[0]) == USER_ENOENT, "a second drop is refused");
    user_print("leak: four blocks kept, two dropped\n");
    return 0;
}
