/* SPDX-License-Identifier: MIT */
/* slab_config_test.c - the words that set a slab layer up: read, refused, listed. */
#include "slab_ground.h"

static void options_set(tap *t)
{
    loam_slab_config c;
    const char *bad = NULL;
    loam_slab_config_init(&c);
    TAP_EQ(t, loam_slab_config_parse(&c, "", &bad), LOAM_OK);
    TAP_EQ(t, c.modes, 0);
    TAP_EQ(t, loam_slab_config_parse(&c, "guard,owner=yes,shift=14,seed=0xfF", &bad), LOAM_OK);
    TAP_EQ(t, c.modes, LOAM_SLAB_GUARD | LOAM_SLAB_OWNER);
    TAP_EQ(t, c.shift, 14);
    TAP_EQ(t, c.seed, 255);
    TAP_EQ(t, loam_slab_config_parse(&c, "quarantine=2M,keep_empty=no,guard=off", &bad), LOAM_OK);
    TAP_EQ(t, c.modes, LOAM_SLAB_QUARANTINE | LOAM_SLAB_OWNER);
    TAP_EQ(t, c.quarantine_bytes, 2 << 20);
    TAP_CHECK(t, !c.keep_empty);
    TAP_EQ(t, loam_slab_config_parse(&c, "quarantine=no,owner=0,zero,random,poison,", &bad),
           LOAM_OK);
    TAP_EQ(t, c.modes, LOAM_SLAB_ZERO | LOAM_SLAB_RANDOM | LOAM_SLAB_POISON);
    TAP_EQ(t, loam_slab_config_parse(&c, "quarantine,keep_empty", &bad), LOAM_OK);
    TAP_EQ(t, c.quarantine_bytes, 2 << 20);
    TAP_CHECK(t, c.keep_empty);
    TAP_EQ(t, loam_slab_config_parse(&c, "seed=18446744073709551615", NULL), LOAM_OK);
    TAP_EQ(t, c.seed, UINT64_MAX);
    TAP_EQ(t, loam_slab_config_parse(&c, "quarantine=1G,seed=7g", NULL), LOAM_OK);
    TAP_EQ(t, c.quarantine_bytes, 1U << 30);
    TAP_EQ(t, c.seed, 7ULL << 30);
    TAP_EQ(t, loam_slab_config_parse(&c, "zero=off,keep_empty=0,quarantine=0", NULL), LOAM_OK);
    TAP_EQ(t, c.modes, LOAM_SLAB_RANDOM | LOAM_SLAB_POISON);
    TAP_EQ(t, loam_slab_config_parse(&c, "shift=12,seed=off,shift=no", NULL), LOAM_OK);
    TAP_EQ(t, c.shift + c.seed, 0);
    TAP_CHECK(t, !c.keep_empty);
    for (unsigned i = 0; i < 3; i++) {
        static const char *const none[] = {"keep_large=no", "keep_large=off", "keep_large=0"};
        c.keep_large = 4096;
        TAP_EQ(t, loam_slab_config_parse(&c, none[i], NULL), LOAM_OK);
        TAP_EQ(t, c.keep_large, 0);
    }
}

static void options_refused(tap *t)
{
    static const char *const wrong[] = {
        "guards",
        "guar",
        "guard=maybe",
        "guard=",
        "shift",
        "shift=",
        "shift=11",
        "shift=17",
        "shift=1x",
        "shift=K",
        "quarantine=2G",
        "quarantine=4096M",
        "quarantine=-1",
        "seed=0x",
        "seed=18446744073709551616",
        "seed=0xffffffffffffffffK",
        "seed=17179869184G",
        "seed=1KK",
        "seed=G",
        "=",
        ",",
        "keep_empty=2",
        "keep_large=none",
        "seed=on",
        "guard owner",
    };
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(wrong); i++) {
        loam_slab_config c;
        const char *bad = NULL;
        char text[64];
        loam_text joined;
        loam_text_init(&joined, text, sizeof text);
        loam_text_fmt(&joined, "zero,shift=13,%s", wrong[i]);
        loam_slab_config_init(&c);
        TAP_EQ(t, loam_slab_config_parse(&c, text, &bad), LOAM_EINVAL);
        TAP_CHECK(t, bad == text + 14);
        TAP_EQ(t, c.modes, 0);
        TAP_EQ(t, c.shift, 0);
    }
}

static void options_listed(tap *t)
{
    unsigned n = 0;
    for (const loam_slab_option *o; (o = loam_slab_option_at(n)) != NULL; n++) {
        char text[64];
        loam_text word;
        loam_slab_config c, start;
        loam_slab_config_init(&c);
        start = c;
        loam_text_init(&word, text, sizeof text);
        loam_text_fmt(&word, "%s=%s", o->name, o->value);
        TAP_EQ(t, loam_slab_config_parse(&c, text, NULL), LOAM_OK);
        TAP_CHECK(t, c.modes == start.modes && c.shift == start.shift && c.seed == start.seed &&
                         c.keep_empty == start.keep_empty && c.keep_large == start.keep_large &&
                         c.quarantine_bytes == start.quarantine_bytes);
        TAP_CHECK(t, o->help[0] != '\0');
    }
    TAP_EQ(t, n, 12);
    TAP_CHECK(t, loam_slab_option_at(~0U) == NULL);
}

static const tap_case cases[] = {
    {"slab_config_parse: right words: set", options_set},
    {"slab_config_parse: a wrong word: pointed at, nothing set", options_refused},
    {"slab_option_at: every row: default and help", options_listed},
};

TAP_SUITE(slab_config_test, cases);
