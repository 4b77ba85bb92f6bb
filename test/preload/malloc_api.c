/* SPDX-License-Identifier: MIT */
/* malloc_api.c - the malloc of libloam.so by the words of its standards. Linked with the library;
 * what must end the program happens in a child, whose one line is read. */
#define _GNU_SOURCE
#include "in_child.h"
#include "loam_libc.h"
#include "smaps.h"
#include "tap_host.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

void free_sized(void *p, size_t size);
void free_aligned_sized(void *p, size_t align, size_t size);

/* No compiler knows what these return: calls stay calls, and impossible sizes are no warning. */
static void *(*volatile alloc)(size_t) = malloc;
static void *(*volatile alloc_zero)(size_t, size_t) = calloc;
static void *(*volatile resize)(void *, size_t) = realloc;
static void *(*volatile resize_array)(void *, size_t, size_t) = reallocarray;
static void *(*volatile alloc_aligned)(size_t, size_t) = aligned_alloc;
static int (*volatile alloc_posix)(void **, size_t, size_t) = posix_memalign;
static void (*volatile release)(void *) = free;

static const size_t sizes[] = {1,       15,      16,       17,       64,      100,   1000,
                               1024,    1025,    8192,     32768,    32769,   65536, 100000,
                               MIB - 1, 3 * MIB, 16 * MIB, 32 * MIB, 40 * MIB};

/* ---- before there is a second thread: what the C library's fork allows ---- */

static volatile sig_atomic_t spoiled;

static void fork_a_child(int signal)
{
    int status = 0;
    (void)signal;
    pid_t pid = fork();
    if (pid == 0) {
        release(alloc(100));
        _exit(0);
    }
    if (waitpid(pid, &status, 0) == pid && status != 0)
        spoiled = 1;
}

/* A signal comes anywhere in a fork, the handlers of the allocator included, and its handler forks,
 * too: nobody waits for what he has himself. */
static void forks_in_forks(tap *t)
{
    struct sigaction action = {.sa_handler = fork_a_child, .sa_flags = SA_RESTART}, old;
    struct itimerval soon = {{0, 0}, {0, 0}};
    release(alloc(100));
    sigaction(SIGALRM, &action, &old);
    for (unsigned i = 0; i < 200; i++) {
        soon.it_value.tv_usec = 1 + (int)(i % 50 * 10);
        setitimer(ITIMER_REAL, &soon, NULL);
        fork_a_child(SIGALRM);
    }
    soon.it_value.tv_usec = 0;
    setitimer(ITIMER_REAL, &soon, NULL);
    sigaction(SIGALRM, &old, NULL);
    TAP_EQ(t, spoiled, 0);
}

/* ---- the words ---- */

static bool all_are(const unsigned char *p, size_t n, unsigned char want)
{
    for (size_t i = 0; i < n; i += i + 1 < 4096 ? 1 : 997)
        if (p[i] != want)
            return false;
    return n == 0 || p[n - 1] == want;
}

/* ---- sizes and errors ---- */

static void nothing_asked(tap *t)
{
    void *a = alloc(0), *b = alloc(0), *c = alloc_zero(0, 8);
    TAP_CHECK(t, a != NULL && b != NULL && a != b && c != NULL && c != a);
    release(a);
    release(b);
    release(c);
    release(NULL);
    void *p = resize(alloc(10), 0);
    TAP_CHECK(t, LIBC_REALLOC_FREES ? p == NULL : p != NULL);
    release(p);
}

static void is_refused(tap *t, void *p)
{
    TAP_CHECK(t, p == NULL);
    TAP_EQ(t, errno, ENOMEM);
    errno = 0;
}

static void too_much(tap *t)
{
    size_t most = PTRDIFF_MAX;
    void *p = alloc(100);
    errno = 0;
    is_refused(t, alloc(most + 1));
    is_refused(t, alloc(SIZE_MAX));
    is_refused(t, alloc(most - 4096));
    is_refused(t, alloc_aligned(SIZE_MAX / 2 + 1, 1));
    if (sizeof(void *) == 8)
        is_refused(t, alloc(SIZE_MAX >> 7)); /* less than it may be, more than there is */
    is_refused(t, alloc_zero(SIZE_MAX / 2, 3));
    is_refused(t, alloc_zero((size_t)2 << sizeof(size_t) * 4, (size_t)2 << sizeof(size_t) * 4));
    is_refused(t, resize(p, most + 1));
    is_refused(t, resize_array(p, SIZE_MAX / 4, 5));
    is_refused(t, alloc_aligned(4096, SIZE_MAX - 100));
    is_refused(t, pvalloc(SIZE_MAX - 1));
    TAP_CHECK(t, malloc_usable_size(p) >= 100);
    release(p);
}

static void bad_alignments(tap *t)
{
    void *p = &p;
    errno = 7;
    TAP_EQ(t, alloc_posix(&p, 3, 8), EINVAL);
    TAP_EQ(t, alloc_posix(&p, 0, 8), EINVAL);
    TAP_EQ(t, alloc_posix(&p, sizeof(void *) / 2, 8), EINVAL);
    TAP_EQ(t, alloc_posix(&p, 24, 8), EINVAL);
    TAP_EQ(t, errno, 7);
    TAP_EQ(t, alloc_posix(&p, 64, SIZE_MAX / 2 + 5), ENOMEM);
    TAP_CHECK(t, p == &p && errno == ENOMEM);
    TAP_CHECK(t, alloc_aligned(24, 48) == NULL && errno == EINVAL);
    TAP_CHECK(t, alloc_aligned(0, 48) == NULL);
}

static void every_size(tap *t)
{
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(sizes); i++) {
        unsigned char *p = alloc(sizes[i]), *z = alloc_zero(1, sizes[i]);
        TAP_CHECK(t, p != NULL && z != NULL && (uintptr_t)p % 16 == 0 && (uintptr_t)z % 16 == 0);
        TAP_CHECK(t, malloc_usable_size(p) >= sizes[i] && all_are(z, sizes[i], 0));
        memset(p, 0xa5, malloc_usable_size(p));
        memset(z, 0x5a, malloc_usable_size(z));
        TAP_CHECK(t, all_are(p, sizes[i], 0xa5));
        release(p);
        free_sized(z, sizes[i]);
        z = alloc_zero(sizes[i], 1); /* the same memory, perhaps */
        TAP_CHECK(t, all_are(z, sizes[i], 0));
        release(z);
    }
}

static void every_alignment(tap *t)
{
    for (size_t align = sizeof(void *); align <= 64 * MIB; align *= 2) {
        void *p = NULL;
        TAP_EQ(t, alloc_posix(&p, align, 100), 0);
        void *q = memalign(align, 5000), *r = alloc_aligned(align, 3 * align);
        TAP_EQ(t, (uintptr_t)p % align | (uintptr_t)q % align | (uintptr_t)r % align, 0);
        TAP_CHECK(t, p != NULL && q != NULL && r != NULL);
        memset(p, 1, 100);
        memset(q, 2, 5000);
        memset(r, 3, align);
        release(p);
        free_aligned_sized(r, align, 3 * align);
        q = resize(q, 9000);
        TAP_CHECK(t, q != NULL && all_are(q, 5000, 2));
        release(q);
    }
    void *p = valloc(10), *q = pvalloc(1);
    size_t page = (size_t)getpagesize();
    TAP_CHECK(t, (uintptr_t)p % page == 0 && malloc_usable_size(q) >= page);
    release(p);
    release(q);
}

static void errno_is_kept(tap *t)
{
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(sizes); i++) {
        void *p = alloc(sizes[i]);
        errno = 4711;
        release(p);
        TAP_EQ(t, errno, 4711);
        release(alloc(sizes[i]));
        TAP_EQ(t, errno, 4711);
    }
}

static void resizes(tap *t)
{
    for (unsigned i = 0; i < LOAM_ARRAY_LEN(sizes); i++) {
        for (unsigned k = 0; k < LOAM_ARRAY_LEN(sizes); k++) {
            unsigned char *p = alloc(sizes[i]);
            size_t kept = sizes[i] < sizes[k] ? sizes[i] : sizes[k];
            memset(p, (int)i + 1, sizes[i]);
            p = resize(p, sizes[k]);
            TAP_CHECK(t, p != NULL && malloc_usable_size(p) >= sizes[k]);
            TAP_CHECK(t, all_are(p, kept, (unsigned char)(i + 1)));
            memset(p, 0, sizes[k]);
            release(p);
        }
    }
}

/* No room behind it, and something mapped before it: it has to move. */
static void resizes_aligned_huge(tap *t)
{
    uint64_t before = mallinfo2().hblkhd;
    unsigned char *p = alloc_aligned(64 * MIB, 40 * MIB);
    void *beside = alloc(40 * MIB);
    memset(p, 7, 40 * MIB);
    p = resize(p, 400 * MIB);
    TAP_CHECK(t, p != NULL && all_are(p, 40 * MIB, 7));
    TAP_EQ(t, malloc_usable_size(p), 400 * MIB);
    p = resize(p, 36 * MIB);
    TAP_CHECK(t, p != NULL && all_are(p, 36 * MIB, 7));
    release(p);
    release(beside);
    TAP_EQ(t, mallinfo2().hblkhd, before);
}

/* ---- what is told ---- */

static void figures(tap *t)
{
    void *p = alloc(1000), *huge = alloc(50 * MIB);
    struct mallinfo2 m = mallinfo2();
    TAP_CHECK(t, m.uordblks >= 1000 && m.hblkhd >= 50 * MIB && m.hblks >= 1);
    TAP_CHECK(t, m.arena == m.uordblks + m.fordblks);
    TAP_CHECK(t, m.keepcost <= m.fordblks && m.ordblks >= 1);
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    TAP_EQ(t, malloc_info(1, out), EINVAL);
    TAP_EQ(t, malloc_info(0, out), 0);
    fclose(out);
    TAP_CHECK(t, strncmp(text, "<malloc version=\"1\">", 20) == 0 &&
                     strstr(text, "</malloc>") != NULL);
    const char *now = strstr(text, "\n<system type=\"current\" size=\"");
    unsigned long long current = 0, most = 0;
    TAP_CHECK(t, now != NULL && sscanf(now,
                                       "\n<system type=\"current\" size=\"%llu\"/>"
                                       "\n<system type=\"max\" size=\"%llu\"/>",
                                       &current, &most) == 2);
    TAP_CHECK(t, current >= 50 * MIB && most >= current);
    release(text);
    release(huge);
    release(p);
    TAP_EQ(t, mallinfo2().hblkhd, m.hblkhd - 50 * MIB);
    TAP_EQ(t, mallopt(M_MMAP_THRESHOLD, 1), 1);
}

static void trims(tap *t)
{
    enum { BLOCKS = 300 };
    static void *block[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++)
        memset(block[i] = alloc(200000), 1, 200000);
    long full = smaps_resident();
    for (unsigned i = 0; i < BLOCKS; i++)
        release(block[i]);
    TAP_EQ(t, malloc_trim(0), 1);
    TAP_CHECK(t, full < 0 || smaps_resident() + 50 * 1024 < full);
    unsigned char *p = alloc_zero(1, 10 * MIB);
    TAP_CHECK(t, all_are(p, 10 * MIB, 0));
    release(p);
}

/* ---- what ends the program ---- */

static unsigned char data[64];
static void *shared;

static pthread_barrier_t told;

static void *release_when_told(void *arg)
{
    pthread_barrier_wait(&told);
    release(shared);
    return arg;
}

/* Another thread, which is there before the block is freed: else its own making might be given that
 * block's memory. */
static pthread_t other_thread(void)
{
    pthread_t thread;
    pthread_barrier_init(&told, NULL, 2);
    pthread_create(&thread, NULL, release_when_told, NULL);
    return thread;
}

static void tell(pthread_t thread)
{
    pthread_barrier_wait(&told);
    pthread_join(thread, NULL);
}

static void double_small(void)
{
    release(shared = alloc(64));
    release(shared);
}

static void double_large(void)
{
    release(shared = alloc(200000));
    release(shared);
}

static void double_huge(void)
{
    release(shared = alloc(64 * MIB));
    release(shared);
}

static void inner_small(void)
{
    release((char *)alloc(64) + 16);
}

static void misaligned_small(void)
{
    release((char *)alloc(64) + 3);
}

static void inner_large(void)
{
    release((char *)alloc(200000) + 4096);
}

static void inner_huge(void)
{
    release((char *)alloc(64 * MIB) + 4096);
}

static void of_stack(void)
{
    volatile int local = 0;
    release((void *)&local);
}

static void of_data(void)
{
    release(data + 16);
}

/* Where no block has been: else it may be a freed one's. */
static void of_mapping(void)
{
    void *low = (void *)0x20000000;
    release(mmap(low, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static void resize_freed(void)
{
    release(shared = alloc(100));
    shared = resize(shared, 300);
}

static void sized_small(void)
{
    free_sized(alloc(100), 5000);
}

static void sized_large(void)
{
    free_sized(alloc(200000), 300000);
}

static void sized_align(void)
{
    free_aligned_sized((char *)alloc(100) + 16, 64, 84);
}

static void size_of_foreign(void)
{
    (void)malloc_usable_size(data);
}

static void other_thread_inner(void)
{
    pthread_t thread = other_thread();
    shared = (char *)alloc(64) + 16;
    tell(thread);
}

static void other_thread_double(void)
{
    pthread_t thread = other_thread();
    release(shared = alloc(200000));
    tell(thread);
}

static void stopped(tap *t)
{
    static const wrong_call wrong[] = {
        {double_small, "double free"},
        {double_large, "double free"},
        {double_huge, "double free"},
        {inner_small, "inner free"},
        {misaligned_small, "misaligned"},
        {inner_large, "inner free"},
        {inner_huge, "inner free"},
        {of_stack, "foreign free"},
        {of_data, "foreign free"},
        {of_mapping, "foreign free"},
        {resize_freed, "use of a free"},
        {size_of_foreign, "use of a foreign address"},
        {sized_small, "free with a wrong size"},
        {sized_large, "free with a wrong size"},
        {sized_align, "free with a wrong alignment"},
        {other_thread_inner, "inner free"},
        {other_thread_double, "double free"},
    };
    each_is_stopped(t, wrong, LOAM_ARRAY_LEN(wrong));
}

/* ---- without memory ---- */

static void until_none(void)
{
    struct rlimit limit = {300 * MIB, 300 * MIB}; /* what is promised, not what is reserved */
    enum { MOST = 100000 };
    static void *block[MOST];
    unsigned n = 0;
    if (setrlimit(RLIMIT_DATA, &limit) != 0)
        _exit(1);
    for (; n < MOST && (block[n] = alloc(20000 + n % 7 * 30000)) != NULL; n++)
        memset(block[n], 1, 100);
    if (n == MOST || errno != ENOMEM)
        _exit(2);
    void *small = alloc(1 << 20);
    if (small != NULL)
        _exit(3);
    for (unsigned i = 0; i < n; i++)
        release(block[i]);
    for (unsigned i = 0; i < 100; i++)
        if ((block[i] = alloc(MIB)) == NULL)
            _exit(4);
    _exit(0);
}

static void no_memory(tap *t)
{
    char line[1000] = "";
    int status = 1;
    in_child(until_none, line, sizeof(line), &status);
    TAP_EQ(t, status, 0);
    TAP_STR(t, line, "");
}

/* Eight blocks are out, and change their sizes: all addresses that they ever had are not much more
 * than what they had together at most. */
static void large_in_holes(tap *t)
{
    enum { BLOCKS = 8, CHANGES = 400 };
    unsigned char *block[BLOCKS] = {NULL};
    size_t size[BLOCKS] = {0}, live = 0, most = 0;
    uintptr_t low = UINTPTR_MAX, high = 0;
    uint64_t random = 1;
    bool apart = false; /* LOAM_CONF=guard_pages maps each alone, where the system likes it */
    for (unsigned i = 0; i < CHANGES; i++) {
        random = random * 6364136223846793005ULL + 1442695040888963407ULL;
        unsigned k = (unsigned)(random >> 60) % BLOCKS;
        release(block[k]);
        live -= size[k];
        size[k] = 5 * MIB + (size_t)((random >> 20) % (20 * MIB));
        live += size[k];
        most = live > most ? live : most;
        block[k] = alloc(size[k]);
        TAP_CHECK(t, block[k] != NULL);
        apart = apart || mallinfo2().hblks != 0;
        uintptr_t at = (uintptr_t)block[k];
        low = at < low ? at : low;
        high = at + size[k] > high ? at + size[k] : high;
    }
    for (unsigned k = 0; k < BLOCKS; k++)
        release(block[k]);
    /* a half more, and what a multiple of 32 MiB skips */
    TAP_CHECK(t, apart || high - low < most + most / 4 * 3);
}

static const tap_case cases[] = {
    /* first, as the other blocks of a process lie in between */
    {"malloc: 5 to 25 MiB: lie where others were", large_in_holes},
    {"fork: in a handler that interrupts a fork", forks_in_forks},
    {"malloc: size 0: a block, another each time", nothing_asked},
    {"malloc: too much, overflow: NULL, ENOMEM", too_much},
    {"malloc: alignments that are none: EINVAL", bad_alignments},
    {"malloc: every size: aligned, usable, zeroed", every_size},
    {"malloc: every alignment", every_alignment},
    {"free: errno is what it was", errno_is_kept},
    {"realloc: every size to every other: contents kept", resizes},
    {"realloc: a huge block with an alignment: moves", resizes_aligned_huge},
    {"malloc: mallinfo2, malloc_info", figures},
    {"malloc_trim: memory goes back", trims},
    {"free: what was never given out, or is no more: one line, the end", stopped},
    {"malloc: until there is no more, and on again", no_memory},
};
static const tap_suite suite = {"malloc_api", cases, LOAM_ARRAY_LEN(cases)};

int main(int argc, char **argv)
{
    return tap_host_main(&suite, argc, argv);
}
