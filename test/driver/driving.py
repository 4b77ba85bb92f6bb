# SPDX-License-Identifier: MIT
"""Drives loam-driver by lines, and TAP. What the checkers here know of memory are Python's sets and
dictionaries; they share no code with Loam."""
import os
import random
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WIDTHS = ("host", "host32", "asan")
LONG = bool(os.environ.get("LOAM_LONG"))
SEED = int(os.environ.get("SEED") or time.time_ns() % 10**9)
PAGE = 4096
TOP = 1 << 64


class Wrong(Exception):
    """The driver did not answer what the checker's sets say."""


class Driver:
    """One loam-driver; ask() sends a line and returns its one line of answer."""

    def __init__(self, width, *options):
        path = os.path.join(ROOT, "build", width, "loam-driver")
        self.width = width
        self.tail = []  # the last lines, for a reader of a failure
        self.lines = 0
        self.process = subprocess.Popen([path, *options], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.set_blocking(self.process.stderr.fileno(), False)
        self.errors = b""

    def ask(self, line):
        return self.ask_raw(line.encode() + b"\n")

    def ask_raw(self, line):
        try:
            self.process.stdin.write(line)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self.process.stdout.readline()
        self.tail = self.tail[-30:] + [f"{line[:100]!r} -> {answer[:100]!r}"]
        self.lines += 1
        if self.lines % 64 == 0:
            self.messages()  # a full pipe would stop the driver
        if not answer.endswith(b"\n"):
            raise Wrong(f"no answer, exit code {self.process.wait(10)}")
        return answer[:-1].decode("ascii")

    def messages(self):
        """What the driver said on stderr since the last call."""
        new = self.process.stderr.read() or b""
        self.errors = (self.errors + new)[-4000:]
        return new

    def want(self, line, answer):
        got = self.ask(line)
        if got != answer:
            raise Wrong(f"'{line}' -> '{got}', wanted '{answer}'")

    def close(self):
        self.process.stdin.close()
        rest = self.process.stdout.read()
        code = self.process.wait(30)
        self.messages()
        if rest or code != 0:
            raise Wrong(f"at the end: {rest!r}, exit code {code}")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                pass


class Tap:
    def __init__(self, name):
        self.name = name
        self.number = 0
        self.failed = 0

    def run(self, title, width, check, *options):
        """check(driver, rng) raises Wrong, or the subtest passes."""
        self.run_on(f"{width}: {title}", lambda: Driver(width, *options), check)

    def run_on(self, title, make, check):
        self.number += 1
        text = f"{self.number} - {self.name}: {title}"
        driver = None
        try:
            driver = make()
            check(driver, random.Random(f"{SEED} {self.number}"))
            driver.close()
            print(f"ok {text}", flush=True)
        except Wrong as wrong:
            self.failed += 1
            print(f"not ok {text}\n# SEED={SEED}: {wrong}")
            self.explain(driver)
        finally:
            if driver is not None:
                driver.kill()

    def explain(self, driver):
        """The last lines of a session that went wrong."""
        if driver is not None:
            driver.messages()
            for line in driver.tail:
                print(f"#   {line}")
            for line in driver.errors.decode("ascii", "replace").splitlines()[-12:]:
                print(f"#   stderr: {line}")
        sys.stdout.flush()

    def done(self):
        print(f"1..{self.number}")
        sys.exit(1 if self.failed else 0)


def hexes(line):
    """The numbers of an answer."""
    try:
        return [int(word, 16) for word in line.split(" ")] if line else []
    except ValueError:
        raise Wrong(f"'{line[:100]}' is no list of numbers") from None


class Bytes:
    """A set of bytes as sorted disjoint ranges [first, end) that do not touch."""

    def __init__(self):
        self.ranges = []

    def add(self, first, end):
        if first < end:
            apart = [r for r in self.ranges if r[1] < first or r[0] > end]
            joined = [r for r in self.ranges if r[1] >= first and r[0] <= end]
            first = min([first, *(r[0] for r in joined)])
            end = max([end, *(r[1] for r in joined)])
            self.ranges = sorted([*apart, (first, end)])

    def remove(self, first, end):
        left = []
        for a, b in self.ranges:
            if first < end and a < end and b > first:
                left += [(a, first)] if a < first else []
                left += [(end, b)] if b > end else []
            else:
                left.append((a, b))
        self.ranges = left

    def size(self):
        return sum(b - a for a, b in self.ranges)

    def copy(self):
        other = Bytes()
        other.ranges = list(self.ranges)
        return other

    def minus(self, other):
        left = self.copy()
        for a, b in other.ranges:
            left.remove(a, b)
        return left

    def whole_pages(self):
        """Numbers of the pages that lie inside with every byte."""
        return {p for a, b in self.ranges for p in range(-(-a // PAGE), b // PAGE)}

    def touched_pages(self):
        return {p for a, b in self.ranges for p in range(a // PAGE, -(-b // PAGE))}
