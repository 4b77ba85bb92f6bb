/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_FUZZ_H
#define LOAM_TEST_FUZZ_H

/* fuzz.h - what every fuzzer is: one entry point, bytes in, and a stop when something is wrong.
 * The same object is linked with libFuzzer (`make fuzz`) and with fuzz_replay.c (`make test`). */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Says what is wrong and ends the program: libFuzzer keeps the input, the replay fails. */
#define FUZZ_CHECK(cond)                                                                           \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "# %s:%d: wrong: %s\n", __FILE__, __LINE__, #cond);                    \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* A rule that _check() names is said before the end. */
#define FUZZ_RULE(rule)                                                                            \
    do {                                                                                           \
        const char *fuzz_rule = (rule);                                                            \
        if (fuzz_rule != NULL) {                                                                   \
            fprintf(stderr, "# %s:%d: broken: %s\n", __FILE__, __LINE__, fuzz_rule);               \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Bytes as a source of decisions; 0 when they are used up. */
typedef struct fuzz_bytes {
    const uint8_t *at, *end;
} fuzz_bytes;

static inline unsigned fuzz_byte(fuzz_bytes *b)
{
    return b->at < b->end ? *b->at++ : 0;
}

#endif
