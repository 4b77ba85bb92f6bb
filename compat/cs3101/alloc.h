/* SPDX-License-Identifier: MIT */
#ifndef ALLOC_H
#define ALLOC_H

/* alloc.h - blocks out of one page of 4 KiB. Not locked: one thread. The linked symbols carry a
 * prefix; the document's names are these. */
#define init_alloc     cs3101_init_alloc
#define cleanup_alloc  cs3101_cleanup_alloc
#define alloc_mem      cs3101_alloc_mem
#define dealloc_mem    cs3101_dealloc_mem
#define alloc_warn     cs3101_alloc_warn
#define alloc_warnings cs3101_alloc_warnings
#define alloc_check    cs3101_alloc_check

/* Maps the page and gets memory for its tags, once for all blocks. 0; -1 when the system refuses,
 * or when it is initialised already: then nothing changes. */
int init_alloc(void);

/* Unmaps the page, blocks and all, and frees the tags. 0; -1 when it is not initialised, or when
 * the system refuses. init_alloc may follow. */
int cleanup_alloc(void);

/* The lowest free place in the page that is large enough, 8-aligned, not cleared.
 *   size      bytes: a multiple of 8 from 8 to 4096
 *   returns   NULL for any other size, when nothing that large is free, and before init_alloc
 *   cost      O(log blocks); no call of the system
 */
char *alloc_mem(int size);

/* Frees a block and merges it with its free neighbours. NULL is fine. What is not the start of a
 * block that is out - freed already, inside a block, foreign - is ignored, and counted. O(log). */
void dealloc_mem(char *ptr);

/* Not 0: each misuse is a line on stderr from now on. At first it is only counted. */
void alloc_warn(int on);

/* Misuse since the process began: frees that were ignored, init twice, cleanup without init. */
unsigned long alloc_warnings(void);

/* The first broken rule (R1 ... of core/range.c), or NULL. O(blocks). */
const char *alloc_check(void);

#endif
