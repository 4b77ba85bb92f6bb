/* SPDX-License-Identifier: MIT */
/* mem.c - the four functions that compilers call without being asked.
 *
 * Words where both sides allow it, else bytes: no access is ever misaligned, because a machine with
 * its MMU off refuses those. Compiled with -fno-builtin -fno-tree-loop-distribute-patterns, or the
 * compiler would turn memcpy into a call of memcpy.
 */
#include <stddef.h>
#include <stdint.h>

typedef uintptr_t word __attribute__((may_alias));
enum { WORD = sizeof(word) };

void *memcpy(void *restrict to, const void *restrict from, size_t len);
void *memmove(void *to, const void *from, size_t len);
void *memset(void *to, int c, size_t len);
int memcmp(const void *a, const void *b, size_t len);

static int both_aligned(const void *a, const void *b)
{
    return (((uintptr_t)a | (uintptr_t)b) & (WORD - 1)) == 0;
}

/* Ascending: right also for overlapping ranges whose target lies below. */
static void copy_up(unsigned char *d, const unsigned char *s, size_t len)
{
    if (((uintptr_t)d & (WORD - 1)) == ((uintptr_t)s & (WORD - 1)))
        while (len > 0 && !both_aligned(d, s))
            *d++ = *s++, len--;
    if (both_aligned(d, s))
        for (; len >= WORD; d += WORD, s += WORD, len -= WORD)
            *(word *)(void *)d = *(const word *)(const void *)s;
    while (len-- > 0)
        *d++ = *s++;
}

void *memcpy(void *restrict to, const void *restrict from, size_t len)
{
    copy_up(to, from, len);
    return to;
}

void *memmove(void *to, const void *from, size_t len)
{
    unsigned char *d = to;
    const unsigned char *s = from;
    if ((uintptr_t)d - (uintptr_t)s >= len) { /* unsigned: also true when d is below s */
        copy_up(d, s, len);
        return to;
    }
    while (len-- > 0)
        d[len] = s[len];
    return to;
}

void *memset(void *to, int c, size_t len)
{
    unsigned char *d = to;
    word pattern = (word)(unsigned char)c * ((word)-1 / 255); /* the byte, repeated */
    while (len > 0 && ((uintptr_t)d & (WORD - 1)) != 0)
        *d++ = (unsigned char)c, len--;
    for (; len >= WORD; d += WORD, len -= WORD)
        *(word *)(void *)d = pattern;
    while (len-- > 0)
        *d++ = (unsigned char)c;
    return to;
}

int memcmp(const void *a, const void *b, size_t len)
{
    const unsigned char *p = a, *q = b;
    for (; len > 0; p++, q++, len--)
        if (*p != *q)
            return *p < *q ? -1 : 1;
    return 0;
}
