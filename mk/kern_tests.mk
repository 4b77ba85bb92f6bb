# SPDX-License-Identifier: MIT
# Tests of what a kernel computes without its machine: test/kern/x_test.c over the pure files of
# kern/, one suite each, no libc: host, hostclang, asan, host32.

KERN_PURE := $(addprefix kern/drivers/pc/,scancode.c screen.c) kern/memview_picture.c kern/stacks.c
KERN_TESTS := $(patsubst test/kern/%.c,%,$(sort $(wildcard test/kern/*_test.c)))
KERN_VARIANTS := host hostclang asan host32
FREESTANDING += $(KERN_PURE) test/kern/%

define kern_test_rules
build/$(1)/test/kern/%: build/$(1)/obj/test/kern/%.o build/$(1)/obj/test/main/%.o \
    build/$(1)/obj/test/tap.o $(call objects,$(1),$(KERN_PURE)) build/$(1)/libcore.a
	$$(call say,LD $(1),$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $($(1)_CFLAGS) $$^ -o $$@
endef
$(foreach v,$(KERN_VARIANTS),$(eval $(call kern_test_rules,$(v))))

TESTS += $(foreach v,$(KERN_VARIANTS),$(KERN_TESTS:%=build/$(v)/test/kern/%))
