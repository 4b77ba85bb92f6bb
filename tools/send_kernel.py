#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""send_kernel.py IMAGE DEVICE - sends a kernel to the boot loader on a serial line.

    python3 send_kernel.py kernel8.img /dev/ttyUSB0

Three little-endian words, "BOOT" (0x544F4F42), the size, the 32-bit sum of all bytes, and then the
image. Our loader (build/rpi3/uartboot.img) answers in lines that start with "uartboot:"; another
loader of this protocol may be silent: say --silent then.

Exit codes: 0 sent (and started, when the loader says so), 1 the transfer failed, 2 wrong arguments.
"""
import argparse
import errno
import fcntl
import os
import select
import struct
import sys
import termios
import time

MAGIC = 0x544F4F42
STALL_S = 10  # no byte taken for so long: nobody reads
CHUNK = 2048


class Failure(Exception):
    """A message for a person."""


def read_image(path):
    try:
        with open(path, "rb") as f:
            image = f.read()
    except OSError as e:
        raise Failure(f"cannot read the image {path}: {e.strerror}") from None
    if not image:
        raise Failure(f"the image {path} is empty")
    if len(image) >= 1 << 32:
        raise Failure(f"the image {path} is too large: {len(image)} bytes")
    return image


def make_header(image):
    return struct.pack("<III", MAGIC, len(image), sum(image) & 0xFFFFFFFF)


def open_serial(path, baud):
    speed = getattr(termios, f"B{baud}", None)
    if speed is None:
        raise Failure(f"this system knows no speed of {baud} baud")
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as e:
        hint = {
            errno.ENOENT: " (is the cable plugged in? ls /dev/ttyUSB* /dev/ttyACM*)",
            errno.EACCES: " (are you in the group dialout?)",
        }.get(e.errno, "")
        raise Failure(f"cannot open the device {path}: {e.strerror}{hint}") from None
    try:
        if not os.isatty(fd):
            raise Failure(f"{path} is not a serial device")
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Failure(f"{path} is in use by another program") from None
        set_raw(fd, speed)
    except Failure:
        os.close(fd)
        raise
    return fd


def set_raw(fd, speed):
    """8 bits, no parity, one stop bit; no echo, no translation, no flow control."""
    attributes = termios.tcgetattr(fd)
    control = attributes[6]
    control[termios.VMIN] = 0
    control[termios.VTIME] = 0
    cflag = termios.CS8 | termios.CREAD | termios.CLOCAL
    termios.tcsetattr(fd, termios.TCSANOW, [0, 0, cflag, 0, speed, speed, control])


class Progress:
    """A bar that redraws itself on a terminal, and one line when there is none."""

    def __init__(self, total, quiet):
        self.total, self.quiet, self.start = total, quiet, time.monotonic()
        self.live = sys.stderr.isatty() and not quiet
        self.last = 0.0

    def show(self, done):
        now = time.monotonic()
        if not self.live or (now - self.last < 0.05 and done < self.total):
            return
        self.last = now
        bar = "#" * (40 * done // self.total)
        rate = done / max(now - self.start, 1e-3) / 1024
        percent = 100 * done // self.total
        sys.stderr.write(f"\r[{bar:<40}] {percent:3d} %  {done} bytes  {rate:.1f} KiB/s ")
        sys.stderr.flush()

    def end(self, done):
        if self.live:
            sys.stderr.write("\n")
        elif not self.quiet:
            seconds = time.monotonic() - self.start
            sys.stderr.write(f"sent {done} of {self.total} bytes in {seconds:.1f} s\n")


class Link:
    """The serial line: what was heard, and what the loader answered."""

    def __init__(self, fd):
        self.fd = fd
        self.heard = b""

    def listen(self, seconds):
        """Reads what comes within so many seconds; the new bytes."""
        readable, _, _ = select.select([self.fd], [], [], seconds)
        if not readable:
            return b""
        try:
            new = os.read(self.fd, 4096)
        except BlockingIOError:
            return b""
        except OSError as e:
            raise Failure(f"the device went away: {e.strerror}") from None
        self.heard += new
        return new

    def answers(self):
        """Whole lines of the loader."""
        lines = self.heard.decode("ascii", "replace").replace("\r", "").split("\n")[:-1]
        return [line for line in lines if line.startswith("uartboot:")]

    def refusal(self):
        for line in self.answers():
            if any(word in line for word in ("refused", "wrong", "gave up")):
                return line
        return None

    def write_some(self, data):
        """Writes what the device takes now; 0 when it takes nothing for a moment."""
        _, writable, _ = select.select([], [self.fd], [], 0.2)
        if not writable:
            return 0
        try:
            return os.write(self.fd, data)
        except BlockingIOError:
            return 0
        except OSError as e:
            raise Failure(f"the device went away: {e.strerror}") from None


def send(link, data, progress):
    done, moved = 0, time.monotonic()
    while done < len(data):
        count = link.write_some(data[done : done + CHUNK])
        done += count
        link.listen(0)
        if link.refusal():
            progress.end(done)
            raise Failure(f"the loader says: {link.refusal()}")
        if count:
            moved = time.monotonic()
        else:
            time.sleep(0.002)  # a pseudo-terminal may claim to have room and then take nothing
        if time.monotonic() - moved > STALL_S:
            progress.end(done)
            raise Failure(f"nobody takes the bytes: {done} of {len(data)} sent")
        progress.show(done)
    termios.tcdrain(link.fd)
    progress.end(done)


def wait_for_start(link, seconds):
    """The loader's last word."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        link.listen(0.1)
        if link.refusal():
            raise Failure(f"the loader says: {link.refusal()}")
        for line in link.answers():
            if line.endswith("starting"):
                return line
    raise Failure(
        f"no answer from the loader within {seconds:g} s: is uartboot.img running there, and is "
        "this the right line? (--silent for a loader that never answers)"
    )


def watch(link, text, seconds):
    """Prints what the kernel says until the text was seen."""
    wanted, end = text.encode(), time.monotonic() + seconds
    at = link.heard.find(b"starting")
    kernel = link.heard[at + len(b"starting") :] if at >= 0 else b""
    sys.stdout.flush()  # what was printed as text stands before what is written as bytes
    sys.stdout.buffer.write(kernel)
    while wanted not in kernel:
        if time.monotonic() > end:
            raise Failure(f"'{text}' was not seen within {seconds:g} s")
        new = link.listen(0.1)
        kernel += new
        sys.stdout.buffer.write(new)
        sys.stdout.flush()


def parse(argv):
    parser = argparse.ArgumentParser(
        description="Sends a kernel to the boot loader on a serial line.")
    add = parser.add_argument
    add("image", help="kernel8.img")
    add("device", help="/dev/ttyUSB0")
    add("--baud", type=int, default=115200)
    add("--silent", action="store_true", help="the loader never answers")
    add("--wait", type=float, default=5, metavar="S", help="for the loader's answer")
    add("--until", metavar="TEXT", help="then print what comes until TEXT is seen")
    add("--until-wait", type=float, default=60, metavar="S", help="... at most so long")
    add("--quiet", action="store_true", help="no progress")
    return parser.parse_args(argv)


def run(options):
    image = read_image(options.image)
    link = Link(open_serial(options.device, options.baud))
    try:
        termios.tcflush(link.fd, termios.TCIOFLUSH)
        header = make_header(image)
        send(link, header + image, Progress(len(header) + len(image), options.quiet))
        if not options.silent:
            print(wait_for_start(link, options.wait))
        if options.until:
            watch(link, options.until, options.until_wait)
    finally:
        os.close(link.fd)


def main():
    try:
        run(parse(sys.argv[1:]))
    except Failure as e:
        print(f"send_kernel: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nsend_kernel: stopped", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
