#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Breaks the code one token at a time, and wants the tests to notice. Prints TAP.

test/mutants/<unit>.txt names the tests of a unit and its mutants:

    tests: unit/base_test model/x_model
    with: compat/x/a.c compat/x/b.c

    core/base.c
    -     rest %= 10;
    +     rest %= 9;

Either of the first two may stand in several lines. Text behind `- ` is replaced by the text behind
`+ `, each one line or several, and has to stand exactly once in the file: a mutant that no longer
applies is a failure, to be written anew. `with` names files that are not in the library and belong
to the tests (none: no such line). Tests in explore/ run the mutant in every order (port/explore/),
and stand alone in their file. `long` behind the file's name keeps a mutant for `make test-long`. A
mutant lives in build/mutants alone; it is killed when a test fails, crashes or takes too long; one
that does not compile is no mutant but a mistake.
"""
import os
import shutil
import re
import resource
import subprocess

from taplib import ROOT, Tap, parallel, read, tree

LIMIT = 60 if os.environ.get("LOAM_LONG") else 20  # seconds for one test of one mutant
UNCHANGED_LIMIT = 600  # of nothing changed: on a busy machine what takes long passes all the same
FLAGS = ["-std=c11", "-ffreestanding", "-Iinclude"]
PORT = {  # how a variant's objects are made: mk/explore.mk
    "host": ["-O0", "-Iport/hosted"],
    "explore": ["-O1", "-g1", "-fno-pie", "-fsanitize=thread", "-include",
                "port/explore/explore_builtin.h", "-Iport/explore"],
}
LINK = {"host": ["-lpthread"], "explore": ["-no-pie"]}
WORK = os.path.join(ROOT, "build/mutants")


class Mutant:
    def __init__(self, unit, tests, path, is_long, old, new, beside=()):
        self.unit, self.tests, self.path, self.is_long = unit, tests, path, is_long
        self.old, self.new, self.beside = old, new, beside
        self.verdict = None  # None: survived

    def variant(self):
        return "explore" if self.tests[0].startswith("explore/") else "host"

    def __str__(self):
        old, new = (" ".join(text.split()) for text in (self.old, self.new))
        return f"mutants: {self.path}: {old} -> {new or 'nothing'}"


def behind(sign, lines):
    return re.sub(f"^{sign} ?", "", lines, flags=re.M).removesuffix("\n")


def parse(unit, text):
    tests = " ".join(re.findall(r"^tests: (.*)$", text, re.M)).split()
    beside = " ".join(re.findall(r"^with: (.*)$", text, re.M)).split()
    found = re.findall(r"^([\w/.]+\.[ch])( long)?\n((?:-.*\n)*)((?:\+.*(?:\n|\Z))*)", text, re.M)
    return [Mutant(unit, tests, path, bool(is_long), behind("-", old), behind(r"\+", new), beside)
            for path, is_long, old, new in found]


def limits():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))


def passes(command, limit=None):
    environment = {**os.environ, "SEED": "1", "LOAM_MUTANT": "1"}
    environment.pop("LOAM_LONG", None)
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, timeout=limit, check=False,
                              preexec_fn=limits, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def link(variant, test, changed, beside, program):
    """Links a test with the changed objects in front of the library that has the sound ones."""
    built = f"build/{variant}/obj/test"
    objects = [f"{built}/{test}.o", f"{built}/tap.o", *changed, *beside,
               f"build/{variant}/libcore.a"]
    main_object = f"{built}/main/{os.path.basename(test)}.o"
    if os.path.exists(os.path.join(ROOT, main_object)):
        objects.insert(0, main_object)
    return passes(["gcc", *objects, *LINK[variant], "-o", program])


def includers(path):
    """The files beside a header that include it, themselves or by way of other headers there."""
    folder = os.path.dirname(path)
    beside = [os.path.join(folder, n) for n in sorted(os.listdir(os.path.join(ROOT, folder)))]
    texts = {p: read(ROOT, p) for p in beside if p.endswith((".c", ".h"))}
    found, new = set(), {path}
    while new:
        lines = [f'#include "{os.path.basename(p)}"' for p in new]
        new = {p for p, text in texts.items() if any(line in text for line in lines)} - found
        found |= new
    return sorted(found)


def compiled(path):
    """What to compile anew: the file itself; of a header, the files beside it that include it."""
    return [p for p in includers(path) if p.endswith(".c")] if path.endswith(".h") else [path]


def run_mutant(numbered):
    number, mutant = numbered
    variant = mutant.variant()
    source = read(ROOT, mutant.path)
    count = source.count(mutant.old)
    if count != 1:
        mutant.verdict = f"stands {count} times in the file"
        return mutant
    folder = os.path.join(WORK, str(number))
    shutil.rmtree(folder, ignore_errors=True)  # headers of another run would be included
    os.makedirs(folder)
    copy = os.path.join(folder, os.path.basename(mutant.path))
    with open(copy, "w", encoding="utf-8") as file:
        file.write(source.replace(mutant.old, mutant.new))
    if mutant.path.endswith(".h"):
        for path in includers(mutant.path):  # beside it, so that it is the one included
            shutil.copy(os.path.join(ROOT, path), folder)
    changed = []
    for path in compiled(mutant.path):
        copy = os.path.join(folder, os.path.basename(path))
        changed.append(copy[:-2] + ".o")
        if not passes(["gcc", *FLAGS, *PORT[variant], "-iquote", os.path.dirname(mutant.path),
                       "-c", copy, "-o", changed[-1]]):
            mutant.verdict = "the compiler"
            return mutant
    beside = [f"build/host/obj/{path[:-2]}.o" for path in mutant.beside
              if path not in compiled(mutant.path)]
    for test in mutant.tests:
        program = os.path.join(folder, test.replace("/", "+"))
        if not link(variant, test, changed, beside, program):
            mutant.verdict = f"{test} does not link"
        elif not passes([program], LIMIT if mutant.old != mutant.new else UNCHANGED_LIMIT):
            mutant.verdict = test
        if os.path.exists(program):
            os.remove(program)
        if mutant.verdict:
            break
    return mutant


def baseline(mutant):
    """The same file and tests, with nothing changed: they have to pass, or a kill says nothing."""
    return Mutant(mutant.unit, mutant.tests, mutant.path, False, mutant.old, mutant.old,
                  mutant.beside)


def is_killed(mutant):
    return mutant.verdict is not None and mutant.verdict in mutant.tests


def stands_once(mutant):
    return mutant.old != "" and read(ROOT, mutant.path).count(mutant.old) == 1


def self_test(tap):
    head = "tests: unit/base_test\n\ncore/base.c\n"
    sound = parse("base", head + "- return rest;\n+ return (rest);\n")[0]
    stale = parse("base", head + "- no such text\n+ at all\n")[0]
    two = parse("base", head + "- a;\n-     b;\n+ c;\n+\n")[0]
    typo = parse("base", head + "- return rest;\n+ return retss;\n")[0]
    broken = parse("base", head + "- return rest;\n+ return rest + 1;\n")[0]
    run_mutant(("self0", sound))
    run_mutant(("self1", stale))
    run_mutant(("self2", typo))
    run_mutant(("self3", broken))
    tap.check(sound.verdict is None, "self-test: a change that changes nothing: survives")
    tap.check(stale.verdict == "stands 0 times in the file", "self-test: lost text: told")
    tap.check((two.old, two.new) == ("a;\n    b;", "c;\n"), "self-test: several lines")
    tap.check(not is_killed(typo), "self-test: a mutant that does not compile: no kill")
    tap.check(broken.verdict == "unit/base_test", "self-test: a wrong digit: killed")


def main():
    tap = Tap()
    self_test(tap)
    is_long = bool(os.environ.get("LOAM_LONG"))
    mutants = []
    for path in tree(os.path.join(ROOT, "test/mutants"), ".txt"):
        found = parse(path[:-4], read(ROOT, f"test/mutants/{path}"))
        lost = [str(mutant) for mutant in found if not stands_once(mutant)]
        tap.check(not lost, f"mutants: {path[:-4]}: every line stands once in its file", lost)
        mutants += [baseline(found[0])]
        mutants += [mutant for mutant in found if is_long or not mutant.is_long]
    for mutant in parallel(run_mutant, list(enumerate(mutants))):
        if mutant.old == mutant.new:
            tap.check(mutant.verdict is None, f"mutants: {mutant.unit}: unchanged: its tests pass",
                      [str(mutant.verdict)])
        else:
            tap.check(is_killed(mutant), f"{mutant}: killed",
                      [mutant.verdict or f"it survives {' '.join(mutant.tests)}"])
    tap.done()


if __name__ == "__main__":
    main()
