/* SPDX-License-Identifier: MIT */
#include "loam/port.h"
#include "tap.h"

enum { MOST = 2048, EDGE = 64, LONG = 12000 };

static unsigned char area[MOST + 2 * EDGE] __attribute__((aligned(64)));

static void fill(unsigned char value)
{
    for (size_t i = 0; i < sizeof area; i++)
        area[i] = value;
}

/* No byte outside of the run matters, and each one inside does. */
static void reads_zero_at(tap *t, size_t from, size_t len)
{
    fill(0xff);
    for (size_t i = 0; i < len; i++)
        area[from + i] = 0;
    TAP_CHECK(t, LOAM_PORT_READS_ZERO(area + from, len));
    TAP_CHECK(t, loam_wide_reads_zero(area + from, len));
    for (size_t i = 0; i < len; i++) {
        area[from + i] = (unsigned char)(1U << tap_below(t, 8));
        if (LOAM_PORT_READS_ZERO(area + from, len) || loam_wide_reads_zero(area + from, len))
            TAP_EQ(t, i, len);
        area[from + i] = 0;
    }
}

static void reads_zero(tap *t)
{
    for (size_t from = 0; from < EDGE; from += 16) {
        for (size_t len = LOAM_WIDE_LEAST; len <= LOAM_WIDE_LEAST + 320; len += 16)
            reads_zero_at(t, from, len);
        reads_zero_at(t, from, MOST);
    }
}

/* The first byte that is not as it should be; sizeof area: none. */
static size_t cleared_wrong(size_t from, size_t len)
{
    for (size_t i = 0; i < sizeof area; i++)
        if (area[i] != (i - from < len ? 0 : 0xff))
            return i;
    return sizeof area;
}

static void clear_at(tap *t, size_t from, size_t len)
{
    fill(0xff);
    LOAM_PORT_CLEAR(area + from, len);
    TAP_EQ(t, cleared_wrong(from, len), sizeof area);
    fill(0xff);
    loam_wide_clear(area + from, len);
    TAP_EQ(t, cleared_wrong(from, len), sizeof area);
}

static void clear(tap *t)
{
    for (size_t from = 0; from < EDGE; from += 1 + from % 5) {
        for (size_t len = LOAM_WIDE_LEAST; len <= LOAM_WIDE_LEAST + 160; len++)
            clear_at(t, from, len);
        clear_at(t, from, MOST);
    }
}

static void start(tap *t)
{
    (void)t;
    LOAM_PORT_WIDE_START();
}

/* From 8 KiB on a port may have another way. */
static void clear_long(tap *t)
{
    static const size_t lens[] = {8191, 8192, 8193, 8255, 8256, LONG - 1, LONG};
    static unsigned char field[LONG + 2 * EDGE] __attribute__((aligned(64)));
    for (size_t from = 0; from < EDGE; from += 1 + from % 5) {
        for (size_t i = 0; i < LOAM_ARRAY_LEN(lens); i++) {
            size_t at = 0;
            __builtin_memset(field, 0xff, sizeof field);
            LOAM_PORT_CLEAR(field + from, lens[i]);
            while (at < sizeof field && field[at] == (at - from < lens[i] ? 0 : 0xff))
                at++;
            TAP_EQ(t, at, sizeof field);
        }
    }
}

static const tap_case cases[] = {
    {"port_wide: reads_zero: every length and place: finds each byte that is not 0", reads_zero},
    {"port_wide: clear: every length and place: those bytes and no others", clear},
    {"port_wide: clear: long runs: those bytes and no others", clear_long},
    {"port_wide: start: chooses what the processor has", start},
    {"port_wide: reads_zero: after start: as before", reads_zero},
    {"port_wide: clear: after start: as before", clear},
    {"port_wide: clear: long runs, after start: as before", clear_long},
};
TAP_SUITE(port_wide_test, cases);
