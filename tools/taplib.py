# SPDX-License-Identifier: MIT
"""TAP for the checks that are written in Python.

Every check shows first that it can fail: it is run on a broken sample, and that a sample is caught
is a subtest like any other.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# In front of a command that is not a part of the make that may have started this test.
OUTSIDE = ["env", "-u", "MAKEFLAGS", "-u", "MFLAGS", "-u", "MAKELEVEL"]


class Tap:
    def __init__(self):
        self.number = 0
        self.failed = 0

    def check(self, passed, name, notes=()):
        self.number += 1
        self.failed += not passed
        print(f"{'ok' if passed else 'not ok'} {self.number} - {name}", flush=True)
        if not passed:
            for note in notes:
                print(f"#   {note}")

    def skip(self, name, why):
        self.check(True, f"{name} # SKIP {why}")

    def none(self, faults, name):
        """Passes when the list of faults is empty; else shows them."""
        self.check(not faults, name, faults)

    def caught(self, faults, part, name):
        """For a broken sample: passes when some fault contains the text."""
        self.check(any(part in fault for fault in faults), f"self-test: {name}: caught",
                   [f"no fault contains '{part}'; got:", *faults])

    def done(self):
        print(f"1..{self.number}")
        sys.exit(1 if self.failed else 0)


class Sample:
    """A small tree of files in a temporary folder: with Sample({"core/x.c": "..."}) as root."""

    def __init__(self, files):
        self.files = files

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="loam-sample-")
        for path, text in self.files.items():
            full = os.path.join(self.folder.name, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(text)
        return self.folder.name

    def __exit__(self, *_):
        self.folder.cleanup()


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


SKIPPED = {".git", "build", "__pycache__"}


def tree(root, *suffixes):
    """Files below root, relative and sorted, as git would see them: no build output."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in SKIPPED]
        for name in names:
            if not suffixes or name.endswith(suffixes):
                found.append(os.path.relpath(os.path.join(folder, name), root))
    return sorted(found)


def run(command, root=ROOT, text=None):
    """(exit code, output) of a command; both streams together."""
    done = subprocess.run(command, cwd=root, input=text, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, errors="replace", check=False)
    return done.returncode, done.stdout


def parallel(work, items):
    """The results of work(item) for every item, in order; as many at once as there are cores."""
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        return list(pool.map(work, items))


def seed_word():
    """For the command line of a kernel that runs tests: " seed=N" when SEED= is given."""
    return f" seed={os.environ['SEED']}" if os.environ.get("SEED") else ""


def warnings():
    """STYLE.md's warning flags, from the one place that names them."""
    text = read(ROOT, "mk/build.mk").replace("\\\n", " ").replace("$(WERROR)", "-Werror")
    return re.search(r"^WARN = (.*)$", text, re.M).group(1).split()


KERNEL = ("arch/", "kern/", "rt/", "compat/osc4/kern.c", "compat/higherhalf/kern.c",
          "compat/shomp/src/kern/", "compat/stacsos/kern.c", "compat/stacsos/machine.c")


# What belongs to some machines alone, each file read as of the first that fits; the rest of a
# kernel is read as the Pi's.
PC = ("arch/x86/", "kern/boards/pc/", "kern/drivers/pc/")
MACHINES = {
    "pc32": (("arch/i386/", "kern/boards/pc32/", "kern/user/", *PC),
             ["--target=i386-none-elf", "-march=i386"]),
    "pc64": (("arch/x86_64/", "kern/boards/pc64/", *PC), ["--target=x86_64-none-elf"]),
    "rpi3": (("arch/aarch64/", "kern/boards/arm/", "kern/boards/rpi3/", "kern/boards/virt64/"),
             ["--target=aarch64-none-elf"]),
}


def flags_of(path):
    """How to read a C file without building it: language, target and include folders."""
    flags = ["-std=c11", "-I.", "-Iinclude", "-iquote", os.path.dirname(path), "-iquote", "test"]
    if path.startswith(KERNEL):
        fitting = [name for name, (own, _) in MACHINES.items() if path.startswith(own)]
        machine = fitting[0] if fitting else "rpi3"
        mine = MACHINES[machine][0]
        others = tuple(folder for own, _ in MACHINES.values() for folder in own
                       if folder not in mine)
        folders = sorted({os.path.dirname(header) for header in tree(ROOT, ".h")
                          if header.startswith(KERNEL) and not header.startswith(others)})
        flags += [*MACHINES[machine][1], "-ffreestanding", "-mgeneral-regs-only"]
        return flags + [f"-I{folder}" for folder in folders]
    if path.startswith("port/preload/musl"):
        flags += ["-nostdlibinc", "-isystem", *glob.glob("/usr/include/*-linux-musl")[:1]]
    port = "explore" if path.startswith(("port/explore/", "test/explore/")) else "hosted"
    return flags + [f"-Iport/{port}", "-DTAP_SUITE_NAME=base_test"]


def core_objects(variant):
    """Objects of the core and the boot parsers that this variant has built, relative to ROOT."""
    sources = read(ROOT, "core/sources.list").split()
    sources += [path for path in tree(ROOT, ".c") if path.startswith("boot/")]
    objects = [f"build/{variant}/obj/{path[:-2]}.o" for path in sources]
    return [path for path in objects if os.path.exists(os.path.join(ROOT, path))]
