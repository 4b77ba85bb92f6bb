#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""clang-format, cppcheck and clang-tidy over every C file of the tree, or those named:
check_lint.py [FILE...]. Prints TAP.

.clang-tidy says which checks are off and why (test/.clang-tidy for tests); the length of a
function (80 lines), its nesting (3) and recursion are among those that are on. cppcheck's
exceptions are below. The analyzer follows a function to 20,000 states; in test-long to 225,000,
which few functions have, and four fifths of its time go there.

Each of the three tells the tree by its own version: another one formats some lines otherwise, or
has checks that nobody has looked at. So only the versions of TRIED look at the whole tree.
"""
import hashlib
import os
import re
import sys

from taplib import ROOT, Sample, Tap, flags_of, parallel, read, run, tree

# What cppcheck may say, and why we let it.
CPPCHECK_EXCEPTIONS = [
    "missingInclude",          # loam_port.h is chosen by the include path
    "missingIncludeSystem",    # it needs none of the C library's headers to judge
    "unmatchedSuppression",    # an exception that is not met is no fault
    "unknownMacro",            # X-macro tables are read by the compilers
    "subtractPointers",        # two symbols of the linker are ends of one image
    "comparePointers",         # the same
    "internalAstError",        # its parser stumbles over a compound literal inside ?:
]


TRIED = {"clang-format": "14", "cppcheck": "2.10", "clang-tidy": "14"}

SHORTER = [] if os.environ.get("LOAM_LONG") else \
    ["-Xclang", "-analyzer-config", "-Xclang", "max-nodes=20000"]


def format_faults(root, files):
    config = os.path.join(ROOT, ".clang-format")
    code, output = run(["clang-format", f"--style=file:{config}", "--dry-run", "-Werror", *files],
                       root)
    return [line for line in output.splitlines() if "error:" in line] if code else []


def cppcheck_faults(root, files):
    command = ["cppcheck", "--quiet", "--std=c11", "--inline-suppr", "--error-exitcode=1",
               "--enable=warning,performance,portability", "--template={file}:{line}: {message}",
               f"-j{os.cpu_count() or 2}", "-Iinclude", "-Iport/hosted", "-Itest"]
    command += [f"--suppress={name}" for name in CPPCHECK_EXCEPTIONS]
    code, output = run([*command, *files], root) if files else (0, "")
    return output.splitlines() if code else []


def tidy_faults(root, path):
    config = [f"--config-file={ROOT}/.clang-tidy"] if root != ROOT else []
    code, output = run(["clang-tidy", "--quiet", *config, path, "--", *flags_of(path), *SHORTER],
                       root)
    told = [line for line in output.splitlines() if "error:" in line or "note:" in line]
    return told or [output] if code else []


def lint_key(path):
    """Names what clang-tidy would see: the file with all it includes, its flags, the checks."""
    _, text = run(["clang", "-E", *flags_of(path), path])
    checks = [read(ROOT, ".clang-tidy"), read(ROOT, "test/.clang-tidy")]
    seen = [text, *flags_of(path), *SHORTER, *checks]
    return hashlib.sha256("\n".join(seen).encode()).hexdigest()


def tidy_once(path):
    """tidy_faults, unless the same was found sound before: build/lint remembers."""
    known = os.path.join(ROOT, "build/lint", lint_key(path))
    if os.path.exists(known):
        return []
    faults = tidy_faults(ROOT, path)
    if not faults:
        os.makedirs(os.path.dirname(known), exist_ok=True)
        with open(known, "w", encoding="utf-8") as file:
            file.write(path)
    return faults


NESTED = """int loam_x(int a);
int loam_x(int a)
{
    if (a > 1) {
        while (a > 2) {
            if (a > 3) {
                if (a > 4) {
                    a--;
                }
            }
        }
    }
    return a;
}
"""


def self_test(tap):
    long_body = "".join(f"    a += {i};\n" for i in range(90))
    broken = [
        (lambda root, path: format_faults(root, [path]), "int  x ;\n", "code should be clang-form",
         "clang-format: a badly set line"),
        (lambda root, path: cppcheck_faults(root, [path]),
         "int f(void);\nint f(void)\n{\n    int a[2] = {0, 1};\n    return a[2];\n}\n",
         "out of bounds", "cppcheck: an index past the end"),
        (tidy_faults, "int f(int a);\nint f(int a)\n{\n    return a ? f(a - 1) : 0;\n}\n",
         "misc-no-recursion", "clang-tidy: recursion"),
        (tidy_faults, NESTED, "readability-function-size", "clang-tidy: nesting of 4"),
        (tidy_faults, f"int f(int a);\nint f(int a)\n{{\n{long_body}    return a;\n}}\n",
         "readability-function-size", "clang-tidy: a function of 90 lines"),
    ]
    for fault_finder, text, part, name in broken:
        with Sample({"core/x.c": text}) as root:
            tap.caught(fault_finder(root, "core/x.c"), part, name)


def is_tried(tap, command):
    """Is this tool of the version that the tree is sound by? If not, that is a subtest skipped."""
    _, text = run([command, "--version"], ROOT)
    version = re.search(r"\d+(\.\d+)*", text)[0]
    if f"{version}.".startswith(TRIED[command] + "."):
        return True
    tap.skip(f"lint: {command}", f"it is {version}, the tree is looked at with {TRIED[command]}")
    return False


def main():
    tap = Tap()
    self_test(tap)
    files = sys.argv[1:] or tree(ROOT, ".c", ".h")
    sources = [path for path in files if path.endswith(".c")]
    if is_tried(tap, "clang-format"):
        tap.none(format_faults(ROOT, files), "lint: clang-format")
    if is_tried(tap, "cppcheck"):
        tap.none(cppcheck_faults(ROOT, sources), "lint: cppcheck")
    if is_tried(tap, "clang-tidy"):
        for path, faults in zip(sources, parallel(tidy_once, sources)):
            tap.none(faults, f"lint: clang-tidy: {path}")
    tap.done()


if __name__ == "__main__":
    main()
