# SPDX-License-Identifier: MIT
# The virtual machine with 64-bit Arm processors (QEMU's virt): kernel, QEMU, its tests.
#
#     build/virt64/kernel.img    what a boot loader or QEMU's -kernel starts
#     build/virt64/kernel.elf    the same with symbols
#     build/virt64clang/         the kernel by clang and lld, which looks at the order of locks

VIRT64 := build/virt64
VIRT64_SRC := $(wildcard kern/boards/virt64/*.c kern/boards/virt64/*.S) $(KERN_EXTRA)
# QEMU puts initramfs and device tree behind half of the RAM: 32 MiB into the least that will do.
$(eval $(call a64_kernel,aarch64,virt64,kernel,$(VIRT64_SRC),0x40200000,0x42000000))
$(eval $(call a64_kernel,aarch64clang,virt64clang,kernel,$(VIRT64_SRC),0x40200000,0x42000000))

VIRT64_IMAGES := $(VIRT64)/kernel.img $(RPI3)/initramfs.cpio
# QEMU's arguments for another machine: qemu-args="-smp 16 -m 8G -M gic-version=3".
qemu-args ?= -smp 4

.PHONY: virt64 run-virt64
all: virt64
virt64: $(VIRT64_IMAGES) ## the virtual machine's kernel for 64-bit Arm, in build/virt64/

run-virt64: | build/packages/rpi3
run-virt64: $(VIRT64_IMAGES) ## boot QEMU's virt machine: 64-bit Arm, many cores
	$(Q)tools/run_arm.sh virt 'demo=tour $(kernel-args)' -M virt -cpu cortex-a57 -m 1G -nic none \
	    -kernel $(VIRT64)/kernel.img -initrd $(RPI3)/initramfs.cpio $(qemu-args)

TEST_NEEDS += $(VIRT64_IMAGES) build/virt64clang/kernel.img
