#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""osc4_lines.py - the log of compat/osc4 against a textbook buddy system.

The other side (osc4_textbook.py) predicts every line that the face prints for pages, and the frame
array after every step.

    SEED=7 test/osc4/osc4_lines.py [DRIVER...]     default: the three builds of the driver
"""
import os
import random
import re
import sys

from osc4_textbook import (CAP, CHUNKS, MOVED, PAGE, Driver, Pools, Textbook, Wrong, blocks_of,
                           expect, replay)

LONG = os.environ.get("LOAM_LONG") == "1"


def start(drive, pages, skew=0, pools=False):
    base = int(drive.quiet(f"init {pages} {skew}"), 16)
    expect(base % PAGE, 0, "page 0 is aligned")
    if pools:
        expect(drive.quiet("pools"), "0", "memory_pools_init")
    array = drive.quiet("view")
    drive("log 1")
    free = [i for i, v in enumerate(array.split()) if v != "X"]
    book = Textbook(base, pages, free)
    expect(array, book.array(), "the array at the start")
    return book


# ---- pages ----

def page_steps(drive, rng, pages, skew, steps, order_of=None):
    book = start(drive, pages, skew)
    if len(book.array().split()) != pages or "X" in book.array():
        raise Wrong("not every page is free at the start")
    for step in range(steps):
        grow = rng.random() < (0.7 if step < steps // 2 else 0.35)
        if grow or not book.out:
            order = order_of() if order_of else min(int(rng.expovariate(0.6)), CAP + 1)
            lines, answer = drive(f"alloc {order}")
            page, want = book.alloc(order)
            expect(answer, "null" if page is None else book.address(page), f"alloc {order}")
        else:
            page = rng.choice(sorted(book.out))
            lines, answer = drive(f"free {book.address(page)}")
            want = book.free(page)
            expect(answer, "ok", f"free of page {page}")
        expect(lines, want, "lines")
        expect(drive.quiet("view"), book.array(), "frame array")
    expect(drive.quiet("check"), "ok", "rules")
    for page in sorted(book.out, key=lambda _: rng.random()):
        lines, _ = drive(f"free {book.address(page)}")
        expect(lines, book.free(page), "lines")
    expect(drive.quiet("view"), Textbook(book.base, pages).array(), "all free again")


def pages_random(drive, rng):
    sizes = [1, 2, 3, 63, 64, 65, 100, 1000, 1024]
    for pages in sizes + [rng.randrange(1, 400) for _ in range(6 if not LONG else 60)]:
        page_steps(drive, rng, pages, rng.choice([0, 1, 8, 4095]), 60 if not LONG else 400)


def pages_large_blocks(drive, rng):
    """Blocks above 4 MiB are shown, split and merged as rows of blocks of order 10."""
    for pages in (4096, 5000, 12288):
        page_steps(drive, rng, pages, 0, 40, lambda: rng.randrange(CAP + 2))


def pages_document_lines(drive, rng):
    """The document's own lines, from a state made for them."""
    book = start(drive, 8)
    for order in (2, 2):
        expect(drive(f"alloc {order}")[0], book.alloc(order)[1], "alloc")
    a = book.address
    expect(drive(f"free {a(4)}")[0], book.free(4), "free")
    lines, _ = drive("alloc 1")
    book.alloc(1)
    expect(lines, ["[-] Remove page 4 from order 2. Range of pages: [4, 7]",
                   "[/] Split page 4 of order 2: release redundant page 6 to order 1",
                   "[+] Add page 6 to order 1. Range of pages: [6, 7]",
                   f"[Page] Allocate {a(4)} at order 1, page 4. Next address at order 1: {a(6)}"],
           "alloc of order 1")
    lines, _ = drive(f"free {a(4)}")
    expect(lines, ["[*] Buddy found! buddy idx: 6 for page 4 with order 1",
                   "[-] Remove page 6 from order 1. Range of pages: [6, 7]",
                   "[+] Add page 4 to order 2. Range of pages: [4, 7]",
                   f"[Page] Free {a(4)} and add back to order 2, page 4. "
                   "Next address at order 2: none"], "free of order 1")


def pages_log_off(drive, rng):
    start(drive, 64)
    drive("log 0")
    lines, answer = drive("alloc 0")
    expect((lines, answer != "null"), ([], True), "no line with the log off")
    expect(drive(f"free {answer}"), ([], "ok"), "no line with the log off")


# ---- pools ----

def pools_random(drive, rng):
    for pages in (64, 300, 2048):
        book = start(drive, pages, pools=True)
        before, pools = book.array(), Pools(book)
        for step in range(250 if not LONG else 3000):
            out = list(pools.chunks) + list(pools.blocks)
            if not out or rng.random() < (0.75 if step % 100 < 50 else 0.4):
                kind = rng.random()
                size = (rng.choice(CHUNKS) if kind < 0.4 else rng.randrange(1, 2049) if kind < 0.9
                        else rng.randrange(2049, 60000))
                pools.alloc(drive, size)
            else:
                pools.free(drive, rng.choice(sorted(out)))
            expect(drive.quiet("out"), pools.out(), "pool status")
            if step % 10 == 0:
                expect(drive.quiet("view"), book.array(), "frame array")
        expect(drive.quiet("check"), "ok", "rules")
        pools.free_all(drive, rng)
        expect(book.out, {p: o for p, o in book.out.items() if p < 0}, "every page is back")
        expect(drive.quiet("view"), before, "the frame array as before")


def pools_every_size(drive, rng):
    """Each pool serves the sizes between the next smaller one and its own, and no other."""
    book = start(drive, 256, pools=True)
    pools = Pools(book)
    for chunk in CHUNKS:
        for size in (chunk // 2 + 1, chunk - 1, chunk):
            expect(int(pools.alloc(drive, size), 16) % 16, 0, "16-aligned")
    pools.alloc(drive, 2049)
    pools.alloc(drive, 1)
    pools.free_all(drive, rng)
    expect(book.out, {}, "every page is back")


def pools_limits(drive, rng):
    book = start(drive, 1500, pools=True)
    before = book.array()
    top = 4 << 20
    for size in (0, top + 1, (1 << 31) + 5):
        lines, answer = drive(f"dmalloc {size}")
        expect(answer, "null", f"dmalloc {size}")
        expect(lines, [f"[!] dmalloc: {size} bytes refused: a request is 1 to {top} bytes"], "why")
    lines, answer = drive(f"dmalloc {top}")
    expect(answer, book.address(0), "4 MiB: the only whole block")
    Pools(book).follow(lines)
    lines, answer = drive(f"dmalloc {top - 5000}")
    expect((lines, answer), (["[!] No free block of order 10", f"[!] dmalloc: no memory for "
                              f"{top - 5000} bytes"], "null"), "no second one")
    expect(drive.quiet(f"dfree {book.address(0)}"), "ok", "dfree")
    expect(drive.quiet("view"), before, "the frame array as before")


def pools_exhausted(drive, rng):
    """No memory: NULL with a message, and everything can still be freed."""
    book = start(drive, 16, pools=True)
    before, pools, last = book.array(), Pools(book), None
    for _ in range(40):
        lines, last = drive("dmalloc 2048")
        if last == "null":
            break
        drive(f"dfree {last}")
        pools.alloc(drive, 2048)
    expect((last, lines[-1]), ("null", "[!] dmalloc: no memory for 2048 bytes"), "no memory")
    pools.free_all(drive, rng)
    expect(drive.quiet("view"), before, "the frame array as before")


# ---- misuse ----

def misuse(drive, rng):
    book = start(drive, 64, pools=True)
    pools = Pools(book)
    small = [int(pools.alloc(drive, 100), 16) for _ in range(3)]
    block = int(pools.alloc(drive, 9000), 16)
    pages, whole = drive.quiet("alloc 2"), drive.quiet("view")
    wrong = [
        ("free", block + PAGE), ("free", block + 8), ("free", small[0]), ("free", small[1]),
        ("free", small[0] // PAGE * PAGE), ("free", book.base + 64 * PAGE), ("free", book.base - 8),
        ("free", 8), ("dfree", small[0] + 8), ("dfree", small[0] + 64), ("dfree", block + PAGE),
        ("dfree", block + 16), ("dfree", book.base + 63 * PAGE), ("dfree", 16),
        ("dfree", book.base + 64 * PAGE + 16),
        ("dfree", small[0] // PAGE * PAGE + PAGE - 128),
    ]
    for word, address in wrong:
        lines, answer = drive(f"{word} 0x{address:x}")
        expect((lines, answer[:7]), ([], "refused"), f"{word} of 0x{address:x}")
        expect(drive.quiet("view"), whole, "nothing has changed")
    for word in ("free", "dfree"):
        expect(drive(f"{word} 0x0"), ([], "ok"), f"{word}(NULL)")
    for word, address in (("free", int(pages, 16)), ("dfree", small[2]), ("dfree", block)):
        expect(drive.quiet(f"{word} 0x{address:x}"), "ok", word)
        now = drive.quiet("view"), drive.quiet("out")
        expect(drive.quiet(f"{word} 0x{address:x}")[:7], "refused", f"{word} twice")
        expect((drive.quiet("view"), drive.quiet("out")), now, "nothing has changed")
    expect(drive.quiet("check"), "ok", "rules")


# ---- startup ----

def startup(drive, rng):
    pages = 600
    base = int(drive.quiet(f"startup {pages}"), 16)
    drive("log 1")
    expect(drive("simple 8")[1], "null", "simple_alloc without memory")
    # RAM with a hole, ends in mid-page
    for lo, hi in ((PAGE // 2, 200 * PAGE + 5), (300 * PAGE, 600 * PAGE)):
        expect(drive.quiet(f"memory {lo} {hi}"), "0", "memory_add")
    page0 = base + PAGE
    reserved = [(0, 0x2000), (10 * PAGE, 30 * PAGE + 1), (29 * PAGE, 40 * PAGE),
                (299 * PAGE, 301 * PAGE - 1)]
    taken = set(range(200, 300)) | {0}
    for lo, hi in reserved:
        lines, answer = drive(f"reserve {lo} {hi}")
        first, past = max(lo // PAGE - 1, 0), -(-hi // PAGE) - 1
        expect((lines, answer), ([f"[Reserve] Reserve address [0x{base + lo:x}, 0x{base + hi:x}). "
                                  f"Range of pages: [{first}, {past})"], "0"), "memory_reserve")
        taken |= set(range(lo // PAGE, -(-hi // PAGE)))
    got = []
    for size in (1, 7, 8, 100, 5000, 3):
        address = int(drive.quiet(f"simple {size}"), 16)
        expect(address % 8, 0, "8-aligned")
        lo, hi = address - base, address - base + size
        expect(all(hi <= a or lo >= b for a, b in got + reserved), True, "overlaps nothing")
        expect((PAGE // 2 <= lo and hi <= 200 * PAGE + 5) or lo >= 300 * PAGE, True, "is RAM")
        got.append((lo, hi))
        taken |= set(range(lo // PAGE, -(-hi // PAGE)))
    expect(drive.quiet("simple 0"), "null", "simple_alloc(0)")
    expect(drive.quiet("simple 100000000"), "null", "simple_alloc of too much")
    return base, pages, taken


def startup_handover(drive, rng):
    base, pages, taken = startup(drive, rng)
    drive("log 0")
    before = int(drive.quiet("simple 1"), 16) - base
    expect(drive.quiet(f"buddy {pages}"), "0", "buddy_init")
    # the page array follows the last simple_alloc: its end is where pages become free again
    array = drive.quiet("view").split()
    run = before // PAGE
    while array[run] == "X":
        run += 1
    taken |= set(range(before // PAGE, run))
    expect(run - before // PAGE <= 4, True, "a page array of a few pages")
    book = Textbook(base, pages, sorted(set(range(pages)) - taken))
    expect(" ".join(array), book.array(), "all usable memory is free, nothing else")
    drive("log 1")
    page, want = book.alloc(3)
    expect(drive("alloc 3"), (want, book.address(page)), "pages after the hand-over")
    expect(drive("simple 8")[1], "null", "simple_alloc after buddy_init")
    expect(drive("buddy 8")[1], "-1", "the same RAM twice")
    # late reservations: of free pages, of reserved ones, and not of allocated ones
    now = blocks_of(drive.quiet("view"))
    lo = (pages - 5) * PAGE
    lines, answer = drive(f"reserve {lo + 1} {lo + 2 * PAGE}")
    expect((lines[0], answer), (f"[Reserve] Reserve address [0x{base + lo + 1:x}, "
                                f"0x{base + lo + 2 * PAGE:x}). "
                                f"Range of pages: [{pages - 5}, {pages - 3})", "0"), "late")
    replay(now, lines)
    expect(now, blocks_of(drive.quiet("view")), "the lines say what happened")
    expect(drive.quiet("view").split()[pages - 5:pages - 3], ["X", "X"], "reserved")
    expect(drive.quiet(f"reserve {lo} {lo + 3 * PAGE}"), "0", "over reserved pages")
    # more than the system has, in both directions, and ends in mid-page
    for lo_, hi_ in ((512 * PAGE, 513 * PAGE + 1), (-9 * PAGE, 1), ((pages - 1) * PAGE + 5,
                                                                    (pages + 7) * PAGE)):
        now = blocks_of(drive.quiet("view"))
        lines, answer = drive(f"reserve {lo_} {hi_}")
        expect(answer, "0", "late reservation")
        replay(now, lines)
        after = drive.quiet("view").split()
        expect(now, blocks_of(" ".join(after)), "the lines say what happened")
        inside = range(max(lo_ // PAGE, 0), min(-(-hi_ // PAGE), pages))
        expect([after[i] for i in inside], ["X"] * len(inside), "reserved")
    whole = drive.quiet("view")
    expect(drive.quiet(f"reserve {page * PAGE} {(page + 1) * PAGE}"), "-1", "an allocated page")
    expect(drive.quiet(f"reserve {PAGE} {PAGE}"), "-1", "an empty range")
    expect(drive.quiet("view"), whole, "nothing has changed")
    expect(drive.quiet(f"free 0x{base + lo:x}")[:7], "refused", "free of a reserved page")
    expect(drive.quiet("check"), "ok", "rules")


# ---- demos ----

KNOWN = [re.compile(p) for p in (
    MOVED.pattern,
    r"\[/\] Split page \d+ of order \d+: release redundant page \d+ to order \d+$",
    r"\[\*\] Buddy found! buddy idx: \d+ for page \d+ with order \d+$",
    r"\[Page\] Allocate 0x[0-9a-f]+ at order \d+, page \d+\. "
    r"Next address at order \d+: (none|0x[0-9a-f]+)$",
    r"\[Page\] Free 0x[0-9a-f]+ and add back to order \d+, page \d+\. "
    r"Next address at order \d+: (none|0x[0-9a-f]+)$",
    r"\[Chunk\] (Allocate|Free) 0x[0-9a-f]+ at chunk size \d+$",
    r"\[Pool\] (Take|Give back) page \d+ at 0x[0-9a-f]+: chunk size \d+, \d+ chunks$",
    r"\[Pool\] size +\d+: \d+ pages, \d+ used, \d+ free chunks$",
    r"       0x[0-9a-f]+ \[[#.]+\]$",
    r"\[List\] free lists .*: \d+ of \d+ pages free$",
    r"\[List\] order +\d+: +\d+ free(, at page( \d+)+( \.\.\.)?)?$",
    r"\[!\] dmalloc: 4194305 bytes refused: a request is 1 to 4194304 bytes$",
    r"=== .* ===$",
    r"> .*$",
)]


def demo(name, drive):
    start(drive, 2000, pools=True)
    before = drive.quiet("view")
    lines, answer = drive(f"demo {name}")
    for line in lines:
        expect(any(p.match(line) for p in KNOWN), True, f"a line that is known: {line!r}")
    now = blocks_of(before)
    replay(now, lines)
    expect(now, blocks_of(before), "replayed, the free lists are as before")
    expect((answer, drive.quiet("view")), ("0", before), "memory is as it was")
    return lines


def demo_buddy(drive, rng):
    lines = demo("buddy", drive)
    for start_ in ("[/] Split", "[*] Buddy found!", "[List] order  0", "[Page] Free"):
        expect(any(line.startswith(start_) for line in lines), True, f"shows {start_!r}")


def demo_dynamic(drive, rng):
    lines = demo("dynamic", drive)
    sizes = [line for line in lines if line.startswith("> dmalloc")]
    expect(sizes, [f"> dmalloc({n})" for n in (16, 16, 31, 523, 699, 5633)], "the sizes")
    chunks = [int(line.split()[-1]) for line in lines if line.startswith("[Chunk] Allocate")]
    expect(chunks, [16, 16, 32, 1024, 1024], "the pools")
    order = [line for line in lines if line.startswith(("[Chunk]", "> d"))]
    got = [line.split()[2] for line in order if line.startswith("[Chunk] Allocate")]
    back = [line.split()[2] for line in order if line.startswith("[Chunk] Free")]
    expect(back, got, "freed in the same order")
    rows = [line for line in lines if line.startswith("       0x")]
    expect([row.split()[1] for row in rows if "#" in row], ["[##" + "." * 62 + "]",
           "[#" + "." * 63 + "]", "[##..]"], "the pages drawn")


def demo_course(drive, rng):
    lines = demo("course", drive)
    chunks = [int(line.split()[-1]) for line in lines if line.startswith("[Chunk] Allocate")]
    expect(chunks, [16, 32, 64, 128, 16, 32] + [128] * 100, "chunks")
    pages = [line for line in lines if line.startswith("[Pool] Take") and "size 128" in line]
    expect(len(pages), 5, "pages of 128: one, and four for a hundred")


CASES = [
    ("osc4_buddy: random orders: every line and the frame array as the textbook's", pages_random),
    ("osc4_buddy: blocks above 4 MiB: lines and array show order 10", pages_large_blocks),
    ("osc4_buddy: order 1 out of order 2 and back: the document's lines", pages_document_lines),
    ("osc4_buddy: log off: no line", pages_log_off),
    ("osc4_dmalloc: random sizes: lines, pool status and frame array as predicted", pools_random),
    ("osc4_dmalloc: sizes around each pool: the smallest pool that fits", pools_every_size),
    ("osc4_dmalloc: 0, 4 MiB and a byte more: served, or NULL with a message", pools_limits),
    ("osc4_dmalloc: memory used up: NULL with a message, all can be freed", pools_exhausted),
    ("osc4_dfree: wrong addresses: refused, nothing changed", misuse),
    ("osc4_startup: holes and reservations: simple_alloc keeps off them", startup),
    ("osc4_startup: hand-over: exactly the usable memory becomes free", startup_handover),
    ("osc4_demo: buddy_demo: memory as it was, splits and merges shown", demo_buddy),
    ("osc4_demo: dynamic_allocator_demo: sizes, pools and drawings", demo_dynamic),
    ("osc4_demo: the assistants' sequence with 100 x 128: memory as it was", demo_course),
]


def main():
    drivers = sys.argv[1:] or [f"build/{v}/osc4-driver" for v in ("host", "asan", "host32")]
    seed = int(os.environ.get("SEED", "0"), 0) or random.randrange(1, 1 << 32)
    print(f"1..{len(drivers) * len(CASES)}")
    number = failed = 0
    for path in drivers:
        for name, case in CASES:
            number += 1
            drive = Driver(path)
            try:
                case(drive, random.Random(seed))
                drive.close()
                print(f"ok {number} - {name} ({path.split('/')[-2]})", flush=True)
            except Wrong as wrong:
                failed += 1
                drive.process.kill()
                print(f"not ok {number} - {name} ({path.split('/')[-2]})")
                print(f"# SEED={seed}: {wrong}", flush=True)
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
