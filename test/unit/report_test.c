/* SPDX-License-Identifier: MIT */
#include "tap.h"

static char buf[256];

static const char *words(const loam_report *report)
{
    loam_text text;
    loam_text_init(&text, buf, sizeof buf);
    loam_report_text(&text, report);
    return buf;
}

static void text_full(tap *t)
{
    TAP_STR(t,
            words(&(loam_report){.unit = "slab",
                                 .what = "overrun",
                                 .object = "address",
                                 .value = 0x4f00,
                                 .state = "out",
                                 .name = "kmalloc-64",
                                 .size = 64,
                                 .site = (void *)0x80399c,
                                 .caller = (void *)0x80412c,
                                 .rule = "S9"}),
            "slab: overrun: address 4f00, out, kmalloc-64, 64 bytes, allocated by 0x80399c, "
            "caller 0x80412c, rule S9");
}

static void text_short(tap *t)
{
    TAP_STR(t, words(&(loam_report){.unit = "zone", .what = "double free"}), "zone: double free");
    TAP_STR(t,
            words(&(loam_report){.unit = "zone",
                                 .what = "double free",
                                 .object = "frame",
                                 .value = 0x1a2b,
                                 .state = "free"}),
            "zone: double free: frame 1a2b, free");
}

static void text_order(tap *t)
{
    loam_report report = {.unit = "zone", .what = "too large", .object = "order", .value = 41};
    TAP_STR(t, words(&report), "zone: too large: order 41");
    report.object = "orders";
    TAP_STR(t, words(&report), "zone: too large: orders 29");
}

static void caught(tap *t)
{
    loam_report report = {.unit = "zone", .what = "double free"};
    tap_catch(t);
    loam_port_misuse(&report);
    report.what = "inner";
    loam_port_misuse(&report);
    TAP_EQ(t, tap_caught(t), 2);
    TAP_STR(t, t->report.what, "inner");
}

static void policy(tap *t)
{
    loam_policy former = loam_port_set_policy(LOAM_POLICY_PANIC);
    TAP_EQ(t, loam_port_set_policy(LOAM_POLICY_REPORT), LOAM_POLICY_PANIC);
    TAP_EQ(t, loam_port_set_policy(former), LOAM_POLICY_REPORT);
    tap_catch(t);
    TAP_EQ(t, loam_port_set_policy(LOAM_POLICY_REPORT), LOAM_POLICY_REPORT);
    tap_caught(t);
    TAP_EQ(t, loam_port_set_policy(former), former);
}

static void ticks(tap *t)
{
    uint64_t last = loam_port_ticks();
    for (int i = 0; i < 1000; i++) {
        uint64_t now = loam_port_ticks();
        TAP_CHECK(t, now >= last);
        last = now;
    }
}

static void lock(tap *t)
{
    static loam_lock spin = LOAM_LOCK_INIT;
    loam_irq irq = loam_lock_acquire(&spin);
    loam_lock_release(&spin, irq);
    irq = loam_lock_acquire(&spin); /* would wait for ever */
    loam_lock_release(&spin, irq);
    TAP_CHECK(t, true);
}

static void atomics(tap *t)
{
    static uint32_t word;
    loam_atomic_store(&word, 5);
    TAP_EQ(t, loam_atomic_exchange(&word, 6), 5);
    TAP_EQ(t, loam_atomic_or(&word, 9), 6);
    TAP_EQ(t, loam_atomic_add(&word, ~0U), 15);
    TAP_EQ(t, loam_atomic_load(&word), 14);
    TAP_EQ(t, loam_atomic_peek(&word), 14);
}

static void compare_and_swap(tap *t)
{
    static uint32_t word = 7;
    TAP_CHECK(t, !loam_atomic_cas(&word, 6, 9));
    TAP_EQ(t, loam_atomic_load(&word), 7);
    TAP_CHECK(t, loam_atomic_cas(&word, 7, 9));
    TAP_EQ(t, loam_atomic_load(&word), 9);
    static uint8_t byte[2] = {7, 7};
    TAP_CHECK(t, !loam_atomic_byte_cas(&byte[1], 6, 9));
    TAP_CHECK(t, loam_atomic_byte_cas(&byte[1], 7, 9));
    TAP_EQ(t, loam_atomic_byte_peek(&byte[1]), 9);
    loam_atomic_byte_store(&byte[1], 8);
    TAP_EQ(t, byte[1], 8);
    TAP_EQ(t, byte[0], 7);
}

static void pointers(tap *t)
{
    static char place[2];
    static void *p;
    loam_atomic_ptr_store(&p, place);
    TAP_CHECK(t, loam_atomic_ptr_load(&p) == place);
    TAP_CHECK(t, loam_atomic_ptr_exchange(&p, place + 1) == place);
    TAP_CHECK(t, !loam_atomic_ptr_cas(&p, place, NULL));
    TAP_CHECK(t, loam_atomic_ptr_load(&p) == place + 1);
    TAP_CHECK(t, loam_atomic_ptr_cas(&p, place + 1, NULL));
    TAP_CHECK(t, loam_atomic_ptr_load(&p) == NULL);
}

static const tap_case cases[] = {
    {"report_text: every part known: every part told", text_full},
    {"report_text: parts unknown: left out", text_short},
    {"report_text: an order: decimal, all else hexadecimal", text_order},
    {"port_misuse: listener set: caught, last one kept, call goes on", caught},
    {"port_set_policy: changed twice: the former one is returned", policy},
    {"port_ticks: read in turn: never goes back", ticks},
    {"port_lock: taken and released twice: free for the next", lock},
    {"port_atomics: each operation: old value returned, new one stored", atomics},
    {"port_atomic_cas: another value there: refused; the same: swapped", compare_and_swap},
    {"port_atomic_ptr: each operation: old pointer returned, new one stored", pointers},
};
TAP_SUITE(report_test, cases);
