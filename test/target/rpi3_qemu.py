# SPDX-License-Identifier: MIT
"""The Raspberry Pi 3 in QEMU, for tests: boots, a serial line, device trees made to order.

Every machine has a time limit. A pass is an exit code and a line, never one of them alone.
"""
import os
import re
import struct
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
BUILD = os.path.join(ROOT, "build/rpi3")
DTS = os.path.join(ROOT, "kern/boards/rpi3/rpi3.dts")
KERNEL = os.path.join(BUILD, "kernel8.img")
CLANG = os.path.join(ROOT, "build/rpi3clang/kernel8.img")
TEXT = 0x80000
LIMIT = 60
TREE_AT = 0x8200000  # where boot_with_tree() puts its blob
PROMPT = "loam> "


def built(name):
    return os.path.join(BUILD, name)


class Machine:
    """A running QEMU with the console on pipes."""
    BASE = ["qemu-system-aarch64", "-M", "raspi3b", "-display", "none", "-monitor", "none",
            "-semihosting-config", "enable=on,target=native"]

    def __init__(self, arguments, limit=LIMIT):
        command = [*self.BASE, *arguments]
        self.deadline = time.monotonic() + limit
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
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
            self.process.stdin.flush()
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


def ends(machine):
    """Types `off` at the shell's prompt; (exit code, output)."""
    if machine.wait_for(PROMPT):
        machine.type("off\r")
    return machine.finish()


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


def cut(blob, **fields):
    """A device tree with header fields (by index) replaced: cut(blob, f1=0x30)."""
    words = bytearray(blob)
    for name, value in fields.items():
        struct.pack_into(">I", words, 4 * int(name[1:]), value)
    return bytes(words)
