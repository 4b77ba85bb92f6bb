#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Bugs on purpose, on every board, and not on core 0 alone: each ends in one panic that names the
rule or the address, the frame or object, the caller, the core, the registers and the calls."""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc32_qemu as pc  # noqa: E402
import pc64_qemu as pc64  # noqa: E402
import rpi3_qemu as pi  # noqa: E402
import virt64_qemu as virt  # noqa: E402
from taplib import ROOT, Tap, parallel  # noqa: E402

# What the board's machine is started by, its exit code after a panic, the registers of one word and
# what ends the calls of another core; cores, and those on which bugs are made.
ARM = (r"^ x0 [0-9a-f]{16} ", r"^elr [0-9a-f]{16}  spsr [0-9a-f]{8} ")
BOARDS = {
    "rpi3": {"start": lambda: pi.console("exit=semihost"), "code": 1, "cores": 4, "on": (0, 3),
             "registers": ARM, "elf": "build/rpi3/kernel8.elf"},
    "virt64": {"start": lambda: virt.console("exit=semihost", cores=8,
                                             machine="virt,gic-version=3"),
               "code": 1, "cores": 8, "on": (0, 7), "registers": ARM,
               "elf": "build/virt64/kernel.elf"},
    "pc32": {"start": lambda: pc.console(""), "code": pc.BAD, "cores": 1, "on": (0,),
             "registers": (r"^eax [0-9a-f]{8}  ebx ", r"^eip [0-9a-f]{8}  eflags [0-9a-f]{8} "),
             "elf": "build/pc32/kernel.elf"},
    "pc64": {"start": lambda: pc64.console("", more=("-smp", "4")), "code": pc.BAD, "cores": 4,
             "on": (0, 2), "elf": "build/pc64/kernel.elf",
             "registers": (r"^rax [0-9a-f]{16}  rbx ", r"  rip [0-9a-f]{16}  rflags [0-9a-f]{8}$")},
}


def refusal(words, rule, thing, function):
    """What a refused call leaves: the report, and the panic's first lines."""
    return (rf"^refused: {words}: {thing} [0-9a-f]+, .*caller 0x[0-9a-f]+, rule {rule}$",
            rf"^panic: {words}$",
            rf"^panic: rule {rule}, {thing} 0x[0-9a-f]+, called from {function}\+0x[0-9a-f]+$")


BUGS = {
    "double-free": refusal("zone: double free", "Z6", "frame", "bug_double_free"),
    "wild-free": refusal("zone: free of a frame that is not managed", "Z1", "frame",
                         "bug_wild_free"),
    "double-kfree": refusal("slab: double free", "S3", "address", "bug_double_kfree"),
    "wild-kfree": refusal("slab: foreign free", "S1", "address", "bug_wild_kfree"),
    "null-write": (r"^trap: .* on write of address 0x8: .*nothing is mapped there",
                   r"^trap: that is the first page: a NULL pointer$",
                   r"^panic: trap in the kernel$", r"^at bug_null_write\+0x"),
    "stack-overflow": (r"^trap: .* the guard page below the (main )?stack of core {core}: stack "
                       r"overflow$", r"^panic: trap in the kernel$",
                       r"#\d+ 0x[0-9a-f]+ bug_deeper\+0x[0-9a-f]+\n +and \d+ times more$"),
    "broken-rule": (r"^panic: a rule is broken: Z\d ",),
}
CALLS = {0: (r"#\d+ 0x[0-9a-f]+ do_bug\+0x", r"#\d+ 0x[0-9a-f]+ shell_run\+0x",
             r"#\d+ 0x[0-9a-f]+ kern_main\+0x"),
         1: (r"#\d+ 0x[0-9a-f]+ smp_enter\+0x",)}


def stopped(board, name, core):
    machine = board["start"]()
    machine.wait_for(pi.PROMPT)
    machine.type(f"bug {name} {core}\r")
    return machine.finish()


def missing(board, result, texts):
    code, output = result
    faults = [f"missing: {text}" for text in texts if not re.search(text, output, re.M)]
    if output.count("panic: on core") != 1 or output.count("panic: stopped") != 1:
        faults.append("not one panic")
    return ([f"exit code {code}"] if code != board["code"] else []) + faults


def shown(output):
    start = output.find("loam> bug")
    return output[start:].splitlines()[:60]


def bug_is_told(tap, where, board, name, core, result):
    texts = [text.replace("{core}", str(core)) for text in BUGS[name]]
    texts += [rf"^panic: on core {core} of {board['cores']}, on its (main )?stack$",
              *board["registers"], r"^backtrace ", *CALLS[min(core, 1)]]
    if name != "stack-overflow":
        texts.append(rf"bug_{name.replace('-', '_')}\+0x[0-9a-f]+")
    faults = missing(board, result, texts)
    tap.check(not faults, f"panic: {where}: {name} on core {core}: named, core, registers, calls",
              faults + shown(result[1]))


def lines_are_right(tap, where, board, output):
    """The addresses of a backtrace are what addr2line wants."""
    at = re.search(r"#\d+ (0x[0-9a-f]+) bug_double_free\+", output)
    line = ""
    if at is not None:
        line = subprocess.run(["addr2line", "-e", os.path.join(ROOT, board["elf"]), at.group(1)],
                              stdout=subprocess.PIPE, text=True, check=True).stdout
    tap.check(re.search(r"kern/bugs\.c:\d+", line) is not None,
              f"panic: {where}: addr2line finds the line of a call", [line])


def one_tells(tap, where, board):
    """Every core makes the bug at the same moment: one of them tells."""
    result = stopped(board, "double-free", "all")
    faults = missing(board, result, [r"^panic: on core \d+ of", r"called from bug_double_free\+0x"])
    tap.check(not faults, f"panic: {where}: on all cores at once: one panic",
              faults + shown(result[1]))


def face_panics(tap):
    """compat/stacsos on the document's machine: its author's bug has a name now."""
    code, output = pc64.boot("demo=stacsos-double-free off", memory="8G",
                             more=("-M", "q35", "-smp", "4"))
    board = BOARDS["pc64"]
    faults = missing(board, (code, output),
                     (*refusal("stacsos: double free", "Z6", "frame", "stacsos_double_free_demo"),
                      r"^panic: on core 0 of 4, on its main stack$", *board["registers"],
                      r"#\d+ 0x[0-9a-f]+ kern_main\+0x"))
    tap.check(not faults, "panic: pc64: stacsos: a double free: rule, frame, caller, core, calls",
              faults + pi.tail(output, 40))


def goes_on(tap, where, board):
    """Words that are none change nothing."""
    machine = board["start"]()
    machine.wait_for(pi.PROMPT)
    unknown = machine.command("bug plan9")
    nowhere = machine.command("bug double-free 63")
    machine.type("off\r")
    _, output = machine.finish()
    tap.check("'plan9' is none of" in unknown and "broken-rule - " in unknown and
              "no processor 63 is online" in nowhere and "panic" not in output,
              f"panic: {where}: a bug that is none, a core that is none: a line", shown(output))


def processor_time(process):
    """Seconds that the host's processors have spent on it."""
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
        user, system = file.read().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def sleeps(tap, where, start):
    """A machine that is not switched off after a panic: no processor of it goes on spinning, though
    timers and the others' interrupts are pending."""
    machine = start()
    machine.wait_for(pi.PROMPT)
    machine.type("bug null-write 1\r")
    ended = machine.wait_for("panic: stopped")
    time.sleep(0.5)
    before = processor_time(machine.process)
    time.sleep(1)
    spent = processor_time(machine.process) - before
    machine.process.kill()
    machine.finish()
    tap.check(ended and spent < 0.3, f"panic: {where}: all processors sleep after it",
              [f"{spent:.2f} s of processor time in a second"])


SLEEPERS = {
    "rpi3": lambda: pi.console(""),
    "virt64, GICv2": lambda: virt.console("", cores=4, machine="virt,gic-version=2"),
    "virt64, GICv3": lambda: virt.console("", cores=4, machine="virt,gic-version=3"),
}


def main():
    tap = Tap()
    jobs = [(where, name, core) for where, board in BOARDS.items() for core in board["on"]
            for name in BUGS]
    results = parallel(lambda job: stopped(BOARDS[job[0]], *job[1:]), jobs)
    for (where, name, core), result in zip(jobs, results):
        bug_is_told(tap, where, BOARDS[where], name, core, result)
        if name == "double-free" and core == 0:
            lines_are_right(tap, where, BOARDS[where], result[1])
    for where, board in BOARDS.items():
        if board["cores"] > 1:
            one_tells(tap, where, board)
        goes_on(tap, where, board)
    face_panics(tap)
    for where, start in SLEEPERS.items():
        sleeps(tap, where, start)
    tap.done()


if __name__ == "__main__":
    main()
