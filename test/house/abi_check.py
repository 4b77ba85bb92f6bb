#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""libloam.so exports what port/preload/libloam.abi lists, exactly; so do its version script, the
archive, and the symbols file of the Debian package. The structures and constants of the headers
that it names lie where it says. docs/abi.md is the promise. Prints TAP.

    test/house/abi_check.py --write     makes the symbols file anew out of the list
"""
import fnmatch
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))

from taplib import Sample, Tap, read, run  # noqa: E402

KEPT = "port/preload/libloam.abi"
SCRIPT = "port/preload/libloam.map"
PACKAGED = "debian/libloam0.symbols"
LIBRARY = "build/host/libloam.so"
LIBRARY32 = "build/host32/libloam.so"  # of make test; a package's build has neither of these
MUSL, MUSL_ARCHIVE = "build/musl/libloam.so", "build/musl/libloam.a"
ARCHIVE = "build/host/libloam.a"
LIBCS = ("gnu", "musl")

SYMBOL = re.compile(r"^ *\d+: \w+ +(\w+) (\w+) +(\w+) +\w+ +(\S+) (\S+)$", re.M)
KINDS = {"FUNC": "func", "OBJECT": "data"}


def lines_of(text, libc):
    """The list's words, line by line, as far as they are for one C library."""
    for words in map(str.split, text.splitlines()):
        if words and words[0] not in ("#", *LIBCS):
            yield words
        elif words and words[0] == libc:
            yield words[1:]


def kept_abi(text, letter="m", libc="gnu"):
    """{"soname": .., "needed": {..}, "tls": .., "names": {name: "func" or "data SIZE"}}"""
    abi = {"soname": "", "needed": set(), "tls": 0, "names": {}, "headers": [], "layout": set(),
           "only": set()}
    for words in lines_of(text.replace("%", letter), libc):
        if words[0] == "soname":
            abi["soname"] = words[1]
        elif words[0] == "needed":
            abi["needed"].add(words[1])
        elif words[0] == "tls":
            abi["tls"] = int(words[1])
        elif words[0] == "header":
            abi["headers"].append(words[1:])
        elif words[0] in ("type", "member", "value"):
            abi["layout"].add(" ".join(words))
        elif words[0] == "only":
            abi["names"][words[1]] = "func"
            abi["only"].add(words[1])
        else:
            abi["names"][words[1]] = " ".join([words[0], *words[2:-1]])
    return abi


def abi_of(library):
    """The same of a library that was built."""
    _, dynamic = run(["readelf", "-dlW", library])
    _, table = run(["readelf", "--dyn-syms", "-W", library])
    names = {}
    for size, kind, bind, section, name in SYMBOL.findall(table):
        if section != "UND" and bind in ("GLOBAL", "WEAK", "UNIQUE"):
            names[name] = KINDS.get(kind, kind) + (f" {int(size, 0)}" if kind == "OBJECT" else "")
    soname = re.findall(r"\(SONAME\).*\[(.*)\]", dynamic)
    tls = re.findall(r"^ *TLS(?: +0x\w+){4} +(0x\w+)", dynamic, re.M)
    return {"soname": "".join(soname), "names": names, "tls": int("".join(tls) or "0", 0),
            "needed": set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic))}


def abi_faults(kept, built):
    faults = []
    if built["soname"] != kept["soname"]:
        faults.append(f"soname {built['soname']}, promised {kept['soname']}")
    if built["needed"] != kept["needed"]:
        faults.append(f"needs {sorted(built['needed'])}, promised {sorted(kept['needed'])}")
    if built["tls"] > kept["tls"]:
        faults.append(f"{built['tls']} bytes of static TLS, promised {kept['tls']}")
    for name in sorted(kept["names"].keys() | built["names"].keys()):
        want, have = kept["names"].get(name), built["names"].get(name)
        if have is None:
            faults.append(f"{name} is gone: programs that use it do not start any more")
        elif want is None:
            faults.append(f"{name} is exported and not in {KEPT}: '{have} {name}'")
        elif want != have:
            faults.append(f"{name} is '{have}', promised '{want}'")
    return faults


def script_faults(names, text):
    """The version script names nothing that the list lacks, and lets each name of it through."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    patterns = re.search(r"global:(.*?)local:", text, re.S).group(1).replace(";", " ").split()
    faults = [f"{pattern} matches no name" for pattern in patterns
              if not fnmatch.filter(names, pattern)]
    return faults + [f"{name} is kept local" for name in names
                     if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def exported(archive):
    return run(["nm", "-g", "--defined-only", archive])[1]


def archive_faults(kept, text):
    """What the archive exports besides the core's loam_*: the functions of the list."""
    names = {words[2] for words in map(str.split, text.splitlines())
             if len(words) == 3 and words[1] in "TWDBR"}
    functions = {name for name, kind in kept["names"].items() if kind == "func"} - kept["only"]
    faults = [f"the archive lacks {name}" for name in sorted(functions - names)]
    return faults + [f"the archive exports {name}" for name in sorted(names - functions)
                     if not name.startswith("loam_")]


def packaged(kept_text):
    """Debian's symbols: each name with its version; those of one word size are tagged as such."""
    rows = set()
    for words in lines_of(kept_text, "gnu"):
        if words[0] in ("func", "only", "data"):
            for bits, letter in ((64, "m"), (32, "j")):
                tag = f"(arch-bits={bits})" if "%" in words[1] else ""
                rows.add((words[1].replace("%", letter), tag, words[-1]))
    head = ["libloam.so.0 libloam0 #MINVER#", "* Build-Depends-Package: libloam-dev"]
    return head + [f" {tag}{name}@Base {since}" for name, tag, since in sorted(rows)]


def packaged_faults(text, kept_text):
    have, wanted = text.splitlines(), packaged(kept_text)
    return [f"lacks{line}" for line in wanted if line not in have] + \
        [f"has besides{line}" for line in have if line not in wanted]


LAYOUT = """#include <stdio.h>
#include <stddef.h>
#include "%s"
#define TYPE(t)  printf("type " #t " %%zu\\n", sizeof(t));
#define SIZE(t, m) sizeof(((t *)0)->m)
#define MEMBER(t, m) printf("member " #t " " #m " %%zu %%zu\\n", offsetof(t, m), SIZE(t, m));
#define VALUE(v) printf("value " #v " %%lld\\n", (long long)(v));
int main(void)
{
    %s
    return 0;
}
"""


def asked_of(code, only):
    """What to print of a header: of the types that are named, or of all."""
    code = re.sub(r"/\*.*?\*/", "", code, flags=re.S)
    asked = []
    for body, name in re.findall(r"^typedef struct \w+ \{\n(.*?)^\} (\w+);", code, re.M | re.S):
        if not only or name in only:
            names = re.findall(r"(\w+)(?:\[[^]]*\])?\s*(?=[,;])", body)
            asked += [f"TYPE({name})", *(f"MEMBER({name}, {member})" for member in names)]
    for name, body in re.findall(r"\benum(?: (\w+))? \{(.*?)\}", code, re.S):
        if not only or name in only:
            asked += [f"VALUE({value})" for value in re.findall(r"(?:^|,)\s*([A-Z]\w+)", body)]
    return asked


def layout_of(root, words, header, *only):
    """Lines "type T SIZE", "member T M OFFSET SIZE", "value CONSTANT N"; words are gcc's."""
    asked = asked_of(read(root, f"include/{header}"), only)
    with Sample({"layout.c": LAYOUT % (header, "\n    ".join(asked))}) as work:
        program = os.path.join(work, "layout")
        code, output = run(["gcc", *words, "-Iinclude", "-o", program, program + ".c"], root)
        return set((output if code else run([program], root)[1]).splitlines())


def layout_faults(root, kept, *words):
    built = {line for header in kept["headers"] for line in layout_of(root, words, *header)}
    return [f"is not so any more: {line}" for line in sorted(kept["layout"] - built)] + \
        [f"is not in {KEPT}: {line}" for line in sorted(built - kept["layout"])]


VERSIONS = [("mk/install.mk", r"^VERSION := (\S+)$"),
            ("meson.build", r"^project\('loam', 'c', version: '([^']+)'"),
            ("CMakeLists.txt", r"^project\(loam VERSION (\S+)"),
            ("debian/changelog", r"^loam \(([^)-]+)\S*\) ")]


def versions(root):
    """{file: the version of which it speaks}"""
    found = {path: re.search(pattern, read(root, path), re.M) for path, pattern in VERSIONS}
    return {path: match.group(1) if match else "" for path, match in found.items()}


def self_test(tap):
    kept = kept_abi("soname libx.so.0\nneeded libc.so.6\nfunc f 0.1\ndata d 4 0.1\n")
    sample = "int f(void);\nint f(void) { return 1; }\nint d;\n"
    cases = [(sample, "", "", "an ABI that is as it was"),
             (sample.replace("f(", "g("), "", "f is gone", "a function that is gone"),
             (sample + "int e;\n", "", "e is exported", "a name more"),
             (sample.replace("int d", "long d[9]"), "", "d is 'data 72'", "an object that grew"),
             (sample + "_Thread_local int t[2];\n", "", "8 bytes of static", "thread-local data"),
             (sample, "1", "soname libx.so.1", "another soname")]
    two = kept_abi("gnu func f 0.1\nmusl func g 0.1\n", libc="musl")
    tap.check(list(two["names"]) == ["g"], "self-test: a line for one C library alone", [str(two)])
    for text, soname, part, name in cases:
        with Sample({"x.c": text}) as root:
            code, output = run(["gcc", "-shared", "-fPIC", "-nostartfiles", "x.c", "-o", "x.so",
                                "-Wl,--no-as-needed", f"-Wl,-soname,libx.so.{soname or 0}"], root)
            built = abi_of(os.path.join(root, "x.so")) if code == 0 else {}
            faults = abi_faults(kept, built) if built else [output]
            if part:
                tap.caught(faults, part, name)
            else:
                tap.none(faults, f"self-test: {name}: no fault")
    header = "enum { X_A = 3, X_B };\ntypedef struct x {\n    int a, b[2];\n} x;\n"
    with Sample({"include/x.h": header}) as root:
        lines = ["header x.h", "type x 12", "member x a 0 4", "member x b 4 8", "value X_A 3"]
        tap.none(layout_faults(root, kept_abi("\n".join([*lines, "value X_B 4"]))),
                 "self-test: a layout that is as it was: no fault")
        tap.caught(layout_faults(root, kept_abi("\n".join(lines))), "X_B 4", "a new constant")
        tap.caught(layout_faults(root, kept_abi("\n".join([*lines, "member x c 12 4"]))),
                   "any more: member x c", "a member that is gone")
    script = "{\nglobal:\n    f; h*;\nlocal:\n    *;\n};\n"
    faults = script_faults(kept["names"], script)
    tap.caught(faults, "d is kept local", "a name that the script hides")
    tap.caught(faults, "h* matches no", "a pattern for nothing")
    tap.caught(archive_faults(kept, "0 T f\n0 T puts\n"), "exports puts", "a name in the archive")
    tap.caught(packaged_faults("libloam.so.0 libloam0 #MINVER#\n", "func f 0.1\n"),
               "lacks f@Base 0.1", "a name that the package lacks")


def main():
    text = read(ROOT, KEPT)
    if sys.argv[1:] == ["--write"]:
        with open(os.path.join(ROOT, PACKAGED), "w", encoding="ascii") as file:
            file.write("\n".join(packaged(text)) + "\n")
        return
    tap = Tap()
    self_test(tap)
    kept = kept_abi(text)
    tap.none(abi_faults(kept, abi_of(LIBRARY)), f"abi: {LIBRARY}: what {KEPT} promises, exactly")
    if os.path.exists(os.path.join(ROOT, LIBRARY32)):
        tap.none(abi_faults(kept_abi(text, "j"), abi_of(LIBRARY32)), f"abi: {LIBRARY32}: the same")
        tap.none(layout_faults(ROOT, kept, "-m32"), "abi: structures and constants in 32 bits")
    on_musl = kept_abi(text, libc="musl")
    if os.path.exists(os.path.join(ROOT, MUSL)):
        tap.none(abi_faults(on_musl, abi_of(MUSL)), f"abi: {MUSL}: what there is on musl")
        tap.none(archive_faults(on_musl, exported(MUSL_ARCHIVE)), f"abi: {MUSL_ARCHIVE}: the same")
    tap.none(script_faults(kept["names"] | on_musl["names"], read(ROOT, SCRIPT)),
             f"abi: {SCRIPT}: the same names")
    tap.none(archive_faults(kept, exported(ARCHIVE)),
             f"abi: {ARCHIVE}: malloc by the same names, and loam_*")
    tap.none(packaged_faults(read(ROOT, PACKAGED), text), f"abi: {PACKAGED}: the same names")
    tap.none(layout_faults(ROOT, kept), "abi: structures and constants of headers: as listed")
    found = versions(ROOT)
    tap.check(len(set(found.values())) == 1 and "" not in found.values(),
              "abi: one version in " + ", ".join(found), [str(found)])
    tap.done()


if __name__ == "__main__":
    main()
