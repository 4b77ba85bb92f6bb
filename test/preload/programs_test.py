#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Real programs on libloam.so (programs.py), each under a minute."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import programs  # noqa: E402

programs.main(programs.QUICK)
