/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_TAP_H
#define LOAM_TEST_TAP_H

/* tap.h - tests that run hosted and on a serial line: freestanding C, no libc, TAP on the way out.
 *
 *     static void add_overlapping(tap *t)
 *     {
 *         TAP_CHECK(t, loam_memblock_add(&map, loam_pa_of(0), 1) == LOAM_OK);
 *         TAP_EQ(t, map.ram.count, 1);
 *     }
 *     static const tap_case cases[] = {
 *         {"memblock_add: overlapping: one span", add_overlapping},
 *     };
 *     TAP_SUITE(memblock_test, cases);      // the file is memblock_test.c
 *
 * A case fails at its first failed check, and goes on to its end. Files that need libc or threads
 * (model tests with threads, fuzzers) live in test/model, test/fuzz and are hosted only; test/unit
 * never needs either.
 */
#include "loam/base.h"
#include "loam/port.h"

typedef struct tap {
    void (*put)(char c); /* one character out */
    uint64_t seed;       /* of this case: from SEED= or the clock; printed when the case fails */
    uint64_t rng;
    const char *name;
    unsigned failed;    /* checks of this case */
    loam_report report; /* the last report caught between tap_catch and tap_caught */
    unsigned reports;
    loam_policy former_policy; /* to go back to at tap_caught */
    bool catching;
} tap;

typedef struct tap_case {
    const char *name;
    void (*run)(tap *t);
} tap_case;

typedef struct tap_suite {
    const char *file;
    const tap_case *cases;
    size_t count;
} tap_suite;

#define TAP_SUITE(name, cases)                                                                     \
    const tap_suite tap_suite_##name = {#name, cases, LOAM_ARRAY_LEN(cases)}

/* Runs suites one after the other: plan, results, diagnostics. Returns how many cases failed.
 * seed 0: a new one for each run. only: run the cases whose name contains it, or NULL. */
unsigned tap_run(const tap_suite *const *suites, size_t count, uint64_t seed, const char *only,
                 void (*put)(char c));

/* How many cases that would be. */
unsigned tap_count(const tap_suite *const *suites, size_t count, const char *only);

uint64_t tap_rand(tap *t);                   /* 64 random bits from the case's seed */
uint64_t tap_below(tap *t, uint64_t n);      /* 0 .. n - 1, n > 0 */
void tap_note(tap *t, const char *fmt, ...); /* a "# ..." line; directives of loam_text_fmt */

/* From here on misuse is counted and kept instead of printed, and the policy is report; back to
 * what it was, and how many came. The last one is in t->report. */
void tap_catch(tap *t);
unsigned tap_caught(tap *t);

void tap_fail(tap *t, const char *file, int line, const char *what);
void tap_fail_eq(tap *t, const char *file, int line, const char *what, uint64_t got, uint64_t want);
void tap_fail_str(tap *t, const char *file, int line, const char *what, const char *got,
                  const char *want);
bool tap_str_eq(const char *a, const char *b); /* NULL equals only NULL */
bool tap_starts(const char *s, const char *prefix);

#define TAP_CHECK(t, cond) ((cond) ? (void)0 : tap_fail((t), __FILE__, __LINE__, #cond))
#define TAP_EQ(t, got, want)                                                                       \
    do {                                                                                           \
        uint64_t tap_g = (uint64_t)(got), tap_w = (uint64_t)(want);                                \
        if (tap_g != tap_w)                                                                        \
            tap_fail_eq((t), __FILE__, __LINE__, #got " == " #want, tap_g, tap_w);                 \
    } while (0)
#define TAP_STR(t, got, want)                                                                      \
    do {                                                                                           \
        const char *tap_g = (got), *tap_w = (want);                                                \
        if (!tap_str_eq(tap_g, tap_w))                                                             \
            tap_fail_str((t), __FILE__, __LINE__, #got, tap_g, tap_w);                             \
    } while (0)
/* A rule that _check() named: by its short name, "M3". want NULL: nothing is broken. */
#define TAP_RULE(t, got, want)                                                                     \
    do {                                                                                           \
        const char *tap_g = (got), *tap_w = (want);                                                \
        if (tap_w == NULL ? tap_g != NULL : !tap_starts(tap_g, tap_w))                             \
            tap_fail_str((t), __FILE__, __LINE__, #got, tap_g, tap_w);                             \
    } while (0)

#endif
