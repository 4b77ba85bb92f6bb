/* SPDX-License-Identifier: MIT */
#ifndef LOAM_USER_ABI_H
#define LOAM_USER_ABI_H

/* user_abi.h - what the kernel and its user programs agree on.
 *
 * A system call is `int 0x80`: its number in eax, arguments in ebx, ecx, edx; the answer in eax. A
 * negative answer above -USER_ERRORS is an error. Addresses are checked by the kernel, page by
 * page: a bad one is an error, never a fault of the kernel.
 *
 *     0x00001000  a guard up to the text: near NULL nothing can be
 *     0x00400000  text, constants, data: as the program file says
 *     behind it   what user_map gives out
 *     0xbfff0000  the stack's top; arguments lie there: argc, argv[0] ... argv[argc - 1], NULL
 *     0xc0000000  the kernel
 */
#include <stdint.h>

#define USER_TEXT      0x00400000U
#define USER_STACK_TOP 0xbfff0000U
#define USER_END       0xc0000000U

enum {
    USER_STACK = 256 * 1024, /* at most; the lowest page of it is a guard */
    USER_ARGUMENTS = 8,      /* the program's name included */
    USER_PROCESSES = 16,     /* at one time */
    USER_KEPT_MAX = 4096,    /* bytes in one user_keep */
    USER_WRITE_MAX = 4096    /* bytes in one user_write: nobody else has a turn meanwhile */
};

typedef enum user_call {
    USER_CALL_EXIT,    /* (status); does not come back */
    USER_CALL_WRITE,   /* (text, len): how many bytes are on the console, at most USER_WRITE_MAX */
    USER_CALL_MAP,     /* (hint, len, rights): address of a new region */
    USER_CALL_UNMAP,   /* (address, len) */
    USER_CALL_PROTECT, /* (address, len, rights) */
    USER_CALL_CLONE,   /* (): 0 in the clone, its number in the caller */
    USER_CALL_WAIT,    /* (int *status): number of a child that has ended; waits for one */
    USER_CALL_YIELD,   /* (): lets another process run */
    USER_CALL_NUMBER,  /* (): of this process */
    USER_CALL_COUNTS,  /* (user_counts *) */
    USER_CALL_KEEP,    /* (data, len): handle of a copy in the kernel */
    USER_CALL_FETCH,   /* (handle, data, len): bytes copied back, at most len */
    USER_CALL_DROP,    /* (handle) */
    USER_CALLS
} user_call;

typedef enum user_rights { USER_WRITE = 1, USER_EXEC = 2, USER_GUARD = 4 } user_rights;

typedef enum user_error {
    USER_EINVAL = -1, /* an argument makes no sense */
    USER_EFAULT = -2, /* an address is not the program's */
    USER_ENOMEM = -3,
    USER_ENOENT = -4, /* no child, no region, no such handle */
    USER_EFULL = -5,  /* too many processes */
    USER_ECALL = -6,  /* no such system call */
    USER_ERRORS = 16
} user_error;

/* Of the caller's address space, and the machine's free pages. */
typedef struct user_counts {
    uint32_t regions, resident, shared, tables;
    uint32_t demand_zero, cow_copied, cow_reused, stack_grown;
    uint32_t free_pages;
} user_counts;

/* The status of a process that was killed. */
enum { USER_KILLED = -1000 };

#endif
