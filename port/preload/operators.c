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
 * The archive has no such new at all (preload.mk hides it): a program has libstdc++'s own, which
 * calls ours that throws.
 *
 * A program may have operators of its own in place of these, of one kind or of all: the standard
 * says which of the others come to them then.
 *
 *     new[] --> new; delete with a size, delete[] --> delete; those with an alignment alike
 *     nothrow --> the same that may throw
 *
 * Where it has none of those that others come to, which the first call finds out, none is called.
 * In a static library they are weak, so that the program's own take their place. */
#define _GNU_SOURCE
#include "loam_libc.h"
#include "preload.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#pragma weak dlsym /* a static program does without */
#pragma weak dlvsym

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

/* libstdc++'s operator of this name, or NULL. Another malloc's library may lie between, and its
 * operators, which would give blocks of its own, have no version. */
static void *behind_us(const char *name)
{
    static const char versions[2][16] = {"GLIBCXX_3.4", "CXXABI_1.3.11"};
    void *found = NULL;
    for (unsigned i = 0; dlvsym != NULL && found == NULL && i < 2; i++)
        found = dlvsym(RTLD_NEXT, name, versions[i]);
    return found == NULL && dlsym != NULL ? dlsym(RTLD_NEXT, name) : found;
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

/* Where others come to an operator of the program's own. */
static LOAM_NOINLINE void *their_nothrow(const char *name, size_t size, const void *nothrow,
                                         void *(*throws)(size_t size))
{
    plain_fn *catches;
    void *found = behind_us(name);
    if (found == NULL)
        return throws(size);
    memcpy(&catches, &found, sizeof(catches));
    return catches(size, nothrow);
}

static LOAM_NOINLINE void *their_aligned_nothrow(const char *name, size_t size, size_t align,
                                                 const void *nothrow,
                                                 void *(*throws)(size_t size, size_t align))
{
    aligned_fn *catches;
    void *found = behind_us(name);
    if (found == NULL)
        return throws(size, align);
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

/* Weak: in a static library the program's own of this name takes its place. */
#define OPERATOR(type, name, ...)                                                                  \
    type name(__VA_ARGS__);                                                                        \
    __attribute__((weak)) PRELOAD_EXPORT type name(__VA_ARGS__)

/* One that others come to: by its name it may be the program's, own is ours. */
#define COME_TO(type, name, own, ...)                                                              \
    static type own(__VA_ARGS__);                                                                  \
    PRELOAD_EXPORT type name(__VA_ARGS__) __attribute__((weak, alias(NAME(own))));                 \
    static type own(__VA_ARGS__)

#define NEW                  N(_Znw, )
#define NEW_ARRAY            N(_Zna, )
#define NEW_ALIGNED          N(_Znw, St11align_val_t)
#define NEW_ARRAY_ALIGNED    N(_Zna, St11align_val_t)
#define DELETE               _ZdlPv
#define DELETE_ARRAY         _ZdaPv
#define DELETE_ALIGNED       _ZdlPvSt11align_val_t
#define DELETE_ARRAY_ALIGNED _ZdaPvSt11align_val_t

static uint32_t found_ours; /* [atomic] 1: all that others come to are ours; 0: look again */

static LOAM_NOINLINE bool look_whose(void);

LOAM_INLINE bool all_ours(void)
{
    if (LOAM_LIKELY(loam_atomic_peek(&found_ours) != 0)) /* no order: they stay as they are */
        return true;
    return look_whose();
}

/* ---- new ---- */

COME_TO(void *, NEW, own_new, size_t size)
{
    return plain_new(size, CALLER);
}

COME_TO(void *, NEW_ARRAY, own_new_array, size_t size)
{
    return all_ours() ? plain_new(size, CALLER) : NEW(size);
}

COME_TO(void *, NEW_ALIGNED, own_new_aligned, size_t size, size_t align)
{
    return aligned_new(size, align, CALLER);
}

COME_TO(void *, NEW_ARRAY_ALIGNED, own_new_array_aligned, size_t size, size_t align)
{
    return all_ours() ? aligned_new(size, align, CALLER) : NEW_ALIGNED(size, align);
}

/* The program's own may throw, too. */
#define NOTHROW(name, throws)                                                                      \
    OPERATOR(void *, name, size_t size, const void *nothrow)                                       \
    {                                                                                              \
        return all_ours() ? plain_nothrow(NAME(name), size, nothrow, CALLER)                       \
                          : their_nothrow(NAME(name), size, nothrow, throws);                      \
    }
#define NOTHROW_ALIGNED(name, throws)                                                              \
    OPERATOR(void *, name, size_t size, size_t align, const void *nothrow)                         \
    {                                                                                              \
        return all_ours() ? aligned_nothrow(NAME(name), size, align, nothrow, CALLER)              \
                          : their_aligned_nothrow(NAME(name), size, align, nothrow, throws);       \
    }

NOTHROW(N(_Znw, RKSt9nothrow_t), NEW)
NOTHROW(N(_Zna, RKSt9nothrow_t), NEW_ARRAY)
NOTHROW_ALIGNED(N(_Znw, St11align_val_tRKSt9nothrow_t), NEW_ALIGNED)
NOTHROW_ALIGNED(N(_Zna, St11align_val_tRKSt9nothrow_t), NEW_ARRAY_ALIGNED)

/* ---- delete ---- */

COME_TO(void, DELETE, own_delete, void *p)
{
    free_for(p, CALLER);
}

COME_TO(void, DELETE_ARRAY, own_delete_array, void *p)
{
    if (all_ours())
        free_for(p, CALLER);
    else
        DELETE(p);
}

COME_TO(void, DELETE_ALIGNED, own_delete_aligned, void *p, size_t align)
{
    if (alignment_fits(p, align, CALLER))
        free_for(p, CALLER);
}

COME_TO(void, DELETE_ARRAY_ALIGNED, own_delete_array_aligned, void *p, size_t align)
{
    if (!all_ours())
        DELETE_ALIGNED(p, align);
    else if (alignment_fits(p, align, CALLER))
        free_for(p, CALLER);
}

/* Of an object or of an array: with its size, nothrow, or both with its alignment. */
#define DELETES(prefix)                                                                            \
    OPERATOR(void, N(prefix, ), void *p, size_t size)                                              \
    {                                                                                              \
        if (all_ours())                                                                            \
            free_sized_for(p, size, CALLER);                                                       \
        else                                                                                       \
            prefix(p);                                                                             \
    }                                                                                              \
    OPERATOR(void, prefix##RKSt9nothrow_t, void *p, const void *nothrow)                           \
    {                                                                                              \
        (void)nothrow;                                                                             \
        if (all_ours())                                                                            \
            free_for(p, CALLER);                                                                   \
        else                                                                                       \
            prefix(p);                                                                             \
    }                                                                                              \
    OPERATOR(void, N(prefix, St11align_val_t), void *p, size_t size, size_t align)                 \
    {                                                                                              \
        if (!all_ours())                                                                           \
            prefix##St11align_val_t(p, align);                                                     \
        else if (alignment_fits(p, align, CALLER))                                                 \
            free_sized_for(p, size, CALLER);                                                       \
    }                                                                                              \
    OPERATOR(void, prefix##St11align_val_tRKSt9nothrow_t, void *p, size_t align,                   \
             const void *nothrow)                                                                  \
    {                                                                                              \
        (void)nothrow;                                                                             \
        if (!all_ours())                                                                           \
            prefix##St11align_val_t(p, align);                                                     \
        else if (alignment_fits(p, align, CALLER))                                                 \
            free_for(p, CALLER);                                                                   \
    }

DELETES(_ZdlPv)
DELETES(_ZdaPv)

/* At the first call: constructors of the program's libraries run before any of ours. */
static LOAM_NOINLINE bool look_whose(void)
{
    bool ours = NEW == own_new && NEW_ARRAY == own_new_array && NEW_ALIGNED == own_new_aligned &&
                NEW_ARRAY_ALIGNED == own_new_array_aligned && DELETE == own_delete &&
                DELETE_ARRAY == own_delete_array && DELETE_ALIGNED == own_delete_aligned &&
                DELETE_ARRAY_ALIGNED == own_delete_array_aligned;
    loam_atomic_store(&found_ours, ours);
    return ours;
}
