# SPDX-License-Identifier: MIT
# compat/higherhalf: the i386 kernel with memblock, buddy and kmalloc. Its eight steps in a process
# and on the PC, its tests.
#
#     build/host/libhigherhalf.a    the face, and a machine in a process to stand on
#     build/host/higherhalf-demo    the eight steps and the demo in a process

HH := compat/higherhalf
HH_SRC := $(addprefix $(HH)/,memblock.c buddy_allocator.c paging.c kmalloc.c main.c demo.c \
    demo_user.c)
HH_VARIANTS := host asan host32
FREESTANDING += $(HH_SRC)

# Linked into every kernel; one that has no higher half says so.
KERN_EXTRA += $(HH_SRC) $(HH)/kern.c

define hh_rules
build/$(1)/test/higherhalf/%: build/$(1)/obj/test/higherhalf/%.o build/$(1)/obj/test/main/%.o \
    build/$(1)/obj/test/tap.o $(call objects,$(1),$(HH_SRC) $(HH)/process.c) build/$(1)/libcore.a
	$$(call say,LD $(1),$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $($(1)_CFLAGS) $$^ -o $$@

build/$(1)/higherhalf-demo: $(call objects,$(1),$(HH_SRC) $(HH)/process.c $(HH)/host.c) \
    build/$(1)/libcore.a
	$$(call say,LD $(1),$$@)
	$$(Q)$($(1)_CC) $($(1)_CFLAGS) $$^ -o $$@
endef
$(foreach v,$(HH_VARIANTS) hostclang,$(eval $(call hh_rules,$(v))))

build/host/libhigherhalf.a: $(call objects,host,$(HH_SRC) $(HH)/process.c)
	$(call say,AR host,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

HH_TESTS := $(patsubst %.c,%,$(sort $(wildcard test/higherhalf/*_test.c)))
HH_PROGRAMS := $(foreach v,$(HH_VARIANTS) hostclang,$(HH_TESTS:%=build/$(v)/%)) \
    test/higherhalf/higherhalf_make.py
TESTS += $(HH_PROGRAMS)
HH_NEEDS := build/host/higherhalf-demo build/host/libhigherhalf.a build/host/libloam.a \
    $(addprefix build/pc32/,kernel.elf initrd.cpio)
TEST_NEEDS += $(HH_NEEDS)

.PHONY: test-higherhalf run-higherhalf
test-higherhalf: HH_ALL := $(HH_PROGRAMS) test/target/pc32_higherhalf_test.py
test-higherhalf: | build/packages/test
test-higherhalf: $(HH_PROGRAMS) $(HH_NEEDS) ## the tests of compat/higherhalf alone
	$(call run_tests,$(HH_ALL))

run-higherhalf: | build/packages/pc32
run-higherhalf: $(addprefix build/pc32/,kernel.elf initrd.cpio) ## boot the higher half: eight steps
	$(Q)tools/run_pc.sh 'compat=higherhalf' -kernel build/pc32/kernel.elf \
	    -initrd build/pc32/initrd.cpio
