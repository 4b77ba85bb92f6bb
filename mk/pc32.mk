# SPDX-License-Identifier: MIT
# The PC with a 32-bit processor: kernel, GRUB image, QEMU, its tests.
#
#     build/pc32/kernel.elf     what GRUB and QEMU's -kernel start (Multiboot 1)
#     build/pc32/loam.iso       the same with GRUB, for a CD drive
#     build/pc32/floppy.img     the same with a boot sector of our own, for an 80386
#     build/pc32clang/          the kernel built by clang and lld, which looks at the order of locks

PC32 := build/pc32
PC32_TARGET := -m32 -march=i386 -mno-sse -mno-mmx -mno-80387 -fcf-protection=none -ffreestanding \
    -fno-pic -fno-stack-protector -fno-omit-frame-pointer -fno-common -ffunction-sections
PC32_INCLUDE := -I. -Iinclude -Iarch/i386/port -Iarch/i386 -Iarch/x86 -Ikern -Ikern/drivers \
    -Ikern/drivers/pc -Ikern/boards/pc -Ikern/boards/pc32 -Itest
PC32_LD := -nostdlib -static -Wl,-z,noexecstack,--build-id=none,--gc-sections,-z,max-page-size=4096

pc32_CC := gcc
pc32_CFLAGS := -O2 -g -fno-pie -fno-asynchronous-unwind-tables
pc32_LDFLAGS := -m32 -no-pie
pc32_RT := -fno-builtin -fno-tree-loop-distribute-patterns
pc32clang_CC := clang --target=i386-none-elf
pc32clang_CFLAGS := -O2 -g -fno-asynchronous-unwind-tables -DLOAM_LOCK_ORDER=1
pc32clang_LDFLAGS := -fuse-ld=lld
pc32clang_RT := -fno-builtin

PC32_KERN := $(sort $(wildcard kern/*.c kern/user/*.c kern/drivers/pc/*.c kern/boards/pc/*.c \
    kern/boards/pc32/*.c arch/x86/*.c arch/i386/*.c arch/i386/*.S rt/*.c))
PC32_UNIT := $(sort $(wildcard test/unit/*_test.c))
PC32_SRC := $(PC32_KERN) $(CORE_SRC) $(BOOT_SRC) $(PC32_UNIT) test/tap.c $(PC32_EXTRA)
PC32_OBJ = $(patsubst %,%.o,$(basename $(PC32_SRC)))

define pc32_rules
build/$(1)/obj/%.o: %.c | build/packages/pc32
	$$(call say,CC $(1),$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $$(C_STD) $(PC32_TARGET) $($(1)_CFLAGS) $$(PC32_CFLAGS_$$(subst /,_,$$(<D))) \
	    $$(if $$(filter rt/%,$$<),$($(1)_RT)) $(PC32_INCLUDE) -MMD -MP -c $$< -o $$@

build/$(1)/obj/%.o: %.S | build/packages/pc32
	$$(call say,AS $(1),$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $(PC32_TARGET) $($(1)_CFLAGS) $(PC32_INCLUDE) -MMD -MP -c $$< -o $$@

build/$(1)/gen/%.o: build/$(1)/gen/%.c | build/packages/pc32
	$$(Q)$($(1)_CC) $$(C_STD) $(PC32_TARGET) $($(1)_CFLAGS) $(PC32_INCLUDE) -c $$< -o $$@

build/$(1)/gen/%.o: build/$(1)/gen/%.S | build/packages/pc32
	$$(Q)$($(1)_CC) $(PC32_TARGET) $($(1)_CFLAGS) -c $$< -o $$@

build/$(1)/gen/suites.c: $(PC32_UNIT) tools/suites.sh
	$$(Q)mkdir -p $$(@D) && bash tools/suites.sh $(PC32_UNIT) >$$@

build/$(1)/gen/symbols0.S: tools/symbols.py | build/packages/pc32
	$$(Q)mkdir -p $$(@D) && python3 tools/symbols.py .long </dev/null >$$@

build/$(1)/gen/symbols.S: build/$(1)/gen/kernel0.elf tools/symbols.py
	$$(Q)nm -n $$< | python3 tools/symbols.py .long >$$@

PC32_LINK_$(1) = $(PC32_OBJ:%=build/$(1)/obj/%) build/$(1)/gen/suites.o

build/$(1)/gen/kernel0.elf: $$(PC32_LINK_$(1)) build/$(1)/gen/symbols0.o kern/boards/pc32/pc32.ld
	$$(Q)$($(1)_CC) $(PC32_LD) $($(1)_LDFLAGS) -T kern/boards/pc32/pc32.ld $$(filter %.o,$$^) -o $$@

build/$(1)/kernel.elf: $$(PC32_LINK_$(1)) build/$(1)/gen/symbols.o kern/boards/pc32/pc32.ld
	$$(call say,LD $(1),$$@)
	$$(Q)$($(1)_CC) $(PC32_LD) $($(1)_LDFLAGS) -T kern/boards/pc32/pc32.ld $$(filter %.o,$$^) -o $$@
endef
PC32_CFLAGS_test_unit := -O1
$(foreach v,pc32 pc32clang,$(eval $(call pc32_rules,$(v))))

# ---- the initrd and the GRUB image ----

# name=path pairs: files of the initrd besides those of kern/initramfs. Who adds one makes it a
# prerequisite of the archive, too.
PC32_INITRD_FILES +=
INITRAMFS_FILES := $(shell find kern/initramfs)

$(PC32)/initrd.cpio: $(INITRAMFS_FILES) tools/initrd.sh | build/packages/pc32
	$(call say,CPIO,$@)
	$(Q)bash tools/initrd.sh $@ kern/initramfs $(PC32_INITRD_FILES)

# $(call grub_iso,IMAGE,KERNEL,INITRD,MENU): a CD image that starts the menu.
GRUB_MODULES := multiboot multiboot2 mmap iso9660 biosdisk normal
grub_iso = bash tools/grub_iso.sh $(1) $(2) $(3) $(4) "$(GRUB_MODULES)"

$(PC32)/grub.cfg: kern/boards/pc/grub.cfg
	$(Q)mkdir -p $(@D) && sed -e 's/@TIMEOUT@/0/' -e 's/@WORDS@/demo=tour shell/' \
	    -e 's/@KERNEL@/multiboot/' -e 's/@MODULE@/module/' $< >$@

$(PC32)/loam.iso: $(PC32)/kernel.elf $(PC32)/initrd.cpio $(PC32)/grub.cfg tools/grub_iso.sh \
    | build/packages/pc32
	$(call say,ISO,$@)
	$(Q)$(call grub_iso,$@,$(PC32)/kernel.elf,$(PC32)/initrd.cpio,$(PC32)/grub.cfg)

# ---- a floppy for what is older than GRUB ----

$(PC32)/floppy_boot.elf: kern/boards/pc32/floppy_boot.S | build/packages/pc32
	$(Q)mkdir -p $(@D)
	$(Q)gcc -m32 -nostdlib -static -no-pie \
	    -Wl,-Ttext=0x7c00,--build-id=none,-z,noexecstack,-N,--no-warn-rwx-segments $< -o $@

$(PC32)/floppy.img: $(PC32)/kernel.elf $(PC32)/floppy_boot.elf tools/floppy.py
	$(call say,FLOPPY,$@)
	$(Q)tools/floppy.py $(PC32)/kernel.elf $(PC32)/floppy_boot.elf $@ 'demo=tour shell'

LONG_TESTS += test/target/dosbox_long.py

# ---- what a person types ----

PC32_IMAGES := $(addprefix $(PC32)/,kernel.elf initrd.cpio loam.iso floppy.img)

.PHONY: pc32 run-pc32 iso-pc32
all: pc32
pc32: $(PC32_IMAGES) ## the PC's kernel and its GRUB image, in build/pc32/
iso-pc32: $(PC32)/loam.iso ## build/pc32/loam.iso: the PC's kernel with GRUB, for a CD drive

run-pc32: | build/packages/pc32
run-pc32: $(PC32_IMAGES) ## boot the PC in QEMU: in a window where there is a display
	$(Q)tools/run_pc.sh 'demo=tour $(kernel-args)' -kernel $(PC32)/kernel.elf \
	    -initrd $(PC32)/initrd.cpio

TEST_NEEDS += $(PC32_IMAGES) build/pc32clang/kernel.elf
check: $(PC32)/kernel.elf
