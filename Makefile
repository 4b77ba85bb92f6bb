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

include mk/build.mk mk/tests.mk
include $(filter-out mk/build.mk mk/tests.mk,$(wildcard mk/*.mk))

.PHONY: all help clean

all: lib ## the host library, and everything a user of it needs

help: ## this list
	@echo "make [V=1] [CC=gcc] [SEED=n] TARGET"
	@awk -F' ## |:' '/^[a-z0-9-]+:.* ## / { name = $$1; sub(/.* ## /, ""); \
	    printf "  %-14s %s\n", name, $$0 }' $(MAKEFILE_LIST) | sort

clean: ## remove build/
	rm -rf build
