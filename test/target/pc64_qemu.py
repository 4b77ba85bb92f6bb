# SPDX-License-Identifier: MIT
"""The PC with 64 bits in QEMU, for tests (pc_qemu.py)."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pc_qemu import BAD, GOOD, LIMIT, Pc, ends  # noqa: E402, F401
from qemu_machine import PROMPT, ROOT, frames, tail  # noqa: E402, F401

PC = Pc("pc64", "qemu-system-x86_64", "64", "multiboot2", "module2")
BUILD, KERNEL, CLANG, ISO = PC.build, PC.kernel, PC.clang, PC.iso
Machine, console, boot, grub = PC.machine, PC.console, PC.boot, PC.grub
