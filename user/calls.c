/* SPDX-License-Identifier: MIT */
/* calls - system calls with arguments that are wrong in every way: errors, never more. */
#include "user/lib/user_lib.h"

#define KERNEL  ((void *)0xc0100000U)
#define NOWHERE ((void *)0x30000000U)

static int far_write(uint32_t address, uint32_t len)
{
    return user_call_raw(USER_CALL_WRITE, address, len, 0);
}

static void addresses(void)
{
    int status;
    user_need(far_write(0, 1) == USER_EFAULT, "write from NULL");
    user_need(user_write(KERNEL, 10) == USER_EFAULT, "write from the kernel");
    user_need(user_write(NOWHERE, 10) == USER_EFAULT, "write from nowhere");
    user_need(far_write(0xfffffff0U, 0x20) == USER_EFAULT, "write past the end");
    user_need(far_write(0x400000, 0xffffffffU) == USER_EINVAL, "write of too much");
    user_need(user_counts_read(KERNEL) == USER_EFAULT, "counts into the kernel");
    user_need(user_counts_read((void *)(uintptr_t)main) == USER_EFAULT, "counts into the text");
    user_need(user_keep(KERNEL, 10) == USER_EFAULT, "keep the kernel");
    user_need(user_wait(&status) == USER_ENOENT, "wait for nobody");
    user_need(user_call_raw(USER_CALLS, 0, 0, 0) == USER_ECALL, "a call that is none");
    user_need(user_call_raw(0xffffffffU, 0, 0, 0) == USER_ECALL, "another one");
}

static void regions(void)
{
    unsigned char *p = user_map(NULL, 3 * 4096, USER_WRITE);
    user_need(p != NULL, "three pages");
    p[4096] = 7;
    user_need(user_map_error(NULL, 0, USER_WRITE) == USER_EINVAL, "a region of nothing");
    user_need(user_map_error((void *)1, 4096, 0) == USER_EINVAL, "a crooked hint");
    user_need(user_map_error(NULL, 0xfffff000U, 0) == USER_ENOMEM, "a region of everything");
    user_need(user_map_error(NULL, 4096, USER_WRITE | USER_EXEC) == USER_EINVAL, "all rights");
    user_need(user_map_error(NULL, 4096, 1U << 17) == USER_EINVAL, "unknown rights");
    user_need(user_unmap(KERNEL, 4096) == USER_EINVAL, "the kernel unmapped");
    user_need(user_unmap(p + 1, 4096) == USER_EINVAL, "a crooked address");
    user_need(user_protect(KERNEL, 4096, USER_WRITE) == USER_EINVAL, "the kernel writable");
    user_need(user_protect(NOWHERE, 4096, 0) == USER_ENOENT, "nothing protected");
    user_need(user_protect(p + 4096, 4096, 0) == 0, "one page read-only");
    user_need(p[4096] == 7 && user_counts_read((void *)(p + 4096)) == USER_EFAULT, "it is");
    user_need(user_protect(p, 3 * 4096, USER_WRITE) == 0, "writable again");
    p[4096] = 8;
    user_need(user_unmap(p + 4096, 4096) == 0, "the middle goes");
    user_need(user_write(p + 4090, 20) == 6, "a write that ends in a hole says how far it came");
    user_need(user_unmap(p, 3 * 4096) == 0, "the rest goes");
    user_print("\n");
}

static void handles(void)
{
    char byte;
    user_need(user_keep("x", 0) == USER_EINVAL, "keep nothing");
    user_need(user_keep("x", USER_KEPT_MAX + 1) == USER_EINVAL, "keep too much");
    user_need(user_fetch(12345, &byte, 1) == USER_ENOENT, "fetch what is not there");
    user_need(user_drop(-1) == USER_ENOENT, "drop what is not there");
    int handle = user_keep("x", 1);
    user_need(handle > 0 && user_fetch(handle, KERNEL, 1) == USER_EFAULT, "fetch into the kernel");
    user_need(user_drop(handle) == 0, "drop");
}

/* What is too long for one call is cut, and the call says so. */
static void long_text(void)
{
    unsigned char *p = user_map(NULL, 2 * USER_WRITE_MAX, USER_WRITE);
    user_need(p != NULL, "room for a text");
    user_need(user_write(p, 2 * USER_WRITE_MAX) == USER_WRITE_MAX, "a text in parts");
    user_need(user_unmap(p, 2 * USER_WRITE_MAX) == 0, "it goes");
    user_print("\n");
}

/* More clones than the kernel has room for: the last ones are refused, the rest run. */
static void too_many(void)
{
    unsigned made = 0;
    int number = 1;
    while (made < 2 * USER_PROCESSES && (number = user_clone()) > 0)
        made++;
    if (number == 0)
        user_exit(0);
    user_need(number == USER_EFULL && made == USER_PROCESSES - 1, "as many as there is room for");
    while (made > 0 && user_wait(NULL) > 0)
        made--;
    user_need(made == 0, "all of them end");
}

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    addresses();
    regions();
    long_text();
    handles();
    too_many();
    user_print("calls: every wrong call was answered with an error\n");
    return 0;
}
