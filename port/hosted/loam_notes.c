/* SPDX-License-Identifier: MIT */
/* loam_notes.c - notes for Valgrind. The header says which. */
#include "loam_notes.h"

#if defined(__has_include) && !defined(LOAM_HOSTED_NO_VALGRIND)
#if __has_include(<valgrind/memcheck.h>) /* cppcheck-suppress preprocessorErrorDirective */
#define NOTES_VALGRIND 1
#include <valgrind/memcheck.h>
#endif
#endif

#ifdef NOTES_VALGRIND

bool loam_notes_runs(void)
{
    unsigned char byte = 0, bits;
    return RUNNING_ON_VALGRIND != 0 && VALGRIND_GET_VBITS(&byte, &bits, 1) != 0;
}

void loam_notes_alloc(const void *p, size_t size, bool zero)
{
    VALGRIND_MALLOCLIKE_BLOCK(p, size, 0, zero);
}

void loam_notes_free(const void *p)
{
    VALGRIND_FREELIKE_BLOCK(p, 0);
}

void loam_notes_hide(const void *p, size_t len)
{
    (void)VALGRIND_MAKE_MEM_NOACCESS(p, len);
}

void loam_notes_show(const void *p, size_t len)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(p, len);
}

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
    if (keeps)
        loam_notes_show(p, size);
}

void loam_notes_resize(const void *owner, const void *p, size_t old, size_t size)
{
    const unsigned char *bytes = p;
    VALGRIND_MEMPOOL_CHANGE(owner, p, p, size);
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

/* memcheck answers 3 when the byte cannot be read. */
bool loam_notes_is_hidden(const void *p)
{
    unsigned char bits;
    return VALGRIND_GET_VBITS(p, &bits, 1) == 3;
}

#else

bool loam_notes_runs(void)
{
    return false;
}

void loam_notes_alloc(const void *p, size_t size, bool zero)
{
    (void)p;
    (void)size;
    (void)zero;
}

void loam_notes_free(const void *p)
{
    (void)p;
}

void loam_notes_hide(const void *p, size_t len)
{
    (void)p;
    (void)len;
}

void loam_notes_show(const void *p, size_t len)
{
    (void)p;
    (void)len;
}

void loam_notes_begin(const void *owner)
{
    (void)owner;
}

void loam_notes_end(const void *owner)
{
    (void)owner;
}

void loam_notes_take(const void *owner, const void *p, size_t size, bool keeps)
{
    (void)owner;
    (void)p;
    (void)size;
    (void)keeps;
}

void loam_notes_resize(const void *owner, const void *p, size_t old, size_t size)
{
    (void)owner;
    (void)p;
    (void)old;
    (void)size;
}

void loam_notes_give(const void *owner, const void *p, size_t size)
{
    (void)owner;
    (void)p;
    (void)size;
}

bool loam_notes_is_hidden(const void *p)
{
    (void)p;
    return false;
}

#endif

size_t loam_notes_shown(const void *p, size_t len)
{
    while (len > 0 && loam_notes_is_hidden((const unsigned char *)p + len - 1))
        len--;
    return len;
}
