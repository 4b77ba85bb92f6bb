/* SPDX-License-Identifier: MIT */
/* elf_test.c - a small program file, right, and then with one lie at a time. */
#include "loam/elf.h"
#include "tap.h"

enum {
    CAP = 0x3000,
    HEADERS = 52,
    TEXT = 0x400000,
    DATA = 0x402000,
    TYPE = 0, /* of a program header: */
    OFFSET = 4,
    VA = 8,
    FILESZ = 16,
    MEMSZ = 20,
    FLAGS = 24,
    ALIGN = 28,
    LOAD = 1,
    R = 4,
    RW = 6,
    RX = 5
};

static unsigned char file[CAP];
static size_t len;
static loam_elf elf;
static loam_span window;

static void put16(size_t at, uint32_t v)
{
    file[at] = (unsigned char)v;
    file[at + 1] = (unsigned char)(v >> 8);
}

static void put32(size_t at, uint32_t v)
{
    put16(at, v & 0xffff);
    put16(at + 2, v >> 16);
}

static size_t header_at(unsigned i)
{
    return HEADERS + (size_t)i * 32;
}

static void put_segment(unsigned i, uint32_t offset, uint32_t va, uint32_t filesz, uint32_t memsz,
                        uint32_t flags)
{
    size_t at = header_at(i);
    put32(at + TYPE, LOAD);
    put32(at + OFFSET, offset);
    put32(at + VA, va);
    put32(at + FILESZ, filesz);
    put32(at + MEMSZ, memsz);
    put32(at + FLAGS, flags);
    put32(at + ALIGN, 0x1000);
    if (file[44] <= i)
        put16(44, i + 1);
}

/* Text of 0x800 bytes, and data of 0x100 with 0x2000 zeros behind. */
static void build(void)
{
    static const unsigned char ident[] = {0x7f, 'E', 'L', 'F', 1, 1, 1};
    __builtin_memset(file, 0, sizeof file);
    __builtin_memcpy(file, ident, sizeof ident);
    put16(16, 2);
    put16(18, LOAM_ELF_386);
    put32(20, 1);
    put32(24, TEXT + 0x10);
    put32(28, HEADERS);
    put16(40, HEADERS);
    put16(42, 32);
    put_segment(0, 0x1000, TEXT, 0x800, 0x800, RX);
    put_segment(1, 0x2000, DATA, 0x100, 0x2100, RW);
    len = 0x2100;
    window = (loam_span){0x10000, 0xbfff0000U};
}

static const char *open_file(void)
{
    loam_err err = loam_elf_open(&elf, file, len, LOAM_ELF_386, window);
    if ((err == LOAM_OK) != (elf.why == NULL) || (err != LOAM_OK && err != LOAM_EFORMAT))
        return "the answer and the reason do not agree";
    return elf.why;
}

static void opens(tap *t)
{
    build();
    TAP_STR(t, open_file(), NULL);
    TAP_EQ(t, elf.count, 2);
    TAP_EQ(t, elf.entry, TEXT + 0x10);
    TAP_EQ(t, elf.segment[0].va, TEXT);
    TAP_EQ(t, elf.segment[0].len, 0x800);
    TAP_EQ(t, elf.segment[0].file_len, 0x800);
    TAP_CHECK(t, elf.segment[0].data == file + 0x1000);
    TAP_EQ(t, elf.segment[0].flags, LOAM_ELF_EXEC);
    TAP_EQ(t, elf.segment[1].len, 0x2100);
    TAP_EQ(t, elf.segment[1].file_len, 0x100);
    TAP_EQ(t, elf.segment[1].flags, LOAM_ELF_WRITE);
}

/* What need not be loaded does not count: notes, stacks, segments without memory. */
static void ignores(tap *t)
{
    build();
    put_segment(2, 0xffffffffU, 0xffffffffU, 0xffffffffU, 0xffffffffU, 7);
    put32(header_at(2) + TYPE, 0x6474e551); /* GNU_STACK */
    put_segment(3, 0xfffffff0U, 0, 0, 0, R);
    TAP_STR(t, open_file(), NULL);
    TAP_EQ(t, elf.count, 2);
    put_segment(4, 0, 0x500000, 0, 0x3000, R); /* zeros alone, from no byte of the file */
    TAP_STR(t, open_file(), NULL);
    TAP_EQ(t, elf.count, 3);
    TAP_EQ(t, elf.segment[2].flags, 0);
}

static void headers(tap *t)
{
    build();
    for (size_t n = 0; n < HEADERS; n++) {
        len = n;
        TAP_RULE(t, open_file(), "X1");
    }
    for (size_t i = 0; i < 7; i++) {
        build();
        file[i] ^= 2;
        TAP_RULE(t, open_file(), "X1");
    }
    build();
    put32(20, 2);
    TAP_RULE(t, open_file(), "X1");
    build();
    put16(16, 3); /* at any address */
    TAP_RULE(t, open_file(), "X2");
    build();
    put16(18, 62);
    TAP_RULE(t, open_file(), "X2");
}

static void tables(tap *t)
{
    build();
    put16(44, 0);
    TAP_RULE(t, open_file(), "X3 there are");
    build();
    put16(42, 56);
    TAP_RULE(t, open_file(), "X3 program headers have");
    static const uint32_t bad[] = {0x2100 - 63, 0x2101, 0x7fffffff, 0xffffffffU, 0xffffffc0U};
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(bad); i++) {
        build();
        put32(28, bad[i]);
        TAP_RULE(t, open_file(), "X3 program headers leave");
    }
    build();
    put16(44, 0xffff);
    TAP_RULE(t, open_file(), "X3 program headers leave");
    build();
    __builtin_memcpy(file + 0x2100 - 64, file + HEADERS, 64);
    put32(28, 0x2100 - 64); /* right up to the end */
    TAP_STR(t, open_file(), NULL);
}

static void linkers(tap *t)
{
    build();
    put_segment(2, 0, 0, 0, 0, R);
    put32(header_at(2) + TYPE, 3);
    TAP_RULE(t, open_file(), "X4");
    put32(header_at(2) + TYPE, 2);
    TAP_RULE(t, open_file(), "X4");
}

typedef struct lie {
    unsigned field;
    uint32_t value;
    const char *why;
} lie;

/* One field of the data segment changed. */
static void lies(tap *t)
{
    static const lie lie_of[] = {
        {FILESZ, 0x2101, "X5 a segment has more"},
        {FILESZ, 0x101, "X5 a segment leaves"},
        {OFFSET, 0x2001, "X5 a segment leaves"},
        {OFFSET, 0xffffff00U, "X5 a segment leaves"},
        {OFFSET, 0xfffff000U, "X5 a segment leaves"},
        {MEMSZ, 0xff, "X5 a segment has more"},
        {MEMSZ, 0xffffffffU, "X6 a segment wraps"},
        {VA, 0xffffe000U, "X6 a segment wraps"},
        {MEMSZ, 0xbfbfe001U, "X6 a segment leaves"},
        {VA, 0xbfffe000U, "X6 a segment leaves"},
        {VA, 0xc0000000U, "X6 a segment leaves"},
        {VA, 0xf000, "X6 a segment leaves"},
        {VA, 0, "X6 a segment is on page 0"},
        {VA, 0xfff, "X6 a segment is on page 0"},
        {VA, DATA + 4, "X7"},
        {ALIGN, 0x1001, "X7"},
        {ALIGN, 0x30, "X7"},
        {ALIGN, 0x800000, "X7"},
        {FLAGS, 7, "X8"},
        {VA, TEXT, "X9 segments overlap"},
        {VA, 0x200000, "X9 segments overlap"},
    };
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(lie_of); i++) {
        build();
        put32(header_at(1) + lie_of[i].field, lie_of[i].value);
        TAP_RULE(t, open_file(), lie_of[i].why);
    }
}

static void edges(tap *t)
{
    build();
    put32(header_at(1) + MEMSZ, 0xbfbfe000U); /* to the window's last byte */
    TAP_STR(t, open_file(), NULL);
    build();
    put32(header_at(1) + VA, TEXT + 0x800); /* right behind the text, on its page */
    put32(header_at(1) + OFFSET, 0x1800);
    TAP_RULE(t, open_file(), "X9 two segments");
    put32(header_at(0) + MEMSZ, 0x1000);
    put32(header_at(1) + VA, TEXT + 0x1000);
    put32(header_at(1) + OFFSET, 0x2000);
    TAP_STR(t, open_file(), NULL);
    put32(header_at(0) + MEMSZ, 0x1001);
    TAP_RULE(t, open_file(), "X9 segments overlap");
    static const uint32_t aligns[] = {0, 1, 2, 0x1000, 0x2000};
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(aligns); i++) {
        build();
        put32(header_at(1) + ALIGN, aligns[i]);
        TAP_STR(t, open_file(), NULL);
    }
    build();
    put32(header_at(1) + VA, 0xfffff000U);
    put32(header_at(1) + MEMSZ, 0x1000); /* ends where addresses end: no wrap, but outside */
    TAP_RULE(t, open_file(), "X6 a segment leaves");
    window = (loam_span){0, 1ULL << 32};
    TAP_STR(t, open_file(), NULL);
}

static void counts(tap *t)
{
    build();
    put32(header_at(0) + TYPE, 0);
    put32(header_at(1) + TYPE, 0);
    TAP_RULE(t, open_file(), "X10 it has nothing");
    build();
    for (unsigned i = 2; i < LOAM_ELF_SEGMENTS; i++)
        put_segment(i, 0, 0x500000 + i * 0x1000, 0, 0x10, R);
    TAP_STR(t, open_file(), NULL);
    TAP_EQ(t, elf.count, LOAM_ELF_SEGMENTS);
    put_segment(LOAM_ELF_SEGMENTS, 0, 0x600000, 0, 0x10, R);
    TAP_RULE(t, open_file(), "X10 it has too many");
}

static void entries(tap *t)
{
    static const uint32_t bad[] = {0, TEXT - 1, TEXT + 0x800, DATA, 0xc0000000U, 0xffffffffU};
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(bad); i++) {
        build();
        put32(24, bad[i]);
        TAP_RULE(t, open_file(), "X11");
    }
    build();
    put32(24, TEXT + 0x7ff);
    TAP_STR(t, open_file(), NULL);
}

static const tap_case cases[] = {
    {"elf_open: text and data: as the file says", opens},
    {"elf_open: what is not loaded: ignored", ignores},
    {"elf_open: a header cut or changed: X1, X2", headers},
    {"elf_open: a table that is not there: X3", tables},
    {"elf_open: dynamic programs: X4", linkers},
    {"elf_open: a segment that lies: X5 to X9", lies},
    {"elf_open: at every edge: taken, and refused one further", edges},
    {"elf_open: no segment, or too many: X10", counts},
    {"elf_open: an entry outside: X11", entries},
};

TAP_SUITE(elf_test, cases);
