#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The core's unit tests inside the virtual machine's kernel, and the kernel that clang makes of the
same files."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import virt64_qemu  # noqa: E402
from kernel_suites import main  # noqa: E402

if __name__ == "__main__":
    main(virt64_qemu)
