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
PC32_WORD := .long

pc32_CC := gcc
pc32_CFLAGS := -O2 -g -fno-pie -fno-asynchronous-unwind-tables
# A floppy is to hold the tests. (Of lists on one stack gcc 12 says so with -Os that one dangles.)
pc32_SUITES := -Os -Wno-dangling-pointer
pc32_LDFLAGS := -m32 -no-pie
pc32_RT := -fno-builtin -fno-tree-loop-distribute-patterns
pc32clang_CC := clang --target=i386-none-elf
pc32clang_CFLAGS := -O2 -g1 -fno-asynchronous-unwind-tables -DLOAM_LOCK_ORDER=1
pc32clang_SUITES := -O0 # no test runs them in this one
pc32clang_LDFLAGS := -fuse-ld=lld
pc32clang_RT := -fno-builtin

PC32_KERN := $(sort $(wildcard kern/*.c kern/user/*.c kern/drivers/pc/*.c kern/boards/pc/*.c \
    kern/boards/pc32/*.c arch/x86/*.c arch/i386/*.c arch/i386/*.S rt/*.c))
PC32_SRC := $(PC32_KERN) $(CORE_SRC) $(BOOT_SRC) $(KERN_UNIT) test/tap.c $(KERN_EXTRA)
PC32_SCRIPT := kern/boards/pc32/pc32.ld

$(foreach v,pc32 pc32clang,$(eval $(call kern_object_rules,$(v),PC32,pc32)))
$(foreach v,pc32 pc32clang,$(eval $(call kern_pc_rules,$(v),PC32)))

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
