#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Exceptions on purpose: each ends the virtual machine's kernel with its reason, core, registers, a
backtrace, code 1."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import virt64_qemu  # noqa: E402
from rpi3_fault_test import main  # noqa: E402

if __name__ == "__main__":
    main(virt64_qemu)
