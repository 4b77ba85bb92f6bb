/* SPDX-License-Identifier: MIT */
#include "tap.h"

static char buf[64];

/* A text over buf, filled with x behind its capacity so that a write past the end is seen. */
static loam_text text_of(size_t cap)
{
    loam_text t;
    for (size_t i = 0; i < sizeof buf; i++)
        buf[i] = 'x';
    loam_text_init(&t, buf, cap);
    return t;
}

#define FMT(t, want, ...)                                                                          \
    do {                                                                                           \
        loam_text text = text_of(sizeof buf);                                                      \
        loam_text_fmt(&text, __VA_ARGS__);                                                         \
        TAP_STR(t, buf, want);                                                                     \
        TAP_CHECK(t, !text.cut);                                                                   \
    } while (0)

static void err_name(tap *t)
{
    TAP_STR(t, loam_err_name(LOAM_OK), "LOAM_OK");
    TAP_STR(t, loam_err_name(LOAM_EFULL), "LOAM_EFULL");
    TAP_STR(t, loam_err_name(LOAM_EFORMAT), "LOAM_EFORMAT");
    TAP_STR(t, loam_err_name((loam_err)(LOAM_EFORMAT + 1)), "?");
    TAP_STR(t, loam_err_name((loam_err)-1), "?");
}

static void bits(tap *t)
{
    for (unsigned i = 0; i < 64; i++) {
        uint64_t bit = 1ULL << i;
        TAP_EQ(t, loam_ctz64(bit), i);
        TAP_EQ(t, loam_clz64(bit), 63 - i);
        TAP_EQ(t, loam_log2_floor(bit), i);
        TAP_EQ(t, loam_log2_ceil(bit), i);
        TAP_EQ(t, loam_popcount64(bit - 1), i);
        TAP_EQ(t, loam_mask64(i), bit - 1);
        TAP_CHECK(t, loam_is_pow2(bit));
    }
    TAP_EQ(t, loam_log2_ceil(3), 2);
    TAP_EQ(t, loam_log2_ceil(~0ULL), 64);
    TAP_EQ(t, loam_log2_floor(~0ULL), 63);
    TAP_EQ(t, loam_popcount64(~0ULL), 64);
    TAP_EQ(t, loam_mask64(64), ~0ULL);
    TAP_CHECK(t, !loam_is_pow2(0) && !loam_is_pow2(6));
}

static void popcount_random(tap *t)
{
    for (int i = 0; i < 1000; i++) {
        uint64_t x = tap_rand(t);
        unsigned n = 0;
        for (uint64_t rest = x; rest != 0; rest &= rest - 1)
            n++;
        TAP_EQ(t, loam_popcount64(x), n);
    }
}

static void add(tap *t)
{
    uint64_t sum;
    TAP_CHECK(t, !loam_add_overflows(~0ULL, 0, &sum) && sum == ~0ULL);
    TAP_CHECK(t, loam_add_overflows(~0ULL, 1, &sum));
    TAP_CHECK(t, !loam_add_overflows(1ULL << 63, (1ULL << 63) - 1, &sum));
}

static void mul(tap *t)
{
    uint64_t product;
    TAP_CHECK(t, !loam_mul_overflows(0, ~0ULL, &product) && product == 0);
    TAP_CHECK(t, !loam_mul_overflows(~0ULL, 1, &product) && product == ~0ULL);
    TAP_CHECK(t, loam_mul_overflows(~0ULL, 2, &product));
    TAP_CHECK(t, loam_mul_overflows(1ULL << 32, 1ULL << 32, &product));
    TAP_CHECK(t, !loam_mul_overflows(1ULL << 32, (1ULL << 32) - 1, &product));
    TAP_EQ(t, product, 0xffffffff00000000ULL);
    /* 2^64 - 1 = 641 x 6700417 x 3 x 5 x 17 x 257 x 65537; one more in a factor overflows */
    TAP_CHECK(t, !loam_mul_overflows(641, 28778071877862015ULL, &product) && product == ~0ULL);
    TAP_CHECK(t, loam_mul_overflows(641, 28778071877862016ULL, &product));
    TAP_CHECK(t, loam_mul_overflows(28778071877862016ULL, 641, &product));
}

static void mul_random(tap *t)
{
    for (int i = 0; i < 1000; i++) {
        uint64_t a = tap_rand(t) >> tap_below(t, 64), product;
        uint64_t b = (tap_rand(t) >> tap_below(t, 64)) | 1;
        uint64_t largest = ~0ULL / b; /* the test may divide; the core may not */
        TAP_EQ(t, loam_mul_overflows(a, b, &product), a > largest);
        TAP_EQ(t, product, a * b);
    }
}

static void align(tap *t)
{
    uint64_t up;
    TAP_EQ(t, loam_align_down(0x1fff, 0x1000), 0x1000);
    TAP_EQ(t, loam_align_up(0x1001, 0x1000), 0x2000);
    TAP_EQ(t, loam_align_up(0x1000, 0x1000), 0x1000);
    TAP_CHECK(t, !loam_align_up_overflows(0, 0x1000, &up) && up == 0);
    TAP_CHECK(t, !loam_align_up_overflows(~0xfffULL, 0x1000, &up) && up == ~0xfffULL);
    TAP_CHECK(t, loam_align_up_overflows(~0xffeULL, 0x1000, &up));
}

static void frames(tap *t)
{
    TAP_EQ(t, loam_pa_to_pfn(loam_pa_of(0x1fff)).v, 1);
    TAP_EQ(t, loam_pfn_to_pa(loam_pfn_of(0x123456789ULL)).v, 0x123456789000ULL);
}

static void list(tap *t)
{
    loam_list head, a, b, c;
    loam_list_init(&head);
    TAP_CHECK(t, loam_list_is_empty(&head));
    loam_list_push(&head, &b);
    loam_list_push(&head, &a);
    loam_list_append(&head, &c);
    TAP_CHECK(t, head.next == &a && a.next == &b && b.next == &c && c.next == &head);
    TAP_CHECK(t, head.prev == &c && c.prev == &b && b.prev == &a && a.prev == &head);
    loam_list_remove(&b);
    loam_list_remove(&b);
    TAP_CHECK(t, a.next == &c && c.prev == &a && b.next == &b);
    loam_list_remove(&a);
    loam_list_remove(&c);
    TAP_CHECK(t, loam_list_is_empty(&head));
}

static void container(tap *t)
{
    struct {
        int other;
        loam_list node;
    } thing = {7, {NULL, NULL}};
    loam_list *node = &thing.node;
    TAP_CHECK(t, (void *)LOAM_CONTAINER_OF(node, __typeof__(thing), node) == (void *)&thing);
}

static void fmt_numbers(tap *t)
{
    FMT(t, "0 7 -7", "%u %d %d", 0U, 7, -7);
    FMT(t, "-2147483648", "%d", -2147483647 - 1);
    FMT(t, "18446744073709551615", "%U", (uint64_t)~0ULL);
    FMT(t, "10000000000000000000", "%U", (uint64_t)10000000000000000000ULL);
    FMT(t, "4294967296", "%U", (uint64_t)1 << 32);
    FMT(t, "ffffffffffffffff 0 1a2b", "%X %X %X", (uint64_t)~0ULL, (uint64_t)0, (uint64_t)0x1a2b);
    FMT(t, "0x1000 0x0", "%p %p", (void *)0x1000, (void *)0);
}

static void fmt_widths(tap *t)
{
    FMT(t, "    7|00007|  -7|-007", "%5u|%05u|%4d|%04d", 7U, 7U, -7, -7);
    FMT(t, "0000000000001234|1234", "%016X|%2X", (uint64_t)0x1234, (uint64_t)0x1234);
    FMT(t, "0x001000|  0x1000", "%08p|%8p", (void *)0x1000, (void *)0x1000);
}

static void fmt_words(tap *t)
{
    FMT(t, "a b% (null)", "%s %c%% %s", "a", 'b', (const char *)NULL);
    FMT(t, "", "%s", "");
}

static void fmt_unknown(tap *t)
{
    FMT(t, "%q %-5 7", "%q %-5 %u", 7U);
    FMT(t, "%5s %123u 7", "%5s %123u %u", 7U);
    FMT(t, "100%", "100%");
    FMT(t, "%05", "%05");
}

static void decimal_random(tap *t)
{
    for (int i = 0; i < 1000; i++) {
        uint64_t v = tap_rand(t) >> tap_below(t, 64), back = 0;
        loam_text text = text_of(sizeof buf);
        loam_text_dec(&text, v);
        for (const char *s = buf; *s != '\0'; s++)
            back = back * 10 + (uint64_t)(*s - '0');
        TAP_EQ(t, back, v);
        TAP_CHECK(t, buf[0] != '0' || v == 0);
    }
}

static void text_full(tap *t)
{
    loam_text text = text_of(4);
    loam_text_str(&text, "abc");
    TAP_CHECK(t, !text.cut && text.len == 3);
    loam_text_char(&text, 'd');
    TAP_CHECK(t, text.cut && text.len == 3);
    loam_text_hex(&text, 1);
    TAP_STR(t, buf, "abc");
    TAP_EQ(t, buf[4], 'x');
    text = text_of(1);
    loam_text_char(&text, 'a');
    TAP_CHECK(t, text.cut && text.len == 0 && buf[0] == '\0' && buf[1] == 'x');
}

static void text_nothing(tap *t)
{
    loam_text text = text_of(0);
    loam_text_dec(&text, 1);
    TAP_CHECK(t, text.cut && text.len == 0);
    TAP_EQ(t, buf[0], 'x');
}

static const tap_case cases[] = {
    {"base_err_name: known and unknown errors: the name or ?", err_name},
    {"base_bits: every power of two: exact", bits},
    {"base_popcount64: random words: as counted one by one", popcount_random},
    {"base_add_overflows: around 2^64: told", add},
    {"base_mul_overflows: around 2^64: told", mul},
    {"base_mul_overflows: random factors: as a division says", mul_random},
    {"base_align: at and beside a multiple, at the top: exact or told", align},
    {"base_pfn: addresses of more than 32 bits: nothing is lost", frames},
    {"base_list: push, append, remove twice: links whole", list},
    {"base_container_of: a member: its struct", container},
    {"base_text_fmt: numbers: all digits", fmt_numbers},
    {"base_text_fmt: widths: padded with spaces or zeros", fmt_widths},
    {"base_text_fmt: strings, characters, percent: copied", fmt_words},
    {"base_text_fmt: unknown directives: copied as they are", fmt_unknown},
    {"base_text_dec: random numbers: the digits give the number back", decimal_random},
    {"base_text: full: terminated, cut told, nothing behind it written", text_full},
    {"base_text: capacity 0: nothing written", text_nothing},
};
TAP_SUITE(base_test, cases);
