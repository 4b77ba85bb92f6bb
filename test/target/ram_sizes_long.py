#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""As ram_sizes_test.py, with 900 GiB: in one piece, and in nodes of very uneven size."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from ram_sizes import BOARDS, boot, check, nodes, number, plain  # noqa: E402
from taplib import Tap  # noqa: E402

UNEVEN = (("800G", 2), ("256M", 1), ("100G", 1))


def main():
    tap = Tap()
    for board in BOARDS:  # one after the other: each touches more than 270 MiB of metadata
        check(tap, f"{board.name}: 900G", boot((board, plain("900G"))), number("900G"))
        check(tap, f"{board.name}: 900G in three nodes", boot((board, nodes(UNEVEN))),
              sum(number(size) for size, _ in UNEVEN))
    tap.done()


if __name__ == "__main__":
    main()
