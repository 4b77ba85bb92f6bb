# SPDX-License-Identifier: MIT
# Packages: dpkg-buildpackage makes three of them by debian/; test/house/debian_long.sh tests it.

# What the build of a package runs: no network, no machine but this one, nothing but the compiler.
PACKAGE_TESTS := $(UNIT:%=build/host/test/unit/%) $(PRELOAD_TESTS) test/house/abi_check.py
.PHONY: package-test
package-test: $(PACKAGE_TESTS) build/host/libloam.a build/host/libloam.so ## a package's own tests
	$(call run_tests,$(PACKAGE_TESTS))

LONG_TESTS += $(sort $(wildcard test/house/*_long.sh))
