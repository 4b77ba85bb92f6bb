# SPDX-License-Identifier: MIT
"""osc4_textbook.py - what the log of compat/osc4 is judged by (osc4_lines.py): a textbook buddy
system and its pools, a driver that is asked, and the replay of its lines.

The buddy system is sets of block numbers, one for each order, with the steps of the textbook: take
the lowest of the smallest, halve it, merge with the buddy while it is free. It predicts every line
that the face prints for pages. Pools are dictionaries.
"""
import re
import subprocess

PAGE, CAP = 4096, 10
CHUNKS = [16 << i for i in range(8)]


class Wrong(Exception):
    pass


def expect(got, want, what):
    if got == want:
        return
    if isinstance(got, str) and isinstance(want, str) and len(got) > 200:
        got, want = got.split(), want.split()
    if isinstance(got, list) and isinstance(want, list):
        at = next((i for i, (g, w) in enumerate(zip(got, want)) if g != w),
                  min(len(got), len(want)))
        what, got, want = f"{what}, at {at}", got[at:at + 3], want[at:at + 3]
    raise Wrong(f"{what}: got {got!r}, expected {want!r}")


class Driver:
    def __init__(self, path):
        self.path = path
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)

    def __call__(self, command):
        """Returns (lines of the log, answer)."""
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        lines = []
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise Wrong(f"the driver ended at {command!r}")
            line = line.rstrip("\n")
            if line == "=" or line.startswith("= "):
                return lines, line[1:].strip()
            lines.append(line)

    def quiet(self, command):
        return self(command)[1]

    def close(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            raise Wrong(f"the driver ended with {self.process.returncode}")


class Textbook:
    """Blocks of any order; the lines and the array show those above CAP as rows of CAP."""

    def __init__(self, base, pages, free=None):
        self.base, self.pages = base, pages
        self.lists = [set() for _ in range(40)]
        self.out = {}
        for page in sorted(range(pages) if free is None else free):
            self.insert(page, 0)

    def insert(self, page, order):
        while (page ^ 1 << order) in self.lists[order]:
            self.lists[order].remove(page ^ 1 << order)
            page &= ~(1 << order)
            order += 1
        self.lists[order].add(page)
        return order

    def capped(self):
        view = [set(blocks) for blocks in self.lists[:CAP + 1]]
        for order in range(CAP + 1, 40):
            for page in self.lists[order]:
                view[CAP].update(range(page, page + (1 << order), 1 << CAP))
        return view

    def array(self):
        value = ["X"] * self.pages
        for order, blocks in enumerate(self.capped()):
            for page in blocks:
                value[page:page + (1 << order)] = [str(order)] + ["F"] * ((1 << order) - 1)
        return " ".join(value)

    def address(self, page):
        return f"0x{self.base + page * PAGE:x}"

    def next_address(self, order, but):
        others = self.capped()[order] - {but}
        return self.address(min(others)) if others else "none"

    @staticmethod
    def moved(sign, page, order):
        verb = f"[+] Add page {page} to" if sign == "+" else f"[-] Remove page {page} from"
        return f"{verb} order {order}. Range of pages: [{page}, {page + (1 << order) - 1}]"

    def alloc(self, order):
        """(page or None, lines)"""
        at = next((k for k in range(order, 40) if self.lists[k]), None)
        if order > CAP:
            return None, []
        if at is None:
            return None, [f"[!] No free block of order {order}"]
        page = min(self.lists[at])
        self.lists[at].remove(page)
        lines = [self.moved("-", page, min(at, CAP))]
        while at > order:
            at -= 1
            half = page + (1 << at)
            self.lists[at].add(half)
            if at < CAP:
                lines.append(f"[/] Split page {page} of order {at + 1}: release redundant page "
                             f"{half} to order {at}")
                lines.append(self.moved("+", half, at))
        self.out[page] = order
        lines.append(f"[Page] Allocate {self.address(page)} at order {order}, page {page}. "
                     f"Next address at order {order}: {self.next_address(order, page)}")
        return page, lines

    def free(self, page):
        order, first, lines = self.out.pop(page), page, []
        while (page ^ 1 << order) in self.lists[order]:
            buddy = page ^ 1 << order
            if order < CAP:
                lines.append(f"[*] Buddy found! buddy idx: {buddy} for page {page} with "
                             f"order {order}")
                lines.append(self.moved("-", buddy, order))
            self.lists[order].remove(buddy)
            page &= buddy
            order += 1
        self.lists[order].add(page)
        order = min(order, CAP)
        page = first & ~((1 << order) - 1)
        lines.append(self.moved("+", page, order))
        lines.append(f"[Page] Free {self.address(first)} and add back to order {order}, page "
                     f"{page}. Next address at order {order}: {self.next_address(order, page)}")
        return lines


MOVED = re.compile(r"\[([+-])\] (?:Add|Remove) page (\d+) (?:to|from) order (\d+)\. "
                   r"Range of pages: \[(\d+), (\d+)\]$")


def replay(lists, lines):
    """Follows [+] and [-] lines; what is removed was there, what is added was not."""
    for line in lines:
        m = MOVED.match(line)
        if not m:
            continue
        page, order, first, last = (int(m.group(i)) for i in (2, 3, 4, 5))
        expect((first, last), (page, page + (1 << order) - 1), line)
        expect(((page, order) in lists), m.group(1) == "-", f"replay of {line!r}")
        lists ^= {(page, order)}


def blocks_of(array):
    return {(i, int(v)) for i, v in enumerate(array.split()) if v.isdigit()}


class Pools:
    """What is out, by address; which pages each pool has. Follows the lines of one call."""

    def __init__(self, book):
        self.book, self.pages, self.chunks, self.blocks = book, {}, {}, {}

    def size_of(self, size):
        return next((c for c in CHUNKS if c >= size), None)

    def full(self, chunk):
        return all(len(used) == PAGE // chunk for c, used in self.pages.values() if c == chunk)

    def follow(self, lines):
        """Page lines are the textbook's; returns the others."""
        rest, run = [], []
        for line in lines:
            if line.startswith(("[+]", "[-]", "[*]", "[/]", "[Page]")):
                run.append(line)
                m = re.match(r"\[Page\] (Allocate|Free) 0x([0-9a-f]+) .*", line)
                if m:
                    page = (int(m.group(2), 16) - self.book.base) // PAGE
                    if m.group(1) == "Allocate":
                        order = int(re.search(r"at order (\d+), page", line).group(1))
                        expect(run, self.book.alloc(order)[1], "lines of a page")
                    else:
                        expect(run, self.book.free(page), "lines of a freed page")
                    run = []
            else:
                rest.append(line)
        expect(run, [], "page lines without an end")
        return rest

    def alloc(self, drive, size):
        lines, answer = drive(f"dmalloc {size}")
        rest, chunk = self.follow(lines), self.size_of(size)
        if answer == "null":
            return answer
        address = int(answer, 16)
        if chunk is None:
            expect(rest, [], "lines of a large block")
            order = ((size - 1) // PAGE).bit_length()
            expect(self.book.out[(address - self.book.base) // PAGE], order, "order of a block")
            self.blocks[address] = order
            return answer
        if self.full(chunk):
            at = address // PAGE * PAGE
            page = (at - self.book.base) // PAGE
            expect(rest.pop(0), f"[Pool] Take page {page} at 0x{at:x}: chunk size {chunk}, "
                                f"{PAGE // chunk} chunks", "line of a new page")
            expect(page in self.book.out, True, "the page is out")
            self.pages[at] = (chunk, set())
        expect(rest, [f"[Chunk] Allocate {answer} at chunk size {chunk}"], "line of a chunk")
        owner, used = self.pages[address // PAGE * PAGE]
        expect((owner, address % chunk, address in used), (chunk, 0, False), "a chunk of its pool")
        used.add(address)
        self.chunks[address] = chunk
        return answer

    def free(self, drive, address):
        lines, answer = drive(f"dfree 0x{address:x}")
        expect(answer, "ok", "dfree")
        rest = self.follow(lines)
        if address in self.blocks:
            del self.blocks[address]
            expect(rest, [], "lines of a large block")
            return
        chunk, at = self.chunks.pop(address), address // PAGE * PAGE
        want = [f"[Chunk] Free 0x{address:x} at chunk size {chunk}"]
        used = self.pages[at][1]
        used.remove(address)
        if not used:
            del self.pages[at]
            want.append(f"[Pool] Give back page {(at - self.book.base) // PAGE} at 0x{at:x}: "
                        f"chunk size {chunk}, {PAGE // chunk} chunks")
            expect((at - self.book.base) // PAGE in self.book.out, False, "the page went back")
        expect(rest, want, "lines of a freed chunk")

    def out(self):
        status = []
        for chunk in CHUNKS:
            pages = [used for c, used in self.pages.values() if c == chunk]
            status += [len(pages), sum(map(len, pages))]
        return " ".join(map(str, status))

    def free_all(self, drive, rng):
        everything = sorted(list(self.chunks) + list(self.blocks))
        rng.shuffle(everything)
        for address in everything:
            self.free(drive, address)
