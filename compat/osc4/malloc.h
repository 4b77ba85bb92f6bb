/* SPDX-License-Identifier: MIT */
#ifndef OSC4_MALLOC_H
#define OSC4_MALLOC_H

/* malloc.h - the allocators of OSC 2025 Lab 4, as a face over Loam.
 *
 *   startup    memory_reserve, simple_alloc                       over loam_memblock
 *   buddy      buddy_init, buddy_alloc_pages, buddy_free_pages    over loam_zone
 *   dynamic    memory_pools_init, dmalloc, dfree                  over loam_slabs, eight caches
 *
 * Every symbol starts with osc4_; the document's plain names are macros at the end of this header
 * (none with OSC4_NO_PLAIN_NAMES). Calls are not meant for several processors at once: the log and
 * the pools belong to one. A message is one line through osc4_set_output; a wrong free is a misuse
 * report of the port (loam/port.h), and is refused.
 */
#include "loam/memblock.h"
#include "loam/slab.h"
#include "loam/zone.h"

enum {
    OSC4_PAGE_SHIFT = 12,
    OSC4_PAGE_SIZE = 1 << OSC4_PAGE_SHIFT,
    /* The largest block, 4 MiB. Free lists, the log and dmalloc end here. */
    OSC4_MAX_ORDER = 10,
    OSC4_POOLS = 8, /* chunks of 16, 32 ... 2048 bytes */
    OSC4_MIN_CHUNK = 16,
    OSC4_MAX_CHUNK = 2048,
    OSC4_DMALLOC_MAX = OSC4_PAGE_SIZE << OSC4_MAX_ORDER
};

/* ---- startup allocation: before there is a buddy system ---- */

/* Forgets everything: no RAM is known, nothing is reserved, no buddy system is current. */
void osc4_startup_init(void);

/* Tells of usable RAM, [start, start + size): what the device tree's memory node says. Holes are
 * what nobody tells of. Pages are counted from the first whole page of the lowest RAM.
 *   returns     0, or -1 after a message: too many pieces, or too late
 */
int osc4_memory_add(uintptr_t start, size_t size);

/* Takes every page that [start, end) touches out of use for good. Before buddy_init: simple_alloc
 * and buddy_init leave it alone, whether RAM is there or not, and overlaps are fine. After it: the
 * pages inside the current buddy system must be free or reserved already.
 *   returns     0, or -1 after a message; nothing has changed then
 *   cost        O(regions), or O(pages of it) after buddy_init
 */
int osc4_memory_reserve(uintptr_t start, uintptr_t end);

/* The startup allocator: size bytes at a multiple of 8 in the lowest usable RAM that is not
 * reserved; never freed, and left alone by buddy_init.
 *   returns     NULL for size 0, no room, or after buddy_init
 */
void *osc4_simple_alloc(size_t size);

/* How many pieces of memory simple_alloc has given out (neighbours count as one), the first n of
 * them in span[]: what it needs to be reserved for. */
size_t osc4_simple_used(loam_span *span, size_t n);

/* ---- buddy system: 4 KiB page frames in blocks of 2^order ---- */

/* One byte a frame: the zone's frame table. osc4_frame_array shows it in the course's values. */
typedef uint8_t osc4_page_t;

typedef struct osc4_buddy_system {
    uintptr_t start;               /* address of page 0 */
    size_t npages;                 /* 0: not initialised */
    const osc4_page_t *page_array; /* a byte a page, from page 0 on (1 GiB of pages at least) */
    loam_zone *zone;
} osc4_buddy_system_t;

/* Bytes that buddy_init needs at page_array for so many pages; any alignment will do. About 1.15 a
 * page. 0 when there are none or too many. */
size_t osc4_page_array_bytes(size_t npages);

/* Starts a buddy system over the whole pages of [mem_start, mem_start + mem_size), and makes it the
 * current one: memory_reserve, the pools and buddy_print_stats work on it. Every page is free,
 * except, in RAM that memory_add told of, what is no RAM, what memory_reserve named and what
 * simple_alloc gave out; that RAM can be given to one buddy system only.
 *   bs          lives as long as it is used, or is the current one
 *   mem_start   any alignment. Free memory is never written
 *   page_array  osc4_page_array_bytes(mem_size / 4096) bytes, outside of the free pages; zeroed or
 *               not
 *   returns     0, or -1 after a message: no whole page, no page_array, RAM already given away
 *   cost        one pass over page_array
 */
int osc4_buddy_init(osc4_buddy_system_t *bs, void *mem_start, size_t mem_size,
                    osc4_page_t *page_array);

/* Allocates 2^order pages: the smallest free block that is large enough, the lowest of those.
 *   returns     the address, aligned to its size counted from page 0; NULL: order > MAX_ORDER, or
 *               nothing free is large enough
 *   cost        O(log n)
 */
void *osc4_buddy_alloc_pages(osc4_buddy_system_t *bs, unsigned order);

/* Frees a block by its address; its order is known. NULL is ignored. A double free, an address
 * inside a block, in a pool's page, reserved or not of this system: misuse, refused.
 *   cost        O(log n); the page is found in O(1)
 */
void osc4_buddy_free_pages(osc4_buddy_system_t *bs, void *addr);

/* The frame array as the course draws it: value[i] of page first + i is k >= 0 where a free block
 * of 2^k pages starts, and else one of these. Pages beyond the system are X.
 *   cost        O(free blocks + n)
 */
enum {
    OSC4_PAGE_F = -1, /* free, inside the block of an earlier page */
    OSC4_PAGE_X = -2  /* allocated or reserved */
};
void osc4_frame_array(const osc4_buddy_system_t *bs, signed char *value, size_t first, size_t n);

/* How many blocks of one order are free; the lowest n of them in page[]. Cost O(free blocks). */
size_t osc4_free_list(const osc4_buddy_system_t *bs, unsigned order, size_t *page, size_t n);

/* The system that buddy_init made last, or NULL. */
osc4_buddy_system_t *osc4_current(void);

/* Prints the free lists and the pools of the current system. */
void osc4_buddy_print_stats(void);

/* ---- dynamic allocator: chunks of 16 .. 2048 bytes, blocks of pages above ---- */

/* Makes the eight pools over the current buddy system. Their own records take pages of it.
 *   returns     0, or -1 after a message: no buddy system, or no memory
 */
int osc4_memory_pools_init(void);

/* A chunk of the smallest pool that fits, or a block of pages.
 *   returns     the address, 16-aligned; NULL after a message: size 0, more than 4 MiB, no memory
 */
void *osc4_dmalloc(size_t size);

/* Frees what dmalloc gave; NULL is ignored. With its last chunk a page goes back to the buddy
 * system. Anything that is not an address from dmalloc: misuse, refused. */
void osc4_dfree(void *ptr);

/* What is behind the pools, for views. NULL: no pools yet, or pool >= OSC4_POOLS. */
loam_cache *osc4_pool(unsigned pool);
loam_slabs *osc4_slabs(void);

/* One line for each pool, "[Pool] size 16: 1 pages, 2 used, 254 free chunks". rows: under it each
 * page, drawn as rows of 64 chunks: # used, . free. */
void osc4_pools_print(bool rows);

/* The first broken rule of the units in use (M, Z, B, S), or NULL. */
const char *osc4_check(void);

/* ---- output and log ---- */

/* Where lines go, without newline; NULL: nowhere (the start). */
typedef void osc4_line_fn(void *ctx, const char *line);
void osc4_set_output(osc4_line_fn *fn, void *ctx);

/* One line of output, at most 159 characters; directives of loam_text_fmt. */
void osc4_say(const char *fmt, ...);

/* The log of every step of the allocators; off at the start. Off costs one branch an operation. */
void osc4_log(bool on);

/* For the face itself: the trace behind the log, initialised; whose pages the coming lines speak
 * of; and the line of a reservation, in bs or before there is one (NULL), with pages counted from
 * zero. */
loam_trace *osc4_trace(void);
extern loam_trace osc4_log_trace;
void osc4_log_turn(const osc4_buddy_system_t *bs);
static inline void osc4_log_at(const osc4_buddy_system_t *bs)
{
    if (loam_trace_is_on(&osc4_log_trace))
        osc4_log_turn(bs);
}
void osc4_log_reserve(const osc4_buddy_system_t *bs, uint64_t zero, uint64_t start, uint64_t end);

/* ---- demos: each leaves memory as it was; 0, or the number of things that went wrong ---- */

int osc4_buddy_demo(void);
int osc4_dynamic_allocator_demo(void);
int osc4_course_test(void); /* the sequence that the course's assistants run */

/* ---- main.c ---- */

enum { OSC4_REGIONS = 4 };

/* The machine as main sees it. */
typedef struct osc4_machine {
    const loam_span *ram; /* as the device tree's memory node says; sorted, disjoint */
    size_t ram_count;
    /* spin tables, kernel image, initramfs, device tree; len 0: there is none */
    loam_span region[OSC4_REGIONS];
    /* Who owns the RAM now: its free frames are borrowed for the demos, and given back at the end.
     * NULL: nobody; all RAM but the regions may be used. */
    loam_zone *lender;
    /* What a pointer is above the lender's physical address: all spans here are pointers. A
     * multiple of the page size; 0 on the Pi. */
    uint64_t above;
} osc4_machine;

/* Startup, buddy system, pools, and the demos, with the log on. 0, or the number of things that
 * went wrong. */
int osc4_main(const osc4_machine *machine);

/* ---- the document's names ---- */

#ifndef OSC4_NO_PLAIN_NAMES
#define MAX_ORDER              OSC4_MAX_ORDER
#define buddy_system_t         osc4_buddy_system_t
#define page_t                 osc4_page_t
#define page_array_bytes       osc4_page_array_bytes
#define buddy_init             osc4_buddy_init
#define buddy_alloc_pages      osc4_buddy_alloc_pages
#define buddy_free_pages       osc4_buddy_free_pages
#define buddy_print_stats      osc4_buddy_print_stats
#define buddy_demo             osc4_buddy_demo
#define memory_pools_init      osc4_memory_pools_init
#define dmalloc                osc4_dmalloc
#define dfree                  osc4_dfree
#define dynamic_allocator_demo osc4_dynamic_allocator_demo
#define memory_add             osc4_memory_add
#define memory_reserve         osc4_memory_reserve
#define simple_alloc           osc4_simple_alloc
#endif

#endif
