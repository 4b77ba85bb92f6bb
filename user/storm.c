/* SPDX-License-Identifier: MIT */
/* storm [SEED] - thousands of random system calls and memory accesses. It may well end itself: what
 * has to stand is the kernel. */
#include "user/lib/user_lib.h"

enum { STEPS = 3000, PAGE = 4096, ROW = 64, CHILDREN = 3 };

static uint32_t rng = 1;
static int byte_kept; /* a byte that the kernel keeps */

static uint32_t below(uint32_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 17;
    rng ^= rng << 5;
    return rng % n;
}

/* An address: mostly in a row of pages that this program plays with, else anywhere at all. */
static uint32_t address(void)
{
    switch (below(64)) {
    case 0:
        return below(UINT32_MAX);
    case 1:
    case 2:
        return USER_END - PAGE + below(2 * PAGE);
    default:
        return 0x20000000U + below(ROW) * PAGE;
    }
}

static uint32_t length(void)
{
    return below(12) == 0 ? below(UINT32_MAX) : below(8) * PAGE + below(2);
}

/* Writes where it may: the kernel, asked to put a byte there, says so without a fault. */
static void touch(uint32_t at)
{
    if (user_call_raw(USER_CALL_FETCH, (uint32_t)byte_kept, at, 1) == 1)
        *(volatile unsigned char *)(uintptr_t)at = (unsigned char)at;
}

static void step(void)
{
    static const uint32_t calls[] = {USER_CALL_MAP,    USER_CALL_MAP,     USER_CALL_MAP,
                                     USER_CALL_UNMAP,  USER_CALL_PROTECT, USER_CALL_YIELD,
                                     USER_CALL_NUMBER, USER_CALL_KEEP,    USER_CALL_FETCH,
                                     USER_CALL_DROP,   USER_CALL_COUNTS,  USER_CALLS + 1};
    uint32_t call = calls[below(LOAM_ARRAY_LEN(calls))], at = address();
    if (below(3) == 0) {
        touch(at);
        return;
    }
    if ((call == USER_CALL_UNMAP || call == USER_CALL_PROTECT) && at < 0x20000000U)
        at += 0x20000000U; /* its own text may stay */
    if (call == USER_CALL_FETCH || call == USER_CALL_DROP)
        (void)user_call_raw(call, below(200), at, below(PAGE));
    else
        (void)user_call_raw(call, at, length(), below(5));
}

int main(int argc, char **argv)
{
    unsigned children = 0;
    byte_kept = user_keep("x", 1);
    for (int i = 0; argc > 1 && argv[1][i] != '\0'; i++)
        rng = rng * 31 + (unsigned char)argv[1][i];
    for (unsigned i = 0; i < STEPS; i++) {
        step();
        if (below(200) != 0)
            continue;
        int number = children < CHILDREN ? user_clone() : -1;
        children += number > 0;
        if (number == 0) {
            rng += i;
            children = CHILDREN;
        }
    }
    while (user_wait(NULL) > 0) {
    }
    user_print("storm: process %u: %u steps\n", user_number(), STEPS);
    return 0;
}
