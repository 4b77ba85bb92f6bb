/* SPDX-License-Identifier: MIT */
#ifndef LOAM_VALGRIND_H
#define LOAM_VALGRIND_H

/* loam_valgrind.h - asking Valgrind, which runs the program, for something.
 *
 * WHAT   Requests to Valgrind's core and to memcheck, without their headers: so whether a library
 *        can speak to them does not depend on what was installed where it was built.
 * MODEL  A row of instructions that changes nothing, which no compiler makes, and which Valgrind
 *        looks for in what it translates. The processor itself passes by.
 *
 *            argument register --> [request, 4 words]      result register: 0 --> the answer
 *            rotate a register by 64 bits in all, then the word that marks it
 * COST   Seven instructions beside the words.
 * FROM   Valgrind's manual, "The Client Request mechanism"; numbers and registers are those of
 *        valgrind.h and memcheck.h, which do not change (test/preload/valgrind_test.py compares).
 * NOT    Processors beyond these three: the answer is always 0.
 */
#include "loam/base.h"

typedef enum valgrind_request {
    VALGRIND_RUNS = 0x1001, /* is it there? */
    VALGRIND_ALLOC = 0x1301,
    VALGRIND_FREE = 0x1302,
    VALGRIND_POOL_BEGIN = 0x1303,
    VALGRIND_POOL_END = 0x1304,
    VALGRIND_POOL_ALLOC = 0x1305,
    VALGRIND_POOL_FREE = 0x1306,
    VALGRIND_POOL_CHANGE = 0x1309,
    VALGRIND_POOL_EXISTS = 0x130a,
    MEMCHECK_HIDE = 0x4d430000, /* "MC" in front: memcheck's own */
    MEMCHECK_UNDEFINED = MEMCHECK_HIDE + 1,
    MEMCHECK_SHOW = MEMCHECK_HIDE + 2,
    MEMCHECK_GET_BITS = MEMCHECK_HIDE + 8
} valgrind_request;

/* The answer; 0 where the program runs by itself, or under a tool that does not know the request.
 * Words that a request does not take are 0. */
static inline uintptr_t valgrind_ask(valgrind_request request, uintptr_t a, uintptr_t b,
                                     uintptr_t c, uintptr_t d)
{
    volatile uintptr_t words[6] = {(uintptr_t)request, a, b, c, d, 0};
    uintptr_t answer = 0;
#if defined(__x86_64__)
    __asm__ volatile("rolq $3, %%rdi\n\trolq $13, %%rdi\n\t"
                     "rolq $61, %%rdi\n\trolq $51, %%rdi\n\t"
                     "xchgq %%rbx, %%rbx"
                     : "+d"(answer)
                     : "a"(&words[0])
                     : "cc", "memory");
#elif defined(__i386__)
    __asm__ volatile("roll $3, %%edi\n\troll $13, %%edi\n\t"
                     "roll $29, %%edi\n\troll $19, %%edi\n\t"
                     "xchgl %%ebx, %%ebx"
                     : "+d"(answer)
                     : "a"(&words[0])
                     : "cc", "memory");
#elif defined(__aarch64__)
    __asm__ volatile("mov x3, %0\n\tmov x4, %1\n\t"
                     "ror x12, x12, #3\n\tror x12, x12, #13\n\t"
                     "ror x12, x12, #51\n\tror x12, x12, #61\n\t"
                     "orr x10, x10, x10\n\tmov %0, x3"
                     : "+r"(answer)
                     : "r"(&words[0])
                     : "cc", "memory", "x3", "x4");
#else
    (void)words;
#endif
    return answer;
}

#endif
