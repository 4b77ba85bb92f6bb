# SPDX-License-Identifier: MIT
# The Raspberry Pi 3: kernel, device tree, initramfs, UART boot loader, QEMU, its tests.
#
#     build/rpi3/kernel8.img    what the firmware, QEMU and the boot loader start
#     build/rpi3/kernel8.elf    the same with symbols
#     build/rpi3clang/          the kernel built by clang and lld, which looks at the order of locks

RPI3 := build/rpi3
RPI3_GCC := aarch64-linux-gnu-gcc
RPI3_CLANG := clang --target=aarch64-none-elf
RPI3_TARGET := -mgeneral-regs-only -mcpu=cortex-a53 -mstrict-align -ffreestanding -fno-pic \
    -fno-stack-protector -fno-omit-frame-pointer -fno-common -ffunction-sections
RPI3_INCLUDE := -I. -Iinclude -Iarch/aarch64/port -Iarch/aarch64 -Ikern -Ikern/drivers \
    -Ikern/boards/arm -Ikern/boards/rpi3 -Itest
RPI3_LD := -nostdlib -static -Wl,-z,noexecstack,--build-id=none,--gc-sections,-z,max-page-size=4096

RPI3_LD += -Wl,--defsym=image_base=0x80000,--defsym=image_limit=0x8000000

rpi3_CC := $(RPI3_GCC)
rpi3_CFLAGS := -O2 -g -fno-pie -mno-outline-atomics
rpi3_LDFLAGS := -no-pie
rpi3_RT := -fno-builtin -fno-tree-loop-distribute-patterns
rpi3clang_CC := $(RPI3_CLANG)
rpi3clang_CFLAGS := -O2 -g -DLOAM_LOCK_ORDER=1
rpi3clang_LDFLAGS := -fuse-ld=lld
rpi3clang_RT := -fno-builtin

# No user mode here.
RPI3_KERN := $(filter-out kern/aspace% kern/user%,$(sort $(wildcard kern/*.c kern/drivers/*.c \
    kern/boards/arm/*.c kern/boards/rpi3/*.c kern/boards/rpi3/*.S arch/aarch64/*.c arch/aarch64/*.S rt/*.c)))
RPI3_UNIT := $(sort $(wildcard test/unit/*_test.c))
RPI3_SRC := $(RPI3_KERN) $(CORE_SRC) $(BOOT_SRC) $(RPI3_UNIT) test/tap.c $(RPI3_EXTRA)
RPI3_OBJ = $(patsubst %,%.o,$(basename $(RPI3_SRC)))

define rpi3_rules
build/$(1)/obj/%.o: %.c | build/packages/rpi3
	$$(call say,CC $(1),$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $$(C_STD) $(RPI3_TARGET) $($(1)_CFLAGS) $$(RPI3_CFLAGS_$$(subst /,_,$$(<D))) \
	    $$(if $$(filter rt/%,$$<),$($(1)_RT)) $(RPI3_INCLUDE) -MMD -MP -c $$< -o $$@

build/$(1)/obj/%.o: %.S | build/packages/rpi3
	$$(call say,AS $(1),$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $(RPI3_TARGET) $($(1)_CFLAGS) $(RPI3_INCLUDE) -MMD -MP -c $$< -o $$@

build/$(1)/gen/%.o: build/$(1)/gen/%.c | build/packages/rpi3
	$$(Q)$($(1)_CC) $$(C_STD) $(RPI3_TARGET) $($(1)_CFLAGS) $(RPI3_INCLUDE) -c $$< -o $$@

build/$(1)/gen/%.o: build/$(1)/gen/%.S | build/packages/rpi3
	$$(Q)$($(1)_CC) $(RPI3_TARGET) $($(1)_CFLAGS) -c $$< -o $$@

build/$(1)/gen/suites.c: $(RPI3_UNIT) tools/suites.sh
	$$(Q)mkdir -p $$(@D) && bash tools/suites.sh $(RPI3_UNIT) >$$@

build/$(1)/gen/symbols0.S: tools/symbols.py | build/packages/rpi3
	$$(Q)mkdir -p $$(@D) && python3 tools/symbols.py </dev/null >$$@

build/$(1)/gen/symbols.S: build/$(1)/gen/kernel0.elf tools/symbols.py
	$$(Q)aarch64-linux-gnu-nm -n $$< | python3 tools/symbols.py >$$@

RPI3_LINK_$(1) = $(RPI3_OBJ:%=build/$(1)/obj/%) build/$(1)/gen/suites.o

build/$(1)/gen/kernel0.elf: $$(RPI3_LINK_$(1)) build/$(1)/gen/symbols0.o arch/aarch64/aarch64.ld
	$$(Q)$($(1)_CC) $(RPI3_LD) $($(1)_LDFLAGS) -T arch/aarch64/aarch64.ld $$(filter %.o,$$^) -o $$@

build/$(1)/kernel8.elf: $$(RPI3_LINK_$(1)) build/$(1)/gen/symbols.o arch/aarch64/aarch64.ld
	$$(call say,LD $(1),$$@)
	$$(Q)$($(1)_CC) $(RPI3_LD) $($(1)_LDFLAGS) -T arch/aarch64/aarch64.ld $$(filter %.o,$$^) -o $$@

build/$(1)/kernel8.img: build/$(1)/kernel8.elf
	$$(call say,IMG,$$@)
	$$(Q)aarch64-linux-gnu-objcopy -O binary $$< $$@
endef
RPI3_CFLAGS_test_unit := -O1
$(foreach v,rpi3 rpi3clang,$(eval $(call rpi3_rules,$(v))))

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

UARTBOOT_OBJ := $(patsubst %,$(RPI3)/obj/%.o,kern/boards/rpi3/uartboot/uartboot_start \
    kern/boards/rpi3/uartboot/uartboot kern/drivers/miniuart kern/drivers/bcm283x core/base rt/mem)

$(RPI3)/uartboot.elf: $(UARTBOOT_OBJ) kern/boards/rpi3/uartboot/uartboot.ld
	$(call say,LD,$@)
	$(Q)$(RPI3_GCC) $(RPI3_LD) $(rpi3_LDFLAGS) -T kern/boards/rpi3/uartboot/uartboot.ld \
	    $(UARTBOOT_OBJ) -o $@

$(RPI3)/uartboot.img: $(RPI3)/uartboot.elf
	$(call say,IMG,$@)
	$(Q)aarch64-linux-gnu-objcopy -O binary $< $@

# ---- what a person types ----

RPI3_IMAGES := $(addprefix $(RPI3)/,kernel8.img rpi3.dtb initramfs.cpio uartboot.img)
RPI3_QEMU := qemu-system-aarch64 -M raspi3b -kernel $(RPI3)/kernel8.img -dtb $(RPI3)/rpi3.dtb \
    -initrd $(RPI3)/initramfs.cpio -display none -serial null -monitor none \
    -semihosting-config enable=on,target=native

.PHONY: rpi3 run run-rpi3 qemu raspi
all: rpi3
rpi3: $(RPI3_IMAGES) ## the Raspberry Pi 3's files, in build/rpi3/

run: run-rpi3 ## boot the Raspberry Pi 3 in QEMU: with a shell on a terminal, else once through
qemu: run-rpi3 ## as run

run-rpi3: $(RPI3_IMAGES) | build/packages/rpi3
	$(Q)if [ -t 0 ]; then \
	    echo 'QEMU, Raspberry Pi 3. To leave: `off` in the shell, or Ctrl-A x.'; \
	    exec $(RPI3_QEMU) -serial mon:stdio \
	        -append 'demo=tour $(kernel-args) shell exit=semihost'; \
	else \
	    exec timeout 60 $(RPI3_QEMU) -serial stdio \
	        -append 'demo=tour $(kernel-args) off exit=semihost' </dev/null; \
	fi

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
