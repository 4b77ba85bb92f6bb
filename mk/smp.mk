# SPDX-License-Identifier: MIT
# All processors at once: test/target/smp_*.py; the quick ones are found by name (mk/rpi3.mk).

LONG_TESTS += test/target/smp_stress_long.py
