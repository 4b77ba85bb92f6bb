#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Device trees as people write them: .dts text compiled by dtc, or what QEMU makes for a machine,
through `loam-driver dtb FILE`, against answers written down by hand. Prints TAP."""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DRIVERS = ("host", "host32", "asan")

HEAD = "/dts-v1/;\n"
ONE = "#address-cells = <1>; #size-cells = <1>;"
TWO = "#address-cells = <2>; #size-cells = <2>;"
RAM = 'memory@0 { device_type = "memory"; reg = <0x0 0x100000>; };'


def root(*parts, before=""):
    return HEAD + before + "/ {\n" + "\n".join(parts) + "\n};\n"


def regions(*children, cells=ONE, ranges="ranges;"):
    return "reserved-memory { " + cells + ranges + " ".join(children) + " };"


def chosen(*props):
    return "chosen { " + " ".join(props) + " };"


def corpus(name):
    path = os.path.join(ROOT, "test/fuzz/corpus/fdt", name)
    with open(path, encoding="utf-8") as file:
        return file.read()


# Name, text, answer; "reject" stands for any reason, "reject ...: words" for this one.
TREES = [
    ("a Raspberry Pi 3", corpus("rpi3b.dts"),
     "ok 1000 7fff000 8013000 26fdd000 2f000000 b800000 3b200000 200000"),
    ("64-bit addresses, 32-bit sizes, several nodes", corpus("wide.dts"),
     "ok 80001000 fff000 81100000 f00000 82001000 dfff000 100001000 7ffff000 "
     "fffffffffffff000 1000"),
    ("default cells, memory by its name alone", corpus("plain.dts"), "ok 40000000 8000000"),
    ("an empty tree", corpus("empty.dts"), "reject LOAM_ENOENT: no memory node"),
    ("one range", root(ONE, RAM), "ok 0 100000"),
    ("two cells each", root(TWO, 'memory@1 { device_type = "memory"; reg = <1 0 2 0>; };'),
     "ok 100000000 200000000"),
    ("one address cell, two size cells",
     root("#address-cells = <1>; #size-cells = <2>;",
          'memory@1000 { device_type = "memory"; reg = <0x1000 0x1 0x0>; };'),
     "ok 1000 100000000"),
    ("three size cells", root("#address-cells = <1>; #size-cells = <3>;",
                              'memory@0 { device_type = "memory"; reg = <0 0 0 4096>; };'),
     "reject LOAM_EFORMAT: memory: #address-cells"),
    ("no size cells", root("#address-cells = <1>; #size-cells = <0>;",
                           'memory@0 { device_type = "memory"; reg = <0>; };'),
     "reject LOAM_EFORMAT: memory: #address-cells"),
    ("a reg of one and a half ranges",
     root(ONE, 'memory@0 { device_type = "memory"; reg = <0 4096 8192>; };'),
     "reject LOAM_EFORMAT: memory: reg"),
    ("unaligned ends", root(ONE, 'memory@801 { device_type = "memory"; reg = <0x801 0x3000>; };'),
     "ok 1000 2000"),
    ("RAM smaller than a page",
     root(ONE, 'memory@0 { device_type = "memory"; reg = <0x0 0x800>; };'), "ok"),
    ("ranges that overlap, touch and repeat",
     root(ONE, 'memory@0 { device_type = "memory"; '
          "reg = <0x2000 0x3000 0x0 0x2000 0x4000 0x4000 0x0 0x2000>; };"), "ok 0 8000"),
    ("two halves of a page make one",
     root(ONE, 'memory@0 { device_type = "memory"; reg = <0x1000 0x800 0x1800 0x800>; };'),
     "ok 1000 1000"),
    ("empty ranges between others",
     root(ONE, 'memory@0 { device_type = "memory"; reg = <0x0 0x0 0x5000 0x1000 0x9000 0x0>; };'),
     "ok 5000 1000"),
    ("empty ranges alone",
     root(ONE, 'memory@0 { device_type = "memory"; reg = <0x1000 0x0>; };'),
     "reject LOAM_ENOENT: memory: no RAM"),
    ("a range to the top of the address space",
     root(TWO, 'memory@f { device_type = "memory"; reg = <0xffffffff 0xffffe000 0 0x2000>; };'),
     "ok ffffffffffffe000 2000"),
    ("a range beyond the top",
     root(TWO, 'memory@f { device_type = "memory"; reg = <0xffffffff 0xffffe000 0 0x2001>; };'),
     "reject LOAM_ERANGE: memory: a range leaves"),
    ("a 32-bit range across 4 GiB",
     root(ONE, 'memory@f { device_type = "memory"; reg = <0xfffff000 0x2000>; };'),
     "ok fffff000 2000"),
    ("another node is disabled",
     root(ONE, RAM, 'memory@200000 { device_type = "memory"; status = "disabled"; '
          "reg = <0x200000 0x1000>; };"), "ok 0 100000"),
    ("every status but okay and ok is off",
     root(ONE, RAM, *('memory@%x { device_type = "memory"; status = "%s"; reg = <0x%x 0x1000>; };'
                      % (0x200000 + i * 0x2000, status, 0x200000 + i * 0x2000)
                      for i, status in enumerate(("okay", "fail", "ok", "reserved", "fail-sss")))),
     "ok 0 100000 200000 1000 204000 1000"),
    ("memory behind a bus", root(ONE, RAM, "soc { " + ONE + " ranges; "
                                 'memory@200000 { device_type = "memory"; '
                                 "reg = <0x200000 0x1000>; }; };"), "ok 0 100000"),
    ("memory deep down only", root(ONE, "soc { " + ONE + " ranges; " + RAM + " };"),
     "reject LOAM_ENOENT: no memory node"),
    ("memreserve", root(ONE, RAM, before="/memreserve/ 0x1000 0x1;\n/memreserve/ 0x3fff 0x2;\n"),
     "ok 0 1000 2000 1000 5000 fb000"),
    ("memreserve outside of RAM, and over all of it",
     root(ONE, RAM, before="/memreserve/ 0x100000000 0x1000;\n/memreserve/ 0x0 0x200000;\n"), "ok"),
    ("memreserve beyond the top",
     root(ONE, RAM, before="/memreserve/ 0xfffffffffffff000 0x2000;\n"),
     "reject LOAM_ERANGE: a reserved range leaves"),
    ("a memreserve of nothing before another",
     root(ONE, RAM, before="/memreserve/ 0x5000 0x0;\n/memreserve/ 0x0 0x1000;\n"),
     "ok 1000 ff000"),
    ("regions: fixed, no-map, reusable, without address, off",
     root(ONE, RAM, regions("a@1000 { reg = <0x1000 0x1000>; };",
                            "b@4000 { reg = <0x4000 0x800 0x6fff 0x1>; no-map; };",
                            "c@8000 { reg = <0x8000 0x1000>; reusable; };",
                            "d { size = <0x8000>; alignment = <0x1000>; };",
                            'e@20000 { reg = <0x20000 0x1000>; status = "disabled"; };')),
     "ok 0 1000 2000 2000 5000 1000 7000 1000 9000 f7000"),
    ("regions with cells of their own",
     root(ONE, RAM, regions("a@1000 { reg = <0x0 0x1000 0x0 0x1000>; };", cells=TWO)),
     "ok 0 1000 2000 fe000"),
    ("regions that overlap each other and memreserve",
     root(ONE, RAM, regions("a@1000 { reg = <0x1000 0x3000>; };",
                            "b@3000 { reg = <0x3000 0x2000>; };"),
          before="/memreserve/ 0x2000 0x800;\n"), "ok 0 1000 5000 fb000"),
    ("a region of one and a half ranges", root(ONE, RAM, regions("a { reg = <0 4096 8192>; };")),
     "reject LOAM_EFORMAT: reserved-memory: reg"),
    ("regions behind a translation",
     root(ONE, RAM, regions("a@0 { reg = <0 4096>; };", ranges="ranges = <0 0x8000 0x1000>;")),
     "reject LOAM_EFORMAT: reserved-memory: ranges"),
    ("an initrd in 32-bit cells",
     root(ONE, RAM, chosen("linux,initrd-start = <0x8000>;", "linux,initrd-end = <0x9001>;")),
     "ok 0 8000 a000 f6000"),
    ("an initrd in 64-bit cells",
     root(ONE, RAM, chosen("linux,initrd-start = <0 0x8800>;", "linux,initrd-end = <0 0x8801>;")),
     "ok 0 8000 9000 f7000"),
    ("an initrd of nothing",
     root(ONE, RAM, chosen("linux,initrd-start = <0x8000>;", "linux,initrd-end = <0x8000>;")),
     "ok 0 100000"),
    ("an initrd turned round",
     root(ONE, RAM, chosen("linux,initrd-start = <0x8000>;", "linux,initrd-end = <0x7000>;")),
     "reject LOAM_EFORMAT: chosen: the initrd ends before"),
    ("everything behind everything",
     root(ONE, "cpus { };", chosen('bootargs = "mem=1M";'), RAM, "z { y { x { w; }; }; };"),
     "ok 0 100000"),
]

# The same tree in other dress.
DRESSES = [
    ("version 16", ("-V", "16")),
    ("4096 bytes of padding", ("-p", "4096")),
    ("room for eight more reservations", ("-R", "8")),
    ("another boot processor", ("-b", "3")),
]

MACHINES = [
    ("virt, 512 MiB", ("-m", "512M"), "ok 40000000 20000000"),
    ("virt, two nodes of memory",
     ("-m", "4G", "-smp", "4", "-object", "memory-backend-ram,id=a,size=1G,reserve=off",
      "-object", "memory-backend-ram,id=b,size=3G,reserve=off", "-numa", "node,memdev=a,cpus=0-1",
      "-numa", "node,memdev=b,cpus=2-3"), "ok 40000000 100000000"),
    ("virt, secure memory beside", ("-m", "512M", "-machine", "secure=on"),
     "ok 40000000 20000000"),
]


class Checker:
    def __init__(self, folder):
        self.folder, self.number, self.failed = folder, 0, 0

    def tell(self, passed, name, *notes):
        self.number += 1
        self.failed += not passed
        print(f"{'ok' if passed else 'not ok'} {self.number} - dtb: {name}", flush=True)
        for note in notes if not passed else ():
            print(f"#   {note}")

    def file(self, name):
        return os.path.join(self.folder, name)

    def compile(self, text, *options):
        with open(self.file("tree.dts"), "w", encoding="utf-8") as file:
            file.write(text)
        subprocess.run(["dtc", "-q", "-f", "-I", "dts", "-O", "dtb", *options,
                        "-o", self.file("tree.dtb"), self.file("tree.dts")], check=True)

    def compare(self, name, want):
        """Every driver gives the one answer."""
        faults = []
        for width in DRIVERS:
            path = os.path.join(ROOT, "build", width, "loam-driver")
            done = subprocess.run([path, "dtb", self.file("tree.dtb")], capture_output=True,
                                  check=False, timeout=60)
            got = done.stdout.decode("ascii", "replace")
            right = got.startswith(want) if want.startswith("reject") else got == want + "\n"
            if not right or done.returncode != 0 or done.stderr:
                faults += [f"{width}: {got!r}, exit code {done.returncode}",
                           done.stderr[-500:].decode("utf-8", "replace")]
        self.tell(not faults, name, f"wanted {want!r}", *faults)

    def machine(self, name, options, want):
        subprocess.run(["qemu-system-aarch64", "-nic", "none", "-display", "none",
                        "-machine", f"virt,dumpdtb={self.file('tree.dtb')}", *options],
                       check=True, timeout=60, capture_output=True)
        self.compare(f"QEMU: {name}", want)

    def spoiled(self):
        """The comparison itself can fail."""
        self.compile(root(ONE, RAM))
        number, tell, faults = self.number, self.tell, []
        self.tell = lambda passed, *_: faults.append(passed)
        self.compare("spoiled", "ok 0 200000")
        self.compare("spoiled", "reject LOAM_EFORMAT")
        self.number, self.tell = number, tell
        self.tell(faults == [False, False], "self-test: a wrong answer is caught")


def main():
    with tempfile.TemporaryDirectory(prefix="loam-dts-") as folder:
        checker = Checker(folder)
        checker.spoiled()
        for name, text, want in TREES:
            checker.compile(text)
            checker.compare(name, want)
        for name, options in DRESSES:
            checker.compile(corpus("wide.dts"), *options)
            checker.compare(name, TREES[1][2])
        for name, options, want in MACHINES:
            checker.machine(name, options, want)
        print(f"1..{checker.number}")
        sys.exit(1 if checker.failed else 0)


if __name__ == "__main__":
    main()
