/* SPDX-License-Identifier: MIT */
#ifndef LOAM_HOSTED_PORT_NOTES_H
#define LOAM_HOSTED_PORT_NOTES_H

/* loam_port_notes.h - whom the hosted port tells of memory (loam/port_notes.h), chosen when it is
 * compiled:
 *
 *   LOAM_HOSTED_NOTES 0   nobody: nothing is called
 *                     1   Valgrind, when it runs the program, of slabs that come and go alone: so
 *                         libloam.so is built, whose malloc tells of blocks itself
 *                     2   Valgrind, of every block of caches, kmalloc, heaps and pools, which costs
 *                         a few instructions each without it
 *                     3   AddressSanitizer, of the same; what its builds have
 */
#include "loam/base.h"

#ifndef LOAM_HOSTED_NOTES
#if defined(__SANITIZE_ADDRESS__)
#define LOAM_HOSTED_NOTES 3
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LOAM_HOSTED_NOTES 3
#endif
#endif
#endif
#ifndef LOAM_HOSTED_NOTES
#define LOAM_HOSTED_NOTES 0
#endif
_Static_assert(LOAM_HOSTED_NOTES >= 0 && LOAM_HOSTED_NOTES <= 3, "LOAM_HOSTED_NOTES is 0 to 3");

#if LOAM_HOSTED_NOTES == 1 || LOAM_HOSTED_NOTES == 2
#include "loam_notes.h"
#define LOAM_PORT_NOTE_HIDE(p, len) loam_notes_hide((p), (len))
#define LOAM_PORT_NOTE_SHOW(p, len) loam_notes_show((p), (len))
#endif

#if LOAM_HOSTED_NOTES == 1
#define LOAM_PORT_NOTE_BEGIN(owner)                ((void)(owner))
#define LOAM_PORT_NOTE_END(owner)                  ((void)(owner))
#define LOAM_PORT_NOTE_ALLOC(owner, p, len, keeps) ((void)(0 && (uintptr_t)(p) != 0))
#define LOAM_PORT_NOTE_RESIZE(owner, p, old, len)  ((void)(0 && (uintptr_t)(p) != 0))
#define LOAM_PORT_NOTE_FREE(owner, p, len)         ((void)(0 && (uintptr_t)(p) != 0))
#define LOAM_PORT_NOTE_KEEP(p, len)                ((void)(0 && (uintptr_t)(p) + (len) != 0))
#define LOAM_PORT_NOTE_TAKE(p, len)                ((void)(0 && (uintptr_t)(p) + (len) != 0))
#elif LOAM_HOSTED_NOTES == 2
#define LOAM_PORT_NOTE_BEGIN(owner)                loam_notes_begin(owner)
#define LOAM_PORT_NOTE_END(owner)                  loam_notes_end(owner)
#define LOAM_PORT_NOTE_ALLOC(owner, p, len, keeps) loam_notes_take((owner), (p), (len), (keeps))
#define LOAM_PORT_NOTE_RESIZE(owner, p, old, len)  loam_notes_resize((owner), (p), (old), (len))
#define LOAM_PORT_NOTE_FREE(owner, p, len)         loam_notes_give((owner), (p), (len))
#define LOAM_PORT_NOTE_KEEP(p, len)                loam_notes_hide((p), (len))
#define LOAM_PORT_NOTE_TAKE(p, len)                loam_notes_show((p), (len))
#elif LOAM_HOSTED_NOTES == 3
#include <sanitizer/asan_interface.h>
#define LOAM_PORT_NOTE_BEGIN(owner)                ((void)(owner))
#define LOAM_PORT_NOTE_END(owner)                  ((void)(owner))
#define LOAM_PORT_NOTE_ALLOC(owner, p, len, keeps) __asan_unpoison_memory_region((p), (len))
#define LOAM_PORT_NOTE_RESIZE(owner, p, old, len)                                                  \
    (__asan_poison_memory_region((p), (old)), __asan_unpoison_memory_region((p), (len)))
#define LOAM_PORT_NOTE_FREE(owner, p, len) __asan_poison_memory_region((p), (len))
#define LOAM_PORT_NOTE_HIDE(p, len)        __asan_poison_memory_region((p), (len))
#define LOAM_PORT_NOTE_SHOW(p, len)        __asan_unpoison_memory_region((p), (len))
#define LOAM_PORT_NOTE_KEEP(p, len)        __asan_poison_memory_region((p), (len))
#define LOAM_PORT_NOTE_TAKE(p, len)        __asan_unpoison_memory_region((p), (len))
#endif

#endif
