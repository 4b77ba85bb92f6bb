# SPDX-License-Identifier: MIT
"""A machine in QEMU, for tests of every board: a serial line, the boot log's sum, device trees made
to order. The boards' own files (rpi3_qemu.py and its like) say how theirs is started.

Every machine has a time limit. A pass is an exit code and a line, never one of them alone.
"""
import os
import re
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
PROMPT = "loam> "


class Machine:
    """A running QEMU with the console on pipes, for at most so many seconds."""
    BASE = []  # how every machine of a kind is started

    def __init__(self, arguments, limit):
        command = [*self.BASE, *arguments]
        self.deadline = time.monotonic() + limit
        self.process = subprocess.Popen(command, bufsize=0, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.output = ""
        self.news = threading.Condition()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while True:
            new = os.read(self.process.stdout.fileno(), 65536)
            with self.news:
                self.output += new.decode("ascii", "replace").replace("\r", "")
                self.news.notify_all()
            if not new:
                return

    def wait_for(self, text, start=0):
        """The position behind the text, or None when the time is over or the machine has ended."""
        with self.news:
            while True:
                at = self.output.find(text, start)
                if at >= 0:
                    return at + len(text)
                left = self.deadline - time.monotonic()
                if left <= 0 or not self.reader.is_alive():
                    return None
                self.news.wait(min(left, 0.5))

    def type(self, text):
        try:
            self.process.stdin.write(text.encode())
        except BrokenPipeError:
            pass

    def command(self, text):
        """Types a line at the prompt; what the kernel said until the next prompt or its end."""
        start = len(self.output)
        self.type(text + "\r")
        end = self.wait_for(PROMPT, start)
        return self.output[start:end] if end else self.output[start:]

    def finish(self):
        """(exit code, output) once it ends by itself; code None: it had to be killed."""
        try:
            code = self.process.wait(max(self.deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = None
        self.reader.join(5)
        return code, self.output


def ends(machine):
    """Types `off` at the shell's prompt; (exit code, output)."""
    if machine.wait_for(PROMPT):
        machine.type("off\r")
    return machine.finish()


FRAMES = re.compile(r"^frames: (\d+) = (\d+) free \+ (\d+) held \+ (\d+) metadata$", re.M)


def frames(output):
    """(total, free, held, metadata) of the boot log, or None when the line is missing or wrong."""
    lines = FRAMES.findall(output)
    if len(lines) != 1:
        return None
    total, free, held, metadata = (int(number) for number in lines[0])
    return (total, free, held, metadata) if total == free + held + metadata else None


def tail(output, lines=12):
    return output.splitlines()[-lines:]


def dtb(source):
    """Compiles device tree source."""
    done = subprocess.run(["dtc", "-q", "-f", "-I", "dts", "-O", "dtb"], input=source.encode(),
                          stdout=subprocess.PIPE, check=True)
    return done.stdout


def tree_source(memory, cells=(2, 2), bootargs="off exit=semihost", chosen="", reserve=()):
    """A small tree. memory: (base, length) pairs."""
    def reg(pairs):
        parts = []
        for pair in pairs:
            for value, count in zip(pair, cells):
                parts += [f"{value >> 32:#x}"] if count == 2 else []
                parts += [f"{value & 0xffffffff:#x}"]
        return " ".join(parts)
    held = "".join(f"/memreserve/ {base:#x} {length:#x};\n" for base, length in reserve)
    return (f"/dts-v1/;\n{held}/ {{ #address-cells = <{cells[0]}>; #size-cells = <{cells[1]}>;\n"
            f'chosen {{ bootargs = "{bootargs}"; {chosen} }};\n'
            f'memory@0 {{ device_type = "memory"; reg = <{reg(memory)}>; }};\n}};\n')
