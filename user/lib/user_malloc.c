/* SPDX-License-Identifier: MIT */
/* user_malloc.c - malloc of a user program: the core's range unit over addresses of its own.
 *
 * One region of ARENA bytes is asked for once. It costs nothing: the kernel gives it frames page by
 * page, as they are touched. Which bytes are taken is known to a loam_range, whose tags lie in a
 * region of their own; so no write past a block reaches them.
 *
 *     arena   [ block | block |     free              ]    taken and free pieces of a range
 *     tags    [ t t t t t . . . . . . . . . . . . . . ]    spare ones linked through owner
 */
#include "loam/range.h"
#include "user/lib/user_lib.h"

enum { ARENA = 64 << 20, TAGS = 2 << 20, GRAIN = 16 };

static loam_range range;
static loam_range_tag *fresh, *fresh_end; /* tags that were never used */
static loam_range_tag *spare;             /* that were, linked by owner */
static bool ready;

static loam_range_tag *tag_get(void *ctx)
{
    loam_range_tag *tag = spare;
    (void)ctx;
    if (tag != NULL)
        spare = tag->owner;
    else if (fresh != fresh_end)
        tag = fresh++;
    return tag;
}

static void tag_put(void *ctx, loam_range_tag *tag)
{
    (void)ctx;
    tag->owner = spare;
    spare = tag;
}

static bool start(void)
{
    static const loam_range_source source = {NULL, tag_get, tag_put};
    unsigned char *arena;
    if (ready)
        return true;
    fresh = user_map(NULL, TAGS, USER_WRITE);
    arena = user_map(NULL, ARENA, USER_WRITE);
    if (fresh == NULL || arena == NULL)
        return false;
    fresh_end = fresh + TAGS / sizeof(*fresh);
    ready = loam_range_init(&range, (uintptr_t)arena, ARENA, GRAIN, NULL, 0, &source) == LOAM_OK;
    return ready;
}

void *user_malloc(size_t size)
{
    uint64_t at;
    if (size == 0 || size > ARENA || !start())
        return NULL;
    if (loam_range_alloc(&range, loam_align_up(size, GRAIN), NULL, &at) != LOAM_OK)
        return NULL;
    return (void *)(uintptr_t)at;
}

void *user_calloc(size_t n, size_t size)
{
    uint64_t bytes;
    void *p =
        loam_mul_overflows(n, size, &bytes) || bytes > ARENA ? NULL : user_malloc((size_t)bytes);
    if (p != NULL)
        __builtin_memset(p, 0, (size_t)bytes);
    return p;
}

static size_t size_of(const void *p)
{
    const loam_range_tag *tag = ready ? loam_range_find(&range, (uintptr_t)p) : NULL;
    if (tag == NULL || !tag->taken || tag->base != (uintptr_t)p)
        user_fail("free of what is no block");
    return (size_t)tag->len;
}

void *user_realloc(void *p, size_t size)
{
    size_t old = p != NULL ? size_of(p) : 0;
    void *q = user_malloc(size);
    if (p == NULL || q == NULL)
        return q;
    __builtin_memcpy(q, p, old < size ? old : size);
    user_free(p);
    return q;
}

void user_free(void *p)
{
    if (p == NULL)
        return;
    (void)size_of(p);
    (void)loam_range_free(&range, (uintptr_t)p, NULL);
}

const char *user_malloc_check(void)
{
    return ready ? loam_range_check(&range) : NULL;
}

size_t user_malloc_out(void)
{
    return ready ? (size_t)(range.len - range.free) : 0;
}
