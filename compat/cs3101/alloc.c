/* SPDX-License-Identifier: MIT */
/* alloc.c - one anonymous page, given out in multiples of 8 bytes, first fit.
 *
 *     page   [  a  |  b  |      free      ]    all 4096 bytes are the caller's
 *               |     |          |
 *     tags   [ tag | tag |      tag       ]    malloc'ed once by init_alloc
 *
 * What is free is known to Loam's range unit alone: a tag for each piece, free or taken. Pieces are
 * whole quanta and tile the page, so that there are never more than PAGE_SIZE / QUANTUM. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, with -std=c11 */
#include "alloc.h"
#include "misuse.h"
#include "range_one.h"
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE_SIZE 4096

enum { QUANTUM = 8, MOST_PIECES = PAGE_SIZE / QUANTUM };

_Static_assert(MOST_PIECES *QUANTUM == PAGE_SIZE, "a page of smallest blocks has a tag for each");

static struct {
    char *page; /* NULL: not initialised */
    loam_range_tag *tags;
    loam_range space; /* offsets in the page */
} state;

static misuse wrong = {.who = "alloc"};

int init_alloc(void)
{
    if (state.page != NULL) {
        misuse_add(&wrong, "init_alloc", NULL, "initialised already");
        return -1;
    }
    loam_range_tag *tags = malloc(MOST_PIECES * sizeof *tags);
    if (tags == NULL)
        return -1;
    void *page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        free(tags);
        return -1;
    }
    state.page = page;
    state.tags = tags;
    loam_range_init(&state.space, 0, PAGE_SIZE, QUANTUM, tags, MOST_PIECES, NULL);
    return 0;
}

int cleanup_alloc(void)
{
    if (state.page == NULL) {
        misuse_add(&wrong, "cleanup_alloc", NULL, "not initialised");
        return -1;
    }
    if (munmap(state.page, PAGE_SIZE) != 0)
        return -1;
    loam_range_fini(&state.space);
    free(state.tags);
    state.page = NULL;
    state.tags = NULL;
    return 0;
}

char *alloc_mem(int size)
{
    uint64_t at;
    if (state.page == NULL || size <= 0 || size > PAGE_SIZE || size % QUANTUM != 0)
        return NULL;
    if (loam_range_alloc(&state.space, (uint64_t)size, NULL, &at) != LOAM_OK)
        return NULL;
    return state.page + at;
}

void dealloc_mem(char *ptr)
{
    uintptr_t at = (uintptr_t)ptr - (uintptr_t)state.page;
    if (ptr == NULL)
        return;
    if (state.page == NULL)
        misuse_add(&wrong, "dealloc_mem", ptr, "not initialised");
    else if (at >= PAGE_SIZE)
        misuse_add(&wrong, "dealloc_mem", ptr, "not of this page");
    else if (loam_range_free(&state.space, at, NULL) != LOAM_OK)
        misuse_add(&wrong, "dealloc_mem", ptr, misuse_of(&state.space, at));
}

void alloc_warn(int on)
{
    wrong.is_told = on;
}

unsigned long alloc_warnings(void)
{
    return wrong.count;
}

const char *alloc_check(void)
{
    return state.page != NULL ? loam_range_check(&state.space) : NULL;
}
