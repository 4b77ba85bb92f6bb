/* SPDX-License-Identifier: MIT */
/* firmware_pc.c - what the loaders of a PC have in common. */
#include "firmware_pc.h"
#include "board.h"
#include "console.h"
#include "image.h"

static const void *pc_read(void *ctx, uint64_t at, uint64_t len)
{
    const loam_linear *mapped = &board_this.mapped;
    uint64_t reach = board_this.early_len != 0 ? board_this.early_len : mapped->len;
    uint64_t start = phys_of(__image_start).v, end = phys_of(__image_end).v;
    (void)ctx;
    if (at < mapped->pa || at - mapped->pa > reach || len > reach - (at - mapped->pa))
        return NULL;
    return at < end && at + len > start ? NULL : virt_of(loam_pa_of(at));
}

const loam_phys firmware_pc_memory = {pc_read, NULL};

const char *firmware_pc_behind_file_name(const char *line)
{
    bool name = false;
    size_t i = 0;
    for (; line[i] != '\0' && line[i] != ' '; i++) {
        if (line[i] == '=' || line[i] == '"')
            return line;
        name = name || line[i] == '.' || line[i] == '/';
    }
    while (name && line[i] == ' ')
        i++;
    return name ? line + i : line;
}

void firmware_pc_log(const char *name, const loam_bootinfo *info)
{
    klog("%s: %u ranges of RAM, %u reserved, %u modules, loader %s", name, (int)info->ram_count,
         (int)(info->held_count - info->module_count), (int)info->module_count,
         info->loader != NULL ? info->loader : "without a name");
    for (size_t i = 0; i < info->module_count; i++)
        klog("%s: module at 0x%X, %U bytes: %s", name, info->module[i].span.base,
             info->module[i].span.len, info->module[i].text);
    if (info->rsdp != 0)
        klog("%s: ACPI at 0x%X, %U processors, %u memory nodes", name, info->rsdp,
             (uint64_t)info->cpu_count, info->node_count);
    if (info->note != NULL)
        klog("%s: %s", name, info->note);
}

loam_err firmware_pc_hold(loam_bootinfo *info)
{
    (void)info;
    return LOAM_OK;
}

const char *firmware_pc_console(const loam_bootinfo *info)
{
    (void)info;
    return NULL;
}
