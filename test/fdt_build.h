/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_FDT_BUILD_H
#define LOAM_TEST_FDT_BUILD_H

/* fdt_build.h - writes small device trees for tests, right ones and, token by token, wrong ones.
 *
 *     fb_start(&b);
 *     fb_reserve(&b, 0, 0x1000);
 *     fb_node(&b, "");
 *     FB_CELLS(&b, "reg", 0, 0x1000);
 *     fb_end(&b);
 *     fb_finish(&b);          // b.blob, b.len
 *
 * A tree that does not fit shows as len 0. */
#include "loam/base.h"

enum {
    FB_CAP = 64 * 1024,
    FB_STRINGS_CAP = 1024,
    FB_RESERVE_CAP = 600 * 16,
    /* offsets of the header's fields */
    FB_TOTAL = 4,
    FB_OFF_STRUCTS = 8,
    FB_OFF_STRINGS = 12,
    FB_OFF_RESERVE = 16,
    FB_VERSION = 20,
    FB_COMPATIBLE = 24,
    FB_LEN_STRINGS = 32,
    FB_LEN_STRUCTS = 36,
    /* tokens */
    FB_BEGIN = 1,
    FB_END = 2,
    FB_PROP = 3,
    FB_NOP = 4,
    FB_DONE = 9
};

typedef struct fdt_build {
    unsigned char structs[FB_CAP], strings[FB_STRINGS_CAP], reserve[FB_RESERVE_CAP];
    uint32_t structs_len, strings_len, reserve_len;
    bool full;
    unsigned char blob[FB_CAP + FB_STRINGS_CAP + FB_RESERVE_CAP + 64];
    uint32_t len;
} fdt_build;

static inline void fb_put32(unsigned char *p, uint32_t v)
{
    p[0] = (unsigned char)(v >> 24);
    p[1] = (unsigned char)(v >> 16);
    p[2] = (unsigned char)(v >> 8);
    p[3] = (unsigned char)v;
}

static inline uint32_t fb_get32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void fb_start(fdt_build *b)
{
    b->structs_len = b->strings_len = b->reserve_len = b->len = 0;
    b->full = false;
}

/* Bytes, then zeros up to the next cell. */
static inline void fb_bytes(fdt_build *b, const void *data, uint32_t len)
{
    const unsigned char *p = data;
    if (len > FB_CAP - 4 || b->structs_len > FB_CAP - 4 - len) {
        b->full = true;
        return;
    }
    for (uint32_t i = 0; i < len; i++)
        b->structs[b->structs_len++] = p[i];
    while (b->structs_len % 4 != 0)
        b->structs[b->structs_len++] = 0;
}

static inline void fb_cell(fdt_build *b, uint32_t v)
{
    unsigned char cell[4];
    fb_put32(cell, v);
    fb_bytes(b, cell, 4);
}

static inline uint32_t fb_strlen(const char *s)
{
    uint32_t n = 0;
    while (s[n] != 0)
        n++;
    return n;
}

/* The offset of a string in the strings block, where it is put when it is not there yet. */
static inline uint32_t fb_string(fdt_build *b, const char *s)
{
    uint32_t n = fb_strlen(s) + 1;
    for (uint32_t at = 0; at + n <= b->strings_len; at++) {
        uint32_t i = 0;
        while (i < n && b->strings[at + i] == (unsigned char)s[i])
            i++;
        if (i == n)
            return at;
    }
    if (n > FB_STRINGS_CAP - b->strings_len) {
        b->full = true;
        return 0;
    }
    for (uint32_t i = 0; i < n; i++)
        b->strings[b->strings_len + i] = (unsigned char)s[i];
    b->strings_len += n;
    return b->strings_len - n;
}

static inline void fb_reserve(fdt_build *b, uint64_t base, uint64_t len)
{
    unsigned char *p = b->reserve + b->reserve_len;
    if (b->reserve_len + 32 > FB_RESERVE_CAP) {
        b->full = true;
        return;
    }
    fb_put32(p, (uint32_t)(base >> 32));
    fb_put32(p + 4, (uint32_t)base);
    fb_put32(p + 8, (uint32_t)(len >> 32));
    fb_put32(p + 12, (uint32_t)len);
    b->reserve_len += 16;
}

static inline void fb_node(fdt_build *b, const char *name)
{
    fb_cell(b, FB_BEGIN);
    fb_bytes(b, name, fb_strlen(name) + 1);
}

static inline void fb_end(fdt_build *b)
{
    fb_cell(b, FB_END);
}

static inline void fb_prop(fdt_build *b, const char *name, const void *data, uint32_t len)
{
    fb_cell(b, FB_PROP);
    fb_cell(b, len);
    fb_cell(b, fb_string(b, name));
    fb_bytes(b, data, len);
}

static inline void fb_str(fdt_build *b, const char *name, const char *value)
{
    fb_prop(b, name, value, fb_strlen(value) + 1);
}

static inline void fb_cells(fdt_build *b, const char *name, const uint32_t *cell, uint32_t count)
{
    fb_cell(b, FB_PROP);
    fb_cell(b, count * 4);
    fb_cell(b, fb_string(b, name));
    for (uint32_t i = 0; i < count; i++)
        fb_cell(b, cell[i]);
}

#define FB_CELLS(b, name, ...)                                                                     \
    fb_cells(b, name, (const uint32_t[]){__VA_ARGS__},                                             \
             (uint32_t)(sizeof((const uint32_t[]){__VA_ARGS__}) / 4))

static inline uint32_t fb_part(fdt_build *b, uint32_t field, const unsigned char *data,
                               uint32_t len, uint32_t at)
{
    fb_put32(b->blob + field, at);
    for (uint32_t i = 0; i < len; i++)
        b->blob[at + i] = data[i];
    return at + len;
}

/* Puts the blocks together as they are: header, reservations, structure, strings. Ends the
 * reservations, not the structure. */
static inline void fb_assemble(fdt_build *b)
{
    for (uint32_t i = 0; i < 16; i++)
        b->reserve[b->reserve_len + i] = 0;
    fb_put32(b->blob, 0xd00dfeedU);
    fb_put32(b->blob + FB_VERSION, 17);
    fb_put32(b->blob + FB_COMPATIBLE, 16);
    fb_put32(b->blob + 28, 0);
    fb_put32(b->blob + FB_LEN_STRINGS, b->strings_len);
    fb_put32(b->blob + FB_LEN_STRUCTS, b->structs_len);
    uint32_t at = fb_part(b, FB_OFF_RESERVE, b->reserve, b->reserve_len + 16, 40);
    at = fb_part(b, FB_OFF_STRUCTS, b->structs, b->structs_len, at);
    at = fb_part(b, FB_OFF_STRINGS, b->strings, b->strings_len, at);
    fb_put32(b->blob + FB_TOTAL, at);
    b->len = b->full ? 0 : at;
}

static inline void fb_finish(fdt_build *b)
{
    fb_cell(b, FB_DONE);
    fb_assemble(b);
}

/* The offset in the blob of the n-th token (0, 1, ...) of this kind, or of the end. */
static inline uint32_t fb_token(const fdt_build *b, uint32_t token, unsigned n)
{
    uint32_t start = fb_get32(b->blob + FB_OFF_STRUCTS), at = start;
    while (at - start + 4 <= b->structs_len) {
        uint32_t found = fb_get32(b->blob + at);
        if (found == token && n-- == 0)
            return at;
        at += 4;
        if (found == FB_PROP)
            at += 8 + ((fb_get32(b->blob + at) + 3) & ~3U);
        else if (found == FB_BEGIN)
            at += (fb_strlen((const char *)b->blob + at) + 4) & ~3U;
    }
    return at;
}

#endif
