/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BENCH_SPANS_H
#define LOAM_BENCH_SPANS_H

/* spans.h - pieces of an interval, first fit: Loam's range beside the list of textbooks.
 *
 * The list holds the free spans by address: an allocation walks to the first that is long enough, a
 * free walks to its place and merges with both neighbours. It does not know what is taken: who
 * frees says how long it was. */
#include "harness.h"
#include "loam/range.h"

enum { SPANS_MAX = 10000, SPANS_LEN = 16 /* longest */ };

typedef struct spans_node {
    uint64_t base, len;
    struct spans_node *next;
} spans_node;

typedef struct spans_state {
    loam_range range;
    spans_node *list, *spare; /* of the textbook's */
    loam_range_tag *tag;
    spans_node *node;
    uint64_t base[SPANS_MAX], len[SPANS_MAX]; /* what is out */
    uint64_t sum;                             /* of all addresses that were given out */
    bench_rng rng;
} spans_state;

typedef struct spans_api {
    const char *name;
    void (*init)(spans_state *s, uint64_t len);
    bool (*alloc)(spans_state *s, uint64_t len, uint64_t *base);
    void (*free)(spans_state *s, uint64_t base, uint64_t len);
} spans_api;

extern const spans_api spans_list, spans_loam;

/* count spans of 1 to 16 units are out, with holes between them that earlier ones left. */
void spans_prepare(const spans_api *api, spans_state *s, size_t count);
/* n times: one goes, at random, another comes. */
void spans_churn(const spans_api *api, spans_state *s, size_t count, size_t n);
/* Both must have given out the same addresses in the same order. */
bool spans_agree(size_t count, size_t n);

#endif
