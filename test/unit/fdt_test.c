/* SPDX-License-Identifier: MIT */
#include "loam/fdt.h"

#include "fdt_build.h"
#include "tap.h"

static fdt_build b;
static loam_fdt fdt;
static unsigned char other[sizeof b.blob + 8];

static const char *open_len(size_t len)
{
    const char *why = NULL;
    loam_err err = loam_fdt_open(&fdt, b.blob, len, &why);
    return err == LOAM_OK ? NULL : why;
}

static const char *open_it(void)
{
    return open_len(b.len);
}

static void poke(uint32_t at, uint32_t value)
{
    fb_put32(b.blob + at, value);
}

static uint32_t peek(uint32_t at)
{
    return fb_get32(b.blob + at);
}

/* A board with some of everything. */
static void build(void)
{
    fb_start(&b);
    fb_reserve(&b, 0, 0x1000);
    fb_reserve(&b, 0x123456789aULL, 0x10);
    fb_node(&b, "");
    FB_CELLS(&b, "#address-cells", 1);
    FB_CELLS(&b, "#size-cells", 2);
    fb_prop(&b, "compatible", "loam,board\0loam,family", 23);
    fb_node(&b, "aliases");
    fb_str(&b, "serial0", "/soc/serial@1000");
    fb_str(&b, "loop", "loop");
    fb_str(&b, "soc", "/soc");
    fb_end(&b);
    fb_node(&b, "soc");
    FB_CELLS(&b, "odd", 1, 2, 3);
    fb_node(&b, "serial@1000");
    FB_CELLS(&b, "reg", 0x1000, 0, 0x100);
    fb_str(&b, "status", "okay");
    fb_end(&b);
    fb_node(&b, "serial@2000");
    fb_str(&b, "status", "disabled");
    fb_end(&b);
    fb_node(&b, "timer");
    fb_prop(&b, "empty", "", 0);
    fb_end(&b);
    fb_end(&b);
    fb_node(&b, "last");
    fb_end(&b);
    fb_end(&b);
    fb_finish(&b);
}

static loam_fdt_node find(const char *path)
{
    return loam_fdt_find(&fdt, path, fb_strlen(path));
}

/* ---- opening ---- */

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

/* ---- walking ---- */

static void walk_order(tap *t)
{
    static const char kinds[] = "BPPPBPPPEBPBPPEBPEBPEEBEED";
    loam_fdt_walk walk;
    build();
    TAP_STR(t, open_it(), NULL);
    loam_fdt_walk_init(&walk, &fdt, loam_fdt_root(&fdt));
    for (unsigned i = 0; kinds[i] != 0; i++) {
        static const char name[] = "XBPED";
        TAP_EQ(t, name[loam_fdt_walk_step(&walk)], kinds[i]);
        if (i == 4)
            TAP_STR(t, walk.name, "aliases");
        if (i == 5)
            TAP_STR(t, walk.prop.name, "serial0");
        if (i == 11)
            TAP_EQ(t, walk.depth, 3);
    }
    TAP_EQ(t, loam_fdt_walk_step(&walk), LOAM_FDT_DONE);
}

static void walk_broken_stays(tap *t)
{
    loam_fdt_walk walk;
    build();
    TAP_STR(t, open_it(), NULL);
    poke(fb_token(&b, FB_PROP, 2), 0xdead); /* behind the back of what open has proven */
    loam_fdt_walk_init(&walk, &fdt, loam_fdt_root(&fdt));
    for (unsigned i = 0; i < 3; i++)
        TAP_CHECK(t, loam_fdt_walk_step(&walk) != LOAM_FDT_BAD);
    TAP_EQ(t, loam_fdt_walk_step(&walk), LOAM_FDT_BAD);
    TAP_EQ(t, loam_fdt_walk_step(&walk), LOAM_FDT_BAD);
    TAP_RULE(t, walk.why, "F6");
}

static void nodes_by_steps(tap *t)
{
    build();
    TAP_STR(t, open_it(), NULL);
    loam_fdt_node root = loam_fdt_root(&fdt), node = loam_fdt_child(&fdt, root);
    TAP_STR(t, loam_fdt_name(&fdt, root), "");
    TAP_STR(t, loam_fdt_name(&fdt, node), "aliases");
    TAP_CHECK(t, loam_fdt_is_none(loam_fdt_child(&fdt, node)));
    node = loam_fdt_sibling(&fdt, node);
    TAP_STR(t, loam_fdt_name(&fdt, node), "soc");
    TAP_STR(t, loam_fdt_name(&fdt, loam_fdt_child(&fdt, node)), "serial@1000");
    node = loam_fdt_sibling(&fdt, node);
    TAP_STR(t, loam_fdt_name(&fdt, node), "last");
    TAP_CHECK(t, loam_fdt_is_none(loam_fdt_sibling(&fdt, node)));
    TAP_CHECK(t, loam_fdt_is_none(loam_fdt_sibling(&fdt, root)));
}

static void nodes_of_none(tap *t)
{
    loam_fdt_prop prop;
    build();
    TAP_STR(t, open_it(), NULL);
    loam_fdt_node none = LOAM_FDT_NO_NODE;
    TAP_CHECK(t, loam_fdt_is_none(loam_fdt_child(&fdt, none)));
    TAP_CHECK(t, loam_fdt_is_none(loam_fdt_sibling(&fdt, none)));
    TAP_STR(t, loam_fdt_name(&fdt, none), "");
    TAP_CHECK(t, !loam_fdt_prop_get(&fdt, none, "reg", &prop));
    TAP_CHECK(t, loam_fdt_str(&fdt, none, "reg") == NULL);
    TAP_CHECK(t, !loam_fdt_is_compatible(&fdt, none, "loam,board"));
}

static void name_is(tap *t)
{
    build();
    TAP_STR(t, open_it(), NULL);
    loam_fdt_node node = find("/soc/serial@1000");
    TAP_CHECK(t, loam_fdt_name_is(&fdt, node, "serial"));
    TAP_CHECK(t, !loam_fdt_name_is(&fdt, node, "seria"));
    TAP_CHECK(t, !loam_fdt_name_is(&fdt, node, "serial@1000"));
    TAP_CHECK(t, !loam_fdt_name_is(&fdt, node, "serials"));
    TAP_CHECK(t, !loam_fdt_name_is(&fdt, loam_fdt_root(&fdt), ""));
}

static void find_paths(tap *t)
{
    build();
    TAP_STR(t, open_it(), NULL);
    TAP_EQ(t, find("/").at, loam_fdt_root(&fdt).at);
    TAP_STR(t, loam_fdt_name(&fdt, find("/soc/serial@2000")), "serial@2000");
    TAP_STR(t, loam_fdt_name(&fdt, find("/soc/serial")), "serial@1000");
    TAP_STR(t, loam_fdt_name(&fdt, find("//soc//timer/")), "timer");
    TAP_STR(t, loam_fdt_name(&fdt, loam_fdt_find(&fdt, "/last:115200", 5)), "last");
    static const char *const absent[] = {
        "",         "/so",          "/socs",  "/soc/serial@", "/timer",
        "/soc/tim", "/soc/timer/x", "nosuch", "/last/last",   "/soc/serial@10000"};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(absent); i++)
        TAP_CHECK(t, loam_fdt_is_none(find(absent[i])));
}

static void find_aliases(tap *t)
{
    build();
    TAP_STR(t, open_it(), NULL);
    TAP_STR(t, loam_fdt_name(&fdt, find("serial0")), "serial@1000");
    TAP_STR(t, loam_fdt_name(&fdt, find("soc/timer")), "timer");
    TAP_CHECK(t, loam_fdt_is_none(find("serial")));
    TAP_CHECK(t, loam_fdt_is_none(find("serial00")));
    TAP_CHECK(t, loam_fdt_is_none(find("loop")));
    TAP_CHECK(t, loam_fdt_is_none(find("serial0/nosuch")));
}

static void available(tap *t)
{
    build();
    TAP_STR(t, open_it(), NULL);
    TAP_CHECK(t, loam_fdt_is_available(&fdt, find("/soc")));
    TAP_CHECK(t, loam_fdt_is_available(&fdt, find("/soc/serial@1000")));
    TAP_CHECK(t, !loam_fdt_is_available(&fdt, find("/soc/serial@2000")));
    b.blob[fb_token(&b, FB_PROP, 8) + 12 + 4] = 'x'; /* "okay" without its end */
    TAP_CHECK(t, !loam_fdt_is_available(&fdt, find("/soc/serial@1000")));
}

/* ---- properties ---- */

static void prop_numbers(tap *t)
{
    static const unsigned char bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    loam_fdt_prop prop = {.data = bytes};
    uint32_t v32 = 0;
    uint64_t v64 = 0;
    for (uint32_t len = 0; len <= 12; len++) {
        prop.len = len;
        TAP_EQ(t, loam_fdt_prop_u32(&prop, &v32), len == 4);
        TAP_EQ(t, loam_fdt_prop_u64(&prop, &v64), len == 4 || len == 8);
        if (len == 4)
            TAP_EQ(t, v64, 0x01020304);
    }
    TAP_EQ(t, v32, 0x01020304);
    TAP_EQ(t, v64, 0x0102030405060708ULL);
}

static void prop_strings(tap *t)
{
    loam_fdt_prop prop;
    build();
    TAP_STR(t, open_it(), NULL);
    TAP_CHECK(t, loam_fdt_prop_get(&fdt, loam_fdt_root(&fdt), "compatible", &prop));
    TAP_EQ(t, prop.len, 23);
    TAP_STR(t, loam_fdt_prop_str(&prop, 0), "loam,board");
    TAP_STR(t, loam_fdt_prop_str(&prop, 1), "loam,family");
    TAP_STR(t, loam_fdt_prop_str(&prop, 2), NULL);
    TAP_CHECK(t, loam_fdt_prop_has(&prop, "loam,board"));
    TAP_CHECK(t, loam_fdt_prop_has(&prop, "loam,family"));
    TAP_CHECK(t, !loam_fdt_prop_has(&prop, "loam"));
    TAP_CHECK(t, !loam_fdt_prop_has(&prop, "family"));
    TAP_CHECK(t, !loam_fdt_prop_has(&prop, ""));
    TAP_CHECK(t, loam_fdt_is_compatible(&fdt, loam_fdt_root(&fdt), "loam,family"));
    prop.len--; /* the last string now has no end */
    TAP_STR(t, loam_fdt_prop_str(&prop, 1), NULL);
    TAP_CHECK(t, !loam_fdt_prop_has(&prop, "loam,family"));
    prop.len = 0;
    TAP_STR(t, loam_fdt_prop_str(&prop, 0), NULL);
}

static void prop_lookup(tap *t)
{
    loam_fdt_prop prop;
    build();
    TAP_STR(t, open_it(), NULL);
    TAP_CHECK(t, loam_fdt_prop_get(&fdt, find("/soc/timer"), "empty", &prop));
    TAP_EQ(t, prop.len, 0);
    TAP_CHECK(t, !loam_fdt_prop_get(&fdt, find("/soc/timer"), "empt", &prop));
    TAP_CHECK(t, !loam_fdt_prop_get(&fdt, find("/soc/timer"), "emptyy", &prop));
    TAP_CHECK(t, !loam_fdt_prop_get(&fdt, find("/soc"), "reg", &prop)); /* its child has one */
    TAP_STR(t, loam_fdt_str(&fdt, find("/soc/serial@1000"), "status"), "okay");
}

static void cells_of_nodes(tap *t)
{
    loam_fdt_cells cells;
    build();
    TAP_STR(t, open_it(), NULL);
    TAP_CHECK(t, loam_fdt_cells_get(&fdt, loam_fdt_root(&fdt), &cells));
    TAP_EQ(t, cells.address, 1);
    TAP_EQ(t, cells.size, 2);
    TAP_CHECK(t, loam_fdt_cells_get(&fdt, find("/soc"), &cells));
    TAP_EQ(t, cells.address, 2);
    TAP_EQ(t, cells.size, 1);
    fb_start(&b);
    fb_node(&b, "");
    fb_prop(&b, "#address-cells", "\0\0\0\0\0\0\0\1", 8);
    fb_end(&b);
    fb_finish(&b);
    TAP_STR(t, open_it(), NULL);
    TAP_CHECK(t, !loam_fdt_cells_get(&fdt, loam_fdt_root(&fdt), &cells));
}

static void reg_of_every_size(tap *t)
{
    static const unsigned char bytes[] = {0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4,
                                          0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0, 8};
    loam_fdt_prop reg = {.data = bytes, .len = 24};
    uint32_t count = 0;
    TAP_EQ(t, loam_fdt_reg_count(&reg, (loam_fdt_cells){1, 1}, &count), LOAM_OK);
    TAP_EQ(t, count, 3);
    TAP_EQ(t, loam_fdt_reg(&reg, (loam_fdt_cells){1, 1}, 2).base, 5);
    TAP_EQ(t, loam_fdt_reg(&reg, (loam_fdt_cells){1, 1}, 2).len, 6);
    TAP_EQ(t, loam_fdt_reg_count(&reg, (loam_fdt_cells){2, 1}, &count), LOAM_OK);
    TAP_EQ(t, count, 2);
    TAP_EQ(t, loam_fdt_reg(&reg, (loam_fdt_cells){2, 1}, 1).base, 0x400000005ULL);
    TAP_EQ(t, loam_fdt_reg(&reg, (loam_fdt_cells){1, 2}, 1).len, 0x500000006ULL);
    TAP_EQ(t, loam_fdt_reg_count(&reg, (loam_fdt_cells){2, 2}, &count), LOAM_EFORMAT);
    reg.len = 32;
    TAP_EQ(t, loam_fdt_reg_count(&reg, (loam_fdt_cells){2, 2}, &count), LOAM_OK);
    TAP_EQ(t, loam_fdt_reg(&reg, (loam_fdt_cells){2, 2}, 1).len, 0x700000008ULL);
    static const loam_fdt_cells bad[] = {{0, 1}, {1, 0}, {3, 1}, {1, 3}, {~0U, ~0U}, {0, 0}};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(bad); i++)
        TAP_EQ(t, loam_fdt_reg_count(&reg, bad[i], &count), LOAM_EINVAL);
    reg.len = 0;
    TAP_EQ(t, loam_fdt_reg_count(&reg, (loam_fdt_cells){1, 1}, &count), LOAM_OK);
    TAP_EQ(t, count, 0);
}

/* ---- damage ---- */

/* Everything that can be asked; the answers do not matter, that they come back does. */
static void ask_everything(void)
{
    loam_fdt_node node = loam_fdt_child(&fdt, loam_fdt_root(&fdt));
    loam_fdt_prop prop;
    loam_fdt_cells cells;
    uint32_t count = 0;
    for (; !loam_fdt_is_none(node); node = loam_fdt_sibling(&fdt, node)) {
        (void)loam_fdt_cells_get(&fdt, node, &cells);
        (void)loam_fdt_is_available(&fdt, node);
        if (loam_fdt_prop_get(&fdt, loam_fdt_child(&fdt, node), "reg", &prop) &&
            loam_fdt_reg_count(&prop, cells, &count) == LOAM_OK)
            for (uint32_t i = 0; i < count; i++)
                (void)loam_fdt_reg(&prop, cells, i);
    }
    (void)find("serial0");
    (void)find("/soc/serial@2000/x");
}

static void damage_every_byte(tap *t)
{
    static const unsigned char to[] = {0, 1, 3, 9, 0x7f, 0x80, 0xff};
    unsigned accepted = 0;
    build();
    for (uint32_t at = 0; at < b.len; at++) {
        unsigned char was = b.blob[at];
        for (size_t k = 0; k < LOAM_ARRAY_LEN(to); k++) {
            b.blob[at] = to[k];
            const char *why = open_it();
            TAP_CHECK(t, why == NULL || why[0] == 'F');
            if (why == NULL) {
                accepted++;
                ask_everything();
            }
        }
        b.blob[at] = was;
    }
    TAP_CHECK(t, accepted > 0);
    TAP_STR(t, open_it(), NULL);
}

static void damage_after_open(tap *t)
{
    for (unsigned round = 0; round < 2000; round++) {
        build();
        TAP_STR(t, open_it(), NULL);
        for (unsigned i = 0; i < 4; i++)
            b.blob[tap_below(t, b.len)] = (unsigned char)tap_rand(t);
        ask_everything();
    }
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
    {"fdt_walk: a whole tree: tokens in order", walk_order},
    {"fdt_walk: broken behind our back: says so and stays there", walk_broken_stays},
    {"fdt_child, fdt_sibling: the whole tree by steps", nodes_by_steps},
    {"fdt nodes: no node in: no node out", nodes_of_none},
    {"fdt_name_is: with and without unit address", name_is},
    {"fdt_find: paths: found by part, unit address optional", find_paths},
    {"fdt_find: aliases: one step, no loop", find_aliases},
    {"fdt_is_available: status absent, okay, disabled, endless", available},
    {"fdt_prop_u32, u64: only of their lengths", prop_numbers},
    {"fdt_prop_str, has: strings that end inside", prop_strings},
    {"fdt_prop_get: by whole name, of this node alone", prop_lookup},
    {"fdt_cells_get: own, default, malformed", cells_of_nodes},
    {"fdt_reg: every combination of cells", reg_of_every_size},
    {"fdt_open: every byte damaged: a rule's name or a readable tree", damage_every_byte},
    {"fdt nodes: damage after open: answers stay inside the blob", damage_after_open},
};
TAP_SUITE(fdt_test, cases);
