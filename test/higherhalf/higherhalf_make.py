#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""higherhalf_make.py - what README.md of compat/higherhalf says: its commands, its C, its log."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import OUTSIDE, Tap  # noqa: E402

FOLDER = "compat/higherhalf"
NUMBER = re.compile(r"0x[0-9a-f]+|\d+")


def run(command, folder="."):
    done = subprocess.run([*OUTSIDE, *command], cwd=folder, stdin=subprocess.DEVNULL, text=True,
                          check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, [line.rstrip("\r") for line in done.stdout.split("\n")]


def readme(kind):
    with open(f"{FOLDER}/README.md", encoding="utf-8") as file:
        return re.findall(rf"```{kind}\n(.*?)```", file.read(), re.S)


def shape(line):
    """The line with its numbers and what depends on the loader taken out."""
    return NUMBER.sub("N", line)


def steps(lines):
    return [line for line in lines if re.match(r"\[\d/8\] ", line)]


def readme_program(path):
    """Builds and runs the README's C, on the machine in a process."""
    block = "".join(readme("c")).replace('#include "higherhalf.h"\n', "")
    program = ('#include "process.h"\n#include <stdio.h>\n'
               "int main(void)\n{\nhh_machine_set(hh_process_machine());\n" + block +
               'printf("%zu\\n", early != NULL && pages != NULL ? size : 0);\n'
               "return hh_check() != NULL;\n}\n")
    with open(path + ".c", "w", encoding="ascii") as file:
        file.write(program)
    code, lines = run(["gcc", "-std=c11", "-Wall", "-Werror", f"-I{FOLDER}", "-Iinclude",
                       "-Iport/hosted", path + ".c", "build/host/libhigherhalf.a",
                       "build/host/libloam.a", "-o", path])
    return (code, lines) if code != 0 else run([path])


def main():
    tap = Tap()

    def tell(good, name, output):
        tap.check(good, f"higherhalf: {name}", output[-12:])

    code, lines = run(["build/host/higherhalf-demo"])
    last = "higherhalf: every step went well, memory is as it was"
    tell(code == 0 and last in lines and len(steps(lines)) == 8,
         "higherhalf-demo: eight steps and the demo in a process", lines)

    commands = re.findall(r"^make ([\w-]+)", readme("bash")[0], re.M)
    tell(commands == ["run-higherhalf", "test"], "README: starts with the commands", commands)
    code, lines = run(["make", "-n", "--no-print-directory", "test"], FOLDER)
    tell(code == 0 and "test-higherhalf" in "\n".join(lines), "make test: calls the root",
         lines)
    code, lines = run(["make", "--no-print-directory", "run-higherhalf"], FOLDER)
    want = [shape(line) for line in readme("text")[0].splitlines()]
    tell(code == 0 and last in lines and [shape(line) for line in steps(lines)] == want,
         "make run-higherhalf: the README's eight lines, exit code 0", lines)

    with tempfile.TemporaryDirectory(prefix="loam-hh-") as folder:
        code, lines = readme_program(os.path.join(folder, "readme"))
    tell((code, lines[0]) == (0, "5000"), "README: its C runs on the library", lines)
    _, lines = run(["nm", "-g", "--defined-only", "build/host/libhigherhalf.a"])
    names = [line.split()[2] for line in lines if len(line.split()) == 3]
    strays = [name for name in names if not name.startswith("hh_")]
    tell(len(names) > 20 and not strays, "libhigherhalf.a: exports only hh_", strays)
    tap.done()


if __name__ == "__main__":
    main()
