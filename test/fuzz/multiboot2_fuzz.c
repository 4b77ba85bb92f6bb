/* SPDX-License-Identifier: MIT */
/* multiboot2_fuzz.c - any bytes as the memory that a Multiboot 2 loader left. What is accepted has
 * to be what a plain reading of the same bytes finds.
 *
 * Input: memory from FUZZ_BASE on, where the information lies. */
#include "fuzz_phys.h"
#include "loam/multiboot2.h"

/* The address of the next tag from `at` on; 0 at the end. */
static uint64_t next_tag(const fuzz_image *m, uint64_t at, uint64_t end)
{
    FUZZ_CHECK(end - at >= 8);
    uint64_t size = fuzz_number(m, at + 4, 4);
    FUZZ_CHECK(size >= 8 && size <= end - at);
    return fuzz_number(m, at, 4) == 0 ? 0 : at + (size + 7) / 8 * 8;
}

static void compare_map(const fuzz_image *m, const loam_bootinfo *info, fuzz_regions *seen,
                        uint64_t at)
{
    uint64_t each = fuzz_number(m, at + 8, 4), end = at + fuzz_number(m, at + 4, 4);
    FUZZ_CHECK(each >= 24);
    for (at += 16; at < end; at += each) {
        FUZZ_CHECK(each <= end - at);
        fuzz_region_is(info, seen, fuzz_number(m, at, 8), fuzz_number(m, at + 8, 8),
                       fuzz_number(m, at + 16, 4));
    }
}

static void compare(const fuzz_image *m, const loam_bootinfo *info)
{
    uint64_t end = FUZZ_BASE + fuzz_number(m, FUZZ_BASE, 4), map = 0;
    fuzz_regions seen = {0, 0};
    size_t listed = 0;
    for (uint64_t at = FUZZ_BASE + 8; at != 0; at = next_tag(m, at, end))
        if (map == 0 && fuzz_number(m, at, 4) == LOAM_MB2_MAP)
            map = at;
    if (map != 0 && fuzz_number(m, map + 4, 4) > 16)
        compare_map(m, info, &seen, map);
    else
        seen.ram = info->ram_count;
    for (uint64_t at = FUZZ_BASE + 8; at != 0; at = next_tag(m, at, end)) {
        if (fuzz_number(m, at, 4) != LOAM_MB2_MODULE)
            continue;
        uint64_t start = fuzz_number(m, at + 8, 4), stop = fuzz_number(m, at + 12, 4);
        FUZZ_CHECK(start <= stop);
        fuzz_module_is(info, &seen, &listed, start, stop - start);
    }
    fuzz_all_seen(info, &seen, listed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static loam_bootinfo info;
    const char *why = NULL;
    fuzz_image m = {data, len};
    const loam_phys memory = {fuzz_grant, &m};
    loam_err err =
        loam_bootinfo_from_mb2(&info, LOAM_MB2_MAGIC, loam_pa_of(FUZZ_BASE), &memory, &why);
    bool all = fuzz_take_back();
    if (err != LOAM_OK) {
        fuzz_refusal_holds(&info, err, why);
    } else if (all) {
        fuzz_info_holds(&info);
        compare(&m, &info);
    }
    return 0;
}
