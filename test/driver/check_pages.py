#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random sessions with the page allocator over odd memory maps, against sets of page numbers.

The checker knows which pages exist and are free, and which blocks are out. Every answer must be
allowed by these sets, and `state` must list exactly the maximal aligned runs of the free set.
Prints TAP; SEED= repeats a run, LOAM_LONG=1 makes it longer.
"""
import time

from driving import LONG, PAGE, TOP, Bytes, Tap, WIDTHS, Wrong, hexes


# ---- memory maps: (regions, reserves), each a list of (base, size) ----

def around(rng, base, pages, ragged):
    """A range of about so many pages from base on, with unaligned ends if ragged."""
    size = rng.randint(1, pages) * PAGE
    if ragged and rng.random() < 0.5:
        base += rng.randrange(PAGE)
    base = min(base, TOP - PAGE)
    if ragged and rng.random() < 0.5:
        size += rng.randrange(-PAGE + 1, PAGE)
    return base, min(size, TOP - base)


def one_region(rng, base=0x100000):
    return [(base, rng.randint(1, 600) * PAGE)], []


def eight_pages(_):
    return [(0x100000, 8 * PAGE)], []


def single_page(rng):
    return [(rng.randrange(1 << 52) * PAGE, PAGE)], []


def from_zero(rng):
    return [(0, rng.randint(1, 300) * PAGE)], [(0, 1)] if rng.random() < 0.5 else []


def ragged_overlaps(rng, base=0x100000, span=700):
    regions = [around(rng, base + rng.randrange(span) * PAGE, 120, True) for _ in range(12)]
    regions += rng.sample(regions, 3)
    rng.shuffle(regions)
    reserves = [around(rng, base + rng.randrange(-4, span + 100) * PAGE, 20, True)
                for _ in range(rng.randrange(8))]
    return regions, reserves + reserves[:2]


def tiny_regions(rng):
    base = rng.choice((0x1000, 0xfff00000, 0x123456789000))
    pages = rng.sample(range(900), 250)
    return [(base + p * PAGE, PAGE) for p in pages], []


def far_apart(rng):
    regions = [(0x1000, 40 * PAGE), (0xffff0000, 40 * PAGE), ((1 << 52) - 0x5000, 20 * PAGE),
               (1 << 40, 64 * PAGE), (0x7ffffffff000, 33 * PAGE), (TOP - 30 * PAGE, 30 * PAGE),
               ((1 << 63) - 7 * PAGE, 15 * PAGE)]
    rng.shuffle(regions)
    return regions, [(TOP - PAGE, 1), (0xfffff800, 0x1000), ((1 << 52) + 0x1fff, 2)]


def across_4g(rng):
    return ragged_overlaps(rng, 0xffe80000, 500)


def near_top(rng):
    regions, reserves = ragged_overlaps(rng, TOP - 800 * PAGE, 790)
    return regions + [(TOP - 3 * PAGE, 3 * PAGE)], reserves


def near_2_52(rng):
    return ragged_overlaps(rng, (1 << 52) - 400 * PAGE, 700)


def odd_middle(rng):
    """A large block cut by single reserved bytes."""
    base = rng.choice((0x400000, 0x140000000))
    return ([(base, 1024 * PAGE)],
            [(base + rng.randrange(1024 * PAGE), 1) for _ in range(rng.randrange(1, 9))])


MAPS = {"one region": one_region, "eight pages": eight_pages, "a single page": single_page,
        "from address 0": from_zero, "ragged, overlapping, repeated": ragged_overlaps,
        "many single pages": tiny_regions, "regions far apart": far_apart,
        "across 4 GiB": across_4g, "up to 2^64": near_top, "around 2^52": near_2_52,
        "single bytes reserved": odd_middle}


# ---- the sets ----

class Sets:
    def __init__(self, ram, free, max_order):
        self.ram = ram        # pages of RAM
        self.free = free      # pages
        self.out = {}         # first page -> order
        self.taken = set()    # pages of blocks that are out
        self.bytes = {}       # first page -> byte it was filled with
        self.max_order = max_order

    def fits(self, order):
        """Is there a free aligned block?"""
        return bool(self.blocks_of(order)) if order <= self.max_order else False

    def blocks_of(self, order):
        """First pages of all free aligned blocks of an order."""
        level = self.free
        for k in range(order):
            level = {p for p in level if not p >> k & 1 and p + (1 << k) in level}
        return {p for p in level if p % (1 << order) == 0}

    def maximal(self):
        found, level = [], self.free
        for k in range(self.max_order + 1):
            up = set()
            if k < self.max_order:
                up = {p for p in level if not p >> k & 1 and p + (1 << k) in level}
            found += [(p, k) for p in level if p not in up and p - (1 << k) not in up]
            level = up
        return sorted(found)

    def take(self, page, order):
        pages = set(range(page, page + (1 << order)))
        if page % (1 << order) or not pages <= self.free:
            raise Wrong(f"block {page * PAGE:x} of order {order} is not aligned or not free")
        self.free -= pages
        self.taken |= pages
        self.out[page] = order

    def give(self, page):
        pages = set(range(page, page + (1 << self.out.pop(page))))
        self.free |= pages
        self.taken -= pages
        self.bytes.pop(page, None)


class Session:
    def __init__(self, driver, rng, make_map):
        self.driver, self.rng = driver, rng
        self.regions, self.reserves = make_map(rng)
        self.max_order = rng.choice((0, 1, 2, 3, 5, 9, 10, 12, 20))
        self.sets = None

    def refused(self, line):
        self.driver.want(line, "err")

    def start(self, outside):
        """Tells the map and starts; False: the arrays do not fit into the regions."""
        driver, ram, held = self.driver, Bytes(), Bytes()
        driver.want("reset", "ok")
        told = [("region", r) for r in self.regions] + [("reserve", r) for r in self.reserves]
        self.rng.shuffle(told)
        for word, (base, size) in told:
            driver.want(f"{word} {base:x} {size:x}", "ok")
            (ram if word == "region" else held).add(base, base + size)
            if self.rng.random() < 0.05:
                base = TOP - self.rng.randrange(1, 100000)
                self.refused(f"{word} {base:x} {TOP - base + self.rng.randint(1, 9):x}")
                driver.want(f"{word} {base:x} 0", "ok")
        usable = ram.whole_pages() - held.touched_pages()
        if self.rng.random() < 0.2:
            driver.want("failnth 1", "ok")
            self.refused(f"start 1000 {self.max_order:x}")
        answer = driver.ask(f"start 1000 {self.max_order:x}")
        if answer == "err" and (not ram.whole_pages() or (not outside and len(usable) < 1024)):
            return False
        if answer != "ok":
            raise Wrong(f"start: {answer}")
        numbers = hexes(driver.ask("meta"))
        if len(numbers) % 2 or (outside and numbers):
            raise Wrong("meta: not pairs, or not outside")
        meta = Bytes()
        for base, size in zip(numbers[::2], numbers[1::2]):
            meta.add(base, base + size)
        if not meta.touched_pages() <= usable or (not outside and not numbers):
            raise Wrong("meta: not in usable pages")
        self.meta = sorted(meta.touched_pages())
        self.sets = Sets(ram.whole_pages(), usable - meta.touched_pages(), self.max_order)
        self.compare()
        return True

    def compare(self):
        want = " ".join(f"{k:x}:{p * PAGE:x}" for p, k in self.sets.maximal())
        got = self.driver.ask("state")
        if got != want:
            raise Wrong(f"state: {got[:300]}\n#   wanted {want[:300]}")
        self.driver.want("info", f"{len(self.sets.free):x}")

    def alloc(self, order):
        answer = self.driver.ask(f"alloc {order:x}")
        if answer == "null":
            if self.sets.fits(order):
                raise Wrong(f"alloc {order:x}: null, but a block is free")
            return False
        at, = hexes(answer)
        if order > self.max_order or at % PAGE:
            raise Wrong(f"alloc {order:x}: {answer}")
        self.sets.take(at // PAGE, order)
        if self.rng.random() < 0.5:
            byte = self.rng.randrange(256)
            self.driver.want(f"fill {at:x} {order:x} {byte:x}", "ok")
            self.sets.bytes[at // PAGE] = byte
        return True

    def free(self):
        page = self.rng.choice(list(self.sets.out))
        order = self.sets.out[page]
        if page in self.sets.bytes:
            self.driver.want(f"check {page * PAGE:x} {order:x} {self.sets.bytes[page]:x}", "ok")
        self.driver.want(f"free {page * PAGE:x} {order:x}", "ok")
        self.sets.give(page)

    def misuse(self):
        """A free that must be refused, of every kind that there is."""
        rng, sets = self.rng, self.sets
        order = rng.randint(0, self.max_order)
        page = rng.choice((0, 1 << 51, (1 << 52) - 1, rng.randrange(1 << 52),
                           *(rng.choice(list(s)) + rng.choice((0, 0, 1, -1))
                             for s in (sets.ram, sets.free, sets.taken, self.meta) if s)))
        if sets.out and rng.random() < 0.4:  # a block, but a wrong order
            page = rng.choice(list(sets.out))
        page %= 1 << 52
        if sets.out.get(page) == order:
            return
        self.refused(f"free {page * PAGE:x} {order:x}")
        if page in sets.out:
            order = sets.out[page]
            self.refused(f"free {page * PAGE + rng.randrange(1, PAGE):x} {order:x}")
            self.refused(f"free {page * PAGE:x} {rng.randint(self.max_order + 1, 70):x}")
            self.refused(f"free {page * PAGE:x} {TOP - 1 - rng.randrange(9):x}")

    def step(self):
        rng = self.rng
        kind = rng.random()
        if kind < 0.1:
            self.driver.want(f"cpu {rng.choice((0, 1, 2, 3, 7, rng.randrange(64))):x}", "ok")
        elif kind < 0.2:
            self.misuse()
        elif kind < 0.55 and self.sets.out:
            self.free()
        elif kind < 0.57:
            self.driver.want(f"alloc {rng.randint(self.max_order + 1, 99):x}", "null")
        else:
            self.alloc(min(int(rng.expovariate(0.7)), self.max_order + 1))

    def use_up(self):
        """Every page out, one by one, from changing processors; then nothing more."""
        while self.sets.free:
            if self.rng.random() < 0.1:
                self.driver.want(f"cpu {self.rng.randrange(4):x}", "ok")
            order = 0 if self.rng.random() < 0.9 else self.rng.randint(0, self.max_order)
            self.alloc(order)
        self.driver.want("alloc 0", "null")
        self.driver.want("state", "")

    def give_all(self):
        while self.sets.out:
            if self.rng.random() < 0.1:
                self.driver.want(f"cpu {self.rng.randrange(8):x}", "ok")
            self.free()
        self.compare()

    def spread(self):
        """Pages freed by several processors must merge for a large request of another."""
        blocks = {k: self.sets.blocks_of(k) for k in range(min(self.max_order, 9) + 1)}
        largest = max((k for k in blocks if blocks[k]), default=None)
        if largest is None:
            return
        self.use_up()
        pages = list(self.sets.out)
        self.rng.shuffle(pages)
        for i, page in enumerate(pages):
            self.driver.want(f"cpu {i % 5:x}", "ok")
            self.driver.want(f"free {page * PAGE:x} {self.sets.out[page]:x}", "ok")
            self.sets.give(page)
        self.driver.want("cpu 6", "ok")
        if not self.alloc(largest):
            raise Wrong(f"no block of order {largest} after all was freed")

    def play(self, outside, steps):
        if not self.start(outside):
            return
        for i in range(steps):
            self.step()
            if i % 25 == 0:
                self.compare()
        self.compare()
        self.use_up()
        self.give_all()
        self.spread()
        self.give_all()


def sessions(make_map, outside):
    def play(driver, rng):
        count = 15 if LONG else 3
        if driver.width == "asan":
            count = (count + 2) // 3
        for _ in range(count):
            Session(driver, rng, make_map).play(outside, 600 if LONG else 250)
    return play


def every_order(driver, _):
    """Orders 0 to 28 on one region, of which most exists only as a number on 32 bits."""
    huge = 1 << (30 if driver.width == "host" else 26)  # bytes
    for order in range(0x29):
        driver.want("reset", "ok")
        driver.want(f"region {1 << 52:x} {huge:x}", "ok")
        driver.want(f"start 1000 {order:x}", "ok")
        top = min(order, (huge // PAGE).bit_length() - 1)
        answer = driver.ask("state").split(" ")
        if answer[0] != f"{top:x}:{1 << 52:x}" or len(answer) != huge // PAGE >> top:
            raise Wrong(f"state at order {order}: {answer[:3]}, {len(answer)} blocks")
        at = driver.ask(f"alloc {top:x}")
        driver.want(f"fill {at} {top:x} 77", "ok")
        driver.want(f"check {at} {top:x} 77", "ok")
        driver.want(f"alloc {top + 1:x}", "null")
        driver.want(f"free {at} {top:x}", "ok")
        driver.want("info", f"{huge // PAGE:x}")


def too_large(driver, _):
    """Regions whose arrays are more than a process can write: refused, and at once."""
    for size in [1 << shift for shift in range(44, 64)] + [TOP - 1]:
        driver.want("reset", "ok")
        driver.want(f"region 0 {size:x}", "ok")
        started = time.monotonic()
        driver.want("start 1000 28", "err")
        if time.monotonic() - started > 5:
            raise Wrong(f"{time.monotonic() - started} seconds for a refusal")
        driver.want(f"mb_remove 8000 {size - 0x8000:x}", "ok")
        driver.want("start 1000 a", "ok")


def main():
    tap = Tap("pages")
    for width in WIDTHS:
        for title, make_map in MAPS.items():
            tap.run(f"{title}, arrays outside", width, sessions(make_map, True), "--meta=outside")
            tap.run(f"{title}, arrays in the regions", width, sessions(make_map, False))
        tap.run("every largest order on a large region", width, every_order, "--meta=outside")
        tap.run("too much RAM, arrays outside", width, too_large, "--meta=outside")
        tap.run("too much RAM, arrays in the regions", width, too_large)
    tap.done()


if __name__ == "__main__":
    main()
