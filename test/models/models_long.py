#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""SPIN over the parts of the core without locks: test/models/*.pml. Prints TAP.

A model says, below "Variants that must fail:", which changes of the protocol break it: each is a
macro that takes a step away or swaps two. The model as it stands has to be sound in every order,
and under every macro named after "Also sound:"; and SPIN has to find each variant.
"""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))

from taplib import Tap, read, run, tree  # noqa: E402

FOLDER = os.path.join(ROOT, "test/models")
LIMIT = 900  # seconds for one search
COMPILE = ["gcc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=6000", "-o", "pan", "pan.c"]
ERRORS = re.compile(r"errors: (\d+)")
STATES = re.compile(r"^ *(\d+) states, stored", re.M)


def macros(text, head):
    """The macros named after these words in the comment at the top."""
    comment = text.split("*/")[1]  # behind the line of the licence
    if head not in comment:
        return []
    part = comment[comment.index(head) + len(head):]
    return re.findall(r"\b([A-Z][A-Z_]+)\b(?= \()", part.split("\n *\n")[0])


def search(path, macro):
    """(errors or None, states, what SPIN said) of one model, with one macro or without."""
    with tempfile.TemporaryDirectory(prefix="loam-model-") as folder:
        source = os.path.join(folder, "model.pml")
        text = read(FOLDER, path).replace('#include "weak.pml"', read(FOLDER, "weak.pml"))
        with open(source, "w", encoding="utf-8") as file:
            file.write((f"#define {macro} 1\n" if macro else "") + text)
        told = ""
        for command in (["spin", "-a", "model.pml"], COMPILE):
            code, output = run(command, folder)
            told += output
            if code != 0:
                return None, 0, told
        try:
            done = subprocess.run(["./pan", "-m200000", "-w22"], cwd=folder, text=True,
                                  timeout=LIMIT, capture_output=True, check=False)
        except subprocess.TimeoutExpired:
            return None, 0, f"no end in {LIMIT} seconds"
        told = done.stdout + done.stderr
        errors, states = ERRORS.search(told), STATES.search(told)
        cut = "max search depth too small" in told or "out of memory" in told
        return (None if errors is None or cut else int(errors.group(1)),
                int(states.group(1)) if states else 0, told)


def is_found(told):
    """What a variant is to be found by: a want of the model, not one of weak.pml's own limits."""
    first = told.split("\n", 1)[0]
    return "last<" not in first and ("assertion violated" in first or "invalid end" in first)


def main():
    tap = Tap()
    models = [path for path in tree(FOLDER, ".pml") if path != "weak.pml"]
    tap.check(len(models) > 1, "models: found")
    for path in models:
        text = read(FOLDER, path)
        broken = macros(text, "Variants that must fail:")
        tap.check(broken != [], f"models: {path}: it says what must fail")
        for macro in [None, *macros(text, "Also sound:")]:
            errors, states, told = search(path, macro)
            tap.check(errors == 0, f"models: {path}: {macro or 'as it is'}: sound, {states} states",
                      told.splitlines()[:20])
        for macro in broken:
            errors, _, told = search(path, macro)
            tap.check(bool(errors) and is_found(told), f"models: {path}: {macro}: found",
                      told.splitlines()[:20])
    tap.done()


if __name__ == "__main__":
    main()
