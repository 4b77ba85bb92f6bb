/* SPDX-License-Identifier: MIT */
/* cs3101_system_test.c - what both allocators ask of the system: malloc, free, mmap and munmap are
 * wrapped by the linker, counted, and refused on demand. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "../../compat/cs3101/alloc.h"
#include "../../compat/cs3101/ealloc.h"
#include "tap.h"
#include <sys/mman.h>

enum { PAGE = 4096 };

/* Calls since watch(); the one after `good` more requests fails. good < 0: none does. */
static struct {
    int mallocs, frees, maps, unmaps, good;
    char *place; /* of the next page, or NULL: the system's choice */
} sys = {.good = -1};

void *__real_malloc(size_t size);
void __real_free(void *ptr);
void *__real_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
int __real_munmap(void *at, size_t len);
void *__wrap_malloc(size_t size);
void __wrap_free(void *ptr);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
int __wrap_munmap(void *at, size_t len);

static bool refuse(void)
{
    if (sys.good < 0)
        return false;
    return sys.good-- == 0;
}

void *__wrap_malloc(size_t size)
{
    if (refuse())
        return NULL;
    sys.mallocs++;
    return __real_malloc(size);
}

void __wrap_free(void *ptr)
{
    sys.frees += ptr != NULL;
    __real_free(ptr);
}

void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
    if (refuse())
        return MAP_FAILED;
    sys.maps++;
    if (sys.place == NULL)
        return __real_mmap(at, len, prot, flags, fd, off);
    sys.place += len;
    return __real_mmap(sys.place - len, len, prot, flags | MAP_FIXED, fd, off);
}

int __wrap_munmap(void *at, size_t len)
{
    if (refuse())
        return -1;
    sys.unmaps++;
    return __real_munmap(at, len);
}

static void watch(int good)
{
    sys.mallocs = sys.frees = sys.maps = sys.unmaps = 0;
    sys.good = good;
}

static void called(tap *t, int mallocs, int frees, int maps, int unmaps)
{
    TAP_EQ(t, sys.mallocs, mallocs);
    TAP_EQ(t, sys.frees, frees);
    TAP_EQ(t, sys.maps, maps);
    TAP_EQ(t, sys.unmaps, unmaps);
    watch(-1);
}

static void simple_calls(tap *t)
{
    watch(-1);
    TAP_EQ(t, init_alloc(), 0);
    called(t, 1, 0, 1, 0);
    char *page = alloc_mem(8);
    for (int at = 8; at < PAGE; at += 8)
        alloc_mem(8);
    for (int at = 0; at < PAGE; at += 8)
        dealloc_mem(page + at);
    called(t, 0, 0, 0, 0);
    TAP_EQ(t, cleanup_alloc(), 0);
    called(t, 0, 1, 0, 1);
}

static void simple_refused(tap *t)
{
    for (int good = 0; good < 2; good++) {
        watch(good);
        TAP_EQ(t, init_alloc(), -1);
        called(t, good, good, 0, 0);
        TAP_CHECK(t, alloc_mem(8) == NULL);
    }
    TAP_EQ(t, init_alloc(), 0);
    char *a = alloc_mem(8);
    watch(0);
    TAP_EQ(t, cleanup_alloc(), -1); /* munmap says no: all is as it was */
    TAP_CHECK(t, alloc_mem(8) == a + 8);
    TAP_EQ(t, cleanup_alloc(), 0);
}

static void elastic_calls(tap *t)
{
    char *page[4];
    static const int none[] = {0, -256, 1, 128, 255, 257, 4095, 4097, 4352, 1 << 30};
    watch(-1);
    TAP_EQ(t, einit_alloc(), 0);
    called(t, 4, 0, 0, 0);
    for (size_t i = 0; i < LOAM_ARRAY_LEN(none); i++)
        TAP_CHECK(t, ealloc_mem(none[i]) == NULL);
    called(t, 0, 0, 0, 0);
    for (int i = 0; i < 4; i++) {
        TAP_CHECK(t, (page[i] = ealloc_mem(PAGE)) != NULL);
        called(t, 0, 0, 1, 0);
    }
    for (int i = 0; i < 4; i++)
        edealloc_mem(page[i]);
    for (int i = 0; i < 64; i++)
        TAP_CHECK(t, ealloc_mem(256) != NULL);
    TAP_CHECK(t, ealloc_mem(256) == NULL);
    called(t, 0, 0, 0, 0);
    TAP_EQ(t, ealloc_limit(5), 0);
    called(t, 1, 0, 0, 0);
    TAP_EQ(t, ecleanup_alloc(), 0);
    called(t, 0, 5, 0, 0);
    TAP_EQ(t, ealloc_limit(4), 0);
    called(t, 0, 0, 0, 0);
}

/* Pages that touch, in the order of their mapping: their free halves are not one piece. */
static void elastic_neighbours(tap *t)
{
    char *all = __real_mmap(NULL, 5 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *half[8];
    watch(-1);
    sys.place = all;
    TAP_EQ(t, einit_alloc(), 0);
    for (int i = 0; i < 8; i++)
        TAP_CHECK(t, (half[i] = ealloc_mem(PAGE / 2)) == all + i * PAGE / 2);
    sys.place = NULL;
    unsigned long before = ealloc_warnings();
    for (int i = 1; i < 7; i += 4) {
        edealloc_mem(half[i]); /* the end of one page */
        edealloc_mem(half[i + 1]);
    }
    TAP_CHECK(t, ealloc_mem(PAGE) == NULL && ealloc_mem(PAGE / 2 + 256) == NULL);
    edealloc_mem(half[3]);
    TAP_CHECK(t, ealloc_mem(PAGE) == half[2]);
    TAP_EQ(t, ealloc_warnings(), before);
    edealloc_mem(all + 4 * PAGE);
    TAP_EQ(t, ealloc_warnings(), before + 1);
    TAP_RULE(t, ealloc_check(), NULL);
    TAP_EQ(t, ecleanup_alloc(), 0);
    __real_munmap(all, 5 * PAGE);
}

static void elastic_refused(tap *t)
{
    for (int good = 0; good < 4; good++) {
        watch(good);
        TAP_EQ(t, einit_alloc(), -1);
        called(t, good, good, 0, 0);
        TAP_CHECK(t, ealloc_mem(256) == NULL);
    }
    TAP_EQ(t, einit_alloc(), 0);
    char *a = ealloc_mem(PAGE);
    watch(0);
    TAP_CHECK(t, ealloc_mem(256) == NULL); /* mmap says no */
    TAP_RULE(t, ealloc_check(), NULL);
    watch(-1);
    TAP_CHECK(t, ealloc_mem(PAGE) != NULL && ealloc_mem(PAGE) != a);
    TAP_CHECK(t, ealloc_mem(PAGE) != NULL && ealloc_mem(256) == NULL);
    watch(1);
    TAP_EQ(t, ealloc_limit(6), -1); /* one more descriptor, then none: the limit stays */
    watch(-1);
    TAP_CHECK(t, ealloc_mem(256) == NULL);
    TAP_EQ(t, ealloc_limit(5), 0);
    TAP_CHECK(t, ealloc_mem(256) != NULL);
    watch(-1);
    TAP_EQ(t, ecleanup_alloc(), 0);
    called(t, 0, 5, 0, 0);
    TAP_EQ(t, ealloc_limit(4), 0);
}

static const tap_case cases[] = {
    {"alloc: malloc and mmap once in init, free and munmap in cleanup, else nothing", simple_calls},
    {"alloc: malloc, mmap or munmap refused: -1, nothing changes, nothing is lost", simple_refused},
    {"ealloc: malloc in einit alone, mmap a page, no munmap", elastic_calls},
    {"ealloc: pages that touch: no block across, each freed in its own", elastic_neighbours},
    {"ealloc: malloc or mmap refused: -1 or NULL, nothing changes, nothing is lost",
     elastic_refused},
};
extern const tap_suite tap_suite_cs3101_system_test;
TAP_SUITE(cs3101_system_test, cases);
