/* SPDX-License-Identifier: MIT */
/* coherence_calls.c - what the compiler calls, with -fsanitize=thread, before or in place of each
 * access: it is told to the directory (coherence.c), and done.
 */
#include "coherence.h"
#include "coherence_builtin.h"

#include <stdbool.h>

#undef __builtin_memcpy
#undef __builtin_memmove
#undef __builtin_memset

#define SITE __builtin_return_address(0)

/* A function of the compiler's, which no header declares. */
#define CALL(type, name, arguments)                                                                \
    type name arguments;                                                                           \
    type name arguments

#define TELLS(name, bytes, access)                                                                 \
    CALL(void, name, (const void *p))                                                              \
    {                                                                                              \
        coherence_touch(p, bytes, access, SITE);                                                   \
    }

#define PLAIN(bytes)                                                                               \
    TELLS(__tsan_read##bytes, bytes, COHERENCE_READ)                                               \
    TELLS(__tsan_write##bytes, bytes, COHERENCE_WRITE)

PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

CALL(void, __tsan_read_range, (const void *p, size_t bytes))
{
    coherence_touch(p, bytes, COHERENCE_READ, SITE);
}

CALL(void, __tsan_write_range, (const void *p, size_t bytes))
{
    coherence_touch(p, bytes, COHERENCE_WRITE, SITE);
}

CALL(void, __tsan_init, (void))
{
}

CALL(void, __tsan_func_entry, (const void *caller))
{
    (void)caller;
}

CALL(void, __tsan_func_exit, (void))
{
}

/* ---- atomics: all of them in one order ---- */

#define ATOMIC_ADDS(bits, name)                                                                    \
    CALL(uint##bits##_t, __tsan_atomic##bits##_##name,                                             \
         (volatile uint##bits##_t * p, uint##bits##_t v, int order))                               \
    {                                                                                              \
        (void)order;                                                                               \
        coherence_touch(p, sizeof(*p), COHERENCE_LOCKED, SITE);                                    \
        return __atomic_##name(p, v, __ATOMIC_SEQ_CST);                                            \
    }

#define ATOMIC(bits)                                                                               \
    CALL(uint##bits##_t, __tsan_atomic##bits##_load,                                               \
         (const volatile uint##bits##_t *p, int order))                                            \
    {                                                                                              \
        (void)order;                                                                               \
        coherence_touch(p, sizeof(*p), COHERENCE_READ, SITE);                                      \
        return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                               \
    }                                                                                              \
    ATOMIC_ADDS(bits, fetch_add)                                                                   \
    ATOMIC_ADDS(bits, fetch_or)

#define ATOMIC_OTHERS(bits, lock)                                                                  \
    CALL(void, __tsan_atomic##bits##_store,                                                        \
         (volatile uint##bits##_t * p, uint##bits##_t v, int order))                               \
    {                                                                                              \
        (void)order;                                                                               \
        coherence_touch(p, sizeof(*p), COHERENCE_WRITE, SITE);                                     \
        __atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                                  \
        if ((lock) && v == 0)                                                                      \
            coherence_given((const volatile uint32_t *)p);                                         \
    }                                                                                              \
    CALL(uint##bits##_t, __tsan_atomic##bits##_exchange,                                           \
         (volatile uint##bits##_t * p, uint##bits##_t v, int order))                               \
    {                                                                                              \
        (void)order;                                                                               \
        coherence_touch(p, sizeof(*p), COHERENCE_LOCKED, SITE);                                    \
        uint##bits##_t was = __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                          \
        if ((lock) && was == 0 && v != 0)                                                          \
            coherence_taken((const volatile uint32_t *)p);                                         \
        return was;                                                                                \
    }                                                                                              \
    CALL(bool, __tsan_atomic##bits##_compare_exchange_strong,                                      \
         (volatile uint##bits##_t * p, uint##bits##_t * old, uint##bits##_t v, int order, int no)) \
    {                                                                                              \
        (void)order;                                                                               \
        (void)no;                                                                                  \
        bool from_0 = (lock) && *old == 0 && v == 1;                                               \
        coherence_touch(p, sizeof(*p), COHERENCE_LOCKED, SITE);                                    \
        bool done =                                                                                \
            __atomic_compare_exchange_n(p, old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);     \
        if (from_0 && done)                                                                        \
            coherence_taken((const volatile uint32_t *)p);                                         \
        else if (from_0)                                                                           \
            coherence_waits((const volatile uint32_t *)p);                                         \
        return done;                                                                               \
    }

ATOMIC(8)
ATOMIC_OTHERS(8, false)
ATOMIC(16)
ATOMIC_OTHERS(16, false)
ATOMIC(32)
ATOMIC_OTHERS(32, true)
ATOMIC(64)
ATOMIC_OTHERS(64, false)

/* ---- what coherence_builtin.h puts in place of the compiler's own ---- */

static void told_copy(const void *to, const void *from, size_t bytes, const void *site)
{
    if (bytes == 0)
        return;
    coherence_touch(from, bytes, COHERENCE_READ, site);
    coherence_touch(to, bytes, COHERENCE_WRITE, site);
}

void *coherence_memcpy(void *to, const void *from, size_t bytes)
{
    told_copy(to, from, bytes, SITE);
    return __builtin_memcpy(to, from, bytes);
}

void *coherence_memmove(void *to, const void *from, size_t bytes)
{
    told_copy(to, from, bytes, SITE);
    return __builtin_memmove(to, from, bytes);
}

void *coherence_memset(void *to, int value, size_t bytes)
{
    if (bytes != 0)
        coherence_touch(to, bytes, COHERENCE_WRITE, SITE);
    return __builtin_memset(to, value, bytes);
}
