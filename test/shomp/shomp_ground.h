/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_SHOMP_GROUND_H
#define LOAM_TEST_SHOMP_GROUND_H

/* shomp_ground.h - a heap of compat/shomp in memory that nobody initialised; what it prints is
 * kept.
 *
 *     fresh_with(t, (shomp_options){.guard = true});
 *     void *p = allocate(1);
 *     counts_are(t, "1111110");
 */
#include "../../compat/shomp/inc/shomp.h"
#include "../../compat/shomp/src/memory/heap_impl.h"
#include "tap.h"

enum { BYTES = 10 * SHOMP_PAGE };

static _Alignas(SHOMP_PAGE) unsigned char memory[BYTES];
static char said[1024];
static loam_text said_text;

static inline void hear(void *ctx, const char *text)
{
    (void)ctx;
    loam_text_str(&said_text, text);
}

static inline void quiet(void)
{
    loam_text_init(&said_text, said, sizeof(said));
    shomp_set_output(hear, NULL);
}

static inline void fresh(tap *t)
{
    quiet();
    __builtin_memset(memory, 0xff, sizeof(memory)); /* flags that nobody initialised */
    init_heap(memory);
    TAP_RULE(t, shomp_check(), NULL);
}

static inline void fresh_with(tap *t, shomp_options options)
{
    quiet();
    shomp_init_heap(NULL);
    __builtin_memset(memory, 0xff, sizeof(memory));
    shomp_start(memory, &options);
    TAP_RULE(t, shomp_check(), NULL);
}

/* Free blocks of scales 4 up, as digits; the scale of the heap decides how many. */
static inline void counts_are(tap *t, const char *want)
{
    unsigned count[SHOMP_MAX_SCALE + 1], scale = shomp_counts(count);
    char got[SHOMP_MAX_SCALE];
    loam_text text;
    loam_text_init(&text, got, sizeof(got));
    for (unsigned s = SHOMP_MIN_SCALE; s <= scale; s++)
        loam_text_dec(&text, count[s]);
    TAP_STR(t, got, want);
}

static inline size_t chain(tap *t, unsigned scale)
{
    const list_header *list = shomp_free_list();
    uint32_t before = SHOMP_END;
    size_t n = 0;
    for (uint32_t at = list[scale].next; at != SHOMP_END && n < 100; n++) {
        block_header header;
        __builtin_memcpy(&header, shomp_base() + at, sizeof(header));
        TAP_EQ(t, header.is_free, 1);
        TAP_EQ(t, header.scale, scale);
        TAP_EQ(t, header.list.prev, before);
        before = at;
        at = header.list.next;
    }
    TAP_EQ(t, list[scale].prev, before);
    return n;
}

#endif
