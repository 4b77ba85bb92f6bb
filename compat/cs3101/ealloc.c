/* SPDX-License-Identifier: MIT */
/* ealloc.c - anonymous pages on demand, given out in multiples of 256 bytes, first fit.
 *
 *     pages ---> PageDesc ---> PageDesc ---> NULL        mapped, in the order of their mapping
 *                base |        base |
 *                [ a | b |  ]  [  c  |   ]
 *
 *     spare ---> PageDesc ---> PageDesc ---> NULL        for the pages that may still be mapped
 *
 * A descriptor holds a tag for each piece that its page can have, at most PAGE_SIZE / QUANTUM. All
 * come from malloc in einit_alloc, so that the process grows by the pages alone afterwards. What is
 * free in a page is known to Loam's range unit alone. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, with -std=c11 */
#include "ealloc.h"
#include "misuse.h"
#include "range_one.h"
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE_SIZE 4096

enum { QUANTUM = 256, MOST_PIECES = PAGE_SIZE / QUANTUM, FIRST_LIMIT = 4, HIGHEST_LIMIT = 65536 };

_Static_assert(MOST_PIECES *QUANTUM == PAGE_SIZE, "a page of smallest blocks has a tag for each");

typedef struct PageDesc {
    char *base;
    struct PageDesc *next;
    loam_range space; /* offsets in the page */
    loam_range_tag tags[MOST_PIECES];
} PageDesc;

static struct {
    PageDesc *pages, *last; /* mapped */
    PageDesc *spare;
    int mapped, descriptors; /* descriptors: mapped and spare */
    bool is_ready;
} state;

static int limit = FIRST_LIMIT;

static misuse wrong = {.who = "ealloc"};

/* What this adds before memory runs out stays spare. */
static bool add_descriptors(int wanted)
{
    while (state.descriptors < wanted) {
        PageDesc *desc = malloc(sizeof *desc);
        if (desc == NULL)
            return false;
        desc->next = state.spare;
        state.spare = desc;
        state.descriptors++;
    }
    return true;
}

static void free_descriptors(PageDesc *list)
{
    for (PageDesc *next; list != NULL; list = next) {
        next = list->next;
        free(list);
    }
}

static void forget_all(void)
{
    free_descriptors(state.pages);
    free_descriptors(state.spare);
    state.pages = state.last = state.spare = NULL;
    state.mapped = state.descriptors = 0;
    state.is_ready = false;
}

int einit_alloc(void)
{
    if (state.is_ready) {
        misuse_add(&wrong, "einit_alloc", NULL, "initialised already");
        return -1;
    }
    state.is_ready = add_descriptors(limit);
    if (!state.is_ready)
        forget_all();
    return state.is_ready ? 0 : -1;
}

int ecleanup_alloc(void)
{
    if (!state.is_ready) {
        misuse_add(&wrong, "ecleanup_alloc", NULL, "not initialised");
        return -1;
    }
    forget_all();
    return 0;
}

int ealloc_limit(int pages)
{
    if (pages < 1 || pages > HIGHEST_LIMIT)
        return -1;
    if (state.is_ready && !add_descriptors(pages))
        return -1;
    limit = pages;
    return 0;
}

/* Below the limit there is a spare descriptor: as many as the highest limit since einit_alloc. */
static PageDesc *map_page(void)
{
    if (state.mapped >= limit)
        return NULL;
    void *base = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return NULL;
    PageDesc *page = state.spare;
    state.spare = page->next;
    page->base = base;
    page->next = NULL;
    loam_range_init(&page->space, 0, PAGE_SIZE, QUANTUM, page->tags, MOST_PIECES, NULL);
    if (state.last != NULL)
        state.last->next = page;
    else
        state.pages = page;
    state.last = page;
    state.mapped++;
    return page;
}

static char *take(PageDesc *page, int size)
{
    uint64_t at;
    if (loam_range_alloc(&page->space, (uint64_t)size, NULL, &at) != LOAM_OK)
        return NULL;
    return page->base + at;
}

char *ealloc_mem(int size)
{
    if (!state.is_ready || size <= 0 || size > PAGE_SIZE || size % QUANTUM != 0)
        return NULL;
    for (PageDesc *page = state.pages; page != NULL; page = page->next) {
        char *block = take(page, size);
        if (block != NULL)
            return block;
    }
    PageDesc *page = map_page();
    return page != NULL ? take(page, size) : NULL;
}

static PageDesc *page_of(const char *ptr)
{
    PageDesc *page = state.pages;
    while (page != NULL && (uintptr_t)ptr - (uintptr_t)page->base >= PAGE_SIZE)
        page = page->next;
    return page;
}

void edealloc_mem(char *ptr)
{
    if (ptr == NULL)
        return;
    PageDesc *page = page_of(ptr);
    if (page == NULL) {
        misuse_add(&wrong, "edealloc_mem", ptr,
                   state.is_ready ? "not of these pages" : "not initialised");
        return;
    }
    uintptr_t at = (uintptr_t)ptr - (uintptr_t)page->base;
    if (loam_range_free(&page->space, at, NULL) != LOAM_OK)
        misuse_add(&wrong, "edealloc_mem", ptr, misuse_of(&page->space, at));
}

void ealloc_warn(int on)
{
    wrong.is_told = on;
}

unsigned long ealloc_warnings(void)
{
    return wrong.count;
}

const char *ealloc_check(void)
{
    const char *broken = NULL;
    for (const PageDesc *page = state.pages; page != NULL && broken == NULL; page = page->next)
        broken = loam_range_check(&page->space);
    return broken;
}
