#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The manual pages: sound mdoc, and what they say of functions, words, messages is so. Prints TAP.

A page that includes <loam/x.h> is that header's: its SYNOPSIS has every prototype as it stands
there, its text every member of the structures that the caller fills in or reads. loam_conf(5) has
the words of LOAM_CONF, every name of port/preload/libloam.abi is a function of some page, and what
libloam(3) lists under DIAGNOSTICS is what programs with these bugs print.
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))

from taplib import Sample, Tap, read, run, tree  # noqa: E402

# Headers that have no page yet would be nothing to check: these have one.
PAGED = ["heap", "kmalloc", "memblock", "pool", "process_heap", "slab", "zone"]
# Pages of others: the C library's, the system's, the loader's, pkg-config's.
FOREIGN = {("malloc", "3"), ("malloc_info", "3"), ("malloc_usable_size", "3"), ("ld.so", "8"),
           ("environ", "7"), ("pkg-config", "1"), ("dlopen", "3"), ("dlmopen", "3"), ("fork", "2"),
           ("setrlimit", "2"), ("prlimit", "2"), ("seccomp", "2"), ("mincore", "2")}
CALLER_OWNED = re.compile(r"(?:config|stats|sum)$")


def pages(root=ROOT):
    return [path for path in tree(root) if re.match(r"docs/man/[^/]+\.[1-9]$", path)]


def lint_faults(root, path):
    """mandoc's findings; whether other pages are there is asked below, without its database."""
    _, output = run(["mandoc", "-Tlint", "-Wstyle", path], root)
    told = [line for line in output.splitlines() if path in line]
    return [line for line in told if "referenced manual not found" not in line]


def reference_faults(root, path):
    there = {tuple(os.path.basename(page).rsplit(".", 1)) for page in pages(root)}
    text = read(root, path)
    faults = [f"{name}({section}) is no page" for name, section in
              re.findall(r"^\.Xr (\S+) (\d)", text, re.M)
              if (name, section) not in there | FOREIGN]
    title = re.search(r"^\.Dt (\S+) (\d)", text, re.M)
    name = os.path.basename(path).upper().rsplit(".", 1)
    return faults + ([] if title and list(title.groups()) == name else ["its title is another"])


# ---- prototypes ----

def plain(code):
    """Code without comments, lines for C++, preprocessor lines and what stands in braces."""
    code = re.sub(r"/\*.*?\*/", "", code, flags=re.S)
    code = re.sub(r"^#ifdef __cplusplus\n.*?^#endif$", "", code, flags=re.M | re.S)
    code = re.sub(r"^#(?:.*\\\n)*.*$", "", code, flags=re.M)
    while "{" in code:
        code = re.sub(r"\{[^{}]*\}", ";", code)
    return code


def squeezed(text):
    return re.sub(r" ?([*(),]) ?", r"\1", " ".join(text.split()))


def prototypes(code):
    """{name: "type name(arguments)"} of a header, inline functions among them."""
    found = {}
    for part in plain(code).split(";"):
        part = re.sub(r"^\s*static inline\s", "", part)
        match = re.fullmatch(r"\s*([\w\s*]+?[\s*])(\w+)\((.*)\)\s*", part, re.S)
        if match and not re.match(r"\s*(typedef|enum|struct|extern)\b", part):
            found[match.group(2)] = squeezed(part)
    return found


def words_of(line):
    return [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line)]


def synopsis(page):
    """The same of a page: .Ft, then .Fn or .Fo .Fa .Fc."""
    found, kind, name, arguments = {}, "", "", []
    section = re.search(r"^\.Sh SYNOPSIS\n(.*?)^\.Sh ", page, re.M | re.S).group(1)
    for line in section.splitlines():
        macro, *rest = words_of(line)
        if macro == ".Ft":
            kind = " ".join(rest)
        elif macro == ".Fn":
            found[rest[0]] = squeezed(f"{kind} {rest[0]}({', '.join(rest[1:])})")
        elif macro == ".Fo":
            name, arguments = rest[0], []
        elif macro == ".Fa":
            arguments += rest
        elif macro == ".Fc":
            found[name] = squeezed(f"{kind} {name}({', '.join(arguments)})")
    return found


def members(code):
    """[(structure, member)] of those that a caller fills in or reads."""
    code = re.sub(r"/\*.*?\*/", "", code, flags=re.S)
    found = []
    for body, name in re.findall(r"^typedef struct \w+ \{\n(.*?)^\} (\w+);", code, re.M | re.S):
        if CALLER_OWNED.search(name):
            for part in body.split(";"):
                function = re.search(r"\(\*(\w+)\)", part)
                listed = [function.group(1)] if function else \
                    re.findall(r"(\w+)(?:\[[^]]*\])?\s*(?:,|$)", part.strip())
                found += [(name, member) for member in listed]
    return found


def choices(code):
    """Constants of modes and flags: each is a word that a caller may choose."""
    bodies = re.findall(r"^typedef enum \w+_(?:mode|flags) \{\n(.*?)^\}", re.sub(
        r"/\*.*?\*/", "", code, flags=re.S), re.M | re.S)
    names = [name for body in bodies for name in re.findall(r"^\s*([A-Z]\w+)", body, re.M)]
    return [name for name in names if not name.endswith("_ALL_MODES")]


def header_faults(page, code, unit):
    wanted, told = prototypes(code), synopsis(page)
    faults = [f"{name} is not in its SYNOPSIS" for name in wanted if name not in told]
    faults += [f"{name} is not in the header" for name in told if name not in wanted]
    faults += [f"'{told[name]}' is in the header '{wanted[name]}'" for name in wanted
               if name in told and told[name] != wanted[name]]
    if f"loam_{unit}" not in page:
        faults.append(f"it does not speak of loam_{unit}")
    names = re.search(r"^\.Sh NAME\n(.*?)^\.Nd ", page, re.M | re.S).group(1)
    text = page[page.index(".Sh DESCRIPTION"):]
    for name in wanted:
        if not re.search(rf"^\.Nm {name}\b", names, re.M):
            faults.append(f"{name} is not in its NAME: man {name} finds nothing")
        if not re.search(rf"^\.Fn {name}\b", text, re.M):
            faults.append(f"{name} is not described")
    faults += [f"{name} is not told" for name in choices(code)
               if not re.search(rf"^\.(?:It )?Dv {name}\b", text, re.M)]
    return faults + [f"{struct}.{member} is not told" for struct, member in members(code)
                     if not re.search(rf"^\.(?:It )?Va .*\b{member}\b", text, re.M)]


# ---- words and messages ----

def options(text):
    """Words of the table in docs/options.md."""
    table = re.search(r"^  word .*?\n(.*?)^```", text, re.M | re.S).group(1)
    return {line.split()[0] for line in table.splitlines()}


def option_faults(page, wanted):
    told = set(re.findall(r"^\.It Cm (\w+)", page, re.M))
    return [f"{word} is not in the page" for word in sorted(wanted - told)] + \
        [f"{word} is no word of LOAM_CONF" for word in sorted(told - wanted)]


def export_faults(texts, kept):
    listed = re.findall(r"^(?:func|data) (\w+)", kept, re.M)
    told = {words[1] for text in texts for words in map(words_of, text.splitlines())
            if len(words) > 1 and words[0] in (".Fn", ".Fo")}
    told |= {name for text in texts for name in re.findall(r"\bVa (\w+)", text)}
    return [f"{name} is exported, and in no page" for name in listed
            if name not in told and not name.startswith("_Z")]


BUGS = r"""
#include <malloc.h>
#include <stdlib.h>
void free_sized(void *p, size_t size);
void free_aligned_sized(void *p, size_t align, size_t size);
int main(int argc, char **argv)
{
    char here[64], *volatile p = malloc(100);
    switch (argc > 1 ? argv[1][0] : 0) {
    case '0': free(p); free(p); break;
    case '1': free(p + 16); break;
    case '2': free(p + 1); break;
    case '3': free(here + 16); break;
    case '4': free(p); malloc_usable_size(p); break;
    case '5': malloc_usable_size(p + 16); break;
    case '6': malloc_usable_size(p + 1); break;
    case '7': malloc_usable_size(here + 16); break;
    case '8': p[100] = 1; free(p); break;
    case '9': free(p); p[5] = 1; for (int i = 0; i < 10000; i++) free(malloc(100)); break;
    case 'a': free_sized(p, 1000); break;
    case 'b': free_aligned_sized(p, ((size_t)p & -(size_t)p) * 2, 100); break;
    }
}
"""
# Two threads have to meet for it: test/model and test/explore have that.
UNTRIED = {"double free, found when processors met"}


def reports():
    """What a program with one bug each says: the text behind the unit's name."""
    said = set()
    with Sample({"bugs.c": BUGS}) as root:
        program = os.path.join(root, "bugs")
        run(["gcc", "-w", "-O0", "-fno-builtin", "-o", program, program + ".c",
             os.path.join(ROOT, "build/host/libloam.so")])
        for number in "0123456789ab":
            conf = {"8": "guard", "9": "poison"}.get(number, "")
            environment = {**os.environ, "LOAM_CONF": conf,
                           "LD_PRELOAD": os.path.join(ROOT, "build/host/libloam.so")}
            done = subprocess.run([program, number], env=environment, text=True, check=False,
                                  capture_output=True)
            match = re.match(r"loam: \w+: (.*?): ", done.stderr)
            said.add(match.group(1) if match else f"nothing, for bug {number}")
    return said


def message_faults(page, said):
    listed = re.search(r"^\.Bl -diag\n(.*?)^\.El", page, re.M | re.S).group(1)
    told = set(re.findall(r'^\.It "(.*)"$', listed, re.M))
    return [f"'{text}' is said, and not in the page" for text in sorted(said - told)] + \
        [f"'{text}' is in the page, and never said" for text in sorted(told - said - UNTRIED)]


def example_faults(page, code):
    """loam(7) shows what examples/arena.c does, but for where its lines end."""
    part = re.search(r"/\* \[arena\] \*/\n(.*?) */\* \[end\]", code, re.S).group(1)
    shown = re.search(r"^\.Sh EXAMPLES\n.*?^\.Bd [^\n]*\n(.*?)^\.Ed", page, re.M | re.S).group(1)
    same = "".join(part.split()) == "".join(shown.split())
    return [] if same else ["its example is not examples/arena.c [arena]"]


def code_faults(root, page, units):
    """What compilers say of the code under EXAMPLES; a comment there declares what it stands on."""
    section = re.search(r"^\.Sh EXAMPLES\n(.*?)^\.Sh ", page, re.M | re.S)
    if not section:
        return ["it has no example"]
    given = "\n".join(re.findall(r'^\.\\" with (.*)$', section.group(1), re.M))
    shown = "".join(re.findall(r"^\.Bd [^\n]*\n(.*?)^\.Ed", section.group(1), re.M | re.S))
    shown = re.sub(r"^\\&\.\.\.$", "", shown, flags=re.M)
    headers = "".join(f"#include <loam/{unit}.h>\n" for unit in units)
    text = f"{headers}{given}\nvoid example(void);\nvoid example(void)\n{{\n{shown}}}\n"
    code, output = run(["gcc", "-std=c11", "-Wall", "-Wno-unused", "-Werror", "-fsyntax-only",
                        "-Iinclude", f"-I{ROOT}/include", f"-I{ROOT}/port/hosted", "-xc", "-"],
                       root, text)
    return [output] if code else []


HEADER = """#ifdef __cplusplus
extern "C" {
#endif
typedef enum loam_x_mode {
    LOAM_X_GUARD = 1,
    LOAM_X_ALL_MODES = 1
} loam_x_mode;
typedef struct loam_x_stats {
    int a, b[3]; /* c; d */
    bool (*ask)(void *ctx, int f);
} loam_x_stats;
/* f(int) */
void *loam_x(int a,
             void *b);
static inline int loam_x_inline(void)
{
    if (1) {
        return 1;
    }
}
typedef int loam_x_fn(void *ctx);
#ifdef __cplusplus
}
#endif
"""
PAGE = """.Dd November 21, 2026
.Dt LOAM_X 3
.Os
.Sh NAME
.Nm loam_x ,
.Nm loam_x_inline
.Nd a sample
.Sh SYNOPSIS
.In loam/x.h
.Ft "void *"
.Fo loam_x
.Fa "int a"
.Fa "void *b"
.Fc
.Ft int
.Fn loam_x_inline void
.Sh DESCRIPTION
.Fn loam_x
and
.Fn loam_x_inline
do nothing with
.Va a , b
and
.Va ask ,
or with
.Dv LOAM_X_GUARD .
.Bl -diag
.It "gone"
Something went.
.El
"""


def self_test(tap):
    tap.none(header_faults(PAGE, HEADER, "x"), "self-test: a page that says all: no fault")
    for old, new, part, name in [
            ('.Fa "void *b"\n', "", "is in the header", "an argument that is gone"),
            (".Nm loam_x_inline\n", ".Nm y\n", "is not in its NAME", "a name that man lacks"),
            (".Fn loam_x_inline void\n", "", "not in its SYNOPSIS", "a function that is missing"),
            (".Fn loam_x_inline\n", "", "is not described", "a function without a word"),
            (".Va a , b\n", ".Va a\n", "loam_x_stats.b is not told", "a member without a word"),
            (".Dv LOAM_X_GUARD", ".Dv NULL", "X_GUARD is not told", "a mode without a word")]:
        tap.caught(header_faults(PAGE.replace(old, new), HEADER, "x"), part, name)
    with Sample({"docs/man/loam_x.3": PAGE.replace(".El", ".Ell").replace("LOAM_X", "LOAM_Y") +
                 ".Xr loam_z 3\n"}) as root:
        tap.caught(lint_faults(root, "docs/man/loam_x.3"), "Ell", "a macro that is none")
        tap.caught(reference_faults(root, "docs/man/loam_x.3"), "loam_z(3)", "a page that is none")
        tap.caught(reference_faults(root, "docs/man/loam_x.3"), "title", "a title of another page")
    page = ".Sh EXAMPLES\n.Bd -literal\nreturn x;\n.Ed\n.Sh SEE ALSO\n"
    tap.caught(code_faults(ROOT, page, []), "undeclared", "an example that does not compile")
    tap.caught(code_faults(ROOT, PAGE, []), "no example", "a page without an example")
    tap.caught(option_faults(".It Cm a\n", {"a", "b"}), "b is not", "a word without a line")
    tap.caught(option_faults(".It Cm a\n", set()), "a is no word", "a line without a word")
    tap.caught(export_faults([PAGE], "func loam_x 1\nfunc malloc 1\n"), "malloc", "an export")
    tap.caught(message_faults(PAGE, {"here"}), "'here' is said", "a message that is not told")
    tap.caught(message_faults(PAGE, {"here"}), "never said", "a message that never comes")


def main():
    tap = Tap()
    self_test(tap)
    texts = {path: read(ROOT, path) for path in pages()}
    paged = []
    for path, text in texts.items():
        tap.none(lint_faults(ROOT, path), f"man: {path}: mandoc finds nothing, not even of style")
        tap.none(reference_faults(ROOT, path), f"man: {path}: its title, and pages it refers to")
        for unit in re.findall(r"^\.In loam/(\w+)\.h", text, re.M) if path.endswith(".3") else ():
            paged.append(unit)
            tap.none(header_faults(text, read(ROOT, f"include/loam/{unit}.h"), unit),
                     f"man: {path}: what include/loam/{unit}.h declares")
            tap.none(code_faults(ROOT, text, [*PAGED, unit]), f"man: {path}: its example compiles")
    tap.check(set(PAGED) <= set(paged), "man: the units' pages are there", paged)
    tap.none(option_faults(texts["docs/man/loam_conf.5"], options(read(ROOT, "docs/options.md"))),
             "man: loam_conf(5): the words of LOAM_CONF")
    tap.none(export_faults(texts.values(), read(ROOT, "port/preload/libloam.abi")),
             "man: every export of libloam.so is in some page")
    tap.none(message_faults(texts["docs/man/libloam.3"], reports()),
             "man: libloam(3): DIAGNOSTICS is what programs print")
    tap.none(example_faults(texts["docs/man/loam.7"], read(ROOT, "examples/arena.c")),
             "man: loam(7): its example compiles elsewhere")
    tap.done()


if __name__ == "__main__":
    main()
