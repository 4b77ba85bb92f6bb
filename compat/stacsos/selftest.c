/* SPDX-License-Identifier: MIT */
/* selftest.c - the document's sequence, on 2048 pages that are only numbers: no memory is behind
 * them, and none is needed, because free memory is never touched. */
#include "state.h"

enum { TRIAL_PAGES = 2048, TRIAL_BYTES = 16384, LISTS_TEXT = 160 };

static unsigned char trial_memory[TRIAL_BYTES] __attribute__((aligned(64)));
static stacsos_allocator trial = {LOAM_LOCK_OF(LOAM_RANK_FACE), NULL, NULL, 0, 0};

typedef enum step_kind { INSERT, REFUSED, ALLOCATE, FREE } step_kind;

typedef struct step {
    step_kind kind;
    unsigned page; /* of ALLOCATE: the one that is expected */
    int n;         /* pages, or order */
    const char *lists;
} step;

#define FIRST  "0:13,1306 1:14,1304 2:1300 3:0"
#define SECOND "0:13,1306 1:14,1304 2:20,1300 3:0,24,32"

static const step steps[] = {
    {INSERT, 0, 8, "3:0"},
    {INSERT, 13, 3, "0:13 1:14 3:0"},
    {INSERT, 1300, 7, FIRST},
    {ALLOCATE, 13, 0, "0:1306 1:14,1304 2:1300 3:0"},
    {FREE, 13, 0, FIRST},
    {REFUSED, 2, 1, FIRST}, /* 0 to 7 are free: an error on purpose */
    {INSERT, 20, 20, SECOND},
    {ALLOCATE, 14, 1, "0:13,1306 1:1304 2:20,1300 3:0,24,32"},
    {FREE, 14, 1, SECOND},
    {ALLOCATE, 0, 3, "0:13,1306 1:14,1304 2:20,1300 3:24,32"},
    {FREE, 3, 0, "0:3,13,1306 1:14,1304 2:20,1300 3:24,32"}, /* out of the middle of it */
    {FREE, 2, 0, "0:13,1306 1:2,14,1304 2:20,1300 3:24,32"},
    {FREE, 0, 1, "0:13,1306 1:14,1304 2:0,20,1300 3:24,32"},
    {FREE, 4, 2, SECOND},
};

/* The free lists as in `steps`. */
static void lists_text(char *buf)
{
    loam_text text;
    loam_text_init(&text, buf, LISTS_TEXT);
    for (int k = 0; k <= STACSOS_LAST_ORDER; k++) {
        loam_pfn at = stacsos_a_next(&trial, k, 0);
        if (loam_pfn_is_none(at))
            continue;
        loam_text_fmt(&text, text.len == 0 ? "%d:" : " %d:", k);
        for (bool first = true; !loam_pfn_is_none(at); first = false) {
            loam_text_fmt(&text, first ? "%U" : ",%U", at.v);
            at = stacsos_a_next(&trial, k, at.v + 1);
        }
    }
}

static bool same(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static bool take(const step *s)
{
    const struct page *page = stacsos_a_page(&trial, s->page);
    switch (s->kind) {
    case INSERT:
    case REFUSED:
        stacsos_say("selftest: insert %u+%d%s\n", s->page, s->n,
                    s->kind == REFUSED ? " again: an error on purpose" : "");
        return (stacsos_a_insert(&trial, page, (uint64_t)s->n) == 0) == (s->kind == INSERT);
    case ALLOCATE: {
        const struct page *got = stacsos_a_allocate(&trial, s->n, STACSOS_NONE);
        stacsos_say("selftest: allocate order %d -> page %u\n", s->n,
                    (unsigned)stacsos_a_pfn(&trial, got));
        return got == page;
    }
    case FREE:
        stacsos_say("selftest: free page %u, order %d\n", s->page, s->n);
        return stacsos_a_free(&trial, page, s->n, __builtin_return_address(0)) >= s->n;
    }
    return false;
}

/* The step went as expected, and so are the lists. */
static bool walk(const step *s)
{
    char lists[LISTS_TEXT];
    bool good = take(s);
    stacsos_a_dump(&trial);
    lists_text(lists);
    if (good && same(lists, s->lists))
        return true;
    stacsos_say("selftest: WRONG: expected %s\n", s->lists);
    return false;
}

bool stacsos_perform_selftest(void)
{
    stacsos_say("*** buddy page allocator - self-test ***\n");
    bool good = stacsos_a_init(&trial, trial_memory, sizeof(trial_memory), TRIAL_PAGES, NULL) == 0;
    for (size_t i = 0; good && i < LOAM_ARRAY_LEN(steps); i++)
        good = walk(&steps[i]);
    good = good && stacsos_a_stat(&trial).used == 0 && loam_zone_check(trial.zone) == NULL;
    stacsos_say("selftest: %s\n", good ? "passed" : "FAILED");
    return good;
}
