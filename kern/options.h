/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_OPTIONS_H
#define LOAM_KERN_OPTIONS_H

/* options.h - the kernel command line: what shall happen after the boot.
 *
 *     test  test=TEXT     the core's unit tests (those whose name contains TEXT), then off
 *     demo=NAME           a demo; several, in the order given
 *     play  play=HOW      blocks by keys, until the player leaves; HOW is grow or guard
 *     compat=NAME         one of the older systems: its demo; compat=shomp is play
 *     pgalloc=buddy       the page allocator of compat/stacsos on most of the memory, by all
 *                         processors at once
 *     pgalloc-selftest=yes|no
 *                         the self-test of compat/stacsos, before the demos
 *     shell               after that the shell (the default)
 *     off                 after that off, with exit code 0 when all demos went well
 *     exit=semihost       off ends the emulator with an exit code; never give this to a board
 *     console=NAME        where the console is, whatever stdout-path says
 *     misuse=panic        a caller's bug stops the kernel, even in the shell
 *     misuse=report       ... is reported and refused, even outside of the shell
 *     slab=OPTIONS        guard,poison,quarantine=64K,owner,shift=14,... (include/loam/slab.h)
 *     trace               every event of the allocators as a line, from the first on
 *     seed=NUMBER         of the tests, and of a stress that names none
 *     stress=OPS[,SEED][,offline]
 *                         all processors allocate at once, before the demos (stress.c)
 *     cpus=NUMBER         at most so many processors are started
 */
#include "loam/slab.h"
#include "stress.h"

enum { OPTIONS_CAP = 1024, OPTIONS_DEMOS = 8 };

typedef enum options_misuse { MISUSE_BY_PLACE, MISUSE_PANIC, MISUSE_REPORT } options_misuse;

typedef struct options {
    bool test, shell, off, semihost, trace, pgalloc, pgalloc_selftest;
    options_misuse misuse;
    const char *test_only; /* or NULL */
    const char *console;   /* or NULL */
    const char *play;      /* how, or NULL */
    const char *demo[OPTIONS_DEMOS];
    size_t demo_count;
    uint64_t seed;
    uint64_t cpus;      /* 0: all */
    stress_wish stress; /* ops 0: none */
    loam_slab_config slab;
    char text[OPTIONS_CAP]; /* terminated copies of the words; the pointers above point here */
    size_t used;
} options;

/* Reads the command line and calls warn for each word that is unknown or wrong. */
void options_parse(options *o, const char *text, void (*warn)(const char *why, const char *word));

#endif
