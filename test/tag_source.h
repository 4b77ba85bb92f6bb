/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_TAG_SOURCE_H
#define LOAM_TEST_TAG_SOURCE_H

/* tag_source.h - a source of tags for tests of ranges: of an array, counted, and with an end.
 *
 *     loam_range_source source = tag_source_start(2);     // two tags, and no more
 *     ...
 *     TAP_EQ(t, tag_source.out, 0);
 */
#include "loam/range.h"

enum { TAG_SOURCE_MAX = 64 };

static struct {
    unsigned out, limit;
    uint64_t used; /* which of `tag` */
    loam_range_tag tag[TAG_SOURCE_MAX];
} tag_source;

static inline loam_range_tag *tag_source_get(void *ctx)
{
    (void)ctx;
    if (tag_source.out == tag_source.limit)
        return NULL;
    tag_source.out++;
    unsigned i = loam_ctz64(~tag_source.used);
    tag_source.used |= 1ULL << i;
    return &tag_source.tag[i];
}

static inline void tag_source_put(void *ctx, loam_range_tag *tag)
{
    (void)ctx;
    tag_source.out--;
    tag_source.used &= ~(1ULL << (tag - tag_source.tag));
}

/* No tag is out, and so many can be. */
static inline loam_range_source tag_source_start(unsigned limit)
{
    tag_source.out = 0;
    tag_source.used = 0;
    tag_source.limit = limit;
    return (loam_range_source){.get = tag_source_get, .put = tag_source_put};
}

#endif
