#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No function of the core needs more than 256 bytes of stack. Prints TAP.

Reads what the compilers wrote beside the objects (-fstack-usage); `make check` builds them first.
"""
import os

from taplib import ROOT, Sample, Tap, core_objects, read, run

LIMIT = 256
VARIANTS = ("host", "hostclang", "host32")


def faults_of(text):
    """Lines of a .su file: place and function, bytes, static or dynamic."""
    faults = []
    for line in text.splitlines():
        place, size, kind = line.split("\t")
        if int(size) > LIMIT:
            faults.append(f"{place}: {size} bytes")
        if "dynamic" in kind and "bounded" not in kind:
            faults.append(f"{place}: as much as it likes")
    return faults


def self_test(tap):
    text = """void use(char *);
void loam_big(void);
void loam_big(void) { char a[300]; use(a); }
void loam_any(unsigned n);
void loam_any(unsigned n) { char a[n]; use(a); }
"""
    for compiler in ("gcc", "clang"):
        with Sample({"x.c": text}) as root:
            run([compiler, "-O2", "-fstack-usage", "-c", "x.c", "-o", "x.o"], root)
            faults = faults_of(read(root, "x.su"))
        tap.caught(faults, "loam_big", f"{compiler}: an array of 300 bytes")
        tap.caught(faults, "as much as it likes", f"{compiler}: an array of n bytes")


def main():
    tap = Tap()
    self_test(tap)
    for variant in VARIANTS:
        faults, seen = [], 0
        for path in core_objects(variant):
            usage = path[:-2] + ".su"
            seen += os.path.exists(usage)
            faults += faults_of(read(ROOT, usage)) if os.path.exists(usage) else []
        tap.check(seen > 0, f"stack: {variant}: the compiler told the sizes")
        tap.none(faults, f"stack: {variant}: at most {LIMIT} bytes a function")
    tap.done()


if __name__ == "__main__":
    main()
