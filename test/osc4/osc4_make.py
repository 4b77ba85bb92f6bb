#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""osc4_make.py - the document's commands, in compat/osc4 of a fresh copy of the tree."""
import os
import shutil
import subprocess
import sys
import tempfile


def copy_tree(to):
    """The tree as it is checked out: nothing that was built."""
    shutil.copytree(".", to, symlinks=True, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns(".git", "build", "kernel8.img", "__pycache__"))


def run(folder, command):
    # Not a part of the make that may have started this test.
    clean = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = subprocess.run(["bash", "-c", command], cwd=folder, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          env=clean)
    return done.returncode, done.stdout


def main():
    print("1..4")
    failed = 0

    def tell(number, good, name, output):
        nonlocal failed
        failed += not good
        print(("ok" if good else "not ok"), f"{number} - osc4 commands: {name}")
        if not good:
            print("\n".join("# " + line for line in output.split("\n")[-8:]))

    with tempfile.TemporaryDirectory() as root:
        copy_tree(root)
        here = os.path.join(root, "compat/osc4")
        image = os.path.join(here, "kernel8.img")
        code, output = run(here, "make clean && make")
        tell(1, code == 0 and os.path.getsize(image) > 10000,
             "make clean && make: kernel8.img is there", output)
        code, output = run(here, "make qemu")
        tell(2, code == 0 and "osc4: all demos passed" in output, "make qemu: demos pass", output)
        os.remove(image)
        code, output = run(here, "make raspi")
        tell(3, code == 0 and os.path.exists(image) and "send_kernel.py" in output,
             "make raspi: kernel8.img is there, and how to send it", output)
        code, output = run(here, "python3 send_kernel.py kernel8.img /dev/no-such-tty")
        tell(4, code != 0 and "no-such-tty" in output and "Traceback" not in output,
             "send_kernel.py without a cable: a clear error", output)
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
