/* SPDX-License-Identifier: MIT */
#include "loam/bootinfo.h"

uint32_t loam_bootinfo_node_of(const loam_bootinfo *info, loam_pa pa)
{
    size_t i = info->run_count - 1;
    while (i > 0 && info->run[i].base > pa.v)
        i--;
    return info->run[i].node;
}
