/* SPDX-License-Identifier: MIT */
/* stress_block.c - blocks that know whose they are.
 *
 *     word     0          1          2        ...                  last
 *           pattern+0  pattern+1  pattern+2                    pattern+last
 *
 * pattern is a hash of the processor and of the block's number, so that no two blocks have a word
 * in common. Of a page or less every word is written, of more every eighth (a cache line), and the
 * last.
 */
#include "board.h"
#include "stress_impl.h"

enum { EVERY_WORD_TO = 4096, LINE_WORDS = 8 };

uint64_t stress_next(uint64_t *random)
{
    uint64_t x = *random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *random = x;
    return x * 0x2545f4914f6cdd1dULL;
}

static size_t words_of(const stress_block *block)
{
    return block->size / sizeof(uint64_t);
}

static size_t step_of(const stress_block *block)
{
    return block->size <= EVERY_WORD_TO ? 1 : LINE_WORDS;
}

static void write_pattern(const stress_block *block)
{
    uint64_t *word = (uint64_t *)(void *)block->at;
    size_t words = words_of(block), step = step_of(block);
    if (block->at == NULL || words == 0)
        return;
    for (size_t i = 0; i < words; i += step)
        word[i] = block->pattern + i;
    word[words - 1] = block->pattern + (words - 1);
}

static bool word_is_good(const stress_block *block, size_t i)
{
    uint64_t is = ((const uint64_t *)(const void *)block->at)[i];
    if (is == block->pattern + i)
        return true;
    stress_fail("%U bytes at 0x%X: word %U is 0x%X, and was 0x%X", (uint64_t)block->size,
                (uint64_t)(uintptr_t)block->at, (uint64_t)i, is, block->pattern + i);
    return false;
}

static bool pattern_is_good(const stress_block *block)
{
    size_t words = words_of(block), step = step_of(block);
    if (block->at == NULL || words == 0)
        return true;
    for (size_t i = 0; i < words; i += step)
        if (!word_is_good(block, i))
            return false;
    return word_is_good(block, words - 1);
}

static void mark(stress_actor *self, stress_block *block)
{
    uint64_t number = self->serial++ << 8 | self->cpu;
    block->pattern = (number + 1) * 0x9e3779b97f4a7c15ULL;
    write_pattern(block);
}

static unsigned char *address_of(loam_pfn pfn)
{
    const loam_linear *mapped = &board_this.mapped;
    loam_pa pa = loam_pfn_to_pa(pfn);
    return pa.v >= mapped->pa && pa.v - mapped->pa < mapped->len ? virt_of(pa) : NULL;
}

static bool is_near(const stress_actor *self, loam_pfn pfn)
{
    return loam_bootinfo_node_of(&kern_this.bootinfo, loam_pfn_to_pa(pfn)) ==
           kern_node_of_cpu(self->cpu);
}

bool stress_take_frames(stress_actor *self, unsigned order, unsigned flags, stress_block *block)
{
    loam_pfn pfn = loam_zonelist_alloc(kern_zones_here(), order, flags);
    if (loam_pfn_is_none(pfn))
        return false;
    *block = (stress_block){
        .pfn = pfn, .at = address_of(pfn), .size = (uint32_t)LOAM_PAGE_SIZE << order};
    self->count.near += is_near(self, pfn);
    mark(self, block);
    return true;
}

bool stress_take_object(stress_actor *self, size_t size, stress_block *block)
{
    void *at = loam_kmalloc_alloc(kern_this.kmalloc, size);
    if (at == NULL)
        return false;
    *block = (stress_block){.pfn = LOAM_NO_FRAME, .at = at, .size = (uint32_t)size};
    mark(self, block);
    return true;
}

void stress_give(stress_block *block)
{
    loam_err err = LOAM_EINVAL;
    if (block->size == 0)
        return;
    if (pattern_is_good(block))
        err = loam_pfn_is_none(block->pfn) ? loam_kmalloc_free(kern_this.kmalloc, block->at)
                                           : loam_zonelist_free(kern_zones_here(), block->pfn);
    if (err != LOAM_OK)
        stress_fail("%U bytes at 0x%X: the free is refused", (uint64_t)block->size,
                    (uint64_t)(uintptr_t)block->at);
    block->size = 0;
}
