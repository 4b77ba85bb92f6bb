/* SPDX-License-Identifier: MIT */
/* psci.c - Power State Coordination Interface: functions by number in w0, arguments behind it, the
 * answer in x0; 0 is good, what is negative is not (Arm DEN 0022). */
#include "psci.h"

enum {
    PSCI_VERSION = (int)0x84000000,
    PSCI_SYSTEM_OFF = (int)0x84000008,
    PSCI_SYSTEM_RESET = (int)0x84000009,
    PSCI_CPU_ON = (int)0xc4000003 /* with arguments of 64 bits */
};

static loam_psci how;

void psci_init(loam_psci method)
{
    how = method;
}

/* A callee may spoil x0 to x17. */
static int64_t call(int function, uint64_t first, uint64_t second)
{
    register uint64_t x0 __asm__("x0") = (uint32_t)function;
    register uint64_t x1 __asm__("x1") = first;
    register uint64_t x2 __asm__("x2") = second;
    register uint64_t x3 __asm__("x3") = 0;
#define PSCI_SPOILS                                                                                \
    "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17",    \
        "memory"
    if (how == LOAM_PSCI_HVC)
        __asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : PSCI_SPOILS);
    else if (how == LOAM_PSCI_SMC)
        __asm__ volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : PSCI_SPOILS);
    else
        return -1;
    return (int64_t)x0;
}

uint32_t psci_version(void)
{
    int64_t version = call(PSCI_VERSION, 0, 0);
    return (int32_t)version < 0 ? 0 : (uint32_t)version;
}

bool psci_cpu_on(uint64_t affinity, uint64_t entry)
{
    return (int32_t)call(PSCI_CPU_ON, affinity, entry) == 0;
}

void psci_off(void)
{
    (void)call(PSCI_SYSTEM_OFF, 0, 0);
}

void psci_reset(void)
{
    (void)call(PSCI_SYSTEM_RESET, 0, 0);
}
