/* SPDX-License-Identifier: MIT */
/* multiboot1.c - what a Multiboot 1 loader leaves in memory, read where it lies.
 *
 * WHAT   A loader of 1995's convention enters a kernel with a magic number and the address of a
 *        structure; that structure says what it is about, and where the rest lies.
 *
 * MODEL
 *            eax 0x2badb002     ebx --> +0   flags       which of these are meant:
 *                                       +4   lower upper       bit 0
 *                                       +16  cmdline ------>   bit 2   "kernel words"
 *                                       +20  count list --+    bit 3
 *                                       +44  len map --+  |    bit 6
 *                                       +64  loader    |  |    bit 9
 *                        +-----------------------------+  |
 *                        v                                +--> start end text 0 | start end ...
 *            map   size | base base len len type ... | size | base base ...
 *                       |<---------- size ---------->|          size is at least 20
 *
 *        All numbers are little-endian; base and len have 64 bits, addresses 32.
 *
 * RULES  G1  the magic number is that of Multiboot 1
 *        G2  the fields that the flags mean can be read
 *        G3  the map can be read, whole
 *        G4  every entry of the map has a size of 20 or more, and ends inside the map
 *        G5  the list of modules can be read, whole
 *        loam_mb1_open() proves them; each later step asks the reader again all the same.
 *
 * LOCKS  None; nothing is written.
 * COST   open: one step an entry. An entry is 24 bytes or more, so no map makes it loop.
 * FROM   The Multiboot Specification 0.6.96, section 3.3.
 * NOT    What the map means (bootinfo_mb1.c); symbols, drives, APM, VBE and the frame buffer.
 */
#include "loam/multiboot1.h"

enum {
    FLAG_SIZES = 1 << 0,
    FLAG_CMDLINE = 1 << 2,
    FLAG_MODULES = 1 << 3,
    FLAG_MAP = 1 << 6,
    FLAG_LOADER = 1 << 9,

    AT_FLAGS = 0,
    AT_LOWER = 4,
    AT_UPPER = 8,
    AT_CMDLINE = 16,
    AT_MODULE_COUNT = 20,
    AT_MODULES = 24,
    AT_MAP_LEN = 44,
    AT_MAP = 48,
    AT_LOADER = 64,

    SIZE_LEN = 4,     /* the size field, which does not count itself */
    ENTRY_LEAST = 20, /* base, len, type */
    MODULE_LEN = 16
};

static const unsigned char *mb1_read(const loam_mb1 *mb, uint64_t at, uint64_t len)
{
    return mb->memory.read(mb->memory.ctx, at, len);
}

/* ---- the information ---- */

typedef struct mb1_info {
    const loam_mb1 *mb;
    uint64_t at;
    uint32_t flags;
    bool bad; /* a field that is meant could not be read */
} mb1_info;

/* A field, or 0 when its flag is not set. */
static uint32_t mb1_field(mb1_info *info, uint32_t flag, uint32_t offset)
{
    const unsigned char *p;
    uint64_t at;
    if ((info->flags & flag) == 0)
        return 0;
    if (loam_add_overflows(info->at, offset, &at) || (p = mb1_read(info->mb, at, 4)) == NULL) {
        info->bad = true;
        return 0;
    }
    return loam_le32(p);
}

static bool mb1_fields(loam_mb1 *mb, uint64_t at)
{
    mb1_info info = {.mb = mb, .at = at, .flags = ~0U};
    info.flags = mb1_field(&info, ~0U, AT_FLAGS);
    mb->has_sizes = (info.flags & FLAG_SIZES) != 0;
    mb->lower = mb1_field(&info, FLAG_SIZES, AT_LOWER);
    mb->upper = mb1_field(&info, FLAG_SIZES, AT_UPPER);
    mb->cmdline = mb1_field(&info, FLAG_CMDLINE, AT_CMDLINE);
    mb->module_count = mb1_field(&info, FLAG_MODULES, AT_MODULE_COUNT);
    mb->modules = mb1_field(&info, FLAG_MODULES, AT_MODULES);
    mb->map_len = mb1_field(&info, FLAG_MAP, AT_MAP_LEN);
    mb->map = mb1_field(&info, FLAG_MAP, AT_MAP);
    mb->loader = mb1_field(&info, FLAG_LOADER, AT_LOADER);
    return !info.bad;
}

/* ---- the map ---- */

/* Bytes of the entry at offset `at` of the map, its size field included; 0: a broken entry. */
static uint64_t mb1_entry_len(const loam_mb1 *mb, uint32_t at)
{
    uint32_t left = mb->map_len - at;
    if (left < SIZE_LEN + ENTRY_LEAST)
        return 0;
    const unsigned char *p = mb1_read(mb, (uint64_t)mb->map + at, SIZE_LEN);
    uint32_t size = p == NULL ? 0 : loam_le32(p);
    return size < ENTRY_LEAST || size > left - SIZE_LEN ? 0 : (uint64_t)size + SIZE_LEN;
}

bool loam_mb1_region_next(const loam_mb1 *mb, uint32_t *at, loam_mb1_region *region)
{
    uint64_t len = *at < mb->map_len ? mb1_entry_len(mb, *at) : 0;
    if (len == 0)
        return false;
    const unsigned char *p = mb1_read(mb, (uint64_t)mb->map + *at + SIZE_LEN, ENTRY_LEAST);
    if (p == NULL)
        return false;
    *region =
        (loam_mb1_region){.base = loam_le64(p), .len = loam_le64(p + 8), .type = loam_le32(p + 16)};
    *at += (uint32_t)len;
    return true;
}

static const char *mb1_map_check(const loam_mb1 *mb)
{
    uint32_t at = 0;
    if (mb->map_len != 0 && mb1_read(mb, mb->map, mb->map_len) == NULL)
        return "G3 the memory map lies where nothing can be read";
    while (at < mb->map_len) {
        uint64_t len = mb1_entry_len(mb, at);
        if (len == 0)
            return mb->map_len - at < SIZE_LEN + ENTRY_LEAST
                       ? "G4 the memory map ends inside an entry"
                       : "G4 an entry of the memory map is too small, or larger than the map";
        at += (uint32_t)len;
    }
    return NULL;
}

/* ---- modules and strings ---- */

loam_mb1_module loam_mb1_module_get(const loam_mb1 *mb, uint32_t index)
{
    uint64_t at = mb->modules + (uint64_t)index * MODULE_LEN;
    const unsigned char *p = mb1_read(mb, at, MODULE_LEN);
    if (p == NULL)
        return (loam_mb1_module){0, 0, 0};
    return (loam_mb1_module){loam_le32(p), loam_le32(p + 4), loam_le32(p + 8)};
}

bool loam_mb1_string(const loam_mb1 *mb, uint32_t at, char *buf, size_t cap)
{
    return loam_phys_string(&mb->memory, at, cap, buf, cap);
}

static const char *mb1_check(loam_mb1 *mb, uint32_t magic, uint64_t at)
{
    if (magic != LOAM_MB1_MAGIC)
        return "G1 the magic number is not that of Multiboot";
    if (!mb1_fields(mb, at))
        return "G2 the information lies where nothing can be read";
    const char *why = mb1_map_check(mb);
    if (why == NULL && mb->module_count != 0 &&
        mb1_read(mb, mb->modules, (uint64_t)mb->module_count * MODULE_LEN) == NULL)
        why = "G5 the list of modules lies where nothing can be read";
    return why;
}

loam_err loam_mb1_open(loam_mb1 *mb, uint32_t magic, uint64_t at, const loam_phys *memory,
                       const char **why)
{
    *mb = (loam_mb1){.memory = *memory};
    const char *broken = mb1_check(mb, magic, at);
    if (broken == NULL)
        return LOAM_OK;
    if (why != NULL)
        *why = broken;
    return LOAM_EFORMAT;
}
