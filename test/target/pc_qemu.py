# SPDX-License-Identifier: MIT
"""A PC in QEMU, for tests: boots by -kernel and by GRUB, a serial line. pc32_qemu.py and
pc64_qemu.py are the two there are.

A pass is exit code 33 and a line, never one of them alone: a machine that resets ends with 0 under
-no-reboot.
"""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import qemu_machine as qemu  # noqa: E402
from qemu_machine import PROMPT, ROOT  # noqa: E402

LIMIT = 90
GOOD, BAD = 33, 35


class Machine(qemu.Machine):
    BASE = ["-display", "none", "-monitor", "none", "-no-reboot", "-serial", "stdio", "-device",
            "isa-debug-exit,iobase=0xf4,iosize=0x04"]


class Pc:
    """A kind of PC: its folder under build/, its QEMU, GRUB's words for kernel and module."""

    def __init__(self, name, system, memory, kernel_word, module_word):
        self.name, self.memory = name, memory
        self.words = (kernel_word, module_word)
        self.build = os.path.join(ROOT, "build", name)
        self.kernel = os.path.join(self.build, "kernel.elf")
        self.clang = os.path.join(ROOT, f"build/{name}clang/kernel.elf")
        self.iso = os.path.join(self.build, "loam.iso")
        self.machine = type("Machine", (Machine,), {"BASE": [system, *Machine.BASE]})

    def console(self, words, kernel=None, memory=None, cpu=None, initrd=None, more=(), limit=LIMIT):
        """Boots by -kernel; words is the kernel command line."""
        arguments = ["-kernel", kernel or self.kernel, "-m", memory or self.memory, *more]
        arguments += ["-append", words] if words else []
        arguments += ["-cpu", cpu] if cpu else []
        arguments += ["-initrd", initrd] if initrd else []
        return self.machine(arguments, limit)

    def boot(self, words, **options):
        """(exit code, output) of a boot that ends by itself."""
        return self.console(words, **options).finish()

    def grub(self, words=None, menu=None, memory=None, cpu=None, kernel=None, initrd=None, more=(),
             limit=LIMIT):
        """Boots by real GRUB from an ISO made for the purpose, or from loam.iso when neither words
        nor a menu is given."""
        memory = memory or self.memory
        more = [*more, *(["-cpu", cpu] if cpu else [])]
        if words is None and menu is None:
            return self.machine(["-cdrom", self.iso, "-m", memory, *more], limit)
        with tempfile.TemporaryDirectory(prefix="loam-grub-") as folder:
            image, config = os.path.join(folder, "k.iso"), os.path.join(folder, "grub.cfg")
            with open(config, "w", encoding="ascii") as file:
                file.write("set timeout=0\nmenuentry k {\n%s\n}\n" % (menu or (
                    f"{self.words[0]} /boot/kernel.elf {words}\n"
                    f"{self.words[1]} /boot/initrd.cpio initrd")))
            subprocess.run([os.path.join(ROOT, "tools/grub_iso.sh"), image, kernel or self.kernel,
                            initrd or os.path.join(self.build, "initrd.cpio"), config,
                            "multiboot multiboot2 mmap iso9660 biosdisk normal"], check=True)
            machine = self.machine(["-cdrom", image, "-m", memory, *more], limit)
            machine.wait_for("Loam")  # GRUB has read the files by then
            return machine


def ends(machine):
    """Types `off` at the shell's prompt; (exit code, output)."""
    if machine.wait_for(PROMPT):
        machine.type("off\r")
    return machine.finish()
