#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random sessions with kmalloc, against a dictionary of the blocks that are out: no overlap,
alignment, contents, every kind of bad free, refusals of the layer below, and nothing lost.
Prints TAP."""
from driving import LONG, PAGE, Tap, WIDTHS, Wrong, hexes

SIZES = (1, 7, 8, 9, 15, 16, 17, 24, 31, 32, 48, 63, 64, 65, 96, 100, 127, 128, 129, 160, 255, 256,
         500, 512, 1000, 1024, 1500, 2048, 3000, 4095, 4096, 4097, 6000, 8192, 12288, 16384, 20000,
         32767, 32768, 32769, 40000, 65536, 100000, 262144)


class Heap:
    def __init__(self, driver, rng, pages):
        self.driver, self.rng = driver, rng
        self.pages = pages
        self.out = {}  # address -> (size, byte)
        driver.want(f"reset {pages:x}", f"{pages:x}")
        self.start = f"{pages:x}"
        driver.want("kinfo", self.start)

    def min_align(self, size):
        return 16 if size >= 16 and self.driver.width != "host32" else 8

    def check_place(self, at, size):
        if at % self.min_align(size):
            raise Wrong(f"{at:x} of {size:x} bytes: not aligned")
        for other, (length, _) in self.out.items():
            if at < other + length and other < at + size:
                raise Wrong(f"{at:x} of {size:x} bytes overlaps {other:x} of {length:x}")

    def put(self, answer, size):
        """Notes a block, and fills it."""
        if answer == "null":
            return None
        at, = hexes(answer)
        self.check_place(at, size)
        byte = self.rng.randrange(256)
        self.driver.want(f"kfill {at:x} {size:x} {byte:x}", "ok")
        self.out[at] = (size, byte)
        return at

    def size(self):
        rng = self.rng
        if rng.random() < 0.5:
            return rng.choice(SIZES)
        return 1 + int(rng.expovariate(1 / rng.choice((20, 200, 2000, 20000))))

    def alloc(self):
        size = self.size()
        return self.put(self.driver.ask(f"kmalloc {size:x}"), size)

    def calloc(self):
        n, size = self.rng.randrange(1, 20), 1 + self.size() // 16
        answer = self.driver.ask(f"kcalloc {n:x} {size:x}")
        if answer != "null":
            self.driver.want(f"kcheck {answer} {n * size:x} 0", "ok")
        return self.put(answer, n * size)

    def look(self, at):
        size, byte = self.out[at]
        self.driver.want(f"kcheck {at:x} {size:x} {byte:x}", "ok")

    def realloc(self):
        at = self.rng.choice(list(self.out))
        old, byte = self.out[at]
        size = self.size()
        answer = self.driver.ask(f"krealloc {at:x} {size:x}")
        if answer == "null":  # refused: as it was
            self.look(at)
            return
        self.driver.want(f"kcheck {answer} {min(old, size):x} {byte:x}", "ok")
        del self.out[at]
        self.put(answer, size)

    def free(self):
        at = self.rng.choice(list(self.out))
        self.look(at)
        self.driver.want(f"kfree {at:x}", "ok")
        del self.out[at]
        if self.rng.random() < 0.3:
            self.driver.want(f"kfree {at:x}", "err")

    def misuse(self):
        rng = self.rng
        wild = [1, 8, 0xfff, 0x3fffffff, 0x40000000 + self.pages * PAGE, (1 << 64) - 16,
                rng.randrange(1 << 64), 0x40000000 + rng.randrange(self.pages * PAGE)]
        for at, (size, _) in rng.sample(list(self.out.items()), min(4, len(self.out))):
            wild += [at + 1, at - 1, at + 8, at + size, at + 16, at + rng.randrange(1, size + 1)]
        bad = rng.choice(wild)
        if bad and bad not in self.out:
            self.driver.want(f"kfree {bad:x}", "err")
            if rng.random() < 0.3:
                self.driver.want(f"krealloc {bad:x} {self.size():x}", "null")

    def step(self):
        kind = self.rng.random()
        if kind < 0.08:
            self.misuse()
        elif kind < 0.2:
            self.calloc()
        elif self.out and kind < 0.35:
            self.realloc()
        elif self.out and kind < 0.62:
            self.free()
        elif kind < 0.64:
            self.driver.want("kshrink", "ok")
        elif kind < 0.66:
            self.driver.want(f"cpu {self.rng.randrange(8):x}", "ok")
        else:
            self.alloc()

    def give_all(self):
        while self.out:
            self.free()
        self.driver.want("kshrink", "ok")
        self.driver.want("kinfo", self.start)


def sessions(pages, steps):
    def play(driver, rng):
        for _ in range(10 if LONG else 1):
            heap = Heap(driver, rng, pages)
            for _ in range(steps * (5 if LONG else 1)):
                heap.step()
            heap.give_all()
    return play


def use_up(driver, rng):
    """Until nothing more is given out, then all back, twice: the second time it is as much."""
    for size in (16, 64, 200, 1024, 5000, 40000):
        heap = Heap(driver, rng, 60)
        counts = []
        for _ in range(2):
            taken = []
            while (answer := driver.ask(f"kmalloc {size:x}")) != "null":
                taken.append(int(answer, 16))
            spans = sorted(taken)
            if any(a + size > b for a, b in zip(spans, spans[1:])):
                raise Wrong(f"blocks of {size} bytes overlap")
            for at in taken:
                driver.want(f"kfree {at:x}", "ok")
            counts.append(len(taken))
            driver.want("kshrink", "ok")
            driver.want("kinfo", heap.start)
        if counts[0] != counts[1] or counts[0] * size < 60 * PAGE // 3:
            raise Wrong(f"{counts} blocks of {size} bytes from 60 pages")


def largest(driver, pages):
    """Pages of the largest block that kmalloc has now."""
    for count in range(pages, 0, -1):
        answer = driver.ask(f"kmalloc {count * PAGE:x}")
        if answer != "null":
            driver.want(f"kfree {answer}", "ok")
            return count
    return 0


def large_after_small(driver, _):
    """What was small blocks becomes a large one again, without being told to shrink."""
    for pages in (16, 64, 65, 100, 200):
        driver.want(f"reset {pages:x}", f"{pages:x}")
        fresh = largest(driver, pages)
        taken = []
        for size in (16, 48, 100, 700, 2000):
            while (answer := driver.ask(f"kmalloc {size:x}")) != "null":
                taken.append(answer)
        for at in taken:
            driver.want(f"kfree {at}", "ok")
        if (again := largest(driver, pages)) != fresh:
            raise Wrong(f"of {pages} pages {fresh} were one block, and {again} are")


def odd_arguments(driver, _):
    driver.want("reset 100", "100")
    start = driver.ask("kinfo")
    for line, answer in (
            ("kmalloc 0", "null"), ("kfree 0", "ok"), ("kcalloc 0 8", "null"),
            ("kcalloc 8 0", "null"), ("kmalloc ffffffffffffffff", "null"),
            ("kmalloc 7fffffffffffffff", "null"), ("kmalloc ffffffff", "null"),
            ("kmalloc 100000000", "null"), ("kmalloc 8000000000000000", "null"),
            ("kcalloc ffffffffffffffff 2", "null"), ("kcalloc 100000000 100000000", "null"),
            ("kcalloc 10000 10000", "null"), ("kcalloc 10001 ffff", "null"),
            ("kcalloc 8000000000000001 2", "null"), ("krealloc 0 0", "null"),
            ("krealloc 0 ffffffffffffffff", "null"), ("krealloc 1234 10", "null"),
            ("kfill 40000000 ffffffffffffffff 1", "bad"), ("kfill 0 1 1", "bad"),
            ("kfill 50000000 1 1", "bad"), ("kcheck 3fffffff 2 0", "bad"), ("kinfo", start)):
        driver.want(line, answer)
    at = driver.ask("krealloc 0 20")
    driver.want(f"kfill {at} 20 5a", "ok")
    for size in ("ffffffffffffffff", "fffffff0", "10000000"):
        driver.want(f"krealloc {at} {size}", "null")
        driver.want(f"kcheck {at} 20 5a", "ok")
    driver.want(f"krealloc {at} 0", "null")
    driver.want(f"kfree {at}", "err")
    driver.want("kshrink", "ok")
    driver.want("kinfo", start)


def write_after_free(driver, rng):
    """Freed memory holds nothing of the allocator's: overwriting it bends nothing."""
    heap = Heap(driver, rng, 300)
    blocks = [(heap.alloc(), None)[0] for _ in range(200)]
    freed = [(at, heap.out[at][0]) for at in blocks if at]
    for at, _ in freed:
        driver.want(f"kfree {at:x}", "ok")
    for at, size in freed:
        driver.want(f"kfill {at:x} {size:x} ff", "ok")
        driver.want(f"kfree {at:x}", "err")
    heap.out.clear()
    for _ in range(200):
        heap.alloc()
    heap.give_all()


def wild_writes(driver, rng):
    """Writes to any address of the machine: they spoil contents, never the layers themselves."""
    for pages in (1, 8, 16, 100):
        driver.want(f"reset {pages:x}", f"{pages:x}")
        out = {}
        for _ in range(300):
            at, kind = 0x40000000 + rng.randrange((pages + 8) * PAGE), rng.random()
            if kind < 0.3:
                size = 1 + int(rng.expovariate(1 / rng.choice((100, 3000, 40000))))
                answer = driver.ask(f"kmalloc {size:x}")
                if answer != "null":
                    driver.want(f"kfill {answer} {size:x} 1", "ok")
                    out[answer] = size
            elif kind < 0.4 and out:
                driver.want("kfree " + out.popitem()[0], "ok")
            elif kind < 0.45:
                driver.want("kshrink", "ok")
            elif kind < 0.55:
                driver.ask(f"fill {at - at % PAGE:x} {rng.randrange(3):x} ff")
            else:
                driver.ask(f"kfill {at:x} {rng.choice((1, 64, rng.randrange(PAGE * pages))):x} 99")
        driver.ask(f"kfill 40000000 {pages * PAGE:x} ff")
        for at in out:
            driver.want(f"kfree {at}", "ok")
        driver.want("kshrink", "ok")
        driver.want("kinfo", f"{pages:x}")


def failures(driver, rng):
    """The n-th request to the zone fails, for every n that a small program makes."""
    for nth in range(1, 40):
        heap = Heap(driver, rng, 2000)
        driver.want(f"failnth {nth:x}", "ok")
        refused = 0
        for size in (8, 16, 64, 100, 1000, 3000, 9000, 20000, 50000, 70000, 24, 200, 333, 2048):
            for _ in range(3):
                at = heap.put(driver.ask(f"kmalloc {size:x}"), size)
                refused += at is None
        for at in list(heap.out):
            heap.look(at)
            old, byte = heap.out.pop(at)
            answer = driver.ask(f"krealloc {at:x} {2 * old:x}")
            refused += answer == "null"
            if answer == "null":
                heap.out[at] = (old, byte)
                heap.look(at)
            else:
                driver.want(f"kcheck {answer} {old:x} {byte:x}", "ok")
                heap.put(answer, 2 * old)
        if refused > 1:
            raise Wrong(f"one request to the zone failed, {refused} calls were refused")
        driver.want("failnth 0", "ok")
        heap.give_all()


def machines(driver, _):
    """Any number of pages: a machine with so many free, or a refusal and the driver goes on."""
    for pages in (0, 1, 2, 3, 4, 5, 8, 12, 15, 16, 17, 33, 64, 100, 1000, 1024, 4095, 4096,
                  1 << 15, 1 << 17, 1 << 32, 1 << 33, 1 << 36, 1 << 40, 1 << 41,
                  1 << 51, 1 << 52, (1 << 64) - 1):
        answer = driver.ask(f"reset {pages:x}")
        if answer not in ("err", f"{pages:x}") or (answer == "err" and 1 <= pages <= 4096):
            raise Wrong(f"reset {pages:x}: {answer}")
        if answer == "err":
            driver.want("kmalloc 8", "err")
            continue
        driver.want("kinfo", f"{pages:x}")
        at = driver.ask("kmalloc 8")
        if at != "null":
            driver.want(f"kfree {at}", "ok")
            driver.want("kshrink", "ok")
        driver.want("kinfo", f"{pages:x}")
    driver.want("reset", "ok")
    driver.want("kmalloc 8", "err")


def main():
    tap = Tap("objects")
    for width in WIDTHS:
        tap.run("odd arguments", width, odd_arguments)
        tap.run("machines of any size", width, machines)
        tap.run("random calls on 2000 pages", width, sessions(2000, 1500))
        tap.run("random calls on 64 pages", width, sessions(64, 800))
        tap.run("random calls on 20 pages", width, sessions(20, 500))
        tap.run("random calls, every mode on", width, sessions(2000, 700),
                "--slab=guard,poison,quarantine=64K,owner,random")
        tap.run("all memory in blocks of one size", width, use_up)
        tap.run("a large block after small ones", width, large_after_small)
        tap.run("writes after free", width, write_after_free)
        tap.run("writes anywhere", width, wild_writes)
        tap.run("the n-th request fails", width, failures)
    tap.done()


if __name__ == "__main__":
    main()
