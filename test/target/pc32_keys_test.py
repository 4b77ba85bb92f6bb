#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The PC's keyboard and screen: keys pressed through QEMU's monitor, the screen read back, and the
same shell on the serial line. Prints TAP."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc32_qemu as pc  # noqa: E402
from qmp import ROWS, Monitor  # noqa: E402
from taplib import Tap  # noqa: E402


class Session:
    """A PC at its shell's prompt, with a person at the keyboard."""

    def __init__(self, words="shell", **options):
        self.monitor = Monitor()
        self.machine = pc.console(words, more=self.monitor.arguments, **options)
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
        self.monitor.type("off\n")
        code, output = self.machine.finish()
        self.monitor.close()
        return code, output


def at_prompt(lines):
    text = [line for line in lines if line]
    return bool(text) and text[-1] == "loam>"


def same_on_both(tap, name, session, text, typed=None):
    """What a line makes the serial line say is what the screen shows at its end."""
    said = session.type_line(text)
    want = [line.rstrip() for line in said.splitlines()][1:]
    lines = [line for line in session.lines() if line]
    shown = lines[-min(len(want), ROWS - 1):]
    tap.check(want[-len(shown):] == shown and len(shown) > 1, name, [*said.splitlines(), *lines])
    echo = f"loam> {typed or text}"
    tap.check(len(want) >= ROWS or echo in lines, f"{name}: the line itself is shown", lines)
    return said


def typing(tap):
    session = Session()
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


def long_line(tap):
    """A line longer than the screen is wide; back over its start; then one that scrolls."""
    session = Session()
    session.machine.type("a" * 78)
    good = session.monitor.wait_screen(lambda s: "a" * 4 in s.lines())
    lines = good.lines() if good else []
    tap.check("loam> " + "a" * 74 in lines, "screen: a long line goes on in the next row", lines)
    session.monitor.type("\b" * 6)
    good = session.monitor.wait_screen(lambda s: "loam> " + "a" * 72 in s.lines())
    tap.check(good is not None and "a" * 4 not in good.lines(),
              "screen: backspace goes back over the start of a row", session.monitor.screen().lines())
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


def main():
    tap = Tap()
    typing(tap)
    long_line(tap)
    tap.done()


if __name__ == "__main__":
    main()
