#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""higherhalf_make.py - what README.md of compat/higherhalf says: its commands, its C, its log."""
import os
import re
import subprocess
import sys

FOLDER = "compat/higherhalf"
NUMBER = re.compile(r"0x[0-9a-f]+|\d+")


def run(command, folder="."):
    # Not a part of the make that may have started this test.
    clean = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=clean)
    return done.returncode, [line.rstrip("\r") for line in done.stdout.split("\n")]


def readme(kind):
    with open(f"{FOLDER}/README.md", encoding="utf-8") as file:
        return re.findall(rf"```{kind}\n(.*?)```", file.read(), re.S)


def shape(line):
    """The line with its numbers and what depends on the loader taken out."""
    return NUMBER.sub("N", line)


def steps(lines):
    return [line for line in lines if re.match(r"\[\d/8\] ", line)]


def main():
    print("1..5")
    failed = 0

    def tell(number, good, name, output):
        nonlocal failed
        failed += not good
        print(("ok" if good else "not ok"), f"{number} - higherhalf: {name}")
        if not good:
            print("\n".join("# " + line for line in output[-12:]))

    code, lines = run(["build/host/higherhalf-demo"])
    last = "higherhalf: every step went well, memory is as it was"
    tell(1, code == 0 and last in lines and len(steps(lines)) == 8,
         "higherhalf-demo: eight steps and the demo in a process", lines)

    commands = re.findall(r"^make ([\w-]+)", readme("bash")[0], re.M)
    tell(2, commands == ["run-higherhalf", "test"], "README: starts with the commands", commands)
    code, lines = run(["make", "-n", "--no-print-directory", "test"], FOLDER)
    tell(3, code == 0 and "test-higherhalf" in "\n".join(lines), "make test: calls the root",
         lines)
    code, lines = run(["make", "--no-print-directory", "run-higherhalf"], FOLDER)
    want = [shape(line) for line in readme("text")[0].splitlines()]
    tell(4, code == 0 and last in lines and [shape(line) for line in steps(lines)] == want,
         "make run-higherhalf: the README's eight lines, exit code 0", lines)

    program = '#include "higherhalf.h"\nvoid f(void);\nvoid f(void)\n{\n' + "".join(
        block.replace('#include "higherhalf.h"\n', "") for block in readme("c"))
    program += "(void)early;\n(void)size;\n}\n"
    done = subprocess.run(["gcc", "-std=c11", "-Wall", "-Werror", "-fsyntax-only",
                           f"-I{FOLDER}", "-Iinclude", "-Iport/hosted", "-x", "c", "-"],
                          input=program, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    tell(5, done.returncode == 0, "README: its C compiles", done.stdout.split("\n"))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
