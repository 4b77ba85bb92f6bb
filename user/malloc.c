/* SPDX-License-Identifier: MIT */
/* malloc - the user library's malloc, exercised: contents, reuse, rules, all given back. */
#include "user/lib/user_lib.h"

enum { BLOCKS = 200, ROUNDS = 4000 };

typedef struct block {
    unsigned char *p;
    size_t size;
    unsigned char tag;
} block;

static block blocks[BLOCKS];
static uint32_t rng = 0x2545f491;

static uint32_t below(uint32_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 17;
    rng ^= rng << 5;
    return rng % n;
}

static void fill(const block *b)
{
    for (size_t i = 0; i < b->size; i++)
        b->p[i] = (unsigned char)(b->tag + i);
}

static void verify(const block *b, size_t len)
{
    for (size_t i = 0; i < len; i++)
        user_need(b->p[i] == (unsigned char)(b->tag + i), "a block's bytes are its own");
}

static void step(block *b)
{
    size_t size = 1 + below(below(8) == 0 ? 20000 : 300);
    if (b->p == NULL) {
        *b = (block){user_malloc(size), size, (unsigned char)below(256)};
        user_need(b->p != NULL && ((uintptr_t)b->p & 15) == 0, "a block of 16-byte alignment");
        fill(b);
        return;
    }
    verify(b, b->size);
    if (below(3) == 0) {
        b->p = user_realloc(b->p, size);
        verify(b, size < b->size ? size : b->size);
        b->size = size;
        fill(b);
        return;
    }
    user_free(b->p);
    b->p = NULL;
}

int main(int argc, char **argv)
{
    user_counts counts;
    (void)argc;
    (void)argv;
    for (unsigned i = 0; i < ROUNDS; i++) {
        step(&blocks[below(BLOCKS)]);
        if (i % 256 == 0)
            user_need(user_malloc_check() == NULL, "the rules of the range hold");
    }
    user_print("malloc: %u steps, %u bytes are out\n", ROUNDS, (int)user_malloc_out());
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (blocks[i].p != NULL)
            verify(&blocks[i], blocks[i].size);
        user_free(blocks[i].p);
    }
    unsigned char *zeros = user_calloc(1000, 100);
    user_need(zeros != NULL && zeros[0] == 0 && zeros[99999] == 0, "calloc clears");
    user_free(zeros);
    user_need(user_malloc(0) == NULL && user_malloc(1U << 31) == NULL, "sizes that cannot be");
    user_need(user_calloc(1U << 20, 1U << 20) == NULL, "a product that overflows");
    user_need(user_malloc_check() == NULL && user_malloc_out() == 0, "all is given back");
    user_need(user_counts_read(&counts) == 0, "counts");
    user_print("malloc: all given back; 64 MiB of addresses, %u pages touched\n",
               (int)counts.demand_zero);
    return 0;
}
