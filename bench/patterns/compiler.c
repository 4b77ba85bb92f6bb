/* SPDX-License-Identifier: MIT */
/* compiler.c - what a compiler does to malloc: for each function many small objects of a few kinds,
 * names that stay, lists that grow, passes that add notes to some nodes and drop others; in the end
 * all of the function goes, but not its names.
 */
#include "pattern.h"
#include <stdlib.h>
#include <string.h>

enum { NODES = 4000, NAMES = 8192, KINDS = 6 };

static const size_t kind_size[KINDS] = {24, 40, 56, 72, 120, 208};

typedef struct tree_node {
    uint64_t kind;
    void **operand; /* an array of its own */
    size_t operands;
    void *note; /* or NULL */
} tree_node;

typedef struct unit {
    uint64_t random, sum;
    void *name[NAMES]; /* all of the program's, 16 .. 47 bytes each */
    size_t name_size[NAMES];
    size_t names;
    tree_node *node[NODES];
} unit;

static void add_name(unit *u)
{
    size_t k = u->names < NAMES ? u->names++ : pattern_below(&u->random, NAMES);
    if (u->name[k] != NULL)
        u->sum += pattern_drop(u->name[k], u->name_size[k]);
    u->name_size[k] = PATTERN_LEAST + pattern_below(&u->random, 32);
    u->name[k] = pattern_new(u->name_size[k], pattern_random(&u->random));
}

static void parse(unit *u)
{
    for (size_t i = 0; i < NODES; i++) {
        uint32_t kind = pattern_below(&u->random, KINDS);
        tree_node *n = pattern_new(sizeof *n + kind_size[kind], kind);
        *n = (tree_node){.kind = kind, .operands = kind + 1};
        n->operand = pattern_sized(NULL, n->operands * sizeof n->operand[0]);
        for (size_t k = 0; k < n->operands; k++)
            n->operand[k] = i == 0 ? NULL : u->node[pattern_below(&u->random, (uint32_t)i)];
        u->node[i] = n;
        if (i % 16 == 0)
            add_name(u);
    }
}

/* Notes come to every node and go again from most: holes between those that stay. */
static void annotate(unit *u)
{
    for (size_t i = 0; i < NODES; i++)
        u->node[i]->note = pattern_new(kind_size[u->node[i]->kind], i);
    for (size_t i = 0; i < NODES; i++) {
        if (i % 4 != 0) {
            u->sum += pattern_drop(u->node[i]->note, kind_size[u->node[i]->kind]);
            u->node[i]->note = NULL;
        }
    }
}

/* Some nodes get more operands. */
static void rewrite(unit *u)
{
    for (size_t i = 0; i < NODES; i += 3) {
        tree_node *n = u->node[i];
        void **grown = pattern_sized(n->operand, (n->operands * 2 + 1) * sizeof grown[0]);
        memset(grown + n->operands, 0, (n->operands + 1) * sizeof grown[0]);
        n->operand = grown;
        n->operands = n->operands * 2 + 1;
    }
}

static void drop_function(unit *u)
{
    for (size_t i = 0; i < NODES; i++) {
        tree_node *n = u->node[i];
        u->sum += n->kind * n->operands;
        if (n->note != NULL)
            u->sum += pattern_drop(n->note, kind_size[n->kind]);
        free(n->operand);
        free(n);
    }
}

int main(int argc, char **argv)
{
    static unit u = {.random = 1};
    pattern p = pattern_open(argc, argv, 500);
    for (unsigned long i = 0; i < p.work; i++) {
        parse(&u);
        annotate(&u);
        rewrite(&u);
        annotate(&u);
        for (size_t k = 0; k < NODES; k += 4)
            u.sum += pattern_read(u.node[k]->note, kind_size[u.node[k]->kind]);
        drop_function(&u);
    }
    pattern_done(u.sum);
}
