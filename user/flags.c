/* SPDX-License-Identifier: MIT */
/* flags - makes system calls with the processor in odd states: what is a program's to set, the
 * kernel does not depend on. */
#include "user/lib/user_lib.h"

enum { NESTED_TASK = 1 << 14, ALIGNMENT_CHECK = 1 << 18, IO_PRIVILEGE = 3 << 12 };

static int call_with_flags(uint32_t flags)
{
    int answer;
    __asm__ volatile("pushfl\n\t"
                     "pushfl\n\t"
                     "orl %2, (%%esp)\n\t"
                     "popfl\n\t"
                     "int $0x80\n\t"
                     "popfl"
                     : "=a"(answer)
                     : "a"(USER_CALL_NUMBER), "r"(flags)
                     : "memory", "cc");
    return answer;
}

static int call_backwards(void)
{
    int answer;
    __asm__ volatile("std\n\tint $0x80\n\tcld" : "=a"(answer) : "a"(USER_CALL_NUMBER) : "memory");
    return answer;
}

static int call_without_segments(void)
{
    int answer;
    __asm__ volatile("pushl %%ds\n\tpushl %%es\n\t"
                     "movl %2, %%ds\n\tmovl %2, %%es\n\tmovl %2, %%fs\n\tmovl %2, %%gs\n\t"
                     "int $0x80\n\t"
                     "popl %%es\n\tpopl %%ds"
                     : "=a"(answer)
                     : "a"(USER_CALL_NUMBER), "r"(0)
                     : "memory");
    return answer;
}

static int call_without_stack(void)
{
    int answer;
    __asm__ volatile("movl %%esp, %%edi\n\tmovl %2, %%esp\n\tint $0x80\n\tmovl %%edi, %%esp"
                     : "=a"(answer)
                     : "a"(USER_CALL_NUMBER), "r"(0xfffffffc)
                     : "memory", "edi");
    return answer;
}

static uint32_t flags_after(uint32_t flags)
{
    uint32_t after;
    __asm__ volatile("pushfl\n\torl %1, (%%esp)\n\tpopfl\n\tpushfl\n\tpopl %0"
                     : "=r"(after)
                     : "r"(flags)
                     : "memory", "cc");
    return after;
}

int main(int argc, char **argv)
{
    int number = user_number();
    (void)argc;
    (void)argv;
    user_need(call_with_flags(NESTED_TASK) == number, "a call with NT set");
    user_need(call_with_flags(ALIGNMENT_CHECK) == number, "a call with AC set");
    user_need(call_backwards() == number, "a call with DF set");
    user_need(call_without_segments() == number, "a call with segments of nothing");
    user_need(call_without_stack() == number, "a call with a stack pointer into the kernel");
    user_need((flags_after(IO_PRIVILEGE) & IO_PRIVILEGE) == 0, "ports stay out of reach");
    user_print("flags: the kernel answers in every state\n");
    return 0;
}
