/* SPDX-License-Identifier: MIT */
/* firmware_fdt.c - a device tree, as a Raspberry Pi's firmware and QEMU leave it. */
#include "board.h"
#include "console.h"
#include "image.h"
#include "loam/fdt.h"

static const void *tree_blob; /* NULL: none that can be used */

/* Bytes that may be read at an address the firmware gave; 0: it cannot be a device tree. */
static uint64_t readable_at(uint64_t address)
{
    const loam_linear *mapped = &board_this.mapped;
    uint64_t end = mapped->pa + (board_this.early_len != 0 ? board_this.early_len : mapped->len);
    return address >= mapped->pa && address < end - 8 ? end - address : 0;
}

static bool find_at(uint64_t address, loam_bootinfo *info, const char **why)
{
    size_t len = (size_t)readable_at(address);
    const void *blob = len != 0 ? virt_of(loam_pa_of(address)) : NULL;
    bool good = false;
    *why = "none given";
    if (address >= phys_of(__image_start).v && address < phys_of(__image_end).v)
        *why = "it lay inside the kernel's memory and is lost";
    else if (len != 0 && address % 4 == 0 && loam_fdt_size_at(blob) != 0)
        good = loam_bootinfo_from_fdt(info, blob, len, why) == LOAM_OK;
    tree_blob = good ? blob : NULL;
    return good;
}

static bool fdt_find(const uintptr_t word[BOARD_FIRMWARE_WORDS], loam_bootinfo *info,
                     const char **why)
{
    const char *not_there;
    return find_at(word[0], info, why) ||
           (board_this.tree_place != 0 && find_at(board_this.tree_place, info, &not_there));
}

static void fdt_log(const loam_bootinfo *info)
{
    klog("device tree: at 0x%X, %U bytes, %u nodes, %U processors%s%s", phys_of(tree_blob).v,
         (uint64_t)info->blob_len, info->nodes, (uint64_t)info->cpu_count,
         info->model != NULL ? ", " : "", info->model != NULL ? info->model : "");
    if (info->note != NULL)
        klog("device tree: ignored a part: %s", info->note);
}

static loam_err fdt_hold(loam_bootinfo *info)
{
    return loam_bootinfo_hold(info, phys_of(tree_blob), info->blob_len, "device tree");
}

/* The name of the node that stdout-path names. */
static const char *fdt_console(const loam_bootinfo *info)
{
    loam_fdt fdt;
    if (loam_fdt_is_none(info->console))
        return NULL;
    if (loam_fdt_open(&fdt, tree_blob, info->blob_len, NULL) != LOAM_OK)
        return NULL;
    return loam_fdt_name(&fdt, info->console);
}

const board_firmware firmware_fdt = {"device tree", "x0", fdt_find, fdt_log, fdt_hold, fdt_console};
