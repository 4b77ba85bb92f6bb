#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The driver's words inside a kernel: the same sessions as on the host, typed into the shell of the
Raspberry Pi 3 in QEMU. Prints TAP."""
import os
import select
import subprocess
import time

import check_objects
import check_pages
import check_vm
from driving import ROOT, Tap, Wrong

PROMPT = b"loam> "
RPI3 = os.path.join(ROOT, "build", "rpi3")
QEMU = ["qemu-system-aarch64", "-M", "raspi3b", "-kernel", f"{RPI3}/kernel8.img",
        "-dtb", f"{RPI3}/rpi3.dtb", "-initrd", f"{RPI3}/initramfs.cpio", "-display", "none",
        "-serial", "null", "-serial", "stdio", "-monitor", "none",
        "-semihosting-config", "enable=on,target=native", "-append", "shell exit=semihost"]


class Kernel:
    """A kernel at its prompt; ask() types a command of the driver."""

    width = "rpi3"

    def __init__(self):
        self.tail, self.errors = [], b""
        self.process = subprocess.Popen(QEMU, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, bufsize=0)
        try:
            self.until_prompt()
        except Wrong:
            self.kill()
            raise

    def until_prompt(self):
        text, end = b"", time.monotonic() + 30
        while not text.endswith(PROMPT):
            ready, _, _ = select.select([self.process.stdout], [], [], end - time.monotonic())
            piece = self.process.stdout.read(4096) if ready else b""
            if not piece:
                raise Wrong(f"no prompt after {text[-300:]!r}")
            text += piece
        return text[:-len(PROMPT)]

    def type(self, line):
        self.process.stdin.write(line.encode() + b"\r")
        return self.until_prompt().decode("ascii").split("\r\n")

    def ask(self, line):
        """The answer is the last line: refusals tell why before it."""
        lines = self.type(f"driver {line}")
        self.tail = self.tail[-30:] + [f"{line} -> {lines[1:-1]}"]
        if len(lines) < 3 or lines[-1]:
            raise Wrong(f"{line}: no line of answer in {lines}")
        return lines[-2]

    def want(self, line, answer):
        got = self.ask(line)
        if got != answer:
            raise Wrong(f"'{line}' -> '{got}', wanted '{answer}'")

    def messages(self):
        return b""

    def close(self):
        self.process.stdin.write(b"off\r")
        code = self.process.wait(30)
        if code != 0:
            raise Wrong(f"exit code {code}")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def pages(*titles):
    def play(kernel, rng):
        for title in titles:
            check_pages.Session(kernel, rng, check_pages.MAPS[title]).play(False, 40)
    return play


def objects(kernel, rng):
    heap = check_objects.Heap(kernel, rng, 100)
    for _ in range(200):
        heap.step()
    heap.give_all()


def spaces(kernel, rng):
    kernel.want("--vm=vax", "err usage")
    for mmu in (check_vm.I386, check_vm.X86_64, check_vm.Aarch64):
        kernel.want("reset", "ok")
        kernel.want(f"--vm={mmu.name}", "ok")
        kernel.ask("vm_new")  # makes a machine
        kernel.want("vm_free", "ok")
        space = check_vm.Space(kernel, mmu)
        for _ in range(12):
            check_vm.step(space, rng)
        space.close()


def gives_back(kernel, _):
    """What the fake machine borrowed is there again after a reset."""
    def free():
        kernel.type("buddyinfo")  # drains the fronts
        return [line for line in kernel.type("mem") if line.startswith("free:")]
    before = free()
    kernel.want("region 100000 100000", "ok")
    kernel.want("start 1000 a", "ok")
    kernel.want("fill 100000 3 55", "ok")
    if free() == before:
        raise Wrong("the machine costs nothing")
    kernel.want("reset 100", "100")
    kernel.want("reset", "ok")
    if free() != before:
        raise Wrong(f"{free()}, before {before}")
    kernel.want("bogus", "err usage")


def main():
    tap = Tap("kernel")
    tap.run_on("rpi3: pages: one region", Kernel, pages("one region"))
    tap.run_on("rpi3: pages: odd maps", Kernel, pages("regions far apart", "eight pages"))
    tap.run_on("rpi3: objects", Kernel, objects)
    tap.run_on("rpi3: address spaces", Kernel, spaces)
    tap.run_on("rpi3: borrowed pages come back", Kernel, gives_back)
    tap.done()


if __name__ == "__main__":
    main()
