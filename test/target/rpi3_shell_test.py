#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The shell of the Raspberry Pi 3 over its serial line: every command, right and wrong; editing."""
import json
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rpi3_qemu as pi  # noqa: E402
from taplib import Tap  # noqa: E402

LEFT, RIGHT, UP, DOWN, HOME, END, DELETE = (f"\x1b[{k}" for k in
                                            ("D", "C", "A", "B", "H", "F", "3~"))


class Session:
    def __init__(self, tap, words="exit=semihost", **options):
        self.tap = tap
        self.machine = pi.console(words, **options)
        tap.check(self.machine.wait_for(pi.PROMPT) is not None, f"shell: '{words}': prompt",
                  pi.tail(self.machine.output))

    def says(self, typed, *texts, name=None):
        """The command's answer holds all of the texts (regular expressions)."""
        answer = self.machine.command(typed)
        missing = [f"missing: {t}" for t in texts if not re.search(t, answer, re.M)]
        self.tap.check(not missing, f"shell: {name or typed}", missing + answer.splitlines()[-20:])
        return answer

    def off(self):
        self.machine.type("off\r")
        code, output = self.machine.finish()
        self.tap.check(code == 0, "shell: off: exit code 0", [f"code {code}", *pi.tail(output)])


def looks(s):
    s.says("hello", "Hello World!")
    names = ("help", "mem", "palloc", "kfree", "reboot", "off", "ls")
    s.says("help", *(rf"^  {name} " for name in names))
    s.says("help palloc", "palloc ORDER")
    s.says("help nothing", "no command 'nothing'")
    s.says("mem", r"RAM at boot", r"spin tables", r"kernel image", r"^frames: \d+ = ", "reserved")
    s.says("buddyinfo", "Node 0, zone", r"order +0 +1 +2 ", r"= \d+ pages")
    s.says("slabinfo", "slabinfo - version: 2.1", "kmalloc|32")
    s.says("stats", "zone normal free", "memblock")
    answer = s.says("stats json", r"^\{")
    line = [part for part in answer.splitlines() if part.startswith("{")]
    try:
        stats = json.loads(line[0])
        good = stats["memblock"]["total"] == 245760 and stats["zones"][0]["free"] > 0
    except (IndexError, ValueError, KeyError) as e:
        good, stats = False, repr(e)
    s.tap.check(good, "shell: stats json: parses, totals are there", [str(stats)])
    s.says("check", "every rule holds")
    s.says("uptime", r"\d+\.\d{3} s, \d+ timer interrupts, counter at 62500000 Hz")


def pages(s):
    answer = s.says("palloc 3", r"^0x[0-9a-f]+: 8 pages of order 3")
    address = re.search(r"^(0x[0-9a-f]+): 8", answer, re.M)[1]
    s.says(f"pfree {hex(int(address, 16) + 4096)}", "refused: zone: .*inner", "nothing has changed",
           name="pfree: inner page: refused and named")
    s.says(f"pfree {address}", "8 pages are free", name="pfree: the block")
    s.says(f"pfree {address}", "refused: zone: double free", name="pfree: again: double free")
    s.says("pfree 0", "refused: zone: .*reserved")
    s.says("pfree 0x123", "is no page's address")
    s.says("pfree 0xfffffffffffff000", "refused: zone: ")
    s.says("palloc 40", "no free block of order 40")
    s.says("palloc 41", "the largest order is 40")
    s.says("palloc", "^usage: palloc ORDER")
    s.says("palloc x", "'x' is no number")
    s.says("palloc 0x", "'0x' is no number")
    s.says("palloc 99999999999999999999", "is no number")
    s.says("palloc 1 2", "^usage: palloc ORDER")
    s.says("check", "every rule holds", name="check: after wrong frees")


def objects(s):
    answer = s.says("kmalloc 100", r"^0x[0-9a-f]+: 112 bytes usable")
    address = re.search(r"^(0x[0-9a-f]+): 112", answer, re.M)[1]
    s.says("blocks", rf"^  {address}  112 bytes", "1 blocks are out")
    s.says(f"kfree {hex(int(address, 16) + 8)}", "refused: ", name="kfree: inside a block: refused")
    answer = s.says(f"krealloc {address} 5000", r"^0x[0-9a-f]+: 5120 bytes usable",
                    name="krealloc: larger")
    address = re.search(r"^(0x[0-9a-f]+): 5120", answer, re.M)[1]
    s.says(f"kfree {address}", "free", name="kfree: the block")
    s.says(f"kfree {address}", "refused: .*double free", name="kfree: again: double free")
    s.says("kmalloc 0", "no memory for 0 bytes")
    s.says("kmalloc 16G", "no memory for 17179869184 bytes")
    s.says("kfree 0x80000", "refused: ")
    s.says("kfree", "^usage: kfree ADDRESS")
    answer = s.says("memAlloc 16", r"^0x[0-9a-f]+: 16 bytes usable")
    address = re.search(r"^(0x[0-9a-f]+): 16", answer, re.M)[1]
    s.says(f"kfree {address}", "free", name="kfree: memAlloc's block")
    s.says("shrink", r"\d+ pages came back")
    s.says("blocks", "^0 blocks are out", name="blocks: none left")


def paging(s):
    answer = s.says("vmap alloc 10000", r"^0x8000[0-9a-f]{8}: 10000 bytes")
    address = re.search(r"^(0x8000[0-9a-f]+): 10000", answer, re.M)[1]
    s.says("vmap", "window: 536870912 KiB", rf"^  {address} +10000 bytes, +3 pages, rw-, guards 0x",
           "32768 bytes, +8 pages, rw-, guards .*smp_start")
    s.says(f"vmap free {address}", "free", name="vmap free: the area")
    s.says(f"vmap free {address}", "refused", name="vmap free: again: refused")
    s.says("tlb", "tables: aarch64, .*what can be written is never executed", "tlbi vaae1is",
           r"flushes: [1-9]\d* batches")
    s.says("memview text", "Memory to 0x3c000000", r"^frames: \d+ free")
    s.says("cpus", "^cpus: 4 online", r"^ +3 +0 +online")


def events(s):
    s.says("trace on", "every event is a line")
    s.says("palloc 6", "page_alloc order 6", name="trace: palloc: an event line")
    s.says("trace off", "trace: off")
    answer = s.says("palloc 6", "order 6, frame", name="trace: off: no event line")
    s.tap.check("page_alloc" not in answer, "shell: trace off: silent", answer.splitlines())
    s.says("trace show", "page_alloc order 6")
    s.says("trace maybe", r"^usage: trace on\|off\|show")


def files(s):
    s.says("ls", r"^d +\d+ \.$", r"^- +34 hello.txt", "etc/motd")
    s.says("cat hello.txt", "Hello from the initramfs")
    s.says("cat etc/motd", "^Loam$")
    s.says("cat etc", "is a directory")
    s.says("cat nothing", "no file 'nothing'")
    s.says("cat", "^usage: cat FILE")


def demos(s):
    s.says("demo", r"^  tour - ", r"^  osc4 - ")
    s.says("demo misuse", "double free", "refused: 7 of 7", "as at the start: yes")
    s.says("demo irq", r"[1-9]\d* allocations in interrupts", "as at the start: yes")
    s.says("demo nothing", "no demo 'nothing'")
    s.says("test memblock_add", r"^ok 1 - memblock_add", "loam: all tests passed")
    s.says("test no-such-test", "no test has 'no-such-test' in its name")
    s.says("nonsense", "unknown command 'nonsense': try help")
    s.says("fault nonsense", "'nonsense' is not one of: null undef")
    s.says("a b c d e f g h i j k l", "unknown command 'a'", name="twelve words: refused")


def editing(s):
    s.says("helxx\x7f\x7flo", "Hello World!", name="backspace: at the end")
    s.says("hllo" + LEFT * 3 + "e", "Hello World!", name="left: insert in the middle")
    s.says("hexllo" + LEFT * 3 + "\x7f", "Hello World!", name="backspace: in the middle")
    s.says("ello" + HOME + "h", "Hello World!", name="home: insert in front")
    s.says("xhello" + "\x01" + DELETE, "Hello World!", name="Ctrl-A, delete")
    s.says("hell" + LEFT * 2 + RIGHT + END + "o", "Hello World!", name="left, right, end")
    s.says("junk\x15hello", "Hello World!", name="Ctrl-U: line gone")
    s.says("hello junk\x17", "Hello World!", name="Ctrl-W: word gone")
    s.says("hellojunk" + LEFT * 4 + "\x0b", "Hello World!", name="Ctrl-K: rest gone")
    s.says("uptime", "timer interrupts")
    s.says(UP + UP, "Hello World!", name="history: two up")
    s.says("typed" + UP + UP + DOWN, "Hello World!", name="history: up, up, down")
    s.says("   hello   ", "Hello World!", name="blanks around")
    s.says("helo" + "\x1b" + LEFT + "l", "Hello World!", name="line: escape, then an arrow")
    s.says("hello" + "\x1b[5~" + "\x1b[15~" + "\x02\x06", "Hello World!",
           name="unknown keys: ignored")
    answer = s.says("x" * 300, "unknown command 'x{100,119}'", name="300 characters: cut, bell")
    s.tap.check("\x07" in answer, "shell: a full line rings")
    start = len(s.machine.output)
    s.machine.type("palloc 4\x03")
    end = s.machine.wait_for(pi.PROMPT, start)
    s.tap.check(end is not None and "palloc 4^C\n" in s.machine.output[start:end],
                "shell: Ctrl-C: the line is given up", pi.tail(s.machine.output))
    s.says("", r"^loam> ", name="empty line: a new prompt")
    s.says("hello\n", "Hello World!", name="CR LF: one line")


def initramfs(tap):
    good = open(pi.built("initramfs.cpio"), "rb").read()
    cases = [("garbage", b"garbage!" * 100, "broken"), ("cut", good[:300], "broken"),
             ("one byte", b"0", "broken"), ("another format", b"070707" + good[6:], "broken"),
             ("size of 4 GiB", good[:54] + b"ffffffff" + good[62:], "broken")]
    for name, data, text in cases:
        with tempfile.NamedTemporaryFile(suffix=".cpio") as file:
            file.write(data)
            file.flush()
            s = Session(tap, initrd=file.name)
            s.says("ls", text, name=f"initramfs: {name}: ls says so")
            s.says("cat hello.txt", text, name=f"initramfs: {name}: cat says so")
            s.off()
    s = Session(tap, initrd=None)
    s.says("ls", "there is no initramfs", name="initramfs: none: ls says so")
    s.off()


def policies(tap):
    s = Session(tap, "misuse=panic exit=semihost")
    s.machine.type("pfree 0\r")
    code, output = s.machine.finish()
    tap.check(code == 1 and "panic: zone: " in output,
              "misuse=panic: a wrong free stops the kernel", [f"code {code}", *pi.tail(output)])
    s = Session(tap, "slab=guard,poison,owner exit=semihost")
    answer = s.says("kmalloc 100", r"^0x[0-9a-f]+: 1\d\d bytes usable", name="slab=guard: kmalloc")
    address = re.search(r"^(0x[0-9a-f]+): ", answer, re.M)[1]
    s.says("blocks", f"{address}.*from 0x", name="slab=owner: the call site is shown")
    s.says(f"kfree {address}", "free", name="slab=guard: kfree")
    s.off()


def main():
    tap = Tap()
    s = Session(tap)
    for part in (looks, pages, objects, paging, events, files, demos, editing):
        part(s)
    s.off()
    policies(tap)
    initramfs(tap)
    s = Session(tap, "console=pl011 exit=semihost", serial=("stdio", "null"))
    s.says("hello", "Hello World!", name="hello, over the PL011")
    s.says("hello " * 60, r"^usage: hello|^unknown", name="360 characters at once, over the PL011")
    s.off()
    machine = pi.console("exit=semihost")
    machine.wait_for(pi.PROMPT)
    machine.type("reboot\r")
    first = machine.wait_for("Loam on a")
    again = machine.wait_for("Loam on a", first or 0)
    tap.check(again is not None and machine.wait_for(pi.PROMPT, again) is not None,
              "shell: reboot: the kernel starts again", pi.tail(machine.output))
    machine.type("off\r")
    machine.finish()
    tap.done()


if __name__ == "__main__":
    main()
