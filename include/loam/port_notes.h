/* SPDX-License-Identifier: MIT */
#ifndef LOAM_PORT_NOTES_H
#define LOAM_PORT_NOTES_H

/* port_notes.h - what the core tells those who watch memory: Valgrind, AddressSanitizer.
 *
 * A port that has somebody to tell defines these in its loam_port.h, all of them; else they are
 * nothing, and their arguments are not evaluated. len: bytes.
 *
 *   LOAM_PORT_NOTE_BEGIN(owner)    a cache, heap or pool is there; others name it by its address
 *   LOAM_PORT_NOTE_END(owner)      it is no more, nor are its blocks
 *   LOAM_PORT_NOTE_ALLOC(owner, p, len, keeps)
 *                                  bytes of it become a block; keeps: with what they hold
 *   LOAM_PORT_NOTE_RESIZE(owner, p, old, len)
 *                                  a block ends elsewhere
 *   LOAM_PORT_NOTE_FREE(owner, p, len)
 *                                  the block is no more: nobody may touch its bytes
 *   LOAM_PORT_NOTE_HIDE(p, len)    nobody may touch these bytes, until they are a block's
 *   LOAM_PORT_NOTE_SHOW(p, len)    or anybody's again
 *   LOAM_PORT_NOTE_KEEP(p, len)    as HIDE: a block that was freed is kept for the next request
 *   LOAM_PORT_NOTE_TAKE(p, len)    as SHOW: it is kept no more
 *
 * The layers with modes (guard, poison, ...) tell nothing: they look at such bytes themselves.
 */
#include "loam/base.h"

#ifndef LOAM_PORT_NOTE_HIDE
#define LOAM_PORT_NOTE_NONE(p, len) ((void)(0 && (uintptr_t)(p) + (size_t)(len) != 0))

#define LOAM_PORT_NOTE_BEGIN(owner)                LOAM_PORT_NOTE_NONE(owner, 1)
#define LOAM_PORT_NOTE_END(owner)                  LOAM_PORT_NOTE_NONE(owner, 1)
#define LOAM_PORT_NOTE_ALLOC(owner, p, len, keeps) LOAM_PORT_NOTE_NONE(p, len)
#define LOAM_PORT_NOTE_RESIZE(owner, p, old, len)  LOAM_PORT_NOTE_NONE(p, len)
#define LOAM_PORT_NOTE_FREE(owner, p, len)         LOAM_PORT_NOTE_NONE(p, len)
#define LOAM_PORT_NOTE_HIDE(p, len)                LOAM_PORT_NOTE_NONE(p, len)
#define LOAM_PORT_NOTE_SHOW(p, len)                LOAM_PORT_NOTE_NONE(p, len)
#define LOAM_PORT_NOTE_KEEP(p, len)                LOAM_PORT_NOTE_NONE(p, len)
#define LOAM_PORT_NOTE_TAKE(p, len)                LOAM_PORT_NOTE_NONE(p, len)
#endif

#endif
