/* SPDX-License-Identifier: MIT */
/* aspace_fuzz.c - bytes as a sequence of operations on several address spaces, beside plain arrays
 * with contents (aspace_oracle.h). The first byte chooses the format. */
#define GROUND_FRAMES 512
#define GROUND_TABLES 160
#define GROUND_UNIT   (256 * 1024)
#include "aspace_oracle.h"
#include "fuzz.h"

enum { STEPS = 1000 };

static fuzz_bytes input;

_Noreturn void oracle_wrong(int line, const char *text)
{
    fprintf(stderr, "# aspace_oracle.h:%d: %s\n", line, text);
    abort();
}

uint64_t oracle_below(uint64_t n)
{
    uint64_t v = fuzz_byte(&input);
    for (uint64_t most = 256; most < n; most <<= 8)
        v = v << 8 | fuzz_byte(&input);
    return v % n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const loam_pt_format *const formats[] = {&loam_pt_i386, &loam_pt_x86_64,
                                                    &loam_pt_aarch64};
    input = (fuzz_bytes){data, data + len};
    FUZZ_CHECK(oracle_begin(formats[fuzz_byte(&input) % 3]));
    oracle_step_create();
    for (unsigned i = 0; input.at < input.end && i < STEPS; i++) {
        oracle_step();
        if (i % 64 == 63)
            oracle_compare();
    }
    oracle_compare();
    oracle_end();
    return 0;
}
