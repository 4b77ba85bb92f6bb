# SPDX-License-Identifier: MIT
# Device trees that dtc and QEMU write, through loam-driver (mk/driver.mk).

TESTS += test/boot/check_dts.py
test test-long: | build/packages/fuzz build/packages/rpi3
