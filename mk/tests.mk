# SPDX-License-Identifier: MIT
# Tests in C: found by name, built for every variant that says something new, run by prove.
#
#     test/unit/x_test.c    one suite, no libc: host, hostclang, asan, host32
#     test/model/x.c        a hosted program that prints TAP: asan, host32
#     test/fault/x.c        the same: asan, host32
#     ..._threads.c         of those: tsan besides; in test-long all of them with clang

UNIT := $(patsubst test/unit/%.c,%,$(sort $(wildcard test/unit/*_test.c)))
PROGRAMS := $(patsubst test/%.c,%,$(sort $(wildcard test/model/*.c test/fault/*.c)))
THREADS := $(filter %_threads,$(PROGRAMS))

define unit_rules
build/$(1)/obj/test/main/%.o: test/tap_main.c | build/packages/$($(1)_GROUP)
	$$(call say,CC $(1),$$< for $$*)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $$(C_STD) $($(1)_CFLAGS) $$(HOST_INCLUDE) -Itest -DTAP_SUITE_NAME=$$* \
	    -MMD -MP -c $$< -o $$@

build/$(1)/test/unit/%: build/$(1)/obj/test/unit/%.o build/$(1)/obj/test/main/%.o \
    build/$(1)/obj/test/tap.o build/$(1)/libcore.a
	$$(call say,LD $(1),$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $($(1)_CFLAGS) $$^ -o $$@
endef
$(foreach v,$(VARIANTS),$(eval $(call unit_rules,$(v))))

# Programs with a main of their own: variant, folder.
define program_rules
build/$(1)/test/$(2)/%: build/$(1)/obj/test/$(2)/%.o build/$(1)/obj/test/tap.o build/$(1)/libcore.a
	$$(call say,LD $(1),$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $($(1)_CFLAGS) $$^ -lpthread -o $$@
endef
$(foreach v,$(VARIANTS),$(foreach d,model fault house,$(eval $(call program_rules,$(v),$(d)))))
.SECONDARY:

TESTS += $(foreach v,host hostclang asan host32,$(UNIT:%=build/$(v)/test/unit/%))
TESTS += $(foreach v,asan host32,$(PROGRAMS:%=build/$(v)/test/%))
TESTS += $(THREADS:%=build/tsan/test/%)
LONG_TESTS += $(PROGRAMS:%=build/hostclang/test/%)

.PHONY: unit
unit: $(UNIT:%=build/host/test/unit/%) ## unit tests with gcc: the quick look
	$(Q)$(if $(UNIT),prove --failures --comments $^,echo 'no unit tests yet')

# The house itself: the runner, the hosted port, the package script.
build/host/test/house/failing_test: build/host/obj/test/house/failing_test.o \
    build/host/obj/test/main/failing_test.o build/host/obj/test/tap.o build/host/libcore.a
	$(call say,LD host,$@)
	$(Q)mkdir -p $(@D) && gcc $(host_CFLAGS) $^ -o $@

TESTS += $(sort $(wildcard test/house/*_test.sh test/house/*_check.py)) \
    build/host/test/house/port_abort
TEST_NEEDS += build/host/test/house/failing_test
