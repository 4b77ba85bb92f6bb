/* SPDX-License-Identifier: MIT */
#ifndef LOAM_PORT_WIDE_H
#define LOAM_PORT_WIDE_H

/* port_wide.h - zeros over more bytes than a few cache lines: what a port may do faster.
 *
 * A port whose processors have wider registers than the core may use, or other means, defines all
 * in its loam_port.h, as macros of functions; else they are the loops below. len: bytes, at least
 * LOAM_WIDE_LEAST.
 *
 *   LOAM_PORT_READS_ZERO(p, len)   bool; p and len are multiples of 16
 *   LOAM_PORT_CLEAR(p, len)        any p and len; what was cleared is ordered as any other store
 *   LOAM_PORT_WIDE_START()         chooses among them, once, before there are threads; who does
 *                                  not call it has what every processor of the kind can do
 */
#include "loam/base.h"

enum { LOAM_WIDE_LEAST = 128 };

typedef uint64_t __attribute__((vector_size(16), may_alias)) loam_wide_pair;
typedef uint64_t __attribute__((vector_size(16), aligned(1), may_alias)) loam_wide_any;

/* Where there are no registers for pairs they want stack: of a function of its own. */
#if UINTPTR_MAX > UINT32_MAX
#define LOAM_WIDE_INLINE static inline
#else
#define LOAM_WIDE_INLINE LOAM_NOINLINE __attribute__((unused)) static
#endif

/* The last turn of eight pairs meets the one before. */
LOAM_WIDE_INLINE bool loam_wide_reads_zero(const void *p, size_t len)
{
    const loam_wide_pair *v = p, *last = v + len / sizeof(*v) - 8;
    loam_wide_pair all = {0, 0};
    for (; v < last; v += 8)
        all |= ((v[0] | v[1]) | (v[2] | v[3])) | ((v[4] | v[5]) | (v[6] | v[7]));
    v = last;
    all |= ((v[0] | v[1]) | (v[2] | v[3])) | ((v[4] | v[5]) | (v[6] | v[7]));
    return (all[0] | all[1]) == 0;
}

/* Eight units of zeros from v on, stored one by one: of a memset of as many bytes gcc makes a
 * `rep stos`, which takes longer to start than all of these. */
#define LOAM_WIDE_CLEAR_TURN(v, zero)                                                              \
    ((v)[0] = (zero), (v)[1] = (zero), (v)[2] = (zero), (v)[3] = (zero), (v)[4] = (zero),          \
     (v)[5] = (zero), (v)[6] = (zero), (v)[7] = (zero))

static inline void loam_wide_clear(void *p, size_t len)
{
    const loam_wide_any zero = {0, 0};
    unsigned char *at = p, *last = at + len - LOAM_WIDE_LEAST;
    for (; at < last; at += LOAM_WIDE_LEAST)
        LOAM_WIDE_CLEAR_TURN((loam_wide_any *)(void *)at, zero);
    LOAM_WIDE_CLEAR_TURN((loam_wide_any *)(void *)last, zero);
}

#ifndef LOAM_PORT_READS_ZERO
#define LOAM_PORT_READS_ZERO(p, len) loam_wide_reads_zero((p), (len))
#define LOAM_PORT_CLEAR(p, len)      loam_wide_clear((p), (len))
#define LOAM_PORT_WIDE_START()       ((void)0)
#endif

#endif
