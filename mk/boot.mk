# SPDX-License-Identifier: MIT
# Device trees that dtc and QEMU write, through loam-driver (mk/driver.mk); machines of any RAM.

TESTS += test/boot/check_dts.py
LONG_TESTS += test/target/ram_sizes_long.py
test test-long: | build/packages/fuzz build/packages/rpi3
