#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""C++'s operators and free_sized: who called is the program, and a size that cannot be is told.

Each wrong call is made in a program of its own, which ends with one line; each right one in all
modes, and nothing is said.

And a program that has some of the operators itself: the others come to these, as the standard says.
And one with another malloc's library, which has operators, too: none of its blocks come from there.
"""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import ROOT, Tap, run  # noqa: E402

LIBRARY = os.path.join(ROOT, "build/host/libloam.so")

PROGRAM = r"""
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <malloc.h>
#include <new>
#include <thread>
extern "C" void free_sized(void *p, std::size_t size);
extern "C" void free_aligned_sized(void *p, std::size_t align, std::size_t size);
#define OWN(name) extern "C" __attribute__((noinline)) void *name()
using std::nothrow;
constexpr std::align_val_t wide{256};
void *volatile held;
#define HELD(what) void *p = what; held = p; return p
OWN(by_new) { HELD(operator new(1001)); }
OWN(by_array) { HELD(operator new[](1002)); }
OWN(by_nothrow) { HELD(operator new(1003, nothrow)); }
OWN(by_array_nothrow) { HELD(operator new[](1004, nothrow)); }
OWN(by_aligned) { HELD(operator new(1005, wide)); }
OWN(by_array_aligned) { HELD(operator new[](1006, wide)); }
OWN(by_aligned_nothrow) { HELD(operator new(1007, wide, nothrow)); }
OWN(by_array_aligned_nothrow) { HELD(operator new[](1008, wide, nothrow)); }
OWN(by_malloc) { HELD(std::malloc(1009)); }
OWN(by_calloc) { HELD(std::calloc(1, 1010)); }
OWN(by_realloc) { HELD(std::realloc(NULL, 1011)); }
OWN(by_moving) { HELD(std::realloc(std::malloc(10), 1012)); }
OWN(by_aligned_alloc) { HELD(aligned_alloc(256, 1013)); }
OWN(by_memalign) { HELD(memalign(4096, 1014)); }
OWN(by_posix) { void *q; posix_memalign(&q, 512, 1015); HELD(q); }
OWN(by_large) { HELD(operator new(100016)); }
OWN(by_large_aligned) { HELD(operator new(100017, wide)); }

/* A block of so many bytes that lies at no page's start. */
static char *block(std::size_t size)
{
    char *p = (char *)operator new(size);
    return ((std::size_t)p & 4095) != 0 ? p : (char *)operator new(size);
}
static void elsewhere(void (*fn)(void *), void *p) { std::thread(fn, p).join(); }

static void right()
{
    for (std::size_t size : {0, 1, 16, 17, 40, 100, 1000, 5000, 30000, 50000, 200000, 40 << 20}) {
        operator delete(operator new(size), size);
        operator delete[](operator new[](size), size);
        operator delete(operator new(size, wide), size, wide);
        operator delete(operator new(size, wide), wide);
        operator delete(operator new(size, nothrow), nothrow);
        free_sized(std::malloc(size), size);
        free_sized(std::calloc(1, size), size);
        free_aligned_sized(aligned_alloc(64, size), 64, size);
        if (size == 0)
            continue;
        free_sized(std::realloc(std::malloc(3 * size), size), size); /* may stay where it is */
        free_sized(std::realloc(std::malloc(size + 1), size), size);
        free_sized(std::realloc(std::malloc(size), size + 1), size + 1);
    }
    free_sized(NULL, 10);
    free_aligned_sized(NULL, 64, 10);
    operator delete((void *)NULL, (std::size_t)10);
    elsewhere([](void *p) { operator delete(p, (std::size_t)100); }, operator new(100));
    void *p = std::malloc(100);
    free_sized(p, malloc_usable_size(p));
}

static void wrong(const char *what)
{
    if (std::strcmp(what, "delete") == 0)
        operator delete(block(40), (std::size_t)4096);
    else if (std::strcmp(what, "array") == 0)
        operator delete[](block(40), (std::size_t)49);
    else if (std::strcmp(what, "sized") == 0)
        free_sized(block(5000), 6000);
    else if (std::strcmp(what, "aligned_sized") == 0)
        free_aligned_sized(aligned_alloc(64, 64), 64, 65);
    else if (std::strcmp(what, "large") == 0)
        operator delete(operator new(40000), (std::size_t)50000);
    else if (std::strcmp(what, "huge") == 0)
        operator delete(operator new(40 << 20), (std::size_t)(41 << 20));
    else if (std::strcmp(what, "alignment") == 0)
        operator delete(block(40), std::align_val_t(4096));
    else if (std::strcmp(what, "alignment_sized") == 0)
        free_aligned_sized(block(40), 4096, 40);
    else if (std::strcmp(what, "thread") == 0)
        elsewhere([](void *p) { operator delete(p, (std::size_t)200); }, operator new(100));
    else if (std::strcmp(what, "last") == 0)
        operator delete(operator new(28672), (std::size_t)28673);
    else if (std::strcmp(what, "less") == 0) /* where sizes are known */
        operator delete(block(40), (std::size_t)39);
    else if (std::strcmp(what, "none") == 0)
        free_sized(block(40), 0);
}

int main(int argc, char **argv)
{
    if (argc > 1 && std::strcmp(argv[1], "right") == 0)
        right();
    else if (argc > 1)
        wrong(argv[1]);
    else
        by_new(), by_array(), by_nothrow(), by_array_nothrow(), by_aligned(), by_array_aligned(),
            by_aligned_nothrow(), by_array_aligned_nothrow(), by_malloc(), by_calloc(),
            by_realloc(), by_moving(), by_aligned_alloc(), by_memalign(), by_posix(), by_large(),
            by_large_aligned();
    return 0;
}
"""

# Blocks out of an array, which nobody else may free: by new and delete, or by those of arrays.
OWN = r"""
#include <cstdio>
#include <cstdlib>
#include <new>
using std::nothrow;
using std::size_t;
static char own[1 << 16];
static size_t used;
static int made, freed;
static void *take(size_t size, size_t align)
{
    if (size > sizeof own)
        throw std::bad_alloc();
    used = (used + align - 1) & -align;
    made++;
    return own + ((used += size) - size);
}
static void give(void *p)
{
    if (p < own || p >= own + used)
        std::puts("not of the array"), std::abort();
    freed++;
}
#ifdef ARRAYS
#define NEW operator new[]
#define DELETE operator delete[]
#else
#define NEW operator new
#define DELETE operator delete
#endif
void *NEW(size_t size) { return take(size, 16); }
void *NEW(size_t size, std::align_val_t align) { return take(size, (size_t)align); }
void DELETE(void *p) noexcept { give(p); }
void DELETE(void *p, std::align_val_t) noexcept { give(p); }

struct plain { int x[5]; ~plain() {} };
struct alignas(64) wide { int x[5]; ~wide() {} };
template <typename T> static void each()
{
    delete[] new T[3];
    delete[] new (nothrow) T[3];
    operator delete[](operator new[](40), (size_t)40);
    operator delete[](operator new[](40), nothrow);
    operator delete[](operator new[](40, std::align_val_t(64)), (size_t)40, std::align_val_t(64));
    operator delete[](operator new[](40, std::align_val_t(64)), std::align_val_t(64), nothrow);
#ifndef ARRAYS
    delete new T;
    delete new (nothrow) T;
    operator delete(operator new(40), (size_t)40);
    operator delete(operator new(40), nothrow);
    operator delete(operator new(40, std::align_val_t(64)), (size_t)40, std::align_val_t(64));
    operator delete(operator new(40, std::align_val_t(64)), std::align_val_t(64), nothrow);
#endif
}

int main()
{
    delete new plain; /* the others, where arrays alone are the program's */
    made = freed = 0;
    each<plain>();
    each<wide>();
    std::printf("%d made, %d freed, %p %p\n", made, freed,
                operator new[](1 << 20, nothrow), /* what the program's throws is caught */
                operator new[](1 << 20, std::align_val_t(64), nothrow));
    std::free(std::malloc(100));
    return 0;
}
"""

MODES = ("", "guard", "poison", "owner", "hardened", "quarantine,random", "arenas=1",
         "profile=/dev/null", "trace=/dev/null")

# Another malloc's library with operators of its own. None of them is to be called.
OTHER = r"""
#include <cstdlib>
#include <new>
#define NONE noexcept { std::abort(); }
void *operator new(std::size_t size, const std::nothrow_t &) NONE
void *operator new[](std::size_t size, const std::nothrow_t &) NONE
void *operator new(std::size_t size, std::align_val_t, const std::nothrow_t &) NONE
void *operator new[](std::size_t size, std::align_val_t, const std::nothrow_t &) NONE
void operator delete(void *) NONE
void operator delete[](void *) NONE
"""

# A library whose constructors run before those of libloam.so.
EARLY = r"""
#include <new>
enum : std::size_t { a_lot = 1ul << 46 };
static int asked;
static void throws() { asked++; throw std::bad_alloc(); }
extern "C" int early()
{
    int wrong = 0;
    delete new (std::nothrow) int;
    delete[] new (std::nothrow) char[100];
    operator delete(operator new(100, std::align_val_t(64), std::nothrow), std::align_val_t(64));
    operator delete[](operator new[](100, std::align_val_t(64), std::nothrow),
                      std::align_val_t(64));
    std::set_new_handler(throws);
#ifndef OWN
    wrong += operator new(a_lot, std::nothrow) != nullptr;
    wrong += operator new[](a_lot, std::nothrow) != nullptr;
    wrong += operator new(a_lot, std::align_val_t(64), std::nothrow) != nullptr;
    wrong += operator new[](a_lot, std::align_val_t(64), std::nothrow) != nullptr;
    wrong += asked != 4;
#endif
    std::set_new_handler(nullptr);
    asked = 0;
    return wrong;
}
static int at_start = early();
extern "C" int early_start() { return at_start; }
"""

BESIDE = r"""
#include <cstdio>
#include <cstdlib>
#include <new>
extern "C" int early(), early_start();
#ifdef OWN
static int made, freed;
void *operator new(std::size_t size) { made++; return std::malloc(size); }
void operator delete(void *p) noexcept { freed++; std::free(p); }
#else
enum { made = 4, freed = 4 };
#endif
int main()
{
    int start = early_start(), later = early();
    std::printf("%d %d, %d %d\n", start, later, made, freed);
}
"""


def start(program, words, conf):
    environment = {**os.environ, "LD_PRELOAD": LIBRARY, "LOAM_CONF": conf}
    done = subprocess.run([program, *words], env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


def check_callers(tap, program):
    """The addresses that leaks tells, by the program's own symbols: it is linked where it runs."""
    found = re.findall(r"^([0-9a-f]+) T (by_\w+)$", run(["nm", program])[1], re.M)
    names = sorted((int(address, 16), name) for address, name in found)
    want = {size: name for name, size in
            re.findall(r"^OWN\((\w+)\).*?\b(1\d\d\d|1000\d\d)\b", PROGRAM, re.M)}
    for conf in ("leaks", "leaks,guard,random", "leaks,hardened"):
        code, errors = start(program, [], conf)
        told = {}
        for size, site in re.findall(r"still out: 0x\w+, (\d+) bytes, from 0x(\w+)", errors):
            below = [name for address, name in names if address < int(site, 16)]
            told[size] = below[-1] if below else "?"
        wrong = [f"{size}: {name}, told {told.get(size)}" for size, name in want.items()
                 if told.get(size) != name]
        tap.check(code == 0 and len(want) == 17 and not wrong,
                  f"{conf}: {len(want)} ways to a block, each from its caller", [*wrong, errors])


def check_sizes(tap, program):
    for conf in MODES:
        code, errors = start(program, ["right"], conf)
        tap.check((code, errors) == (0, ""), f"{conf or 'no mode'}: right sizes are taken",
                  [f"{code}", errors])
    size, align = "free with a wrong size", "free with a wrong alignment"
    for word, what, given, name in (
            ("delete", size, "as of size 4096", "kmalloc-48, 4"),
            ("array", size, "as of size 49", "kmalloc-48, 4"),
            ("sized", size, "as of size 6000", "kmalloc-5120, 5"),
            ("aligned_sized", size, "as of size 65", "kmalloc-"),
            ("large", size, "as of size 50000", "large, 40000 bytes"),
            ("huge", size, "as of size 42991616", "huge, 41943040 bytes"),
            ("last", size, "as of size 28673", "kmalloc-28672, 28672 bytes"),
            ("thread", size, "as of size 200", "kmalloc-112, 1"),
            ("alignment", align, "as aligned to 4096", "kmalloc-48, 4"),
            ("alignment_sized", align, "as aligned to 4096", "kmalloc-48, 4")):
        for conf in ("", "owner", "hardened"):
            code, errors = start(program, [word], conf)
            line = f"loam: malloc: {what}: address [0-9a-f]+, {given}, {name}.*, caller 0x4.*\n"
            tap.check(code == -6 and re.fullmatch(line, errors),
                      f"{conf or 'no mode'}: {word}: stopped, one line", [f"{code}", errors])
    for word in ("less", "none"):
        tap.check(start(program, [word], "") == (0, ""), f"{word}: a size within the class passes")
        code, errors = start(program, [word], "hardened")
        tap.check(code == -6 and size in errors, f"hardened: {word}: stopped", [errors])


def check_own(tap, folder):
    """The program's own operators: the library before it, behind it, or in it."""
    archive = LIBRARY.replace(".so", ".a")
    for flags, count in (([], 24), (["-DARRAYS"], 12)):
        for name, link, preload in (("preloaded", [], LIBRARY), ("linked", [LIBRARY], ""),
                                    ("in the program", [archive], ""),
                                    ("static", ["-static", archive], "")):
            program = os.path.join(folder, "own")
            # gcc 16 does without blocks that nobody looks at
            subprocess.run(["g++", "-std=c++17", "-O1", "-fno-allocation-dce", "-w", *flags,
                            "-x", "c++", "-",
                            "-x", "none", *link, "-o", program, "-lpthread",
                            f"-Wl,-rpath,{os.path.dirname(LIBRARY)}"],
                           input=OWN, text=True, check=True)
            want = f"{count} made, {count} freed, (nil) (nil)\n"
            for conf in ("", "hardened"):
                done = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      text=True, check=False,
                                      env={**os.environ, "LD_PRELOAD": preload,
                                           "LOAM_CONF": conf})
                tap.check((done.returncode, done.stdout, done.stderr) == (0, want, ""),
                          f"{name}, {' '.join(flags) or 'new and delete'}, {conf or 'no mode'}: "
                          "the program's own operators are called by the others",
                          [f"{done.returncode}", done.stdout, done.stderr])


def check_beside(tap, folder):
    """Another malloc's operators behind the library are never called."""
    def build(name, text, *flags):
        path = os.path.join(folder, name)
        subprocess.run(["g++", "-std=c++17", "-O1", "-fno-allocation-dce", "-w", "-x", "c++", "-",
                        "-x", "none", "-o", path, *flags], input=text, text=True, check=True)
        return path

    other = build("libother.so", OTHER, "-shared", "-fPIC")
    for flags in ([], ["-DOWN"]):
        early = build("libearly.so", EARLY, "-shared", "-fPIC", *flags)
        for name, link, preload in (("preloaded", [], LIBRARY), ("linked", [LIBRARY], "")):
            program = build("beside", BESIDE, *flags, "-Wl,--no-as-needed", *link, early, other,
                            f"-Wl,-rpath,{folder}:{os.path.dirname(LIBRARY)}")
            for conf in ("", "hardened"):
                done = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      text=True, check=False,
                                      env={**os.environ, "LD_PRELOAD": preload,
                                           "LOAM_CONF": conf})
                tap.check((done.returncode, done.stdout, done.stderr) == (0, "0 0, 4 4\n", ""),
                          f"{name}, {' '.join(flags) or 'no own'}, {conf or 'no mode'}: "
                          "another malloc's operators are not called",
                          [f"{done.returncode}", done.stdout, done.stderr])


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="loam-operators-") as folder:
        program = os.path.join(folder, "program")
        subprocess.run(["g++", "-std=c++17", "-O1", "-no-pie", "-fno-builtin", "-w", "-x", "c++",
                        "-", "-x", "none", LIBRARY, "-o", program, "-lpthread",
                        f"-Wl,-rpath,{os.path.dirname(LIBRARY)}"],
                       input=PROGRAM, text=True, check=True)
        check_callers(tap, program)
        check_sizes(tap, program)
        check_own(tap, folder)
        check_beside(tap, folder)
    tap.done()


if __name__ == "__main__":
    main()
