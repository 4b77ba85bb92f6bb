#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Programs in user mode on the PC: good ones do their work and their counts are right, bad ones are
killed with a line that names address and reason, files that lie are refused; and after each of
them as many frames are free as before.
"""
import os
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc32_qemu as pc  # noqa: E402
from taplib import Tap  # noqa: E402

INITRD = os.path.join(pc.BUILD, "initrd.cpio")
LIMIT = 300  # seconds for a boot that runs everything, on a busy machine
SEED = int(os.environ.get("SEED") or 0) or random.randrange(1, 1 << 32)
TEXT = r"at eip 0x4000[0-9a-f]{2}$"  # the program's own code

GOOD = {
    "hello": [r"^hello from user mode: process \d+, 3 arguments: 'hello' 'one' 'two words'$"],
    "touch": [r"^touch: 256 MiB mapped, 64 pages touched: 64 frames given$",
              r"^touch: unmapped: (\d+) pages resident, as before: yes$"],
    "clone": [r"^clone: child \d+: \d\d pages shared at first; 8 written, 8 copied$",
              r"32 pages written, 0 copied, 32 kept$", r"1, 2, 3 and 4, in turns: 10 in all$"],
    "stack": [r"^stack: 50 calls of 4000 bytes: it grew by (49|50|51) pages$"],
    "malloc": [r"^malloc: 4000 steps, \d+ bytes are out$", r"^malloc: all given back; 64 MiB"],
    "calls": [r"^calls: every wrong call was answered with an error$", r"16 processes, 0 killed"],
    "flags": [r"^flags: the kernel answers in every state$"],
    "leak": [r"^leak: four blocks kept, two dropped$", r"2 blocks leaked$",
             r"(?s)(leak: 32 bytes at 0x[0-9a-f]+, kept and never dropped.*){2}"],
}
BAD = {
    "null": r"killed: read of address 0x0: a NULL pointer, " + TEXT,
    "near-null": r"killed: write of address 0x1234: a guard page \('near NULL'\), " + TEXT,
    "kernel": r"killed: read of address 0xc0100000: the address is not the program's, " + TEXT,
    "jump": r"killed: execution of address 0x30000000: nothing is mapped there, "
            r"at eip 0x30000000$",
    "overflow": r"killed: write of address 0xbffb0[0-9a-f]{3}: stack overflow \('stack'\), "
                + TEXT,
    "write-text": r"killed: write of address 0x400[0-9a-f]{3}: write to read-only memory "
                  r"\('text'\), " + TEXT,
    "divide": r"killed: divide error, " + TEXT,
    "privileged": r"killed: general protection fault, " + TEXT,
    "invalid": r"killed: invalid opcode, " + TEXT,
    "step": r"killed: debug exception, " + TEXT,
    "vector": r"killed: general protection fault, " + TEXT,
    "port": r"killed: general protection fault, " + TEXT,
}
FRAMES = re.compile(r"^user: (\S+): frames: (\d+) free before, (\d+) after: all are back$", re.M)


def broken_names():
    done = subprocess.run([os.path.join(pc.ROOT, "tools/broken_elfs.py"), "--list"],
                          stdout=subprocess.PIPE, text=True, check=True)
    return ["bad/" + name for name in done.stdout.split()]


def part_of(output, name):
    """What the kernel said of one program."""
    start = output.find(f"\n-- {name} --\n")
    end = output.find("\nuser test: ", start)
    return output[start:output.find("\n", end + 1) + 1] if start >= 0 else ""


def frames_faults(output, names):
    """Every program left as many free frames as it found, all of them the same number."""
    found = {name: (before, after) for name, before, after in FRAMES.findall(output)}
    faults = [f"{name}: no line" for name in names if name not in found]
    faults += [f"{name}: {b}, {a}" for name, (b, a) in found.items() if b != a]
    if len({before for before, _ in found.values()}) > 1:
        faults.append("a program's end did not restore what the next one found")
    return faults


def passed(tap, code, output, what):
    tap.check(code == pc.GOOD and "\nloam: all tests passed\n" in output,
              f"user: {what}: every program as it should be, pass line, exit code 33",
              [f"code {code}", *pc.tail(output, 20)])
    faults = frames_faults(output, [*GOOD, *BAD, *broken_names()])
    tap.check(not faults, f"user: {what}: all frames are back, counted", faults)


def each_program(tap):
    code, output = pc.boot("test=user", initrd=INITRD, limit=LIMIT)
    passed(tap, code, output, "64 MiB")
    for name, lines in GOOD.items():
        said = part_of(output, name)
        missing = [line for line in lines if not re.search(line, said, re.M)]
        tap.check(not missing and re.search(rf"^user: {name}: exit status 0; ", said, re.M),
                  f"user: {name}: does its work, counts are right",
                  missing + said.splitlines()[-12:])
    for name, line in BAD.items():
        said = part_of(output, name)
        good = re.search(rf"^user: {name} \(\d+\): {line}", said, re.M)
        tap.check(good is not None and "still here" not in said,
                  f"user: {name}: killed with address and reason", said.splitlines()[-8:])
    for name in broken_names():
        good = re.search(rf"^user: {name}: cannot be run: X\d+ .+$", output, re.M)
        tap.check(good is not None, f"user: {name}: refused by the name of a rule")


def elsewhere(tap):
    for what, options in (("16 MiB", {"memory": "16"}), ("2 GiB", {"memory": "2048"}),
                          ("a 486", {"cpu": "486"}), ("by clang", {"kernel": pc.CLANG})):
        code, output = pc.boot("test=user", initrd=INITRD, limit=LIMIT, **options)
        passed(tap, code, output, what)
    code, output = pc.boot("demo=user off", initrd=INITRD)
    tap.check(code == pc.GOOD and "\nuser: every program ended well\n" in output,
              "user: demo=user: every good program, exit code 33", pc.tail(output))
    machine = pc.grub("test=user", initrd=INITRD, limit=LIMIT)
    code, output = machine.finish()
    passed(tap, code, output, "by GRUB")


class Session:
    def __init__(self, tap, what, **options):
        self.tap, self.what = tap, what
        self.machine = pc.console("", **options)
        tap.check(self.machine.wait_for(pc.PROMPT) is not None, f"user: {what}: a shell",
                  pc.tail(self.machine.output))

    def says(self, typed, *texts):
        answer = self.machine.command(typed)
        missing = [f"missing: {t}" for t in texts if not re.search(t, answer, re.M)]
        self.tap.check(not missing, f"user: {self.what}: {typed}",
                       missing + answer.splitlines()[-12:])

    def off(self):
        code, output = pc.ends(self.machine)
        self.tap.check(code == pc.GOOD, f"user: {self.what}: off: exit code 33",
                       [f"code {code}", *pc.tail(output)])


def shell(tap):
    s = Session(tap, "shell, 16 MiB", initrd=INITRD, memory="16", limit=LIMIT)
    s.says("programs", r"^  hello \(\d+ bytes\)$", r"^  overflow \(\d+ bytes\)$")
    s.says("run hello a bc", r"3 arguments: 'hello' 'a' 'bc'$", "exit status 0", "all are back$")
    s.says("run", "^usage: run PROGRAM")
    s.says("run nothing", "cannot be run: no such program")
    s.says("run etc", "cannot be run: no such program")
    s.says("run hello.txt", "cannot be run: X1 it is no ELF file")
    s.says("run bad/overlap", "cannot be run: X9")
    s.says("run eat", r"^user: eat \(\d+\): killed: write of address 0x[0-9a-f]+: no memory",
           "all are back$")
    s.says("run null", "killed: .*a NULL pointer", "all are back$")
    s.says("run clone", "10 in all", "all are back$")
    s.says("run leak many", r"leak: and 6 more$", "22 blocks leaked$", "all are back$")
    s.says("run faults", r"^faults: touch: \d+ ticks", r"^faults: keep: \d+ ticks", "all are back$")
    s.says("check", "every rule holds")
    s.off()


def storms(tap):
    """Random system calls: whatever becomes of the program, the kernel stands."""
    s = Session(tap, "storm", initrd=INITRD, limit=LIMIT)
    for seed in random.Random(SEED).sample(range(1 << 30), 6):
        answer = s.machine.command(f"run storm {seed}")
        good = re.search(r"^user: storm: frames: .* all are back$", answer, re.M)
        tap.check(good is not None and "BROKEN" not in answer and "refused" not in answer,
                  f"user: storm {seed}: the kernel stands, all frames are back",
                  [f"SEED={SEED}", *answer.splitlines()[-12:]])
    s.says("check", "every rule holds")
    s.off()


def endless(tap):
    """Two processes that never yield: both run, Ctrl-C ends them, what else was typed is kept."""
    s = Session(tap, "loop", initrd=INITRD)
    start = len(s.machine.output)
    s.machine.type("run loop\r")
    at = s.machine.wait_for("parent runs", start)
    both = at and s.machine.wait_for("child runs", start)
    again = both and s.machine.wait_for("parent runs", max(at, both))
    tap.check(again is not None, "user: loop: the timer gives each its turn",
              pc.tail(s.machine.output))
    s.machine.type("che\x03")
    end = s.machine.wait_for("loam> che", start)
    said = s.machine.output[start:end]
    tap.check(re.search(r"^user: loop \(\d+\): killed: stopped by Ctrl-C$", said, re.M) is not None
              and "all are back" in said,
              "user: loop: Ctrl-C ends both, all frames are back", said.splitlines()[-6:])
    tap.check("exit status" not in said, "user: loop: no status of a program that was stopped",
              said.splitlines()[-6:])
    s.says("ck", "every rule holds")
    s.says("run calls", "16 processes, 0 killed")
    s.off()


def bad_archives(tap):
    with open(INITRD, "rb") as file:
        good = file.read()
    for what, data, text in (("garbage", b"garbage!" * 100, "N1"), ("cut", good[:5000], "N[134]")):
        with tempfile.NamedTemporaryFile(suffix=".cpio") as file:
            file.write(data)
            file.flush()
            s = Session(tap, f"archive: {what}", initrd=file.name)
            s.says("run hello", f"cannot be run: {text} ")
            s.says("programs", "broken|no initrd")
            s.off()
    s = Session(tap, "archive: none")
    s.says("run hello", "cannot be run: there is no initrd")
    s.says("programs", "there is no initrd")
    s.off()
    code, output = pc.boot("test=user")
    tap.check(code == pc.GOOD and "user tests: left out" in output,
              "user: archive: none: the tests say that they are left out", pc.tail(output))


def main():
    tap = Tap()
    for part in (each_program, elsewhere, shell, storms, endless, bad_archives):
        part(tap)
    tap.done()


if __name__ == "__main__":
    main()
