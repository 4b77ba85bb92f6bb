/* SPDX-License-Identifier: MIT */
#ifndef LOAM_PORT_ATOMIC_H
#define LOAM_PORT_ATOMIC_H

/* port_atomic.h - a port's atomics by the compiler's own, for processors on which gcc and clang
 * make them inline: x86-64, AArch64, i486 and up. port.h has their contract. */
#include <stdbool.h>
#include <stdint.h>

static inline uint32_t loam_atomic_load(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline uint32_t loam_atomic_peek(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline void loam_atomic_store(uint32_t *p, uint32_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static inline uint32_t loam_atomic_exchange(uint32_t *p, uint32_t v)
{
    return __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL);
}

static inline uint32_t loam_atomic_or(uint32_t *p, uint32_t v)
{
    return __atomic_fetch_or(p, v, __ATOMIC_ACQ_REL);
}

static inline uint32_t loam_atomic_add(uint32_t *p, uint32_t v)
{
    return __atomic_fetch_add(p, v, __ATOMIC_ACQ_REL);
}

static inline bool loam_atomic_cas(uint32_t *p, uint32_t old, uint32_t v)
{
    return __atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static inline uint8_t loam_atomic_byte_peek(const uint8_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline void loam_atomic_byte_store(uint8_t *p, uint8_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static inline bool loam_atomic_byte_cas(uint8_t *p, uint8_t old, uint8_t v)
{
    return __atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static inline uint16_t loam_atomic_peek16(const uint16_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline void loam_atomic_poke16(uint16_t *p, uint16_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELAXED);
}

static inline void *loam_atomic_ptr_load(void *const *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void *loam_atomic_ptr_peek(void *const *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline void loam_atomic_ptr_store(void **p, void *v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static inline void *loam_atomic_ptr_exchange(void **p, void *v)
{
    return __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL);
}

static inline bool loam_atomic_ptr_cas(void **p, void *old, void *v)
{
    return __atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

#if UINTPTR_MAX > 0xffffffffU

static inline uint64_t loam_atomic_peek64(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline void loam_atomic_poke64(uint64_t *p, uint64_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELAXED);
}

#else

typedef uint32_t __attribute__((may_alias)) loam_atomic_half;

static inline uint64_t loam_atomic_peek64(const uint64_t *p)
{
    const loam_atomic_half *half = (const loam_atomic_half *)p;
    uint64_t low = __atomic_load_n(&half[0], __ATOMIC_RELAXED);
    return (uint64_t)__atomic_load_n(&half[1], __ATOMIC_RELAXED) << 32 | low;
}

static inline void loam_atomic_poke64(uint64_t *p, uint64_t v)
{
    loam_atomic_half *half = (loam_atomic_half *)p;
    __atomic_store_n(&half[0], (uint32_t)v, __ATOMIC_RELAXED);
    __atomic_store_n(&half[1], (uint32_t)(v >> 32), __ATOMIC_RELAXED);
}

#endif

#endif
