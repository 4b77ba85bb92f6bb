#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""osc4_make.py - the document's commands, in compat/osc4 of a fresh copy of the tree. What the
build has compiled for the Pi is lent to the copy after its `make clean`; not in test-long.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import OUTSIDE, Tap  # noqa: E402


def copy_tree(to):
    """The tree as it is checked out: nothing that was built."""
    shutil.copytree(".", to, symlinks=True, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns(".git", "build", "kernel8.img", "__pycache__"))


def lend_objects(to):
    """As they are, with their times: older than no source of the copy."""
    for part in ("aarch64", "packages"):
        shutil.copytree(os.path.join("build", part), os.path.join(to, "build", part))


def run(folder, command):
    done = subprocess.run([*OUTSIDE, "bash", "-c", command], cwd=folder, stdin=subprocess.DEVNULL,
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


def readme_program():
    """The README's C as one file: each block a function of its own."""
    with open("compat/osc4/README.md", encoding="utf-8") as file:
        blocks = re.findall(r"```c\n(.*?)```", file.read(), re.S)
    text = '#include "malloc.h"\nbuddy_system_t buddy;\n'
    for i, block in enumerate(blocks):
        body = block.replace('#include "malloc.h"\n', "")
        text += (f"void block{i}(void *mem_start, size_t mem_size, page_t *page_array);\n"
                 f"void block{i}(void *mem_start, size_t mem_size, page_t *page_array)\n"
                 f"{{\n(void)mem_start, (void)mem_size, (void)page_array;\n{{\n{body}}}\n}}\n")
    return len(blocks), text


def main():
    tap = Tap()

    def tell(good, name, output):
        tap.check(good, f"osc4 commands: {name}", output.split("\n")[-8:])

    code, output = run(".", "build/host/osc4-demo")
    last = output.rstrip("\n").split("\n")[-1]
    tell((code, last) == (0, "osc4: all demos passed, memory is as it was"),
         "osc4-demo: the demos pass in a process", output)
    count, program = readme_program()
    done = subprocess.run(["gcc", "-std=c11", "-Wall", "-Werror", "-fsyntax-only", "-Icompat/osc4",
                           "-Iinclude", "-Iport/hosted", "-x", "c", "-"], input=program, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    tell(count == 2 and done.returncode == 0, "README: its C compiles", done.stdout)
    with tempfile.TemporaryDirectory() as root:
        copy_tree(root)
        here = os.path.join(root, "compat/osc4")
        image = os.path.join(here, "kernel8.img")
        os.mkdir(os.path.join(root, "build"))
        code, output = run(here, "make clean")
        tell(code == 0 and not os.path.exists(os.path.join(root, "build")),
             "make clean: nothing is left", output)
        if not os.environ.get("LOAM_LONG"):
            lend_objects(root)
        code, output = run(here, "make")
        tell(code == 0 and os.path.getsize(image) > 10000, "make: kernel8.img is there", output)
        code, output = run(here, "make qemu")
        tell(code == 0 and "osc4: all demos passed" in output, "make qemu: demos pass", output)
        os.remove(image)
        code, output = run(here, "make raspi")
        tell(code == 0 and os.path.exists(image) and "send_kernel.py" in output,
             "make raspi: kernel8.img is there, and how to send it", output)
        code, output = run(here, "python3 send_kernel.py kernel8.img /dev/no-such-tty")
        tell(code != 0 and "no-such-tty" in output and "Traceback" not in output,
             "send_kernel.py without a cable: a clear error", output)
    tap.done()


if __name__ == "__main__":
    main()
