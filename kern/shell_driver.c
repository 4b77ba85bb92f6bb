/* SPDX-License-Identifier: MIT */
/* shell_driver.c - the words of tools/driver in the kernel's shell: a fake machine inside this one.
 *
 *     loam> driver region 100000 8000
 *     ok
 *
 * Its RAM exists only where somebody asks for it: the fake allocator's arrays, and frames that were
 * filled. Both are pages of the real zone, and go back at the next `driver reset`.
 */
#include "../tools/driver/driver.h"
#include "console.h"
#include "kern.h"
#include "loam/port.h"
#include "shell.h"

enum {
    SPANS = 256,  /* of each set of the fake boot map */
    PIECES = 4,   /* arrays, linear map */
    FRAMES = 1024 /* frames with contents: 4 MiB */
};

static struct {
    driver driver;
    bool ready;
    loam_span span[3 * SPANS];
    loam_pfn piece[PIECES];
    unsigned pieces;
    uint64_t frame[FRAMES]; /* number of a fake frame ... */
    loam_pfn mem[FRAMES];   /* ... and the real one that plays it */
    unsigned frames;
} fake;

static void put(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++)
        console_put(text[i]);
}

static void note(void *ctx, const char *why)
{
    (void)ctx;
    kprintf("driver: %s\n", why);
}

/* The kernel runs on one processor: it plays them all. */
static void set_cpu(void *ctx, unsigned cpu)
{
    (void)ctx;
    (void)cpu;
}

static void forget(void *ctx)
{
    (void)ctx;
    while (fake.pieces > 0)
        (void)loam_zone_free(kern_this.zone, fake.piece[--fake.pieces]);
    while (fake.frames > 0)
        (void)loam_zone_free(kern_this.zone, fake.mem[--fake.frames]);
}

static void *take(void *ctx, uint64_t len)
{
    uint64_t pages = (len >> LOAM_PAGE_SHIFT) + (len % LOAM_PAGE_SIZE != 0);
    (void)ctx;
    if (fake.pieces == PIECES || pages == 0)
        return NULL;
    loam_pfn pfn = loam_zone_alloc_exact(kern_this.zone, pages, LOAM_ZONE_ZERO);
    if (loam_pfn_is_none(pfn))
        return NULL;
    fake.piece[fake.pieces++] = pfn;
    return loam_zone_to_va(kern_this.zone, pfn);
}

static void *map(void *ctx, uint64_t pa, uint64_t len)
{
    (void)pa;
    return take(ctx, len);
}

/* ---- contents ---- */

static unsigned char *frame_find(uint64_t number)
{
    for (unsigned i = 0; i < fake.frames; i++)
        if (fake.frame[i] == number)
            return loam_zone_to_va(kern_this.zone, fake.mem[i]);
    return NULL;
}

static unsigned char *frame_make(uint64_t number)
{
    unsigned char *at = frame_find(number);
    if (at != NULL || fake.frames == FRAMES)
        return at;
    loam_pfn pfn = loam_zone_alloc(kern_this.zone, 0, LOAM_ZONE_ZERO);
    if (loam_pfn_is_none(pfn))
        return NULL;
    fake.frame[fake.frames] = number;
    fake.mem[fake.frames++] = pfn;
    return loam_zone_to_va(kern_this.zone, pfn);
}

static bool fill(void *ctx, uint64_t pa, uint64_t len, unsigned char byte)
{
    uint64_t first = pa >> LOAM_PAGE_SHIFT;
    (void)ctx;
    for (uint64_t i = 0; i < len >> LOAM_PAGE_SHIFT; i++) {
        unsigned char *at = frame_make(first + i);
        if (at == NULL)
            return false;
        __builtin_memset(at, byte, LOAM_PAGE_SIZE);
    }
    return true;
}

static bool check(void *ctx, uint64_t pa, uint64_t len, unsigned char byte)
{
    uint64_t first = pa >> LOAM_PAGE_SHIFT;
    (void)ctx;
    for (uint64_t i = 0; i < len >> LOAM_PAGE_SHIFT; i++) {
        const unsigned char *at = frame_find(first + i);
        if (at == NULL && byte != 0)
            return false; /* never filled: 0 */
        for (unsigned k = 0; at != NULL && k < LOAM_PAGE_SIZE; k++)
            if (at[k] != byte)
                return false;
    }
    return true;
}

static unsigned char *frame(void *ctx, uint64_t pa)
{
    (void)ctx;
    return frame_make(pa >> LOAM_PAGE_SHIFT);
}

static void peek(void *ctx, uint64_t pa, unsigned char *byte, unsigned n)
{
    (void)ctx;
    for (unsigned i = 0; i < n; i++) {
        const unsigned char *at = frame_find((pa + i) >> LOAM_PAGE_SHIFT);
        byte[i] = at != NULL ? at[(pa + i) % LOAM_PAGE_SIZE] : 0;
    }
}

static const driver_machine machine = {
    .cpus = 1,
    .set_cpu = set_cpu,
    .put = put,
    .note = note,
    .reset = forget,
    .map = map,
    .outside = take,
    .fill = fill,
    .check = check,
    .frame = frame,
    .peek = peek,
};

/* ---- the command ---- */

/* `driver --vm=i386`: as on loam-driver's command line. false: the word is none of these. */
static bool choose_format(const char *word)
{
    static const char option[] = "--vm=";
    for (size_t i = 0; option[i] != '\0'; i++)
        if (word[i] != option[i])
            return false;
    bool known = driver_vm_format(&fake.driver, loam_pt_format_of(word + sizeof option - 1));
    kprintf("%s\n", known ? "ok" : "err usage");
    return true;
}

static void do_driver(size_t count, const char *const *word)
{
    static char buf[DRIVER_LINE];
    loam_text line;
    if (!fake.ready)
        driver_init(&fake.driver, &machine, fake.span, SPANS);
    fake.ready = true;
    if (count == 2 && choose_format(word[1]))
        return;
    loam_text_init(&line, buf, sizeof(buf));
    for (size_t i = 1; i < count; i++)
        loam_text_fmt(&line, i == 1 ? "%s" : " %s", word[i]);
    loam_policy former = loam_port_set_policy(LOAM_POLICY_REPORT);
    driver_line(&fake.driver, buf, line.len);
    (void)loam_port_set_policy(former);
}

const shell_command shell_driver_commands[] = {
    {"driver", 1, 6, "WORD...", "a fake machine: region, start, --vm=i386, ...", do_driver},
    {NULL, 0, 0, NULL, NULL, NULL},
};
