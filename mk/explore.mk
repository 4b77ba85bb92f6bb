# SPDX-License-Identifier: MIT
# Every order of two or three processors (port/explore/): the core against a port whose scheduler
# tries them all.
#
#     build/explore/test/explore/<x>    from test/explore/<x>.c; a test
#     SCHEDULE=a12b3 build/explore/test/explore/<x> CASE    one order, step by step
#
# The compiler calls a function before each access of the core; port/explore/ has these functions.

explore_CC := gcc
explore_CFLAGS = -O1 -g1 -fno-pie -ftrivial-auto-var-init=zero \
    $$(if $$(filter port/explore/% test/tap.c,$$<),, \
    -fsanitize=thread -include port/explore/explore_builtin.h)
explore_GROUP := host
explore_INCLUDE := -Iinclude -Iport/explore
explore_PORT_SRC := $(sort $(wildcard port/explore/*.c))
$(eval $(call variant_rules,explore))

build/explore/test/explore/%: build/explore/obj/test/explore/%.o build/explore/obj/test/tap.o \
    build/explore/libcore.a
	$(call say,LD explore,$@)
	$(Q)mkdir -p $(@D)
	$(Q)gcc -no-pie $^ -o $@

EXPLORED := $(patsubst test/%.c,%,$(sort $(wildcard test/explore/*.c)))
TESTS += $(EXPLORED:%=build/explore/test/%)

.PHONY: explore
explore: $(EXPLORED:%=build/explore/test/%) ## every order of small scripts on 2 or 3 processors
	$(call run_tests,$^)
