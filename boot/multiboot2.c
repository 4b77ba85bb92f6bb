/* SPDX-License-Identifier: MIT */
/* multiboot2.c - what a Multiboot 2 loader leaves in memory, read where it lies.
 *
 * WHAT   The second Multiboot is one block of tags behind each other: whoever does not know a type
 *        steps over it.
 *
 * MODEL
 *            eax 0x36d76289     ebx --> total 0 | type size ... pad | type size ... pad | 0 8 |
 *                                       |        \-- a multiple of 8 from the start --/       |
 *                                       |<------------------- total ------------------------->|
 *
 *            cmdline, loader   type size "text\0"
 *            module            type size start end "text\0"
 *            map               type size each version | base base len len type 0 | base base ...
 *                                                     |<--------- each -------->|    each >= 24
 *            sizes             type size lower upper
 *
 *        All numbers are little-endian and have 32 bits, but for base and len of the map.
 *
 * RULES  J1  the magic number is that of Multiboot 2
 *        J2  the information is aligned to 8 bytes, has at least a head, and can be read, whole
 *        J3  every tag has a size of 8 or more, and ends inside the information
 *        J4  the end tag is there: nothing behind it is looked at
 *        J5  tags whose fields are read have them: sizes 8 bytes, module 8, map 8
 *        J6  entries of the map have 24 bytes or more, and fill it: no piece is left over
 *        loam_mb2_open() proves them; each later step asks the reader again all the same.
 *
 * LOCKS  None; nothing is written.
 * COST   open: one step a tag. A tag is 8 bytes or more, so no information makes it loop.
 * FROM   The Multiboot2 Specification 2.0, section 3.6.
 * NOT    What the tags mean (bootinfo_mb2.c); frame buffer, ELF symbols, the tables of EFI.
 */
#include "loam/multiboot2.h"

enum {
    ALIGN = 8,
    HEAD = 8,     /* of the information, and of each tag */
    MAP_HEAD = 8, /* size of an entry, version */
    ENTRY_LEAST = 24,
    MODULE_HEAD = 8 /* start, end */
};

static const unsigned char *mb2_read(const loam_mb2 *mb, uint64_t at, uint64_t len)
{
    return mb->memory.read(mb->memory.ctx, at, len);
}

static uint32_t mb2_u32(const loam_mb2 *mb, uint64_t at)
{
    const unsigned char *p = mb2_read(mb, at, 4);
    return p == NULL ? 0 : loam_le32(p);
}

/* ---- tags ---- */

/* Bytes of the tag at offset `at`, type and size included; 0: broken. */
static uint32_t mb2_tag_size(const loam_mb2 *mb, uint32_t at)
{
    uint32_t left = mb->len - at;
    uint32_t size = left < HEAD ? 0 : mb2_u32(mb, mb->at + at + 4);
    return size < HEAD || size > left ? 0 : size;
}

bool loam_mb2_tag_next(const loam_mb2 *mb, uint32_t *at, loam_mb2_tag *tag)
{
    uint32_t from = *at == 0 ? HEAD : *at;
    uint32_t size = from < mb->len ? mb2_tag_size(mb, from) : 0;
    if (size == 0)
        return false;
    *tag = (loam_mb2_tag){
        .type = mb2_u32(mb, mb->at + from), .len = size - HEAD, .at = mb->at + from + HEAD};
    if (tag->type == LOAM_MB2_END)
        return false;
    uint64_t next = loam_align_up((uint64_t)from + size, ALIGN);
    *at = next < mb->len ? (uint32_t)next : mb->len;
    return true;
}

bool loam_mb2_tag_find(const loam_mb2 *mb, uint32_t type, loam_mb2_tag *tag)
{
    uint32_t at = 0;
    while (loam_mb2_tag_next(mb, &at, tag))
        if (tag->type == type)
            return true;
    return false;
}

/* ---- what is in them ---- */

/* Bytes of each entry of a map. */
static uint32_t mb2_entry_len(const loam_mb2 *mb, const loam_mb2_tag *map)
{
    return map->len < MAP_HEAD ? 0 : mb2_u32(mb, map->at);
}

bool loam_mb2_region_next(const loam_mb2 *mb, const loam_mb2_tag *map, uint32_t *at,
                          loam_mb2_region *region)
{
    uint32_t each = mb2_entry_len(mb, map), from = *at == 0 ? MAP_HEAD : *at;
    if (each < ENTRY_LEAST || from > map->len || each > map->len - from)
        return false;
    const unsigned char *p = mb2_read(mb, map->at + from, ENTRY_LEAST);
    if (p == NULL)
        return false;
    *region =
        (loam_mb2_region){.base = loam_le64(p), .len = loam_le64(p + 8), .type = loam_le32(p + 16)};
    *at = from + each;
    return true;
}

loam_mb2_module loam_mb2_module_get(const loam_mb2 *mb, const loam_mb2_tag *tag)
{
    const unsigned char *p = tag->len < MODULE_HEAD ? NULL : mb2_read(mb, tag->at, MODULE_HEAD);
    if (p == NULL)
        return (loam_mb2_module){0, 0, 0, 0};
    return (loam_mb2_module){.start = loam_le32(p),
                             .end = loam_le32(p + 4),
                             .text = tag->at + MODULE_HEAD,
                             .text_len = tag->len - MODULE_HEAD};
}

void loam_mb2_sizes_get(const loam_mb2 *mb, const loam_mb2_tag *tag, uint32_t *lower,
                        uint32_t *upper)
{
    *lower = tag->len < 8 ? 0 : mb2_u32(mb, tag->at);
    *upper = tag->len < 8 ? 0 : mb2_u32(mb, tag->at + 4);
}

/* ---- opening ---- */

/* J5, J6. */
static const char *mb2_tag_check(const loam_mb2 *mb, const loam_mb2_tag *tag)
{
    uint32_t each;
    switch (tag->type) {
    case LOAM_MB2_SIZES:
        return tag->len < 8 ? "J5 the tag with the sizes of memory is too small" : NULL;
    case LOAM_MB2_MODULE:
        return tag->len < MODULE_HEAD ? "J5 the tag of a module is too small" : NULL;
    case LOAM_MB2_MAP:
        if (tag->len < MAP_HEAD)
            return "J5 the tag of the memory map is too small";
        each = mb2_entry_len(mb, tag);
        if (each < ENTRY_LEAST)
            return "J6 the entries of the memory map are too small";
        return (tag->len - MAP_HEAD) % each != 0 ? "J6 the memory map ends inside an entry" : NULL;
    default:
        return NULL;
    }
}

/* J3 to J6, by stepping over all of them. */
static const char *mb2_tags_check(const loam_mb2 *mb)
{
    loam_mb2_tag tag;
    uint32_t at = 0;
    while (loam_mb2_tag_next(mb, &at, &tag)) {
        const char *why = mb2_tag_check(mb, &tag);
        if (why != NULL)
            return why;
    }
    uint32_t last = at == 0 ? HEAD : at;
    if (mb->len - last < HEAD)
        return "J4 the information has no end tag";
    return mb2_tag_size(mb, last) == 0
               ? "J3 a tag is too small, or larger than what is left of the information"
               : NULL;
}

static const char *mb2_check(loam_mb2 *mb, uint32_t magic, uint64_t at)
{
    if (magic != LOAM_MB2_MAGIC)
        return "J1 the magic number is not that of Multiboot 2";
    if (at % ALIGN != 0)
        return "J2 the information is not aligned";
    mb->at = at;
    mb->len = mb2_u32(mb, at); /* 0 when it cannot be read */
    if (mb->len < HEAD || mb2_read(mb, at, mb->len) == NULL)
        return "J2 the information lies where nothing can be read";
    return mb2_tags_check(mb);
}

loam_err loam_mb2_open(loam_mb2 *mb, uint32_t magic, uint64_t at, const loam_phys *memory,
                       const char **why)
{
    *mb = (loam_mb2){.memory = *memory};
    const char *broken = mb2_check(mb, magic, at);
    if (broken == NULL)
        return LOAM_OK;
    mb->len = 0;
    if (why != NULL)
        *why = broken;
    return LOAM_EFORMAT;
}
