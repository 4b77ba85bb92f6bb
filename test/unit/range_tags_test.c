/* SPDX-License-Identifier: MIT */
/* range_tags_test.c - the tags of a range: where they come from, what is so when there is none; and
 * each rule of theirs, broken. */
#include "range_ground.h"
#include "tag_source.h"
#include "tap.h"

static void tags_used_up(tap *t)
{
    uint64_t out = 5;
    fresh(0, 0x100, 8, 3);
    TAP_EQ(t, at(0x80, 8), LOAM_OK); /* one tag becomes three */
    TAP_EQ(t, at(0x10, 8), LOAM_ENOMEM);
    TAP_EQ(t, at(0, 8), LOAM_ENOMEM);
    TAP_EQ(t, loam_range_alloc(&r, 8, NULL, &out), LOAM_ENOMEM);
    TAP_EQ(t, out, 5);
    TAP_EQ(t, r.free, 0xf8);
    TAP_RULE(t, loam_range_check(&r), NULL);
    TAP_EQ(t, at(0, 0x80), LOAM_OK); /* needs none */
    TAP_EQ(t, loam_range_split(&r, 0x40), LOAM_ENOMEM);
    give(t, 0x80);
    TAP_EQ(t, at(0x80, 8), LOAM_OK);
    TAP_RULE(t, loam_range_check(&r), NULL);
}

static void tags_of_source(tap *t)
{
    loam_range_source source = tag_source_start(TAGS);
    TAP_EQ(t, loam_range_init(&r, 0, 0x100, 8, tags, 2, &source), LOAM_OK);
    TAP_EQ(t, tag_source.out, 0);
    for (unsigned i = 0; i < 8; i++)
        alloc(t, 8);
    TAP_EQ(t, tag_source.out, 7); /* 8 taken, 1 free, 2 of them of the array */
    for (unsigned i = 0; i < 8; i += 2)
        give(t, 8 * i);
    TAP_EQ(t, tag_source.out, 7);
    for (unsigned i = 1; i < 8; i += 2)
        give(t, 8 * i);
    TAP_CHECK(t, tag_source.out <= 1); /* the piece that is left may have a tag of either */
    loam_range_fini(&r);
    TAP_EQ(t, tag_source.out, 0);
}

static void tags_of_source_end(tap *t)
{
    loam_range_source source = tag_source_start(0);
    TAP_EQ(t, loam_range_init(&r, 0, 0x100, 8, NULL, 0, &source), LOAM_ENOMEM);
    tag_source.limit = 2;
    TAP_EQ(t, loam_range_init(&r, 0, 0x100, 8, NULL, 0, &source), LOAM_OK);
    TAP_EQ(t, at(0x80, 8), LOAM_ENOMEM); /* wants two, gets one: it goes back */
    TAP_EQ(t, tag_source.out, 1);
    TAP_RULE(t, loam_range_check(&r), NULL);
    alloc(t, 0x10);
    TAP_EQ(t, tag_source.out, 2);
    TAP_EQ(t, resize(0, 8), LOAM_OK);
    loam_range_fini(&r);
    TAP_EQ(t, tag_source.out, 0);
}

/* ---- order of cost: steps are counted by the height of the tree ---- */

static void tree_stays_flat(tap *t)
{
    fresh(0, 1 << 20, 8, TAGS);
    for (unsigned i = 0; i < TAGS - 1; i++)
        alloc(t, 8);
    TAP_EQ(t, r.tags, TAGS);
    TAP_CHECK(t, r.root->height <= 8); /* 1.44 log2(64) */
    for (unsigned i = 0; i < TAGS - 1; i += 2)
        give(t, 8 * i);
    TAP_CHECK(t, r.root->height <= 8);
    TAP_EQ(t, alloc(t, 16), 8 * (TAGS - 2));
    TAP_EQ(t, alloc(t, 8), 0);
}

/* ---- rules ---- */

/* Four pieces: taken, free, taken, free; a spare tag besides. */
static loam_range_tag *piece(unsigned i)
{
    loam_range_tag *p = r.first;
    while (i-- > 0)
        p = p->next;
    return p;
}

static void damage(void)
{
    fresh(0x100, 0x100, 8, 5);
    at(0x100, 0x40);
    at(0x180, 0x40);
}

static void rules_interval(tap *t)
{
    damage();
    TAP_RULE(t, loam_range_check(&r), NULL);
    r.quantum = 24;
    TAP_RULE(t, loam_range_check(&r), "R1");
    damage();
    r.len = 0;
    TAP_RULE(t, loam_range_check(&r), "R1");
    damage();
    r.base = 0 - 0x80ULL;
    TAP_RULE(t, loam_range_check(&r), "R1");
    damage();
    r.base += 4;
    TAP_RULE(t, loam_range_check(&r), "R1");
}

static void rules_chain(tap *t)
{
    damage();
    piece(1)->base += 8;
    TAP_RULE(t, loam_range_check(&r), "R2");
    damage();
    piece(1)->len = 0;
    TAP_RULE(t, loam_range_check(&r), "R2");
    damage();
    piece(3)->len += 8;
    TAP_RULE(t, loam_range_check(&r), "R2");
    damage();
    piece(2)->prev = piece(0);
    TAP_RULE(t, loam_range_check(&r), "R2");
    damage();
    piece(3)->next = piece(1); /* a circle */
    TAP_RULE(t, loam_range_check(&r), "R2");
    damage();
    piece(2)->next = NULL;
    TAP_RULE(t, loam_range_check(&r), "R2");
    damage();
    piece(0)->len -= 4;
    piece(1)->base -= 4;
    piece(1)->len += 4;
    TAP_RULE(t, loam_range_check(&r), "R2");
    damage();
    r.first = NULL;
    TAP_RULE(t, loam_range_check(&r), "R2");
    damage();
    r.tags--;
    TAP_RULE(t, loam_range_check(&r), "R2");
}

static void rules_tree(tap *t)
{
    damage();
    piece(2)->taken = false;
    TAP_RULE(t, loam_range_check(&r), "R3");
    damage();
    r.root = NULL;
    TAP_RULE(t, loam_range_check(&r), "R4");
    damage();
    r.root->parent = r.root;
    TAP_RULE(t, loam_range_check(&r), "R4");
    damage();
    r.root->child[0] = NULL;
    TAP_RULE(t, loam_range_check(&r), "R4");
    damage();
    r.root->child[1] = r.root->child[0];
    TAP_RULE(t, loam_range_check(&r), "R4");
    damage();
    piece(0)->child[0] = piece(0); /* circles, down and aside */
    piece(0)->parent = piece(0);
    TAP_RULE(t, loam_range_check(&r), "R4");
    damage();
    piece(3)->child[1] = piece(3);
    TAP_RULE(t, loam_range_check(&r), "R4");
    damage();
    r.root->child[1]->parent = r.root->child[0];
    TAP_RULE(t, loam_range_check(&r), "R4");
}

static void rules_sums(tap *t)
{
    damage();
    r.root->height++;
    TAP_RULE(t, loam_range_check(&r), "R5");
    damage();
    piece(3)->largest += 8;
    TAP_RULE(t, loam_range_check(&r), "R6");
    damage();
    r.root->largest = 0;
    TAP_RULE(t, loam_range_check(&r), "R6");
    damage();
    r.free += 8;
    TAP_RULE(t, loam_range_check(&r), "R7");
    damage();
    r.tags++;
    TAP_RULE(t, loam_range_check(&r), "R7");
    damage();
    r.spare = NULL;
    TAP_RULE(t, loam_range_check(&r), "R8");
    damage();
    r.spare->next = r.spare;
    TAP_RULE(t, loam_range_check(&r), "R8");
    damage();
    r.spare = tag_source.tag;
    TAP_RULE(t, loam_range_check(&r), "R8");
    damage();
    TAP_RULE(t, loam_range_check(&r), NULL);
}

/* A chain as a tree: right in order and sums, only not flat. */
static void rules_balance(tap *t)
{
    damage();
    for (unsigned i = 0; i < 4; i++) {
        loam_range_tag *p = piece(i);
        p->child[0] = NULL;
        p->child[1] = p->next;
        p->parent = p->prev;
        p->height = (uint8_t)(4 - i);
        p->largest = 0x40;
    }
    r.root = r.first;
    TAP_RULE(t, loam_range_check(&r), "R5");
}

static const tap_case cases[] = {
    {"range tags: array used up: unchanged", tags_used_up},
    {"range tags: array first, then source, and back", tags_of_source},
    {"range tags: source ends in the middle: unchanged", tags_of_source_end},
    {"range: the tree stays flat", tree_stays_flat},
    {"range_check: R1", rules_interval},
    {"range_check: R2", rules_chain},
    {"range_check: R3, R4", rules_tree},
    {"range_check: R5, unbalanced", rules_balance},
    {"range_check: R5 to R8", rules_sums},
};
TAP_SUITE(range_tags_test, cases);
