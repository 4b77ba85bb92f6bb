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

pc64_CC := gcc
pc64_CFLAGS := -O2 -g -fno-pie -fno-asynchronous-unwind-tables
pc64_LDFLAGS := -no-pie
pc64_RT := -fno-builtin -fno-tree-loop-distribute-patterns
pc64clang_CC := clang --target=x86_64-none-elf
pc64clang_CFLAGS := -O2 -g1 -fno-asynchronous-unwind-tables -DLOAM_LOCK_ORDER=1
pc64clang_SUITES := -O0 # no test runs them in this one
pc64clang_LDFLAGS := -fuse-ld=lld
pc64clang_RT := -fno-builtin

# No user mode here.
PC64_KERN := $(filter-out kern/aspace% kern/user%,$(sort $(wildcard kern/*.c kern/drivers/pc/*.c \
    kern/boards/pc/*.c kern/boards/pc64/*.c arch/x86/*.c arch/x86_64/*.c arch/x86_64/*.S rt/*.c)))
PC64_SRC := $(PC64_KERN) $(CORE_SRC) $(BOOT_SRC) $(KERN_UNIT) test/tap.c $(KERN_EXTRA)
PC64_SCRIPT := kern/boards/pc64/pc64.ld

$(foreach v,pc64 pc64clang,$(eval $(call kern_object_rules,$(v),PC64,pc64)))
$(foreach v,pc64 pc64clang,$(eval $(call kern_pc_rules,$(v),PC64)))

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
