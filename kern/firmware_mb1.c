/* SPDX-License-Identifier: MIT */
/* firmware_mb1.c - Multiboot 1, as GRUB and QEMU's -kernel speak it. */
#include "board.h"
#include "console.h"
#include "image.h"

/* Physical memory as the loader left it: all that has an address, but for the kernel's own. */
static const void *mb1_read(void *ctx, uint64_t at, uint64_t len)
{
    const loam_linear *mapped = &board_this.mapped;
    uint64_t start = phys_of(__image_start).v, end = phys_of(__image_end).v;
    (void)ctx;
    if (at < mapped->pa || at - mapped->pa > mapped->len || len > mapped->len - (at - mapped->pa))
        return NULL;
    return at < end && at + len > start ? NULL : virt_of(loam_pa_of(at));
}

/* Loaders put the kernel's file name in front: a word with a dot or a slash and no '='. */
static const char *behind_file_name(const char *line)
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

static bool mb1_find(const uintptr_t word[BOARD_FIRMWARE_WORDS], loam_bootinfo *info,
                     const char **why)
{
    const loam_phys memory = {mb1_read, NULL};
    loam_err err =
        loam_bootinfo_from_mb1(info, (uint32_t)word[0], loam_pa_of(word[1]), &memory, why);
    info->cmdline = behind_file_name(info->cmdline);
    return err == LOAM_OK;
}

static void mb1_log(const loam_bootinfo *info)
{
    klog("multiboot: %u ranges of RAM, %u reserved, %u modules, loader %s", (int)info->ram_count,
         (int)(info->held_count - info->module_count), (int)info->module_count,
         info->loader != NULL ? info->loader : "without a name");
    for (size_t i = 0; i < info->module_count; i++)
        klog("multiboot: module at 0x%X, %U bytes: %s", info->module[i].span.base,
             info->module[i].span.len, info->module[i].text);
    if (info->note != NULL)
        klog("multiboot: %s", info->note);
}

/* What was told is copied: nothing of the loader's is needed any more. */
static loam_err mb1_hold(loam_bootinfo *info)
{
    (void)info;
    return LOAM_OK;
}

static const char *mb1_console(const loam_bootinfo *info)
{
    (void)info;
    return NULL;
}

const board_firmware firmware_mb1 = {"multiboot", "eax", mb1_find, mb1_log, mb1_hold, mb1_console};
