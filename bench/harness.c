/* SPDX-License-Identifier: MIT */
/* harness.c - meters, random numbers, memory. */
#define _GNU_SOURCE
#include "harness.h"
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__) || defined(__i386__)
#include <x86intrin.h>
#endif

static _Thread_local int meter_fd = -1;
static _Thread_local uint64_t meter_cost;

void bench_die(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

static uint64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static int open_cycle_counter(void)
{
    struct perf_event_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.type = PERF_TYPE_HARDWARE;
    attr.size = sizeof attr;
    attr.config = PERF_COUNT_HW_CPU_CYCLES;
    attr.exclude_kernel = 1;
    attr.exclude_hv = 1;
    int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
    uint64_t first = 0, second = 0;
    if (fd < 0)
        return -1;
    /* Some hypervisors hand out a counter that stands still. */
    bool counts = read(fd, &first, sizeof first) == sizeof first &&
                  read(fd, &second, sizeof second) == sizeof second && second > first;
    if (counts)
        return fd;
    close(fd);
    return -1;
}

uint64_t bench_meter_read(void)
{
    uint64_t v = 0;
    if (meter_fd < 0)
        return read_clock(CLOCK_THREAD_CPUTIME_ID);
    if (read(meter_fd, &v, sizeof v) != sizeof v)
        bench_die("the cycle counter cannot be read");
    return v;
}

void bench_meter_open(void)
{
    if (meter_fd < 0)
        meter_fd = open_cycle_counter();
    meter_cost = UINT64_MAX;
    for (int i = 0; i < 200; i++) {
        uint64_t a = bench_meter_read(), b = bench_meter_read();
        if (b - a < meter_cost)
            meter_cost = b - a;
    }
}

const char *bench_meter_unit(void)
{
    return meter_fd < 0 ? "ns" : "cycles";
}

const char *bench_meter_text(void)
{
    return meter_fd < 0 ? "nanoseconds of the thread's processor time (no hardware counters here)"
                        : "user-mode cycles of the thread, from the hardware counter";
}

uint64_t bench_meter_since(uint64_t start)
{
    uint64_t d = bench_meter_read() - start;
    return d > meter_cost ? d - meter_cost : 0;
}

uint64_t bench_wall_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t bench_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t bench_ticks(void)
{
#if defined(__x86_64__) || defined(__i386__)
    unsigned aux;
    uint64_t t = __rdtscp(&aux);
    _mm_lfence();
    return t;
#else
    return bench_wall_ns();
#endif
}

double bench_ticks_to_ns(uint64_t ticks)
{
#if defined(__x86_64__) || defined(__i386__)
    static double ns_a_tick;
    if (ns_a_tick == 0) {
        uint64_t w0 = bench_wall_ns(), t0 = bench_ticks(), w1 = w0;
        while (w1 - w0 < 20000000)
            w1 = bench_wall_ns();
        ns_a_tick = (double)(w1 - w0) / (double)(bench_ticks() - t0);
    }
    return (double)ticks * ns_a_tick;
#else
    return (double)ticks;
#endif
}

void bench_shuffle(bench_rng *rng, uint32_t *v, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = bench_below(rng, i);
        uint32_t t = v[i - 1];
        v[i - 1] = v[j];
        v[j] = t;
    }
}

enum { HUGE_PAGE = 2 << 20 };

static uint64_t mapped_bytes(uint64_t bytes)
{
    return loam_align_up(bytes + (bytes == 0), HUGE_PAGE) + HUGE_PAGE;
}

/* The block starts at the first huge page boundary that leaves room for the mapping's address,
 * which is kept right before it. */
void *bench_map(uint64_t bytes)
{
    uint64_t len = mapped_bytes(bytes);
    char *raw = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED)
        bench_die("no memory for metadata");
    uintptr_t skip = HUGE_PAGE - ((uintptr_t)raw & (HUGE_PAGE - 1));
    char *mem = raw + skip;
    madvise(raw, len, MADV_HUGEPAGE); /* kernels map their memory so; a refusal does no harm */
    memset(mem, 0, bytes);
    memcpy(mem - sizeof raw, &raw, sizeof raw);
    return mem;
}

void bench_unmap(void *mem, uint64_t bytes)
{
    char *raw;
    memcpy(&raw, (char *)mem - sizeof raw, sizeof raw);
    munmap(raw, mapped_bytes(bytes));
}
