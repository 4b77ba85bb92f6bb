/* SPDX-License-Identifier: MIT */
/* hosted_memory.c - how much memory a process may have, out of files: groups of both kinds, inside
 * and outside of containers, the machine's, and files that are broken. Each case is a folder with
 * the files that it names. */
#define _GNU_SOURCE
#include "loam_memory.h"
#include "tap_host.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (1024ULL * 1024)

static char root[64];
static loam_memory memory;

/* A new folder that is the system. */
static void begin(tap *t)
{
    strcpy(root, "/tmp/loam-memory-XXXXXX");
    TAP_CHECK(t, mkdtemp(root) != NULL);
}

static void put(tap *t, const char *path, const char *text)
{
    char full[400];
    snprintf(full, sizeof(full), "%s%s", root, path);
    for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        (void)mkdir(full, 0755);
        *at = '/';
    }
    FILE *file = fopen(full, "w");
    TAP_CHECK(t, file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void end(tap *t)
{
    char command[100];
    snprintf(command, sizeof(command), "rm -r %s", root);
    TAP_EQ(t, system(command), 0);
}

static void meminfo(tap *t)
{
    put(t, "/proc/meminfo",
        "MemTotal:        1024000 kB\nMemFree:   1 kB\n"
        "MemAvailable:     512000 kB\nBuffers: 7 kB\n");
}

static void find(tap *t)
{
    errno = 1234;
    loam_memory_find(&memory, root);
    TAP_EQ(t, errno, 1234);
}

static void none(tap *t)
{
    begin(t);
    find(t);
    TAP_EQ(t, memory.limit, UINT64_MAX);
    put(t, "/proc/meminfo", "MemTotal: many kB\n");
    put(t, "/proc/self/cgroup", "0\n::\n0:\nmemory\n12:memory\n0::/a\n:\n\n");
    put(t, "/sys/fs/cgroup/a/memory.max", "64\n");
    find(t);
    TAP_EQ(t, memory.limit, 64);
    put(t, "/sys/fs/cgroup/a/memory.max", "64M\n");
    find(t);
    TAP_EQ(t, memory.limit, UINT64_MAX);
    put(t, "/sys/fs/cgroup/a/memory.max", "max\n");
    put(t, "/sys/fs/cgroup/a/memory.high", "");
    put(t, "/sys/fs/cgroup/memory.max", "0\n");
    find(t);
    TAP_EQ(t, memory.limit, UINT64_MAX);
    put(t, "/sys/fs/cgroup/memory.max", "99999999999999999999999999\n");
    find(t);
    TAP_EQ(t, memory.limit, UINT64_MAX);
    TAP_EQ(t, loam_memory_used(&memory), 0);
    end(t);
}

static void machine(tap *t)
{
    begin(t);
    meminfo(t);
    find(t);
    TAP_CHECK(t, !memory.grouped);
    TAP_EQ(t, memory.limit, 1000 * MIB);
    TAP_EQ(t, loam_memory_used(&memory), 500 * MIB);
    TAP_EQ(t, errno, 1234);
    put(t, "/proc/meminfo", "MemTotal:        1024000 kB\n");
    TAP_EQ(t, loam_memory_used(&memory), 0); /* an old system does not say */
    end(t);
}

/* The least of a group's limits and of those around it. */
static void version_2(tap *t)
{
    begin(t);
    meminfo(t);
    put(t, "/proc/self/cgroup", "0::/a/b c/d\n");
    put(t, "/sys/fs/cgroup/a/b c/d/memory.max", "max\n");
    put(t, "/sys/fs/cgroup/a/b c/d/memory.high", "max\n");
    put(t, "/sys/fs/cgroup/a/memory.max", "209715200\n");
    put(t, "/sys/fs/cgroup/a/memory.current", "100\n");
    find(t);
    TAP_EQ(t, memory.limit, 200 * MIB);
    TAP_EQ(t, loam_memory_used(&memory), 100);
    put(t, "/sys/fs/cgroup/a/b c/memory.high", "104857600\n");
    put(t, "/sys/fs/cgroup/a/b c/memory.current", "5000\n");
    put(t, "/sys/fs/cgroup/a/b c/memory.stat",
        "anon 3\nfile 4\ninactive_file 1000\nactive_file 9\n");
    find(t);
    TAP_EQ(t, memory.limit, 100 * MIB);
    TAP_EQ(t, memory.of, LOAM_MEMORY_OF_V2);
    TAP_EQ(t, loam_memory_used(&memory), 4000);
    put(t, "/sys/fs/cgroup/a/b c/d/memory.max", "67108864\n");
    put(t, "/sys/fs/cgroup/memory.max", "66108864\n"); /* the root of a container's own */
    find(t);
    TAP_EQ(t, memory.limit, 66108864);
    put(t, "/sys/fs/cgroup/a/b c/d/memory.max", "1900000000\n"); /* more than the machine has */
    put(t, "/sys/fs/cgroup/memory.max", "max");
    put(t, "/sys/fs/cgroup/a/memory.max", "max");
    put(t, "/sys/fs/cgroup/a/b c/memory.high", "max");
    find(t);
    TAP_CHECK(t, memory.limit == 1000 * MIB && memory.of == LOAM_MEMORY_OF_RAM);
    TAP_CHECK(t, memory.grouped);
    put(t, "/proc/self/cgroup", "0::/none\n");
    put(t, "/sys/fs/cgroup/memory.max", "max");
    find(t);
    TAP_CHECK(t, memory.grouped); /* the one around it */
    end(t);
}

static void version_1(tap *t)
{
    begin(t);
    meminfo(t);
    put(t, "/proc/self/cgroup",
        "12:cpu,memory_not:/no\n7:memory:/x:y/z\n5:name=systemd:/s\n0::/u\n");
    put(t, "/sys/fs/cgroup/memory/x:y/z/memory.limit_in_bytes", "9223372036854771712\n");
    put(t, "/sys/fs/cgroup/memory/x:y/memory.limit_in_bytes", "67108864\n");
    put(t, "/sys/fs/cgroup/memory/x:y/memory.usage_in_bytes", "60000000\n");
    put(t, "/sys/fs/cgroup/memory/x:y/memory.stat",
        "cache 1\ninactive_file 5\ntotal_cache 1\ntotal_inactive_file 10000000\n");
    put(t, "/sys/fs/cgroup/memory/no/memory.limit_in_bytes", "1\n");
    put(t, "/sys/fs/cgroup/unified/u/cgroup.procs", "1\n");
    find(t);
    TAP_CHECK(t, memory.limit == 64 * MIB && memory.of == LOAM_MEMORY_OF_V1);
    TAP_EQ(t, loam_memory_used(&memory), 50000000);
    put(t, "/proc/self/cgroup", "3:hugetlb,memory:/x:y\n0::/u");
    find(t);
    TAP_EQ(t, memory.limit, 64 * MIB);
    end(t);
}

/* It sees its own group as the root, by a path that is the host's. */
static void container(tap *t)
{
    begin(t);
    meminfo(t);
    put(t, "/proc/self/cgroup", "4:memory:/docker/0123/inner\n");
    put(t, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "67108864\n");
    find(t);
    TAP_EQ(t, memory.limit, 64 * MIB);
    put(t, "/sys/fs/cgroup/memory/inner/memory.limit_in_bytes", "33554432\n");
    find(t);
    TAP_EQ(t, memory.limit, 32 * MIB);
    put(t, "/proc/self/cgroup", "0::/\n"); /* of the other kind, and its namespace is its own */
    put(t, "/sys/fs/cgroup/memory.max", "16777216\n");
    find(t);
    TAP_EQ(t, memory.limit, 16 * MIB);
    end(t);
}

/* Beside cgroup 1 the other kind has a place of its own: below it a folder is no group. */
static void hybrid(tap *t)
{
    begin(t);
    meminfo(t);
    put(t, "/proc/self/cgroup", "3:cpu:/x\n0::/u/v\n");
    put(t, "/sys/fs/cgroup/cpu/x/cgroup.procs", "1\n");
    put(t, "/sys/fs/cgroup/unified/u/memory.max", "33554432\n");
    put(t, "/sys/fs/cgroup/unified/u/v/cgroup.procs", "1\n"); /* without the controller */
    find(t);
    TAP_EQ(t, memory.limit, 32 * MIB);
    put(t, "/proc/self/cgroup", "0::/u\n");
    find(t);
    TAP_EQ(t, memory.limit, 32 * MIB);
    put(t, "/proc/self/cgroup", "4:memory:/m\n0::/u\n"); /* the other one has memory */
    put(t, "/sys/fs/cgroup/memory/m/memory.limit_in_bytes", "67108864\n");
    find(t);
    TAP_EQ(t, memory.limit, 64 * MIB);
    end(t);
}

/* Where the list of mounts says, if at no usual place; other lines are passed by. */
static void elsewhere(tap *t)
{
    static const char mounts[] = "\n1 2\n22 1 0:5 / /proc rw - proc proc rw\n"
                                 "23 1 0:6 / /nothing rw - cgroup2 c rw\n"
                                 "24 1 0:7 / /cpu rw shared:1 - cgroup c rw,cpu,memory_not\n"
                                 "25 1 0:8 /h /my\\040groups\\134\\9 rw,nosuid shared:7 master:1 - "
                                 "cgroup2 c rw,memory\n"
                                 "26 1 0:9 / /dev/memory rw - cgroup none rw,cpu,memory\n";
    begin(t);
    meminfo(t);
    put(t, "/proc/self/mountinfo", mounts);
    put(t, "/proc/self/cgroup", "0::/h/in\n");
    put(t, "/my groups\\\\9/in/memory.max", "33554432\n");
    put(t, "/my groups\\\\9/memory.max", "max\n");
    put(t, "/cpu/in/memory.limit_in_bytes", "1\n");
    put(t, "/dev/memory/in/memory.limit_in_bytes", "16777216\n");
    find(t);
    TAP_CHECK(t, memory.limit == 32 * MIB && memory.of == LOAM_MEMORY_OF_V2);
    put(t, "/proc/self/cgroup", "5:cpu,memory:/h/in\n0::/h/in\n");
    find(t);
    TAP_CHECK(t, memory.limit == 16 * MIB && memory.of == LOAM_MEMORY_OF_V1);
    put(t, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "67108864\n");
    find(t);
    TAP_EQ(t, memory.limit, 64 * MIB); /* the usual place comes first */
    end(t);
}

/* What is too long is nobody's group, and breaks nothing. */
static void too_long(tap *t)
{
    static char text[70000];
    begin(t);
    meminfo(t);
    memset(text, 'x', sizeof(text) - 1);
    memcpy(text, "0::/", 4);
    put(t, "/proc/self/cgroup", text);
    put(t, "/sys/fs/cgroup/memory.max", "5000000\n");
    find(t);
    TAP_EQ(t, memory.limit, 1000 * MIB);
    memcpy(text + 20000, "\n0::/\n", 6);
    put(t, "/proc/self/cgroup", text);
    find(t);
    TAP_EQ(t, memory.limit, 5000000);
    text[400] = '\0'; /* a path that fits a line, but no folder's name: as outside of a container */
    put(t, "/proc/self/cgroup", text);
    find(t);
    TAP_EQ(t, memory.limit, 5000000);
    end(t);
}

/* Files are closed; what the process has grows by what it touches. */
static void here(tap *t)
{
    enum { BYTES = 32 << 20 };
    int first = dup(0);
    loam_memory_find(&memory, "");
    TAP_CHECK(t, memory.limit > 0 && loam_memory_used(&memory) > 0);
    uint64_t before = loam_memory_mine();
    volatile char *bytes = malloc(BYTES);
    for (size_t i = 0; i < BYTES; i += 4096)
        bytes[i] = 1;
    uint64_t more = loam_memory_mine() - before;
    TAP_CHECK(t, before > 0 && more > BYTES / 2 && more < BYTES * 3ULL / 2);
    free((void *)(uintptr_t)bytes);
    int last = dup(0);
    TAP_EQ(t, last, first + 1);
    close(first);
    close(last);
}

static const tap_case cases[] = {
    {"hosted_memory: no files, or broken ones: no limit", none},
    {"hosted_memory: the machine's", machine},
    {"hosted_memory: cgroup 2: the least on the way to the root", version_2},
    {"hosted_memory: cgroup 1", version_1},
    {"hosted_memory: in a container", container},
    {"hosted_memory: cgroup 2 beside cgroup 1", hybrid},
    {"hosted_memory: groups that are mounted elsewhere", elsewhere},
    {"hosted_memory: lines and paths that are too long", too_long},
    {"hosted_memory: this process", here},
};
TAP_SUITE(hosted_memory, cases);

int main(int argc, char **argv)
{
    return tap_host_main(&tap_suite_hosted_memory, argc, argv);
}
