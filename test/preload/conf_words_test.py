#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""LOAM_CONF from somebody who does not mean well: whatever stands there, the program goes on.

    SEED=n      other random texts

What is said is one line a word, ten at most, and no byte of it moves a terminal.
"""
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import ROOT, Tap  # noqa: E402

LIBRARY = os.path.join(ROOT, "build/host/libloam.so")
SEED = int(os.environ.get("SEED", "61"))
RUNS = 200

# Loads the library late, when there is no environment in memory: the system's is read.
LATE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    clearenv();
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return 1;
    void *(*take)(size_t) = (void *(*)(size_t))dlsym(library, "malloc");
    void (*give)(void *) = (void (*)(void *))dlsym(library, "free");
    void *p = take(100);
    give(p);
    return p == NULL;
}
"""
# What the loader may preload under another user's rights must be a set-user-ID file itself, where
# it looks for it: so this one is linked.
LINKED = r"""
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
int main(void)
{
    void *volatile p = malloc(100);
    free(p);
    printf("%d\n", getauxval(AT_SECURE) != 0);
    return 0;
}
"""


def start(command, conf, folder, preload=True):
    environment = {k: v for k, v in os.environ.items() if k != "LOAM_CONF"}
    environment.update({"LD_PRELOAD": LIBRARY} if preload else {})
    if conf is not None:
        environment = {**{os.fsencode(k): os.fsencode(v) for k, v in environment.items()},
                       b"LOAM_CONF": conf}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, cwd=folder,
                          stderr=subprocess.PIPE, check=False)
    return done.returncode, done.stdout, done.stderr


def faults(result, most=11):
    """What is wrong with what a program said that has nothing to say."""
    code, out, errors = result
    lines = errors.split(b"\n")
    return [repr(fault) for fault in (
        (code, out) if code != 0 or out != b"" else None, lines[-1] or None,
        *(line for line in lines[:-1] if not line.startswith(b"loam: LOAM_CONF: ")),
        *(line for line in lines if re.search(rb"[\0-\x1f\x7f]", line) or len(line) > 400),
        len(lines) if len(lines) > most + 1 else None) if fault is not None]


KEYS = ("json file profile profile_rate profile_signal trace trace_most valgrind arenas range "
        "limit huge_from huge_pages trim_ms guard_pages hardened shift guard poison quarantine "
        "zero zero_free random owner keep_empty keep_large seed florble").split()
VALUES = ("", "yes", "no", "0", "1", "-1", "7", "12", "16", "64", "65", "1K", "1M", "1G", "16M",
          "17000000", "4294967295", "4294967296", "18446744073709551615", "18446744073709551616",
          "99999999999999999999999999999999", "0x10", "1e3", "1k", "GG", "G", "ÿ", "名", "=",
          "==", "%p", "%s%n%p", "a/b", ".", "/", "\x1b[31m", "\t", "\r", "x" * 300)


def text_of(dice):
    words = []
    for _ in range(dice.choice((1, 2, 3, 5, 30, 2000))):
        kind = dice.randrange(8)
        if kind == 0:
            words.append(dice.randbytes(dice.randrange(20)).replace(b"\0", b"\1"))
        elif kind == 1:
            words.append(dice.choice((b"", b"=", b" ", b"guard=", b"=guard", b"guard guard")))
        else:
            equals = dice.choice(("", "=", "=", "=", "=", " = "))
            words.append((dice.choice(KEYS) + equals + (dice.choice(VALUES) if equals else ""))
                         .encode())
    return dice.choice((b",", b",", b",,", b", ")).join(words)


def check_random(tap, folder):
    dice = random.Random(SEED)
    for run in range(RUNS):
        text = text_of(dice)
        wrong = faults(start(["true"], text, folder), 16)  # files that cannot be, too
        if wrong:
            break
    tap.check(not wrong, f"{RUNS} random texts: the program goes on, whole lines",
              [f"SEED={SEED} run {run}: {text[:500]!r}", *wrong[:5]])


def check_known(tap, folder):
    for name, text, most in (
            ("nothing", b"", 0), ("commas", b"," * 70000, 0), ("64 KiB of x", b"x" * 65536, 1),
            ("64 KiB of words", b"florble," * 8192, 11), ("a word again", b"guard," * 9000, 0),
            ("64 KiB of a path", b"file=" + b"a/" * 32768, 1),
            ("other letters", "größe=ja,名=1".encode(), 2), ("an escape", b"\x1b[2Jx,\x07=\x7f", 2),
            ("a format", b"%s%n%d=%p", 1), ("an end of a line", b"a\nb", 1)):
        result = start(["true"], text, folder)
        wrong = faults(result, most)
        said = result[2].count(b"\n")
        tap.check(not wrong and said == most, f"{name}: {most} lines", [str(said), *wrong[:5]])
    said = start(["true"], b"trim_ms=5,trim_ms=x,arenas=2,arenas=3", folder)[2]
    tap.check(said.count(b"\n") == 1, "words again: each is looked at", [repr(said)])


def compile_to(folder, name, text, *more):
    path = os.path.join(folder, name)
    subprocess.run(["gcc", "-O1", "-fno-builtin", "-w", "-x", "c", "-", "-o", path, *more],
                   input=text, text=True, check=True)
    return path


def check_system(tap, folder):
    """/proc/self/environ is what the process began with."""
    late = [compile_to(folder, "late", LATE, "-ldl"), LIBRARY]
    for name, text, want in (
            ("a word", b"florble", rb"loam: LOAM_CONF: florble: .*\n"), ("none", None, rb""),
            ("no text", b"", rb""), ("two words", b"guard,zero", rb""),
            ("4095 bytes", b"guard," * 682 + b"zer", rb"loam: LOAM_CONF: zer: .*\n"),
            ("4097 bytes", b"guard," * 682 + b"zero,", rb"loam: LOAM_CONF: it is too long.*\n"),
            ("64 KiB", b"guard," * 10922, rb"loam: LOAM_CONF: it is too long.*\n")):
        code, _, errors = start(late, text, folder, preload=False)
        tap.check(code == 0 and re.match(want, errors),
                  f"dlopen, environment of the system: {name}", [str(code), repr(errors)])


def check_rights(tap, folder):
    """A program with more rights than its user reads no word."""
    shutil.copy(LIBRARY, os.path.join(folder, "libloam.so.0"))  # others may not come to ROOT
    path = compile_to(folder, "linked", LINKED, f"-L{folder}", "-l:libloam.so.0",
                      f"-Wl,-rpath,{folder}")
    code, out, errors = start([path], b"florble", folder, preload=False)
    tap.check((code, out) == (0, b"0\n") and b"florble" in errors, "a linked program reads it",
              [repr(errors)])
    if os.geteuid() != 0:
        tap.skip("set-user-ID: reads none", "makes one as root alone")
        return
    os.chmod(folder, 0o755)
    shutil.chown(path, 12345, 12345)
    os.chmod(path, 0o6755)
    code, out, errors = start([path], b"florble,stats,help,trace=told", folder, preload=False)
    tap.check((code, out, errors, os.path.exists(os.path.join(folder, "told"))) ==
              (0, b"1\n", b"", False), "set-user-ID: reads none", [str(code), repr(out + errors)])


def main():
    tap = Tap()
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory(prefix="loam-words-") as folder:
        check_known(tap, folder)
        check_random(tap, folder)
        check_system(tap, folder)
        check_rights(tap, folder)
    tap.done()


if __name__ == "__main__":
    main()
