/* SPDX-License-Identifier: MIT */
#ifndef HH_HIGHERHALF_H
#define HH_HIGHERHALF_H

/* higherhalf.h - the memory of the i386 "higher half" kernel, as a face over Loam.
 *
 *   memblock     memblock_init, memblock                        over loam_memblock
 *   buddy        buddy_init, buddy_alloc, buddy_dealloc         over loam_zone
 *   paging       the final page directory                       over loam_pt
 *   kmalloc      kmem_init, kmalloc, kfree, ksize               over loam_vmap, or loam_kmalloc
 *
 * Every symbol starts with hh_; the document's plain names are macros at the end of this header
 * (none with HH_NO_PLAIN_NAMES). There is one system, on the machine that hh_machine_set named
 * last; calls are not meant for several processors or for interrupts. A message is one line through
 * hh_set_output; a wrong free is a misuse report of the port (loam/port.h), and is refused.
 */
#include "loam/kmalloc.h"
#include "loam/memblock.h"
#include "loam/pt.h"
#include "loam/slab.h"
#include "loam/vmap.h"
#include "loam/zone.h"

#define HH_KERNEL_BASE 0xC0000000U /* the kernel's half of the address space */
#define HH_WINDOW_BASE 0xD0000000U /* where kmalloc finds its virtual addresses */
#define HH_MAGIC       0xDEADBEEFU /* in the header in front of each block of kmalloc */

enum {
    HH_PAGE_SHIFT = 12,
    HH_PAGE_SIZE = 1 << HH_PAGE_SHIFT,
    HH_MAX_ORDER = 10, /* the largest block, 4 MiB; kmalloc ends there, too */
    HH_BLOCK_MAX = HH_PAGE_SIZE << HH_MAX_ORDER,
    HH_STEPS = 8
};

/* ---- the machine ---- */

/* What the boot stage did before there was an allocator: facts for the log. */
typedef struct hh_boot {
    uint64_t directory;  /* physical address of the temporary page directory */
    uint64_t entry;      /* virtual address of the kernel's C entry */
    size_t regions;      /* of RAM, as the Multiboot header's map says */
    uint64_t usable;     /* bytes in them */
    const char *loader;  /* its name, or "" */
    const char *cmdline; /* or "" */
} hh_boot;

typedef struct hh_machine {
    hh_boot boot;
    const loam_span *ram; /* free memory that is ours from now on; sorted, disjoint */
    size_t ram_count;
    loam_linear linear; /* where that memory appears: pa + KERNEL_BASE, in a kernel */
    loam_span kernel;   /* the kernel's half: KERNEL_BASE to the top */
    loam_span window;   /* kmalloc's part of it: WINDOW_BASE and up */
    loam_vmap *vmap;    /* the owner of the window */
    const loam_pt *pt;  /* the tables that the window is in */
    loam_tlb *tlb;      /* how they are flushed */
    /* Makes a page directory the current one; NULL: nothing here can (a process). */
    void (*use)(void *ctx, loam_pa directory);
    void *ctx;
} hh_machine;

/* Forgets everything, and stands on this machine from now on; it lives as long as it is used. NULL:
 * on none. Whoever stood on another machine calls hh_leave first. */
void hh_machine_set(const hh_machine *machine);
const hh_machine *hh_machine_get(void);

/* ---- memblock: before there is a buddy allocator ---- */

/* hh_leave, then the bootstrap allocator over the machine's memory.
 *   returns     0, or -1 after a message: no machine, too many pieces of memory
 */
int hh_memblock_init(void);

/* size bytes of the lowest memory that is left, for good: there is no free. Aligned to 16, and to a
 * page from a page up.
 *   returns     its address; NULL: size 0, no room, not between memblock_init and buddy_init
 */
void *hh_memblock(size_t size);

/* ---- buddy_allocator: blocks of 2^order pages, by physical address ---- */

/* A free block, in a list of the snapshot below. */
struct hh_buddy_node {
    struct hh_buddy_node *next; /* the next one by address, or NULL */
    uintptr_t address;          /* physical */
};

/* The document's six fields. The allocator itself never looks here: free_lists and map are a
 * picture of it, and show the moment of the last refresh. */
typedef struct hh_buddy {
    uintptr_t base;                                     /* physical, the lowest page */
    size_t size;                                        /* to the highest, holes included */
    struct hh_buddy_node *free_lists[HH_MAX_ORDER + 1]; /* by order; lowest address first */
    uint8_t *map;      /* a bit a page from base on: 1 free; lowest bit first */
    size_t map_size;   /* bytes of it */
    uint8_t max_order; /* HH_MAX_ORDER */
} hh_buddy_t;

/* Takes what the allocator needs for itself from memblock, and every whole page that is left for
 * the blocks. Blocks are aligned to their size in absolute physical address, wherever base lies.
 *   returns     0, or -1 after a message: memblock is not there, or no memory
 *   cost        one pass over a byte a page
 */
int hh_buddy_init(void);

/* A block of 2^order pages: the smallest free block that is large enough, the lowest of those.
 *   returns     its physical address; NULL: order > MAX_ORDER, nothing is large enough
 *   cost        O(log n)
 */
void *hh_buddy_alloc(uint32_t order);

/* Takes a block back. A double free, an address inside a block, another order than the block's, an
 * address that is not ours: misuse, refused.
 *   cost        O(log n)
 */
void hh_buddy_dealloc(uintptr_t address, uint32_t order);

/* Bytes in the pages that the buddy allocator manages, free or not. */
size_t hh_buddy_get_total_memory(void);
/* Of those, bytes that are free. */
size_t hh_buddy_get_free_memory(void);

/* The picture, taken anew; NULL: no buddy allocator. O(pages). */
const hh_buddy_t *hh_buddy_refresh(void);

/* Prints the picture: a line for each order, and the map as rows of characters. */
void hh_buddy_visualize(void);

/* What is behind it, for views; NULL: none. */
loam_zone *hh_zone(void);

/* ---- the final page directory ---- */

/* Makes the permanent page directory out of pages of the buddy allocator: the kernel's half as it
 * is, nothing below it; and puts the processor on it where the machine can.
 *   returns     0, or -1 after a message
 */
int hh_paging_init(void);

/* The directory that paging_init made; NULL: none. */
const loam_pt *hh_directory(void);

/* ---- kmalloc ---- */

/* In front of each block. */
typedef struct hh_block_header {
    size_t size;    /* as asked for */
    uint32_t magic; /* HH_MAGIC */
} hh_block_header_t;

/* 0, or -1 after a message: no page directory. */
int hh_kmem_init(void);

/* On: later blocks come from the slab, small ones several to a page. Off, the start: each block has
 * pages of its own, as in the document. Blocks of either kind may be freed at any time.
 *   returns     0, or -1 after a message: no memory, no kmalloc
 */
int hh_kmem_use_slab(bool on);

/* Memory of size bytes: page by page from the buddy allocator, behind one another in the window, a
 * header in front; or from the slab.
 *   returns     the address behind the header; NULL after a message: size 0, more than 4 MiB with
 *               its header, no memory
 *   cost        O(pages), no flush of the TLB
 */
void *hh_kmalloc(size_t size);

/* Takes a block back; NULL is ignored. An address that kmalloc did not give: misuse, refused. A
 * header that was written over: corruption, named, and the machine stops.
 *   cost        O(pages), one flush of the TLB
 */
void hh_kfree(void *ptr);

/* Bytes of a block, as asked for. 0 for NULL and, after misuse, for what is no block. */
size_t hh_ksize(const void *ptr);

/* Visits the blocks that are out: those of pages by address, then those of the slab. fn returns
 * false to stop; it may not allocate or free. The header may have been written over. */
typedef bool hh_block_fn(void *ctx, const hh_block_header_t *header, size_t room);
void hh_kmem_each(hh_block_fn *fn, void *ctx);

/* The slab behind the switch, and its kmalloc; NULL as long as it was never on. */
loam_slabs *hh_slabs(void);
loam_kmalloc *hh_slab_kmalloc(void);

/* ---- rules ---- */

/* The first broken rule, or NULL: HH1, HH2 (headers), then those of the units in use (M, Z, B, S,
 * K, V, T). *at, unless at is NULL, is the address of the block whose header is broken, else 0. */
const char *hh_check_at(uintptr_t *at);
const char *hh_check(void);

/* ---- output ---- */

/* Where lines go, without newline; NULL: nowhere (the start). */
typedef void hh_line_fn(void *ctx, const char *line);
void hh_set_output(hh_line_fn *fn, void *ctx);

/* One line of output, at most 159 characters; directives of loam_text_fmt. */
void hh_say(const char *fmt, ...);

/* ---- the kernel's C entry, and its demo ---- */

/* The eight steps of the boot, a line each, in the document's order. 0, or how many went wrong. */
int hh_kmain(const hh_machine *machine);

/* What one can see then: buddy_visualize, 5 KiB by buddy and by slab, a header written over, pages
 * for a user program on demand. Leaves memory as it was. 0, or how many things went wrong. */
int hh_demo(void);

/* Frees what is out, leaves the page directory, and forgets everything but the machine. The answer
 * is how many blocks of kmalloc were out. */
size_t hh_leave(void);

/* ---- the document's names ---- */

#ifndef HH_NO_PLAIN_NAMES
#define KERNEL_BASE            HH_KERNEL_BASE
#define VIRT_TO_PHYS(addr)     ((addr)-KERNEL_BASE)
#define PHYS_TO_VIRT(addr)     ((addr) + KERNEL_BASE)
#define MAX_ORDER              HH_MAX_ORDER
#define buddy_node             hh_buddy_node
#define buddy_t                hh_buddy_t
#define block_header           hh_block_header
#define block_header_t         hh_block_header_t
#define memblock_init          hh_memblock_init
#define memblock               hh_memblock
#define buddy_init             hh_buddy_init
#define buddy_alloc            hh_buddy_alloc
#define buddy_dealloc          hh_buddy_dealloc
#define buddy_get_total_memory hh_buddy_get_total_memory
#define buddy_visualize        hh_buddy_visualize
#define kmem_init              hh_kmem_init
#define kmalloc                hh_kmalloc
#define kfree                  hh_kfree
#define ksize                  hh_ksize
#define kmain                  hh_kmain
#endif

#endif
