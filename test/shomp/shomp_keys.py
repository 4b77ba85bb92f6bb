#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""shomp_keys.py - play, key by key, against a textbook buddy: every character it prints.

    SEED=7 test/shomp/shomp_keys.py [PROGRAM...]     default: the four builds of shomp-play
"""
import os
import random
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import Tap  # noqa: E402

INTRO = ("ShompOS memory module: 4-9 take a block, q w e r t y u i o free it, p prints.\n"
         "? lists the keys. To leave: Ctrl-D, or Escape twice.\n")
PROMPT = "shompOS>"
FREE = "qwertyuio"
LINE = 71
LEAVE = "\x04"


def size_of(slot):
    scale = slot + 3 if slot <= 3 else slot
    return 1 if scale == 4 else 2 ** (scale - 1) - 8


class Book:
    """What play should say: sets of free blocks by scale, stacks of blocks by slot."""

    def __init__(self, grow=10):
        self.free = {s: set() for s in range(4, 16)}
        self.free[10].add(0)
        self.scale, self.grow = 10, grow
        self.slots = {n: [] for n in range(1, 10)}
        self.text, self.typed, self.last = INTRO + PROMPT, 0, ""

    def put(self, block, scale):
        while scale < self.scale and block ^ 1 << scale in self.free[scale]:
            self.free[scale].remove(block ^ 1 << scale)
            block &= ~(1 << scale)
            scale += 1
        self.free[scale].add(block)

    def take(self, slot):
        """True when there was a block."""
        scale = max((size_of(slot) + 8).bit_length(), 4)
        while not any(self.free[s] for s in range(scale, self.scale + 1)):
            if self.scale == self.grow:
                return False
            self.scale += 1
            self.put(1 << self.scale - 1, self.scale - 1)
        have = next(s for s in range(scale, 16) if self.free[s])
        block = min(self.free[have])
        self.free[have].remove(block)
        while have > scale:
            have -= 1
            self.free[have].add(block + (1 << have))
        self.slots[slot].append((block, scale))
        return True

    def give(self, slot):
        if not self.slots[slot]:
            return
        self.put(*self.slots[slot].pop())
        while self.scale > 10:
            half = self.scale - 1
            if self.free[self.scale]:
                self.free[self.scale].clear()
                self.free[half].add(0)
            elif 1 << half in self.free[half]:
                self.free[half].remove(1 << half)
            else:
                break
            self.scale = half

    def counts(self):
        return "free_block counts:\n" + "".join(
            f"{len(self.free[s])} free blocks of scale {s:X}\n" for s in range(4, self.scale + 1))

    def tell(self, text):
        self.text += "\n" + text + PROMPT
        self.typed = 0

    def key(self, key):
        last, self.last = self.last, key
        if last + key == "\r\n":
            return
        if key in "\r\n":
            self.text += "\n" + PROMPT
            self.typed = 0
        elif key in "\b\x7f":
            if self.typed:
                self.typed -= 1
                self.text += "\b \b"
        elif key.isprintable():
            if self.typed == LINE:
                self.text += "\n" + PROMPT
                self.typed = 0
            self.text += key
            self.typed += 1
            if key in "123456789" and not self.take(int(key)):
                self.tell("Out of memory!\n")
            elif key in FREE:
                self.give(FREE.index(key) + 1)
            elif key == "p":
                self.tell(self.counts())

    def end(self):
        lines = [f"  slot {slot}: {size_of(slot)} byte{'s' if size_of(slot) > 1 else ''} at "
                 f"@{block + 16}, a block of scale {scale:X}\n"
                 for slot, stack in self.slots.items() for block, scale in reversed(stack)]
        n = len(lines)
        report = (f"leak report:\n{''.join(lines)}leak report: {n} block{'s' if n > 1 else ''} "
                  "left, now freed\n" if n else "leak report: nothing was left\n")
        return self.text + "\n" + report + "heap: one free block, as at the start\n"


def play(program, keys, *words):
    done = subprocess.run([program, *words], input=keys.encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60, check=False)
    return done.returncode, done.stdout.decode()


def relative(text):
    """Addresses, 0x... of play and @... of the book, as distances from the lowest."""
    found = [(m.group(0), int(m.group(2), 16 if m.group(1) == "0x" else 10))
             for m in re.finditer(r"(?<= at )(0x|@)([0-9a-f]+)(?=,)", text)]
    for word, value in found:
        text = text.replace(f" at {word},", f" at +{value - min(v for _, v in found)},")
    return text


def check(tap, program, keys, name, grow=False):
    book = Book(15 if grow else 10)
    for key in keys:
        book.key(key)
    code, text = play(program, keys + LEAVE, *(["grow"] if grow else []))
    got, want = relative(text).splitlines(), relative(book.end()).splitlines()
    at = next((i for i, (g, w) in enumerate(zip(got, want)) if g != w), min(len(got), len(want)))
    tap.check(code == 0 and got == want, name,
              [f"keys {keys!r}, exit code {code}, line {at}:", f"got  {got[at:at + 2]}",
               f"want {want[at:at + 2]}"])


# What was seen on the original, and what is ours besides: keys, counts of scales 4 to A.
LISTED = [("p", "0000001"), ("4p", "1111110"), ("5p", "0111110"), ("9p", "0000010"),
          ("4444p", "0011110"), ("4rp", "0000001"), ("456789p", "1000000"),
          ("456789rtyuiop", "0000001"), ("456789oiuytrp", "0000001"), ("1qp", "0000001"),
          ("123p", "1001110"), ("123qwep", "0000001"), ("44rp", "1111110")]


def listed(tap, program, name):
    for keys, counts in LISTED:
        code, text = play(program, keys + LEAVE)
        lines = text.splitlines()
        at = lines.index(f"{PROMPT}{keys}") if f"{PROMPT}{keys}" in lines else 0
        want = ["free_block counts:"] + [f"{c} free blocks of scale {s}"
                                         for c, s in zip(counts, "456789A")]
        tap.check(code == 0 and lines[at + 1:at + 9] == want, f"{name}: {keys}: as listed",
                  lines[at:at + 9])
    code, text = play(program, "999" + LEAVE)
    tap.check(code == 0 and f"{PROMPT}999\nOut of memory!\n{PROMPT}" in text,
              f"{name}: 999: Out of memory! at the third", text.splitlines())
    code, text = play(program, "?" + LEAVE)
    tap.check("0 -" not in text and all(part in text for part in ("4 5 6", "q w e", "Ctrl-D")),
              f"{name}: ?: the keys, and how to leave", text.splitlines())


def console(tap, program, name):
    cases = [("hello, world!\r", "text and enter"), ("abc\b\b\b\b\bd\x7f\x7f", "backspace"),
             ("a\r\nb\nc\r\r", "ends of lines"), ("x" * 100 + "p", "a line that is full"),
             ("\n" * 60 + "p", "many lines"), ("ZXC 0-!@~", "nothing that is a key"),
             ("", "nothing")]
    for keys, what in cases:
        check(tap, program, keys, f"{name}: console: {what}")
    for keys, what in (("4\x1b[A4\x1b[15~\x1bOP\x1bz4p", "arrows and function keys: nothing"),):
        code, text = play(program, keys + LEAVE)
        tap.check(code == 0 and f"{PROMPT}444p\n" in text, f"{name}: console: {what}",
                  text.splitlines())
    for keys, what in (("\x1b\x1b", "Escape twice"), ("\x03", "Ctrl-C"), ("\x04", "Ctrl-D"),
                       ("", "end of input")):
        code, text = play(program, "4" + keys + "4444")
        leaks = text.count("  slot 4: ")
        tap.check(code == 0 and leaks == (5 if keys == "" else 1),
                  f"{name}: leave: {what}", text.splitlines())


def random_keys(tap, program, rng, name):
    for grow in (False, True):
        keys = "".join(rng.choice("123456789qwertyuiop" + "456789rtyuio" * 2 + "\rabZ\b")
                       for _ in range(1500))
        check(tap, program, keys, f"{name}: 1500 random keys{', growing' if grow else ''}", grow)


def guard(tap, program, name):
    code, text = play(program, "54r!4p" + LEAVE, "guard")
    tap.check(code == 0 and re.search(r"refused: shomp: write after free: address [0-9a-f]+, free, "
                                      r"16 bytes, allocated by 0x", text) is not None
              and "1 free blocks of scale 4" in text, f"{name}: guard: 54r!4: the write is named",
              text.splitlines())
    code, text = play(program, "54r@" + LEAVE, "guard")
    tap.check(code == 0 and f"it holds {0xd5}" in text,
              f"{name}: guard: 54r@: a read sees the fill", text.splitlines())
    named = (r"\nfault: shomp: use after free: address [0-9a-f]+, free, its page is unmapped, "
             r"8192 bytes, allocated by")
    for keys, what in (("0-@", "read"), ("0-!", "write"), ("00-@", "read"), ("00--!", "write")):
        code, text = play(program, keys + "p", "guard")
        tap.check(code == 3 and re.search(named, text) is not None,
                  f"{name}: guard: {keys}: a {what} of a freed page faults and is named",
                  [f"exit code {code}", *text.splitlines()])
    code, text = play(program, "00400-rp--p-" + LEAVE, "guard")
    tap.check(code == 0 and "nothing was left" in text and "1 free blocks of scale A" in text,
              f"{name}: guard: pages come and go", text.splitlines())
    code, text = play(program, "?@!" + LEAVE, "guard")
    tap.check(code == 0 and "0 -" in text and text.count("nothing was freed yet") == 2,
              f"{name}: guard: its keys", text.splitlines())


def main():
    seed = int(os.environ.get("SEED", "0"), 0) or random.SystemRandom().randrange(1 << 32)
    rng, tap = random.Random(seed), Tap()
    print(f"# SEED={seed}")
    programs = sys.argv[1:] or [f"build/{v}/shomp-play"
                                for v in ("host", "hostclang", "asan", "host32")]
    for program in programs:
        name = program.split("/")[1] if "/" in program else program
        listed(tap, program, name)
        console(tap, program, name)
        random_keys(tap, program, rng, name)
        guard(tap, program, name)
    code, text = play(programs[0], "", "shrink")
    tap.check(code == 1 and "usage: shomp-play" in text, "an unknown word: usage", [text])
    tap.done()


if __name__ == "__main__":
    main()
