# SPDX-License-Identifier: MIT
# compat/shomp: ShompOS' memory module. A hosted library, play in a process, its tests.
#
#     build/host/libshomp.a     the heap; exports no free
#     build/<v>/shomp-play      blocks by keys
#     build/pc32/shomp.iso      the PC's kernel with GRUB, straight into play

SHOMP := compat/shomp
SHOMP_HEAP := $(addprefix $(SHOMP)/src/memory/,heap.c guard.c view.c)
SHOMP_SRC := $(SHOMP_HEAP) $(SHOMP)/src/play/play.c
SHOMP_VARIANTS := host hostclang asan host32
FREESTANDING += $(SHOMP_SRC)

define shomp_rules
build/$(1)/shomp-play: $(call objects,$(1),$(SHOMP_SRC) $(SHOMP)/src/host/main.c \
    $(SHOMP)/src/host/host.c) build/$(1)/libcore.a
	$$(call say,LD $(1),$$@)
	$$(Q)$($(1)_CC) $($(1)_CFLAGS) $$^ -o $$@

build/$(1)/test/shomp/%: build/$(1)/obj/test/shomp/%.o build/$(1)/obj/test/main/%.o \
    build/$(1)/obj/test/tap.o $(call objects,$(1),$(SHOMP_SRC) $(SHOMP)/src/host/host.c) \
    build/$(1)/libcore.a
	$$(call say,LD $(1),$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $($(1)_CFLAGS) $$^ -lpthread -o $$@
endef
$(foreach v,$(SHOMP_VARIANTS) tsan,$(eval $(call shomp_rules,$(v))))

# The library stands alone: with the engine, its text and the hosted port.
SHOMP_LIB := $(SHOMP_SRC) $(SHOMP)/src/host/host.c $(filter core/base% core/port_report% \
    core/buddy%,$(CORE_SRC)) $(PORT_SRC)
build/host/libshomp.a: $(call objects,host,$(SHOMP_LIB))
	$(call say,AR host,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

# ---- on the PC ----

build/pc32/shomp.iso: build/pc32/kernel.elf build/pc32/initrd.cpio $(SHOMP)/grub.cfg \
    tools/grub_iso.sh | build/packages/pc32
	$(call say,ISO,$@)
	$(Q)$(call grub_iso,$@,build/pc32/kernel.elf,build/pc32/initrd.cpio,$(SHOMP)/grub.cfg)

.PHONY: run-shomp
all: build/pc32/shomp.iso
run-shomp: build/pc32/shomp.iso | build/packages/pc32 ## boot ShompOS in QEMU: blocks by keys
	$(Q)tools/run_shomp.sh $<

SHOMP_TESTS := test/shomp/shomp_keys.py test/shomp/shomp_library.py \
    test/target/shomp_play_test.py \
    $(foreach v,$(SHOMP_VARIANTS),$(patsubst %.c,build/$(v)/%,$(sort $(wildcard \
    test/shomp/*_test.c)))) build/tsan/test/shomp/shomp_threads_test
SHOMP_NEEDS := $(SHOMP_VARIANTS:%=build/%/shomp-play) build/host/libshomp.a build/pc32/shomp.iso \
    build/rpi3/kernel8.img build/rpi3/rpi3.dtb build/rpi3/initramfs.cpio
TESTS += $(SHOMP_TESTS)
TEST_NEEDS += $(SHOMP_NEEDS)

.PHONY: test-shomp
test-shomp: $(SHOMP_TESTS) $(SHOMP_NEEDS) | build/packages/test ## the tests of compat/shomp alone
	$(call run_tests,$(SHOMP_TESTS))
