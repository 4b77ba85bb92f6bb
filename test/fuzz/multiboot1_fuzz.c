/* SPDX-License-Identifier: MIT */
/* multiboot1_fuzz.c - any bytes as the memory that a Multiboot 1 loader left. What is accepted has
 * to be what a plain reading of the same bytes finds.
 *
 * Input: two bytes that say where the information lies, then memory from FUZZ_BASE on. */
#include "fuzz_phys.h"
#include "loam/multiboot1.h"

enum { HEAD = 2 };

static void compare_map(const fuzz_image *m, const loam_bootinfo *info, fuzz_regions *seen,
                        uint64_t at, uint64_t len)
{
    for (uint64_t end = at + len; at < end;) {
        uint64_t size = fuzz_number(m, at, 4);
        FUZZ_CHECK(size >= 20 && size + 4 <= end - at);
        fuzz_region_is(info, seen, fuzz_number(m, at + 4, 8), fuzz_number(m, at + 12, 8),
                       fuzz_number(m, at + 20, 4));
        at += size + 4;
    }
}

static void compare(const fuzz_image *m, const loam_bootinfo *info, uint64_t at)
{
    uint64_t flags = fuzz_number(m, at, 4);
    uint64_t map_len = (flags & 1 << 6) != 0 ? fuzz_number(m, at + 44, 4) : 0;
    uint64_t modules = (flags & 1 << 3) != 0 ? fuzz_number(m, at + 20, 4) : 0;
    fuzz_regions seen = {0, 0};
    size_t listed = 0;
    if (map_len != 0) {
        compare_map(m, info, &seen, fuzz_number(m, at + 48, 4), map_len);
    } else {
        FUZZ_CHECK((flags & 1) != 0 && info->ram_count <= 2);
        seen.ram = info->ram_count;
    }
    for (uint64_t i = 0; i < modules; i++) {
        uint64_t entry = fuzz_number(m, at + 24, 4) + 16 * i;
        uint64_t start = fuzz_number(m, entry, 4), end = fuzz_number(m, entry + 4, 4);
        FUZZ_CHECK(start <= end);
        fuzz_module_is(info, &seen, &listed, start, end - start);
    }
    fuzz_all_seen(info, &seen, listed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static loam_bootinfo info;
    const char *why = NULL;
    if (len < HEAD)
        return 0;
    fuzz_image m = {data + HEAD, len - HEAD};
    const loam_phys memory = {fuzz_grant, &m};
    uint64_t at = FUZZ_BASE + (data[0] | (uint64_t)data[1] << 8);
    loam_err err = loam_bootinfo_from_mb1(&info, LOAM_MB1_MAGIC, loam_pa_of(at), &memory, &why);
    bool all = fuzz_take_back();
    if (err != LOAM_OK) {
        fuzz_refusal_holds(&info, err, why);
    } else if (all) {
        fuzz_info_holds(&info);
        compare(&m, &info, at);
    }
    return 0;
}
