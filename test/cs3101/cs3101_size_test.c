/* SPDX-License-Identifier: MIT */
/* cs3101_size_test.c - the virtual size of this process, field 23 of /proc/self/stat, step by step,
 * as the lab measures it. Not under sanitizers, whose own memory moves. */
#define _DEFAULT_SOURCE
#include "../../compat/cs3101/alloc.h"
#include "../../compat/cs3101/ealloc.h"
#include "tap.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PAGE = 4096 };

/* Bytes. Field 2 is a name in parentheses, which may hold anything: counted from its end. */
static uint64_t size_now(void)
{
    char text[1024];
    int fd = open("/proc/self/stat", O_RDONLY);
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    close(fd);
    if (len <= 0)
        return 0;
    text[len] = 0;
    const char *at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < 23; field++)
        at = strchr(at + 1, ' ');
    return at != NULL ? strtoull(at, NULL, 10) : 0;
}

static void elastic_life(tap *t)
{
    char *page[4], *block[64];
    TAP_EQ(t, einit_alloc(), 0);
    uint64_t size = size_now();
    TAP_CHECK(t, size > PAGE);
    for (int i = 0; i < 4; i++) {
        TAP_CHECK(t, (page[i] = ealloc_mem(PAGE)) != NULL);
        TAP_EQ(t, size_now(), size += PAGE);
    }
    TAP_CHECK(t, ealloc_mem(PAGE) == NULL);
    for (int i = 0; i < 4; i++)
        edealloc_mem(page[i]);
    TAP_EQ(t, size_now(), size);
    for (int i = 0; i < 64; i++) {
        TAP_CHECK(t, (block[i] = ealloc_mem(256)) != NULL);
        TAP_EQ(t, size_now(), size);
    }
    for (int i = 0; i < 64; i++)
        edealloc_mem(block[i]);
    for (int i = 0; i < 4; i++) {
        TAP_CHECK(t, (page[i] = ealloc_mem(PAGE)) != NULL);
        TAP_EQ(t, size_now(), size);
    }
    page[3][PAGE - 1] = 1;
    TAP_EQ(t, ecleanup_alloc(), 0);
    TAP_CHECK(t, page[3][PAGE - 1] == 1);
    TAP_CHECK(t, size_now() <= size); /* what free gives back stays malloc's, or most of it */
}

static void elastic(tap *t)
{
    elastic_life(t);
    elastic_life(t);
}

static void simple(tap *t)
{
    TAP_EQ(t, init_alloc(), 0); /* the heap of malloc has grown by now */
    TAP_EQ(t, cleanup_alloc(), 0);
    uint64_t before = size_now();
    TAP_EQ(t, init_alloc(), 0);
    TAP_EQ(t, size_now(), before + PAGE);
    char *page = alloc_mem(8);
    for (int at = 8; at < PAGE; at += 8)
        TAP_CHECK(t, alloc_mem(8) == page + at);
    for (int at = 0; at < PAGE; at += 8)
        dealloc_mem(page + at);
    TAP_CHECK(t, alloc_mem(PAGE) == page);
    TAP_EQ(t, size_now(), before + PAGE);
    TAP_EQ(t, cleanup_alloc(), 0);
    TAP_EQ(t, size_now(), before);
}

/* A system that has no page left, and has again. */
static void no_page(tap *t)
{
    struct rlimit former, tight;
    TAP_EQ(t, einit_alloc(), 0);
    char *a = ealloc_mem(PAGE);
    getrlimit(RLIMIT_AS, &former);
    tight = former;
    tight.rlim_cur = 1;
    TAP_EQ(t, setrlimit(RLIMIT_AS, &tight), 0);
    char *refused = ealloc_mem(PAGE);
    int answer = init_alloc();
    edealloc_mem(a);
    char *same = ealloc_mem(256);
    setrlimit(RLIMIT_AS, &former);
    TAP_CHECK(t, refused == NULL && same == a);
    TAP_EQ(t, answer, -1);
    TAP_CHECK(t, ealloc_mem(PAGE) != NULL);
    TAP_EQ(t, ecleanup_alloc(), 0);
}

static const tap_case cases[] = {
    {"ealloc: virtual size: 4 x 4096: 4 KiB each; then 64 x 256 and 4 x 4096: nothing", elastic},
    {"alloc: virtual size: 4 KiB in init, nothing after, back in cleanup", simple},
    {"ealloc: no address space left: NULL; again when there is", no_page},
};
extern const tap_suite tap_suite_cs3101_size_test;
TAP_SUITE(cs3101_size_test, cases);
