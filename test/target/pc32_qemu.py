# SPDX-License-Identifier: MIT
"""The PC in QEMU, for tests: boots by -kernel and by GRUB, a serial line.

A pass is exit code 33 and a line, never one of them alone: a machine that resets ends with 0 under
-no-reboot.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rpi3_qemu as qemu  # noqa: E402
from rpi3_qemu import PROMPT, ROOT, frames, tail  # noqa: E402, F401

BUILD = os.path.join(ROOT, "build/pc32")
KERNEL = os.path.join(BUILD, "kernel.elf")
CLANG = os.path.join(ROOT, "build/pc32clang/kernel.elf")
ISO = os.path.join(BUILD, "loam.iso")
LIMIT = 90
GOOD, BAD = 33, 35


class Machine(qemu.Machine):
    BASE = ["qemu-system-i386", "-display", "none", "-monitor", "none", "-no-reboot", "-serial",
            "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]


def console(words, kernel=KERNEL, memory="64", cpu=None, initrd=None, more=(), limit=LIMIT):
    """Boots by -kernel; words is the kernel command line."""
    arguments = ["-kernel", kernel, "-m", memory, *more]
    arguments += ["-append", words] if words else []
    arguments += ["-cpu", cpu] if cpu else []
    arguments += ["-initrd", initrd] if initrd else []
    return Machine(arguments, limit)


def boot(words, **options):
    """(exit code, output) of a boot that ends by itself."""
    return console(words, **options).finish()


def ends(machine):
    """Types `off` at the shell's prompt; (exit code, output)."""
    if machine.wait_for(PROMPT):
        machine.type("off\r")
    return machine.finish()
