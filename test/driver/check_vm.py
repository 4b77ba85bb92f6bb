#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random address spaces in loam-driver, read back by an MMU of our own. Prints TAP.

The checker keeps a dictionary of pages. It walks the tables word by word with `peek`, as the
processor would, and compares addresses and rights; it counts the tables it can reach, which must be
the pages missing from `info`; and it holds every translation for remembered until `vm_flushed` says
that it was forgotten. SEED= repeats a run, LOAM_LONG=1 makes it longer.
"""
from driving import LONG, PAGE, TOP, Tap, Wrong, hexes

WRITE, EXEC, USER = 1, 2, 4
GIB = 1 << 30


# ---- processors ----

class Mmu:
    """One format: walk(va) answers (pa, rights, size) or None, by words of memory alone."""

    def __init__(self, driver, root):
        self.driver, self.root = driver, root
        self.known = {}

    def word(self, pa):
        if pa not in self.known:
            self.known[pa], = hexes(self.driver.ask(f"peek {pa:x}"))
        return self.known[pa]

    def forget(self):
        self.known = {}

    def tables(self):
        """Physical addresses of all tables, the root included."""
        found, todo = {self.root}, [(self.root, 0)]
        while todo:
            table, depth = todo.pop()
            for entry in self.entries(table):
                if depth + 1 < self.depth and self.is_table(entry):
                    below = entry & self.address
                    if below in found:
                        raise Wrong(f"the table {below:x} is linked twice")
                    found.add(below)
                    todo.append((below, depth + 1))
        return found


class I386(Mmu):
    name, depth, address, refuses_exec = "i386", 2, 0xfffff000, False
    large, top = 4 << 20, 1 << 32
    canonical = ((0, 1 << 32),)

    def half(self, pa):
        return self.word(pa & ~7) >> (32 if pa & 4 else 0) & 0xffffffff

    def entries(self, table):
        return (self.half(table + 4 * i) for i in range(1024))

    def is_table(self, entry):
        return entry & 0x81 == 1

    def walk(self, va):
        pde = self.half(self.root + (va >> 22) * 4)
        if not pde & 1:
            return None
        if pde & 0x80:
            if pde & 0x3fe000:
                raise Wrong(f"directory entry {pde:x}: reserved bits")
            return (pde & 0xffc00000) + (va & 0x3fffff), EXEC | x86_rights(pde, pde), 4 << 20
        pte = self.half((pde & 0xfffff000) + (va >> 12 & 1023) * 4)
        if not pte & 1:
            return None
        return (pte & 0xfffff000) + (va & 0xfff), EXEC | x86_rights(pde, pte), PAGE


def x86_rights(*entries):
    rights = WRITE | USER
    for entry in entries:
        rights &= (WRITE if entry & 2 else 0) | (USER if entry & 4 else 0)
    return rights


class X86_64(Mmu):
    name, depth, address, refuses_exec = "x86_64", 4, 0x000ffffffffff000, True
    large, top = 2 << 20, 1 << 52
    canonical = ((0, 1 << 47), (TOP - (1 << 47), TOP))

    def entries(self, table):
        return (self.word(table + 8 * i) for i in range(512))

    def is_table(self, entry):
        return entry & 0x81 == 1

    def walk(self, va):
        table, passed = self.root, []
        for low in (39, 30, 21, 12):
            entry = self.word(table + (va >> low & 511) * 8)
            if not entry & 1:
                return None
            passed.append(entry)
            if low == 12 or entry & 0x80:
                break
            table = entry & self.address
        if low == 39 or entry & self.address & ((1 << low) - 1):
            raise Wrong(f"entry {entry:x}: reserved bits")
        execute = 0 if any(e >> 63 for e in passed) else EXEC
        return ((entry & self.address) + (va & ((1 << low) - 1)), execute | x86_rights(*passed),
                1 << low)


class Aarch64(Mmu):
    name, depth, address, refuses_exec = "aarch64", 4, 0x0000fffffffff000, True
    large, top = 2 << 20, 1 << 48
    canonical = ((0, 1 << 48),)

    def entries(self, table):
        return (self.word(table + 8 * i) for i in range(512))

    def is_table(self, entry):
        return entry & 3 == 3

    def walk(self, va):
        table = self.root
        for low in (39, 30, 21, 12):
            entry = self.word(table + (va >> low & 511) * 8)
            kind = entry & 3
            if kind in (0, 2):
                return None
            if kind == 1 or low == 12:
                break
            if entry >> 59:
                raise Wrong(f"table {entry:x}: takes rights away")
            table = entry & self.address
        if (kind == 1) == (low == 12) or low == 39 or entry & self.address & ((1 << low) - 1):
            raise Wrong(f"descriptor {entry:x}: reserved")
        if not entry >> 10 & 1:
            raise Wrong(f"descriptor {entry:x}: the first access faults")
        user, pxn, uxn = entry >> 6 & 1, entry >> 53 & 1, entry >> 54 & 1
        if user and not pxn or not user and not uxn:
            raise Wrong(f"descriptor {entry:x}: executable for the other side")
        rights = (0 if entry >> 7 & 1 else WRITE) | (USER if user else 0)
        rights |= 0 if (uxn if user else pxn) else EXEC
        return (entry & self.address) + (va & ((1 << low) - 1)), rights, 1 << low


# ---- a space beside its dictionary ----

class Space:
    def __init__(self, driver, mmu):
        self.driver, self.pages = driver, {}
        self.before = self.info()
        root, = hexes(driver.ask("vm_new"))
        self.mmu = mmu(driver, root)
        driver.want("vm_flushed", "")

    def info(self):
        return hexes(self.driver.ask("info"))[0]

    def rights(self, flags):
        return flags if self.mmu.refuses_exec else flags | EXEC

    def check_page(self, va):
        there = any(a <= va < b for a, b in self.mmu.canonical)
        found, want = self.mmu.walk(va) if there else None, self.pages.get(va // PAGE)
        answer = self.driver.ask(f"vm_query {va:x}")
        if want is None:
            if found is not None or answer != "none":
                raise Wrong(f"{va:x} is mapped: {found}, vm_query {answer}")
            return
        pa, rights = want[0] + va % PAGE, want[1]
        if found is None or found[:2] != (pa, rights):
            raise Wrong(f"{va:x}: the MMU finds {found}, wanted {pa:x} {rights:x}")
        if answer != f"{pa:x} {rights:x}":
            raise Wrong(f"vm_query {va:x}: {answer}, wanted {pa:x} {rights:x}")

    def check_tables(self):
        tables, missing = len(self.mmu.tables()), self.before - self.info()
        if tables != missing:
            raise Wrong(f"{tables} tables can be reached, {missing} pages are missing")

    def check_flushed(self, old):
        """Whatever was mapped otherwise before was forgotten."""
        answer = self.driver.ask("vm_flushed")
        if answer == "all":
            return
        gone = {va // PAGE for va in hexes(answer)}
        for page, what in old.items():
            if self.pages.get(page) != what and page not in gone:
                raise Wrong(f"{page * PAGE:x} was not flushed")

    def call(self, line, allowed, new, sample):
        """One call: `allowed` says whether it may be answered ok; new(): the pages then."""
        answer, old, info = self.driver.ask(line), self.pages, self.info()
        self.mmu.forget()
        if answer == "ok":
            if not allowed:
                raise Wrong(f"{line}: ok")
            self.pages = new()
        elif answer != "err":
            raise Wrong(f"{line}: {answer}")
        self.check_flushed(old)
        for va in sample:
            self.check_page(va)
        if self.info() != info:
            raise Wrong("looking changes the free pages")
        return answer == "ok"

    def map(self, va, pa, size, flags, sample=()):
        pages = range(va // PAGE, (va + size) // PAGE)
        free = self.is_range(va, size) and pa % PAGE == 0 and pa + size <= self.mmu.top
        free = free and flags < 8 and not any(page in self.pages for page in pages)
        return self.call(f"vm_map {va:x} {pa:x} {size:x} {flags:x}", free, lambda: {
            **self.pages,
            **{p: (pa + i * PAGE, self.rights(flags)) for i, p in enumerate(pages)}}, sample)

    def unmap(self, va, size, sample=()):
        first, last = va // PAGE, (va + size) // PAGE
        return self.call(f"vm_unmap {va:x} {size:x}", self.is_range(va, size), lambda: {
            p: w for p, w in self.pages.items() if not first <= p < last}, sample)

    def protect(self, va, size, flags, sample=()):
        first, last = va // PAGE, (va + size) // PAGE
        return self.call(f"vm_protect {va:x} {size:x} {flags:x}",
                         self.is_range(va, size) and flags < 8, lambda: {
                             p: (w[0], self.rights(flags) if first <= p < last else w[1])
                             for p, w in self.pages.items()}, sample)

    def is_range(self, va, size):
        return (va % PAGE == 0 and size % PAGE == 0 and size > 0 and
                any(a <= va and va + size <= b for a, b in self.mmu.canonical))

    def close(self):
        self.driver.want("vm_free", "ok")
        if self.info() != self.before:
            raise Wrong(f"{self.before - self.info()} pages are not back")


# ---- sessions ----

def places(mmu):
    """Where ranges begin: at the edges of the tables and of the address space."""
    edges = {0, 1 << 22, 1 << 30, 0x40000000 - 8 * PAGE}
    for a, b in mmu.canonical:
        edges |= {a, b - 24 * PAGE, b - mmu.large}
    if mmu.depth == 4:
        edges |= {(1 << 39) - 6 * PAGE, 1 << 39}
    return sorted(edges)


def some_range(space, rng):
    base = rng.choice(places(space.mmu)) + rng.choice((0, 0, rng.randrange(40) * PAGE))
    size = rng.choice((1, 1, 2, rng.randrange(1, 60), rng.randrange(1, 1200))) * PAGE
    if rng.random() < 0.2:
        base, size = base & -space.mmu.large, space.mmu.large * rng.choice((1, 1, 2))
    base = min(base, max(b for _, b in space.mmu.canonical) - PAGE)
    end = max(b for a, b in space.mmu.canonical if a <= base) if base < TOP else TOP
    return base, max(PAGE, min(size, end - base))


def some_sample(space, rng, base, size):
    near = [base, base + size - 1, base + rng.randrange(size), base - 1, base + size]
    near += [p * PAGE + rng.randrange(PAGE) for p in rng.sample(sorted(space.pages),
                                                               min(3, len(space.pages)))]
    return [va for va in near if 0 <= va < TOP]


def wrong_call(space, rng):
    base, size = some_range(space, rng)
    top = space.mmu.canonical[0][1]
    flags = rng.randrange(8)
    base, size, flags = rng.choice((
        (base + rng.randrange(1, PAGE), size, flags), (base, size + rng.randrange(1, PAGE), flags),
        (base, 0, flags), (PAGE, TOP - PAGE, flags), (top, PAGE, flags),
        (top - PAGE, 2 * PAGE, flags),
        (TOP - PAGE, 2 * PAGE, flags), (base, TOP - PAGE, flags), (1 << 62, PAGE, flags)))
    call = rng.randrange(4)
    if call == 0:
        done = space.map(base, rng.choice((0, 1 << 20)), size, flags)
    elif call == 1:
        done = space.map(0x5000, rng.choice((1, space.mmu.top, space.mmu.top - PAGE, TOP - PAGE)),
                         2 * PAGE, flags)
    elif call == 2:
        done = space.unmap(base, size)
    else:
        done = space.protect(base, size, flags)
    if done and not space.is_range(base, size):
        raise Wrong("a wrong call was obeyed")


def step(space, rng):
    base, size = some_range(space, rng)
    sample = some_sample(space, rng, base, size)
    kind = rng.random()
    if kind < 0.45:
        pa = rng.randrange(1 << 18) * PAGE
        if rng.random() < 0.6:
            pa = (pa & -space.mmu.large) + base % space.mmu.large
        space.map(base, pa, size, rng.randrange(8), sample)
    elif kind < 0.7:
        space.unmap(base, size, sample)
    elif kind < 0.9:
        space.protect(base, size, rng.randrange(8), sample)
    else:
        wrong_call(space, rng)


def random_space(mmu):
    def play(driver, rng):
        driver.want("reset 400", "400")
        for _ in range(20 if LONG else 2):
            space = Space(driver, mmu)
            for i in range(60):
                step(space, rng)
                if i % 20 == 19:
                    space.check_tables()
            for page in rng.sample(sorted(space.pages), min(150, len(space.pages))):
                space.check_page(page * PAGE)
            if rng.random() < 0.5:  # else vm_free has all of it to do
                for a, b in mmu.canonical:
                    space.unmap(a, b - a)
                space.check_tables()
                if space.before - space.info() != 1:
                    raise Wrong("all is unmapped, and more than the root is left")
            space.close()
    return play


def few_pages(mmu):
    """A machine of few pages: what does not fit is refused, and nothing stays of it."""
    def play(driver, rng):
        for pages in (1, 2, 3, 5, 8, 13):
            driver.want(f"reset {pages:x}", f"{pages:x}")
            space = Space(driver, mmu)
            for i in range(20):
                before, tables = dict(space.pages), space.info()
                base, size = some_range(space, rng)
                if rng.random() < 0.6:
                    done = space.map(base, 0x100000 + base % mmu.large, size, 1)
                else:
                    done = space.unmap(base, size)
                if not done and (space.pages != before or space.info() != tables):
                    raise Wrong("refused, and changed all the same")
                if i % 5 == 4:
                    space.check_tables()
            space.close()
    return play


def failing(mmu, objects=False):
    """The n-th request for a table fails: nothing changed; the same call goes through later."""
    def play(driver, _):
        if objects:
            driver.want("reset 400", "400")
        else:
            driver.want("region 100000 400000", "ok")
            driver.want("start 1000 a", "ok")
        edge = 0x40000000 if mmu.depth == 2 else 1 << 39
        for n in range(1, 8):
            space = Space(driver, mmu)
            info = space.info()
            driver.want(f"failnth {n:x}", "ok")
            done = space.map(edge - 2 * PAGE, 0x5000, 4 * PAGE, 7)
            driver.want("failnth 0", "ok")
            if done != (n > (2 if mmu.depth == 2 else 6)):
                raise Wrong(f"failnth {n}: {done}")
            if not done and space.info() != info:
                raise Wrong("a refused map keeps pages")
            space.check_tables()
            if not done and not space.map(edge - 2 * PAGE, 0x5000, 4 * PAGE, 7):
                raise Wrong("refused again")
            space.close()
    return play


def far_memory(mmu):
    """RAM on both sides of 4 GiB: tables lie where their entries can name them."""
    def play(driver, _):
        driver.want("region ffff8000 10000", "ok")
        driver.want("region 500000000 100000", "ok")
        driver.want("start 1000 a", "ok")
        space = Space(driver, mmu)
        maps = sum(space.map(i << 22, i << 22, PAGE, 1) for i in range(12))
        if maps < (4 if mmu.depth == 2 else 12):
            raise Wrong(f"only {maps} of 12 maps")
        if mmu.depth == 2 and max(space.mmu.tables()) >= 1 << 32:
            raise Wrong("a table beyond 4 GiB")
        space.check_tables()
        for i in range(12):
            space.check_page(i << 22)
        space.close()
    return play


def own_pages(mmu):
    """Tables belong to nobody else: not to be freed, not to be filled."""
    def play(driver, _):
        driver.want("region 0 100000", "ok")
        driver.want("start 1000 8", "ok")
        space = Space(driver, mmu)
        space.map(0x1000, 0x1000, PAGE, 3)
        for table in space.mmu.tables():
            driver.want(f"free {table:x} 0", "err")
            driver.want(f"fill {table:x} 0 ff", "bad")
        space.mmu.forget()
        space.check_page(0x1000)
        space.close()
    return play


def without_space(mmu):
    """Every word before vm_new; vm_new before anything; a second vm_new."""
    def play(driver, _):
        for line in ("vm_map 0 0 1000 1", "vm_unmap 0 1000", "vm_protect 0 1000 1", "vm_query 0",
                     "vm_free"):
            driver.want(line, "err")
        driver.want("vm_flushed", "")
        first = driver.ask("vm_new")
        info = hexes(driver.ask("info"))[0]
        driver.want("vm_map 5000 7000 2000 5", "ok")
        second = driver.ask("vm_new")
        hexes(first + " " + second)
        if hexes(driver.ask("info"))[0] != info:
            raise Wrong("a second vm_new keeps the first one's pages")
        driver.want("vm_query 5000", "none")
        driver.want("vm_free", "ok")
        if hexes(driver.ask("info"))[0] != info + 1:
            raise Wrong("the root is not back")
        driver.want("vm_free", "err")
        driver.want("reset", "ok")
        driver.want("vm_query 0", "err")
        for line in ("vm_map 0 0 1000", "vm_map 0 0 1000 1 1", "vm_new 1", "vm_query", "peek x"):
            driver.want(line, "err usage")
        driver.want("vm_new", first)
        driver.want("vm_map 0 0 1000 8", "err")
        driver.want("peek 3fffffff", "err")
        _ = mmu
    return play


def small_flushes(mmu):
    """Few pages are flushed one by one, many all at once, new ones not at all."""
    def play(driver, _):
        driver.want("reset 100", "100")
        driver.want("vm_new", driver.ask("vm_new"))
        driver.want("vm_map 5000 105000 40000 1", "ok")
        driver.want("vm_flushed", "")
        driver.want("vm_unmap 6000 2000", "ok")
        driver.want("vm_flushed", "6000 7000")
        driver.want("vm_protect 8000 1000 0", "ok")
        driver.want("vm_flushed", "8000")
        driver.want("vm_flushed", "")
        driver.want("vm_unmap 5000 40000", "ok")
        driver.want("vm_flushed", "all")
        large = mmu.large
        driver.want(f"vm_map {large:x} 0 {large:x} 1", "ok")
        driver.want(f"vm_unmap {large:x} {large:x}", "ok")
        if sorted(hexes(driver.ask("vm_flushed"))) != list(range(large, 2 * large, PAGE)):
            raise Wrong("a large page is flushed whole")
    return play


def no_format(driver, _):
    driver.want("reset 10", "10")
    driver.want("vm_new", "err")
    driver.want("vm_query 0", "err")


def main():
    tap = Tap("vm")
    for width in ("host", "host32", "asan"):
        for mmu in (I386, X86_64, Aarch64):
            option = f"--vm={mmu.name}"
            tap.run(f"{mmu.name}: random calls", width, random_space(mmu), option)
            tap.run(f"{mmu.name}: few pages", width, few_pages(mmu), option)
            tap.run(f"{mmu.name}: refused tables", width, failing(mmu), option)
            tap.run(f"{mmu.name}: refused tables beside objects", width, failing(mmu, True),
                    option)
            tap.run(f"{mmu.name}: memory beyond 4 GiB", width, far_memory(mmu), option)
            tap.run(f"{mmu.name}: tables are nobody else's", width, own_pages(mmu), option)
            tap.run(f"{mmu.name}: no space, another space", width, without_space(mmu), option)
            tap.run(f"{mmu.name}: what is flushed", width, small_flushes(mmu), option)
        tap.run("no --vm", width, no_format)
    tap.done()


if __name__ == "__main__":
    main()
