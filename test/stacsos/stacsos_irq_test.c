/* SPDX-License-Identifier: MIT */
/* stacsos_irq_test.c - whatever a call ends with, the lock is free then and interrupts are as they
 * were. The face is built with a port that has an interrupt flag (port/loam_port.h). */
#include "../../compat/stacsos/state.h"
#include "tap.h"

enum { PAGES = 64, MEMORY = 16384, ON = 1, OFF = 0 };

unsigned test_irq_flag, test_locks_held, test_locks_taken;

static unsigned char memory[MEMORY] __attribute__((aligned(64)));
static unsigned reports, wrong; /* reports made while something was still locked */

static void on_report(void *ctx, const loam_report *report)
{
    const unsigned *flag = ctx;
    (void)report;
    reports++;
    wrong += test_locks_held != 0 || test_irq_flag != *flag;
}

static void insert_one(void)
{
    (void)stacsos_insert_free_pages(stacsos_page_of(0), 1);
}

static void insert_rest(void)
{
    (void)stacsos_insert_free_pages(stacsos_page_of(1), PAGES - 1);
}

static void insert_beyond(void)
{
    (void)stacsos_insert_free_pages(stacsos_page_of(1), PAGES);
}

static void allocate_orders(void)
{
    (void)stacsos_allocate_pages(-1, STACSOS_NONE);
    (void)stacsos_allocate_pages(STACSOS_LAST_ORDER, STACSOS_NONE);
    (void)stacsos_allocate_pages(STACSOS_LAST_ORDER + 1, STACSOS_ZERO);
    (void)stacsos_allocate_pages(INT32_MAX, STACSOS_NONE);
}

static void allocate_one(void)
{
    (void)stacsos_allocate_pages(0, STACSOS_ZERO);
}

static void free_null(void)
{
    stacsos_free_pages(NULL, 0);
}

static void free_foreign(void)
{
    stacsos_free_pages((struct page *)(void *)&reports, 0);
}

static void free_bad_orders(void)
{
    stacsos_free_pages(stacsos_page_of(0), -1);
    stacsos_free_pages(stacsos_page_of(0), STACSOS_LAST_ORDER + 1);
    stacsos_free_pages(stacsos_page_of(1), 3);
}

static void free_first(void)
{
    stacsos_free_pages(stacsos_page_of(0), 0);
}

static void look(void)
{
    (void)stacsos_find_free_block(0, stacsos_page_of(0));
    (void)stacsos_split_block(1, stacsos_page_of(0));
    (void)stacsos_stat();
    stacsos_free_lists();
    stacsos_dump();
}

typedef struct path {
    const char *name;
    void (*go)(void);
    unsigned reports;
} path;

static const path paths[] = {
    {"empty memory", allocate_one, 0},
    {"insert", insert_one, 0},
    {"insert twice", insert_one, 0},
    {"insert beyond the array", insert_beyond, 0},
    {"insert the rest", insert_rest, 0},
    {"orders -1, 16, 17, INT_MAX", allocate_orders, 0},
    {"allocate", allocate_one, 0},
    {"free NULL", free_null, 1},
    {"free a foreign address", free_foreign, 1},
    {"free with bad orders", free_bad_orders, 3},
    {"free", free_first, 0},
    {"double free", free_first, 1},
    {"views", look, 0},
};

static void every_path(tap *t, unsigned flag)
{
    loam_policy former = loam_port_set_policy(LOAM_POLICY_REPORT);
    loam_port_on_report(on_report, &flag);
    TAP_EQ(t, stacsos_init(memory, sizeof(memory), PAGES, NULL), 0);
    test_irq_flag = flag;
    test_locks_taken = 0;
    for (size_t i = 0; i < LOAM_ARRAY_LEN(paths); i++) {
        reports = wrong = 0;
        paths[i].go();
        if (test_irq_flag != flag || test_locks_held != 0 || wrong != 0 ||
            reports != paths[i].reports)
            tap_note(t, "%s: flag %u, held %u, %u reports, %u of them locked", paths[i].name,
                     test_irq_flag, test_locks_held, reports, wrong);
        TAP_EQ(t, test_irq_flag, flag);
        TAP_EQ(t, test_locks_held, 0);
        TAP_EQ(t, wrong, 0);
        TAP_EQ(t, reports, paths[i].reports);
    }
    TAP_CHECK(t, test_locks_taken > LOAM_ARRAY_LEN(paths));
    TAP_RULE(t, stacsos_check(), NULL);
    loam_port_on_report(NULL, NULL);
    (void)loam_port_set_policy(former);
}

static void interrupts_on(tap *t)
{
    every_path(t, ON);
}

static void interrupts_off(tap *t)
{
    every_path(t, OFF);
}

static void selftest(tap *t)
{
    test_irq_flag = ON;
    TAP_CHECK(t, stacsos_perform_selftest());
    TAP_EQ(t, test_irq_flag, ON);
    TAP_EQ(t, test_locks_held, 0);
}

static const tap_case cases[] = {
    {"stacsos irq: every path, interrupts on: on again, lock free", interrupts_on},
    {"stacsos irq: every path, interrupts off: still off, lock free", interrupts_off},
    {"stacsos irq: self-test: on again, lock free", selftest},
};
extern const tap_suite tap_suite_stacsos_irq_test;
TAP_SUITE(stacsos_irq_test, cases);
