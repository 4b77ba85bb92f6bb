/* SPDX-License-Identifier: MIT */
#ifndef LOAM_HOSTED_NOTES_H
#define LOAM_HOSTED_NOTES_H

/* loam_notes.h - what Valgrind is told of memory, when it runs the program; and
 * AddressSanitizer, LeakSanitizer and ThreadSanitizer, when the program was built with them,
 * whatever this was built with.
 *
 * A note is a request of Valgrind's client interface: a few instructions that do nothing on a real
 * processor. Of processors that loam_valgrind.h does not know loam_notes_runs says false. A
 * sanitizer's functions are found when the program is linked, or loaded. Any thread.
 */
#include "loam/base.h"

/* Does Valgrind's memcheck run the program? Its other tools are told nothing. */
bool loam_notes_runs(void);
/* Was the program built with AddressSanitizer? */
bool loam_notes_asan(void);
/* With ThreadSanitizer? */
bool loam_notes_tsan(void);

/* A block is there, as from malloc: its bytes may be written; and read, if they are 0. */
void loam_notes_alloc(const void *p, size_t size, bool zero);
/* It is no more; Valgrind reports one that was not there. Others are told that its bytes are
 * hidden, by loam_notes_hide. */
void loam_notes_free(const void *p);

/* Nobody may touch these bytes; somebody may. */
void loam_notes_hide(const void *p, size_t len);
void loam_notes_show(const void *p, size_t len);
/* LeakSanitizer looks for addresses of blocks in these bytes, or not any more. */
void loam_notes_root(const void *p, size_t len);
void loam_notes_no_root(const void *p, size_t len);
/* ThreadSanitizer takes it that a lock, which it cannot see, is held now, or about to be let go. */
void loam_notes_locked(void *lock);
void loam_notes_unlocks(void *lock);
/* A pool is there, by the address of its owner; is no more, nor are its blocks. */
void loam_notes_begin(const void *owner);
void loam_notes_end(const void *owner);
/* A block of it comes, which keeps what its bytes hold, or not; and goes. */
void loam_notes_take(const void *owner, const void *p, size_t size, bool keeps);
void loam_notes_resize(const void *owner, const void *p, size_t old, size_t size);
void loam_notes_give(const void *owner, const void *p, size_t size);

/* Is the first byte hidden? How many bytes from p on, of len, before what is hidden to the end? */
bool loam_notes_is_hidden(const void *p);
size_t loam_notes_shown(const void *p, size_t len);

#endif
