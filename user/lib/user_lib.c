/* SPDX-License-Identifier: MIT */
/* user_lib.c - system calls and text for user programs. */
#include "user/lib/user_lib.h"

int user_call_raw(uint32_t number, uint32_t a, uint32_t b, uint32_t c)
{
    int answer;
    __asm__ volatile("int $0x80"
                     : "=a"(answer)
                     : "a"(number), "b"(a), "c"(b), "d"(c)
                     : "memory", "cc");
    return answer;
}

uint32_t user_ticks(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
    (void)high;
    return low;
}

static uint32_t number_of(const void *p)
{
    return (uint32_t)(uintptr_t)p;
}

_Noreturn void user_exit(int status)
{
    for (;;)
        (void)user_call_raw(USER_CALL_EXIT, (uint32_t)status, 0, 0);
}

int user_write(const void *text, size_t len)
{
    return user_call_raw(USER_CALL_WRITE, number_of(text), len, 0);
}

/* An address may look negative: only the few errors are errors. */
int user_map_error(void *hint, size_t len, unsigned rights)
{
    int answer = user_call_raw(USER_CALL_MAP, number_of(hint), len, rights);
    return (uint32_t)answer > 0U - USER_ERRORS ? answer : 0;
}

void *user_map(void *hint, size_t len, unsigned rights)
{
    int answer = user_call_raw(USER_CALL_MAP, number_of(hint), len, rights);
    return (uint32_t)answer > 0U - USER_ERRORS ? NULL : (void *)(uintptr_t)(uint32_t)answer;
}

int user_unmap(void *address, size_t len)
{
    return user_call_raw(USER_CALL_UNMAP, number_of(address), len, 0);
}

int user_protect(void *address, size_t len, unsigned rights)
{
    return user_call_raw(USER_CALL_PROTECT, number_of(address), len, rights);
}

int user_clone(void)
{
    return user_call_raw(USER_CALL_CLONE, 0, 0, 0);
}

int user_wait(int *status)
{
    return user_call_raw(USER_CALL_WAIT, number_of(status), 0, 0);
}

int user_yield(void)
{
    return user_call_raw(USER_CALL_YIELD, 0, 0, 0);
}

int user_number(void)
{
    return user_call_raw(USER_CALL_NUMBER, 0, 0, 0);
}

int user_counts_read(user_counts *counts)
{
    return user_call_raw(USER_CALL_COUNTS, number_of(counts), 0, 0);
}

int user_keep(const void *data, size_t len)
{
    return user_call_raw(USER_CALL_KEEP, number_of(data), len, 0);
}

int user_fetch(int handle, void *data, size_t len)
{
    return user_call_raw(USER_CALL_FETCH, (uint32_t)handle, number_of(data), len);
}

int user_drop(int handle)
{
    return user_call_raw(USER_CALL_DROP, (uint32_t)handle, 0, 0);
}

/* ---- text ---- */

size_t user_len(const char *s)
{
    size_t n = 0;
    while (s[n] != '\0')
        n++;
    return n;
}

void user_print(const char *fmt, ...)
{
    char line[160];
    loam_text text;
    __builtin_va_list ap;
    loam_text_init(&text, line, sizeof(line));
    __builtin_va_start(ap, fmt);
    loam_text_vfmt(&text, fmt, ap);
    __builtin_va_end(ap);
    (void)user_write(line, text.len);
}

_Noreturn void user_fail(const char *what)
{
    user_print("WRONG: %s\n", what);
    user_exit(1);
}
