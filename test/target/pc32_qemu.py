# SPDX-License-Identifier: MIT
"""The PC with 32 bits in QEMU, for tests (pc_qemu.py), and a loader of our own."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from pc_qemu import BAD, GOOD, LIMIT, Pc, ends  # noqa: E402, F401
from qemu_machine import PROMPT, ROOT, frames, tail  # noqa: E402, F401

PC = Pc("pc32", "qemu-system-i386", "64", "multiboot", "module")
BUILD, KERNEL, CLANG, ISO = PC.build, PC.kernel, PC.clang, PC.iso
Machine, console, boot, grub = PC.machine, PC.console, PC.boot, PC.grub


# A loader of our own: enters the kernel with whatever registers and information a test wants.
STUB_AT = 0x3000000
STUB = """
.text
.long 0x1badb002, 0, -0x1badb002
.global _start
_start: cli
    lgdt pointer
    ljmp $8, $1f
1:  movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl ${magic}, %eax
    movl ${info}, %ebx
    movl ${entry}, %ecx
    jmp *%ecx
.balign 8
gdt: .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
pointer: .word 23
    .long gdt
.balign 16
info: .long {flags}, {lower}, {upper}, 0, cmdline, {modules_count}, modules, 0, 0, 0, 0
    .long {map_len}, map
    .fill 16, 4, 0
map: {map}
map_end:
modules: {modules}
text: .asciz "a module"
cmdline: .asciz "kernel.elf {words}"
"""


def with_info(words="off", magic=0x2BADB002, info="info", flags=0x4D, lower=639, upper=64512,
              regions=((0, 0x9FC00, 1), (0x100000, 0x3EE0000, 1)), modules=(), map_len=None,
              memory="64", limit=LIMIT):
    """The kernel, entered with made-up Multiboot information. regions: (base, length, type);
    modules: (start, end); flags: 0x40 a map, 8 modules, 4 a command line, 1 sizes."""
    table = "".join(f"\n    .long 20, {b & 0xffffffff:#x}, {b >> 32:#x}, {n & 0xffffffff:#x}, "
                    f"{n >> 32:#x}, {t}" for b, n, t in regions)
    listed = "".join(f"\n    .long {s:#x}, {e:#x}, text, 0" for s, e in modules)
    entry = subprocess.run(["readelf", "-h", KERNEL], stdout=subprocess.PIPE, text=True, check=True)
    entry = re.search(r"Entry point address: +(\S+)", entry.stdout).group(1)
    with tempfile.TemporaryDirectory(prefix="loam-stub-") as folder:
        source, stub = os.path.join(folder, "stub.S"), os.path.join(folder, "stub.elf")
        with open(source, "w", encoding="ascii") as file:
            file.write(STUB.format(words=words, magic=hex(magic), info=info, flags=hex(flags),
                                   lower=lower, upper=upper, map=table, modules=listed,
                                   modules_count=len(modules), entry=entry,
                                   map_len="map_end - map" if map_len is None else map_len))
        subprocess.run(["gcc", "-m32", "-nostdlib", "-static", "-no-pie",
                        f"-Wl,-Ttext={STUB_AT:#x},--build-id=none,-z,noexecstack", source,
                        "-o", stub], check=True)
        machine = Machine(["-kernel", stub, "-m", memory, "-device",
                           f"loader,file={KERNEL}"], limit)
        machine.wait_for("Loam")
        return machine
