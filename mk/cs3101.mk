# SPDX-License-Identifier: MIT
# compat/cs3101: alloc and ealloc over mmap. Its two programs, built as there; its tests.
#
#     build/cs3101/test_alloc, test_ealloc    by the plainest of compiler calls

CS3101 := compat/cs3101
CS3101_SRC := $(addprefix $(CS3101)/,alloc.c ealloc.c)
CS3101_VARIANTS := host hostclang asan host32
CS3101_CALLS := malloc free mmap munmap

define cs3101_rules
build/$(1)/test/cs3101/%: build/$(1)/obj/test/cs3101/%.o build/$(1)/obj/test/main/%.o \
    build/$(1)/obj/test/tap.o $(call objects,$(1),$(CS3101_SRC)) build/$(1)/libcore.a
	$$(call say,LD $(1),$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $($(1)_CFLAGS) $$(CS3101_LINK) $$^ -o $$@

build/$(1)/test/cs3101/cs3101_system_test: CS3101_LINK := $(CS3101_CALLS:%=-Wl,--wrap=%)
endef
$(foreach v,$(CS3101_VARIANTS),$(eval $(call cs3101_rules,$(v))))

# Always anew: what a person types there, here.
.PHONY: run-cs3101
run-cs3101: | build/packages/host ## alloc and ealloc: both test programs of the document
	$(Q)mkdir -p build/cs3101
	$(Q)cd $(CS3101) && for x in alloc ealloc; do \
	    gcc -Wall -Wextra $$x.c test_$$x.c -o ../../build/cs3101/test_$$x && \
	    ../../build/cs3101/test_$$x || exit 1; \
	done

CS3101_SUITES := $(patsubst test/cs3101/%.c,%,$(sort $(wildcard test/cs3101/*_test.c)))
CS3101_TESTS := test/cs3101/cs3101_commands.py \
    $(foreach v,$(filter-out asan,$(CS3101_VARIANTS)),$(CS3101_SUITES:%=build/$(v)/test/cs3101/%)) \
    $(patsubst %,build/asan/test/cs3101/%,$(filter-out cs3101_size_test,$(CS3101_SUITES)))
TESTS += $(CS3101_TESTS)

.PHONY: test-cs3101
test-cs3101: $(CS3101_TESTS) | build/packages/test ## the tests of compat/cs3101 alone
	$(call run_tests,$(CS3101_TESTS))
