/* SPDX-License-Identifier: MIT */
/* pvh_fuzz.c - any bytes as what starts a kernel by its PVH note leaves. What is accepted has to be
 * what a plain reading of the same bytes finds.
 *
 * Input: memory from FUZZ_BASE on, where the information lies. */
#include "fuzz_phys.h"
#include "loam/pvh.h"

static void compare(const fuzz_image *m, const loam_bootinfo *info)
{
    uint64_t modules = fuzz_number(m, FUZZ_BASE + 16, 8), map = fuzz_number(m, FUZZ_BASE + 40, 8);
    fuzz_regions seen = {0, 0};
    size_t listed = 0;
    FUZZ_CHECK(fuzz_number(m, FUZZ_BASE, 4) == LOAM_PVH_MAGIC);
    FUZZ_CHECK(fuzz_number(m, FUZZ_BASE + 4, 4) != 0);
    for (uint64_t i = fuzz_number(m, FUZZ_BASE + 48, 4); i > 0; i--, map += 24)
        fuzz_region_is(info, &seen, fuzz_number(m, map, 8), fuzz_number(m, map + 8, 8),
                       fuzz_number(m, map + 16, 4));
    for (uint64_t i = fuzz_number(m, FUZZ_BASE + 12, 4); i > 0; i--, modules += 32)
        fuzz_module_is(info, &seen, &listed, fuzz_number(m, modules, 8),
                       fuzz_number(m, modules + 8, 8));
    fuzz_all_seen(info, &seen, listed);
    FUZZ_CHECK(info->rsdp == fuzz_number(m, FUZZ_BASE + 32, 8));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static loam_bootinfo info;
    const char *why = NULL;
    fuzz_image m = {data, len};
    const loam_phys memory = {fuzz_grant, &m};
    loam_err err = loam_bootinfo_from_pvh(&info, loam_pa_of(FUZZ_BASE), &memory, &why);
    bool all = fuzz_take_back();
    if (err != LOAM_OK) {
        fuzz_refusal_holds(&info, err, why);
    } else if (all) {
        fuzz_info_holds(&info);
        compare(&m, &info);
    }
    return 0;
}
