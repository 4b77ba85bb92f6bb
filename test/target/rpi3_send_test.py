#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""send_kernel.py and the UART boot loader, for real through a pseudo-terminal of QEMU."""
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import threading
import time
import tty

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rpi3_qemu as pi  # noqa: E402
from taplib import Tap  # noqa: E402

MAGIC = 0x544F4F42
SCRIPT = os.path.join(pi.ROOT, "tools/send_kernel.py")


def send(*arguments, limit=240):
    done = subprocess.run([sys.executable, SCRIPT, *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=limit, check=False)
    return done.returncode, done.stdout.decode("ascii", "replace").replace("\r", "")


ASLEEP = struct.pack("<II", 0xD503207F, 0x17FFFFFF)  # 1: wfi; b 1b


class Loader:
    """uartboot.img in QEMU with its console on a pty. Cores 1-3 sleep: QEMU's firmware would keep
    them polling, and a small host has better things to do."""

    def __init__(self, words, folder):
        asleep = os.path.join(folder, "asleep.bin")
        with open(asleep, "wb") as file:
            file.write(ASLEEP)
        command = ["qemu-system-aarch64", "-M", "raspi3b", "-display", "none", "-monitor", "none",
                   "-semihosting-config", "enable=on,target=native", "-kernel",
                   pi.built("uartboot.img"), "-dtb", pi.built("rpi3.dtb"), "-initrd",
                   pi.built("initramfs.cpio"), "-append", words, "-serial", "null",
                   "-serial", "pty", "-device", f"loader,file={asleep},addr=0x70000,force-raw=on"]
        for core in (1, 2, 3):
            command += ["-device", f"loader,addr=0x70000,cpu-num={core}"]
        self.process = subprocess.Popen(["timeout", "560", *command], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.device = None
        while self.device is None:
            line = self.process.stdout.readline().decode()
            found = re.search(r"/dev/pts/\d+", line)
            self.device = found[0] if found else None
            if not line:
                raise RuntimeError("QEMU gave no pseudo-terminal")

    def end(self):
        """Its exit code, when it ends by itself soon."""
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.process.wait()
            return None


def raw(device, data, until, limit=20):
    """Writes bytes as they are; what came back until this text."""
    fd = os.open(device, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(fd)
    os.set_blocking(fd, False)
    os.write(fd, data)
    heard, end = b"", time.monotonic() + limit
    while time.monotonic() < end and until.encode() not in heard:
        try:
            heard += os.read(fd, 4096)
        except BlockingIOError:
            time.sleep(0.02)
    os.close(fd)
    return heard.decode("ascii", "replace")


WRONG = [  # name, bytes, answer
    ("size 0: refused", struct.pack("<III", MAGIC, 0, 0), "refused: an image of 0 bytes"),
    ("noise, then size 4 GiB: refused", b"noise" + struct.pack("<III", MAGIC, 0xFFFFFFF0, 0),
     "refused: an image of 4294967280 bytes"),
    ("wrong checksum: said", struct.pack("<III", MAGIC, 100, 1) + bytes(100),
     "checksum wrong: got 0x0, want 0x1"),
    ("half an image: given up", struct.pack("<III", MAGIC, 100, 1) + bytes(50),
     "gave up after 50 of 100 bytes"),
    ("half a header: given up", struct.pack("<IH", MAGIC, 100), "the header ended early"),
]


def through_qemu(tap, folder):
    """Wrong transfers first, each refused and survived; then the real kernel."""
    loader = Loader("test=memblock_add exit=semihost", folder)
    for name, data, answer in WRONG:
        heard = raw(loader.device, data, answer)
        tap.check(answer in heard, f"uartboot: {name}", [heard])
    started = time.monotonic()
    code, output = send(pi.KERNEL, loader.device, "--until", "loam: all tests passed",
                        "--until-wait", "400")
    size = os.path.getsize(pi.KERNEL)
    print(f"# sent and tested in {time.monotonic() - started:.1f} s")
    tap.check(code == 0 and f"uartboot: {size} bytes" in output and "starting" in output,
              "send_kernel: kernel8.img: sent, checksum agreed, started", pi.tail(output))
    tap.check("loam: all tests passed" in output, "send_kernel: the kernel's pass line is seen",
              pi.tail(output))
    tap.check(f"sent {size + 12} of {size + 12} bytes" in output, "send_kernel: progress is told",
              pi.tail(output))
    tap.check("device tree: at 0x8200000" in output and "reserve: [0x8000000" in output,
              "uartboot: the kernel gets the firmware's x0: device tree and initramfs",
              output.splitlines()[:20])
    tap.check(loader.end() == 0, "uartboot: the kernel's exit code arrives")


class FakeLoader:
    """The other end of a pty, which answers with fixed text after so many bytes."""

    def __init__(self, answer, after=12, take=True):
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.device = os.ttyname(self.slave)
        self.got = b""
        self.thread = threading.Thread(target=self._run, args=(answer, after, take), daemon=True)
        self.thread.start()

    def _run(self, answer, after, take):
        while take:
            try:
                self.got += os.read(self.master, 4096)
            except OSError:
                return
            if answer and len(self.got) >= after:
                os.write(self.master, answer)
                answer = b""


def errors(tap):
    """Each is one line that says what to do, and exit code 1."""
    with tempfile.TemporaryDirectory(prefix="loam-send-") as folder:
        image, empty, plain = (os.path.join(folder, name) for name in ("k.img", "empty", "plain"))
        with open(image, "wb") as file:
            file.write(bytes(range(256)) * 4)
        for path in (empty, plain):
            with open(path, "wb"):
                pass
        silent = FakeLoader(b"")
        cases = [
            ("missing image", (folder + "/none", silent.device), "cannot read the image"),
            ("empty image", (empty, silent.device), "is empty"),
            ("a folder as image", (folder, silent.device), "cannot read the image"),
            ("missing device", (image, "/dev/ttyNONE9"), "cannot open the device.*plugged in"),
            ("device is a file", (image, plain), "is not a serial device"),
            ("strange speed", (image, silent.device, "--baud", "1234"), "no speed of 1234"),
            ("no answer", (image, silent.device, "--wait", "0.5"), "no answer from the loader"),
        ]
        for name, arguments, text in cases:
            code, output = send(*arguments)
            tap.check(code == 1 and re.search("send_kernel: .*" + text, output) is not None and
                      "Traceback" not in output, f"send_kernel: {name}: said, exit code 1",
                      [f"code {code}", *pi.tail(output)])
        answers(tap, image)
    code, output = send()
    tap.check(code == 2 and "usage:" in output, "send_kernel: no arguments: usage", [output])


def answers(tap, image):
    wrong = FakeLoader(b"uartboot: checksum wrong: got 0x1, want 0x2\r\n", 1036)
    code, output = send(image, wrong.device)
    tap.check(code == 1 and "the loader says: uartboot: checksum wrong" in output,
              "send_kernel: checksum refused by the loader: said, exit code 1", [output])
    good = FakeLoader(b"\r\nuartboot: 1024 bytes, checksum 0x1fe00: starting\r\nhello pass\r\n",
                      1036)
    code, output = send(image, good.device, "--until", "pass")
    tap.check(code == 0 and "hello pass" in output, "send_kernel: accepted: exit code 0", [output])
    with open(image, "rb") as file:
        data = file.read()
    want = struct.pack("<III", MAGIC, len(data), sum(data) & 0xFFFFFFFF) + data
    tap.check(good.got == want, "send_kernel: on the wire: BOOT, size, checksum, image",
              [f"{good.got[:16]!r}, {len(good.got)} bytes"])
    quiet = FakeLoader(b"")
    code, output = send(image, quiet.device, "--silent", "--quiet")
    tap.check(code == 0 and output == "",
              "send_kernel: --silent --quiet: nothing expected, nothing said",
              [f"code {code}", output])
    code, output = send(image, good.device, "--silent", "--until", "never", "--until-wait", "0.3")
    tap.check(code == 1 and "'never' was not seen" in output,
              "send_kernel: --until in vain: exit code 1", [output])


def main():
    tap = Tap()
    errors(tap)
    with tempfile.TemporaryDirectory(prefix="loam-send-") as folder:
        through_qemu(tap, folder)
    tap.done()


if __name__ == "__main__":
    main()
