/* SPDX-License-Identifier: MIT */
#ifndef LOAM_X86_EXCEPTION_H
#define LOAM_X86_EXCEPTION_H

/* x86_exception.h - the vectors below 32: what the processor itself raises. */

enum {
    X86_NMI = 2,
    X86_INVALID = 6,
    X86_DOUBLE_FAULT = 8,
    X86_PAGE_FAULT = 14,
    X86_MACHINE_CHECK = 18,
    X86_EXCEPTIONS = 32
};

/* Bits of a page fault's error code. */
enum {
    X86_PF_PRESENT = 1,
    X86_PF_WRITE = 2,
    X86_PF_USER = 4,
    X86_PF_RESERVED = 8,
    X86_PF_FETCH = 16
};

/* "page fault", "divide error", ... */
const char *x86_exception_name(unsigned vector);

#endif
