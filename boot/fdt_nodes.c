/* SPDX-License-Identifier: MIT */
/* fdt_nodes.c - nodes and properties of a device tree that fdt.c has opened.
 *
 * WHAT   Questions about one node: its children, its properties, the numbers and strings in them;
 *        and the way from a path to a node.
 *
 * MODEL  Each question is a short walk that starts at the node.
 *
 *            BEGIN "soc"  PROP PROP  BEGIN "uart" PROP END  BEGIN "timer" ... END  END
 *            ^node        \prop_get/  ^child                 ^sibling of uart
 *
 * RULES  F9  an answer lies in the blob and was proven by the walk that found it
 *        F10 no node goes in, no node comes out: chains of questions need no test between them
 *
 * LOCKS  None: nothing is written.
 * COST   A look at a node's properties is O(properties), the next sibling O(bytes of the node), a
 *        path O(blob): one pass over the siblings of each part.
 * FROM   The Devicetree Specification, 2.2.3 (paths), 2.3 (standard properties), 3.3 (aliases).
 * NOT    Parents, phandles, an alias of an alias.
 */
#include "loam/fdt.h"

#include "fdt_bytes.h"

enum { FDT_ALIAS_MAX = 31 /* characters, says the specification */ };

static size_t fdt_strlen(const char *s)
{
    size_t n = 0;
    while (s[n] != 0)
        n++;
    return n;
}

/* Is the terminated string `s` equal to the n characters at `t`? */
static bool fdt_same(const char *s, const char *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] != t[i] || s[i] == 0)
            return false;
    return s[n] == 0;
}

/* ---- nodes ---- */

loam_fdt_node loam_fdt_root(const loam_fdt *fdt)
{
    loam_fdt_walk walk;
    loam_fdt_walk_init(&walk, fdt, (loam_fdt_node){0});
    if (loam_fdt_walk_step(&walk) != LOAM_FDT_BEGIN)
        return LOAM_FDT_NO_NODE;
    return (loam_fdt_node){walk.at};
}

/* Starts a walk inside the node, behind its name; false for no node. */
static bool fdt_enter(loam_fdt_walk *walk, const loam_fdt *fdt, loam_fdt_node node)
{
    loam_fdt_walk_init(walk, fdt, node);
    return loam_fdt_walk_step(walk) == LOAM_FDT_BEGIN;
}

loam_fdt_node loam_fdt_child(const loam_fdt *fdt, loam_fdt_node node)
{
    loam_fdt_walk walk;
    if (!fdt_enter(&walk, fdt, node))
        return LOAM_FDT_NO_NODE;
    loam_fdt_token token;
    do
        token = loam_fdt_walk_step(&walk);
    while (token == LOAM_FDT_PROP);
    return token == LOAM_FDT_BEGIN ? (loam_fdt_node){walk.at} : LOAM_FDT_NO_NODE;
}

loam_fdt_node loam_fdt_sibling(const loam_fdt *fdt, loam_fdt_node node)
{
    loam_fdt_walk walk;
    if (!fdt_enter(&walk, fdt, node))
        return LOAM_FDT_NO_NODE;
    walk.depth++; /* as if it had started in the parent, so that it may go on behind the node */
    while (walk.depth > 1)
        if (loam_fdt_walk_step(&walk) == LOAM_FDT_BAD)
            return LOAM_FDT_NO_NODE;
    return loam_fdt_walk_step(&walk) == LOAM_FDT_BEGIN ? (loam_fdt_node){walk.at}
                                                       : LOAM_FDT_NO_NODE;
}

const char *loam_fdt_name(const loam_fdt *fdt, loam_fdt_node node)
{
    loam_fdt_walk walk;
    return fdt_enter(&walk, fdt, node) ? walk.name : "";
}

bool loam_fdt_name_is(const loam_fdt *fdt, loam_fdt_node node, const char *base)
{
    const char *name = loam_fdt_name(fdt, node);
    size_t n = 0;
    while (name[n] != 0 && name[n] != '@')
        n++;
    return n > 0 && fdt_same(base, name, n);
}

/* The child that one part of a path names. */
static loam_fdt_node fdt_step_down(const loam_fdt *fdt, loam_fdt_node node, const char *part,
                                   size_t len)
{
    bool unit = false;
    for (size_t i = 0; i < len; i++)
        unit = unit || part[i] == '@';
    for (node = loam_fdt_child(fdt, node); !loam_fdt_is_none(node);
         node = loam_fdt_sibling(fdt, node)) {
        const char *name = loam_fdt_name(fdt, node);
        size_t n = 0;
        while (name[n] != 0 && (unit || name[n] != '@'))
            n++;
        size_t i = 0;
        while (i < n && i < len && name[i] == part[i])
            i++;
        if (i == n && i == len)
            break;
    }
    return node;
}

static loam_fdt_node fdt_descend(const loam_fdt *fdt, loam_fdt_node node, const char *path,
                                 size_t len)
{
    size_t at = 0;
    while (at < len && !loam_fdt_is_none(node)) {
        size_t end = at;
        while (end < len && path[end] != '/')
            end++;
        if (end > at)
            node = fdt_step_down(fdt, node, path + at, end - at);
        at = end + 1;
    }
    return node;
}

/* The node that an alias of n characters stands for. An alias of an alias is none. */
static loam_fdt_node fdt_alias(const loam_fdt *fdt, const char *alias, size_t n)
{
    loam_fdt_node aliases = fdt_step_down(fdt, loam_fdt_root(fdt), "aliases", 7);
    loam_fdt_walk walk;
    if (n > FDT_ALIAS_MAX || !fdt_enter(&walk, fdt, aliases))
        return LOAM_FDT_NO_NODE;
    while (loam_fdt_walk_step(&walk) == LOAM_FDT_PROP)
        if (fdt_same(walk.prop.name, alias, n))
            break;
    if (walk.last != LOAM_FDT_PROP)
        return LOAM_FDT_NO_NODE;
    const char *path = loam_fdt_prop_str(&walk.prop, 0);
    if (path == NULL || path[0] != '/')
        return LOAM_FDT_NO_NODE;
    return fdt_descend(fdt, loam_fdt_root(fdt), path, fdt_strlen(path));
}

loam_fdt_node loam_fdt_find(const loam_fdt *fdt, const char *path, size_t path_len)
{
    if (path_len == 0)
        return LOAM_FDT_NO_NODE;
    if (path[0] == '/')
        return fdt_descend(fdt, loam_fdt_root(fdt), path, path_len);
    size_t n = 0;
    while (n < path_len && path[n] != '/')
        n++;
    return fdt_descend(fdt, fdt_alias(fdt, path, n), path + n, path_len - n);
}

bool loam_fdt_is_available(const loam_fdt *fdt, loam_fdt_node node)
{
    loam_fdt_prop status;
    if (!loam_fdt_prop_get(fdt, node, "status", &status))
        return true;
    const char *text = loam_fdt_prop_str(&status, 0);
    return text != NULL && (fdt_same(text, "okay", 4) || fdt_same(text, "ok", 2));
}

/* ---- properties ---- */

bool loam_fdt_prop_get(const loam_fdt *fdt, loam_fdt_node node, const char *name,
                       loam_fdt_prop *prop)
{
    loam_fdt_walk walk;
    size_t n = fdt_strlen(name);
    if (!fdt_enter(&walk, fdt, node))
        return false;
    while (loam_fdt_walk_step(&walk) == LOAM_FDT_PROP) {
        if (fdt_same(walk.prop.name, name, n)) {
            *prop = walk.prop;
            return true;
        }
    }
    return false;
}

bool loam_fdt_prop_u32(const loam_fdt_prop *prop, uint32_t *value)
{
    if (prop->len != FDT_CELL)
        return false;
    *value = fdt_be32(prop->data);
    return true;
}

bool loam_fdt_prop_u64(const loam_fdt_prop *prop, uint64_t *value)
{
    if (prop->len != FDT_CELL && prop->len != 2 * FDT_CELL)
        return false;
    *value = fdt_cells(prop->data, prop->len / FDT_CELL);
    return true;
}

const char *loam_fdt_prop_str(const loam_fdt_prop *prop, unsigned index)
{
    uint32_t start = 0;
    for (uint32_t i = 0; i < prop->len; i++) {
        if (prop->data[i] != 0)
            continue;
        if (index == 0)
            return (const char *)prop->data + start;
        index--;
        start = i + 1;
    }
    return NULL;
}

bool loam_fdt_prop_has(const loam_fdt_prop *prop, const char *text)
{
    size_t n = fdt_strlen(text);
    uint32_t start = 0;
    for (uint32_t i = 0; i < prop->len; i++) {
        if (prop->data[i] != 0)
            continue;
        if (i - start == n && fdt_same((const char *)prop->data + start, text, n))
            return true;
        start = i + 1;
    }
    return false;
}

const char *loam_fdt_str(const loam_fdt *fdt, loam_fdt_node node, const char *name)
{
    loam_fdt_prop prop;
    return loam_fdt_prop_get(fdt, node, name, &prop) ? loam_fdt_prop_str(&prop, 0) : NULL;
}

bool loam_fdt_is_compatible(const loam_fdt *fdt, loam_fdt_node node, const char *text)
{
    loam_fdt_prop prop;
    return loam_fdt_prop_get(fdt, node, "compatible", &prop) && loam_fdt_prop_has(&prop, text);
}

bool loam_fdt_cells_get(const loam_fdt *fdt, loam_fdt_node node, loam_fdt_cells *cells)
{
    loam_fdt_prop prop;
    *cells = (loam_fdt_cells){.address = 2, .size = 1};
    if (loam_fdt_prop_get(fdt, node, "#address-cells", &prop) &&
        !loam_fdt_prop_u32(&prop, &cells->address))
        return false;
    return !loam_fdt_prop_get(fdt, node, "#size-cells", &prop) ||
           loam_fdt_prop_u32(&prop, &cells->size);
}

loam_err loam_fdt_reg_count(const loam_fdt_prop *reg, loam_fdt_cells cells, uint32_t *count)
{
    if (cells.address < 1 || cells.address > 2 || cells.size < 1 || cells.size > 2)
        return LOAM_EINVAL;
    uint32_t pair = FDT_CELL * (cells.address + cells.size);
    if (reg->len % pair != 0)
        return LOAM_EFORMAT;
    *count = reg->len / pair;
    return LOAM_OK;
}

loam_span loam_fdt_reg(const loam_fdt_prop *reg, loam_fdt_cells cells, uint32_t index)
{
    const unsigned char *p = reg->data + (size_t)index * FDT_CELL * (cells.address + cells.size);
    return (loam_span){.base = fdt_cells(p, cells.address),
                       .len = fdt_cells(p + FDT_CELL * (size_t)cells.address, cells.size)};
}

loam_span loam_fdt_reserve_get(const loam_fdt *fdt, uint32_t index)
{
    const unsigned char *p = fdt->blob + fdt->reserve + 16 * (size_t)index;
    return (loam_span){.base = fdt_cells(p, 2), .len = fdt_cells(p + 8, 2)};
}
