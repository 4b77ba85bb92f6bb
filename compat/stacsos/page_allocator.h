/* SPDX-License-Identifier: MIT */
#ifndef STACSOS_PAGE_ALLOCATOR_H
#define STACSOS_PAGE_ALLOCATOR_H

/* page_allocator.h - the buddy page allocator of stacsos, as a face over loam_zone.
 *
 * Pages are 4 KiB; a block of order k is 2^k of them and starts at a multiple of 2^k; orders go
 * from 0 to LastOrder. A page is spoken of by its descriptor; the descriptors are one array, and
 * the place in it is the frame number:
 *
 *     struct page   [0][1][2] ...                    one byte each: the zone's frame table
 *                          ^ page_of(2); pfn_of(page) is a subtraction
 *
 * Every linked symbol starts with stacsos_; the document's plain names are macros at the end of
 * this header (none with STACSOS_NO_PLAIN_NAMES). All calls but init may come from several
 * processors at once, and from interrupts. A wrong free is a misuse report of the port
 * (loam/port.h), made after the lock is released; it is refused, and nothing changes.
 */
#include "loam/zone.h"

enum { STACSOS_LAST_ORDER = 16, STACSOS_ORDERS = STACSOS_LAST_ORDER + 1 };

/* What a page is: only the allocator reads it. */
struct page {
    uint8_t state;
};

typedef enum stacsos_flags {
    STACSOS_NONE = 0,
    STACSOS_ZERO = 1 /* the pages read 0, as far as they have an address (stacsos_init) */
} stacsos_flags;

/* ---- start ---- */

/* Bytes of memory for the descriptors of pages 0 .. npages - 1 and what belongs to them, aligned to
 * 64; about 1.2 a page. 0: none, or too many. */
uint64_t stacsos_descriptor_bytes(uint64_t npages);

/* Starts with no page free. What was known before is forgotten.
 *   descriptors  stacsos_descriptor_bytes, aligned to 64, zeroed or not; the allocator's from now
 *   linear       where pages can be written, for STACSOS_ZERO; NULL: nowhere
 *   returns      0, or -1: no page, or no memory for descriptors; then nothing is known
 *   context      before any other call, and while none is under way
 */
int stacsos_init(void *descriptors, uint64_t len, uint64_t npages, const loam_linear *linear);

/* The descriptor of a frame, or NULL beyond the array; and the other way round (~0: not of it). */
struct page *stacsos_page_of(uint64_t pfn);
uint64_t stacsos_pfn_of(const struct page *page);

/* ---- the document's calls ---- */

/* Makes count pages free, from start on: as few blocks as their place allows, merged with what is
 * free beside them.
 *   returns     0, or -1 after a line that says why, and nothing has changed: the pages are not one
 *               run of the descriptor array, count is 0, or one of them was inserted before
 *   cost        O(count) bytes, O(LastOrder) blocks
 */
int stacsos_insert_free_pages(struct page *start, uint64_t count);

/* Allocates 2^order pages: the smallest free block that is large enough, among those the lowest,
 * halved until it fits.
 *   returns     the first page's descriptor; NULL: order is not 0 .. LastOrder, or no free block is
 *               large enough
 *   cost        O(log pages), and the zeroing, which is done without the lock
 */
struct page *stacsos_allocate_pages(int order, stacsos_flags flags);

/* Frees 2^order allocated pages from base on, whichever way they were allocated: a whole block, or
 * a part of one, aligned to its size; the rest stays allocated. Several blocks at once are refused,
 * unless they are single pages.
 *   refused     NULL or not a descriptor; order out of range; not aligned; a page that is free, or
 *               was never inserted; more than one block
 *   cost        a whole block: O(log pages), however many blocks are free; a part: O(its block)
 */
void stacsos_free_pages(struct page *base, int order);

/* What free_pages does, and tells: the order of the free block that base is part of now, at most
 * LastOrder; -1: refused. */
int stacsos_merge_buddies(int order, struct page *base);

/* Does a free block of exactly this order start here? Constant time: a few words of bits, however
 * many blocks are free. */
bool stacsos_find_free_block(int order, const struct page *page);

/* Where a free block of exactly this order would be cut: the first page of its upper half. NULL:
 * there is no such block here, or it is a single page. Constant time. The halves of a free block
 * are free by themselves, so that nothing has to change. */
struct page *stacsos_split_block(int order, struct page *block);

/* The lowest free block of each order, or NULL: a view, filled by stacsos_free_lists() and never
 * consulted by the allocator. The next block above one of them is asked for: by frame number
 * ascending, NULL after the last. A block above LastOrder is seen as blocks of LastOrder. */
extern struct page *stacsos_free_list_[STACSOS_ORDERS];
void stacsos_free_lists(void);
struct page *stacsos_next_free(int order, const struct page *block);

/* Prints the free lists, and how many pages are free and used:
 *
 *     *** buddy page allocator - free list ***
 *     [00] 13 1306
 *     [01] 14--15 1304--1305
 *     [04] (empty)
 *     stats: free=18, used=0
 *
 * One line for each order. */
void stacsos_dump(void);

/* Goes through the document's sequence on 2048 pages of its own, which are only numbers, and prints
 * each step with its dump. What stacsos_init was told is not touched.
 *   returns     every list was as expected, and no rule is broken
 *   context     one at a time
 */
bool stacsos_perform_selftest(void);

/* ---- beside them ---- */

typedef struct stacsos_stats {
    uint64_t free, used; /* pages; together: those that were inserted */
} stacsos_stats;
stacsos_stats stacsos_stat(void);

/* Where text goes, in pieces; NULL: nowhere (the start). */
typedef void stacsos_write_fn(void *ctx, const char *text);
void stacsos_set_output(stacsos_write_fn *fn, void *ctx);

/* The first broken rule of zone and buddy (Z, B), or NULL. Nobody else inside. */
const char *stacsos_check(void);

/* ---- the document's names ---- */

#ifndef STACSOS_NO_PLAIN_NAMES
typedef uint64_t u64;
#define LastOrder         STACSOS_LAST_ORDER
#define none              STACSOS_NONE
#define zero              STACSOS_ZERO
#define insert_free_pages stacsos_insert_free_pages
#define allocate_pages    stacsos_allocate_pages
#define free_pages        stacsos_free_pages
#define merge_buddies     stacsos_merge_buddies
#define find_free_block   stacsos_find_free_block
#define split_block       stacsos_split_block
#define free_list_        stacsos_free_list_
#define dump              stacsos_dump
#define perform_selftest  stacsos_perform_selftest
#endif

#endif
