/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BENCH_PATTERN_H
#define LOAM_BENCH_PATTERN_H

/* pattern.h - what the pattern programs share. Each is a plain C program over malloc that does one
 * thing that is known to be hard for allocators, a fixed amount of it, and prints a sum of all that
 * it read back from its blocks:
 *
 *     program [WORD | NUMBER OF THREADS] [--quick | --tiny]      -->      sum 0123456789abcdef
 *
 * The sum depends on nothing but the arguments: neither on addresses nor on who was faster.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PATTERN_MAX_THREADS = 64, PATTERN_LEAST = 16 };

typedef struct pattern {
    unsigned long work; /* units of what the program repeats: all of it, a sixteenth, or next to
                           nothing; at least 1 */
    unsigned threads;   /* 1 unless a number says otherwise */
    const char *word;   /* or "" */
} pattern;

/* Reads the arguments; full is the work without --quick and --tiny. Ends the program on others. */
pattern pattern_open(int argc, char **argv, unsigned long full);

_Noreturn void pattern_die(const char *what);

/* Prints the sum and ends the program as successful. */
_Noreturn void pattern_done(uint64_t sum);

/* ---- random numbers, the same in every run ---- */

static inline uint64_t pattern_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15ULL; /* splitmix64 */
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

/* 0 .. n - 1; n > 0. */
static inline uint32_t pattern_below(uint64_t *state, uint32_t n)
{
    return (uint32_t)(((pattern_random(state) >> 32) * n) >> 32);
}

/* least .. below << octaves: every power of two as likely as the next. least > 0. */
static inline size_t pattern_size(uint64_t *state, size_t least, unsigned octaves)
{
    size_t octave = least << pattern_below(state, octaves);
    return octave + (size_t)pattern_random(state) % octave;
}

/* ---- blocks that know what was written into them ---- */

/* A block of size >= PATTERN_LEAST bytes: the tag in front, part of it in the last byte. Ends the
 * program when there is none. */
void *pattern_new(size_t size, uint64_t tag);

/* realloc, or malloc for p NULL; ends the program when there is no memory. */
void *pattern_sized(void *p, size_t size);

/* Marks a block that came from elsewhere (calloc, realloc, ...) in the same way; p != NULL. */
void *pattern_mark(void *p, size_t size, uint64_t tag);

/* The tag; ends the program when the last byte is another's. */
uint64_t pattern_read(const void *p, size_t size);

/* pattern_read, and the block is freed. */
uint64_t pattern_drop(void *p, size_t size);

/* ---- threads ---- */

/* Runs n <= PATTERN_MAX_THREADS threads at the same time, the i-th on args + i * size, and waits
 * for all of them. */
void pattern_threads(unsigned n, void *(*run)(void *), void *args, size_t size);

/* A thread's part of the work; what it is run on begins with it. */
typedef struct pattern_part {
    unsigned long work;
    uint64_t random, sum; /* its random numbers; of what it read back */
} pattern_part;

/* Shares p's work among its threads, each with `size` bytes of its own that read 0 but for their
 * pattern_part in front; ends the program with the sum of their sums. */
_Noreturn void pattern_share(const pattern *p, void *(*run)(void *), size_t size);

/* `rounds` times n <= PATTERN_MAX_THREADS threads at the same time, which all end before the next
 * ones come, each on a pattern_part with random numbers of its own; ends the program as above. */
_Noreturn void pattern_rounds(unsigned long rounds, unsigned n, void *(*run)(void *));

#endif
