# SPDX-License-Identifier: MIT
# compat/higherhalf: the i386 kernel with memblock, buddy and kmalloc. Its eight steps in a process
# and on the PC, its tests.
#
#     build/host/higherhalf-demo    the eight steps and the demo in a process

HH := compat/higherhalf
HH_SRC := $(addprefix $(HH)/,memblock.c buddy_allocator.c paging.c kmalloc.c main.c demo.c)
HH_VARIANTS := host asan host32
FREESTANDING += $(HH_SRC)

define hh_rules
build/$(1)/test/higherhalf/%: build/$(1)/obj/test/higherhalf/%.o build/$(1)/obj/test/main/%.o \
    build/$(1)/obj/test/tap.o $(call objects,$(1),$(HH_SRC) $(HH)/process.c) build/$(1)/libloam.a
	$$(call say,LD $(1),$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $($(1)_CFLAGS) $$^ -o $$@

build/$(1)/higherhalf-demo: $(call objects,$(1),$(HH_SRC) $(HH)/process.c $(HH)/host.c) \
    build/$(1)/libloam.a
	$$(call say,LD $(1),$$@)
	$$(Q)$($(1)_CC) $($(1)_CFLAGS) $$^ -o $$@
endef
$(foreach v,$(HH_VARIANTS) hostclang,$(eval $(call hh_rules,$(v))))

HH_TESTS := $(patsubst %.c,%,$(sort $(wildcard test/higherhalf/*_test.c)))
HH_PROGRAMS := $(foreach v,$(HH_VARIANTS) hostclang,$(HH_TESTS:%=build/$(v)/%))
TESTS += $(HH_PROGRAMS)

.PHONY: test-higherhalf
test-higherhalf: $(HH_PROGRAMS) | build/packages/test ## the tests of compat/higherhalf in a process
	$(call run_tests,$(HH_PROGRAMS))
