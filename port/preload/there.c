/* SPDX-License-Identifier: MIT */
/* there.c - which pages of the process are in memory.
 *
 * WHAT   mincore tells. But a filter of system calls (seccomp) may end who asks that: systemd's
 *        @system-service does. There a file tells the same, and takes long for it.
 *
 * MODEL      no filter         mincore
 *            a filter          /proc/self/pagemap, 8 bytes a page, bit 63: it is in memory
 *            no such file      nobody knows
 *
 *        A filter never goes; one may come at any time.
 * LOCKS  None.
 * COST   Two system calls; with a filter three, one for each 128 pages, and 45 ns a page.
 * FROM   -
 * NOT    A filter that ends who asks whether there is one, or who opens a file.
 */
#define _GNU_SOURCE
#include "loam_pages.h"
#include "preload.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { THERE_PIECE = 128, THERE_BIT = 63 };
enum { THERE_FILTER = 2 }; /* SECCOMP_MODE_FILTER, of a header that not every system has */

/* Who may not even ask has a filter; EINVAL: the system knows of none. */
bool process_is_filtered(void)
{
    static uint32_t known;             /* [atomic] 1: there is one */
    if (loam_atomic_peek(&known) != 0) /* no order: who misses it asks */
        return true;
    int before = errno;
    int mode = prctl(PR_GET_SECCOMP, 0, 0, 0, 0);
    bool filtered = mode == THERE_FILTER || (mode < 0 && errno != EINVAL);
    if (filtered)
        loam_atomic_store(&known, 1); /* no order: as above */
    errno = before;
    return filtered;
}

static bool there_read(int file, uintptr_t first, size_t pages, unsigned char *in)
{
    uint64_t piece[THERE_PIECE];
    for (size_t at = 0; at < pages; at += THERE_PIECE) {
        size_t n = pages - at < THERE_PIECE ? pages - at : THERE_PIECE;
        off_t from = (off_t)((first + at) * sizeof(piece[0]));
        if (pread(file, piece, n * sizeof(piece[0]), from) != (ssize_t)(n * sizeof(piece[0])))
            return false;
        for (size_t i = 0; i < n; i++)
            in[at + i] = (unsigned char)(piece[i] >> THERE_BIT);
    }
    return true;
}

static bool there_by_file(const void *va, size_t len, unsigned char *in)
{
    int cancel = thread_hold(), file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    size_t page = loam_pages_page();
    bool told = file >= 0 && there_read(file, (uintptr_t)va / page, len / page, in);
    if (file >= 0)
        close(file);
    thread_let(cancel);
    return told;
}

bool process_there(void *va, size_t len, unsigned char *in)
{
    int before = errno;
    bool told = !process_is_filtered() && mincore(va, len, in) == 0;
    errno = before;
    return told;
}

bool process_there_slowly(void *va, size_t len, unsigned char *in)
{
    int before = errno;
    bool told = process_there(va, len, in) || there_by_file(va, len, in);
    errno = before;
    return told;
}
