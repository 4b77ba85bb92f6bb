#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""compat/higherhalf on the PC: the eight steps in order, addresses in the window, a header written
over, the shell afterwards; from 16 MiB to 4 GiB, on a 486."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc32_qemu as pc  # noqa: E402
from taplib import Tap, parallel  # noqa: E402

STEPS = ["temporary page directory", "kernel in the higher half", "Multiboot header parsed",
         "memblock", "buddy_allocator", "final page directory", "kmalloc", "allocate"]
GOOD = "higherhalf: every step went well, memory is as it was"
KERNEL_BASE, WINDOW, WINDOW_END = 0xC0000000, 0xD0000000, 0xFF800000


def numbers(pattern, output):
    """The groups of the first match, as numbers; none: an empty list."""
    match = re.search(pattern, output, re.M)
    return [int(group, 0) for group in match.groups()] if match else []


def step_faults(output):
    lines = re.findall(r"^\[(\d)/8\] ([\w ]+): (.*)$", output, re.M)
    faults = []
    if [(int(number), name) for number, name, _ in lines] != list(enumerate(STEPS, 1)):
        faults.append(f"steps: {[name for _, name, _ in lines]}")
    return faults + [f"{name} failed" for _, name, text in lines if text.startswith("FAILED")]


def passed(code, output):
    faults = [f"exit code {code}, want {pc.GOOD}"] if code != pc.GOOD else []
    faults += [] if GOOD in output else ["no pass line"]
    faults += ["no frames line that adds up"] if pc.frames(output) is None else []
    faults += ["a panic"] if "panic:" in output else []
    return faults + step_faults(output)


def steps(tap):
    code, output = pc.boot("compat=higherhalf off")
    faults = passed(code, output)
    tap.check(not faults, "higherhalf: the eight steps in order, the demo, exit code 33",
              faults + pc.tail(output))
    kmain, low = numbers(r"kmain at (0x\w+), physical (0x\w+)", output) or (0, 0)
    tap.check(kmain > KERNEL_BASE and kmain - low == KERNEL_BASE,
              "higherhalf: kmain lies in the higher half, VIRT_TO_PHYS is an offset")
    first = numbers(r"kmalloc\(5000\) is (0x\w+): pages at physical (0x\w+) and (0x\w+)", output)
    base, end = numbers(r"buddy_visualize: \[(0x\w+), (0x\w+)\)", output) or (0, 0)
    tap.check(len(first) == 3 and WINDOW < first[0] < WINDOW_END
              and all(base <= page < end and page % 4096 == 0 for page in first[1:]),
              "higherhalf: kmalloc: a window address, pages of the buddy allocator",
              [first, hex(base), hex(end)])
    blocks = [int(at, 0) for at in re.findall(r"block at (0x\w+)", output)]
    tap.check(len(blocks) >= 2 and all(WINDOW < at < WINDOW_END for at in blocks),
              "higherhalf: every block lies in the window", blocks)
    tap.check(len(re.findall(r"^  order +\d+ +\d+ KiB: ", output, re.M)) == 22,
              "higherhalf: buddy_visualize: a line for each order, before and after")


def waste(tap):
    """What 5 KiB cost: the document's 3 KiB by buddy, less by slab."""
    _, output = pc.boot("compat=higherhalf off")
    found = dict(re.findall(r"^  (.*): \d+ pages, wasted of each block: ([\d.]+) KiB", output,
                            re.M))
    tap.check(found.get("buddy, order 1") == "3.0" and
              float(found.get("kmalloc on the slab", "9")) < 2,
              "higherhalf: 5 KiB: 3 KiB wasted by buddy, less than 2 by slab", [found])
    frames = re.search(r"of the frames ([\w ]+)$", output, re.M)
    frames = [int(frame, 16) for frame in frames.group(1).split()] if frames else []
    tap.check(len(frames) == 8 and all(b - a != 1 for a, b in zip(frames, frames[1:])),
              "higherhalf: one block of scattered frames", [frames])


def flushes(tap):
    """One flush for many pages, whatever the processor can: the original flushed for each."""
    for cpu in ("486", "pentium3"):
        code, output = pc.boot("compat=higherhalf off", cpu=cpu)
        faults = passed(code, output)
        for what in ("map", "unmap"):
            counts = numbers(rf"  {what} 256 pages: (\d+) flushes of one page, (\d+) of the whole",
                             output)
            if len(counts) != 2 or counts[0] != 0 or counts[1] > (what == "unmap"):
                faults.append(f"{what}: {counts}")
        tap.check(not faults, f"higherhalf: {cpu}: at most one flush for 256 pages",
                  faults + pc.tail(output))


def header(tap):
    code, output = pc.boot("compat=higherhalf off")
    found = numbers(r"front of the block at (0x\w+): check finds, at (0x\w+):$", output)
    tap.check(code == pc.GOOD and len(found) == 2 and found[0] == found[1] and "  HH1 " in output,
              "higherhalf: a header written over: check names rule and block", pc.tail(output, 40))
    code, output = pc.boot("demo=higherhalf-overwrite off")
    at = numbers(r"block at (0x\w+) is written over, then kfree:", output)
    report = re.search(r"^corrupt: higherhalf: HH1 .* address (\w+), .*caller 0x", output, re.M)
    tap.check(code == pc.BAD and report and at == [int(report.group(1), 16)]
              and "panic: higherhalf: HH1" in output and "nobody noticed" not in output,
              "higherhalf: kfree of it: a report with rule, block and caller, exit code 35",
              pc.tail(output))


def work_list(tap):
    """What the document left open: the slab is in waste(); user space and demand paging."""
    code, output = pc.boot("compat=higherhalf off")
    texts = ["user-space allocation: 64 pages at 0x[0-9a-f]+, 0 of them there",
             "demand paging: 3 pages touched, 3 filled on demand, 3 there",
             "clone: 3 pages shared, 1 copied when written", "address 0x10: a NULL pointer",
             "the program's pages are back: yes, all"]
    faults = [text for text in texts if not re.search(text, output)]
    tap.check(code == pc.GOOD and not faults, "higherhalf: user space: demand paging, a clone",
              faults + pc.tail(output))
    code, output = pc.boot("compat=higherhalf off", initrd=os.path.join(pc.BUILD, "initrd.cpio"))
    texts = [r"^touch: 256 MiB mapped, 64 pages touched: 64 frames given$",
             r"^user: touch: exit status 0;", r"^user: clone: exit status 0;"]
    faults = [text for text in texts if not re.search(text, output, re.M)]
    faults += [] if output.count("all are back") == 2 else ["frames are not back"]
    tap.check(code == pc.GOOD and not faults, "higherhalf: programs of the initrd in user mode",
              faults + pc.tail(output))


def in_shell(tap):
    machine = pc.console("compat=higherhalf shell")
    ready = machine.wait_for(pc.PROMPT)
    again = machine.command("demo higherhalf")
    check = machine.command("check")
    code, output = pc.ends(machine)
    tap.check(ready and GOOD in again and not step_faults(again) and "every rule holds" in check
              and code == pc.GOOD, "higherhalf: then the shell: once more, every rule holds",
              pc.tail(output))


def sizes(tap):
    memory = ["16", "1024", "4096"]
    results = parallel(lambda size: pc.boot("compat=higherhalf demo=higherhalf off", memory=size),
                       memory)
    for size, (code, output) in zip(memory, results):
        faults = passed(code, output[:output.rfind("[1/8]")] if "[1/8]" in output else output)
        faults = [fault for fault in faults if "pass line" not in fault]
        faults += [] if output.count(GOOD) == 2 else ["it did not pass twice"]
        tap.check(not faults, f"higherhalf: {size} MiB: twice, memory is back in between",
                  faults + pc.tail(output))


def main():
    tap = Tap()
    for part in (steps, waste, flushes, header, work_list, in_shell, sizes):
        part(tap)
    tap.done()


if __name__ == "__main__":
    main()
