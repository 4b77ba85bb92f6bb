#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""malloc_mix under ThreadSanitizer, linked with the malloc under other names (mk/preload.mk), in
the modes that have ways of their own. Prints TAP."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools"))
from taplib import ROOT, Tap  # noqa: E402

PROGRAM = os.path.join(ROOT, "build/sotsan/test/preload/malloc_mix")
MODES = ["", "hardened", "guard,poison,quarantine=64K,owner", "zero,random", "guard_pages",
         "arenas=2", "trim_ms=1", "memory=8M", "memory=8M,hardened"]


def main():
    tap = Tap()
    for conf in MODES:
        env = {**os.environ, "LOAM_CONF": conf, "TSAN_OPTIONS": "history_size=5 exitcode=66"}
        done = subprocess.run([PROGRAM], env=env, capture_output=True, text=True, check=False,
                              timeout=600)
        tap.check(done.returncode == 0, f"no race: {conf or 'default'}",
                  (done.stdout + done.stderr).splitlines()[:60])
    tap.done()


main()
