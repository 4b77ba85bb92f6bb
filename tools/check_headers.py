#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every header compiles alone, with both compilers and all warnings. Prints TAP."""
import re

from taplib import ROOT, KERNEL, Sample, Tap, flags_of, parallel, read, run, tree, warnings


def compilers_for(path):
    return ["clang"] if path.startswith(KERNEL) else ["gcc", "clang"]


def faults_of(root, path):
    """A header twice in one file: it needs nothing before it, and it guards itself."""
    text = f'#include "{path}"\n' * 2 + "typedef int no_empty_unit;\n"
    faults = []
    for compiler in compilers_for(path):
        command = [compiler, *warnings(), *flags_of(path), "-iquote", ".", "-fsyntax-only",
                   "-x", "c", "-"]
        code, output = run(command, root, text)
        if code != 0:
            faults.append(f"{compiler}: {output}")
    return faults


def self_test(tap):
    broken = [
        ("uint8_t loam_x(void);\n", "uint8_t", "a header that needs another first"),
        ("struct loam_x {\n    int x;\n};\n", "redefinition", "a header without a guard"),
        ("int loam_x();\n", "prototype", "a warning"),
    ]
    for text, part, name in broken:
        with Sample({"include/loam/x.h": text}) as root:
            faults = faults_of(root, "include/loam/x.h")
            tap.caught(faults, part, name)
            tap.check(len(faults) == 2, f"self-test: {name}: by both compilers", faults)


def check_build(tap):
    """A warning ends the build as well, where its compilers are known (mk/build.mk, TRIED)."""
    tried = re.search(r"^TRIED := (.*)$", read(ROOT, "mk/build.mk"), re.M).group(1).split()
    here = [f"{name}-{run([name, '-dumpversion'])[1].split('.')[0].strip()}"
            for name in ("gcc", "clang")]
    _, text = run(["env", "-u", "MAKEFLAGS", "make", "-n", "V=1", "-W", "core/base.c",
                   "build/host/obj/core/base.o"])
    compiled = [line for line in text.splitlines() if " -c core/base.c" in line]
    tap.check(len(compiled) == 1 and
              ("-Werror" in compiled[0]) == all(name in tried for name in here),
              "headers: in the build a warning is an error", [*here, *compiled])


def main():
    tap = Tap()
    self_test(tap)
    check_build(tap)
    headers = tree(ROOT, ".h")
    for path, faults in zip(headers, parallel(lambda path: faults_of(ROOT, path), headers)):
        tap.none(faults, f"headers: {path} compiles alone")
    tap.done()


if __name__ == "__main__":
    main()
