#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""play on real machines' models: ShompOS' ISO with keys pressed and the screen read back, the word
`play` in the shells of the PC and the Pi, on their command lines, and `make run`. Prints TAP."""
import contextlib
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc32_qemu as pc  # noqa: E402
import rpi3_qemu as pi  # noqa: E402
from qmp import ROWS, Monitor  # noqa: E402
from taplib import OUTSIDE, Tap  # noqa: E402

PROMPT = "shompOS>"
ISO = os.path.join(pc.BUILD, "shomp.iso")
CTRL_D = "\x04"


def counts(text):
    """What p prints."""
    return ["free_block counts:"] + [f"{n} free blocks of scale {s}" for n, s in zip(text,
                                                                                   "456789ABCDEF")]


def last(lines):
    """The last line that has text, and where."""
    at = max((i for i, line in enumerate(lines) if line), default=0)
    return lines[at], at


# ---- the ISO, with a person at the keyboard ----

def iso(tap):
    monitor = Monitor()
    machine = pc.Machine(["-cdrom", ISO, "-boot", "d", "-m", "32", *monitor.arguments], pc.LIMIT)

    def screen(wanted, name):
        shown = monitor.wait_screen(lambda s: wanted(s.lines()))
        lines = monitor.screen().lines()
        tap.check(shown is not None, f"shomp.iso: {name}", lines)
        return lines

    def at_end(*tail):
        def good(lines):
            end = last(lines)[1] + 1
            return lines[end - len(tail):end] == list(tail)
        return good

    screen(lambda lines: last(lines)[0] == PROMPT, "GRUB boots straight into play")
    lines = monitor.screen().lines()
    tap.check(any("To leave: Ctrl-D, or Escape twice" in line for line in lines),
              "shomp.iso: says how to leave", lines)
    monitor.type("hello")
    screen(at_end(f"{PROMPT}hello"), "keys are echoed")
    monitor.type("\b\b\b\b\b")
    screen(at_end(PROMPT), "backspace takes them back, and not the prompt")
    monitor.type("\b\n")
    screen(at_end(PROMPT, PROMPT), "enter starts a line")
    monitor.type("4p")
    screen(at_end(f"{PROMPT}4p", *counts("1111110"), PROMPT), "4p: counts as listed")
    monitor.type("rp")
    screen(at_end(f"{PROMPT}rp", *counts("0000001"), PROMPT), "rp: one block again")
    monitor.type("999")
    screen(at_end(f"{PROMPT}999", "Out of memory!", PROMPT), "999: Out of memory! at the third")
    monitor.type("\n" * (ROWS + 3))
    screen(lambda lines: lines == [PROMPT] * ROWS, "the screen scrolls")
    monitor.type("oo456p")
    monitor.type("\x1b")
    with contextlib.suppress(ConnectionError):  # the machine may be off before QEMU answers
        monitor.type("\x1b")
    code, output = machine.finish()
    monitor.close()
    tap.check(code == pc.GOOD and "leak report: 3 blocks left, now freed" in output
              and "heap: one free block, as at the start" in output,
              "shomp.iso: Escape twice: the leaks are named, exit code 33",
              [f"exit code {code}", *pc.tail(output)])


# ---- the word, in a shell ----

class Shell:
    def __init__(self, tap, board, machine):
        self.tap, self.board, self.machine = tap, board, machine
        self.machine.wait_for(pc.PROMPT)

    def says(self, words, keys, *texts, name=None, prompt=PROMPT):
        """`play WORDS`, keys, Ctrl-D: the answer holds all texts (regular expressions)."""
        start = len(self.machine.output)
        self.machine.type(f"play {words}\r")
        behind = self.machine.wait_for(prompt, start)
        self.machine.type(keys + (CTRL_D if prompt == PROMPT else ""))
        end = self.machine.wait_for(pc.PROMPT, behind or start)
        answer = self.machine.output[start:end]
        missing = [f"missing: {t}" for t in texts if not re.search(t, answer, re.M)]
        self.tap.check(end is not None and not missing,
                       f"{self.board}: play {words}: {name or keys}",
                       missing + answer.splitlines()[-25:])

    def end(self, good):
        answer = self.machine.command("check")
        self.tap.check("every rule holds" in answer, f"{self.board}: after play every rule holds",
                       answer.splitlines())
        self.machine.type("off\r")
        code, output = self.machine.finish()
        self.tap.check(code == good, f"{self.board}: off", [f"exit code {code}",
                                                            *pc.tail(output)])


def in_shell(tap, board, machine, good):
    shell = Shell(tap, board, machine)
    for how in ("", "grow", "guard"):  # kmalloc has what it keeps, from here on
        shell.says(how, "q", "leak report: nothing was left")
    frames = shell.machine.command("buddyinfo").splitlines()[1:]
    block = "\n".join(["^shompOS>4444p", *counts("0011110"), "shompOS>"])
    shell.says("", "4444p", block, r"slot 4: 1 byte at 0x[0-9a-f]+0, a block of scale 4",
               "leak report: 4 blocks left, now freed", "heap: one free block, as at the start")
    shell.says("", "456789p", "\n".join(counts("1000000")))
    shell.says("", "456789rtyuiop", "\n".join(counts("0000001")), "leak report: nothing was left")
    shell.says("grow", "9999p", "\n".join(counts("00000000")), "leak report: 4 blocks")
    shell.says("guard", "54r!4tp",
               r"refused: shomp: write after free: address [0-9a-f]+, free, 16 bytes, allocated by",
               "leak report: 1 block left", name="54r!4t: the write is named")
    shell.says("guard", "0000p----p", "^shompOS>", "\n".join(counts("000000000000")),
               "\n".join(counts("0000001")), name="pages come and go")
    shell.says("shrink", "", "'shrink' is neither grow nor guard", name="refused",
               prompt="neither")
    after = shell.machine.command("buddyinfo").splitlines()[1:]
    tap.check(frames == after, f"{board}: free frames are as before", [*frames, *after])
    shell.end(good)


def on_the_command_line(tap):
    for words in ("demo=shomp off", "misuse=report demo=shomp off"):
        for board, good, boot in (("pc32", pc.GOOD, pc.boot), ("rpi3", 0, pi.boot)):
            code, output = boot(words)
            tap.check(code == good and "shomp: every count as listed, memory is as it was" in output
                      and re.search(r"rounds here, \d+ in interrupts: one free block again: yes",
                                    output) is not None,
                      f"{board}: {words}: all counts, and allocations in interrupts",
                      [f"exit code {code}", *pc.tail(output)])
    for words in ("play off", "compat=shomp off", "play=grow off"):
        for board, good, machine in (("pc32", pc.GOOD, pc.console(words)),
                                     ("rpi3", 0, pi.console(words + " exit=semihost"))):
            machine.wait_for(PROMPT)
            machine.type("5p" + CTRL_D)
            code, output = machine.finish()
            tap.check(code == good and "\n".join(counts("0111110")) in output,
                      f"{board}: command line: {words}", [f"exit code {code}", *pc.tail(output)])
    code, output = pc.boot("play=shrink off")
    tap.check(code == pc.BAD and "'shrink' is neither grow nor guard" in output,
              "pc32: command line: play=shrink: refused", [f"exit code {code}", *pc.tail(output)])


def pages(tap):
    """Guard mode with page tables: a freed page leaves them, and a use of it is named."""
    for keys, what in (("0-@", "read"), ("40-!", "write")):
        machine = pc.console("play=guard off", memory="16", cpu="486")
        machine.wait_for(PROMPT)
        machine.type(keys)
        code, output = machine.finish()
        tap.check(code == pc.BAD and f"page fault on {what} of address" in output
                  and re.search(r"trap: that is shomp: use after free: address [0-9a-f]+, free, "
                                r"its page is unmapped, 8192 bytes, allocated by 0x", output)
                  is not None,
                  f"pc32: play=guard: {keys}: the {what} faults, and is named",
                  [f"exit code {code}", *pc.tail(output, 24)])
    machine = pc.console("play=guard off", memory="16")
    machine.wait_for(PROMPT)
    machine.type("000-04567-4r-4p--" + CTRL_D)
    code, output = machine.finish()
    tap.check(code == pc.GOOD and "heap: one free block, as at the start" in output
              and "No paging here" not in output, "pc32: play=guard: pages come and go",
              [f"exit code {code}", *pc.tail(output, 24)])


def made(tap):
    done = subprocess.run([*OUTSIDE, "make", "--no-print-directory", "-C", "compat/shomp", "run"],
                          input=b"p4rp", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=2 * pc.LIMIT, check=False)
    output = done.stdout.decode("ascii", "replace").replace("\r", "")
    text = "\n".join([f"{PROMPT}p", *counts("0000001"), f"{PROMPT}4rp", *counts("0000001"), PROMPT])
    tap.check(done.returncode == 0 and text in output and "leak report: nothing was left" in output,
              "make run in compat/shomp: keys from a pipe, exit code 0", pc.tail(output, 30))


def main():
    tap = Tap()
    iso(tap)
    in_shell(tap, "pc32", pc.console("shell"), pc.GOOD)
    in_shell(tap, "rpi3", pi.console("exit=semihost"), 0)
    on_the_command_line(tap)
    pages(tap)
    made(tap)
    tap.done()


if __name__ == "__main__":
    main()
