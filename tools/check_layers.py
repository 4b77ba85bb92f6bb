#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares every #include of the tree with layers.txt, and says where it is broken. Prints TAP."""
import os
import re

from taplib import ROOT, Sample, Tap, read, tree

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
FREESTANDING = {"stdbool.h", "stddef.h", "stdint.h", "stdarg.h", "limits.h", "stdalign.h"}
# Folders whose files run without a C library; of test/, what runs inside a kernel.
BARE = ("include/loam/", "core/", "pt/", "boot/", "rt/", "arch/", "kern/", "test/unit/")

# Folders whose files belong to units.
UNITS = ("include/loam/", "core/", "pt/", "boot/")


class Layers:
    def __init__(self, text):
        self.units, self.folders = {}, {}
        for line in text.splitlines():
            line = line.split("#")[0].strip()
            if line:
                name, _, rest = line.partition(":")
                table = self.folders if "/" in name else self.units
                table[name] = rest.split()

    def unit_of(self, path):
        """The unit a file of the core, of boot/ or a public header belongs to, or None."""
        stem = os.path.splitext(os.path.basename(path))[0]
        while stem and stem not in self.units:
            stem = stem.rpartition("_")[0]
        return stem or None

    def folder_of(self, path):
        fitting = [name for name in self.folders if path.startswith(name)]
        return max(fitting, key=len, default=None)


def resolve(path, name, files):
    """The file of the tree that an #include "name" of path means, or None."""
    beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
    if beside in files:
        return beside
    if name in files:  # by its path from the root
        return name
    fitting = [file for file in files if file.endswith("/" + name)]
    return min(fitting, key=len, default=None)


# Each of the next three answers None when the include is no business of its rule, "" when it is in
# order, and else what is wrong.


def port_fault(path, target):
    """loam_port.h is whichever port is on the include path: port.h alone asks for it."""
    if os.path.basename(target) != "loam_port.h":
        return None
    if path == "include/loam/port.h" or path.startswith(("port/", "arch/",
                                                                   "test/stacsos/port/")):
        return ""
    return f"{path}: includes loam_port.h; include loam/port.h"


def unit_fault(layers, path, target):
    unit = layers.unit_of(path)
    if unit is None:
        return f"{path}: belongs to no unit of layers.txt"
    if not target.startswith(UNITS):
        return None
    other = layers.unit_of(target)
    if other == unit or other in layers.units[unit]:
        return ""
    return f"{path}: {unit} may not include {target} ({other})"


def folder_fault(layers, path, target):
    folder = layers.folder_of(path)
    if folder is None:
        return f"{path}: no line of layers.txt says what this folder may include"
    allowed = [folder, *layers.folders[folder]]
    if any(target.startswith(name) for name in allowed):
        return ""
    return f"{path}: {folder} may not include {target}"


def system_fault(path, name):
    bare = path.startswith(BARE) or path in ("test/tap.c", "test/tap.h")
    if bare and name not in FREESTANDING:
        return f"{path}: <{name}> needs a C library"
    return ""


def amalgam_fault(path, target):
    """A .c is a part of another file only by way of an amalgamation root (STYLE.md)."""
    if target.endswith(".c") and not path.endswith("_one.h"):
        return f"{path}: includes {target}; only a *_one.h may"
    return None


def root_faults(root, files):
    """An amalgamation root is whole units and no other code."""
    faults = []
    for path in files:
        if not path.endswith("_one.h"):
            continue
        text = re.sub(r"/\*.*?\*/", "", read(root, path), flags=re.S)
        faults += [f"{path}: code in an amalgamation root: {line}" for line in text.splitlines()
                   if line.strip() and not line.startswith("#")]
        parts = {resolve(path, name, files) for quote, name in INCLUDE.findall(text)}
        for part in parts:
            stem = os.path.splitext(part or "")[0]
            if (part or "").endswith(".c"):
                faults += [f"{path}: without {other}" for other in files if other not in parts
                           and other.startswith(stem + "_") and other.endswith(".c")]
    return faults


def include_fault(layers, path, quote, name, files):
    if quote == "<":
        return system_fault(path, name)
    target = resolve(path, name, files)
    if target is None:
        return f'{path}: "{name}" is no file of the tree'
    fault = port_fault(path, target)
    if fault is None:
        fault = amalgam_fault(path, target)
    if fault is None and path.startswith(UNITS):
        fault = unit_fault(layers, path, target)
    if fault is None:
        fault = folder_fault(layers, path, target)
    return fault


def faults_of(root):
    layers = Layers(read(root, "layers.txt"))
    files = set(tree(root, ".c", ".h", ".S", ".inc"))
    faults = []
    for path in sorted(files):
        if path.startswith(("include/loam/", "core/", "pt/")) and layers.unit_of(path) is None:
            faults.append(f"{path}: belongs to no unit of layers.txt")
        for quote, name in INCLUDE.findall(read(root, path)):
            faults.append(include_fault(layers, path, quote, name, files))
    faults += root_faults(root, files)
    return sorted({fault for fault in faults if fault})


def path_faults(root):
    """compat/x on an include path outside of mk/x.mk: its names would shadow the C library's."""
    faults = []
    for path in tree(root, ".mk", "Makefile", "CMakeLists.txt", "meson.build"):
        for system in re.findall(r"(?:-I|-iquote|-isystem) *compat/(\w+)", read(root, path)):
            if path != f"mk/{system}.mk" and not path.startswith(f"compat/{system}/"):
                faults.append(f"{path}: compat/{system} on an include path")
    return faults


def cycles_of(units):
    """Units that can reach themselves: a layer under itself is none."""
    def reach(unit, seen):
        for other in units.get(unit, ()):
            if other not in seen:
                seen.add(other)
                reach(other, seen)
        return seen
    return [f"{unit}: stands on itself" for unit in units if unit in reach(unit, set())]


def self_test(tap):
    layers = """base:
port: base
low: base
high: base low
include/loam/:
core/: include/loam/
kern/: include/loam/
port/hosted/: include/loam/
compat/x/:
compat/x/low_one.h: core/
"""
    good = {
        "layers.txt": layers,
        "include/loam/base.h": "#include <stdint.h>\n",
        "include/loam/port.h": '#include "loam_port.h"\n',
        "include/loam/low.h": '#include "loam/base.h"\n',
        "include/loam/high.h": '#include "loam/low.h"\n',
        "port/hosted/loam_port.h": '#include "loam/base.h"\n',
        "core/low.c": '#include "loam/low.h"\n',
        "core/high_more.c": '#include "loam/high.h"\n#include "loam/low.h"\n',
        "compat/x/malloc.h": "",
        "compat/x/low_one.h": '#include "../../core/low.c"\n',
    }
    with Sample(good) as root:
        tap.none(faults_of(root), "self-test: a sound tree: no fault")
    broken = [
        ("an upward include", {"core/low.c": '#include "loam/high.h"\n'}, "low may not include"),
        ("an undeclared include", {"core/low.c": '#include "loam/port.h"\n'}, "low may not"),
        ("a file of no unit", {"core/stray.c": ""}, "belongs to no unit"),
        ("a C library header in the core", {"core/low.c": "#include <stdio.h>\n"}, "C library"),
        ("the port from the core", {"core/low.c": '#include "loam_port.h"\n'}, "loam/port.h"),
        ("compat from a kernel", {"kern/main.c": '#include "malloc.h"\n'}, "kern/ may not"),
        ("a folder without a line", {"new/x.c": '#include "loam/base.h"\n'}, "no line of"),
        ("the core from beside a root", {"core/low_impl.h": "", "compat/x/y.c":
                                            '#include "../../core/low_impl.h"\n'}, "may not"),
        ("a .c outside of a root", {"core/high_more.c": '#include "low.c"\n'}, "only a *_one.h"),
        ("code in a root", {"compat/x/low_one.h": "int x;\n"}, "code in an amalgamation root"),
        ("half a unit in a root", {"core/low_more.c": ""}, "without core/low_more.c"),
        ("a header that is not there", {"core/low.c": '#include "loam/gone.h"\n'}, "no file"),
    ]
    for name, change, part in broken:
        with Sample({**good, **change}) as root:
            tap.caught(faults_of(root), part, name)
    with Sample({"mk/x.mk": "X := -Icompat/x\n", "mk/y.mk": "Y := -I compat/x\n"}) as root:
        faults = path_faults(root)
        tap.caught(faults, "mk/y.mk: compat/x", "compat on another's include path")
        tap.check(len(faults) == 1, "self-test: compat on its own include path: no fault", faults)
    tap.caught(cycles_of({"a": ["b"], "b": ["a"]}), "a: stands on itself", "two units in a circle")


def main():
    tap = Tap()
    self_test(tap)
    tap.none(cycles_of(Layers(read(ROOT, "layers.txt")).units), "layers.txt: no circle")
    tap.none(faults_of(ROOT), "layers: every include is allowed by layers.txt")
    tap.none(path_faults(ROOT), "layers: compat is on nobody else's include path")
    tap.done()


if __name__ == "__main__":
    main()
