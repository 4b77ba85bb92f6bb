#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a process pays with libloam.so before and beside its blocks, in pages: of one thread that
takes a few blocks, of each further one, of the library's file, and of the memory that the system
is asked to promise. Compared with the same program without the library. docs/architecture.md, "In
a process", says where the pages go.
"""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import ROOT, Tap  # noqa: E402

LIBRARY = os.path.join(ROOT, "build/host/libloam.so")
THREADS = 8

# Pages beyond what the C library's malloc takes.
ONE_MOST = 50      # of a process whose only thread took a block of twelve sizes
THREAD_MOST = 16   # of each further thread that did
FILE_MOST = 44     # of the library's file; more: tools/hot_order.py --write
TRIM_MOST = 4      # that come when memory is given back
PROMISED_MOST = 12 << 20  # bytes that may be written, whether they are or not

PROGRAM = r"""
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
enum { THREADS = %d, SIZES = 12 };
static pthread_barrier_t met;
static void tell(void)
{
    static char bytes[4096];
    int maps = open("/proc/self/smaps", O_RDONLY);
    for (ssize_t n; (n = read(maps, bytes, sizeof bytes)) > 0;)
        if (write(1, bytes, n) != n)
            _exit(3);
    close(maps);
    if (write(1, "end\n", 4) != 4)
        _exit(3);
}
static void work(void)
{
    void *block[SIZES];
    for (int i = 0; i < SIZES; i++)
        memset(block[i] = malloc((size_t)16 << i), 1, 16);
    for (int i = 0; i < SIZES; i++)
        free(block[i]);
}
static void *thread(void *unused)
{
    work();
    pthread_barrier_wait(&met);
    pthread_barrier_wait(&met);
    return unused;
}
int main(void)
{
    pthread_t of[THREADS];
    work();
    tell();
    malloc_trim(0);
    tell();
    pthread_barrier_init(&met, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&of[i], NULL, thread, NULL) != 0)
            return 2;
    pthread_barrier_wait(&met);
    tell();
    pthread_barrier_wait(&met);
    for (int i = 0; i < THREADS; i++)
        pthread_join(of[i], NULL);
    return 0;
}
""" % THREADS


def pages_of(maps):
    """Pages without a file, pages of the library's file, bytes that may be written."""
    anonymous = file = promised = 0
    ours = writable = False
    for line in maps.splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            ours = "libloam.so" in line
            writable = line.split()[1].startswith("rw")
        key, _, value = line.partition(":")
        if key == "Anonymous":
            anonymous += int(value.split()[0])
            file -= int(value.split()[0]) if ours else 0
        elif key == "Rss" and ours:
            file += int(value.split()[0])
        elif key == "Size" and writable:
            promised += int(value.split()[0])
    return anonymous // 4, file // 4, promised << 10


def measured(program, library):
    """Of five runs the one with the fewest pages: where addresses fall is chance."""
    env = {key: value for key, value in os.environ.items()
           if key not in ("LD_PRELOAD", "LOAM_CONF")}
    if library:
        env["LD_PRELOAD"] = library
    runs = []
    for _ in range(5):
        done = subprocess.run([program], env=env, capture_output=True, text=True, check=True)
        one, trimmed, many, _ = done.stdout.split("end\n")
        runs.append((pages_of(one), pages_of(many)[0], pages_of(trimmed)[0]))
    return min(runs)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="loam-start-") as folder:
        source, program = os.path.join(folder, "start.c"), os.path.join(folder, "start")
        with open(source, "w") as file:
            file.write(PROGRAM)
        subprocess.run(["gcc", "-O1", "-w", "-pthread", source, "-o", program], check=True)
        (ours, file, promised), ours_many, trimmed = measured(program, LIBRARY)
        (theirs, _, others), theirs_many, _ = measured(program, None)
    thread = (ours_many - ours - (theirs_many - theirs)) / THREADS
    print(f"# beyond the C library's malloc: {ours - theirs} pages and {file} of the file, "
          f"{thread:.1f} a thread, {promised - others >> 10} KiB that may be written")
    tap.check(ours - theirs <= ONE_MOST, f"start: at most {ONE_MOST} pages for the library")
    tap.check(thread <= THREAD_MOST, f"start: at most {THREAD_MOST} pages for a further thread")
    tap.check(trimmed - ours <= TRIM_MOST,
              f"start: at most {TRIM_MOST} pages more when memory is given back", [trimmed - ours])
    tap.check(file <= FILE_MOST, f"start: at most {FILE_MOST} pages of the library's file",
              ["tools/hot_order.py says which functions are not where they are to be"])
    tap.check(promised - others <= PROMISED_MOST,
              f"start: at most {PROMISED_MOST >> 20} MiB that may be written")
    tap.done()


if __name__ == "__main__":
    main()
