/* SPDX-License-Identifier: MIT */
/* shell_files.c - commands for the initramfs, which is read where the boot loader put it. */
#include "board.h"
#include "console.h"
#include "kern.h"
#include "loam/cpio.h"
#include "shell.h"

/* Starts reading; false after a message when there is nothing to read. */
static bool open_archive(const char *command, loam_cpio *cpio)
{
    loam_span at = kern_this.bootinfo.initrd;
    uint64_t end;
    if (at.len == 0) {
        kprintf("%s: there is no initramfs\n", command);
        return false;
    }
    if (loam_add_overflows(at.base, at.len, &end) ||
        end > board_this.mapped.pa + board_this.mapped.len || at.base < LOAM_PAGE_SIZE) {
        kprintf("%s: the initramfs at 0x%X is out of reach\n", command, at.base);
        return false;
    }
    loam_cpio_init(cpio, virt_of(loam_pa_of(at.base)), (size_t)at.len);
    return true;
}

static char type_letter(uint32_t mode)
{
    switch (mode & LOAM_CPIO_TYPE) {
    case LOAM_CPIO_DIR:
        return 'd';
    case LOAM_CPIO_LINK:
        return 'l';
    case LOAM_CPIO_FILE:
        return '-';
    default:
        return '?';
    }
}

/* A name is from outside: what would command the terminal is shown as a question mark. */
static void print_name(const char *name)
{
    for (; *name != '\0'; name++)
        console_put((unsigned char)*name < ' ' || *name == 0x7f ? '?' : *name);
}

static void do_ls(size_t count, const char *const *word)
{
    loam_cpio cpio;
    loam_cpio_entry entry;
    loam_err err;
    (void)count;
    if (!open_archive(word[0], &cpio))
        return;
    while ((err = loam_cpio_next(&cpio, &entry)) == LOAM_OK) {
        const char *path = loam_cpio_path(entry.name);
        kprintf("%c %8U ", type_letter(entry.mode), (uint64_t)entry.size);
        print_name(path[0] != '\0' ? path : ".");
        kprintf("\n");
    }
    if (err != LOAM_ENOENT)
        kprintf("%s: the initramfs is broken here: %s\n", word[0], cpio.why);
}

static void print_file(const loam_cpio_entry *entry)
{
    char last = '\n';
    for (uint32_t i = 0; i < entry->size; i++) {
        char c = (char)entry->data[i];
        bool plain = (c >= ' ' && c < 127) || c == '\n' || c == '\t';
        last = plain ? c : '.';
        console_put(last);
    }
    if (last != '\n')
        console_put('\n');
}

static void do_cat(size_t count, const char *const *word)
{
    loam_cpio cpio;
    loam_cpio_entry entry;
    loam_err err;
    (void)count;
    if (!open_archive(word[0], &cpio))
        return;
    err = loam_cpio_find(&cpio, word[1], &entry);
    if (err == LOAM_ENOENT)
        kprintf("%s: no file '%s': try ls\n", word[0], word[1]);
    else if (err != LOAM_OK)
        kprintf("%s: the initramfs is broken: %s\n", word[0], cpio.why);
    else if ((entry.mode & LOAM_CPIO_TYPE) == LOAM_CPIO_DIR)
        kprintf("%s: '%s' is a directory\n", word[0], word[1]);
    else
        print_file(&entry);
}

const shell_command shell_file_commands[] = {
    {"ls", 0, 0, "", "files of the initramfs", do_ls},
    {"cat", 1, 1, "FILE", "print a file of the initramfs", do_cat},
    {NULL, 0, 0, NULL, NULL, NULL},
};
