/* SPDX-License-Identifier: MIT */
/* div64.c - 64-bit division where the processor divides 64 by 32 bits at most: what the compilers
 * call for `/` and `%` on uint64_t.
 *
 * Bit by bit, 64 rounds: kernels divide to print a time, not in their inner loops. The core does
 * not divide at all (tools/check_symbols.py).
 */
#include <stdint.h>

uint64_t __udivmoddi4(uint64_t n, uint64_t d, uint64_t *rest);
uint64_t __udivdi3(uint64_t n, uint64_t d);
uint64_t __umoddi3(uint64_t n, uint64_t d);

/* d is not 0. */
uint64_t __udivmoddi4(uint64_t n, uint64_t d, uint64_t *rest)
{
    uint64_t q = 0, r = 0;
    for (unsigned i = 0; i < 64; i++) {
        uint64_t carry = r >> 63;
        r = r << 1 | n >> 63;
        n <<= 1;
        q <<= 1;
        if (carry != 0 || r >= d) {
            r -= d;
            q |= 1;
        }
    }
    if (rest != 0)
        *rest = r;
    return q;
}

uint64_t __udivdi3(uint64_t n, uint64_t d)
{
    return __udivmoddi4(n, d, 0);
}

uint64_t __umoddi3(uint64_t n, uint64_t d)
{
    uint64_t rest;
    (void)__udivmoddi4(n, d, &rest);
    return rest;
}
