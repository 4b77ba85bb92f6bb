# SPDX-License-Identifier: MIT
"""QEMU's virt machine with 64-bit Arm processors, for tests: any number of cores, any RAM, device
trees made to order.

A pass is exit code 0 and a line, never one of them alone; a failure ends with code 1, by
semihosting: PSCI's SYSTEM_OFF has no code.
"""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import qemu_machine as qemu  # noqa: E402
from qemu_machine import PROMPT, ROOT, dtb, ends, frames, tail, tree_source  # noqa: E402, F401

BUILD = os.path.join(ROOT, "build/virt64")
KERNEL = os.path.join(BUILD, "kernel.img")
ELF = os.path.join(BUILD, "kernel.elf")
CLANG = os.path.join(ROOT, "build/virt64clang/kernel.img")
INITRD = os.path.join(ROOT, "build/rpi3/initramfs.cpio")
TEXT = 0x40200000
RAM = 0x40000000
TREE_AT = 0x48000000  # where with_tree() puts its blob
LIMIT = 90


class Machine(qemu.Machine):
    BASE = ["qemu-system-aarch64", "-display", "none", "-monitor", "none", "-nic", "none",
            "-serial", "stdio", "-semihosting-config", "enable=on,target=native"]


def console(words, kernel=KERNEL, cores=4, memory="256M", machine="virt", cpu="cortex-a57",
            initrd=None, more=(), limit=LIMIT):
    """Boots by -kernel; words is the kernel command line."""
    arguments = ["-M", machine, "-cpu", cpu, "-smp", str(cores), "-m", memory, "-kernel", kernel,
                 *more]
    arguments += ["-append", words] if words else []
    arguments += ["-initrd", initrd] if initrd else []
    return Machine(arguments, limit)


def boot(words, **options):
    """(exit code, output) of a boot that ends by itself."""
    return console(words + " exit=semihost", **options).finish()


def own_tree(words, machine="virt", cores=2, memory="256M"):
    """The source of the tree that QEMU makes for such a machine."""
    with tempfile.TemporaryDirectory(prefix="loam-tree-") as folder:
        blob = os.path.join(folder, "t.dtb")
        subprocess.run(["qemu-system-aarch64", "-M", f"{machine},dumpdtb={blob}", "-cpu",
                        "cortex-a57", "-smp", str(cores), "-m", memory, "-display", "none",
                        "-nic", "none", "-kernel", KERNEL, "-append", words], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        done = subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", blob],
                              stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout


ENTER = """
.global _start
_start: mov x9, #0x40000000     // QEMU's own tree lies there: no more
    str wzr, [x9]
    ldr x0, ={x0}
    ldr x9, ={entry}
    br x9
"""


def with_tree(blob, x0=TREE_AT, machine="virt", cores=2, memory="256M", more=(), limit=LIMIT):
    """A machine whose kernel is entered with a device tree that QEMU has not touched."""
    with tempfile.TemporaryDirectory(prefix="loam-tree-") as folder:
        source, elf, tree = (os.path.join(folder, name) for name in ("e.S", "e.elf", "t.dtb"))
        with open(tree, "wb") as file:
            file.write(blob)
        with open(source, "w", encoding="ascii") as file:
            file.write(ENTER.format(x0=hex(x0), entry=hex(TEXT)))
        subprocess.run(["aarch64-linux-gnu-gcc", "-nostdlib", "-static",
                        "-Wl,-Ttext=0x40180000,--build-id=none", source, "-o", elf], check=True)
        arguments = ["-M", machine, "-cpu", "cortex-a57", "-smp", str(cores), "-m", memory,
                     "-device", f"loader,file={KERNEL},addr={TEXT:#x},force-raw=on",
                     "-device", f"loader,file={elf},cpu-num=0", *more]
        if blob:
            arguments += ["-device", f"loader,file={tree},addr={TREE_AT:#x},force-raw=on"]
        made = Machine(arguments, limit)
        made.wait_for("Loam")  # QEMU has read the files by then
        return made
