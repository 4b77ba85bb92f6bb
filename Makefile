# SPDX-License-Identifier: MIT
# The one build of Loam. `make help` lists the targets; V=1 shows the commands.
#
# mk/*.mk are the rooms of this house, one subject each, all read into this one graph. They add to
#     TESTS        programs and scripts that print TAP; those under build/ are made first
#     LONG_TESTS   the same, for `make test-long` only
#     TEST_NEEDS   what has to be made before the tests run, without being a test

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-builtin-variables
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif
SHELL := bash

TESTS :=
LONG_TESTS :=
TEST_NEEDS :=

FIRST := mk/build.mk mk/tests.mk mk/kernels.mk
include $(FIRST) $(filter-out $(FIRST),$(wildcard mk/*.mk))

.PHONY: all test test-long help clean

all: lib driver ## the host library and loam-driver

JOBS = $(or $(patsubst -j%,%,$(filter -j%,$(MAKEFLAGS))),2)
run_tests = $(Q)tools/run_tests.sh -j $(JOBS) $(sort $(1))

# The same random numbers each time, so that a change alone can break it; test-long draws others.
test: export SEED := $(or $(SEED),1)
test: $(TESTS) $(TEST_NEEDS) | build/packages/test ## every test; last line: N passed, N failed
	$(call run_tests,$(TESTS))

test-long: export LOAM_LONG := 1
test-long: export TAP_LIMIT := 3600
test-long: $(TESTS) $(LONG_TESTS) $(TEST_NEEDS) ## every test for longer, and slow ones besides
	$(call run_tests,$(TESTS) $(LONG_TESTS))
test-long: | build/packages/test build/packages/long

# Without the .d files, which everything built brings: thousands are too long for one command.
help: ## this list
	@echo "make [V=1] [SEED=n] TARGET"
	@awk -F' ## |:' '/^[a-z0-9-]+:.* ## / { name = $$1; sub(/.* ## /, ""); \
	    printf "  %-14s %s\n", name, $$0 }' $(filter-out %.d,$(MAKEFILE_LIST)) | sort

clean: ## remove build/
	rm -rf build
