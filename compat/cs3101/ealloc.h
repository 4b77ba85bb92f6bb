/* SPDX-License-Identifier: MIT */
#ifndef EALLOC_H
#define EALLOC_H

/* ealloc.h - blocks out of pages of 4 KiB that are mapped when they are needed. Not locked: one
 * thread. The linked symbols carry a prefix; the document's names are these. */
#define einit_alloc     cs3101_einit_alloc
#define ecleanup_alloc  cs3101_ecleanup_alloc
#define ealloc_mem      cs3101_ealloc_mem
#define edealloc_mem    cs3101_edealloc_mem
#define ealloc_limit    cs3101_ealloc_limit
#define ealloc_warn     cs3101_ealloc_warn
#define ealloc_warnings cs3101_ealloc_warnings
#define ealloc_check    cs3101_ealloc_check

/* Gets memory for the descriptors and tags of as many pages as the limit says; maps no page. 0; -1
 * without memory, or when it is initialised already: then nothing changes. */
int einit_alloc(void);

/* Frees descriptors and tags. The pages stay mapped, what is in them stays readable, and nobody
 * knows of them any more: the next einit_alloc begins without a page. 0; -1: not initialised. */
int ecleanup_alloc(void);

/* The lowest free place that is large enough, in the page mapped first that has one; one more page
 * is mapped only when none has. A block never crosses a page; 256-aligned, not cleared.
 *   size      bytes: a multiple of 256 from 256 to 4096
 *   returns   NULL for any other size, at the limit of pages, when the system has no page, and
 *             before einit_alloc
 *   cost      O(pages log blocks of a page); mmap for a new page, no other memory
 */
char *ealloc_mem(int size);

/* Frees a block and merges it with its free neighbours in its page, which stays mapped. NULL is
 * fine. What is not the start of a block that is out is ignored, and counted. O(pages). */
void edealloc_mem(char *ptr);

/* Sets how many pages may be mapped, 4 at first, at any time; cleanup keeps it.
 *   pages     from 1 to 65536; below what is mapped: those pages stay in use, and none is added
 *   returns   0; -1 for any other number and without memory for descriptors: the limit is as it was
 */
int ealloc_limit(int pages);

/* Not 0: each misuse is a line on stderr from now on. At first it is only counted. */
void ealloc_warn(int on);

/* Misuse since the process began: frees that were ignored, init twice, cleanup without init. */
unsigned long ealloc_warnings(void);

/* The first broken rule (R1 ... of core/range.c) of a page, or NULL. O(blocks). */
const char *ealloc_check(void);

#endif
