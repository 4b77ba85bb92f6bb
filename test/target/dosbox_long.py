#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An 80386, as DOSBox plays one: the kernel from a floppy, console on the serial line.

QEMU's oldest processor is the 486. DOSBox knows no Multiboot and no exit code: a boot sector of our
own stands in for the loader, and the test ends DOSBox once the kernel has said its last line.
"""
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc32_qemu as pc  # noqa: E402
from taplib import Tap  # noqa: E402

CONFIG = """[sdl]
output=surface
[dosbox]
memsize=16
[cpu]
core=normal
cputype={cpu}
cycles=max
[mixer]
nosound=true
[serial]
serial1=nullmodem server:127.0.0.1 port:{port} transparent:1
[autoexec]
boot {image}
"""
LAST = "it may be switched off now."


class DosBox:
    def __init__(self, words, cpu="386", limit=60):
        self.folder = tempfile.TemporaryDirectory(prefix="loam-dosbox-")
        self.deadline = time.monotonic() + limit
        self.output = ""
        image = os.path.join(self.folder.name, "floppy.img")
        subprocess.run([os.path.join(pc.ROOT, "tools/floppy.py"), pc.KERNEL,
                        os.path.join(pc.BUILD, "floppy_boot.elf"), image, words], check=True)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            listener.settimeout(limit)
            config = os.path.join(self.folder.name, "dosbox.conf")
            with open(config, "w", encoding="ascii") as file:
                file.write(CONFIG.format(cpu=cpu, port=listener.getsockname()[1], image=image))
            self.process = subprocess.Popen(
                ["dosbox", "-conf", config, "-noconsole"], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env=dict(os.environ, SDL_VIDEODRIVER="dummy", SDL_AUDIODRIVER="dummy"))
            try:
                self.line, _ = listener.accept()
            except OSError:
                self.line = None

    def wait_for(self, text):
        """True when it came, False when the time is over or DOSBox has ended."""
        while self.line and text not in self.output and time.monotonic() < self.deadline:
            self.line.settimeout(0.5)
            try:
                new = self.line.recv(65536)
            except socket.timeout:
                continue
            except OSError:
                break
            if not new:
                break
            self.output += new.decode("ascii", "replace").replace("\r", "")
        return text in self.output

    def type(self, text):
        for c in text:  # one at a time: the emulated receiver holds one
            self.line.sendall(c.encode())
            time.sleep(0.05)

    def end(self):
        self.process.kill()
        self.process.wait()
        if self.line:
            self.line.close()
        self.folder.cleanup()
        return self.output


def boot(words, last=LAST, cpu="386", limit=60):
    """(whether the last line came, all that was said)."""
    machine = DosBox(words, cpu, limit)
    came = machine.wait_for(last)
    return came, machine.end()


def tour(tap, cpu, name):
    came, output = boot("demo=tour demo=irq off", cpu=cpu)
    faults = ["the last line is missing"] if not came else []
    faults += [f"missing: {text}" for text in (name, "tour: done", r"\] off")
               if not re.search(text, output)]
    faults += ["no frames line that adds up"] if pc.frames(output) is None else []
    faults += ["a panic"] if "panic:" in output else []
    if cpu == "386":
        faults += [text for text in ("this processor can only forget all pages at once",
                                     "an 80386 lets the kernel write everywhere")
                   if text not in output]
    tap.check(not faults, f"DOSBox: {cpu}: named, the tour, interrupts, off",
              faults + pc.tail(output, 30))


def tests(tap):
    came, output = boot("test", limit=2400)
    plan = re.search(r"^1\.\.(\d+)$", output, re.M)
    good = len(re.findall(r"^ok \d+ - ", output, re.M))
    passed = came and plan and good == int(plan.group(1)) and "loam: all tests passed" in output
    tap.check(passed, "DOSBox: 386: every unit test passes", pc.tail(output, 20))


def faults_of_a_386(tap):
    """Not the double fault: DOSBox gives up where a processor would raise one."""
    for name, texts in (("null", ("page fault on write of address 0x8", "a NULL pointer")),
                        ("divide", ("trap: divide error", "shell_run+0x"))):
        machine = DosBox("shell")
        if machine.wait_for(pc.PROMPT):
            machine.type(f"fault {name}\r")
        machine.wait_for(LAST)
        output = machine.end()
        faults = [text for text in (*texts, "panic: stopped") if text not in output]
        tap.check(not faults, f"DOSBox: 386: fault {name}: typed, reported",
                  faults + pc.tail(output, 20))


def main():
    tap = Tap()
    tour(tap, "386", "an 80386")
    tour(tap, "486_slow", "an 80486")
    faults_of_a_386(tap)
    tests(tap)
    tap.done()


if __name__ == "__main__":
    main()
