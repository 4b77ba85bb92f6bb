/* SPDX-License-Identifier: MIT */
/* operators.c - C++'s operator new and delete, by the names that the Itanium ABI gives them, so
 * that the library needs no C++ of its own.
 *
 * A new that finds no memory asks the program's new handler, again and again as the standard says;
 * without one it throws std::bad_alloc, by the function that libstdc++ has for that, or returns
 * NULL where the operator promises not to throw. In a program without libstdc++ nobody calls
 * these.
 *
 * A handler may throw, and what promises not to has to catch it, which C cannot:
 *
 *     ours, nothrow --> libstdc++'s, nothrow: try { ours, that throws --> handler } catch (...) {}
 *
 * A program that is linked statically has no such other one: there the handler must not throw. */
#define _GNU_SOURCE
#include "preload.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#pragma weak dlsym /* a static program does without */

typedef void handler(void);
extern handler *_ZSt15get_new_handlerv(void) __attribute__((weak)); /* std::get_new_handler() */
extern void _ZSt17__throw_bad_allocv(void) __attribute__((weak));   /* std::__throw_bad_alloc() */

static handler *new_handler(void)
{
    return _ZSt15get_new_handlerv != NULL ? _ZSt15get_new_handlerv() : NULL;
}

/* Asks the handler until there is memory, or no handler. */
static void *ask_handler(size_t size, size_t align, const void *caller)
{
    for (handler *ask; (ask = new_handler()) != NULL;) {
        ask(); /* may throw, end the program, or find memory */
        void *p = aligned_for(align, size, caller);
        if (p != NULL)
            return p;
    }
    return NULL;
}

static LOAM_NOINLINE void *hard_new(size_t size, size_t align, const void *caller)
{
    void *p = ask_handler(size, align, caller);
    if (p == NULL && _ZSt17__throw_bad_allocv != NULL)
        _ZSt17__throw_bad_allocv();
    if (p == NULL)
        abort();
    return p;
}

typedef void *plain_fn(size_t size, const void *nothrow);
typedef void *aligned_fn(size_t size, size_t align, const void *nothrow);

/* libstdc++'s operator of this name, or NULL. */
static void *behind_us(const char *name)
{
    return dlsym != NULL ? dlsym(RTLD_NEXT, name) : NULL;
}

static LOAM_NOINLINE void *hard_nothrow(const char *name, size_t size, const void *nothrow,
                                        const void *caller)
{
    plain_fn *catches;
    if (new_handler() == NULL)
        return NULL;
    void *found = behind_us(name);
    if (found == NULL)
        return ask_handler(size, PROCESS_ALIGN, caller);
    memcpy(&catches, &found, sizeof(catches));
    return catches(size, nothrow);
}

static LOAM_NOINLINE void *hard_aligned_nothrow(const char *name, size_t size, size_t align,
                                                const void *nothrow, const void *caller)
{
    aligned_fn *catches;
    if (new_handler() == NULL)
        return NULL;
    void *found = behind_us(name);
    if (found == NULL)
        return ask_handler(size, align, caller);
    memcpy(&catches, &found, sizeof(catches));
    return catches(size, align, nothrow);
}

static inline void *plain_new(size_t size, const void *caller)
{
    void *p = malloc_for(size, caller);
    if (p != NULL)
        return p;
    return hard_new(size, PROCESS_ALIGN, caller);
}

static inline void *aligned_new(size_t size, size_t align, const void *caller)
{
    void *p = aligned_for(align, size, caller);
    if (p != NULL)
        return p;
    return hard_new(size, align, caller);
}

static inline void *plain_nothrow(const char *name, size_t size, const void *nothrow,
                                  const void *caller)
{
    void *p = malloc_for(size, caller);
    if (p != NULL)
        return p;
    return hard_nothrow(name, size, nothrow, caller);
}

static inline void *aligned_nothrow(const char *name, size_t size, size_t align,
                                    const void *nothrow, const void *caller)
{
    void *p = aligned_for(align, size, caller);
    if (p != NULL)
        return p;
    return hard_aligned_nothrow(name, size, align, nothrow, caller);
}

/* How the ABI spells size_t; RKSt9nothrow_t is const std::nothrow_t &, St11align_val_t is
 * std::align_val_t. */
#if __SIZEOF_SIZE_T__ == 8
#define N(before, behind) before##m##behind
#else
#define N(before, behind) before##j##behind
#endif

/* Who wrote new or delete: for owner, profile and reports. */
#define CALLER __builtin_return_address(0)

#define TEXT(name) #name
#define NAME(name) TEXT(name)

#define OPERATOR(type, name, ...)                                                                  \
    type name(__VA_ARGS__);                                                                        \
    PRELOAD_EXPORT type name(__VA_ARGS__)

OPERATOR(void *, N(_Znw, ), size_t size)
{
    return plain_new(size, CALLER);
}

OPERATOR(void *, N(_Zna, ), size_t size)
{
    return plain_new(size, CALLER);
}

OPERATOR(void *, N(_Znw, RKSt9nothrow_t), size_t size, const void *nothrow)
{
    return plain_nothrow(NAME(N(_Znw, RKSt9nothrow_t)), size, nothrow, CALLER);
}

OPERATOR(void *, N(_Zna, RKSt9nothrow_t), size_t size, const void *nothrow)
{
    return plain_nothrow(NAME(N(_Zna, RKSt9nothrow_t)), size, nothrow, CALLER);
}

OPERATOR(void *, N(_Znw, St11align_val_t), size_t size, size_t align)
{
    return aligned_new(size, align, CALLER);
}

OPERATOR(void *, N(_Zna, St11align_val_t), size_t size, size_t align)
{
    return aligned_new(size, align, CALLER);
}

OPERATOR(void *, N(_Znw, St11align_val_tRKSt9nothrow_t), size_t size, size_t align,
         const void *nothrow)
{
    return aligned_nothrow(NAME(N(_Znw, St11align_val_tRKSt9nothrow_t)), size, align, nothrow,
                           CALLER);
}

OPERATOR(void *, N(_Zna, St11align_val_tRKSt9nothrow_t), size_t size, size_t align,
         const void *nothrow)
{
    return aligned_nothrow(NAME(N(_Zna, St11align_val_tRKSt9nothrow_t)), size, align, nothrow,
                           CALLER);
}

/* delete: of an object or of an array; alone, with its size, its alignment, or nothrow. */
#define DELETES(prefix)                                                                            \
    OPERATOR(void, prefix, void *p)                                                                \
    {                                                                                              \
        free_for(p, CALLER);                                                                       \
    }                                                                                              \
    OPERATOR(void, N(prefix, ), void *p, size_t size)                                              \
    {                                                                                              \
        free_sized_for(p, size, CALLER);                                                           \
    }                                                                                              \
    OPERATOR(void, prefix##RKSt9nothrow_t, void *p, const void *nothrow)                           \
    {                                                                                              \
        (void)nothrow;                                                                             \
        free_for(p, CALLER);                                                                       \
    }                                                                                              \
    OPERATOR(void, prefix##St11align_val_t, void *p, size_t align)                                 \
    {                                                                                              \
        if (alignment_fits(p, align, CALLER))                                                      \
            free_for(p, CALLER);                                                                   \
    }                                                                                              \
    OPERATOR(void, N(prefix, St11align_val_t), void *p, size_t size, size_t align)                 \
    {                                                                                              \
        if (alignment_fits(p, align, CALLER))                                                      \
            free_sized_for(p, size, CALLER);                                                       \
    }                                                                                              \
    OPERATOR(void, prefix##St11align_val_tRKSt9nothrow_t, void *p, size_t align,                   \
             const void *nothrow)                                                                  \
    {                                                                                              \
        (void)nothrow;                                                                             \
        if (alignment_fits(p, align, CALLER))                                                      \
            free_for(p, CALLER);                                                                   \
    }

DELETES(_ZdlPv)
DELETES(_ZdaPv)
