#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Documentation is executed: its code is taken from files that compile, its targets exist.

A C block in README.md or docs/ stands below a comment that says where it comes from,

    <!-- from: examples/arena.c [arena] -->

and is the same, but for indentation, as what stands there between the lines /* [arena] */ and
/* [end] */. The examples print what their text promises.
"""
import os
import re
import subprocess
import sys
import textwrap

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))

from taplib import Sample, Tap, read, run, tree  # noqa: E402

BLOCK = re.compile(r"^(?:<!-- from: (\S+) \[(\w+)\] -->\n+)?```c\n(.*?)^```", re.M | re.S)
SHOWN = [
    ("README.md", "examples/arena.c [arena]"),
    ("docs/bringup.md", "examples/bringup.c [start]"),
]
TARGET = re.compile(r"(?:`|^\$? *)make ([a-z][a-z0-9-]*)(?=[ `\n])", re.M)


def region(text, name):
    match = re.search(rf"^ */\* \[{name}\] \*/\n(.*?)^ */\* \[end\] \*/", text, re.M | re.S)
    return textwrap.dedent(match.group(1)) if match else None


def code_faults(root, path):
    faults = []
    for source, name, code in BLOCK.findall(read(root, path)):
        first = code.splitlines()[0]
        if not source:
            faults.append(f"{path}: no file is named for the code that starts with: {first}")
        elif not os.path.exists(os.path.join(root, source)):
            faults.append(f"{path}: {source} is not there")
        elif region(read(root, source), name) != textwrap.dedent(code):
            faults.append(f"{path}: differs from {source} [{name}]")
    return faults


def target_faults(root, path):
    rules = "\n".join(read(root, name) for name in tree(root) if name.endswith(".mk")
                      or os.path.basename(name) == "Makefile")
    targets = {word for line in re.findall(r"^([a-z][\w -]*?):(?!=)", rules, re.M)
               for word in line.split()}
    return [f"{path}: make {name} is no target" for name in TARGET.findall(read(root, path))
            if name not in targets]


def self_test(tap):
    doc = "<!-- from: x.c [a] -->\n```c\nf();\n```\n"
    source = "int main(void)\n{\n    /* [a] */\n    f();\n    /* [end] */\n}\n"
    with Sample({"x.c": source, "Makefile": "test: all\n",
                 "good.md": doc + "Run `make test`.\n", "other.md": doc.replace("f()", "g()"),
                 "none.md": "```c\nf();\n```\n", "lost.md": doc.replace("x.c", "y.c"),
                 "target.md": "    make tset\n"}) as root:
        tap.none(code_faults(root, "good.md") + target_faults(root, "good.md"),
                 "self-test: a sound document: no fault")
        tap.caught(code_faults(root, "other.md"), "differs", "code that differs")
        tap.caught(code_faults(root, "none.md"), "no file is named", "code from nowhere")
        tap.caught(code_faults(root, "lost.md"), "is not there", "code from a lost file")
        tap.caught(target_faults(root, "target.md"), "no target", "a target that is none")


def prints(tap, program, wanted):
    done = subprocess.run([os.path.join(ROOT, program)], capture_output=True, text=True,
                          check=False)
    tap.check(done.returncode == 0 and re.fullmatch(wanted, done.stdout),
              f"docs: {program} prints its lines",
              [f"exit code {done.returncode}", *(done.stdout + done.stderr).splitlines()])


def main():
    tap = Tap()
    self_test(tap)
    for path in tree(ROOT, ".md"):
        if path == "README.md" or path.startswith("docs/"):
            tap.none(code_faults(ROOT, path), f"docs: {path}: its code compiles elsewhere")
        tap.none(target_faults(ROOT, path), f"docs: {path}: its make targets exist")
    for path, source in SHOWN:
        shown = f"<!-- from: {source} -->" in read(ROOT, path)
        tap.check(shown, f"docs: {path} shows {source}")
    prints(tap, "build/host/examples/arena", "hello from the arena\n")
    prints(tap, "build/tiny/examples/bringup",
           "two blocks: yes\n"
           "slab: double free: address [0-9a-f]+, free, kmalloc-112, 112 bytes, caller 0x.*\n"
           "a double free: LOAM_EINVAL\n")
    code, output = run(["make", "help"])
    tap.check(code == 0 and "  test " in output, "docs: make help lists the targets", [output])
    tap.done()


if __name__ == "__main__":
    main()
