/* SPDX-License-Identifier: MIT */
/* fdt_open_test.c - which blobs are a device tree: header, blocks, structure; each rule, broken. */
#include "fdt_ground.h"
#include "tap.h"

static unsigned char other[sizeof b.blob + 8];

static uint32_t peek(uint32_t at)
{
    return fb_get32(b.blob + at);
}

static void open_whole(tap *t)
{
    build();
    TAP_STR(t, open_it(), NULL);
    TAP_EQ(t, fdt.size, b.len);
    TAP_EQ(t, fdt.version, 17);
    TAP_EQ(t, fdt.nodes, 7);
    TAP_EQ(t, fdt.reserve_count, 2);
    TAP_EQ(t, loam_fdt_reserve_get(&fdt, 1).base, 0x123456789aULL);
    TAP_EQ(t, loam_fdt_reserve_get(&fdt, 1).len, 0x10);
    TAP_EQ(t, loam_fdt_size_at(b.blob), b.len);
}

static void open_any_alignment(tap *t)
{
    build();
    for (unsigned shift = 0; shift < 8; shift++) {
        for (uint32_t i = 0; i < b.len; i++)
            other[shift + i] = b.blob[i];
        TAP_EQ(t, loam_fdt_open(&fdt, other + shift, b.len, NULL), LOAM_OK);
        TAP_EQ(t, loam_fdt_size_at(other + shift), b.len);
        loam_fdt_prop prop;
        TAP_CHECK(t, loam_fdt_prop_get(&fdt, find("/soc/serial@1000"), "reg", &prop));
        TAP_EQ(t, loam_fdt_reg(&prop, (loam_fdt_cells){1, 2}, 0).len, 0x100);
    }
}

static void open_every_prefix(tap *t)
{
    build();
    for (uint32_t len = 0; len < b.len; len++)
        TAP_RULE(t, open_len(len), "F1");
}

static void open_garbage_behind(tap *t)
{
    build();
    for (uint32_t i = 0; i < 32; i++)
        b.blob[b.len + i] = 0xa5;
    TAP_STR(t, open_len(b.len + 32), NULL);
    TAP_EQ(t, fdt.size, b.len);
}

static void open_header(tap *t)
{
    build();
    poke(0, 0xd00dfeecU);
    TAP_RULE(t, open_it(), "F1");
    TAP_EQ(t, loam_fdt_size_at(b.blob), 0);
    build();
    poke(FB_TOTAL, 39);
    TAP_RULE(t, open_it(), "F1");
    build();
    poke(FB_TOTAL, b.len + 1);
    TAP_RULE(t, open_it(), "F1");
    poke(FB_TOTAL, 0xffffffffU);
    TAP_RULE(t, open_it(), "F1");
}

static void open_without_why(tap *t)
{
    build();
    poke(0, 0);
    TAP_EQ(t, loam_fdt_open(&fdt, b.blob, b.len, NULL), LOAM_EFORMAT);
    TAP_EQ(t, fdt.size, 0);
    TAP_CHECK(t, fdt.blob == NULL);
}

static void open_versions(tap *t)
{
    static const struct {
        uint32_t version, compatible;
        bool good;
    } is[] = {{17, 16, true},         {17, 17, true},  {18, 17, true},  {18, 16, true},
              {17, 2, true},          {18, 18, false}, {15, 15, false}, {3, 1, false},
              {16, 17, false},        {0, 0, false},   {16, 16, true},  {99, 99, false},
              {0xffffffffU, 16, true}};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(is); i++) {
        build();
        poke(FB_VERSION, is[i].version);
        poke(FB_COMPATIBLE, is[i].compatible);
        TAP_RULE(t, open_it(), is[i].good ? NULL : "F2");
    }
}

/* Version 16 has a header of 36 bytes and does not say how long the structure is. */
static void open_version_16(tap *t)
{
    build();
    poke(FB_VERSION, 16);
    poke(FB_LEN_STRUCTS, 0xffffffffU); /* not a field: part of the gap */
    TAP_STR(t, open_it(), NULL);
    TAP_EQ(t, fdt.structs_len, b.structs_len);
    TAP_EQ(t, fdt.nodes, 7);
    TAP_CHECK(t, !loam_fdt_is_none(find("/last")));
}

static void open_blocks(tap *t)
{
    static const uint32_t offsets[] = {FB_OFF_STRUCTS, FB_OFF_STRINGS, FB_OFF_RESERVE};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(offsets); i++) {
        uint32_t bad[] = {0, 32, 0xfffffff8U, 0};
        bad[3] = (b.len + 8) & ~7U;
        for (size_t k = 0; k < LOAM_ARRAY_LEN(bad); k++) {
            build();
            poke(offsets[i], bad[k]);
            TAP_RULE(t, open_it(), "F3");
        }
    }
    build();
    poke(FB_LEN_STRUCTS, 0xffffffffU);
    TAP_RULE(t, open_it(), "F3");
    build();
    poke(FB_LEN_STRINGS, peek(FB_LEN_STRINGS) + 1);
    TAP_RULE(t, open_it(), "F3");
}

static void open_misaligned(tap *t)
{
    build();
    poke(FB_OFF_STRUCTS, peek(FB_OFF_STRUCTS) + 2);
    poke(FB_LEN_STRUCTS, peek(FB_LEN_STRUCTS) - 2);
    TAP_RULE(t, open_it(), "F3");
    build();
    poke(FB_OFF_RESERVE, 44);
    TAP_RULE(t, open_it(), "F3");
}

static void open_reserve_without_end(tap *t)
{
    build();
    uint32_t end = peek(FB_OFF_RESERVE) + 32;
    poke(end + 12, 1);
    TAP_RULE(t, open_it(), "F4");
}

static void open_reserve_of_nothing(tap *t)
{
    fb_start(&b);
    fb_reserve(&b, 0x5000, 0);
    fb_reserve(&b, 0, 0x2000);
    fb_node(&b, "");
    fb_end(&b);
    fb_finish(&b);
    TAP_STR(t, open_it(), NULL);
    TAP_EQ(t, fdt.reserve_count, 2);
}

static void open_overlap(tap *t)
{
    build();
    poke(FB_OFF_STRINGS, peek(FB_OFF_STRUCTS) + 8);
    TAP_CHECK(t, open_it() != NULL);
    fb_start(&b); /* no properties: the place of the strings alone is wrong */
    fb_reserve(&b, 0x1000, 0x1000);
    fb_node(&b, "");
    fb_node(&b, "abc");
    fb_end(&b);
    fb_end(&b);
    fb_finish(&b);
    poke(FB_OFF_STRINGS, peek(FB_OFF_STRUCTS) + 4);
    poke(FB_LEN_STRINGS, 8);
    TAP_RULE(t, open_it(), "F5");
    poke(FB_OFF_STRINGS, 48);
    poke(FB_LEN_STRINGS, 16);
    poke(FB_OFF_RESERVE, 56); /* the pair of zeros alone */
    TAP_RULE(t, open_it(), "F5");
}

static void open_other_order(tap *t)
{
    build();
    uint32_t at = (b.len + 7) & ~7U, from = peek(FB_OFF_RESERVE);
    for (uint32_t i = 0; i < 48; i++)
        b.blob[at + i] = b.blob[from + i];
    poke(FB_OFF_RESERVE, at);
    poke(FB_TOTAL, at + 48);
    b.len = at + 48;
    TAP_STR(t, open_it(), NULL);
    TAP_EQ(t, fdt.reserve_count, 2);
}

/* ---- structure ---- */

/* A structure of bare tokens: 1 and 2 are the root's or a node's, 5 is "a property". */
static const char *open_tokens(const uint32_t *token, size_t count)
{
    bool root = true;
    fb_start(&b);
    for (size_t i = 0; i < count; i++) {
        if (token[i] == FB_BEGIN) {
            fb_node(&b, root ? "" : "n");
            root = false;
        } else if (token[i] == 5) {
            fb_prop(&b, "p", "x", 1);
        } else {
            fb_cell(&b, token[i]);
        }
    }
    fb_assemble(&b);
    return open_it();
}

#define OPEN_TOKENS(...)                                                                           \
    open_tokens((const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

static void structure_of_tokens(tap *t)
{
    TAP_RULE(t, OPEN_TOKENS(1, 2, 9), NULL);
    TAP_RULE(t, OPEN_TOKENS(4, 1, 4, 5, 4, 5, 4, 1, 4, 2, 4, 2, 4, 9), NULL);
    TAP_RULE(t, OPEN_TOKENS(1, 2, 9, 77), NULL);
    TAP_RULE(t, OPEN_TOKENS(9), "F6");
    TAP_RULE(t, OPEN_TOKENS(4, 4, 9), "F6");
    TAP_RULE(t, OPEN_TOKENS(1, 2), "F6");
    TAP_RULE(t, OPEN_TOKENS(1, 2, 4), "F6");
    TAP_RULE(t, OPEN_TOKENS(1, 6, 2, 9), "F6");
    TAP_RULE(t, OPEN_TOKENS(1, 0, 2, 9), "F6");
    TAP_RULE(t, OPEN_TOKENS(1, 0x01000000, 2, 9), "F6");
    TAP_RULE(t, OPEN_TOKENS(1, 2, 1, 2, 9), "F6");
    TAP_RULE(t, OPEN_TOKENS(1, 3), "F6");
    TAP_RULE(t, OPEN_TOKENS(1, 9), "F7");
    TAP_RULE(t, OPEN_TOKENS(1, 1, 2, 9), "F7");
    TAP_RULE(t, OPEN_TOKENS(2, 9), "F7");
    TAP_RULE(t, OPEN_TOKENS(1, 2, 2, 9), "F7");
    TAP_RULE(t, OPEN_TOKENS(5, 1, 2, 9), "F7");
    TAP_RULE(t, OPEN_TOKENS(1, 2, 5, 9), "F7");
    TAP_RULE(t, OPEN_TOKENS(1, 1, 2, 5, 2, 9), "F7");
}

static void structure_root_name(tap *t)
{
    fb_start(&b);
    fb_node(&b, "/");
    fb_end(&b);
    fb_finish(&b);
    TAP_RULE(t, open_it(), "F7");
}

static void structure_name_without_end(tap *t)
{
    fb_start(&b);
    fb_node(&b, "");
    fb_cell(&b, FB_BEGIN);
    fb_bytes(&b, "abcdefgh", 8);
    fb_assemble(&b);
    TAP_RULE(t, open_it(), "F8");
}

static void structure_property_bounds(tap *t)
{
    static const uint32_t lens[] = {0x7fffffffU, 0x80000000U, 0xfffffffcU, 0xffffffffU, 4096};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(lens); i++) {
        build();
        poke(fb_token(&b, FB_PROP, 0) + 4, lens[i]);
        TAP_RULE(t, open_it(), "F8");
    }
    build();
    poke(fb_token(&b, FB_PROP, 0) + 8, b.strings_len);
    TAP_RULE(t, open_it(), "F8");
    poke(fb_token(&b, FB_PROP, 0) + 8, 0xffffffffU);
    TAP_RULE(t, open_it(), "F8");
}

/* The strings block may end without a 0: what is named there does not end, the rest does. */
static void structure_strings_without_end(tap *t)
{
    build();
    uint32_t last = 0;
    for (uint32_t i = 0; i + 1 < b.strings_len; i++)
        if (b.strings[i] == 0)
            last = i + 1;
    poke(FB_LEN_STRINGS, b.strings_len - 1);
    TAP_RULE(t, open_it(), "F8");
    for (unsigned n = 0; fb_token(&b, FB_PROP, n) < fb_token(&b, FB_DONE, 0); n++)
        if (peek(fb_token(&b, FB_PROP, n) + 8) == last)
            poke(fb_token(&b, FB_PROP, n) + 8, 0);
    TAP_RULE(t, open_it(), NULL);
}

static void structure_deep(tap *t)
{
    enum { DEPTH = 3000 };
    fb_start(&b);
    fb_node(&b, "");
    for (unsigned i = 0; i < DEPTH; i++)
        fb_node(&b, "d");
    for (unsigned i = 0; i <= DEPTH; i++)
        fb_end(&b);
    fb_finish(&b);
    TAP_STR(t, open_it(), NULL);
    TAP_EQ(t, fdt.nodes, DEPTH + 1);
    TAP_CHECK(t, !loam_fdt_is_none(find("/d/d/d/d")));
}

static const tap_case cases[] = {
    {"fdt_open: a whole tree: accepted, counted", open_whole},
    {"fdt_open: every alignment of the blob: the same answers", open_any_alignment},
    {"fdt_open: every shorter length: F1", open_every_prefix},
    {"fdt_open: garbage behind the tree: not looked at", open_garbage_behind},
    {"fdt_open: magic and total size: F1", open_header},
    {"fdt_open: no place for the reason: refused, nothing left open", open_without_why},
    {"fdt_open: versions: readable ones accepted, others F2", open_versions},
    {"fdt_open: version 16: the structure ends with its end token", open_version_16},
    {"fdt_open: a block outside: F3", open_blocks},
    {"fdt_open: a block misaligned: F3", open_misaligned},
    {"fdt_open: reservations without end: F4", open_reserve_without_end},
    {"fdt_open: a reservation of length 0: not the end", open_reserve_of_nothing},
    {"fdt_open: blocks that overlap: F5", open_overlap},
    {"fdt_open: blocks in another order: accepted", open_other_order},
    {"fdt_open: tokens in every wrong order: F6, F7", structure_of_tokens},
    {"fdt_open: a root with a name: F7", structure_root_name},
    {"fdt_open: a node's name without end: F8", structure_name_without_end},
    {"fdt_open: property lengths and names outside: F8", structure_property_bounds},
    {"fdt_open: strings without end: F8 only where one is used", structure_strings_without_end},
    {"fdt_open: 3000 levels: no level is too deep", structure_deep},
};
TAP_SUITE(fdt_open_test, cases);
