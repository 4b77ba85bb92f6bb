# SPDX-License-Identifier: MIT
"""QEMU's monitor protocol: keys into a PC, and what its screen shows, without a display."""
import json
import os
import socket
import tempfile
import time

HOLD = 20  # milliseconds a key is held down
GAP = 0.1  # seconds between two keys
COLUMNS, ROWS = 80, 25
SCREEN = 0xb8000

NAMES = {" ": "spc", "\n": "ret", "\b": "backspace", "\t": "tab", "\x1b": "esc", "-": "minus",
         "=": "equal", "[": "bracket_left", "]": "bracket_right", ";": "semicolon",
         "'": "apostrophe", "`": "grave_accent", "\\": "backslash", ",": "comma", ".": "dot",
         "/": "slash"}
SHIFTED = dict(zip('!@#$%^&*()_+{}:"~|<>?', "1234567890-=[];'`\\,./"))


def keys_of(character):
    """The keys, by QEMU's names, that a person holds down for a character on a US keyboard."""
    if character in SHIFTED:
        return ["shift", *keys_of(SHIFTED[character])]
    if character.isupper():
        return ["shift", character.lower()]
    return [NAMES.get(character, character)]


class Cell:
    """One character of the screen: what, and in which of the 16 colours on which."""

    def __init__(self, low, high):
        self.character = bytes([low]).decode("cp437") if low else " "
        self.ink, self.paper = high & 15, high >> 4 & 7


class Screen:
    def __init__(self, memory):
        self.cells = [Cell(*memory[i:i + 2]) for i in range(0, 2 * COLUMNS * ROWS, 2)]

    def row(self, y):
        return self.cells[y * COLUMNS:(y + 1) * COLUMNS]

    def lines(self):
        """25 texts, without the blanks at their ends."""
        return ["".join(c.character for c in self.row(y)).rstrip() for y in range(ROWS)]


class Monitor:
    """Talks to the QEMU that was started with the arguments `self.arguments`."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="loam-qmp-")
        self.path = os.path.join(self.folder.name, "socket")
        self.arguments = ["-qmp", f"unix:{self.path},server=on,wait=off"]
        self.socket = self.file = None

    def connect(self, limit=30):
        end = time.monotonic() + limit
        while self.file is None:
            try:
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.settimeout(limit)
                self.socket.connect(self.path)
                self.file = self.socket.makefile("rw", encoding="utf-8")
            except OSError:
                self.socket.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        self.file.readline()  # the greeting
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        if self.file is None:
            self.connect()
        json.dump({"execute": command, "arguments": arguments}, self.file)
        self.file.flush()
        while True:
            line = self.file.readline()
            if not line:
                raise ConnectionError(f"{command}: QEMU has ended")
            answer = json.loads(line)
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']}")
            if "return" in answer:
                return answer["return"]  # what else comes are events

    def press(self, *names):
        """Holds these keys down together, and lets them go."""
        keys = [{"type": "qcode", "data": name} for name in names]
        self.ask("send-key", keys=keys, **{"hold-time": HOLD})
        time.sleep(GAP)

    def type(self, text):
        for character in text:
            self.press(*keys_of(character))

    def screen(self):
        path = os.path.join(self.folder.name, "screen")
        self.ask("pmemsave", val=SCREEN, size=2 * COLUMNS * ROWS, filename=path)
        with open(path, "rb") as file:
            return Screen(file.read())

    def wait_screen(self, good, limit=30):
        """The screen, once good(screen) holds; None when it does not come to that."""
        end = time.monotonic() + limit
        while True:
            screen = self.screen()
            if good(screen):
                return screen
            if time.monotonic() > end:
                return None
            time.sleep(0.1)

    def close(self):
        if self.file is not None:
            self.file.close()
            self.socket.close()
        self.folder.cleanup()
