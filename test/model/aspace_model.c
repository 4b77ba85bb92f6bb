/* SPDX-License-Identifier: MIT */
/* aspace_model.c - random operations on several address spaces, and the same on plain arrays with
 * contents (aspace_oracle.h), in every format; and more clones than a count can tell. */
#define GROUND_FRAMES 512
#define GROUND_TABLES 700
#define GROUND_UNIT   (1024 * 1024)
#include "aspace_oracle.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t rng, seed;
static const char *where = "";

_Noreturn void oracle_wrong(int line, const char *text)
{
    printf("# SEED=%llu: %s, aspace_oracle.h:%d: %s\nBail out! the model disagrees\n",
           (unsigned long long)seed, where, line, text);
    exit(1);
}

uint64_t oracle_below(uint64_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (rng >> 11) % n;
}

static void life(const loam_pt_format *format, unsigned steps)
{
    where = loam_pt_format_name(format);
    if (!oracle_begin(format))
        oracle_wrong(__LINE__, "no world");
    oracle_step_create();
    for (unsigned i = 0; i < steps; i++) {
        oracle_step();
        if (i % 16 == 0)
            oracle_compare();
    }
    oracle_compare();
    oracle_end();
}

/* A page with 300 owners: each has its own contents after it wrote, the rest the first ones. */
static void crowd(void)
{
    enum { CLONES = 300, AT = 0x400000 };
    static loam_aspace *clone[CLONES];
    uint64_t at;
    where = "crowd";
    if (!ground_start(&loam_pt_i386))
        oracle_wrong(__LINE__, "no world");
    loam_aspace *as = loam_aspace_create(ground.world);
    ORACLE_CHECK(loam_aspace_map(as, AT, PAGE, LOAM_PT_WRITE | LOAM_ASPACE_FIXED, "page", &at) ==
                 LOAM_OK);
    ORACLE_CHECK(ground_write(as, AT, 7) == LOAM_FAULT_DONE);
    for (unsigned i = 0; i < CLONES; i++) {
        clone[i] = loam_aspace_clone(i % 3 == 0 || i < 3 ? as : clone[i - 3]);
        ORACLE_CHECK(clone[i] != NULL);
    }
    ORACLE_CHECK(loam_aspace_world_check(ground.world) == NULL);
    ORACLE_CHECK(ground_frames_out() > 1 && ground_frames_out() < 60);
    for (unsigned i = 0; i < CLONES; i += 2)
        ORACLE_CHECK(ground_write(clone[i], AT, (unsigned char)i) == LOAM_FAULT_DONE);
    for (unsigned i = 0; i < CLONES; i++)
        ORACLE_CHECK(ground_read(clone[i], AT) == (i % 2 == 0 ? (unsigned char)i : 7));
    ORACLE_CHECK(loam_aspace_world_check(ground.world) == NULL);
    for (unsigned i = 0; i < CLONES; i++)
        loam_aspace_destroy(clone[(i * 7) % CLONES]);
    ORACLE_CHECK(ground_frames_out() == 1);
    loam_aspace_destroy(as);
    ORACLE_CHECK(ground_frames_out() == 0 && ground.table.out == ground.kernel.tables);
    ORACLE_CHECK(loam_aspace_world_fini(ground.world) == LOAM_OK && ground.unit.out == 0);
}

int main(void)
{
    static const loam_pt_format *const formats[] = {&loam_pt_i386, &loam_pt_x86_64,
                                                    &loam_pt_aarch64};
    const char *given = getenv("SEED");
    unsigned lives = getenv("LOAM_LONG") ? 300 : 8;
    seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) << 20;
    printf("1..4\n");
    for (unsigned f = 0; f < 3; f++) {
        for (unsigned i = 0; i < lives; i++, seed++) {
            rng = seed * 0x9e3779b97f4a7c15ULL | 1;
            life(formats[f], 4000);
        }
        printf("ok %u - aspace_model: %s: random operations, several spaces: as the arrays say\n",
               f + 1, loam_pt_format_name(formats[f]));
    }
    crowd();
    printf("ok 4 - aspace_model: 300 clones of a page: each as it wrote\n");
    return 0;
}
