/* SPDX-License-Identifier: MIT */
#ifndef SHOMP_H
#define SHOMP_H

/* shomp.h - what ShompOS' memory module was still to learn: growth, guard mode, views, checks. */
#include "loam/port.h"
#include "memory/heap.h"

/* Makes the pages [page, page + len) reachable, or unreachable so that a read faults; their
 * contents stay. Called with the heap's lock held. */
typedef void shomp_pages_fn(void *ctx, void *page, size_t len, bool reachable);

typedef struct shomp_options {
    /* The heap doubles up to this scale when a request finds no block, and halves again when its
     * upper half is free. 0 .. 10: it stays 1 KiB */
    unsigned grow_to;
    /* Free memory is filled, and looked at before it is given out or merged: a write after free is
     * named, with who had the block last, and mended */
    bool guard;
    /* With guard: pages that lie in free memory alone are made unreachable. Block 0 then starts 9
     * bytes before a page, so that the payload of a block of a page or more is whole pages. NULL:
     * no page is touched */
    shomp_pages_fn *pages;
    void *pages_ctx;
} shomp_options;

enum { SHOMP_PAGE = 4096, SHOMP_MOST_PAGES = (1 << SHOMP_MAX_SCALE) / SHOMP_PAGE + 1 };

/* Bytes that shomp_start needs from any address on; with pages, from the start of a page on, and a
 * whole number of them. */
size_t shomp_bytes(const shomp_options *options);

/* init_heap with options. A heap before it must not have made pages unreachable any more: end it
 * with shomp_init_heap(NULL), which makes them reachable. */
void shomp_start(void *start, const shomp_options *options);

/* Where text goes. NULL: to shomp_default_output, which whoever links the heap provides: standard
 * output in libshomp.a, the console in a kernel. */
typedef void shomp_output_fn(void *ctx, const char *text);
void shomp_set_output(shomp_output_fn *fn, void *ctx);
void shomp_default_output(const char *text);
/* Text to there; directives of loam_text_fmt, at most 159 characters. */
void shomp_say(const char *fmt, ...);

/* ---- views ---- */

/* Free blocks of each scale; returns the heap's own scale, 0: there is no heap. */
unsigned shomp_counts(unsigned count[SHOMP_MAX_SCALE + 1]);

/* The free lists, by scale, as offsets of blocks from block 0: next is the lowest block, prev the
 * highest; in their headers the neighbours. A view: made now, never asked by the allocator, and
 * valid until the next allocate or free. NULL: there is no heap. */
const list_header *shomp_free_list(void);

/* Block 0; NULL: there is no heap. The header of a block, by its payload. */
unsigned char *shomp_base(void);
static inline block_header *shomp_header(void *payload)
{
    return (block_header *)(void *)((unsigned char *)payload - sizeof(block_header));
}

/* Every block that is out, by address; size: of its payload; site: who allocated it. fn returns
 * false to stop, and may not use the heap. Returns how many it was told of. */
typedef bool shomp_block_fn(void *ctx, void *payload, size_t size, unsigned scale,
                            const void *site);
size_t shomp_each(shomp_block_fn *fn, void *ctx);

/* Is the address in a page that guard mode has made unreachable? Then the report says what it was
 * last. For handlers of page faults; takes no lock. */
bool shomp_fault(uintptr_t address, loam_report *report);

/* The first broken rule (SH1 ... of heap.c, B1 ... of the buddy engine), or NULL. */
const char *shomp_check(void);

#endif
