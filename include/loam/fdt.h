/* SPDX-License-Identifier: MIT */
#ifndef LOAM_FDT_H
#define LOAM_FDT_H

/* fdt.h - a flattened device tree, read where it lies.
 *
 * No call writes, allocates, recurses, or reads outside of [blob, blob + totalsize). The blob may
 * have any alignment. Names and strings that are handed out are terminated and lie in the blob:
 * they live as long as it does and nobody writes to it. Context of every call: any.
 */
#include "loam/base.h"

typedef struct loam_fdt {
    const unsigned char *blob;
    uint32_t size;    /* totalsize: bytes of the blob that belong to the tree */
    uint32_t version; /* 16 or later */
    uint32_t boot_cpu;
    uint32_t nodes;                  /* in the tree, the root included */
    uint32_t reserve, reserve_count; /* offset; entries before the pair of zeros */
    uint32_t structs, structs_len;   /* offset; bytes up to and with the end token */
    uint32_t strings, strings_len;   /* offset; bytes up to and with the last 0 */
} loam_fdt;

/* A node is the offset of its first token in the structure block. */
typedef struct loam_fdt_node {
    uint32_t at;
} loam_fdt_node;

#define LOAM_FDT_NO_NODE ((loam_fdt_node){~0U})

static inline bool loam_fdt_is_none(loam_fdt_node node)
{
    return node.at == ~0U;
}

typedef struct loam_fdt_prop {
    const char *name;
    const unsigned char *data;
    uint32_t len; /* bytes */
} loam_fdt_prop;

/* How many bytes the tree at blob says it has; 0 when its magic number is not there. Reads exactly
 * 8 bytes: for a kernel that was given an address and no length. O(1). */
uint32_t loam_fdt_size_at(const void *blob);

/* Checks header, reservation block and the whole structure (rules F1 ... of fdt.c).
 *   len         bytes that may be read at blob; more than the tree has is fine
 *   why         set to the broken rule, a literal, unless the answer is LOAM_OK; may be NULL
 *   returns     LOAM_OK or LOAM_EFORMAT
 *   cost        O(len), once
 */
loam_err loam_fdt_open(loam_fdt *fdt, const void *blob, size_t len, const char **why);

/* ---- every token in order ---- */

typedef enum loam_fdt_token {
    LOAM_FDT_BAD,   /* the structure is broken here: walk->why */
    LOAM_FDT_BEGIN, /* a node: walk->at, walk->name; walk->depth is 1 for the root */
    LOAM_FDT_PROP,  /* a property of the node last begun: walk->prop */
    LOAM_FDT_END,   /* the end of a node; walk->depth is that of its parent */
    LOAM_FDT_DONE   /* the end of the tree */
} loam_fdt_token;

typedef struct loam_fdt_walk {
    const loam_fdt *fdt;
    uint32_t at;   /* of the token that the last step read */
    uint32_t next; /* of the one after it */
    uint32_t depth;
    loam_fdt_token last;
    const char *name;
    loam_fdt_prop prop;
    const char *why;
} loam_fdt_walk;

/* Starts before the root, or before any node, which is then walked as if it were the root. */
void loam_fdt_walk_init(loam_fdt_walk *walk, const loam_fdt *fdt, loam_fdt_node from);
/* Cost O(bytes of the token). After LOAM_FDT_BAD and LOAM_FDT_DONE it stays there. */
loam_fdt_token loam_fdt_walk_step(loam_fdt_walk *walk);

/* ---- nodes; LOAM_FDT_NO_NODE goes in and out ---- */

loam_fdt_node loam_fdt_root(const loam_fdt *fdt);
loam_fdt_node loam_fdt_child(const loam_fdt *fdt, loam_fdt_node node);   /* first; O(properties) */
loam_fdt_node loam_fdt_sibling(const loam_fdt *fdt, loam_fdt_node node); /* next; O(node) */
/* "" for the root and for none. O(1). */
const char *loam_fdt_name(const loam_fdt *fdt, loam_fdt_node node);
/* Is the name `base` or `base`@anything? */
bool loam_fdt_name_is(const loam_fdt *fdt, loam_fdt_node node, const char *base);
/* By absolute path ("/soc/serial@7e201000"; a part without @ finds the first node of that name
 * whatever its unit address), or by a path that starts with an alias ("serial0"). path_len
 * characters, so that options after a colon can be left out. O(blob). */
loam_fdt_node loam_fdt_find(const loam_fdt *fdt, const char *path, size_t path_len);
/* No status, "okay" or "ok". */
bool loam_fdt_is_available(const loam_fdt *fdt, loam_fdt_node node);

/* ---- properties ---- */

bool loam_fdt_prop_get(const loam_fdt *fdt, loam_fdt_node node, const char *name,
                       loam_fdt_prop *prop);
/* The value when it is exactly one cell; when it is one or two cells. */
bool loam_fdt_prop_u32(const loam_fdt_prop *prop, uint32_t *value);
bool loam_fdt_prop_u64(const loam_fdt_prop *prop, uint64_t *value);
/* The index-th string of the value; NULL when there are fewer, or it has no end. O(len). */
const char *loam_fdt_prop_str(const loam_fdt_prop *prop, unsigned index);
/* Is `text` one of the strings? As for compatible. O(len). */
bool loam_fdt_prop_has(const loam_fdt_prop *prop, const char *text);
/* The same by name: NULL, or false, when the node has no such property. */
const char *loam_fdt_str(const loam_fdt *fdt, loam_fdt_node node, const char *name);
bool loam_fdt_is_compatible(const loam_fdt *fdt, loam_fdt_node node, const char *text);

/* What the reg of a node's children is made of. */
typedef struct loam_fdt_cells {
    uint32_t address, size; /* 32-bit cells */
} loam_fdt_cells;

/* #address-cells and #size-cells of a node, 2 and 1 where it has none (the specification's
 * default). false when one of them is not a single cell. O(properties). */
bool loam_fdt_cells_get(const loam_fdt *fdt, loam_fdt_node node, loam_fdt_cells *cells);

/* How many (address, size) pairs a reg holds: LOAM_OK and *count; LOAM_EINVAL when the cells are
 * not 1 or 2 each; LOAM_EFORMAT when the length is no whole number of pairs. */
loam_err loam_fdt_reg_count(const loam_fdt_prop *reg, loam_fdt_cells cells, uint32_t *count);
/* The index-th pair, index < count. base + len may wrap: the reader has to look. */
loam_span loam_fdt_reg(const loam_fdt_prop *reg, loam_fdt_cells cells, uint32_t index);

/* The index-th entry of the reservation block, index < fdt->reserve_count. As above. */
loam_span loam_fdt_reserve_get(const loam_fdt *fdt, uint32_t index);

#endif
