# SPDX-License-Identifier: MIT
"""Boots of the machines with 64 bits with any RAM, for ram_sizes_test.py and ram_sizes_long.py: how
long the hand-over took and how much the metadata is has to be in the boot log. How long is nobody's
business here; how much is. Memory is reserved by nobody before it is touched (reserve=off), so the
host needs little of it."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc64_qemu as pc  # noqa: E402
import qemu_machine as qemu  # noqa: E402
from qemu_machine import PROMPT, ROOT, frames, tail  # noqa: E402

LIMIT = 120
PAGE = 4096
UNITS = {"M": 1 << 20, "G": 1 << 30}


def number(size):
    return int(size[:-1]) * UNITS[size[-1]]


def backend(name, size):
    return f"memory-backend-ram,id={name},size={size},reserve=off"


def plain(size):
    """QEMU's words for one piece of memory."""
    return ["-m", size, "-object", backend("ram", size), "-machine", "memory-backend=ram"]


def nodes(parts, distances=()):
    """And for memory nodes: parts are (size, processors); distances are (from, to, value)."""
    total = sum(number(size) for size, _ in parts) >> 20
    cpus = sum(n for _, n in parts)
    words, first = ["-m", f"{total}M", "-smp", str(cpus)], 0
    for i, (size, n) in enumerate(parts):
        node = f"node,nodeid={i},memdev=m{i}"
        node += f",cpus={first}-{first + n - 1}" if n else ""
        words += ["-object", backend(f"m{i}", size), "-numa", node]
        first += n
    for a, b, value in distances:
        words += ["-numa", f"dist,src={a},dst={b},val={value}"]
    return words


class Virt64(qemu.Machine):
    BASE = ["qemu-system-aarch64", "-M", "virt", "-display", "none", "-monitor", "none", "-nic",
            "none", "-serial", "stdio", "-semihosting-config", "enable=on,target=native",
            "-kernel", os.path.join(ROOT, "build/virt64/kernel.img")]


class Board:
    def __init__(self, name, good, machine, cpu, kernel, missing):
        self.name, self.good, self.machine = name, good, machine
        self.words = ["-cpu", cpu, *kernel]
        self.missing = missing  # bytes of RAM at most that the firmware keeps to itself

    def start(self, words, more):
        return self.machine([*self.words, *more, "-append", words], LIMIT)


BOARDS = (
    Board("pc64", pc.GOOD, pc.Machine, "max", ["-kernel", pc.KERNEL], 2 << 20),
    Board("virt64", 0, Virt64, "max", [], 0),
)


def boot(job):
    """(board, result) of a boot to the shell, where a large block is taken and given back."""
    board, more = job[0], job[1]
    machine = board.start("shell", more)
    answer = machine.command("palloc 10") if machine.wait_for(PROMPT) else ""
    block = re.search(r"0x([0-9a-fA-F]+)", answer)
    if block:
        machine.command(f"pfree 0x{block.group(1)}")
    machine.type("off\r")
    return board, *machine.finish(), int(block.group(1), 16) if block else None


def ram_of(output):
    """[first, end) of each range of RAM that the log names."""
    return [(int(a, 16), int(b, 16))
            for a, b in re.findall(r"ram: +\[0x([0-9a-f]+), 0x([0-9a-f]+)\)", output)]


def check(tap, name, result, size):
    """A boot with so many bytes of RAM."""
    board, code, output, block = result
    total, free, held, metadata = frames(output) or (0, 0, 0, 0)
    cost = re.search(r"metadata: (\d+) bytes for (\d+) pages, (\d+) thousandths", output)
    time = re.search(r"hand over: (\d+) us to make the zones, (\d+) us to give", output)
    tap.check(code == board.good and "panic" not in output and "\ncpus: " in output,
              f"{name}: boots and ends", [f"exit code {code}", *tail(output, 30)])
    tap.check(0 <= size // PAGE - total <= board.missing // PAGE
              and total == free + held + metadata, f"{name}: all of it is counted",
              [f"{total} pages, want {size // PAGE}", *tail(output, 30)])
    tap.check(time and cost and int(cost.group(2)) == total,
              f"{name}: hand-over time and metadata are logged", tail(output, 30))
    tap.check(cost and (int(cost.group(3)) <= 1200 or size < number("4G")),
              f"{name}: metadata: at most 1.2 bytes a page", tail(output, 30))
    tap.check(block is not None and any(a <= block < b for a, b in ram_of(output)),
              f"{name}: a block of 4 MiB lies in RAM", [f"{block}", *tail(output, 10)])
    if time and cost:
        print(f"# {name}: {time.group(1)} us to make the zones, {time.group(2)} us to give the "
              f"frames, {cost.group(1)} bytes of metadata")
