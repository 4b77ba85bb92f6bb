/* SPDX-License-Identifier: MIT */
/* spans.c - a range and a textbook's list under the same requests. */
#include "spans.h"
#include <stdlib.h>
#include <string.h>

enum { NODES = 2 * SPANS_MAX + 2 };

/* ---- the textbook's ---- */

static void list_init(spans_state *s, uint64_t len)
{
    if (s->node == NULL)
        s->node = bench_map(NODES * sizeof *s->node);
    s->spare = NULL;
    for (size_t i = NODES; i-- > 1; s->spare = &s->node[i])
        s->node[i].next = s->spare;
    s->list = &s->node[0];
    *s->list = (spans_node){0, len, NULL};
}

static void list_drop(spans_state *s, spans_node **link)
{
    spans_node *gone = *link;
    *link = gone->next;
    gone->next = s->spare;
    s->spare = gone;
}

static bool list_alloc(spans_state *s, uint64_t len, uint64_t *base)
{
    spans_node **link = &s->list;
    while (*link != NULL && (*link)->len < len)
        link = &(*link)->next;
    spans_node *n = *link;
    if (n == NULL)
        return false;
    *base = n->base;
    n->base += len;
    n->len -= len;
    if (n->len == 0)
        list_drop(s, link);
    return true;
}

static void list_free(spans_state *s, uint64_t base, uint64_t len)
{
    spans_node **link = &s->list, *before = NULL;
    while (*link != NULL && (*link)->base < base) {
        before = *link;
        link = &before->next;
    }
    spans_node *after = *link;
    if (before != NULL && before->base + before->len == base) {
        before->len += len;
    } else {
        spans_node *n = s->spare;
        s->spare = n->next;
        *n = (spans_node){base, len, after};
        *link = n;
        before = n;
    }
    if (after != NULL && before->base + before->len == after->base) {
        before->len += after->len;
        list_drop(s, &before->next);
    }
}

const spans_api spans_list = {"list", list_init, list_alloc, list_free};

/* ---- Loam's ---- */

static void loam_init(spans_state *s, uint64_t len)
{
    if (s->tag == NULL)
        s->tag = bench_map(NODES * sizeof *s->tag);
    if (loam_range_init(&s->range, 0, len, 1, s->tag, NODES, NULL) != LOAM_OK)
        bench_die("no range");
}

static bool loam_alloc(spans_state *s, uint64_t len, uint64_t *base)
{
    return loam_range_alloc(&s->range, len, NULL, base) == LOAM_OK;
}

static void loam_free(spans_state *s, uint64_t base, uint64_t len)
{
    uint64_t was = 0;
    if (loam_range_free(&s->range, base, &was) != LOAM_OK || was != len)
        bench_die("a span was refused");
}

const spans_api spans_loam = {"loam", loam_init, loam_alloc, loam_free};

/* ---- requests ---- */

static void spans_take(const spans_api *api, spans_state *s, size_t i)
{
    s->len[i] = 1 + bench_below(&s->rng, SPANS_LEN);
    if (!api->alloc(s, s->len[i], &s->base[i]))
        bench_die("no span left");
    s->sum = s->sum * 31 + s->base[i];
}

void spans_churn(const spans_api *api, spans_state *s, size_t count, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        size_t i = bench_below(&s->rng, count);
        api->free(s, s->base[i], s->len[i]);
        spans_take(api, s, i);
    }
}

void spans_prepare(const spans_api *api, spans_state *s, size_t count)
{
    s->rng.state = 11;
    s->sum = 0;
    api->init(s, (uint64_t)count * SPANS_LEN * 2);
    for (size_t i = 0; i < count; i++)
        spans_take(api, s, i);
    spans_churn(api, s, count, 2 * count);
}

bool spans_agree(size_t count, size_t n)
{
    static spans_state a, b;
    spans_prepare(&spans_list, &a, count);
    spans_prepare(&spans_loam, &b, count);
    spans_churn(&spans_list, &a, count, n);
    spans_churn(&spans_loam, &b, count, n);
    return a.sum == b.sum && loam_range_check(&b.range) == NULL;
}
