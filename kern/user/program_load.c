/* SPDX-License-Identifier: MIT */
/* program_load.c - from a file of the initrd to an address space that is ready to run.
 *
 *     bin/hello --loam_elf_open--> segments --map, load--> text | constants | data
 *     arguments ------------------------------------------> stack: strings, argv[], argc <- esp
 */
#include "board.h"
#include "kern.h"
#include "loam/cpio.h"
#include "process.h"
#include "words.h"

enum { ARGUMENT_BYTES = 1024, PATH = 80 };

/* ---- files ---- */

/* NULL, or why the archive cannot be read. */
static const char *open_archive(loam_cpio *cpio)
{
    loam_span at = kern_this.bootinfo.initrd;
    const loam_linear *mapped = &board_this.mapped;
    if (at.len == 0)
        return "there is no initrd: nothing to run";
    if (at.base < mapped->pa || at.base - mapped->pa > mapped->len ||
        at.len > mapped->len - (at.base - mapped->pa))
        return "the initrd is out of reach";
    loam_cpio_init(cpio, virt_of(loam_pa_of(at.base)), (size_t)at.len);
    return NULL;
}

static bool find_path(loam_cpio *cpio, const char *path, loam_span *file, const char **why)
{
    loam_cpio_entry entry;
    loam_err err = loam_cpio_find(cpio, path, &entry);
    if (err == LOAM_EFORMAT) {
        *why = cpio->why;
        return false;
    }
    if (err != LOAM_OK || (entry.mode & LOAM_CPIO_TYPE) != LOAM_CPIO_FILE)
        return false;
    *file = (loam_span){(uintptr_t)entry.data, entry.size};
    return true;
}

bool program_find(const char *name, loam_span *file, const char **why)
{
    char path[PATH];
    loam_text text;
    loam_cpio cpio;
    *why = open_archive(&cpio);
    if (*why != NULL)
        return false;
    loam_text_init(&text, path, sizeof(path));
    loam_text_fmt(&text, "bin/%s", name);
    if (!text.cut && find_path(&cpio, path, file, why))
        return true;
    if (*why == NULL && find_path(&cpio, name, file, why))
        return true;
    if (*why == NULL)
        *why = "no such program: try `programs`";
    return false;
}

bool program_each(const char *folder, program_fn *fn, void *ctx)
{
    loam_cpio cpio;
    loam_cpio_entry entry;
    if (open_archive(&cpio) != NULL)
        return false;
    while (loam_cpio_next(&cpio, &entry) == LOAM_OK) {
        const char *path = loam_cpio_path(entry.name);
        if (word_after(path, folder) == NULL || (entry.mode & LOAM_CPIO_TYPE) != LOAM_CPIO_FILE)
            continue;
        if (!fn(ctx, path, entry.size))
            break;
    }
    return cpio.why == NULL;
}

/* ---- memory ---- */

static const char *segment_name(unsigned flags)
{
    if ((flags & LOAM_ELF_EXEC) != 0)
        return "text";
    return (flags & LOAM_ELF_WRITE) != 0 ? "data" : "constants";
}

static loam_err map_at(loam_aspace *as, uint64_t base, uint64_t len, unsigned flags,
                       const char *name)
{
    uint64_t at;
    return loam_aspace_map(as, base, len, flags | LOAM_ASPACE_FIXED, name, &at);
}

static bool load_segment(loam_aspace *as, const loam_elf_segment *s)
{
    uint64_t base = loam_align_down(s->va, LOAM_PAGE_SIZE);
    unsigned flags = ((s->flags & LOAM_ELF_WRITE) != 0 ? (unsigned)LOAM_PT_WRITE : 0U) |
                     ((s->flags & LOAM_ELF_EXEC) != 0 ? (unsigned)LOAM_PT_EXEC : 0U);
    return map_at(as, base, s->va + s->len - base, flags, segment_name(s->flags)) == LOAM_OK &&
           loam_aspace_load(as, s->va, s->data, s->file_len) == LOAM_FAULT_DONE;
}

static bool make_stack(loam_aspace *as)
{
    return map_at(as, LOAM_PAGE_SIZE, USER_TEXT - LOAM_PAGE_SIZE, LOAM_ASPACE_GUARD, "near NULL") ==
               LOAM_OK &&
           map_at(as, USER_STACK_TOP - USER_STACK, USER_STACK, LOAM_PT_WRITE | LOAM_ASPACE_STACK,
                  "stack") == LOAM_OK;
}

/* ---- arguments ---- */

typedef struct arguments {
    uint32_t word[USER_ARGUMENTS + 2]; /* argc, argv[], NULL */
    char text[ARGUMENT_BYTES];
    size_t words, used;
} arguments;

/* Strings as they will lie below the stack's top. */
static bool pack(arguments *a, size_t argc, const char *const *argv)
{
    a->words = a->used = 0;
    a->word[a->words++] = (uint32_t)argc;
    if (argc > USER_ARGUMENTS)
        return false;
    for (size_t i = 0; i < argc; i++) {
        if (!word_copy(a->text + a->used, sizeof(a->text) - a->used, argv[i]))
            return false;
        a->word[a->words++] = (uint32_t)(USER_STACK_TOP - sizeof(a->text) + a->used);
        while (a->text[a->used++] != '\0') {
        }
        if (a->used == sizeof(a->text) && i + 1 < argc)
            return false;
    }
    a->word[a->words++] = 0;
    return true;
}

/* Where the stack pointer begins: at argc, a multiple of 16. 0: no memory. */
static uint32_t push(loam_aspace *as, const arguments *a)
{
    uint32_t strings = (uint32_t)(USER_STACK_TOP - sizeof(a->text));
    uint32_t esp = (uint32_t)loam_align_down(strings - a->words * sizeof(a->word[0]), 16);
    if (loam_aspace_load(as, strings, a->text, a->used) != LOAM_FAULT_DONE ||
        loam_aspace_load(as, esp, a->word, a->words * sizeof(a->word[0])) != LOAM_FAULT_DONE)
        return 0;
    return esp;
}

bool program_load(loam_aspace *as, const void *file, size_t len, size_t argc,
                  const char *const *argv, uint32_t *eip, uint32_t *esp, const char **why)
{
    static const loam_span window = {USER_TEXT, USER_STACK_TOP - USER_STACK - USER_TEXT};
    static loam_elf elf;
    static arguments packed;
    if (loam_elf_open(&elf, file, len, LOAM_ELF_386, window) != LOAM_OK) {
        *why = elf.why;
        return false;
    }
    if (!pack(&packed, argc, argv)) {
        *why = "too many arguments, or too long ones";
        return false;
    }
    *why = "no memory to load it";
    for (unsigned i = 0; i < elf.count; i++)
        if (!load_segment(as, &elf.segment[i]))
            return false;
    if (!make_stack(as))
        return false;
    *eip = (uint32_t)elf.entry;
    *esp = push(as, &packed);
    return *esp != 0;
}
