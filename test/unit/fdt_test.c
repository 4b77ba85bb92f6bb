/* SPDX-License-Identifier: MIT */
/* fdt_test.c - device trees that are open: walked, asked for nodes and properties, damaged. */
#include "fdt_ground.h"
#include "tap.h"

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
