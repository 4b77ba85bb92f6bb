# SPDX-License-Identifier: MIT
# Static checks: programs that print TAP, and that first show themselves able to fail.

CHECKS := $(sort $(wildcard tools/check_*.py))
TESTS += $(CHECKS)

# What the checks look at, in both compilers and both word sizes.
CHECK_NEEDS := $(foreach v,host hostclang host32,build/$(v)/libcore.a)
TEST_NEEDS += $(CHECK_NEEDS)

.PHONY: check format
check test test-long: | $(addprefix build/packages/,test lint clang musl)
check: $(CHECK_NEEDS) ## the static checks alone
	$(call run_tests,$(CHECKS))

FORMATTED = $(shell git ls-files --cached --others --exclude-standard '*.c' '*.h')
# The version that lint judges by: another sets some lines otherwise.
FORMAT_BY = $(shell sed -n 's/^TRIED.*"clang-format": "\([0-9]*\)".*/\1/p' tools/check_lint.py)
format: | build/packages/lint ## clang-format over every C file
	$(Q)clang-format --version | grep -q 'version $(FORMAT_BY)\.' || \
	    { echo 'make format: the tree is set by clang-format $(FORMAT_BY), here is:'; \
	      clang-format --version; exit 1; }
	$(Q)clang-format -i $(FORMATTED)
