/* SPDX-License-Identifier: MIT */
/* semihost.c - operation 0x18, SYS_EXIT, with reason 0x20026, "application exit". */
#include "semihost.h"
#include <stdint.h>

void semihost_exit(int code)
{
    const uint64_t block[2] = {0x20026, (uint64_t)code};
    register uint64_t operation __asm__("x0") = 0x18;
    register const uint64_t *argument __asm__("x1") = block;
    __asm__ volatile("hlt #0xf000" : "+r"(operation) : "r"(argument) : "memory");
}
