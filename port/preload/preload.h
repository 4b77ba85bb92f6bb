/* SPDX-License-Identifier: MIT */
#ifndef LOAM_PRELOAD_H
#define LOAM_PRELOAD_H

/* preload.h - what the files of the process's allocator share. preload_process.c has the theory.
 *
 * None of these functions may call malloc, directly or through the C library: they are malloc.
 */
#ifndef LOAM_HOSTED_FIRST_CPU
#define LOAM_HOSTED_FIRST_CPU 511 /* before the port: mk/preload.mk builds that with it */
#endif

#include "loam/base.h"
#include "loam/kmalloc.h"
#include "loam/port.h"
#include "loam/slab.h"
#include "loam/zone.h"
#include "loam_pages.h"

#include <sys/types.h>

struct iovec;
struct slab_desc;

#define PRELOAD_EXPORT __attribute__((visibility("default")))

enum {
    PROCESS_RANGES = 32,
    PROCESS_ALIGN = 16, /* of every block */
    /* Fronts; a thread without one is processor PROCESS_NOBODY, and uses what all share. */
    PROCESS_CPUS = 511,
    PROCESS_CPUS_FEW = 63, /* in a range of few addresses; and with frames at hand of their own */
    PROCESS_NOBODY = PROCESS_CPUS
};

_Static_assert(LOAM_HOSTED_FIRST_CPU == PROCESS_NOBODY, "a thread begins as nobody");

/* Addresses of a range, unless LOAM_CONF says otherwise. */
#if UINTPTR_MAX > UINT32_MAX
#define PROCESS_RANGE      ((size_t)16 << 30)
#define PROCESS_RANGE_TEXT "16G"
#else
#define PROCESS_RANGE      ((size_t)1 << 30)
#define PROCESS_RANGE_TEXT "1G"
#endif

/* A block or alignment above this no system has addresses for: nobody gives anything up for it. */
#if UINTPTR_MAX > UINT32_MAX
#define PROCESS_MOST ((size_t)1 << 56)
#else
#define PROCESS_MOST ((size_t)PTRDIFF_MAX)
#endif

/* How much memory the process may have is found out. */
#define PROCESS_MEMORY SIZE_MAX

/* Blocks of this size and above have a mapping of their own. */
#define PROCESS_HUGE ((size_t)32 << 20)
/* With guard_pages, where there are mappings enough, blocks from this size on. */
#define PROCESS_GUARDED ((size_t)128 << 10)

/* One range of addresses with all layers over it. */
typedef struct process_range {
    loam_pages pages; /* [lock] */
    loam_lock lock;   /* growth */
    uint32_t grown;   /* [atomic] how often, of both zones; changes under the lock */
    loam_zone *zone;
    loam_pages own_pages; /* [lock] of what is the slabs' own, apart from all blocks */
    loam_zone *own;       /* its zone; NULL: there were no addresses for it */
    loam_slabs *slabs;
    loam_kmalloc *kmalloc;
    uint32_t closed; /* [atomic] units, changed under the lock (promise.c) */
} process_range;

/* Its first page is read-only but while a range is added: a stray write does not turn malloc to
 * tables of somebody else's. */
typedef struct process {
    /* [atomic] Of the first range, for the fast paths; NULL: the process has not started, is
     * watched (watch.h), or has modes: nothing there asks whether the layers are slow. */
    _Alignas(LOAM_PAGE_SIZE) loam_kmalloc *kmalloc;
    loam_kmalloc *swift;                     /* [atomic] the same where the layers are swift */
    const struct hard_calls *hard;           /* [atomic] who has its blocks, NULL as long */
    loam_slabs *plain;                       /* [init] those of kmalloc, .. */
    uintptr_t base, len;                     /* .. and their window; len 0: as kmalloc NULL */
    uint32_t ranges;                         /* [atomic] that can be used; they never go */
    loam_slab_config slabs;                  /* [init] */
    _Alignas(LOAM_PAGE_SIZE) loam_lock lock; /* start, further ranges */
    process_range range[PROCESS_RANGES];
} process;

extern process loam__process __attribute__((visibility("hidden")));

/* process.kmalloc and .swift. Another thread may be starting the process: who sees one of them sees
 * all that is behind it, and who has a block the window. Who frees NULL meanwhile may see half of
 * that: no slab is his yet, so nothing is freed. */
static inline const loam_kmalloc *process_kmalloc(void)
{
    /* pairs with the store in process_set_ranges */
    return loam_atomic_ptr_load((void *const *)&loam__process.kmalloc);
}

static inline const loam_kmalloc *process_swift(void)
{
    /* pairs with the store in process_set_ranges */
    return loam_atomic_ptr_load((void *const *)&loam__process.swift);
}

/* Stored behind `swift`, which its calls read. */
static inline const struct hard_calls *process_hard(void)
{
    /* pairs with the store in process_set_ranges */
    return loam_atomic_ptr_load((void *const *)&loam__process.hard);
}

/* ---- conf.c ---- */

enum { PROCESS_PATH = 200 };

/* What LOAM_CONF chose; [init] by conf_read, under process.lock, and read-only from then on. */
typedef struct process_conf {
    _Alignas(LOAM_PAGE_SIZE) bool guard_pages;
    bool stats, json, leaks, huge_pages;
    bool deep_bind;      /* dlopen has its RTLD_DEEPBIND */
    bool last_look;      /* at guards, of what is out at the end */
    uint32_t trim_ms;    /* 0: never */
    uint32_t arenas;     /* threads with a number, PROCESS_CPUS at most */
    size_t range, limit; /* limit 0: none */
    size_t memory;       /* 0: nothing is done; PROCESS_MEMORY: to be found */
    size_t huge_from;    /* of blocks mapped alone; 0: never */
    char file[PROCESS_PATH];
    char profile[PROCESS_PATH], trace[PROCESS_PATH]; /* "": none */
    size_t profile_rate, trace_most;
    uint32_t profile_signal; /* 0: none */
    bool valgrind;           /* tell it of blocks when it runs the program */
} process_conf;

extern process_conf loam__conf __attribute__((visibility("hidden")));

void conf_read(void);

/* From which size on blocks are mapped alone: in a range that is small, as addresses are few, a
 * large block leaves too much beside it unused. Of a process that has started. */
static inline size_t process_huge_from(void)
{
    size_t share = loam_pages_len(&loam__process.range[0].pages) / 16;
    return loam__conf.guard_pages ? PROCESS_GUARDED : share < PROCESS_HUGE ? share : PROCESS_HUGE;
}

/* ---- out.c ---- */

enum { OUT_TEXT = 1000 };

/* Text on its way to a file, without stdio. */
typedef struct process_out {
    int file;
    int error; /* an errno: the first reason why something could not be written; 0: none */
    loam_text text;
    char bytes[OUT_TEXT];
} process_out;

/* A file by a descriptor number that programs do not count on; some close all numbers there are,
 * and get the same one for a file of theirs. */
typedef struct out_file {
    int number;
    dev_t dev;
    ino_t ino;
} out_file;

/* Is it still the same file? */
bool out_is_there(const out_file *file);
/* Standard error is kept for out_errors, whatever the program closes. */
void out_keep_errors(void);
int out_errors(void);
/* All of it, in as many pieces as the system wants, through signals; 0, or the errno. */
int out_write(int file, const void *bytes, size_t len);
/* The same of several parts, which go out as one piece if the system takes it. They are changed. */
int out_writev(int file, struct iovec *part, size_t parts);
/* Opens a path, in which %p stands for the process's number, for writing behind what is there; 0,
 * or the errno. */
int out_open(const char *path, out_file *file);
void out_close(const out_file *file);
/* Text of others into a line: what a terminal would obey is a question mark. */
void out_plain(loam_text *t, const char *text);
bool out_path_is_by_process(const char *path);
/* One line on standard error: a path of LOAM_CONF (word: which), the errno, and what follows. */
void out_tell(const char *word, const char *path, int error, const char *then);
void out_init(process_out *out, int file);
/* As loam_text_fmt; at most OUT_TEXT bytes at a time. */
void out_fmt(process_out *out, const char *fmt, ...);
/* In quotation marks, for JSON. */
void out_string(process_out *out, const char *text);
/* What is left goes to the file. */
void out_end(process_out *out);

/* ---- atend.c ---- */

/* After conf_read: what is told at the end can be. */
void atend_prepare(void);

/* ---- last_look.c: only with guard, and unless LOAM_CONF says no ---- */

/* Blocks that are still out: an overrun of one of them ends the process. When the program ends. */
void last_look(void);
/* The same of one kmalloc; nobody else frees there meanwhile, or it is a range's. */
void last_look_at(loam_kmalloc *k);
/* Is a lock held for so long that its holder may be who asks? */
bool last_look_is_stuck(const loam_lock *lock);

/* ---- info.c ---- */

/* X(field, text): bytes and blocks, sums over the ranges and the huge blocks. */
#define PROCESS_SUMS(X)                                                                            \
    X(used, "bytes in blocks of the ranges, as classes round them")                                \
    X(blocks, "blocks that are out, huge ones included")                                           \
    X(large, "of the used bytes, those in blocks that no class holds")                             \
    X(large_blocks, "such blocks")                                                                 \
    X(huge, "bytes in blocks with a mapping of their own")                                         \
    X(huge_blocks, "such blocks")                                                                  \
    X(huge_peak, "most bytes of huge blocks at a time")                                            \
    X(ready, "bytes of the ranges that the system has promised")                                   \
    X(free, "of those, bytes of free frames")                                                      \
    X(free_blocks, "maximal free blocks of frames")                                                \
    X(peak, "most bytes of frames out at a time since the range grew last")                        \
    X(reserved, "bytes of addresses")                                                              \
    X(metadata, "bytes of the zones' own arrays")                                                  \
    X(slabs, "slabs of the classes")                                                               \
    X(waiting, "freed blocks in quarantine")                                                       \
    X(failures, "requests answered with no memory")                                                \
    X(resident_peak, "most bytes of the whole process in memory at a time")                        \
    X(abandoned, "fronts left behind by forks")

typedef struct process_sums {
#define PROCESS_SUM(field, text) uint64_t field;
    PROCESS_SUMS(PROCESS_SUM)
#undef PROCESS_SUM
} process_sums;

process_sums process_sums_now(void);

/* Class i of kmalloc, all ranges together; false: there is none. */
bool process_class_now(unsigned i, loam_cache_stats *stats);

/* All figures for people, or as one line of JSON. */
void process_figures(process_out *out, bool json);

/* ---- preload_process.c ---- */

/* The process's allocator is there from now on; false: the system gives no addresses. Any thread,
 * any number of times. */
bool process_start(void);

/* What LOAM_CONF says is known from now on; for named heaps, which need no range. */
void process_configure(void);

/* A block out of any range; a new range where all are full. NULL: no memory. zero: it reads 0, with
 * PROCESS_ALIGN alone. caller: who asked, for reports. */
void *process_alloc(size_t size, size_t align, bool zero, const void *caller);
/* The same of a process that has started, and without telling those who watch. */
void *process_take(size_t size, size_t align, bool zero, const void *caller);

/* The process may have so many bytes of addresses from now on: what its ranges reserve goes back,
 * but for a quarter of that, and what is ready; does any? */
bool process_cut(size_t limit);
/* The same of the limit as it is, whoever set it; false: it is heeded already. */
bool process_cut_now(void);
/* Memory is short: no large pages for any range from now on, but for who asked for them. Takes each
 * range's lock; a system call a range. */
void process_refuse_large(void);
/* May the process have so few addresses (RLIMIT_AS below 2 GiB) that none are to be had in advance?
 * O(1), no lock. */
bool process_is_narrow(void);

/* The range in which an address lies, or NULL. */
process_range *process_range_of(const void *p);

/* ---- preload_malloc.c ---- */

/* malloc and aligned_alloc (NULL also where align is no power of two) for those who have a caller
 * of their own. */
void *malloc_for(size_t size, const void *caller);
void *aligned_for(size_t align, size_t size, const void *caller);
/* What plain_paths.h leaves. */
void *plain_alloc(size_t size, const void *caller);

/* ---- preload_free.c ---- */

/* free and free_sized for those who have a caller of their own. */
void free_for(void *p, const void *caller);
void free_sized_for(void *p, size_t size, const void *caller);
/* Is p aligned as its block is said to be? false: the caller was told. */
bool alignment_fits(const void *p, size_t align, const void *caller);
/* What plain_paths.h leaves: a block of another thread's (of the slab far, if it is a slot), or a
 * large one. */
void plain_free(void *p, const struct slab_desc *far, const void *caller);

/* ---- preload_realloc.c ---- */

/* malloc_usable_size and realloc for those who have a caller of their own. */
size_t usable_for(const void *p, const void *caller);
void *realloc_for(void *p, size_t size, const void *caller);

/* ---- preload_slow.c ---- */

/* What plain_alloc leaves, and what that leaves: all that is not easy. */
void *general_alloc(size_t size, const void *caller);
void *slow_alloc(size_t size, size_t align, bool zero, const void *caller);
/* The thread keeps the face of its front of a size's class, where the layers are swift. */
void swift_keep_face(const loam_kmalloc *k, size_t size);
/* All that is not easy. */
void general_free(void *p, const void *caller);
/* Frees a block, or refuses it; those who watch are not told. */
void process_free(void *p, const void *caller);
/* Bytes that may be used; 0 after misuse. */
size_t process_size(const void *p, const void *caller);
/* The same; 0, and no word, where no block is out. */
size_t process_usable(const void *p);

/* ---- hard_narrow.c, hard_wide.c ---- */

struct slab_stack;

/* malloc and free where the layers are swift. */
typedef struct hard_calls {
    /* face: thread_stack's of the size, or thread_no_stack */
    void *(*alloc)(size_t size, struct slab_stack *face, const void *caller);
    /* face: of kmalloc_moved_size; NULL: not so easy */
    void *(*aligned)(size_t size, size_t align, struct slab_stack *face);
    void (*free)(void *p, const void *caller);
} hard_calls;

/* For every processor. */
extern const hard_calls hard_narrow __attribute__((visibility("hidden")));
/* With wider registers; NULL: this processor has none. */
const hard_calls *hard_wide(void);

/* ---- limit.c ---- */

/* A piece of memory from the system changes its size, 0 when there is none: false when that would
 * be more than LOAM_CONF's limit; to less is always true. */
bool limit_change(size_t from, size_t to);
/* Bytes that all of them have. */
uint64_t limit_taken(void);

/* ---- back.c ---- */

/* Gives the memory of what is free in a range back to the system; returns the bytes. Any thread. */
uint64_t process_give_back(process_range *r);

/* The same when LOAM_CONF's trim_ms have gone by since the last time; for the slow paths of free,
 * with no lock held. */
void process_tick(process_range *r);

/* As loam_slab_config.spare; does nothing while several threads have a number. */
void process_spare(loam_slabs *slabs, const void *va, size_t len, size_t fresh);

/* ---- there.c ---- */

/* Which pages are in memory, of len bytes in whole pages: bit 0 of a byte for each. false: nobody
 * knows, or only slowly does. Keeps errno; the costs are in there.c. */
bool process_there(void *va, size_t len, unsigned char *in);
bool process_there_slowly(void *va, size_t len, unsigned char *in);

/* Are the process's system calls filtered (seccomp), so that one may end it? A system call, until
 * they are. Keeps errno. */
bool process_is_filtered(void);

/* ---- sparse.c ---- */

/* Pages that nobody uses go, of chunks of 2 MiB from *hand on, which moves: once around at most,
 * so many chunks, or until it is enough; bytes. Of slabs: this thread's, and nobody's. */
uint64_t sparse_sweep(uint32_t *hand, uint64_t enough, uint32_t chunks);

/* ---- tight.c ---- */

/* From so many bytes on it is looked for how many there may be: small processes do not take that
 * tenth of a millisecond, and one in a container of 16 MiB still does in time. */
#define TIGHT_FROM ((uint64_t)8 << 20)

/* As loam_slab_config.tight. */
void process_tight(loam_slabs *slabs, size_t bytes);
/* Is the limit, as it is now, near? Locks may be held. Costs a look at the clock, and once in a
 * second that tenth of a millisecond. */
void tight_see(void);
/* Ranges and huge blocks have so many bytes of the system's by now. Locks may be held. */
static inline void tight_grown(uint64_t has)
{
    if (has >= TIGHT_FROM)
        tight_see();
}
/* In the child of a fork, which is alone. */
void tight_child(void);

/* ---- promise.c ---- */

/* Closes what is free in units of 2 MiB, where promises of memory count; was there any? The second:
 * in every range, with what the slabs can spare. With no lock held. */
bool promise_close(process_range *r);
bool promise_close_all(void);
/* The range's lock is held. Are there closed units for a block of this order? Opens them; false:
 * there are none, or the system refuses. */
bool promise_has(const process_range *r, unsigned order);
bool promise_open(process_range *r, unsigned order);

/* ---- bring.c ---- */

/* As loam_slab_config.bring. */
bool process_bring(loam_slabs *slabs, void *va, size_t len);
/* As loam_slab_config.carry. */
loam_slab_carried process_carry(loam_slabs *slabs, void *to, size_t room, void *from, size_t len);

/* ---- heaps.c ---- */

/* Takes every lock of the named heaps, for a fork; gives them back. */
void heaps_freeze(void);
void heaps_thaw(void);

/* ---- heaps_view.c ---- */

/* Every block of every named heap that is out. */
void heaps_each_block(loam_kmalloc_fn *fn, void *ctx);
/* Every named heap's kmalloc, with its lock held; not of one whose lock is stuck (last_look.c). */
void heaps_each_kmalloc(void (*fn)(loam_kmalloc *k));
/* The name of the heap whose addresses these are, or NULL. */
const char *heaps_name_of(const void *p);

/* ---- behind.c: in the shared library alone ---- */

/* What comes behind this library under a name that both have; NULL: nothing. Looked for when it is
 * called first, and remembered in *kept, [atomic] and NULL at first: any thread finds the same. It
 * may allocate, so no lock is held. */
void *behind_find(void **kept, const char *name);

/* ---- threads.c ---- */

/* Before any thread has a number: how many may leave their fronts as they were when they end. A
 * system call. */
uint32_t threads_prepare(void);

/* Gives this thread a processor number if one is left: this one, if its thread has ended and left
 * its fronts as they were. Costs a comparison from then on. */
void thread_begin(unsigned heir);
/* The handlers of forks are there from now on. Any thread, any number of times. */
void threads_expect_forks(void);
/* Numbers that a fork has left without a thread. */
uint32_t threads_abandoned(void);
/* Between these a thread that somebody cancels goes on: no call of malloc's is a point at which it
 * may end, and what is asked of the system is. */
int thread_hold(void);
void thread_let(int before);
/* Have several threads a number now? A hint. */
bool threads_are_many(void);
/* Is this the child of a process that had threads, which may have been inside of malloc? */
bool threads_left_behind(void);
static inline bool thread_has_begun(void)
{
    return loam_port_cpu() < PROCESS_CPUS;
}

enum {
    THREAD_STEPS = 1024 / PROCESS_ALIGN, /* sizes to here by steps, larger ones by classes */
    THREAD_FRONTS = THREAD_STEPS + 21
};

/* A front that never has a slot, nor is one of hard_calls. */
extern struct slab_stack thread_no_stack __attribute__((visibility("hidden")));
/* [thread] Its own fronts of the first range's classes, as far as it has asked for their blocks;
 * thread_no_stack: for the slow functions to say, and for ever unless the process is fast
 * (process.kmalloc). A thread that has no number, or no longer, has none. */
extern _Thread_local struct slab_stack *thread_stack[THREAD_FRONTS]
    __attribute__((visibility("hidden"), tls_model("initial-exec")));

/* ---- huge.c ---- */

void *huge_alloc(size_t size, size_t align);
/* 0: not one of these. */
size_t huge_size(const void *p);
bool huge_free(void *p);
/* What an address is that is no huge block: in one, in one that was freed not long ago, neither;
 * *size: that block's. For reports: O(blocks). */
typedef enum huge_fault { HUGE_FOREIGN, HUGE_INNER, HUGE_MISALIGNED, HUGE_FREE } huge_fault;
huge_fault huge_what(const void *p, size_t *size);
/* In place or by moving the mapping; NULL: no memory, p stays. */
void *huge_realloc(void *p, size_t size);
/* Takes the table's lock, for a fork; gives it back. */
void huge_freeze(void);
void huge_thaw(void);
/* Bytes and blocks that are out; most bytes at a time. */
void huge_sums(uint64_t *bytes, uint64_t *blocks, uint64_t *peak);
/* Every block that is out; the table's lock is held meanwhile. */
typedef void huge_fn(void *ctx, void *p, size_t len);
void huge_each(huge_fn *fn, void *ctx);
/* An overrun of one that is out ends the process: last_look.c. */
void huge_last_look(void);

/* ---- huge_kept.c: only with guard pages ---- */

/* What is kept goes back to the system, all of it, or what was kept the last time, too; did any? */
bool huge_drop_kept(bool all);
void huge_kept_freeze(void);
void huge_kept_thaw(void);

#endif
