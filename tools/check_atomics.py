#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every atomic access of the core names its partner, and the partner names it. Prints TAP.

An access is a call of loam_atomic_* in core/. A comment behind it, above it (no empty line between,
at most six lines) or above its function says

    pairs with the load in FUNCTION           and there, for the same field, the same in return
    no order: a counter                       nothing else hangs on it (hints, counters, flags)

Several functions are told with commas; file names may stand between them. Of two partners one
releases (store, exchange, or, add, cas) and the other acquires (load, exchange, or, add, cas). A
field whose comment has [atomic] in it is touched by these calls alone, in all files of its unit.
"""
import os
import re

from taplib import ROOT, Sample, Tap, read, tree

CALL = re.compile(r"\bloam_atomic_(?:ptr_|byte_)?"
                  r"(load|peek16|peek64|peek|store|poke16|poke64|exchange|or|add|cas)\(")
FUNCTION = re.compile(r"^(?![ \t#/}{*])(?:[\w*() ,]*?)\b(\w+)\([^;]*?\)\s*\n\{", re.M)
PAIRS = re.compile(r"pairs? with (.*?)(?=pairs? with|$)", re.I)
NAMES = re.compile(r"\bin ((?:[\w./]+(?:, and |, | and )?)+)")
RELEASES = {"store", "exchange", "or", "add", "cas"}
ACQUIRES = {"load", "exchange", "or", "add", "cas"}
ABOVE = 6  # lines between a comment and the access it speaks of, at most


def words_of(comment):
    return re.sub(r"\s*\n\s*\*? ?", " ", comment)


class Access:
    def __init__(self, path, line, function, verb, field, comment):
        self.path, self.line, self.function = path, line, function
        self.verb, self.field, self.comment = verb, field, comment
        self.partners = []
        for said in PAIRS.findall(comment):
            named = NAMES.search(said)
            names = re.split(r", and |, | and ", named.group(1)) if named else []
            self.partners += [name for name in (n.strip(" .,") for n in names)
                              if name and not name.endswith((".c", ".h"))]

    def __str__(self):
        return f"{self.path}:{self.line}: {self.verb} of {self.field} in {self.function}"


def comments_of(text):
    """(first line, last line, text) of each comment; lines from 0."""
    found = []
    for match in re.finditer(r"/\*.*?\*/", text, re.S):
        first = text.count("\n", 0, match.start())
        found.append((first, first + match.group().count("\n"), words_of(match.group()[2:-2])))
    return found


def functions_of(text):
    """(name, first line, last line, line of the head) of each function."""
    found = []
    for match in FUNCTION.finditer(text):
        last = text.find("\n}", match.end())
        head = text.count("\n", 0, match.start())
        found.append((match.group(1), head, text.count("\n", 0, last) + 1))
    return found


def argument(text, at):
    """The first argument of the call whose '(' ends at `at`."""
    depth, end = 0, at
    while text[end] not in ",)" or depth:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(text[end], 0)
        end += 1
    return text[at:end]


def field_of(argument_text):
    plain = re.sub(r"\[.*?\]", "", argument_text)
    names = re.findall(r"\w+", plain)
    return names[-1] if names else "?"


SAYS = re.compile(r"pairs? with|no order", re.I)


def comment_for(line, head, lines, comments):
    """What is said of an access: beside it, above it, or above its function."""
    said = [comment for comment in comments if SAYS.search(comment[2])]
    for first, last, words in said:  # beside, also where the statement goes on
        if first <= line <= last or (first == line + 1 and not lines[line].rstrip().endswith(";")
                                     and not lines[first].lstrip().startswith("/*")):
            return words
    for first, last, words in reversed(said):
        if head <= last < line and line - last <= ABOVE and \
                all(lines[i].strip() for i in range(last, line)):
            return words
    for first, last, words in said:
        if last == head - 1:
            return words
    return ""


def accesses_of(path, text):
    lines, comments, functions = text.split("\n"), comments_of(text), functions_of(text)
    found = []
    for match in CALL.finditer(text):
        line = text.count("\n", 0, match.start())
        if any(first <= line <= last and match.start() > 0 and
               "/*" in lines[first] and is_inside(text, match.start())
               for first, last, _ in comments):
            continue
        inside = [f for f in functions if f[1] <= line <= f[2]]
        name, head = (inside[0][0], inside[0][1]) if inside else ("?", line)
        found.append(Access(path, line + 1, name, match.group(1),
                            field_of(argument(text, match.end())),
                            comment_for(line, head, lines, comments)))
    return found


def is_inside(text, at):
    """Does this place lie in a comment?"""
    return text.rfind("/*", 0, at) > text.rfind("*/", 0, at)


def pair_faults(access, everything):
    faults = []
    for name in access.partners:
        there = [a for a in everything if a.function == name and a.field == access.field]
        if not any(a.function == name for a in everything):
            faults.append(f"{access}: its partner {name} has no atomic access")
        elif not there:
            faults.append(f"{access}: {name} does not touch {access.field}")
        elif not any(access.function in a.partners for a in there):
            faults.append(f"{access}: {name} does not name {access.function} in return")
        elif "no order" not in access.comment and not any(
                (access.verb in RELEASES and a.verb in ACQUIRES) or
                (access.verb in ACQUIRES and a.verb in RELEASES) for a in there):
            faults.append(f"{access}: one of it and {name} has to release, the other to acquire")
    return faults


def access_faults(files):
    """files: path -> text."""
    everything = [a for path, text in sorted(files.items()) for a in accesses_of(path, text)]
    faults = []
    for access in everything:
        if not access.partners and "no order" not in access.comment:
            faults.append(f"{access}: names no partner")
        faults += pair_faults(access, everything)
    return faults


def unit_of(path):
    return re.split(r"[_.]", os.path.basename(path))[0]


DECLARED = re.compile(r"^[ \t]+(?:const )?[\w*]+(?: \**|\* *)(\w+)(?:\[[^\]]*\])?"
                      r"(?: __attribute__\(\(.*?\)\))?;")
STRUCT = re.compile(r"^(?:typedef )?struct (\w+) \{$", re.M)
VARIABLE = r"\b(\w+) (?:\*+|\*const )?{0}(?:\[[^\]]*\])?\s*[=,;)]"
TOUCH = r"(?:(\w+)(?:->|\.)|(?:->|\.)){0}\b"


def atomic_fields(text):
    """(struct, field) of each field whose comment, above or beside it, begins with [atomic]."""
    fields, lines = set(), text.split("\n")
    structs = [(text.count("\n", 0, m.start()), m.group(1)) for m in STRUCT.finditer(text)]
    for first, last, words in comments_of(text):
        if not words.strip().startswith("[atomic]"):
            continue
        beside = lines[first].split("/*")[0]
        declaration = beside if beside.strip() else lines[last + 1] if last + 1 < len(lines) else ""
        match = DECLARED.match(declaration.rstrip())
        owner = [name for line, name in structs if line < first]
        if match and owner:
            fields.add((owner[-1], match.group(1)))
    return fields


def code_of(text):
    """The text with comments and literals as spaces, line for line."""
    return re.sub(r"/\*.*?\*/|\"(?:\\.|[^\"\n])*\"", lambda m: re.sub(r"[^\n]", " ", m.group()),
                  text, flags=re.S)


def type_of(variable, code, at):
    """The type that a variable was last declared with before this place, or None."""
    found = re.findall(VARIABLE.format(variable), code[:at])
    found = [name for name in found if name not in ("return", "else", "const", "goto")]
    return found[-1] if found else None


def field_faults(files):
    faults = []
    fields = {}  # unit -> (struct, field)
    for path, text in files.items():
        fields.setdefault(unit_of(path), set()).update(atomic_fields(text))
    for path, text in sorted(files.items()):
        code = code_of(text)
        allowed = [(m.end(), m.end() + len(argument(code, m.end()))) for m in CALL.finditer(code)]
        for owner, name in fields[unit_of(path)]:
            for match in re.finditer(TOUCH.format(name), code):
                if type_of(match.group(1), code, match.start()) == owner and \
                        not any(a <= match.start() < b for a, b in allowed):
                    line = code.count("\n", 0, match.start()) + 1
                    faults.append(f"{path}:{line}: {name} of {owner} is [atomic], and touched "
                                  "without a call")
    return faults


def core_files(root):
    return {path: read(root, path) for path in tree(root, ".c", ".h") if path.startswith("core/")}


SOUND = {"core/low_impl.h": """struct low {
    uint32_t flag; /* [atomic] what is there */
    /* [atomic] how often */
    uint32_t count;
};
static inline void low_publish(struct low *low)
{
    loam_atomic_store(&low->flag, 1); /* pairs with the load in low_take */
}
""", "core/low.c": """/* Says whether there is something.
 * Pairs with the store in low_impl.h, low_publish. */
bool low_take(struct low *low)
{
    return loam_atomic_load(&low->flag) == 1;
}

void low_count(struct low *low)
{
    if (low != NULL)
        /* no order: a counter */
        loam_atomic_add(&low->count, 1);
}
"""}


def self_test(tap):
    with Sample(SOUND) as root:
        files = core_files(root)
        tap.none(access_faults(files) + field_faults(files), "self-test: a sound unit: no fault")
    broken = [
        ("an access without a word", "core/low.c", "        /* no order: a counter */\n", "",
         "add of count in low_count: names no partner"),
        ("a partner that is not there", "core/low_impl.h", "low_take", "low_gone",
         "its partner low_gone has no atomic access"),
        ("a partner of another field", "core/low.c", "&low->flag) == 1", "&low->count) == 1",
         "low_take does not touch flag"),
        ("a partner that names another", "core/low.c", "low_publish", "low_count",
         "low_take does not name low_publish in return"),
        ("two that release", "core/low.c", "loam_atomic_load(&low->flag)",
         "loam_atomic_store(&low->flag, 1)", "one of it and"),
        ("a peek for a load", "core/low.c", "loam_atomic_load(", "loam_atomic_peek(", "one of it"),
        ("a plain read", "core/low.c", "low != NULL", "low->count != 0",
         "count of low is [atomic], and touched without a call"),
        ("a plain write", "core/low.c", "if (low != NULL)", "low->flag = 0;",
         "flag of low is [atomic], and touched without a call"),
    ]
    for name, path, old, new, part in broken:
        with Sample({**SOUND, path: SOUND[path].replace(old, new)}) as root:
            files = core_files(root)
            tap.caught(access_faults(files) + field_faults(files), part, name)


def main():
    tap = Tap()
    self_test(tap)
    files = core_files(ROOT)
    count = sum(len(accesses_of(path, text)) for path, text in files.items())
    tap.check(count > 0, "atomics: the core has some")
    tap.none(access_faults(files), f"atomics: each of {count} accesses names its partner, or needs "
                                   "no order")
    tap.none(field_faults(files), "atomics: fields that are [atomic] are touched by these calls "
                                  "alone")
    tap.done()


if __name__ == "__main__":
    main()
