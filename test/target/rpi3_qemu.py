# SPDX-License-Identifier: MIT
"""The Raspberry Pi 3 in QEMU, for tests (qemu_machine.py)."""
import os
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import qemu_machine  # noqa: E402
from qemu_machine import PROMPT, ROOT, dtb, ends, frames, tail, tree_source  # noqa: E402, F401

BUILD = os.path.join(ROOT, "build/rpi3")
DTS = os.path.join(ROOT, "kern/boards/rpi3/rpi3.dts")
KERNEL = os.path.join(BUILD, "kernel8.img")
CLANG = os.path.join(ROOT, "build/rpi3clang/kernel8.img")
TEXT = 0x80000
LIMIT = 60
TREE_AT = 0x8200000  # where with_tree() puts its blob


def built(name):
    return os.path.join(BUILD, name)


class Machine(qemu_machine.Machine):
    BASE = ["qemu-system-aarch64", "-M", "raspi3b", "-display", "none", "-monitor", "none",
            "-semihosting-config", "enable=on,target=native"]

    def __init__(self, arguments, limit=LIMIT):
        super().__init__(arguments, limit)


def console(words, kernel=KERNEL, dtb=built("rpi3.dtb"), initrd=built("initramfs.cpio"),
            serial=("null", "stdio"), limit=LIMIT):
    """Boots as `make run` does; words is the kernel command line."""
    arguments = ["-kernel", kernel, "-append", words]
    arguments += ["-dtb", dtb] if dtb else []
    arguments += ["-initrd", initrd] if initrd else []
    for port in serial:
        arguments += ["-serial", port]
    return Machine(arguments, limit)


def boot(words, **options):
    """(exit code, output) of a boot that ends by itself."""
    machine = console(words + " exit=semihost", **options)
    return machine.finish()


ENTER = """
.global _start
_start: ldr x9, =0x5b1          // leaves EL3 as the firmware would, for EL{level}
    msr scr_el3, x9
    msr cptr_el3, xzr
    mov x9, #0x80000000
    msr hcr_el2, x9
    mov x9, #0x33ff
    msr cptr_el2, x9
    mov x9, #3
    msr cnthctl_el2, x9
    ldr x9, =0x30d00800
    msr sctlr_el1, x9
    mov x9, #{spsr}
    msr spsr_el3, x9
    ldr x9, =0x80000
    msr elr_el3, x9
    ldr x0, ={x0}
    mov x1, #{level}
    cmp x1, #3
    b.eq 1f
    eret
1:  br x9
"""
SPSR = {1: 0x3C5, 2: 0x3C9, 3: 0x3CD}


def enter_code(folder, x0, level):
    """A few instructions that enter the kernel at this exception level with this x0."""
    source, elf, raw = (os.path.join(folder, f"enter{level}.{e}") for e in ("S", "o", "bin"))
    with open(source, "w", encoding="ascii") as file:
        file.write(ENTER.format(level=level, spsr=SPSR[level], x0=hex(x0)))
    subprocess.run(["aarch64-linux-gnu-gcc", "-nostdlib", "-static", "-Wl,-Ttext=0x70000,"
                    "--build-id=none", source, "-o", elf], check=True)
    subprocess.run(["aarch64-linux-gnu-objcopy", "-O", "binary", elf, raw], check=True)
    return raw


def with_tree(blob, x0=TREE_AT, level=2, kernel=KERNEL):
    """A machine whose kernel is entered with a device tree that QEMU has not touched. All four
    cores arrive."""
    with tempfile.TemporaryDirectory(prefix="loam-tree-") as folder:
        tree = os.path.join(folder, "tree.dtb")
        with open(tree, "wb") as file:
            file.write(blob)
        arguments = ["-serial", "null", "-serial", "stdio",
                     "-device", f"loader,file={kernel},addr=0x80000,force-raw=on",
                     "-device", f"loader,file={enter_code(folder, x0, level)},addr=0x70000,"
                     "force-raw=on"]
        if blob:
            arguments += ["-device", f"loader,file={tree},addr={TREE_AT:#x},force-raw=on"]
        for core in range(4):
            arguments += ["-device", f"loader,addr=0x70000,cpu-num={core}"]
        machine = Machine(arguments)
        machine.wait_for("Loam")  # QEMU has read the files by then
        return machine


def cut(blob, **fields):
    """A device tree with header fields (by index) replaced: cut(blob, f1=0x30)."""
    words = bytearray(blob)
    for name, value in fields.items():
        struct.pack_into(">I", words, 4 * int(name[1:]), value)
    return bytes(words)
