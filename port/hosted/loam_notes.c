/* SPDX-License-Identifier: MIT */
/* loam_notes.c - notes for Valgrind and for sanitizers. The header says which.
 *
 * A program that was built with a sanitizer has its functions; in any other they are NULL. */
#include "loam_notes.h"

#if defined(__has_include) && !defined(LOAM_HOSTED_NO_VALGRIND)
#if __has_include(<valgrind/memcheck.h>) /* cppcheck-suppress preprocessorErrorDirective */
#define NOTES_VALGRIND 1
#include <valgrind/memcheck.h>
#endif
#endif

#ifndef NOTES_VALGRIND
#define RUNNING_ON_VALGRIND                            0
#define VALGRIND_GET_VBITS(p, bits, len)               ((void)(p), (void)(bits), 0)
#define VALGRIND_MALLOCLIKE_BLOCK(p, size, edge, zero) ((void)(p), (void)(size), (void)(zero))
#define VALGRIND_FREELIKE_BLOCK(p, edge)               ((void)(p))
#define VALGRIND_MAKE_MEM_NOACCESS(p, len)             ((void)(p), (void)(len))
#define VALGRIND_MAKE_MEM_UNDEFINED(p, len)            ((void)(p), (void)(len))
#define VALGRIND_MAKE_MEM_DEFINED(p, len)              ((void)(p), (void)(len))
#define VALGRIND_MEMPOOL_EXISTS(owner)                 ((void)(owner), false)
#define VALGRIND_CREATE_MEMPOOL(owner, edge, zero)     ((void)(owner))
#define VALGRIND_DESTROY_MEMPOOL(owner)                ((void)(owner))
#define VALGRIND_MEMPOOL_ALLOC(owner, p, size)         ((void)(owner), (void)(p), (void)(size))
#define VALGRIND_MEMPOOL_CHANGE(owner, p, q, size)     ((void)(owner), (void)(p), (void)(size))
#define VALGRIND_MEMPOOL_FREE(owner, p)                ((void)(owner), (void)(p))
#endif

#define OF_SANITIZER extern __attribute__((weak))

OF_SANITIZER void __asan_poison_memory_region(const volatile void *p, size_t len);
OF_SANITIZER void __asan_unpoison_memory_region(const volatile void *p, size_t len);
OF_SANITIZER int __asan_address_is_poisoned(const volatile void *p);
OF_SANITIZER void __lsan_register_root_region(const void *p, size_t len);
OF_SANITIZER void __lsan_unregister_root_region(const void *p, size_t len);
OF_SANITIZER void __tsan_acquire(void *lock);
OF_SANITIZER void __tsan_release(void *lock);

/* ---- who is there ---- */

bool loam_notes_runs(void)
{
    unsigned char byte = 0, bits = 0;
    return RUNNING_ON_VALGRIND != 0 && VALGRIND_GET_VBITS(&byte, &bits, 1) != 0;
}

bool loam_notes_asan(void)
{
    return __asan_poison_memory_region != NULL && __asan_unpoison_memory_region != NULL &&
           __asan_address_is_poisoned != NULL;
}

bool loam_notes_tsan(void)
{
    return __tsan_acquire != NULL && __tsan_release != NULL;
}

/* ---- bytes ---- */

static void asan_hide(const void *p, size_t len)
{
    if (__asan_poison_memory_region != NULL)
        __asan_poison_memory_region(p, len);
}

static void asan_show(const void *p, size_t len)
{
    if (__asan_unpoison_memory_region != NULL)
        __asan_unpoison_memory_region(p, len);
}

void loam_notes_hide(const void *p, size_t len)
{
    (void)VALGRIND_MAKE_MEM_NOACCESS(p, len);
    asan_hide(p, len);
}

void loam_notes_show(const void *p, size_t len)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(p, len);
    asan_show(p, len);
}

/* memcheck answers 3 when the byte cannot be read. */
bool loam_notes_is_hidden(const void *p)
{
    unsigned char bits = 0;
    return VALGRIND_GET_VBITS(p, &bits, 1) == 3 ||
           (__asan_address_is_poisoned != NULL && __asan_address_is_poisoned(p) != 0);
}

size_t loam_notes_shown(const void *p, size_t len)
{
    while (len > 0 && loam_notes_is_hidden((const unsigned char *)p + len - 1))
        len--;
    return len;
}

void loam_notes_root(const void *p, size_t len)
{
    if (__lsan_register_root_region != NULL)
        __lsan_register_root_region(p, len);
}

void loam_notes_no_root(const void *p, size_t len)
{
    if (__lsan_unregister_root_region != NULL)
        __lsan_unregister_root_region(p, len);
}

/* ---- locks ---- */

void loam_notes_locked(void *lock)
{
    if (__tsan_acquire != NULL)
        __tsan_acquire(lock);
}

void loam_notes_unlocks(void *lock)
{
    if (__tsan_release != NULL)
        __tsan_release(lock);
}

/* ---- blocks of malloc's kind ---- */

void loam_notes_alloc(const void *p, size_t size, bool zero)
{
    VALGRIND_MALLOCLIKE_BLOCK(p, size, 0, zero);
    asan_show(p, size);
}

void loam_notes_free(const void *p)
{
    VALGRIND_FREELIKE_BLOCK(p, 0);
}

/* ---- blocks of a pool ---- */

void loam_notes_begin(const void *owner)
{
    if (VALGRIND_MEMPOOL_EXISTS(owner)) /* its memory was another's without a word */
        VALGRIND_DESTROY_MEMPOOL(owner);
    VALGRIND_CREATE_MEMPOOL(owner, 0, 0);
}

void loam_notes_end(const void *owner)
{
    if (VALGRIND_MEMPOOL_EXISTS(owner))
        VALGRIND_DESTROY_MEMPOOL(owner);
}

void loam_notes_take(const void *owner, const void *p, size_t size, bool keeps)
{
    VALGRIND_MEMPOOL_ALLOC(owner, p, size);
    asan_show(p, size);
    if (keeps)
        loam_notes_show(p, size);
}

void loam_notes_resize(const void *owner, const void *p, size_t old, size_t size)
{
    const unsigned char *bytes = p;
    VALGRIND_MEMPOOL_CHANGE(owner, p, p, size);
    asan_show(p, size);
    if (size < old)
        loam_notes_hide(bytes + size, old - size);
    else
        (void)VALGRIND_MAKE_MEM_UNDEFINED(bytes + old, size - old);
}

void loam_notes_give(const void *owner, const void *p, size_t size)
{
    VALGRIND_MEMPOOL_FREE(owner, p);
    loam_notes_hide(p, size);
}
