/* SPDX-License-Identifier: MIT */
/* x86_exception.c - what the processor's own vectors are called. */
#include "x86_exception.h"

static const char *const names[X86_EXCEPTIONS] = {
    "divide error",
    "debug exception",
    "non-maskable interrupt",
    "breakpoint",
    "overflow",
    "bound range exceeded",
    "invalid opcode",
    "floating point is off",
    "double fault",
    "coprocessor segment overrun",
    "invalid TSS",
    "segment not present",
    "stack segment fault",
    "general protection fault",
    "page fault",
    "exception 15",
    "floating point error",
    "alignment check",
    "machine check",
    "SIMD floating point error",
    "virtualization exception",
    "control protection exception",
    "exception 22",
    "exception 23",
    "exception 24",
    "exception 25",
    "exception 26",
    "exception 27",
    "hypervisor injection",
    "VMM communication",
    "security exception",
    "exception 31",
};

const char *x86_exception_name(unsigned vector)
{
    return vector < X86_EXCEPTIONS ? names[vector] : "interrupt";
}
