/* SPDX-License-Identifier: MIT */
/* aspace_copy.c - bytes between the kernel and a program.
 *
 * WHAT   A system call names memory by a program's addresses, which may be wrong in every way a
 *        fault can be. The kernel never follows such a pointer: it asks page by page, and copies
 *        through a window of its own.
 *
 * MODEL  The same answer as a fault for each page, and the frame behind it:
 *
 *            program   ...|  page   |  page   |  page   |...      [from, from + len)
 *                              |         |         '--> a reason: stop, *done says how far
 *            frames            f1        f2
 *                              |         |
 *            window       [ f1 ] then [ f2 ]   -- memcpy --> the kernel's buffer
 *
 * RULES  None of its own.
 * LOCKS  The world's, for one page at a time.
 * COST   O(len + pages * log regions).
 * FROM   copyin and copyout of the BSDs, without their faults.
 * NOT    Bytes that are all or nothing: what lies before the bad page is copied.
 */
#include "aspace_impl.h"

typedef struct copy_part {
    uint64_t va;
    unsigned char *kernel;
    size_t len; /* within one page */
} copy_part;

static loam_aspace_verdict copy_page(loam_aspace *as, const copy_part *part, unsigned access)
{
    const loam_aspace_config *c = &as->world->config;
    uint64_t page = loam_align_down(part->va, LOAM_PAGE_SIZE);
    loam_pfn pfn;
    loam_irq irq = loam_lock_acquire(&as->world->lock);
    loam_aspace_verdict verdict = loam_aspace__page(as, page, access, &pfn);
    if (verdict == LOAM_FAULT_DONE) {
        unsigned char *user = c->window(c->frame_ctx, pfn) + (part->va - page);
        if (access == LOAM_ACCESS_READ)
            __builtin_memcpy(part->kernel, user, part->len);
        else
            __builtin_memcpy(user, part->kernel, part->len);
        c->window(c->frame_ctx, LOAM_NO_FRAME);
    }
    aspace_flush(as);
    loam_lock_release(&as->world->lock, irq);
    return verdict;
}

/* An address that wraps is past the window long before: its page is the kernel's. */
static loam_aspace_verdict copy_all(loam_aspace *as, uint64_t va, unsigned char *kernel, size_t len,
                                    unsigned access, size_t *done)
{
    loam_aspace_verdict verdict = LOAM_FAULT_DONE;
    size_t at = 0;
    while (at < len && verdict == LOAM_FAULT_DONE) {
        copy_part part = {va + at, kernel + at, LOAM_PAGE_SIZE - (va + at) % LOAM_PAGE_SIZE};
        if (part.len > len - at)
            part.len = len - at;
        verdict = copy_page(as, &part, access);
        if (verdict == LOAM_FAULT_DONE)
            at += part.len;
    }
    if (done != NULL)
        *done = at;
    return verdict;
}

loam_aspace_verdict loam_aspace_copy_from(loam_aspace *as, void *to, uint64_t from, size_t len,
                                          size_t *done)
{
    return copy_all(as, from, to, len, LOAM_ACCESS_READ, done);
}

loam_aspace_verdict loam_aspace_copy_to(loam_aspace *as, uint64_t to, const void *from, size_t len,
                                        size_t *done)
{
    return copy_all(as, to, (unsigned char *)(uintptr_t)from, len, LOAM_ACCESS_WRITE, done);
}

loam_aspace_verdict loam_aspace_load(loam_aspace *as, uint64_t to, const void *from, size_t len)
{
    return copy_all(as, to, (unsigned char *)(uintptr_t)from, len, ASPACE_LOAD, NULL);
}
