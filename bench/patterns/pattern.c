/* SPDX-License-Identifier: MIT */
/* pattern.c - arguments, blocks and threads of the pattern programs. */
#include "pattern.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void pattern_die(const char *what)
{
    fprintf(stderr, "pattern: %s\n", what);
    exit(1);
}

_Noreturn void pattern_done(uint64_t sum)
{
    printf("sum %016" PRIx64 "\n", sum);
    exit(0);
}

pattern pattern_open(int argc, char **argv, unsigned long full)
{
    pattern p = {.work = full, .threads = 1, .word = ""};
    for (int i = 1; i < argc; i++) {
        unsigned long number = strtoul(argv[i], NULL, 10);
        if (strcmp(argv[i], "--quick") == 0)
            p.work = full / 16;
        else if (strcmp(argv[i], "--tiny") == 0)
            p.work = full / 1000;
        else if (argv[i][0] == '-' || number > PATTERN_MAX_THREADS)
            pattern_die("usage: [WORD | THREADS] [--quick | --tiny]; at most 64 threads");
        else if (number > 0)
            p.threads = (unsigned)number;
        else
            p.word = argv[i];
    }
    p.work = p.work == 0 ? 1 : p.work;
    return p;
}

void *pattern_mark(void *p, size_t size, uint64_t tag)
{
    memcpy(p, &tag, sizeof tag);
    ((unsigned char *)p)[size - 1] = (unsigned char)(tag * 167);
    return p;
}

void *pattern_sized(void *p, size_t size)
{
    void *q = p == NULL ? malloc(size) : realloc(p, size);
    if (q == NULL)
        pattern_die("no memory");
    return q;
}

void *pattern_new(size_t size, uint64_t tag)
{
    return pattern_mark(pattern_sized(NULL, size), size, tag);
}

uint64_t pattern_read(const void *p, size_t size)
{
    uint64_t tag;
    memcpy(&tag, p, sizeof tag);
    if (((const unsigned char *)p)[size - 1] != (unsigned char)(tag * 167))
        pattern_die("a block lost what was written into it");
    return tag;
}

uint64_t pattern_drop(void *p, size_t size)
{
    uint64_t tag = pattern_read(p, size);
    free(p);
    return tag;
}

void pattern_threads(unsigned n, void *(*run)(void *), void *args, size_t size)
{
    pthread_t thread[PATTERN_MAX_THREADS];
    for (unsigned i = 0; i < n; i++) {
        if (pthread_create(&thread[i], NULL, run, (char *)args + i * size) != 0)
            pattern_die("a thread cannot be started");
    }
    for (unsigned i = 0; i < n; i++)
        pthread_join(thread[i], NULL);
}

static pattern_part *part_of(void *args, size_t size, unsigned i)
{
    return (pattern_part *)(void *)((unsigned char *)args + i * size);
}

_Noreturn void pattern_share(const pattern *p, void *(*run)(void *), size_t size)
{
    void *args = calloc(p->threads, size);
    uint64_t sum = 0;
    if (args == NULL)
        pattern_die("no memory");
    for (unsigned i = 0; i < p->threads; i++)
        *part_of(args, size, i) = (pattern_part){p->work / p->threads + 1, i + 1, 0};
    pattern_threads(p->threads, run, args, size);
    for (unsigned i = 0; i < p->threads; i++)
        sum += part_of(args, size, i)->sum;
    free(args);
    pattern_done(sum);
}

_Noreturn void pattern_rounds(unsigned long rounds, unsigned n, void *(*run)(void *))
{
    static pattern_part part[PATTERN_MAX_THREADS];
    uint64_t sum = 0;
    for (unsigned long i = 0; i < rounds; i++) {
        for (unsigned k = 0; k < n; k++)
            part[k] = (pattern_part){0, i * n + k, 0};
        pattern_threads(n, run, part, sizeof part[0]);
        for (unsigned k = 0; k < n; k++)
            sum += part[k].sum;
    }
    pattern_done(sum);
}
