/* SPDX-License-Identifier: MIT */
/* single_step.c - single steps by the processor's trap flag. */
#define _GNU_SOURCE
#include "single_step.h"
#include "harness.h"
#include <signal.h>
#include <ucontext.h>

#if defined(__x86_64__)

static step_counts counts;

/* ---- one instruction ---- */

static bool is_legacy_prefix(uint8_t byte)
{
    switch (byte) {
    case 0x26: /* segments */
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
    case 0x66: /* sizes */
    case 0x67:
    case 0xf0: /* lock */
    case 0xf2: /* repeat */
    case 0xf3:
        return true;
    default:
        return false;
    }
}

/* [prefixes] [REX] opcode ...: the shape of all instructions but those of vectors (VEX, EVEX),
 * which cannot be locked. */
static void look_at(const uint8_t *byte)
{
    bool locked = false;
    for (; is_legacy_prefix(*byte); byte++)
        locked = locked || *byte == 0xf0;
    if ((*byte & 0xf0) == 0x40)
        byte++;
    if ((byte[0] == 0x86 || byte[0] == 0x87) && byte[1] >> 6 != 3) /* xchg, and memory is in it */
        locked = true;
    counts.instructions++;
    counts.locked += locked;
    /* 0f ae /5 to /7 between registers; the same with memory is something else */
    counts.fences += byte[0] == 0x0f && byte[1] == 0xae && byte[2] >= 0xe8;
}

static void on_trap(int number, siginfo_t *info, void *context)
{
    const ucontext_t *u = context;
    (void)number;
    (void)info;
    look_at((const uint8_t *)(uintptr_t)u->uc_mcontext.gregs[REG_RIP]);
}

/* ---- a function ---- */

/* The first trap comes behind the instruction that follows popfq: the nop. */
static inline void steps_on(void)
{
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\t" /* the red zone stays as it is */
                     "pushfq\n\t"
                     "orq $0x100, (%%rsp)\n\t"
                     "popfq\n\t"
                     "nop\n\t"
                     "lea 128(%%rsp), %%rsp"
                     :
                     :
                     : "memory", "cc");
}

static inline void steps_off(void)
{
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\t"
                     "pushfq\n\t"
                     "andq $~0x100, (%%rsp)\n\t"
                     "popfq\n\t"
                     "lea 128(%%rsp), %%rsp"
                     :
                     :
                     : "memory", "cc");
}

bool step_possible(void)
{
    return true;
}

static step_counts run(void (*fn)(void *ctx), void *ctx)
{
    void (*volatile call)(void *ctx) = fn; /* no part of it is moved out of between the two */
    counts = (step_counts){0, 0, 0};
    steps_on();
    call(ctx);
    steps_off();
    return counts;
}

static void nothing(void *ctx)
{
    (void)ctx;
}

step_counts step_run(void (*fn)(void *ctx), void *ctx)
{
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO}, former;
    if (sigaction(SIGTRAP, &action, &former) != 0)
        bench_die("steps cannot be caught");
    step_counts empty = run(nothing, NULL), full = run(fn, ctx);
    (void)sigaction(SIGTRAP, &former, NULL);
    full.instructions -= empty.instructions;
    return full;
}

/* ---- the proof ---- */

/* 16 instructions, of them 5 locked, 3 fences; some look like what they are not. */
static void known(void *ctx)
{
    __asm__ volatile("lock addl $1, (%0)\n\t"
                     "lock xaddq %%rax, (%0)\n\t"
                     "xchgl %%eax, (%0)\n\t"
                     "xchgq %%r8, (%0)\n\t"
                     "movl $0, %%eax\n\t"
                     "lock cmpxchgl %%ecx, (%0)\n\t"
                     "cmpxchgl %%ecx, (%0)\n\t"
                     "xaddl %%eax, (%0)\n\t"
                     "xchgl %%eax, %%ecx\n\t"
                     "xchgq %%r8, %%rcx\n\t"
                     "mfence\n\t"
                     "sfence\n\t"
                     "lfence\n\t"
                     "movl $0xf0f0f0f0, %%eax\n\t"
                     "addl $1, (%0)\n\t"
                     "prefetcht0 (%0)"
                     :
                     : "r"(ctx)
                     : "rax", "rcx", "r8", "memory", "cc");
}

const char *step_verify(void)
{
    static uint64_t word[2];
    step_counts none = step_run(nothing, NULL), some = step_run(known, word);
    if (none.instructions != 0 || none.locked != 0 || none.fences != 0)
        return "something in nothing";
    if (some.locked != 5)
        return "of 5 locked instructions not 5";
    if (some.fences != 3)
        return "of 3 fences not 3";
    return some.instructions == 16 ? NULL : "of 16 instructions not 16";
}

#else

bool step_possible(void)
{
    return false;
}

step_counts step_run(void (*fn)(void *ctx), void *ctx)
{
    (void)fn;
    (void)ctx;
    bench_die("this processor cannot be stepped");
}

const char *step_verify(void)
{
    return "this processor cannot be stepped";
}

#endif
