#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The rules of the tree that need no compiler. Prints TAP.

- A file name occurs once, so that a name is enough to speak of a file. Exempt: compat/ (the names
  are those of other systems), loam_port.h (each port has one, by design), corpora, build files.
- Every source says its licence in its first lines.
- Every core file opens with its theory, under the same headings.
- Every rule that a core file numbers is broken on purpose by some test, which expects its name.
- Nothing is left for later, and no line is wider than 100 columns.
"""
import os
import re

from taplib import ROOT, Sample, Tap, read, tree

SOURCES = (".c", ".h", ".S", ".py", ".sh", ".mk", ".ld", ".dts")
SHARED_NAMES = {"README.md", "Makefile", "loam_port.h", ".clang-tidy"}
HEADINGS = ["WHAT", "MODEL", "RULES", "LOCKS", "COST", "FROM", "NOT"]
SPEAKING_OF_IT = {"tools/check_tree.py", "tools/tap_count.py"}
LATER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def name_faults(_, files):
    seen, faults = {}, []
    for path in files:
        name = os.path.basename(path)
        if path.startswith("compat/") or "/corpus/" in path or name in SHARED_NAMES:
            continue
        if name in seen:
            faults.append(f"{path}: the name is taken by {seen[name]}")
        seen.setdefault(name, path)
    return faults


def licence_faults(root, files):
    return [f"{path}: no SPDX line on top" for path in files if path.endswith(SOURCES)
            and "SPDX-License-Identifier: MIT" not in " ".join(read(root, path).splitlines()[:3])]


def theory_of(text):
    """The comment block that a core file opens with."""
    match = re.search(r"/\* \w+\.c - .*?\*/", text, re.S)
    return match.group(0) if match else ""


def theory_faults(root, files):
    faults = []
    for path in files:
        if not re.match(r"(core|pt)/\w+\.c$", path):
            continue
        found = re.findall(r"^ \* ([A-Z]+) ", theory_of(read(root, path)), re.M)
        found = [word for word in found if word in HEADINGS]
        if found != HEADINGS:
            faults.append(f"{path}: theory has {' '.join(found) or 'nothing'}; "
                          f"wanted {' '.join(HEADINGS)}")
    return faults


def rules_of(text):
    """Names of the rules that a theory numbers: "RULES  M1  each array ..." and below."""
    return re.findall(r"^ \* (?:RULES)?\s+([A-Z]\d+)  +\S", theory_of(text), re.M)


def untested_rules(root, files):
    tests = "\n".join(read(root, path) for path in files
                      if path.startswith("test/") and path.endswith(".c"))
    faults = []
    for path in files:
        if re.match(r"(core|pt)/\w+\.c$", path):
            faults += [f"{path}: no test expects rule {rule}" for rule in rules_of(read(root, path))
                       if f'"{rule}"' not in tests and f'"{rule} ' not in tests]
    return faults


def text_faults(root, files):
    faults = []
    for path in files:
        if not path.endswith(SOURCES) or path in SPEAKING_OF_IT:
            continue
        for number, line in enumerate(read(root, path).splitlines(), 1):
            if LATER.search(line):
                faults.append(f"{path}:{number}: left for later")
            if len(line) > 100:
                faults.append(f"{path}:{number}: {len(line)} columns")
            if line != line.rstrip():
                faults.append(f"{path}:{number}: space at the end of the line")
    return faults


THEORY = """/* SPDX-License-Identifier: MIT */
/* x.c - a sample.
 *
 * WHAT   Something.
 * MODEL  A drawing.
 * RULES  Q1  is so
 *        Q2  is so too
 * LOCKS  None.
 * COST   O(1).
 * FROM   Nowhere.
 * NOT    All else.
 */
"""


def self_test(tap):
    cases = [
        (name_faults, {"core/x.c": THEORY, "boot/x.c": ""}, "taken by", "one name twice"),
        (licence_faults, {"core/x.c": "int x;\n"}, "no SPDX", "no licence line"),
        (theory_faults, {"core/x.c": THEORY.replace("COST", "cost")}, "theory has",
         "a heading gone"),
        (untested_rules, {"core/x.c": THEORY, "test/unit/x_test.c": '"Q2"'}, "rule Q1",
         "a rule without a test"),
        (text_faults, {"core/x.c": "/* " + "TO" + "DO */\n"}, "left for later", "left for later"),
        (text_faults, {"core/x.c": "/" * 101 + "\n"}, "101 columns", "a wide line"),
    ]
    for fault_finder, files, part, name in cases:
        with Sample(files) as root:
            names = tree(root)
            tap.caught(fault_finder(root, names), part, name)
    sound = {"core/x.c": THEORY, "test/unit/x_test.c": "/* SPDX-License-Identifier: MIT */\n"
             'TAP_RULE(t, check(), "Q1"); TAP_RULE(t, check(), "Q2 is so too");\n'}
    with Sample(sound) as root:
        faults = []
        for fault_finder in (name_faults, licence_faults, theory_faults, untested_rules, text_faults):
            faults += fault_finder(root, tree(root))
        tap.none(faults, "self-test: a sound tree: no fault")


def main():
    tap = Tap()
    self_test(tap)
    files = tree(ROOT)
    tap.none(name_faults(ROOT, files), "tree: file names are unique")
    tap.none(licence_faults(ROOT, files), "tree: every source says its licence")
    tap.none(theory_faults(ROOT, files), "tree: every core file opens with its theory")
    tap.none(untested_rules(ROOT, files), "tree: every numbered rule has a test that breaks it")
    tap.none(text_faults(ROOT, files), "tree: nothing left for later, no line too wide")
    tap.done()


if __name__ == "__main__":
    main()
