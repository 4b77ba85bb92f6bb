/* SPDX-License-Identifier: MIT */
/* huge_kept.c - blocks between guard pages that were freed, kept closed for the next of their size.
 *
 * WHAT   A block with guard pages costs a mapping, its faults, and their end. Those of 128 KiB to
 *        2 MiB, which programs take and free again and again, stay for a while: nobody can touch
 *        them, so that a use after free faults, and longer than when the addresses were another's.
 *
 * MODEL  A ring, oldest first. What comes pushes the oldest out when there are too many, or too
 *        many bytes. Who asks gets the oldest that has as many pages, or up to half as many more;
 *        those go back to the system, and leave a guard.
 *
 *            out    [guard][ block .................. ][guard]
 *            kept   [ nobody can touch ...................... ]
 *            again  [guard][ reads 0 ........ ][guard] '--- unmapped
 *
 * LOCKS  One, around the ring; system calls are made without it.
 * COST   Two system calls a block, and zeros for it: a third of a mapping and its faults.
 * FROM   Quarantine as in AddressSanitizer.
 * NOT    Blocks above 2 MiB: so much memory is not kept for one request. They ask for huge pages.
 */
#define _DEFAULT_SOURCE
#include "preload.h"

#include <sys/mman.h>

enum { KEPT_BLOCKS = 16 };
#define KEPT_LONGEST ((size_t)2 << 20)
#define KEPT_BYTES   ((size_t)6 << 20)

typedef struct kept_block {
    uintptr_t at; /* 0: none */
    size_t len;
} kept_block;

static struct {
    loam_lock lock;
    kept_block block[KEPT_BLOCKS]; /* [lock] oldest first */
    unsigned count;                /* [lock] */
    size_t bytes;                  /* [lock] */
} kept = {.lock = LOAM_LOCK_INIT};

/* Lock held. */
static kept_block kept_remove(unsigned i)
{
    kept_block b = kept.block[i];
    kept.count--;
    kept.bytes -= b.len;
    for (; i < kept.count; i++)
        kept.block[i] = kept.block[i + 1];
    return b;
}

/* The oldest that is too much for one of len bytes more. */
static kept_block kept_too_much(size_t len)
{
    kept_block b = {0};
    loam_irq irq = loam_lock_acquire(&kept.lock);
    if (kept.count != 0 && (kept.count == KEPT_BLOCKS || kept.bytes + len > KEPT_BYTES))
        b = kept_remove(0);
    loam_lock_release(&kept.lock, irq);
    return b;
}

static void kept_unmap(kept_block b)
{
    munmap((void *)(b.at - LOAM_PAGE_SIZE), b.len + 2 * LOAM_PAGE_SIZE);
    (void)limit_change(b.len + LOAM_PAGE_SIZE, 0);
}

bool huge_drop_kept(void)
{
    kept_block b = kept_too_much(KEPT_BYTES);
    bool any = b.at != 0;
    for (; b.at != 0; b = kept_too_much(KEPT_BYTES))
        kept_unmap(b);
    return any;
}

bool huge_keep(void *block, size_t len)
{
    bool in = false;
    if (len > KEPT_LONGEST || mprotect(block, len, PROT_NONE) != 0)
        return false;
    while (!in) {
        kept_block b = kept_too_much(len);
        if (b.at != 0) {
            kept_unmap(b);
            continue;
        }
        loam_irq irq = loam_lock_acquire(&kept.lock);
        in = kept.count < KEPT_BLOCKS; /* else another was faster */
        if (in) {
            kept.block[kept.count++] = (kept_block){(uintptr_t)block, len};
            kept.bytes += len;
        }
        loam_lock_release(&kept.lock, irq);
    }
    return true;
}

static kept_block kept_take(size_t len)
{
    kept_block b = {0};
    loam_irq irq = loam_lock_acquire(&kept.lock);
    unsigned best = kept.count;
    for (unsigned i = 0; i < kept.count; i++) {
        size_t n = kept.block[i].len;
        if (n >= len && n <= len + len / 2 && (best == kept.count || n < kept.block[best].len))
            best = i;
    }
    if (best != kept.count)
        b = kept_remove(best);
    loam_lock_release(&kept.lock, irq);
    return b;
}

void *huge_again(size_t len)
{
    kept_block b = len <= KEPT_LONGEST ? kept_take(len) : (kept_block){0};
    void *p = (void *)b.at;
    if (b.at == 0)
        return NULL;
    if (mprotect(p, len, PROT_READ | PROT_WRITE) != 0) {
        kept_unmap(b);
        return NULL;
    }
    if (b.len > len) {
        munmap((void *)(b.at + len + LOAM_PAGE_SIZE), b.len - len);
        (void)limit_change(b.len + LOAM_PAGE_SIZE, len + LOAM_PAGE_SIZE);
    }
    return __builtin_memset(p, 0, len);
}

void huge_kept_freeze(void)
{
    (void)loam_lock_acquire(&kept.lock);
}

void huge_kept_thaw(void)
{
    loam_lock_release(&kept.lock, loam_port_irq_save());
}
