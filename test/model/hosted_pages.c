/* SPDX-License-Identifier: MIT */
/* hosted_pages.c - the operating system's addresses: reserved, made ready, given back; with limits
 * and without. Each case under a limit is a process of its own. */
#define _DEFAULT_SOURCE
#include "loam_pages.h"
#include "smaps.h"
#include "tap_host.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

static loam_pages pages;

/* Runs fn in a child whose addresses are limited; 0: the child said so. */
static int under_limit(size_t limit, int (*fn)(void))
{
    pid_t child = fork();
    if (child == 0) {
        struct rlimit r = {limit, limit};
        _exit(setrlimit(RLIMIT_AS, &r) != 0 ? 99 : fn());
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

/* Is the page that an address lies in in memory? */
static bool resident(void *at)
{
    unsigned char in = 0;
    return mincore(at, 4096, &in) == 0 && (in & 1) != 0;
}

/* Can the system read there? */
static bool readable(const void *at)
{
    int ends[2];
    if (pipe(ends) != 0)
        return false;
    bool can = write(ends[1], at, 1) == 1;
    close(ends[0]);
    close(ends[1]);
    return can;
}

static void arguments(tap *t)
{
    TAP_EQ(t, loam_pages_reserve(&pages, MIB, 0, LOAM_PAGES_LATER), LOAM_EINVAL);
    TAP_EQ(t, loam_pages_reserve(&pages, MIB, 2 * MIB, LOAM_PAGES_LATER), LOAM_EINVAL);
    TAP_EQ(t, loam_pages_reserve(&pages, SIZE_MAX, MIB, LOAM_PAGES_LATER), LOAM_EINVAL);
    TAP_CHECK(t, pages.base == NULL);
    loam_pages_release(&pages);
}

static void grows(tap *t)
{
    TAP_EQ(t, loam_pages_reserve(&pages, 64 * MIB, 16 * MIB, LOAM_PAGES_LARGE), LOAM_OK);
    TAP_EQ(t, (uintptr_t)pages.base % LOAM_PAGES_STEP, 0);
    TAP_CHECK(t, pages.len >= 16 * MIB && pages.len <= 64 * MIB && pages.ready == 0);
    TAP_EQ(t, loam_pages_grow(&pages, 1), LOAM_OK);
    TAP_EQ(t, pages.ready, LOAM_PAGES_STEP);
    TAP_EQ(t, loam_pages_grow(&pages, LOAM_PAGES_STEP + 1), LOAM_OK);
    TAP_EQ(t, pages.ready, 3 * LOAM_PAGES_STEP);
    for (size_t i = 0; i < pages.ready; i += 4096)
        TAP_EQ(t, pages.base[i], 0);
    pages.base[0] = 1;
    pages.base[pages.ready - 1] = 2;
    TAP_EQ(t, loam_pages_grow(&pages, pages.len - pages.ready + 1), LOAM_EFULL);
    TAP_EQ(t, loam_pages_grow(&pages, pages.len - pages.ready), LOAM_OK);
    TAP_EQ(t, pages.ready, pages.len);
    TAP_EQ(t, loam_pages_grow(&pages, 0), LOAM_OK);
    TAP_EQ(t, loam_pages_grow(&pages, 1), LOAM_EFULL);
    TAP_EQ(t, pages.base[0], 1);
    loam_pages_release(&pages);
    TAP_CHECK(t, pages.base == NULL);
}

static void gives_back(tap *t)
{
    TAP_EQ(t, loam_pages_reserve(&pages, 16 * MIB, 2 * MIB, LOAM_PAGES_LATER), LOAM_OK);
    TAP_EQ(t, loam_pages_grow(&pages, 4 * MIB), LOAM_OK);
    for (size_t i = 0; i < 4 * MIB; i += 4096)
        pages.base[i] = 9;
    TAP_CHECK(
        t, !loam_pages_give_back(&pages, pages.base + 1, 3 * 4096)); /* two whole pages lie in it */
    TAP_CHECK(t, resident(pages.base) && !resident(pages.base + 4096) &&
                     !resident(pages.base + 8192) && resident(pages.base + 12288));
    TAP_EQ(t, pages.base[0], 9);
    TAP_EQ(t, pages.base[4096], 0);
    TAP_EQ(t, pages.base[12288], 9);
    TAP_CHECK(t, !loam_pages_give_back(&pages, pages.base + 4 * MIB, MIB)); /* not ready */
    TAP_CHECK(t, !loam_pages_give_back(&pages, pages.base + 5, 10));
    TAP_CHECK(t, loam_pages_give_back(&pages, pages.base, 4096));
    TAP_EQ(t, pages.base[4 * MIB - 4096], 9);
    loam_pages_release(&pages);
}

static void closes(tap *t)
{
    TAP_EQ(t, loam_pages_reserve(&pages, 16 * MIB, 2 * MIB, LOAM_PAGES_LARGE), LOAM_OK);
    TAP_EQ(t, loam_pages_grow(&pages, 6 * MIB), LOAM_OK);
    pages.base[2 * MIB - 1] = pages.base[2 * MIB] = pages.base[4 * MIB] = 9;
    unsigned char *at = pages.base + 2 * MIB;
    TAP_EQ(t, loam_pages_close(&pages, at, 2 * MIB), LOAM_PAGES_CLOSED);
    TAP_CHECK(t, !readable(at) && readable(at - 1) && readable(at + 2 * MIB));
    TAP_EQ(t, pages.base[2 * MIB - 1] + pages.base[4 * MIB], 18);
    TAP_EQ(t, loam_pages_close(&pages, pages.base + 6 * MIB, 2 * MIB), LOAM_PAGES_OPEN);
    TAP_EQ(t, loam_pages_close(&pages, pages.base + 1, 4096), LOAM_PAGES_OPEN);
    pages.refuse_from = pages.asked + 1;
    TAP_EQ(t, loam_pages_open(&pages, at, 2 * MIB), LOAM_ENOMEM);
    pages.refuse_from = 0;
    TAP_EQ(t, loam_pages_open(&pages, at, 2 * MIB), LOAM_OK);
    TAP_EQ(t, at[0], 0);
    at[0] = at[2 * MIB - 1] = 1;
#if !defined(__SANITIZE_ADDRESS__) /* its mlock does nothing */
    if (mlock(at, 4096) == 0) {    /* what is locked stays */
        TAP_EQ(t, loam_pages_close(&pages, at, 2 * MIB), LOAM_PAGES_OPEN);
        TAP_EQ(t, at[0], 1);
    }
#endif
    loam_pages_release(&pages);
}

static void refuses(tap *t)
{
    TAP_EQ(t, loam_pages_reserve(&pages, 16 * MIB, 2 * MIB, LOAM_PAGES_LATER), LOAM_OK);
    pages.refuse_from = 2;
    TAP_EQ(t, loam_pages_grow(&pages, 1), LOAM_OK);
    TAP_EQ(t, loam_pages_grow(&pages, 1), LOAM_ENOMEM);
    TAP_EQ(t, loam_pages_grow(&pages, 1), LOAM_ENOMEM);
    TAP_EQ(t, pages.ready, LOAM_PAGES_STEP);
    pages.refuse_from = 0;
    TAP_EQ(t, loam_pages_grow(&pages, 1), LOAM_OK);
    loam_pages_release(&pages);
}

/* ---- under limits ---- */

static int quarter(void)
{
    bool good = loam_pages_reserve(&pages, (size_t)1 << 30, 4 * MIB, LOAM_PAGES_LATER) == LOAM_OK &&
                pages.len <= 100 * MIB && pages.len > 90 * MIB &&
                loam_pages_len(&pages) == pages.len && loam_pages_allowed() == 400 * MIB;
    return !good;
}

static int least_beyond_a_quarter(void)
{
    bool good =
        loam_pages_reserve(&pages, (size_t)1 << 30, 160 * MIB, LOAM_PAGES_LATER) == LOAM_OK &&
        pages.len == 160 * MIB && loam_pages_grow(&pages, pages.len) == LOAM_OK;
    return !good;
}

static int too_much(void)
{
    bool good =
        loam_pages_reserve(&pages, (size_t)1 << 30, 512 * MIB, LOAM_PAGES_LATER) == LOAM_ENOMEM &&
        pages.base == NULL;
    return !good;
}

/* A promise that the system cannot keep: what is promised is limited, what is reserved is not. */
static int no_promise(void)
{
    struct rlimit r = {64 * MIB, 64 * MIB};
    if (setrlimit(RLIMIT_DATA, &r) != 0 ||
        loam_pages_reserve(&pages, 256 * MIB, 256 * MIB, LOAM_PAGES_LATER) != LOAM_OK)
        return 1;
    while (loam_pages_grow(&pages, 4 * MIB) == LOAM_OK)
        pages.base[pages.ready - 1] = 1;
    return !(pages.ready < 64 * MIB && pages.ready > 4 * MIB &&
             loam_pages_grow(&pages, 4 * MIB) == LOAM_ENOMEM);
}

static void limits(tap *t)
{
#if defined(__SANITIZE_ADDRESS__)
    tap_note(t, "not with a sanitizer that reserves all addresses");
    (void)under_limit;
    (void)quarter;
    (void)least_beyond_a_quarter;
    (void)too_much;
    (void)no_promise;
#else
    TAP_EQ(t, under_limit(400 * MIB, quarter), 0);
    TAP_EQ(t, under_limit(400 * MIB, least_beyond_a_quarter), 0);
    TAP_EQ(t, under_limit(400 * MIB, too_much), 0);
    TAP_EQ(t, under_limit(RLIM_INFINITY, no_promise), 0);
#endif
}

/* Not where a sanitizer takes mlock away. */
static void locked_stays(tap *t, unsigned char *from, unsigned char *to)
{
#if !defined(__SANITIZE_ADDRESS__)
    if (mlock(from, 4096) == 0)
        TAP_EQ(t, loam_pages_move(to, from, MIB), LOAM_PAGES_REFUSED);
#endif
    TAP_CHECK(t, from[0] == 7 && to[0] == 0);
}

/* A system from before Linux 5.7 says APART always; then nothing moves. */
static void moves(tap *t)
{
    TAP_EQ(t, loam_pages_reserve(&pages, 16 * MIB, 16 * MIB, LOAM_PAGES_LATER), LOAM_OK);
    TAP_EQ(t, loam_pages_grow(&pages, 8 * MIB), LOAM_OK);
    unsigned char *from = pages.base + MIB, *to = pages.base + 5 * MIB;
    __builtin_memset(pages.base, 7, 4 * MIB);
    if (loam_pages_move(to, from, MIB) == LOAM_PAGES_APART) {
        tap_note(t, "the system cannot");
    } else {
        TAP_CHECK(t, to[0] == 7 && to[MIB - 1] == 7 && to[-1] == 0 && to[MIB] == 0);
        TAP_CHECK(t, !resident(from) && !resident(from + MIB - 1));
        TAP_CHECK(t, from[-1] == 7 && from[0] == 0 && from[MIB - 1] == 0 && from[MIB] == 7);
        TAP_EQ(t, loam_pages_move(pages.base, to + MIB / 2, MIB), LOAM_PAGES_APART);
        TAP_CHECK(t, pages.base[0] == 7 && to[MIB / 2] == 7);
        TAP_EQ(t, loam_pages_move(from, to, MIB), LOAM_PAGES_MOVED);
        TAP_CHECK(t, from[0] == 7 && to[0] == 0);
        locked_stays(t, from, to);
    }
    loam_pages_release(&pages);
}

/* Addresses behind what is kept are anybody's again; what is ready stays, and ends in a page that
 * nobody can touch. */
static void cuts(tap *t)
{
    TAP_EQ(t, loam_pages_reserve(&pages, 16 * MIB, 16 * MIB, LOAM_PAGES_LATER), LOAM_OK);
    TAP_EQ(t, loam_pages_grow(&pages, 4 * MIB), LOAM_OK);
    loam_pages_cut(&pages, 20 * MIB);
    TAP_EQ(t, pages.len, 16 * MIB);
    loam_pages_cut(&pages, 9 * MIB);
    TAP_EQ(t, pages.len, 8 * MIB);
    TAP_CHECK(t, mincore(pages.base + 8 * MIB, 4096, &(unsigned char){0}) == 0);
    TAP_CHECK(t, mincore(pages.base + 8 * MIB + loam_pages_page(), 4096, &(unsigned char){0}) != 0);
    loam_pages_cut(&pages, 0);
    TAP_EQ(t, pages.len, 4 * MIB);
    TAP_EQ(t, loam_pages_grow(&pages, 1), LOAM_EFULL);
    pages.base[4 * MIB - 1] = 1;
    loam_pages_release(&pages);
}

/* What a block holds, to a place with more room, which is one mapping then: it moves once more. */
static void carries(tap *t)
{
    TAP_EQ(t, loam_pages_reserve(&pages, 16 * MIB, 16 * MIB, LOAM_PAGES_LATER), LOAM_OK);
    TAP_EQ(t, loam_pages_grow(&pages, 12 * MIB), LOAM_OK);
    unsigned char *from = pages.base + MIB, *to = pages.base + 5 * MIB;
    unsigned char *last = pages.base + 8 * MIB;
    __builtin_memset(pages.base, 7, 3 * MIB);
    to[2 * MIB - 1] = 9; /* of somebody before */
    if (loam_pages_carry(to, 2 * MIB, from, MIB) == LOAM_PAGES_APART) {
        tap_note(t, "the system cannot");
    } else {
        TAP_CHECK(t, to[0] == 7 && to[MIB - 1] == 7 && to[MIB] == 0 && to[2 * MIB - 1] == 0);
        TAP_CHECK(t, to[-1] == 0 && to[2 * MIB] == 0);
        TAP_CHECK(t, from[-1] == 7 && from[0] == 0 && from[MIB - 1] == 0 && from[MIB] == 7);
        to[2 * MIB - 1] = 8;
        TAP_EQ(t, loam_pages_carry(last, 3 * MIB, to, 2 * MIB), LOAM_PAGES_MOVED);
        TAP_CHECK(t, last[0] == 7 && last[2 * MIB - 1] == 8 && last[3 * MIB - 1] == 0);
        TAP_CHECK(t, to[0] == 0 && to[2 * MIB - 1] == 0);
        TAP_EQ(t, loam_pages_carry(from, 3 * MIB, to + MIB, 2 * MIB), LOAM_PAGES_APART);
        TAP_CHECK(t, last[0] == 7 && to[MIB] == 0);
    }
    loam_pages_release(&pages);
}

/* " nh": the system gives no large pages there; " hg": they are asked for. */
static void large_pages(tap *t)
{
    static const struct {
        loam_pages_large large;
        const char *flag;
        int first, later, refused;
    } all[] = {{LOAM_PAGES_SMALL, " nh", 1, 1, 1},
               {LOAM_PAGES_LATER, " nh", 1, 0, 1},
               {LOAM_PAGES_LARGE, " hg", 1, 1, 1}};
    if (!smaps_knows_large(t)) {
        tap_note(t, "the system has none, or does not say");
        return;
    }
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(all); i++) {
        TAP_EQ(t, loam_pages_reserve(&pages, 64 * MIB, 64 * MIB, all[i].large), LOAM_OK);
        TAP_EQ(t, loam_pages_grow(&pages, 40 * MIB), LOAM_OK);
        unsigned char *later = pages.base + LOAM_PAGES_FEW;
        TAP_EQ(t, loam_pages_close(&pages, later - 2 * MIB, 4 * MIB), LOAM_PAGES_CLOSED);
        TAP_EQ(t, loam_pages_open(&pages, later - 2 * MIB, 4 * MIB), LOAM_OK);
        TAP_EQ(t, smaps_flag(pages.base, all[i].flag), all[i].first);
        TAP_EQ(t, smaps_flag(later - 1, all[i].flag), all[i].first);
        TAP_EQ(t, smaps_flag(later, all[i].flag), all[i].later);
        loam_pages_refuse_large(&pages);
        TAP_EQ(t, smaps_flag(later, all[i].flag), all[i].refused);
        loam_pages_release(&pages);
    }
}

static const tap_case cases[] = {
    {"hosted_pages: bad arguments: refused, no range", arguments},
    {"hosted_pages: grows in steps to the end, reads 0", grows},
    {"hosted_pages: gives whole pages back, and no others", gives_back},
    {"hosted_pages: cut: addresses behind go back, what is ready stays", cuts},
    {"hosted_pages: moves memory, and leaves none behind", moves},
    {"hosted_pages: carries what a block holds to more room, again and again", carries},
    {"hosted_pages: closed: nobody touches it; opened again: reads 0", closes},
    {"hosted_pages: told to refuse: refuses", refuses},
    {"hosted_pages: limits of the system", limits},
    {"hosted_pages: large ones: none, later, asked for; refused", large_pages},
};
static const tap_suite suite = {"hosted_pages", cases, LOAM_ARRAY_LEN(cases)};

int main(int argc, char **argv)
{
    return tap_host_main(&suite, argc, argv);
}
