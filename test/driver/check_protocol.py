#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The words of the protocol one by one: what is malformed, what comes too early or too late, and a
few sessions with known answers. Prints TAP."""
import os
import subprocess

from driving import ROOT, Tap, WIDTHS, Wrong

WORDS = {"reset": (0, 1), "region": (2, 2), "reserve": (2, 2), "start": (2, 2), "meta": (0, 0),
         "alloc": (1, 1), "free": (2, 2), "state": (0, 0), "info": (0, 0), "fill": (3, 3),
         "check": (3, 3), "cpu": (1, 1), "failnth": (1, 1), "mb_add": (2, 2),
         "mb_reserve": (2, 2), "mb_remove": (2, 2), "mb_free": (2, 2), "mb_alloc": (2, 2),
         "mb_list memory": (0, 0), "mb_list reserved": (0, 0), "mb_lastsize": (0, 0),
         "kmalloc": (1, 1), "kcalloc": (2, 2), "krealloc": (2, 2), "kfree": (1, 1),
         "kfill": (3, 3), "kcheck": (3, 3), "kshrink": (0, 0), "kinfo": (0, 0)}


def counts(driver, _):
    """Each word with every number of numbers: usage exactly when it is the wrong one."""
    for word, (least, most) in WORDS.items():
        for n in range(6):
            driver.want("reset", "ok")
            answer = driver.ask(" ".join([word] + ["1000"] * n))
            if (answer == "err usage") != (not least <= n <= most):
                raise Wrong(f"{word} with {n} numbers: {answer}")


def malformed(driver, _):
    lines = ["", " ", "\t", "bogus", "ALLOC 0", "alloc0", "alloc 0x1", "alloc -1", "alloc +1",
             "alloc g", "alloc 1.", "alloc 10000000000000000", "alloc 1 1", "region 1", "# hello",
             "region 1 2 3", "mb_list", "mb_list foo", "mb_list memory memory", "mb_list mem",
             "mb_listmemory", "mb_list 1000", "reset 1 2", "start", "err", "ok", "free 1000",
             "alloc 1\x00", "\x00", "alloc\x001", "resetx", "rese", "\x7f\x1b[A", "vm_frobnicate",
             "1000", "alloc alloc", "alloc 0 " * 50, "x" * 1001, "alloc " + "0" * 5000,
             "z" * 100000]
    for line in lines:
        driver.want(line, "err usage")
    if driver.ask_raw(b"\xff\xfe\x80 \xc3\xa4\n") != "err usage":
        raise Wrong("bytes beyond ASCII")


def numbers(driver, _):
    driver.want("region 000000000000000000100000 00004000", "ok")
    driver.want("mb_list memory", "100000 4000")
    driver.want("region 10A000 aBc", "ok")
    driver.want("mb_list memory", "100000 4000 10a000 abc")
    driver.want("  mb_list\tmemory \r", "100000 4000 10a000 abc")
    driver.want("region ffffffffffffffff 1", "ok")
    driver.want("mb_list memory", "100000 4000 10a000 abc ffffffffffffffff 1")


def too_early(driver, _):
    for again in range(2):
        for line in ("alloc 0", "free 100000 0", "state", "info", "meta", "fill 100000 0 1",
                     "check 100000 0 1", "kmalloc 10", "kcalloc 1 1", "krealloc 0 10", "kfree 0",
                     "kfill 40000000 1 1", "kcheck 40000000 1 1", "kshrink", "kinfo"):
            driver.want(line, "err")
        if again == 0:
            driver.want("start 1000 a", "err")  # there is no memory
        driver.want("reset", "ok")
        driver.want("region 100000 10000", "ok")


def too_late(driver, _):
    driver.want("region 100000 10000", "ok")
    driver.want("start 1000 a", "ok")
    for line in ("region 200000 1000", "reserve 100000 1000", "start 1000 a", "mb_add 0 1",
                 "mb_reserve 0 1", "mb_remove 100000 1", "mb_free 0 1", "kmalloc 10", "kinfo"):
        driver.want(line, "err")
    driver.want("mb_alloc 10 10", "null")
    driver.want("mb_list memory", "100000 10000")
    driver.want("info", "10")
    driver.want("state", "4:100000")


def start_arguments(driver, _):
    driver.want("region 100000 10000", "ok")
    for line in ("start 0 0", "start 2000 0", "start 1001 0", "start fff 0", "start 1000 29",
                 "start 1000 ffffffffffffffff", "start 10001000 a"):
        driver.want(line, "err")
    driver.want("region 110000 1000", "ok")
    driver.want("failnth 1", "ok")
    driver.want("start 1000 28", "err")
    driver.want("start 1000 28", "ok")
    driver.want("state", "4:100000 0:110000")


def known_session(driver, _):
    for line, answer in (
            ("reset", "ok"), ("region 100000 8000", "ok"), ("start 1000 a", "ok"), ("meta", ""),
            ("state", "3:100000"), ("info", "8"), ("alloc 3", "100000"), ("state", ""),
            ("info", "0"), ("alloc 0", "null"), ("free 100000 2", "err"), ("free 104000 2", "err"),
            ("free 100000 4", "err"), ("free 100000 b", "err"), ("free 100800 0", "err"),
            ("free 0 0", "err"), ("free ffffffffffff0000 3", "err"), ("free 100000 3", "ok"),
            ("free 100000 3", "err"), ("alloc 4", "null"), ("alloc b", "null"),
            ("alloc ffffffffffffffff", "null"), ("state", "3:100000")):
        driver.want(line, answer)


def capped_order(driver, _):
    driver.want("region 100000 8000", "ok")
    driver.want("start 1000 1", "ok")
    driver.want("state", "1:100000 1:102000 1:104000 1:106000")
    driver.want("alloc 2", "null")
    at = driver.ask("alloc 1")
    driver.want(f"free {at} 2", "err")
    driver.want(f"free {at} 1", "ok")
    driver.want("state", "1:100000 1:102000 1:104000 1:106000")


def contents(driver, _):
    driver.want("region 100000 1000000", "ok")
    driver.want("reserve 180000 1", "ok")
    driver.want("start 1000 14", "ok")
    for line, answer in (
            ("check 100000 3 0", "ok"), ("fill 100000 3 5a", "ok"), ("check 100000 3 5a", "ok"),
            ("check 107000 0 5a", "ok"), ("check 108000 0 5a", "bad"), ("check 108000 0 0", "ok"),
            ("fill 104000 0 5b", "ok"), ("check 100000 3 5a", "bad"), ("check 100000 2 5a", "ok"),
            ("fill 800000 9 7", "ok"), ("check 800000 9 7", "ok"), ("check 9ff000 0 7", "ok"),
            ("check a00000 0 7", "bad"), ("fill 803000 0 8", "ok"), ("check 800000 9 7", "bad"),
            ("fill 803000 0 7", "ok"), ("check 800000 9 7", "ok"), ("check 800000 a 7", "bad"),
            ("fill 100000 c 7", "ok"), ("check 100000 c 7", "ok"), ("check 104000 0 7", "ok"),
            ("fill 1101000 0 1", "bad"), ("fill ff000 0 1", "bad"), ("fill 100800 0 1", "bad"),
            ("fill 100000 34 1", "bad"), ("fill 100000 ffffffffffffffff 1", "bad"),
            ("fill fffffffffffff000 1 1", "bad"), ("fill 100000 0 100", "bad"),
            ("check 1101000 0 0", "bad")):
        driver.want(line, answer)


def messages(driver, _):
    """A refusal is told on stderr, and the driver goes on."""
    driver.want("region 100000 8000", "ok")
    driver.want("start 1000 a", "ok")
    driver.messages()
    for line in ("free 100000 0", "free 100001 0", "free 100000 b", "region 0 1000"):
        driver.want(line, "err")
        driver.want("info", "8")
        if not driver.messages():
            raise Wrong(f"{line}: nothing on stderr")


def last_line(width):
    """The last line may come without a newline, and no line at all is no error."""
    path = os.path.join(ROOT, "build", width, "loam-driver")
    for text, answer in ((b"", b""), (b"reset", b"ok\n"), (b"reset\nbogus", b"ok\nerr usage\n"),
                         (b"\n", b"err usage\n")):
        done = subprocess.run([path], input=text, capture_output=True, check=False)
        if done.stdout != answer or done.returncode != 0:
            raise Wrong(f"{text!r} -> {done.stdout!r}, exit code {done.returncode}")


def main():
    tap = Tap("protocol")
    outside = "--meta=outside"
    for width in WIDTHS:
        tap.run("every word with every number of numbers", width, counts)
        tap.run("malformed lines: err usage", width, malformed)
        tap.run("numbers: any case, leading zeros, blanks around", width, numbers)
        tap.run("before start and reset PAGES: err", width, too_early)
        tap.run("after start: err", width, too_late, outside)
        tap.run("start: bad arguments and a failing request: err, then ok", width, start_arguments,
                outside)
        tap.run("eight pages: known answers", width, known_session, outside)
        tap.run("largest order 1: the view is capped", width, capped_order, outside)
        tap.run("fill and check: as written", width, contents, outside)
        tap.run("refusals: a message each", width, messages, outside)
        tap.run("end of input", width, lambda driver, _: last_line(driver.width))
    tap.done()


if __name__ == "__main__":
    main()
