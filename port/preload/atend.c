/* SPDX-License-Identifier: MIT */
/* atend.c - what LOAM_CONF wants to be told when the program ends: figures, leaks.
 *
 * Written with write alone, in pieces of a line: the C library may be half gone by then. Some
 * programs close standard error before they end, so it is kept by a number of our own. */
#define _GNU_SOURCE
#include "preload.h"

#include <fcntl.h>
#include <unistd.h>

enum { KEPT_FROM = 200 /* descriptor numbers that no program counts on */ };

static int out = STDERR_FILENO;

void atend_prepare(void)
{
    if (!loam__conf.stats && !loam__conf.leaks)
        return;
    int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, KEPT_FROM);
    if (kept >= 0)
        out = kept;
}

static void line(const char *fmt, uint64_t a, uint64_t b, uint64_t c)
{
    char text[256];
    loam_text t;
    size_t len = 0;
    loam_text_init(&t, text, sizeof(text));
    loam_text_fmt(&t, fmt, a, b, c);
    while (text[len] != '\0')
        len++;
    (void)!write(out, text, len);
}

/* The path with the process's number for %p. */
static void open_file(void)
{
    char path[PROCESS_PATH + 24];
    loam_text t;
    loam_text_init(&t, path, sizeof(path));
    for (const char *p = loam__conf.file; *p != '\0'; p++) {
        bool number = p[0] == '%' && p[1] == 'p';
        if (number)
            loam_text_fmt(&t, "%U", (uint64_t)getpid());
        else
            loam_text_fmt(&t, "%c", *p);
        p += number;
    }
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file >= 0)
        out = file;
    else
        line("loam: LOAM_CONF: the file cannot be written: here instead\n", 0, 0, 0);
}

static void figures(void)
{
    process_sums s = process_sums_now();
    if (loam__conf.json) {
        line("{\"used\":%U,\"blocks\":%U,\"ready\":%U,", s.used, s.blocks, s.ready);
        line("\"huge\":%U,\"huge_blocks\":%U,\"abandoned\":%U}\n", s.huge, s.huge_blocks,
             threads_abandoned());
        return;
    }
    line("loam: %U bytes in %U blocks are out; %U bytes are from the system\n", s.used + s.huge,
         s.blocks, s.ready + s.huge);
    line("loam: of these %U bytes in %U huge blocks; %U fronts left behind by forks\n", s.huge,
         s.huge_blocks, threads_abandoned());
}

typedef struct leak_sums {
    uint64_t blocks, bytes;
} leak_sums;

enum { LEAKS_TOLD = 1000 };

static bool leak(void *ctx, void *p, size_t size, const char *cache, const void *site)
{
    leak_sums *sums = ctx;
    (void)cache;
    if (sums->blocks++ < LEAKS_TOLD)
        line("loam: still out: 0x%X, %U bytes, from 0x%X\n", (uintptr_t)p, size, (uintptr_t)site);
    sums->bytes += size;
    return true;
}

/* Of these nobody keeps who asked. */
static void leak_huge(void *ctx, void *p, size_t len)
{
    leak_sums *sums = ctx;
    if (sums->blocks++ < LEAKS_TOLD)
        line("loam: still out: 0x%X, %U bytes, huge\n", (uintptr_t)p, len, 0);
    sums->bytes += len;
}

static void leaks(void)
{
    leak_sums sums = {0, 0};
    uint32_t n = loam_atomic_load(&loam__process.ranges);
    for (uint32_t i = 0; i < n; i++)
        loam_kmalloc_each(loam__process.range[i].kmalloc, leak, &sums);
    huge_each(leak_huge, &sums);
    line("loam: %U bytes in %U blocks are still out\n", sums.bytes, sums.blocks, 0);
}

__attribute__((destructor)) static void at_end(void)
{
    if (!loam__conf.stats && !loam__conf.leaks)
        return;
    if (loam__conf.file[0] != '\0')
        open_file();
    if (loam__conf.stats)
        figures();
    if (loam__conf.leaks)
        leaks();
}
