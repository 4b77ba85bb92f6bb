/* SPDX-License-Identifier: MIT */
/* profile.c - who holds the process's memory: a sampled heap profile, as pprof reads it.
 *
 * WHAT   Of every profile_rate bytes that are asked for, one on average is looked at: the block it
 *        belongs to is a sample, with the calls that led there.
 *
 * MODEL  The distance from one such byte to the next is drawn from an exponential distribution:
 *        each byte is as likely as any other, whatever came before. So a block of s bytes is a
 *        sample with the probability 1 - exp(-s / rate), and pprof, which knows the rate, divides
 *        by that.
 *
 *            bytes asked for   |--16--|----4096----|-32-|--16--|------ 1 MiB ------|
 *            left of this thread      ............................^ sample
 *
 *            table[hash(address)] -> sample -> sample      while the block is out
 *                                      |
 *            stack[hash(calls, size)] -> calls, size: blocks and bytes in use, and ever allocated
 *
 *        Sizes are part of a stack's key, since pprof divides by the mean size of a line's blocks.
 *        A free looks at its place of the table: nothing there, and the block was no sample.
 * LOCKS  One, around tables and stacks; a free that finds its place empty takes none. A sample is
 *        entered before its block is anybody's, so whoever frees it finds it.
 * COST   A subtraction a block; a sample some thousand instructions, most of them the unwinder's.
 *        Memory: 512 KiB of tables as they are touched, 100 bytes and more a stack, 24 a sample.
 * FROM   Sampling as in tcmalloc's heap profiler; the text is its "heap_v2". Code from neither.
 * NOT    Blocks of before the first constructor have no calls but their own: the unwinder may
 *        allocate when it is used first, and is made ready there.
 */
#define _GNU_SOURCE
#include "loam_libc.h"
#include "watch.h"

#include "loam/process_heap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    PROFILE_DEPTH = 64, /* calls of a stack */
    PROFILE_INNER = 12, /* of ours, at most, below the program's */
    PROFILE_TABLE = 1 << 16,
    PROFILE_STACKS = 1 << 12,
    PROFILE_PIECE = 256 << 10 /* bytes mapped at a time for samples and stacks */
};

typedef struct profile_stack {
    struct profile_stack *next;
    uint64_t allocs, frees; /* blocks */
    size_t size;            /* bytes of each */
    uint32_t hash, depth;
    void *call[];
} profile_stack;

typedef struct profile_sample {
    struct profile_sample *next;
    const void *at;
    profile_stack *stack;
} profile_sample;

static struct {
    loam_lock lock;
    profile_sample **table; /* [init]; each [atomic], written with the lock held */
    profile_stack **stack;  /* [init] heads [lock] */
    profile_sample *unused; /* [lock] */
    char *piece;            /* [lock] what is left of the last piece */
    size_t left;            /* [lock] */
    uint64_t random;        /* [lock] */
    uint64_t lost;          /* [lock] samples for which there was no memory */
    unsigned dumps;         /* [lock] files written on request */
    bool unwinds;           /* [atomic as a whole] the unwinder is ready */
    uint32_t asked;         /* [atomic] by the signal */
} profile = {.lock = LOAM_LOCK_INIT, .random = 0x9e3779b97f4a7c15ULL};

/* [thread] Bytes to the next sample, once it was drawn; is a sample being taken? */
static _Thread_local int64_t profile_left __attribute__((tls_model("initial-exec")));
static _Thread_local bool profile_drawn __attribute__((tls_model("initial-exec")));
static _Thread_local bool profile_busy __attribute__((tls_model("initial-exec")));

/* ---- memory of its own ---- */

static void *profile_map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* Lock held. */
static void *profile_new(size_t bytes)
{
    bytes = (size_t)loam_align_up(bytes, sizeof(void *) * 2);
    if (bytes > profile.left) {
        profile.piece = profile_map(PROFILE_PIECE);
        profile.left = profile.piece != NULL ? PROFILE_PIECE : 0;
    }
    if (profile.piece == NULL)
        return NULL;
    void *p = profile.piece;
    profile.piece += bytes;
    profile.left -= bytes;
    return p;
}

/* ---- chance ---- */

/* log2(x) * 2^24, x > 0: by squaring, a bit a step. */
static uint64_t log2_of(uint64_t x)
{
    unsigned whole = loam_log2_floor(x);
    uint64_t result = whole, y = whole > 31 ? x >> (whole - 31) : x << (31 - whole);
    for (unsigned i = 0; i < 24; i++) {
        y = y * y >> 31; /* below 2^33 */
        result = result << 1 | y >> 32;
        y >>= y >> 32;
    }
    return result;
}

/* Lock held. The bytes to the next sample: -ln(u) * rate for a u in (0, 1]. */
static int64_t profile_draw(void)
{
    uint64_t x = profile.random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    profile.random = x;
    uint64_t log = ((uint64_t)32 << 24) - log2_of((x >> 32) + 1); /* -log2(u) * 2^24 */
    uint64_t ln = log * 0xb17217f8U >> 32;                        /* times ln(2) * 2^32 */
    return (int64_t)(ln * loam__conf.profile_rate >> 24) + 1;
}

/* ---- stacks ---- */

/* The calls that led to malloc, which was called from `caller`; returns how many. */
static uint32_t profile_calls(void **call, const void *caller)
{
    void *raw[PROFILE_DEPTH + PROFILE_INNER];
    int n = profile.unwinds ? libc_calls(raw, LOAM_ARRAY_LEN(raw)) : 0;
    int from = 0;
    while (from < n && raw[from] != caller)
        from++;
    uint32_t depth = 0;
    for (; from < n && depth < PROFILE_DEPTH; from++)
        call[depth++] = raw[from];
    if (depth == 0)
        call[depth++] = (void *)(uintptr_t)caller;
    return depth;
}

static uint32_t profile_hash(void *const *call, uint32_t depth, size_t size)
{
    uint64_t h = size;
    for (uint32_t i = 0; i < depth; i++)
        h = (h ^ (uintptr_t)call[i]) * 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(h >> 32);
}

/* Lock held. NULL: no memory. */
static profile_stack *profile_stack_of(void *const *call, uint32_t depth, size_t size)
{
    uint32_t hash = profile_hash(call, depth, size);
    profile_stack **head = &profile.stack[hash % PROFILE_STACKS];
    for (profile_stack *s = *head; s != NULL; s = s->next)
        if (s->hash == hash && s->depth == depth && s->size == size &&
            __builtin_memcmp(s->call, call, depth * sizeof(void *)) == 0)
            return s;
    profile_stack *s = profile_new(sizeof(profile_stack) + depth * sizeof(void *));
    if (s == NULL)
        return NULL;
    *s = (profile_stack){.next = *head, .size = size, .hash = hash, .depth = depth};
    __builtin_memcpy(s->call, call, depth * sizeof(void *));
    *head = s;
    return s;
}

/* ---- samples ---- */

static profile_sample **profile_place(const void *p)
{
    uint64_t mixed = (uint64_t)((uintptr_t)p >> 4) * 0x9e3779b97f4a7c15ULL;
    return &profile.table[mixed >> 48];
}
_Static_assert(PROFILE_TABLE == 1 << 16, "profile_place takes 16 bits");

/* Lock held. */
static void profile_enter(const void *p, profile_stack *stack)
{
    profile_sample **place = profile_place(p), *s = profile.unused;
    if (s != NULL)
        profile.unused = s->next;
    else
        s = profile_new(sizeof(profile_sample));
    if (s == NULL) {
        profile.lost++;
        return;
    }
    *s = (profile_sample){*place, p, stack};
    stack->allocs++;
    loam_atomic_ptr_store((void **)place, s); /* pairs with the load in profile_free */
}

static LOAM_NOINLINE void profile_take(void *p, size_t size, const void *caller)
{
    void *call[PROFILE_DEPTH];
    uint32_t depth = profile_calls(call, caller);
    loam_irq irq = loam_lock_acquire(&profile.lock);
    profile_stack *stack = profile_stack_of(call, depth, size);
    if (stack != NULL)
        profile_enter(p, stack);
    else
        profile.lost++;
    profile_left = profile_draw();
    loam_lock_release(&profile.lock, irq);
}

static void profile_begin(void)
{
    loam_irq irq = loam_lock_acquire(&profile.lock);
    profile_left = profile_draw();
    profile_drawn = true;
    loam_lock_release(&profile.lock, irq);
}

static LOAM_NOINLINE void profile_answer(void);

void profile_alloc(void *p, size_t size, const void *caller)
{
    if (!profile_drawn)
        profile_begin();
    if (LOAM_UNLIKELY(loam_atomic_peek(&profile.asked) != 0)) /* no order: a wish */
        profile_answer();
    if (profile_left > (int64_t)size) {
        profile_left -= (int64_t)size;
        return;
    }
    if (profile_busy) /* the unwinder allocates */
        return;
    profile_busy = true;
    profile_take(p, size, caller);
    profile_busy = false;
}

void profile_free(void *p)
{
    profile_sample **place = profile_place(p);
    if (loam_atomic_ptr_load((void **)place) == NULL) /* pairs with the store in profile_enter */
        return;
    loam_irq irq = loam_lock_acquire(&profile.lock);
    profile_sample *s = *place, *before = NULL;
    while (s != NULL && s->at != p) {
        before = s;
        s = s->next;
    }
    if (s != NULL) {
        if (before != NULL)
            before->next = s->next;
        else
            loam_atomic_ptr_store((void **)place,
                                  s->next); /* pairs with the load in profile_free */
        s->stack->frees++;
        s->next = profile.unused;
        profile.unused = s;
    }
    loam_lock_release(&profile.lock, irq);
}

/* ---- the file ---- */

typedef struct profile_sums {
    uint64_t blocks, bytes, all_blocks, all_bytes;
} profile_sums;

static profile_sums profile_sums_of(const profile_stack *s)
{
    uint64_t in = s->allocs - s->frees;
    return (profile_sums){in, in * s->size, s->allocs, s->allocs * s->size};
}

static void write_sums(process_out *out, const profile_sums *s)
{
    out_fmt(out, "%6U: %8U [%6U: %8U] @", s->blocks, s->bytes, s->all_blocks, s->all_bytes);
}

/* Lock held. */
static void write_stacks(process_out *out)
{
    profile_sums all = {0};
    for (unsigned i = 0; i < PROFILE_STACKS; i++)
        for (const profile_stack *s = profile.stack[i]; s != NULL; s = s->next) {
            profile_sums one = profile_sums_of(s);
            all.blocks += one.blocks;
            all.bytes += one.bytes;
            all.all_blocks += one.all_blocks;
            all.all_bytes += one.all_bytes;
        }
    out_fmt(out, "heap profile: ");
    write_sums(out, &all);
    out_fmt(out, " heap_v2/%U\n", (uint64_t)loam__conf.profile_rate);
    for (unsigned i = 0; i < PROFILE_STACKS; i++)
        for (const profile_stack *s = profile.stack[i]; s != NULL; s = s->next) {
            profile_sums one = profile_sums_of(s);
            write_sums(out, &one);
            for (uint32_t k = 0; k < s->depth; k++)
                out_fmt(out, " %p", s->call[k]);
            out_fmt(out, "\n");
        }
}

/* What is mapped where, so that pprof finds names for addresses. */
static void write_maps(process_out *out)
{
    char piece[512];
    ssize_t n;
    out_fmt(out, "\nMAPPED_LIBRARIES:\n");
    out_end(out);
    int cancel = thread_hold(), maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    while (maps >= 0 && out->error == 0 &&
           ((n = read(maps, piece, sizeof(piece))) > 0 || (n < 0 && errno == EINTR)))
        out->error = n > 0 ? out_write(out->file, piece, (size_t)n) : 0;
    if (maps >= 0)
        close(maps);
    thread_let(cancel);
}

/* Returns an errno, or 0. */
static int profile_write(const char *path)
{
    process_out out;
    out_file file;
    int error = out_open(path, &file);
    if (error != 0)
        return error;
    if (ftruncate(file.number, 0) != 0) {
        /* a pipe or a terminal: it is written behind what was there */
    }
    out_init(&out, file.number);
    loam_irq irq = loam_lock_acquire(&profile.lock);
    write_stacks(&out);
    loam_lock_release(&profile.lock, irq);
    write_maps(&out);
    out_close(&file);
    return out.error;
}

/* Nobody waits for the answer. */
static void profile_write_or_tell(const char *path)
{
    int error = profile_write(path);
    if (error != 0)
        out_tell("profile", path, error, "no heap profile");
}

/* The next one that a signal asked for. */
static void profile_next(void)
{
    char name[PROCESS_PATH + 12];
    loam_text t;
    loam_irq irq = loam_lock_acquire(&profile.lock);
    unsigned number = ++profile.dumps;
    loam_lock_release(&profile.lock, irq);
    loam_text_init(&t, name, sizeof(name));
    loam_text_fmt(&t, "%s.%u", loam__conf.profile, number);
    profile_write_or_tell(name);
}

static LOAM_NOINLINE void profile_answer(void)
{
    if (loam_atomic_exchange(&profile.asked, 0) != 0) /* no order: a wish */
        profile_next();
}

/* ---- start and end ---- */

static void profile_on_signal(int number)
{
    (void)number;
    loam_atomic_store(&profile.asked, 1); /* no order: a wish */
}

bool profile_prepare(void)
{
    profile.table = profile_map(PROFILE_TABLE * sizeof(profile_sample *));
    profile.stack = profile_map(PROFILE_STACKS * sizeof(profile_stack *));
    bool ready = profile.table != NULL && profile.stack != NULL;
    if (!ready)
        out_tell("profile", loam__conf.profile, ENOMEM, "no heap profile");
    return ready;
}

/* A signal that somebody waits for already, or ignores, is left to him. */
static void profile_listen(int number)
{
    struct sigaction act = {.sa_handler = profile_on_signal, .sa_flags = SA_RESTART}, was;
    int error = sigaction(number, NULL, &was) != 0 ? errno : 0;
    if (error == 0 && was.sa_handler != SIG_DFL)
        error = EBUSY;
    if (error == 0 && sigaction(number, &act, NULL) != 0)
        error = errno;
    if (error == 0)
        return;
    char text[12];
    loam_text t;
    loam_text_init(&t, text, sizeof(text));
    loam_text_dec(&t, (unsigned)number);
    out_tell("profile_signal", text, error, "no profile on request");
}

/* Now the loader has done its work: the unwinder may be loaded, which allocates. */
__attribute__((constructor)) static void profile_start(void)
{
    void *call[4];
    if (getenv("LOAM_CONF") == NULL || !process_start() || (loam__watch & WATCH_PROFILE) == 0)
        return;
    profile_busy = true;
    (void)libc_calls(call, LOAM_ARRAY_LEN(call));
    profile_busy = false;
    profile.unwinds = true;
    if (loam__conf.profile_signal != 0)
        profile_listen((int)loam__conf.profile_signal);
}

void profile_end(void)
{
    profile_write_or_tell(loam__conf.profile);
    if (profile.lost != 0)
        out_tell("profile", loam__conf.profile, ENOMEM, "samples are missing");
}

PRELOAD_EXPORT int loam_process_heap_profile(const char *path)
{
    if ((loam__watch & WATCH_PROFILE) == 0)
        return ENOTSUP;
    if (path == NULL || path[0] == '\0')
        return EINVAL;
    int before = errno, error = profile_write(path);
    errno = before;
    return error;
}

void profile_freeze(void)
{
    (void)loam_lock_acquire(&profile.lock);
}

void profile_thaw(void)
{
    loam_lock_release(&profile.lock, loam_port_irq_save());
}
