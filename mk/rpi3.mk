# SPDX-License-Identifier: MIT
# The Raspberry Pi 3: kernel, device tree, initramfs, UART boot loader, QEMU, its tests.
#
#     build/rpi3/kernel8.img    what the firmware, QEMU and the boot loader start
#     build/rpi3/kernel8.elf    the same with symbols
#     build/rpi3clang/          the kernel built by clang and lld, which looks at the order of locks

RPI3 := build/rpi3

RPI3_SRC := $(wildcard kern/boards/rpi3/*.c kern/boards/rpi3/*.S) $(KERN_EXTRA)
# QEMU puts the initramfs at 128 MiB.
$(eval $(call a64_kernel,aarch64,rpi3,kernel8,$(RPI3_SRC),0x80000,0x8000000))
$(eval $(call a64_kernel,aarch64clang,rpi3clang,kernel8,$(RPI3_SRC),0x80000,0x8000000))

$(RPI3)/rpi3.dtb: kern/boards/rpi3/rpi3.dts | build/packages/rpi3
	$(call say,DTC,$@)
	$(Q)mkdir -p $(@D) && dtc -q -I dts -O dtb -o $@ $<

RPI3_FILES := $(shell find kern/initramfs)
$(RPI3)/initramfs.cpio: $(RPI3_FILES) | build/packages/rpi3
	$(call say,CPIO,$@)
	$(Q)mkdir -p $(@D)
	$(Q)cd kern/initramfs && find . | LC_ALL=C sort | \
	    cpio --quiet --create --format=newc --reproducible --owner=0:0 >$(CURDIR)/$@

# ---- the UART boot loader ----

UARTBOOT_OBJ := $(patsubst %,build/aarch64/obj/%.o,kern/boards/rpi3/uartboot/uartboot_start \
    kern/boards/rpi3/uartboot/uartboot kern/drivers/miniuart kern/drivers/bcm283x core/base rt/mem)

$(RPI3)/uartboot.elf: $(UARTBOOT_OBJ) kern/boards/rpi3/uartboot/uartboot.ld
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(aarch64_CC) $(KERN_LD) $(aarch64_LDFLAGS) -T kern/boards/rpi3/uartboot/uartboot.ld \
	    $(UARTBOOT_OBJ) -o $@

$(RPI3)/uartboot.img: $(RPI3)/uartboot.elf
	$(call say,IMG,$@)
	$(Q)aarch64-linux-gnu-objcopy -O binary $< $@

# ---- what a person types ----

RPI3_IMAGES := $(addprefix $(RPI3)/,kernel8.img rpi3.dtb initramfs.cpio uartboot.img)
# Its first serial port is not the console's. $(call run_rpi3,WORDS)
run_rpi3 = tools/run_arm.sh 'Raspberry Pi 3' '$(1)' -M raspi3b -kernel $(RPI3)/kernel8.img \
    -dtb $(RPI3)/rpi3.dtb -initrd $(RPI3)/initramfs.cpio -serial null

.PHONY: rpi3 run run-rpi3 qemu raspi
all: rpi3
rpi3: $(RPI3_IMAGES) ## the Raspberry Pi 3's files, in build/rpi3/

run: run-rpi3 ## boot the Raspberry Pi 3 in QEMU: with a shell on a terminal, else once through
qemu: run-rpi3 ## as run

run-rpi3: $(RPI3_IMAGES) | build/packages/rpi3
	$(Q)$(call run_rpi3,demo=tour $(kernel-args))

raspi: $(RPI3_IMAGES) ## the files for a real Raspberry Pi 3, and how to send them
	@echo 'Once: copy $(RPI3)/uartboot.img to the SD card as kernel8.img, and put into config.txt:'
	@echo '    arm_64bit=1'
	@echo '    enable_uart=1'
	@echo '    initramfs initramfs.cpio 0x8000000     (with $(RPI3)/initramfs.cpio beside it)'
	@echo 'Then, for each new kernel, with a serial cable on pins 14 and 15:'
	@echo '    python3 tools/send_kernel.py $(RPI3)/kernel8.img /dev/ttyUSB0'
	@echo '$(RPI3)/kernel8.img as kernel8.img on the card starts without a cable.'

TESTS += $(sort $(wildcard test/target/*_test.py))
TEST_NEEDS += $(RPI3_IMAGES) build/rpi3clang/kernel8.img
