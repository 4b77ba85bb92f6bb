#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""libloam.so for 64-bit ARM, made by a cross compiler, under an emulator of one program: blocks of
all lengths in each mode, every call from several threads, a double free. Prints TAP.
"""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pages_test import BLOCKS, compiled, shown  # noqa: E402
from taplib import ROOT, Tap  # noqa: E402

LIBRARY = os.path.join(ROOT, "build/hostarm/libloam.so")
MODES = ("", "hardened", "guard,poison,quarantine=64K,owner", "guard_pages", "limit=900M")

TWICE = r"""
#include <stdlib.h>
int main(void)
{
    char *volatile p = malloc(100);
    free(p);
    free(p);
    return 0;
}
"""


def emulated(program, conf, library):
    words = ["-L", "/usr/aarch64-linux-gnu", "-E", "LD_PRELOAD=" + library]
    return subprocess.run(["qemu-aarch64", *words, program],
                          env={**os.environ, "LOAM_CONF": conf},
                          capture_output=True, text=True, check=False, timeout=1200)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="loam-aarch64-") as folder:
        blocks = compiled(folder, "blocks", BLOCKS, compiler="aarch64-linux-gnu-gcc")
        twice = compiled(folder, "twice", TWICE, compiler="aarch64-linux-gnu-gcc")
        for conf in MODES:
            done = emulated(blocks, conf, LIBRARY)
            tap.check((done.returncode, done.stdout, done.stderr) == (0, "4096 0 0\n", ""),
                      f"aarch64: blocks of all lengths: {conf or 'default'}", shown(done))
        done = emulated(os.path.join(ROOT, "build/preloadarm/malloc_mix"), "", "")
        tap.check(done.returncode == 0, "aarch64: malloc_mix", shown(done))
        done = emulated(twice, "", LIBRARY)
        tap.check(done.returncode != 0 and done.stderr.startswith("loam: ") and
                  "double free" in done.stderr, "aarch64: double free: one line, the end",
                  shown(done))
    tap.done()


main()
