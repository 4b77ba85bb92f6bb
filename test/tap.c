/* SPDX-License-Identifier: MIT */
/* tap.c - the runner behind tap.h. Freestanding: it runs in a process and in a kernel. */
#include "tap.h"

enum { TAP_LINE = 240 };

static void tap_line(tap *t, const char *prefix, const char *fmt, __builtin_va_list ap)
{
    char buf[TAP_LINE];
    loam_text line;
    loam_text_init(&line, buf, sizeof buf);
    loam_text_str(&line, prefix);
    loam_text_vfmt(&line, fmt, ap);
    for (const char *s = buf; *s != '\0'; s++)
        t->put(*s);
    if (line.cut)
        for (const char *s = " [...]"; *s != '\0'; s++)
            t->put(*s);
    t->put('\n');
}

static void tap_say(tap *t, const char *fmt, ...)
{
    __builtin_va_list ap;
    __builtin_va_start(ap, fmt);
    tap_line(t, "", fmt, ap);
    __builtin_va_end(ap);
}

void tap_note(tap *t, const char *fmt, ...)
{
    __builtin_va_list ap;
    __builtin_va_start(ap, fmt);
    tap_line(t, "# ", fmt, ap);
    __builtin_va_end(ap);
}

/* ---- random numbers: splitmix64 ---- */

uint64_t tap_rand(tap *t)
{
    t->rng += 0x9e3779b97f4a7c15ULL;
    uint64_t z = t->rng;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

uint64_t tap_below(tap *t, uint64_t n)
{
    uint64_t mask = loam_mask64(loam_log2_ceil(n)), v;
    do {
        v = tap_rand(t) & mask;
    } while (v >= n);
    return v;
}

/* ---- strings ---- */

bool tap_str_eq(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    while (*a != '\0' && *a == *b)
        a++, b++;
    return *a == *b;
}

bool tap_starts(const char *s, const char *prefix)
{
    if (s == NULL || prefix == NULL)
        return false;
    while (*prefix != '\0' && *s == *prefix)
        s++, prefix++;
    return *prefix == '\0';
}

static bool tap_contains(const char *s, const char *part)
{
    for (; *s != '\0'; s++)
        if (tap_starts(s, part))
            return true;
    return *part == '\0';
}

/* ---- failures ---- */

static void tap_failed(tap *t, const char *file, int line, const char *what)
{
    t->failed++;
    tap_note(t, "%s:%d: failed: %s", file, line, what);
}

void tap_fail(tap *t, const char *file, int line, const char *what)
{
    tap_failed(t, file, line, what);
}

void tap_fail_eq(tap *t, const char *file, int line, const char *what, uint64_t got, uint64_t want)
{
    tap_failed(t, file, line, what);
    tap_note(t, "    got %U (0x%X), want %U (0x%X)", got, got, want, want);
}

void tap_fail_str(tap *t, const char *file, int line, const char *what, const char *got,
                  const char *want)
{
    tap_failed(t, file, line, what);
    tap_note(t, "    got  %s", got);
    tap_note(t, "    want %s", want);
}

/* ---- reports ---- */

static void tap_on_report(void *ctx, const loam_report *report)
{
    tap *t = ctx;
    t->report = *report;
    t->reports++;
}

void tap_catch(tap *t)
{
    t->reports = 0;
    t->former_policy = loam_port_set_policy(LOAM_POLICY_REPORT);
    t->catching = true;
    loam_port_on_report(tap_on_report, t);
}

unsigned tap_caught(tap *t)
{
    loam_port_on_report(NULL, NULL);
    loam_port_set_policy(t->former_policy);
    t->catching = false;
    return t->reports;
}

/* ---- the run ---- */

/* Cases draw different numbers from one seed, and the same ones when run alone. */
static uint64_t tap_seed_of(uint64_t seed, const char *name)
{
    for (; *name != '\0'; name++)
        seed = (seed ^ (unsigned char)*name) * 0x100000001b3ULL;
    return seed;
}

static bool tap_run_case(tap *t, const tap_case *test, unsigned number)
{
    t->name = test->name;
    t->rng = tap_seed_of(t->seed, test->name);
    t->failed = 0;
    test->run(t);
    if (t->catching) {
        tap_caught(t);
        tap_failed(t, test->name, 0, "tap_catch without tap_caught");
    }
    if (t->failed == 0) {
        tap_say(t, "ok %u - %s", number, test->name);
        return true;
    }
    tap_say(t, "not ok %u - %s", number, test->name);
    tap_note(t, "again with SEED=0x%X", t->seed);
    return false;
}

static bool tap_chosen(const tap_case *test, const char *only)
{
    return only == NULL || tap_contains(test->name, only);
}

unsigned tap_count(const tap_suite *const *suites, size_t count, const char *only)
{
    unsigned cases = 0;
    for (size_t s = 0; s < count; s++)
        for (size_t i = 0; i < suites[s]->count; i++)
            cases += tap_chosen(&suites[s]->cases[i], only);
    return cases;
}

unsigned tap_run(const tap_suite *const *suites, size_t count, uint64_t seed, const char *only,
                 void (*put)(char c))
{
    tap t = {.put = put, .seed = seed != 0 ? seed : tap_seed_of(loam_port_ticks(), "loam")};
    unsigned number = 0, failed = 0;
    tap_say(&t, "1..%u", tap_count(suites, count, only));
    for (size_t s = 0; s < count; s++) {
        for (size_t i = 0; i < suites[s]->count; i++)
            if (tap_chosen(&suites[s]->cases[i], only))
                failed += !tap_run_case(&t, &suites[s]->cases[i], ++number);
    }
    return failed;
}
