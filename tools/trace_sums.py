#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads what LOAM_CONF=trace=FILE wrote (docs/trace.md) and prints its sums.

    tools/trace_sums.py FILE            sums, sizes, threads
    tools/trace_sums.py --events FILE   every event, in order of time
"""
import argparse
import collections
import signal
import struct
import sys

RECORD = 32
MAGIC = b"loamevts"
HEADING = "8sIHHIIQ"  # magic, process, format, ring, events, 0, lost
EVENT = "QQQBBHI"     # nanoseconds, a, b, kind, order, ring, number
FORMAT = 1
ALLOC, FREE, RESIZE, MOVE, THREAD = 11, 12, 16, 17, 18
NAMES = {ALLOC: "alloc", FREE: "free", RESIZE: "resize", MOVE: "move"}

Event = collections.namedtuple("Event", "time process thread kind a b")


def order_of(data):
    """ "<" or ">": how the machine that wrote it orders bytes."""
    for order in "<>":
        if struct.unpack_from(order + HEADING, data)[2] == FORMAT:
            return order
    raise ValueError("another format")


def events_of(data):
    """([Event in order of time], {process: events lost})"""
    found, lost, thread, at = [], {}, {}, 0
    if len(data) % RECORD != 0 or data[:8] != MAGIC:
        raise ValueError("not a trace, or not whole")
    order = order_of(data)
    while at < len(data):
        magic, process, form, ring, count, _, gone = struct.unpack_from(order + HEADING, data, at)
        at += RECORD
        if magic != MAGIC or form != FORMAT or at + count * RECORD > len(data):
            raise ValueError(f"no heading at byte {at - RECORD}")
        lost[process] = max(lost.get(process, 0), gone)
        for _ in range(count):
            time, a, b, kind, _, _, _ = struct.unpack_from(order + EVENT, data, at)
            at += RECORD
            if kind == THREAD:
                thread[process, ring] = a
            elif kind in NAMES:
                found.append(Event(time, process, thread.get((process, ring), 0), kind, a, b))
            else:
                raise ValueError(f"event of kind {kind} at byte {at - RECORD}")
    found.sort(key=lambda event: event.time)
    return found, lost


class Sums:
    """Of one process."""

    def __init__(self):
        self.count = collections.Counter()
        self.sizes = collections.Counter()  # by the power of two at or above
        self.threads = collections.Counter()
        self.out = {}
        self.bytes = self.live = self.peak = self.unknown = 0

    def add(self, event):
        self.count[NAMES[event.kind]] += 1
        self.threads[event.thread] += 1
        if event.kind == ALLOC:
            self.sizes[max(event.b - 1, 0).bit_length()] += 1
            self.bytes += event.b
            self.grow(event.a, event.b)
        elif event.kind == RESIZE:
            self.live -= self.out.get(event.a, 0)
            self.grow(event.a, event.b)
        elif event.kind == FREE:
            self.unknown += event.a not in self.out
            self.live -= self.out.pop(event.a, 0)

    def grow(self, address, size):
        self.out[address] = size
        self.live += size
        self.peak = max(self.peak, self.live)


def sums_of(events):
    """{process: Sums}"""
    sums = collections.defaultdict(Sums)
    for event in events:
        sums[event.process].add(event)
    return dict(sums)


def show(process, sums, lost, span):
    print(f"process {process}: {sum(sums.count.values())} events in {span / 1e9:.3f} s, "
          f"{lost} lost")
    print("  " + ", ".join(f"{sums.count[name]} {name}" for name in NAMES.values()))
    print(f"  {sums.bytes} bytes asked for, at most {sums.peak} out at a time")
    print(f"  at the end {sums.live} bytes in {len(sums.out)} blocks are out; "
          f"{sums.unknown} frees of blocks of before")
    for log, count in sorted(sums.sizes.items()):
        print(f"  to {1 << log} bytes: {count} blocks")
    for thread, count in sums.threads.most_common():
        print(f"  thread {thread}: {count} events")


def main():
    parser = argparse.ArgumentParser(description="sums of a trace of libloam")
    parser.add_argument("file")
    parser.add_argument("--events", action="store_true", help="every event, in order of time")
    words = parser.parse_args()
    try:
        with open(words.file, "rb") as file:
            events, lost = events_of(file.read())
    except (OSError, ValueError) as fault:
        sys.exit(f"trace_sums: {words.file}: {fault}")
    if words.events:
        for e in events:
            b = f"0x{e.b:x}" if e.kind == MOVE else str(e.b)
            print(f"{e.time} {e.process} {e.thread} {NAMES[e.kind]} 0x{e.a:x} {b}")
        return
    for process, sums in sums_of(events).items():
        times = [event.time for event in events if event.process == process]
        show(process, sums, lost.get(process, 0), times[-1] - times[0])


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # who reads no further has read enough
    main()
