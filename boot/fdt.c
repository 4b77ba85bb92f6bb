/* SPDX-License-Identifier: MIT */
/* fdt.c - a flattened device tree, read where it lies.
 *
 * WHAT   Firmware describes a machine as a tree, written out as one block of bytes. This file
 *        proves that the block is a tree; fdt_nodes.c answers questions from the same bytes.
 *
 * MODEL  Three blocks behind a header. Every number is big-endian and is read byte by byte.
 *
 *            0        reserve            structs                          strings        totalsize
 *            [header] [base,len]*[0,0]   BEGIN / PROP* BEGIN..END* END DONE   "reg\0.."  |
 *                                                 |                           ^
 *                                                 +---- offset of its name ---+
 *
 *        A node is the offset of its BEGIN. There is no second copy: child, sibling and find are
 *        walks, and a walk needs a counter for the depth, not a stack, so no depth is too much.
 *
 * RULES  F1  the header is there: magic, totalsize within the bytes given
 *        F2  the version is 16 or later, and readable by a reader of version 17
 *        F3  each block lies behind the header, inside totalsize, aligned (reserve 8, structs 4)
 *        F4  the reservation block ends with a pair of zeros, before the next block
 *        F5  the blocks do not overlap
 *        F6  tokens are known, whole, and end with DONE after the one root
 *        F7  BEGIN and END pair up; properties stand before the child nodes; the root has no name
 *        F8  names end inside their block, values inside the structure
 *        loam_fdt_open() tests exactly these and says which one is broken.
 *
 * LOCKS  None: nothing is written.
 * COST   open: O(blob). Names are proven to end by one look for the last 0 of the strings, not by a
 *        scan each: a hostile tree of n bytes takes O(n), not O(n^2).
 * FROM   The Devicetree Specification, chapter 5 (format) and 2.3 (standard properties).
 * NOT    Writing, overlays, versions before 16, the meaning of any node: that is bootinfo_fdt.c.
 */
#include "loam/fdt.h"

#include "fdt_bytes.h"

#define FDT_MAGIC 0xd00dfeedU

enum {
    FDT_HEADER_16 = 36, /* bytes; version 17 adds the length of the structure block */
    FDT_HEADER_17 = 40,
    FDT_TOKEN_BEGIN = 1,
    FDT_TOKEN_END = 2,
    FDT_TOKEN_PROP = 3,
    FDT_TOKEN_NOP = 4,
    FDT_TOKEN_DONE = 9
};

/* ---- opening ---- */

static loam_err fdt_refuse(const char **why, const char *text)
{
    if (why != NULL)
        *why = text;
    return LOAM_EFORMAT;
}

uint32_t loam_fdt_size_at(const void *blob)
{
    const unsigned char *p = blob;
    return fdt_be32(p) == FDT_MAGIC ? fdt_be32(p + 4) : 0;
}

/* Where the reservation block has to end at the latest: where the next one starts. */
static uint32_t fdt_reserve_limit(const loam_fdt *fdt)
{
    uint32_t limit = fdt->size;
    if (fdt->structs > fdt->reserve && fdt->structs < limit)
        limit = fdt->structs;
    if (fdt->strings > fdt->reserve && fdt->strings < limit)
        limit = fdt->strings;
    return limit;
}

static bool fdt_fits(const loam_fdt *fdt, uint32_t header, uint32_t off, uint32_t len)
{
    return off >= header && off <= fdt->size && len <= fdt->size - off;
}

/* F1 to F3. */
static const char *fdt_open_header(loam_fdt *fdt, const unsigned char *p, size_t len)
{
    if (len < FDT_HEADER_16)
        return "F1 shorter than a header";
    if (fdt_be32(p) != FDT_MAGIC)
        return "F1 no magic number";
    fdt->blob = p;
    fdt->size = fdt_be32(p + 4);
    fdt->structs = fdt_be32(p + 8);
    fdt->strings = fdt_be32(p + 12);
    fdt->reserve = fdt_be32(p + 16);
    fdt->version = fdt_be32(p + 20);
    fdt->boot_cpu = fdt_be32(p + 28);
    fdt->strings_len = fdt_be32(p + 32);
    uint32_t compatible = fdt_be32(p + 24);
    if (fdt->version < 16 || compatible > 17 || compatible > fdt->version)
        return "F2 version not supported";
    uint32_t header = fdt->version >= 17 ? FDT_HEADER_17 : FDT_HEADER_16;
    if (fdt->size < header)
        return "F1 total size smaller than the header";
    if (fdt->size > len)
        return "F1 truncated: total size is beyond the end";
    if (!fdt_fits(fdt, header, fdt->structs, 0))
        return "F3 structure block outside";
    /* Version 16 does not say: the end token will. */
    fdt->structs_len = fdt->version >= 17 ? fdt_be32(p + 36) : fdt->size - fdt->structs;
    if (!fdt_fits(fdt, header, fdt->structs, fdt->structs_len))
        return "F3 structure block outside";
    if (!fdt_fits(fdt, header, fdt->strings, fdt->strings_len))
        return "F3 strings block outside";
    if (!fdt_fits(fdt, header, fdt->reserve, 0))
        return "F3 reservation block outside";
    if (fdt->structs % 4 != 0 || fdt->reserve % 8 != 0)
        return "F3 block misaligned";
    return NULL;
}

/* F4. An entry of length 0 whose base is not 0 does not end the block: the specification's end mark
 * is a pair of zeros. */
static const char *fdt_open_reserve(loam_fdt *fdt)
{
    const unsigned char *p = fdt->blob + fdt->reserve;
    uint32_t room = (fdt_reserve_limit(fdt) - fdt->reserve) / 16;
    for (uint32_t i = 0; i < room; i++) {
        if (fdt_cells(p + 16 * (size_t)i, 2) == 0 && fdt_cells(p + 16 * (size_t)i + 8, 2) == 0) {
            fdt->reserve_count = i;
            return NULL;
        }
    }
    return "F4 reservation block without end";
}

/* Cuts the strings block behind its last 0: what is named before that point ends inside. */
static void fdt_open_strings(loam_fdt *fdt)
{
    const unsigned char *p = fdt->blob + fdt->strings;
    while (fdt->strings_len > 0 && p[fdt->strings_len - 1] != 0)
        fdt->strings_len--;
}

/* F6 to F8, by walking all of it. */
static const char *fdt_open_structs(loam_fdt *fdt)
{
    loam_fdt_walk walk;
    loam_fdt_walk_init(&walk, fdt, (loam_fdt_node){0});
    for (;;) {
        switch (loam_fdt_walk_step(&walk)) {
        case LOAM_FDT_BAD:
            return walk.why;
        case LOAM_FDT_BEGIN:
            fdt->nodes++;
            if (walk.depth == 1 && walk.name[0] != 0)
                return "F7 the root has a name";
            break;
        case LOAM_FDT_DONE:
            fdt->structs_len = walk.next;
            return NULL;
        default:
            break;
        }
    }
}

static bool fdt_apart(uint32_t a, uint32_t a_len, uint32_t b, uint32_t b_len)
{
    return a_len == 0 || b_len == 0 || (a < b ? b - a >= a_len : a - b >= b_len);
}

/* F5, with the lengths really used. */
static const char *fdt_open_overlap(const loam_fdt *fdt)
{
    uint32_t reserve_len = 16 * (fdt->reserve_count + 1);
    if (!fdt_apart(fdt->structs, fdt->structs_len, fdt->strings, fdt->strings_len) ||
        !fdt_apart(fdt->reserve, reserve_len, fdt->strings, fdt->strings_len) ||
        !fdt_apart(fdt->reserve, reserve_len, fdt->structs, fdt->structs_len))
        return "F5 blocks overlap";
    return NULL;
}

loam_err loam_fdt_open(loam_fdt *fdt, const void *blob, size_t len, const char **why)
{
    *fdt = (loam_fdt){0};
    const char *bad = fdt_open_header(fdt, blob, len);
    if (bad == NULL)
        bad = fdt_open_reserve(fdt);
    if (bad == NULL) {
        fdt_open_strings(fdt);
        bad = fdt_open_structs(fdt);
    }
    if (bad == NULL)
        bad = fdt_open_overlap(fdt);
    if (bad == NULL)
        return LOAM_OK;
    *fdt = (loam_fdt){0};
    return fdt_refuse(why, bad);
}

/* ---- walking ---- */

void loam_fdt_walk_init(loam_fdt_walk *walk, const loam_fdt *fdt, loam_fdt_node from)
{
    *walk = (loam_fdt_walk){.fdt = fdt, .next = from.at, .last = LOAM_FDT_END};
}

static loam_fdt_token walk_bad(loam_fdt_walk *walk, const char *why)
{
    walk->why = why;
    return LOAM_FDT_BAD;
}

/* Moves over len bytes and the padding up to the next cell; false when they are not there. */
static bool walk_skip(loam_fdt_walk *walk, uint32_t len)
{
    uint32_t left = walk->fdt->structs_len - walk->next;
    uint32_t pad = (0U - len) % FDT_CELL;
    if (len > left || pad > left - len)
        return false;
    walk->next += len + pad;
    return true;
}

static loam_fdt_token walk_begin(loam_fdt_walk *walk)
{
    const unsigned char *name = walk->fdt->blob + walk->fdt->structs + walk->next;
    uint32_t left = walk->fdt->structs_len - walk->next;
    uint32_t len = 0;
    while (len < left && name[len] != 0)
        len++;
    if (len == left || !walk_skip(walk, len + 1))
        return walk_bad(walk, "F8 a node's name does not end");
    if (walk->depth == 0 && walk->name != NULL)
        return walk_bad(walk, "F6 a second root");
    walk->name = (const char *)name;
    walk->depth++;
    return LOAM_FDT_BEGIN;
}

static loam_fdt_token walk_end(loam_fdt_walk *walk)
{
    if (walk->depth == 0)
        return walk_bad(walk, "F7 an end without its beginning");
    walk->depth--;
    return LOAM_FDT_END;
}

static loam_fdt_token walk_prop(loam_fdt_walk *walk)
{
    const loam_fdt *fdt = walk->fdt;
    if (walk->last != LOAM_FDT_BEGIN && walk->last != LOAM_FDT_PROP)
        return walk_bad(walk, "F7 a property after a node or outside of one");
    const unsigned char *head = fdt->blob + fdt->structs + walk->next;
    if (!walk_skip(walk, 2 * FDT_CELL))
        return walk_bad(walk, "F6 a token is cut off");
    uint32_t len = fdt_be32(head), name = fdt_be32(head + FDT_CELL);
    if (!walk_skip(walk, len))
        return walk_bad(walk, "F8 a value does not end");
    if (name >= fdt->strings_len)
        return walk_bad(walk, "F8 a property's name does not end");
    walk->prop.name = (const char *)fdt->blob + fdt->strings + name;
    walk->prop.data = head + 2 * FDT_CELL;
    walk->prop.len = len;
    return LOAM_FDT_PROP;
}

static loam_fdt_token walk_done(loam_fdt_walk *walk)
{
    if (walk->depth != 0)
        return walk_bad(walk, "F7 the tree ends inside a node");
    if (walk->name == NULL)
        return walk_bad(walk, "F6 no root");
    return LOAM_FDT_DONE;
}

/* The next token that is no NOP, or 0 when a whole one is not left; moves behind it. */
static uint32_t walk_token(loam_fdt_walk *walk)
{
    const loam_fdt *fdt = walk->fdt;
    uint32_t token = FDT_TOKEN_NOP;
    while (token == FDT_TOKEN_NOP) {
        if (walk->next > fdt->structs_len || fdt->structs_len - walk->next < FDT_CELL)
            return 0;
        walk->at = walk->next;
        token = fdt_be32(fdt->blob + fdt->structs + walk->next);
        walk->next += FDT_CELL;
    }
    return token;
}

static loam_fdt_token walk_dispatch(loam_fdt_walk *walk)
{
    switch (walk_token(walk)) {
    case FDT_TOKEN_BEGIN:
        return walk_begin(walk);
    case FDT_TOKEN_END:
        return walk_end(walk);
    case FDT_TOKEN_PROP:
        return walk_prop(walk);
    case FDT_TOKEN_DONE:
        return walk_done(walk);
    case 0:
        return walk_bad(walk, "F6 the structure block ends without its end mark");
    default:
        return walk_bad(walk, "F6 unknown token");
    }
}

loam_fdt_token loam_fdt_walk_step(loam_fdt_walk *walk)
{
    if (walk->last != LOAM_FDT_BAD && walk->last != LOAM_FDT_DONE)
        walk->last = walk_dispatch(walk);
    return walk->last;
}
