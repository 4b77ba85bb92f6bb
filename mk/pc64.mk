# SPDX-License-Identifier: MIT
# The PC with 64 bits: kernel, GRUB image, QEMU, its tests.
#
#     build/pc64/kernel.elf     what QEMU's -kernel (PVH) and GRUB (Multiboot 2) start
#     build/pc64/loam.iso       the same with GRUB, for a CD drive
#     build/pc64clang/          the kernel built by clang and lld, which looks at the order of locks

PC64 := build/pc64
PC64_TARGET := -m64 -march=x86-64 -mno-red-zone -mcmodel=kernel -mgeneral-regs-only \
    -fcf-protection=none -ffreestanding -fno-pic -fno-stack-protector -fno-omit-frame-pointer \
    -fno-common -ffunction-sections
PC64_INCLUDE := -I. -Iinclude -Iarch/x86_64/port -Iarch/x86_64 -Iarch/x86 -Ikern -Ikern/drivers \
    -Ikern/drivers/pc -Ikern/boards/pc -Ikern/boards/pc64 -Itest
PC64_LD := -nostdlib -static -Wl,-z,noexecstack,--build-id=none,--gc-sections,-z,max-page-size=4096

pc64_CC := gcc
pc64_CFLAGS := -O2 -g -fno-pie -fno-asynchronous-unwind-tables
pc64_LDFLAGS := -no-pie
pc64_RT := -fno-builtin -fno-tree-loop-distribute-patterns
pc64clang_CC := clang --target=x86_64-none-elf
pc64clang_CFLAGS := -O2 -g -fno-asynchronous-unwind-tables -DLOAM_LOCK_ORDER=1
pc64clang_LDFLAGS := -fuse-ld=lld
pc64clang_RT := -fno-builtin

# No user mode here.
PC64_KERN := $(filter-out kern/aspace% kern/user%,$(sort $(wildcard kern/*.c kern/drivers/pc/*.c \
    kern/boards/pc/*.c kern/boards/pc64/*.c arch/x86/*.c arch/x86_64/*.c arch/x86_64/*.S rt/*.c)))
PC64_UNIT := $(sort $(wildcard test/unit/*_test.c))
PC64_SRC := $(PC64_KERN) $(CORE_SRC) $(BOOT_SRC) $(PC64_UNIT) test/tap.c $(PC64_EXTRA)
PC64_OBJ = $(patsubst %,%.o,$(basename $(PC64_SRC)))

define pc64_rules
build/$(1)/obj/%.o: %.c | build/packages/pc64
	$$(call say,CC $(1),$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $$(C_STD) $(PC64_TARGET) $($(1)_CFLAGS) $$(PC64_CFLAGS_$$(subst /,_,$$(<D))) \
	    $$(if $$(filter rt/%,$$<),$($(1)_RT)) $(PC64_INCLUDE) -MMD -MP -c $$< -o $$@

build/$(1)/obj/%.o: %.S | build/packages/pc64
	$$(call say,AS $(1),$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $(PC64_TARGET) $($(1)_CFLAGS) $(PC64_INCLUDE) -MMD -MP -c $$< -o $$@

build/$(1)/gen/%.o: build/$(1)/gen/%.c | build/packages/pc64
	$$(Q)$($(1)_CC) $$(C_STD) $(PC64_TARGET) $($(1)_CFLAGS) $(PC64_INCLUDE) -c $$< -o $$@

build/$(1)/gen/%.o: build/$(1)/gen/%.S | build/packages/pc64
	$$(Q)$($(1)_CC) $(PC64_TARGET) $($(1)_CFLAGS) -c $$< -o $$@

build/$(1)/gen/suites.c: $(PC64_UNIT) tools/suites.sh
	$$(Q)mkdir -p $$(@D) && bash tools/suites.sh $(PC64_UNIT) >$$@

build/$(1)/gen/symbols0.S: tools/symbols.py | build/packages/pc64
	$$(Q)mkdir -p $$(@D) && python3 tools/symbols.py </dev/null >$$@

build/$(1)/gen/symbols.S: build/$(1)/gen/kernel0.elf tools/symbols.py
	$$(Q)nm -n $$< | python3 tools/symbols.py >$$@

PC64_LINK_$(1) = $(PC64_OBJ:%=build/$(1)/obj/%) build/$(1)/gen/suites.o

build/$(1)/gen/kernel0.elf: $$(PC64_LINK_$(1)) build/$(1)/gen/symbols0.o kern/boards/pc64/pc64.ld
	$$(Q)$($(1)_CC) $(PC64_LD) $($(1)_LDFLAGS) -T kern/boards/pc64/pc64.ld $$(filter %.o,$$^) -o $$@

build/$(1)/kernel.elf: $$(PC64_LINK_$(1)) build/$(1)/gen/symbols.o kern/boards/pc64/pc64.ld
	$$(call say,LD $(1),$$@)
	$$(Q)$($(1)_CC) $(PC64_LD) $($(1)_LDFLAGS) -T kern/boards/pc64/pc64.ld $$(filter %.o,$$^) -o $$@
endef
PC64_CFLAGS_test_unit := -O1
$(foreach v,pc64 pc64clang,$(eval $(call pc64_rules,$(v))))

# ---- the initrd and the GRUB image ----

PC64_INITRD_FILES +=

$(PC64)/initrd.cpio: $(INITRAMFS_FILES) tools/initrd.sh | build/packages/pc64
	$(call say,CPIO,$@)
	$(Q)bash tools/initrd.sh $@ kern/initramfs $(PC64_INITRD_FILES)

$(PC64)/grub.cfg: kern/boards/pc/grub.cfg
	$(Q)mkdir -p $(@D) && sed -e 's/@TIMEOUT@/0/' -e 's/@WORDS@/demo=tour shell/' \
	    -e 's/@KERNEL@/multiboot2/' -e 's/@MODULE@/module2/' $< >$@

$(PC64)/loam.iso: $(PC64)/kernel.elf $(PC64)/initrd.cpio $(PC64)/grub.cfg tools/grub_iso.sh \
    | build/packages/pc64
	$(call say,ISO,$@)
	$(Q)$(call grub_iso,$@,$(PC64)/kernel.elf,$(PC64)/initrd.cpio,$(PC64)/grub.cfg)

LONG_TESTS += test/target/pc64_uefi_long.py

# ---- what a person types ----

PC64_IMAGES := $(addprefix $(PC64)/,kernel.elf initrd.cpio loam.iso)

.PHONY: pc64 run-pc64 iso-pc64
all: pc64
pc64: $(PC64_IMAGES) ## the 64-bit PC's kernel and its GRUB image, in build/pc64/
iso-pc64: $(PC64)/loam.iso ## build/pc64/loam.iso: the 64-bit PC's kernel with GRUB, for a CD drive

run-pc64: | build/packages/pc64
run-pc64: $(PC64_IMAGES) ## boot the 64-bit PC in QEMU: in a window where there is a display
	$(Q)QEMU=qemu-system-x86_64 MEMORY=$${MEMORY:-256} CPUS=$${CPUS:-4} \
	    tools/run_pc.sh 'demo=tour $(kernel-args)' -kernel $(PC64)/kernel.elf \
	    -initrd $(PC64)/initrd.cpio

TEST_NEEDS += $(PC64_IMAGES) build/pc64clang/kernel.elf
