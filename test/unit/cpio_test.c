/* SPDX-License-Identifier: MIT */
#include "loam/cpio.h"

#include "tap.h"

/* ---- a writer of archives, right or wrong ---- */

enum { CAP = 4096, FIELDS = 13, MODE = 1, SIZE = 6, NAME_SIZE = 11, CHECK = 12 };

static unsigned char archive[CAP];
static size_t len;
static loam_cpio cpio;

static void put(const void *data, size_t n)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < n && len < CAP; i++)
        archive[len++] = p[i];
}

static void put_hex(uint32_t v)
{
    for (int shift = 28; shift >= 0; shift -= 4)
        put(&"0123456789abcdef"[v >> shift & 15], 1);
}

static void pad(void)
{
    while (len % 4 != 0)
        put("", 1);
}

static size_t length(const char *s)
{
    size_t n = 0;
    while (s[n] != 0)
        n++;
    return n;
}

/* An entry; field[] as the format orders them, sizes given by hand. */
static void put_raw(const char *magic, const uint32_t field[FIELDS], const char *name,
                    size_t name_len, const char *data, size_t data_len)
{
    put(magic, 6);
    for (unsigned i = 0; i < FIELDS; i++)
        put_hex(field[i]);
    put(name, name_len);
    pad();
    put(data, data_len);
    pad();
}

static void put_entry(const char *magic, const char *name, uint32_t mode, const char *data)
{
    uint32_t field[FIELDS] = {7, mode, 100, 200, 1, 0x5f000000};
    field[SIZE] = (uint32_t)length(data);
    field[NAME_SIZE] = (uint32_t)length(name) + 1;
    if (magic[5] == '2')
        for (size_t i = 0; data[i] != 0; i++)
            field[CHECK] += (unsigned char)data[i];
    put_raw(magic, field, name, length(name) + 1, data, length(data));
}

static void put_file(const char *name, const char *data)
{
    put_entry("070701", name, LOAM_CPIO_FILE | 0644, data);
}

static void put_trailer(void)
{
    put_entry("070701", "TRAILER!!!", 0, "");
    loam_cpio_init(&cpio, archive, len);
}

static bool data_is(const loam_cpio_entry *entry, const char *want)
{
    for (uint32_t i = 0; i < entry->size; i++)
        if (want[i] == 0 || (unsigned char)want[i] != entry->data[i])
            return false;
    return want[entry->size] == 0;
}

static void build(void)
{
    len = 0;
    put_entry("070701", ".", LOAM_CPIO_DIR | 0755, "");
    put_file("hello.txt", "hello, world\n");
    put_entry("070701", "./etc", LOAM_CPIO_DIR | 0755, "");
    put_file("./etc/motd", "abc");
    put_file("empty", "");
    put_entry("070701", "link", LOAM_CPIO_LINK | 0777, "etc/motd");
    put_trailer();
}

/* ---- reading ---- */

static void next_all(tap *t)
{
    static const struct {
        const char *name, *data;
        uint32_t type;
    } want[] = {{".", "", LOAM_CPIO_DIR},      {"hello.txt", "hello, world\n", LOAM_CPIO_FILE},
                {"./etc", "", LOAM_CPIO_DIR},  {"./etc/motd", "abc", LOAM_CPIO_FILE},
                {"empty", "", LOAM_CPIO_FILE}, {"link", "etc/motd", LOAM_CPIO_LINK}};
    loam_cpio_entry entry;
    build();
    for (size_t i = 0; i < LOAM_ARRAY_LEN(want); i++) {
        TAP_EQ(t, loam_cpio_next(&cpio, &entry), LOAM_OK);
        TAP_STR(t, entry.name, want[i].name);
        TAP_EQ(t, entry.mode & LOAM_CPIO_TYPE, want[i].type);
        TAP_CHECK(t, data_is(&entry, want[i].data));
    }
    TAP_EQ(t, loam_cpio_next(&cpio, &entry), LOAM_ENOENT);
    TAP_EQ(t, loam_cpio_next(&cpio, &entry), LOAM_ENOENT);
    TAP_STR(t, cpio.why, NULL);
}

static void next_fields(tap *t)
{
    loam_cpio_entry entry;
    len = 0;
    put_file("f", "x");
    put_trailer();
    for (size_t i = 6; i < 110; i++) /* capital digits, too */
        if (archive[i] == 'f')
            archive[i] = 'F';
    TAP_EQ(t, loam_cpio_next(&cpio, &entry), LOAM_OK);
    TAP_EQ(t, entry.ino, 7);
    TAP_EQ(t, entry.mode, 0100644);
    TAP_EQ(t, entry.uid, 100);
    TAP_EQ(t, entry.gid, 200);
    TAP_EQ(t, entry.nlink, 1);
    TAP_EQ(t, entry.mtime, 0x5f000000);
    TAP_EQ(t, entry.size, 1);
}

static void next_empty(tap *t)
{
    loam_cpio_entry entry;
    len = 0;
    put_trailer();
    TAP_EQ(t, loam_cpio_next(&cpio, &entry), LOAM_ENOENT);
    loam_cpio_init(&cpio, archive, 0);
    TAP_EQ(t, loam_cpio_next(&cpio, &entry), LOAM_EFORMAT);
    TAP_RULE(t, cpio.why, "N1");
}

/* Walks to the end: NULL, or the rule that is broken. */
static const char *walk(void)
{
    loam_cpio_entry entry;
    loam_err err;
    do
        err = loam_cpio_next(&cpio, &entry);
    while (err == LOAM_OK);
    return err == LOAM_ENOENT ? NULL : cpio.why;
}

static void next_no_trailer(tap *t)
{
    len = 0;
    put_file("f", "x");
    loam_cpio_init(&cpio, archive, len);
    TAP_RULE(t, walk(), "N1");
    TAP_RULE(t, walk(), "N1");
}

static void next_every_prefix(tap *t)
{
    build();
    size_t whole = len - 1; /* the last byte pads the trailer's name */
    while (archive[whole - 1] == 0 && archive[whole - 2] == 0)
        whole--;
    for (size_t n = 0; n < whole; n++) {
        loam_cpio_init(&cpio, archive, n);
        TAP_CHECK(t, walk() != NULL);
    }
    loam_cpio_init(&cpio, archive, whole);
    TAP_STR(t, walk(), NULL);
    loam_cpio_init(&cpio, archive, CAP);
    TAP_STR(t, walk(), NULL);
}

static void next_magic(tap *t)
{
    static const char *const bad[] = {"070700", "070703", "070707", "x70701", "07070:", "17070 "};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(bad); i++) {
        len = 0;
        put_entry(bad[i], "f", LOAM_CPIO_FILE, "x");
        put_trailer();
        TAP_RULE(t, walk(), "N1");
    }
}

static void next_digits(tap *t)
{
    static const char bad[] = {'g', 'G', ' ', '/', ':', '@', '`', 'x', 0, '-', (char)0xff};
    for (size_t at = 6; at < 110; at++) {
        build();
        archive[at] = (unsigned char)bad[at % sizeof bad];
        TAP_RULE(t, walk(), "N2");
    }
}

static void next_name_size(tap *t)
{
    static const uint32_t bad[] = {0, 1, CAP, 0x7fffffff, 0x80000000U, 0xffffff90U, 0xffffffffU};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(bad); i++) {
        uint32_t field[FIELDS] = {0};
        len = 0;
        field[MODE] = LOAM_CPIO_FILE;
        field[NAME_SIZE] = bad[i];
        put_raw("070701", field, "name", 5, "", 0);
        put_trailer();
        TAP_RULE(t, walk(), "N3");
    }
}

static void next_name_end(tap *t)
{
    uint32_t field[FIELDS] = {0};
    len = 0;
    field[NAME_SIZE] = 4;
    put_raw("070701", field, "name", 5, "", 0);
    put_trailer();
    TAP_RULE(t, walk(), "N3");
    len = 0;
    put_raw("070701", field, "\0ab", 4, "", 0);
    put_trailer();
    TAP_RULE(t, walk(), "N3");
}

static void next_data_size(tap *t)
{
    static const uint32_t bad[] = {CAP, 0x7fffffff, 0x80000000U, 0xfffffff0U, 0xffffffffU};
    for (size_t i = 0; i < LOAM_ARRAY_LEN(bad); i++) {
        uint32_t field[FIELDS] = {0};
        len = 0;
        field[NAME_SIZE] = 5;
        field[SIZE] = bad[i];
        put_raw("070701", field, "name", 5, "", 0);
        put_trailer();
        TAP_RULE(t, walk(), "N4");
    }
}

static void next_checksum(tap *t)
{
    loam_cpio_entry entry;
    len = 0;
    put_entry("070702", "f", LOAM_CPIO_FILE | 0644, "\x7f\x01 data");
    put_entry("070702", "TRAILER!!!", 0, "");
    loam_cpio_init(&cpio, archive, len);
    TAP_STR(t, walk(), NULL);
    loam_cpio_init(&cpio, archive, len);
    archive[112] ^= 1; /* the first byte of the data */
    TAP_EQ(t, loam_cpio_next(&cpio, &entry), LOAM_EFORMAT);
    TAP_RULE(t, cpio.why, "N5");
    archive[5] = '1'; /* a type without checksums */
    TAP_STR(t, walk(), NULL);
}

static void next_checksum_exempt(tap *t)
{
    uint32_t field[FIELDS] = {0};
    field[NAME_SIZE] = 2;
    field[CHECK] = 0x1234;
    field[MODE] = LOAM_CPIO_FILE;
    len = 0;
    put_raw("070702", field, "a", 2, "", 0); /* a hard link that waits for its data */
    field[MODE] = LOAM_CPIO_LINK;
    field[SIZE] = 1;
    field[CHECK] = 0;
    put_raw("070702", field, "b", 2, "a", 1);
    put_trailer();
    TAP_STR(t, walk(), NULL);
}

/* ---- finding ---- */

static void find_paths(tap *t)
{
    static const char *const same[] = {"etc/motd", "/etc/motd", "./etc/motd", "././/etc/motd"};
    static const char *const none[] = {"motd", "etc/mot", "etc/motds", "../etc/motd", "TRAILER!!!"};
    loam_cpio_entry entry;
    build();
    for (size_t i = 0; i < LOAM_ARRAY_LEN(same); i++) {
        TAP_EQ(t, loam_cpio_find(&cpio, same[i], &entry), LOAM_OK);
        TAP_CHECK(t, data_is(&entry, "abc"));
    }
    for (size_t i = 0; i < LOAM_ARRAY_LEN(none); i++)
        TAP_EQ(t, loam_cpio_find(&cpio, none[i], &entry), LOAM_ENOENT);
    TAP_EQ(t, loam_cpio_find(&cpio, "/", &entry), LOAM_OK);
    TAP_STR(t, entry.name, ".");
    TAP_EQ(t, cpio.at, 0);
}

static void find_first(tap *t)
{
    loam_cpio_entry entry;
    len = 0;
    put_file("f", "one");
    put_file("f", "two");
    put_trailer();
    TAP_EQ(t, loam_cpio_find(&cpio, "f", &entry), LOAM_OK);
    TAP_CHECK(t, data_is(&entry, "one"));
}

static void find_in_broken(tap *t)
{
    loam_cpio_entry entry;
    len = 0;
    put_file("a", "one");
    put_entry("070709", "b", LOAM_CPIO_FILE, "two");
    put_trailer();
    TAP_EQ(t, loam_cpio_find(&cpio, "a", &entry), LOAM_OK);
    TAP_STR(t, cpio.why, NULL);
    TAP_EQ(t, loam_cpio_find(&cpio, "b", &entry), LOAM_EFORMAT);
    TAP_RULE(t, cpio.why, "N1");
}

static void path_prefixes(tap *t)
{
    TAP_STR(t, loam_cpio_path("."), "");
    TAP_STR(t, loam_cpio_path("./"), "");
    TAP_STR(t, loam_cpio_path("/./a/./b"), "a/./b");
    TAP_STR(t, loam_cpio_path("..a"), "..a");
    TAP_STR(t, loam_cpio_path(".hidden"), ".hidden");
    TAP_STR(t, loam_cpio_path("../a"), "../a");
    TAP_STR(t, loam_cpio_path(""), "");
}

static void damage(tap *t)
{
    unsigned whole = 0;
    for (unsigned round = 0; round < 20000; round++) {
        build();
        for (unsigned i = 0; i < 2; i++)
            archive[tap_below(t, len)] = (unsigned char)"0f\0zF71"[tap_below(t, 7)];
        const char *why = walk();
        TAP_CHECK(t, why == NULL || why[0] == 'N');
        whole += why == NULL;
    }
    TAP_CHECK(t, whole > 0);
}

static const tap_case cases[] = {
    {"cpio_next: an archive: every entry in order, then the trailer", next_all},
    {"cpio_next: numbers in capitals and small letters", next_fields},
    {"cpio_next: a trailer alone, no bytes at all", next_empty},
    {"cpio_next: no trailer: N1, and it stays there", next_no_trailer},
    {"cpio_next: every shorter length: refused", next_every_prefix},
    {"cpio_next: other types: N1", next_magic},
    {"cpio_next: every digit damaged: N2", next_digits},
    {"cpio_next: hostile name sizes: N3", next_name_size},
    {"cpio_next: a name without end, or empty: N3", next_name_end},
    {"cpio_next: hostile data sizes: N4", next_data_size},
    {"cpio_next: checksum right, wrong, not looked at in 070701", next_checksum},
    {"cpio_next: checksum of links: not compared", next_checksum_exempt},
    {"cpio_next: damaged archives: a rule's name or a whole walk", damage},
    {"cpio_find: the path in any dress; absent ones", find_paths},
    {"cpio_find: one name twice: the first", find_first},
    {"cpio_find: broken behind the file, or before it", find_in_broken},
    {"cpio_path: what stands in front and does not count", path_prefixes},
};
TAP_SUITE(cpio_test, cases);
