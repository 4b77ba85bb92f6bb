#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The PC's keyboard and screen: keys pressed through QEMU's monitor, the screen read back, and the
same shell on the serial line. Prints TAP."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc32_qemu as pc  # noqa: E402
from qmp import COLUMNS, ROWS, Monitor  # noqa: E402
from taplib import Tap  # noqa: E402


class Session:
    """A PC at its shell's prompt, with a person at the keyboard."""

    def __init__(self, console=pc.console):
        self.monitor = Monitor()
        self.machine = console("shell", more=self.monitor.arguments)
        self.machine.wait_for(pc.PROMPT)

    def type_line(self, text):
        """Types a line; what the serial line said until the next prompt."""
        start = len(self.machine.output)
        self.monitor.type(text)
        self.monitor.press("ret")
        end = self.machine.wait_for(pc.PROMPT, start)
        return self.machine.output[start:end]

    def lines(self):
        """The screen, once it shows a prompt that waits."""
        screen = self.monitor.wait_screen(lambda s: at_prompt(s.lines()))
        return screen.lines() if screen else []

    def end(self):
        try:
            self.monitor.type("off\n")
        except ConnectionError:
            pass  # it was quicker than the answer to the last key
        code, output = self.machine.finish()
        self.monitor.close()
        return code, output


def at_prompt(lines):
    text = [line for line in lines if line]
    return bool(text) and text[-1] == "loam>"


def rows_of(line):
    """A line of text as the screen breaks it."""
    return [line[i:i + COLUMNS] for i in range(0, max(len(line), 1), COLUMNS)]


def same_on_both(tap, name, session, text, typed=None):
    """What a line makes the serial line say is what the screen shows at its end."""
    said = session.type_line(text)
    want = [row.rstrip() for line in said.splitlines()[1:] for row in rows_of(line)]
    lines = [line for line in session.lines() if line]
    shown = lines[-min(len(want), ROWS - 1):]
    tap.check(want[-len(shown):] == shown and len(shown) > 1, name, [*said.splitlines(), *lines])
    echo = f"loam> {typed or text}"
    tap.check(len(want) >= ROWS or echo in lines, f"{name}: the line itself is shown", lines)
    return said


def typing(tap, console=pc.console):
    session = Session(console)
    said = same_on_both(tap, "keys: help, with a slip taken back: both show it", session,
                        "hxx\b\belp", "help")
    tap.check("  palloc ORDER" in said and "unknown" not in said, "keys: help is understood",
              said.splitlines())
    lines = session.lines()
    tap.check(len([line for line in lines if line]) >= ROWS - 2, "screen: it has scrolled", lines)
    said = same_on_both(tap, "keys: shift", session, 'Hello_"{World}"?')
    tap.check("unknown command 'Hello_\"{World}\"?'" in said, "keys: shift: letters and signs",
              said.splitlines())
    session.monitor.press("caps_lock")
    said = session.type_line("hello 1")
    session.monitor.press("caps_lock")
    tap.check("unknown command 'HELLO'" in said, "keys: caps lock: letters alone",
              said.splitlines())
    session.monitor.press("kp_4")
    session.monitor.type("x")
    session.monitor.press("ctrl", "c")
    session.monitor.press("up")
    said = session.type_line("")
    tap.check("unknown command 'HELLO'" in said, "keys: Ctrl-C, cursor up, enter: the line again",
              said.splitlines())
    session.monitor.type("h")
    session.machine.type("ello\r")
    session.machine.wait_for("Hello World!")
    tap.check("Hello World!" in session.lines(), "keys and serial line: one shell",
              session.lines())
    code, output = session.end()
    tap.check(code == pc.GOOD, "keys: off ends with 33", [str(code), *pc.tail(output)])


def long_line(tap, console=pc.console):
    """A line longer than the screen is wide; back over its start; then one that scrolls."""
    session = Session(console)
    session.machine.type("a" * 78)
    good = session.monitor.wait_screen(lambda s: "a" * 4 in s.lines())
    lines = good.lines() if good else []
    tap.check("loam> " + "a" * 74 in lines, "screen: a long line goes on in the next row", lines)
    session.monitor.type("\b" * 6)
    good = session.monitor.wait_screen(lambda s: "loam> " + "a" * 72 in s.lines())
    tap.check(good is not None and "a" * 4 not in good.lines(),
              "screen: backspace goes back over the start of a row",
              session.monitor.screen().lines())
    session.monitor.press("ctrl", "u")
    tap.check(at_prompt(session.lines()), "screen: Ctrl-U: all of it is gone", session.lines())
    for number in range(3):
        session.machine.command(f"nothing{number}")
    session.machine.command("help")
    said = session.machine.command("mem")
    lines = [line for line in session.lines() if line]
    tap.check(said.splitlines()[-2].rstrip() == lines[-2] and "nothing0" not in "".join(lines),
              "screen: scrolls", [*said.splitlines(), *lines])
    code, _ = session.end()
    tap.check(code == pc.GOOD, "screen: and off", [str(code)])


GREEN, BLUE, YELLOW = 2, 9, 14  # free, reserved, taken
BLOCKS, LABEL, TOP = 64, 11, 2  # of the picture: characters in a row, where it begins


def blocks(screen):
    """The picture's characters and their colours, in the order of the addresses."""
    rows = [screen.row(TOP + y) for y in range(20)]
    rows = [row[LABEL:LABEL + BLOCKS] for row in rows if row[0].character == "0"]
    return [(cell.character, cell.ink) for row in rows for cell in row]


def picture(tap, console=pc.console):
    """memview on the screen of a PC with 64 MiB: a character is 64 KiB."""
    session = Session(console)
    said = session.machine.command("palloc 10")
    at = int((re.search(r"^0x([0-9a-f]+): 1024 pages", said, re.M) or [0, "0"])[1], 16) >> 16
    session.machine.type("memview\r")
    screen = session.monitor.wait_screen(lambda s: "any key ends" in s.lines()[-1])
    lines = screen.lines() if screen else []
    tap.check(lines and lines[0] == "Memory to 0x3fe0000: a character is 16 frames (64 KiB)",
              "memview: a picture on the screen", lines)
    shown = blocks(screen) if screen else []
    tap.check(at > 0 and shown[at:at + 64] == [("\u2588", YELLOW)] * 64,
              "memview: 4 MiB that were taken", [f"at {at}", *lines])
    tap.check(shown[16:20] == [("\u2588", BLUE)] * 4, "memview: the kernel's image", lines)
    tap.check(shown.count(("\u2591", GREEN)) > 500, "memview: what is free", lines)
    tap.check(all(character == " " for character, _ in shown[10:16]), "memview: a hole", lines)
    numbers = dict(re.findall(r"(free|taken|reserved) (\d+)", "".join(lines[22:23])))
    tap.check(int(numbers.get("taken", "0")) >= 1024, "memview: the numbers", lines)
    clock = lines[-1:]
    tap.check(session.monitor.wait_screen(lambda s: s.lines()[-1:] != clock) is not None,
              "memview: it is alive", clock)
    start = len(session.machine.output)
    session.monitor.press("x")
    tap.check(session.machine.wait_for(pc.PROMPT, start) is not None and at_prompt(session.lines()),
              "memview: any key ends it, the text is back", session.lines())
    tap.check("loam> memview" in session.machine.output and
              re.search(r"\x1b\[1;33m#{64}\x1b\[0m", session.machine.output) is not None,
              "memview: the same in colours on the serial line",
              session.machine.output[-3000:].splitlines())
    session.machine.command(f"pfree {at << 16:#x}")
    busy_picture(tap, session)
    code, _ = session.end()
    tap.check(code == pc.GOOD, "memview: and off", [str(code)])


def busy_picture(tap, session):
    before = numbers_of(session)
    session.machine.type("memview churn\r")
    busy = session.monitor.wait_screen(lambda s: "any key ends" in s.lines()[-1] and
                                       f" free {before['free']} " not in s.lines()[22])
    start = len(session.machine.output)
    session.machine.type(" ")
    session.machine.wait_for(pc.PROMPT, start)
    tap.check(busy is not None and numbers_of(session) == before,
              "memview churn: pages come and go, and are all back", [str(before)])
    session.machine.command("memview nonsense")
    tap.check("neither churn nor text" in session.machine.output, "memview: other words", [])


def numbers_of(session):
    """How many frames of each kind the picture counts."""
    said = session.machine.command("memview text")
    line = (re.search(r"^frames: (\d+ free.*)$", said, re.M) or [0, ""])[1]
    return {kind: number for number, kind in re.findall(r"(\d+) ([a-z ]+)", line)}


def typed_ahead(tap):
    """Typed before the kernel runs, on machines that lack this or that."""
    lines = ["tlb"] + ["hello"] * 30 + ["memview text", "off"]
    for name, more in (("a PC", []), ("an old PC", ["-M", "isapc", "-cpu", "486"]),
                       ("no screen", ["-vga", "none"])):
        machine = pc.console("shell", memory="16", more=more)
        machine.type("".join(line + "\r" for line in lines))
        code, output = machine.finish()
        seen = [line[len(pc.PROMPT):] for line in output.splitlines()
                if line.startswith(pc.PROMPT)]
        tap.check(code == pc.GOOD and seen == lines, f"serial line: {name}: typed ahead: all of it",
                  [str(code), *seen])
        tap.check(output.count("Hello World!\n") == 30 and "flushes: " in output,
                  f"serial line: {name}: and done", pc.tail(output))
    machine = pc.console("shell", more=["-vga", "none"])
    machine.wait_for(pc.PROMPT)
    said = machine.command("memview")
    tap.check("frames: " in said and said.endswith(pc.PROMPT),
              "memview: no screen: printed once", said.splitlines())
    pc.ends(machine)


def main():
    tap = Tap()
    typing(tap)
    long_line(tap)
    picture(tap)
    typed_ahead(tap)
    tap.done()


if __name__ == "__main__":
    main()
