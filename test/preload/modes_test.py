#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Small programs of every kind in every mode: they do what they do without the library, and the
library says no word.

What a program goes through here: constructors and destructors of C and C++, exceptions, threads
that end, are cancelled or exit for all, children of every kind, every way to end, a library that
comes and is closed, and python3 whose own allocator is malloc.
"""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import ROOT, Tap, parallel  # noqa: E402

LIBRARY = os.path.join(ROOT, "build/host/libloam.so")

MODES = ("", "guard", "poison", "quarantine=8K", "hardened,quarantine=8K", "zero", "zero_free",
         "random", "owner", "hardened", "keep_empty=no", "keep_large=0", "shift=12", "huge_pages",
         "huge_from=0", "trim_ms=0", "guard_pages", "arenas=1", "range=16M", "limit=256M",
         "profile=/dev/null,profile_rate=1", "trace=/dev/null", "leaks,stats,json,file=/dev/null",
         "valgrind=no,hardened,owner=no")

LIFE = r"""
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
struct noisy {
    std::string name;
    explicit noisy(const char *what) : name(std::string(what) + " with a name that is long") {}
    ~noisy() { std::string late = name + " has gone"; std::puts(late.c_str()); }
};
static noisy before("a static");
static thread_local noisy mine("a thread's own");
static std::map<std::string, std::vector<int>> table;
struct alignas(128) wide { char c[128]; };
static void thrower(int depth)
{
    std::string held(1000, 'x');
    if (depth == 0)
        throw std::runtime_error("thrown from below, with words enough for a block of its own");
    thrower(depth - 1);
}
int main(int argc, char **argv)
{
    std::atexit([] { std::string s(100, 'e'); std::puts("at exit"); });
    std::at_quick_exit([] {
        std::string s(100, 'q');
        std::puts("at quick exit");
        std::fflush(stdout);
    });
    for (int i = 0; i < 500; i++)
        table[std::to_string(i * 7919)].resize(i);
    try {
        thrower(20);
    } catch (const std::exception &e) {
        std::puts(e.what());
    }
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back([] {
            mine.name += "!";
            auto p = std::make_shared<std::string>(300, 'p');
        });
    for (auto &t : threads)
        t.join();
    auto *w = new wide[3];
    std::printf("%d\n", (int)((std::size_t)w % 128));
    delete[] w;
    std::vector<std::string> names(1000, std::string(50, 'n'));
    std::stable_sort(names.begin(), names.end());
    std::cout << mine.name << std::endl;
    std::string how = argc > 1 ? argv[1] : "";
    if (how == "quick")
        std::quick_exit(3);
    if (how == "thread")
        std::thread([] { std::exit(4); }).join();
    if (how == "at once")
        std::_Exit(5);
    return 6;
}
"""

MANY = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <locale.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
__attribute__((constructor)) static void early(void) { free(strdup("before main")); }
__attribute__((destructor)) static void late(void)
{
    char *p = strdup("after main\n");
    write(1, p, 11);
    free(p);
}
static pthread_barrier_t all;
static void drop(void *p) { free(p); }
static void *waits(void *arg)
{
    void *p = malloc(3000);
    pthread_cleanup_push(drop, p);
    pthread_barrier_wait(&all);
    for (;;) {
        free(malloc(100));
        usleep(1000); /* where it is cancelled */
    }
    pthread_cleanup_pop(1);
    return arg;
}
static void *blocks(void *arg)
{
    void *p[300];
    for (int i = 0; i < 300; i++)
        p[i] = malloc((size_t)i * 37 + 1);
    pthread_barrier_wait(&all);
    for (int i = 0; i < 300; i++)
        free(p[i]);
    pthread_exit(arg);
}
static void cancelled(void)
{
    pthread_t t[8];
    void *how;
    pthread_barrier_init(&all, NULL, 9);
    for (int i = 0; i < 8; i++)
        pthread_create(&t[i], NULL, i % 2 ? waits : blocks, NULL);
    pthread_barrier_wait(&all);
    for (int i = 1; i < 8; i += 2)
        pthread_cancel(t[i]);
    for (int i = 0; i < 8; i++) {
        pthread_join(t[i], &how);
        printf("%d", how == PTHREAD_CANCELED);
    }
    puts("");
}
static void children(void)
{
    char line[100] = "";
    char *words[] = {"true", NULL};
    int status = 0;
    pid_t pid;
    FILE *pipe = popen("echo through a pipe", "r");
    fgets(line, sizeof(line), pipe);
    printf("%s%d", line, pclose(pipe));
    printf("%d", WEXITSTATUS(system("exit 7")));
    printf("%d", posix_spawnp(&pid, "true", NULL, NULL, words, environ));
    waitpid(pid, &status, 0);
    printf("%d", status);
    if ((pid = vfork()) == 0) {
        execvp("true", words);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    printf("%d", status);
    fflush(stdout);
    for (int i = 0; i < 3; i++)
        if (fork() == 0) {
            free(realloc(malloc(100000), 300000));
            _exit(i);
        }
    int sum = 0;
    while (wait(&status) > 0)
        sum += status;
    printf("%d\n", WEXITSTATUS(sum));
}
static void library(const char *path)
{
    pthread_t t;
    void *how, *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return;
    void *(*take)(size_t) = dlsym(handle, "malloc");
    void (*give)(void *) = dlsym(handle, "free");
    void *p = take(100), *q = take(50 << 20);
    give(p);
    give(q);
    pthread_barrier_init(&all, NULL, 2);
    pthread_create(&t, NULL, (void *(*)(void *))take, (void *)200); /* a thread that it knows */
    pthread_join(t, &how);
    dlclose(handle);
    if (fork() == 0)
        _exit(0);
    wait(NULL);
}
static void *closes(void *handle)
{
    void *(*take)(size_t) = handle != NULL ? dlsym(handle, "malloc") : malloc;
    (void)take(10);
    if (handle != NULL)
        dlclose(handle);
    return NULL; /* and its destructors run */
}
static void large(void)
{
    char *p = NULL;
    unsigned sum = 0;
    for (size_t size = 1; size < (size_t)100 << 20; size *= 3) {
        p = realloc(p, size);
        p[size - 1] = 1;
        sum += malloc_usable_size(p) >= size;
    }
    free(p);
    p = aligned_alloc(1 << 21, 5 << 20);
    memset(p, 1, 5 << 20);
    free(p);
    printf("%u %d %d\n", sum, malloc((size_t)-1 / 2) == NULL, errno == ENOMEM);
}
int main(int argc, char **argv)
{
    pthread_t t;
    setlocale(LC_ALL, "");
    setvbuf(stdout, NULL, _IOFBF, 30000);
    cancelled();
    children();
    large();
    library(argv[1]);
    void *handle = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    pthread_create(&t, NULL, closes, handle);
    pthread_join(t, NULL);
    puts("the end");
    return 9;
}
"""

PYTHON = """
import ctypes, json, threading, subprocess, decimal
d = {str(i): [i] * (i % 50) for i in range(3000)}
out = []
ts = [threading.Thread(target=lambda: out.append(len(json.dumps(d)))) for _ in range(4)]
[t.start() for t in ts]; [t.join() for t in ts]
print(out, subprocess.run(['echo', 'x'], capture_output=True).stdout, decimal.Decimal(2) ** 500)
"""


def build(folder, name, text, compiler, *flags):
    program = os.path.join(folder, name)
    subprocess.run([compiler, "-O1", "-fno-builtin", "-w", "-x", "c++" if "++" in compiler else "c",
                    "-", "-o", program, "-lpthread", "-ldl", *flags], input=text, text=True,
                   check=True)
    return program


def start(command, conf, **more):
    """conf None: without the library."""
    environment = {**os.environ, "LC_ALL": "C", **more}
    if conf is not None:
        environment |= {"LD_PRELOAD": LIBRARY, "LOAM_CONF": conf}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, timeout=100,
                          stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="loam-modes-") as folder:
        life = build(folder, "life", LIFE, "g++", "-std=c++17")
        many = build(folder, "many", MANY, "gcc")
        none = os.path.join(folder, "none.so")
        python = ["/usr/bin/python3", "-c", PYTHON]
        programs = (
            ("C++", [life], [life], {}), ("C++, quick_exit", [life, "quick"], [life, "quick"], {}),
            ("C++, exit in a thread", [life, "thread"], [life, "thread"], {}),
            ("C++, _Exit", [life, "at once"], [life, "at once"], {}),
            ("threads, children, libraries", [many, LIBRARY], [many, none], {}),
            ("PYTHONMALLOC=malloc", python, python, {"PYTHONMALLOC": "malloc"}),
            ("PYTHONMALLOC=debug", python, python, {"PYTHONMALLOC": "debug"}))
        for name, command, plain, more in programs:
            want = start(plain, None, **more)
            modes = MODES if "debug" not in name else MODES[::4]
            results = parallel(lambda conf, c=command, m=more: start(c, conf, **m), modes)
            wrong = [f"{conf or 'no mode'}: {got}" for conf, got in zip(modes, results)
                     if got != want]
            tap.check(want[2] == "" and not wrong, f"{name}: {len(modes)} modes: as without",
                      [f"want {want}", *wrong[:5]])
        # Programs that are linked with it.
        for name, part in (("malloc_mix", ""), ("named_heaps", "largest")):
            command = [os.path.join(os.path.dirname(LIBRARY), "../preload", name), part]
            results = parallel(lambda conf, c=command: start(c, None, LOAM_CONF=conf), MODES)
            wrong = [f"{conf or 'no mode'}: {got}" for conf, got in zip(MODES, results)
                     if got[0] != 0 or got[2] != ""]
            tap.check(not wrong, f"{name} {part}: {len(MODES)} modes", wrong[:5])
        # The library comes late, and is closed before its threads end.
        for conf in ("", "hardened", "trace=/dev/null", "profile=/dev/null"):
            done = subprocess.run([many, LIBRARY], env={**os.environ, "LOAM_CONF": conf}, text=True,
                                  capture_output=True, timeout=100, check=False)
            tap.check((done.returncode, done.stderr) == (9, ""),
                      f"dlopen, dlclose, then threads end and children come: {conf or 'no mode'}",
                      [str(done.returncode), done.stdout, done.stderr])
    tap.done()


if __name__ == "__main__":
    main()
