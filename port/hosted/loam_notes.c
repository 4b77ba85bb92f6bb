/* SPDX-License-Identifier: MIT */
/* loam_notes.c - notes for Valgrind and for sanitizers. The header says which.
 *
 * A program that was built with a sanitizer has its functions; in any other they are NULL. */
#include "loam_notes.h"
#include "loam_valgrind.h"

#define OF_SANITIZER extern __attribute__((weak))

OF_SANITIZER void __asan_poison_memory_region(const volatile void *p, size_t len);
OF_SANITIZER void __asan_unpoison_memory_region(const volatile void *p, size_t len);
OF_SANITIZER int __asan_address_is_poisoned(const volatile void *p);
OF_SANITIZER void __lsan_register_root_region(const void *p, size_t len);
OF_SANITIZER void __lsan_unregister_root_region(const void *p, size_t len);
OF_SANITIZER void __tsan_acquire(void *lock);
OF_SANITIZER void __tsan_release(void *lock);

/* ---- who is there ---- */

static void ask_of(valgrind_request request, const void *p, size_t len)
{
    (void)valgrind_ask(request, (uintptr_t)p, len, 0, 0);
}

/* Is this byte defined? 1: memcheck has said so in *bits; 3: it cannot be read; 0: nobody knows. */
static uintptr_t ask_bits(const void *p, unsigned char *bits)
{
    return valgrind_ask(MEMCHECK_GET_BITS, (uintptr_t)p, (uintptr_t)bits, 1, 0);
}

bool loam_notes_runs(void)
{
    unsigned char byte = 0, bits = 0;
    return valgrind_ask(VALGRIND_RUNS, 0, 0, 0, 0) != 0 && ask_bits(&byte, &bits) != 0;
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
    ask_of(MEMCHECK_HIDE, p, len);
    asan_hide(p, len);
}

void loam_notes_show(const void *p, size_t len)
{
    ask_of(MEMCHECK_SHOW, p, len);
    asan_show(p, len);
}

bool loam_notes_is_hidden(const void *p)
{
    unsigned char bits = 0;
    return ask_bits(p, &bits) == 3 ||
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
    (void)valgrind_ask(VALGRIND_ALLOC, (uintptr_t)p, size, 0, zero);
    asan_show(p, size);
}

void loam_notes_free(const void *p)
{
    ask_of(VALGRIND_FREE, p, 0);
}

/* ---- blocks of a pool ---- */

void loam_notes_begin(const void *owner)
{
    loam_notes_end(owner); /* its memory was another's without a word */
    ask_of(VALGRIND_POOL_BEGIN, owner, 0);
}

void loam_notes_end(const void *owner)
{
    if (valgrind_ask(VALGRIND_POOL_EXISTS, (uintptr_t)owner, 0, 0, 0) != 0)
        ask_of(VALGRIND_POOL_END, owner, 0);
}

void loam_notes_take(const void *owner, const void *p, size_t size, bool keeps)
{
    (void)valgrind_ask(VALGRIND_POOL_ALLOC, (uintptr_t)owner, (uintptr_t)p, size, 0);
    asan_show(p, size);
    if (keeps)
        loam_notes_show(p, size);
}

void loam_notes_resize(const void *owner, const void *p, size_t old, size_t size)
{
    const unsigned char *bytes = p;
    (void)valgrind_ask(VALGRIND_POOL_CHANGE, (uintptr_t)owner, (uintptr_t)p, (uintptr_t)p, size);
    asan_show(p, size);
    if (size < old)
        loam_notes_hide(bytes + size, old - size);
    else
        ask_of(MEMCHECK_UNDEFINED, bytes + old, size - old);
}

void loam_notes_give(const void *owner, const void *p, size_t size)
{
    (void)valgrind_ask(VALGRIND_POOL_FREE, (uintptr_t)owner, (uintptr_t)p, 0, 0);
    loam_notes_hide(p, size);
}
