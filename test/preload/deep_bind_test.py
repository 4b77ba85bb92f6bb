#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""dlopen with RTLD_DEEPBIND: the library's blocks are the program's; the file is looked for as the
library that calls dlopen says, which its own RUNPATH alone can find. In both word sizes."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import ROOT, Tap  # noqa: E402

PLUGIN = r"""
#include <stdlib.h>
#include <string.h>
char *plugin_text(void) { return strcpy(malloc(20), "from the plugin"); }
void plugin_free(char *text) { free(text); }
"""
MIDDLE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
void *middle_open(const char *name, int flags) { return dlopen(name, RTLD_NOW | flags); }
"""
PROGRAM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
void *middle_open(const char *name, int flags);
int main(int argc, char **argv)
{
    void *plugin = middle_open("libplugin.so", argc > 1 ? RTLD_DEEPBIND : 0);
    if (plugin == NULL) {
        puts(dlerror());
        return 1;
    }
    char *(*text)(void) = dlsym(plugin, "plugin_text");
    void (*release)(char *) = dlsym(plugin, "plugin_free");
    char *here = text();
    puts(here);
    free(here);
    release(malloc(100));
    printf("%d\n", dlclose(plugin));
    here = dlopen("no such file", RTLD_NOW | RTLD_DEEPBIND);
    printf("%d %d\n", here == NULL, dlerror() != NULL);
    return 0;
}
"""
GOOD = (0, "from the plugin\n0\n1 1\n", "")


def build(folder, words):
    def gcc(text, *rest):
        subprocess.run(["gcc", *words, "-x", "c", "-", "-x", "none", *rest], input=text, text=True,
                       check=True, cwd=folder)
    os.mkdir(os.path.join(folder, "inside"))
    gcc(PLUGIN, "-shared", "-fPIC", "-o", "inside/libplugin.so")
    gcc(MIDDLE, "-shared", "-fPIC", "-o", "libmiddle.so", "-Wl,-rpath,$ORIGIN/inside")
    gcc(PROGRAM, "-o", "program", "-L.", "-lmiddle", "-Wl,-rpath,$ORIGIN")


def run(folder, library, conf, *words):
    env = {**os.environ, "LOAM_CONF": conf, **({"LD_PRELOAD": library} if library else {})}
    done = subprocess.run([os.path.join(folder, "program"), *words], env=env, text=True,
                          capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def main():
    tap = Tap()
    for bits, words in (("host", []), ("host32", ["-m32"])):
        library = os.path.join(ROOT, f"build/{bits}/libloam.so")
        with tempfile.TemporaryDirectory(prefix="loam-deep-") as folder:
            build(folder, words)
            for name, arguments in (("RTLD_DEEPBIND", ["deep"]), ("no flag", [])):
                results = [run(folder, lib, conf, *arguments) for lib, conf in
                           ((None, ""), (library, ""), (library, "hardened"))]
                tap.check(results == [GOOD] * 3, f"{bits}: {name}: as with the C library's malloc",
                          [str(r) for r in results])
            code, _, errors = run(folder, library, "deep_bind", "deep")
            tap.check(code == -6 and "foreign free" in errors,
                      f"{bits}: deep_bind: two mallocs, and the mix is told", [errors])
    tap.done()


if __name__ == "__main__":
    main()
