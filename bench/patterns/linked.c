/* SPDX-License-Identifier: MIT */
/* linked.c - linked structures are built, walked and dropped: a search tree of random keys, a table
 * of chains, a list. What lies beside what decides how fast the walk is.
 */
#include "pattern.h"
#include <stdlib.h>

enum { NODES = 100000, CHAINS = 16384 };

typedef struct node {
    uint64_t key;
    struct node *left, *right; /* a list and a chain go on to the right */
} node;

typedef struct wide_node {
    node node;
    char more[56]; /* of another size than the others */
} wide_node;

static node *new_node(size_t size, uint64_t key, node *right)
{
    node *n = pattern_new(size, key);
    *n = (node){key, NULL, right};
    return n;
}

static uint64_t drop_list(node *n)
{
    uint64_t sum = 0;
    while (n != NULL) {
        node *next = n->right;
        sum += n->key;
        free(n);
        n = next;
    }
    return sum;
}

static node *build_tree(uint64_t *random)
{
    node *root = NULL;
    for (unsigned i = 0; i < NODES; i++) {
        uint64_t key = pattern_random(random);
        node **at = &root;
        while (*at != NULL)
            at = key < (*at)->key ? &(*at)->left : &(*at)->right;
        *at = new_node(sizeof(node), key, NULL);
    }
    return root;
}

/* Turns every left child up until there is none: the tree ends as a list. */
static uint64_t drop_tree(node *root)
{
    uint64_t sum = 0;
    while (root != NULL) {
        node *left = root->left;
        if (left != NULL) {
            root->left = left->right;
            left->right = root;
            root = left;
            continue;
        }
        node *next = root->right;
        sum = sum * 3 + root->key;
        free(root);
        root = next;
    }
    return sum;
}

static uint64_t chains(uint64_t *random)
{
    static node *chain[CHAINS];
    uint64_t sum = 0;
    for (unsigned i = 0; i < NODES; i++) {
        uint64_t key = pattern_random(random);
        chain[key % CHAINS] = new_node(sizeof(wide_node), key, chain[key % CHAINS]);
    }
    for (unsigned i = 0; i < CHAINS; i++) {
        sum += drop_list(chain[i]);
        chain[i] = NULL;
    }
    return sum;
}

static uint64_t list(uint64_t *random)
{
    node *head = NULL;
    for (unsigned i = 0; i < NODES; i++)
        head = new_node(sizeof(node), pattern_random(random), head);
    return drop_list(head);
}

int main(int argc, char **argv)
{
    pattern p = pattern_open(argc, argv, 12);
    uint64_t random = 1, sum = 0;
    for (unsigned long i = 0; i < p.work; i++) {
        node *tree = build_tree(&random);
        sum += chains(&random) + list(&random);
        sum += drop_tree(tree);
    }
    pattern_done(sum);
}
