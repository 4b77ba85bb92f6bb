/* SPDX-License-Identifier: MIT */
/* operators.c - C++'s operator new and delete, by the names that the Itanium ABI gives them, so
 * that the library needs no C++ of its own.
 *
 * A new that finds no memory asks the program's new handler, again and again as the standard says;
 * without one it throws std::bad_alloc, by the function that libstdc++ has for that, or returns
 * NULL where the operator promises not to throw. In a program without libstdc++ nobody calls
 * these. */
#define _GNU_SOURCE
#include "preload.h"

#include <stdlib.h>

typedef void handler(void);
extern handler *_ZSt15get_new_handlerv(void) __attribute__((weak)); /* std::get_new_handler() */
extern void _ZSt17__throw_bad_allocv(void) __attribute__((weak));   /* std::__throw_bad_alloc() */

static LOAM_NOINLINE void *hard_new(size_t size, size_t align, bool throws)
{
    for (;;) {
        handler *ask = _ZSt15get_new_handlerv != NULL ? _ZSt15get_new_handlerv() : NULL;
        if (ask == NULL)
            break;
        ask(); /* may throw, end the program, or find memory */
        void *p = aligned_alloc(align, size);
        if (p != NULL)
            return p;
    }
    if (throws && _ZSt17__throw_bad_allocv != NULL)
        _ZSt17__throw_bad_allocv();
    if (throws)
        abort();
    return NULL;
}

static inline void *plain_new(size_t size, bool throws)
{
    void *p = malloc(size);
    if (p != NULL)
        return p;
    return hard_new(size, PROCESS_ALIGN, throws);
}

static inline void *aligned_new(size_t size, size_t align, bool throws)
{
    void *p = aligned_alloc(align, size);
    if (p != NULL)
        return p;
    return hard_new(size, align, throws);
}

/* How the ABI spells size_t; RKSt9nothrow_t is const std::nothrow_t &, St11align_val_t is
 * std::align_val_t. */
#if __SIZEOF_SIZE_T__ == 8
#define N(before, behind) before##m##behind
#else
#define N(before, behind) before##j##behind
#endif

#define OPERATOR(type, name, ...)                                                                  \
    type name(__VA_ARGS__);                                                                        \
    PRELOAD_EXPORT type name(__VA_ARGS__)

OPERATOR(void *, N(_Znw, ), size_t size)
{
    return plain_new(size, true);
}

OPERATOR(void *, N(_Zna, ), size_t size)
{
    return plain_new(size, true);
}

OPERATOR(void *, N(_Znw, RKSt9nothrow_t), size_t size, const void *nothrow)
{
    (void)nothrow;
    return plain_new(size, false);
}

OPERATOR(void *, N(_Zna, RKSt9nothrow_t), size_t size, const void *nothrow)
{
    (void)nothrow;
    return plain_new(size, false);
}

OPERATOR(void *, N(_Znw, St11align_val_t), size_t size, size_t align)
{
    return aligned_new(size, align, true);
}

OPERATOR(void *, N(_Zna, St11align_val_t), size_t size, size_t align)
{
    return aligned_new(size, align, true);
}

OPERATOR(void *, N(_Znw, St11align_val_tRKSt9nothrow_t), size_t size, size_t align,
         const void *nothrow)
{
    (void)nothrow;
    return aligned_new(size, align, false);
}

OPERATOR(void *, N(_Zna, St11align_val_tRKSt9nothrow_t), size_t size, size_t align,
         const void *nothrow)
{
    (void)nothrow;
    return aligned_new(size, align, false);
}

/* delete: of an object or of an array; alone, with its size, its alignment, or nothrow. */
#define DELETES(prefix)                                                                            \
    OPERATOR(void, prefix, void *p)                                                                \
    {                                                                                              \
        free(p);                                                                                   \
    }                                                                                              \
    OPERATOR(void, N(prefix, ), void *p, size_t size)                                              \
    {                                                                                              \
        (void)size;                                                                                \
        free(p);                                                                                   \
    }                                                                                              \
    OPERATOR(void, prefix##RKSt9nothrow_t, void *p, const void *nothrow)                           \
    {                                                                                              \
        (void)nothrow;                                                                             \
        free(p);                                                                                   \
    }                                                                                              \
    OPERATOR(void, prefix##St11align_val_t, void *p, size_t align)                                 \
    {                                                                                              \
        (void)align;                                                                               \
        free(p);                                                                                   \
    }                                                                                              \
    OPERATOR(void, N(prefix, St11align_val_t), void *p, size_t size, size_t align)                 \
    {                                                                                              \
        (void)size;                                                                                \
        (void)align;                                                                               \
        free(p);                                                                                   \
    }                                                                                              \
    OPERATOR(void, prefix##St11align_val_tRKSt9nothrow_t, void *p, size_t align,                   \
             const void *nothrow)                                                                  \
    {                                                                                              \
        (void)align;                                                                               \
        (void)nothrow;                                                                             \
        free(p);                                                                                   \
    }

DELETES(_ZdlPv)
DELETES(_ZdaPv)
