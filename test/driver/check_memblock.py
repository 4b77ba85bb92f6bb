#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The mb_ words against sorted lists of byte ranges: random unions, differences and early
allocations, at the ends and in the middle of a 64-bit address space. Prints TAP."""
from driving import LONG, PAGE, TOP, Bytes, Tap, WIDTHS, Wrong, hexes


def listed(driver, name):
    numbers = hexes(driver.ask(f"mb_list {name}"))
    if len(numbers) % 2:
        raise Wrong(f"mb_list {name}: not pairs")
    return [(base, base + size) for base, size in zip(numbers[::2], numbers[1::2])]


class Map:
    def __init__(self, driver, rng, base, span):
        self.driver, self.rng = driver, rng
        self.base, self.span = base, span
        self.ram, self.held = Bytes(), Bytes()

    def compare(self):
        for name, known in (("memory", self.ram), ("reserved", self.held)):
            got = listed(self.driver, name)
            if got != known.ranges:
                raise Wrong(f"{name}: {got[:9]}\n#   wanted {known.ranges[:9]}")

    def change(self):
        rng = self.rng
        word, known, act = rng.choice((("mb_add", self.ram, Bytes.add),
                                       ("mb_reserve", self.held, Bytes.add),
                                       ("mb_remove", self.ram, Bytes.remove),
                                       ("mb_free", self.held, Bytes.remove)))
        base = self.base + rng.randrange(self.span)
        size = rng.choice((0, 1, rng.randrange(self.span // 8), rng.randrange(self.span // 2)))
        if known.ranges and rng.random() < 0.3:  # beside or at the edge of what is there
            base = (rng.choice(rng.choice(known.ranges)) + rng.choice((-1, 0, 1))) % TOP
        if rng.random() < 0.1:
            size = rng.randrange(TOP)
        after = known.copy()
        act(after, base, base + size)
        allowed = size == 0 or (base + size <= TOP and after.size() < TOP)
        self.driver.want(f"{word} {base:x} {size:x}", "ok" if allowed else "err")
        if allowed:
            known.ranges = after.ranges

    def alloc(self):
        rng = self.rng
        size = rng.choice((0, 1, rng.randrange(self.span // 8), rng.randrange(self.span)))
        align = 1 << rng.choice((0, 0, 3, 6, 12, 16, rng.randrange(64)))
        if rng.random() < 0.1:
            align = rng.choice((0, 3, 6, TOP - 1, align + 1 if align > 1 else 5))
        free = self.ram.minus(self.held)
        places = [-(-max(a, PAGE) // align) * align for a, _ in free.ranges] if align else []
        fits = size and align and not align & (align - 1) and any(
            at + size <= end for at, (_, end) in zip(places, free.ranges))
        answer = self.driver.ask(f"mb_alloc {size:x} {align:x}")
        if answer == "null":
            if fits:
                raise Wrong(f"mb_alloc {size:x} {align:x}: null, but it fits")
            return
        at, = hexes(answer)
        if not fits or at < PAGE or at % align:
            raise Wrong(f"mb_alloc {size:x} {align:x}: {answer}")
        taken = self.driver.ask("mb_lastsize")
        taken = size if taken == "?" else int(taken, 16)
        if taken < size or not any(a <= at and at + taken <= b for a, b in free.ranges):
            raise Wrong(f"mb_alloc {size:x}: {answer} is not free memory")
        self.held.add(at, at + taken)

    def play(self, steps):
        self.driver.want("reset", "ok")
        for _ in range(steps):
            if self.rng.random() < 0.2:
                self.alloc()
            else:
                self.change()
            self.compare()


def maps(base, span):
    def play(driver, rng):
        for _ in range(10 if LONG else 2):
            Map(driver, rng, base, span).play(1500 if LONG else 150)
    return play


def whole_space(driver, _):
    """All 2^64 bytes cannot be counted in 64 bits; one less can."""
    last = TOP - 1
    for line, answer in (
            (f"mb_add 0 {last:x}", "ok"), ("mb_list memory", f"0 {last:x}"),
            (f"mb_add {last:x} 1", "err"), ("mb_list memory", f"0 {last:x}"),
            (f"mb_add {last:x} 2", "err"), (f"mb_add 1 {last:x}", "err"),
            (f"mb_reserve 2 {last:x}", "err"), (f"mb_remove 8 {last:x}", "err"),
            (f"mb_free {last:x} {last:x}", "err"), ("mb_list memory", f"0 {last:x}"),
            ("mb_list reserved", ""), ("mb_alloc 1 1", "1000"), ("mb_lastsize", "1"),
            (f"mb_alloc 1 {1 << 63:x}", f"{1 << 63:x}"), (f"mb_alloc {last:x} 1", "null"),
            ("mb_lastsize", "?"), (f"mb_remove 0 {last:x}", "ok"), ("mb_list memory", ""),
            ("mb_alloc 1 1", "null")):
        driver.want(line, answer)


def first_page(driver, _):
    driver.want("mb_add 0 1001", "ok")
    driver.want("mb_alloc 2 1", "null")
    driver.want("mb_alloc 1 1", "1000")
    driver.want("mb_alloc 1 1", "null")


def many_spans(driver, _):
    """Thousands of spans, then one that joins them all."""
    count = 20000 if LONG else 3000
    for i in range(count):
        driver.want(f"mb_add {(i * 7919 % count) * 0x2000 + 0x1000:x} 1000", "ok")
    if listed(driver, "memory") != [(i * 0x2000 + 0x1000, i * 0x2000 + 0x2000)
                                    for i in range(count)]:
        raise Wrong("not every second page")
    driver.want(f"mb_add 0 {count * 0x2000:x}", "ok")
    driver.want("mb_list memory", f"0 {count * 0x2000:x}")


def main():
    tap = Tap("memblock")
    for width in WIDTHS:
        for base, span in ((0, 1 << 16), (0xfff, 77), (0xfffff000, 1 << 14), (1 << 52, 1 << 40),
                           (TOP - 99, 99), (TOP - (1 << 20), 1 << 20), (0, TOP)):
            tap.run(f"random calls at {base:x}", width, maps(base, span))
        tap.run("the whole address space", width, whole_space)
        tap.run("nothing is given out from page 0", width, first_page)
        tap.run("thousands of spans", width, many_spans)
    tap.done()


if __name__ == "__main__":
    main()
