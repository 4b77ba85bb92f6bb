/* SPDX-License-Identifier: MIT */
#ifndef LOAM_X86_FAULTS_H
#define LOAM_X86_FAULTS_H

/* x86_faults.h - faults on purpose that every processor of the family has, for its arch_faults. */

void x86_fault_null(void);
void x86_fault_invalid(void);
void x86_fault_divide(void);
void x86_fault_write_text(void);
void x86_fault_write_rodata(void);
void x86_fault_breakpoint(void);
void x86_fault_general(void);
void x86_fault_fp(void);

/* Those that come first in arch_faults. */
#define X86_FAULTS                                                                                 \
    {"null", x86_fault_null}, {"invalid", x86_fault_invalid}, {"divide", x86_fault_divide},        \
        {"write-text", x86_fault_write_text},                                                      \
    {                                                                                              \
        "write-rodata", x86_fault_write_rodata                                                     \
    }

#endif
