# SPDX-License-Identifier: MIT
# What the kernels for 64-bit Arm have in common: objects are compiled once, each board links its
# own (mk/rpi3.mk, mk/virt64.mk).
#
#     build/aarch64/obj/        by gcc
#     build/aarch64clang/obj/   by clang, with the order of locks looked at

A64_TARGET := -mgeneral-regs-only -mcpu=cortex-a53 -mstrict-align -ffreestanding -fno-pic \
    -fno-stack-protector -fno-omit-frame-pointer -fno-common -ffunction-sections
A64_INCLUDE := -I. -Iinclude -Iarch/aarch64/port -Iarch/aarch64 -Ikern -Ikern/drivers \
    -Ikern/boards/arm -Itest
A64_SCRIPT := arch/aarch64/aarch64.ld

aarch64_CC := aarch64-linux-gnu-gcc
aarch64_CFLAGS := -O2 -g -fno-pie -mno-outline-atomics
aarch64_LDFLAGS := -no-pie
aarch64_RT := -fno-builtin -fno-tree-loop-distribute-patterns
aarch64clang_CC := clang --target=aarch64-none-elf
aarch64clang_CFLAGS := -O2 -g1 -DLOAM_LOCK_ORDER=1
aarch64clang_SUITES := -O0 # no test runs them in this one
aarch64clang_LDFLAGS := -fuse-ld=lld
aarch64clang_RT := -fno-builtin

# No user mode here.
A64_KERN := $(filter-out kern/aspace% kern/user%,$(sort $(wildcard kern/*.c kern/drivers/*.c \
    kern/boards/arm/*.c arch/aarch64/*.c arch/aarch64/*.S rt/*.c)))
A64_SRC := $(A64_KERN) $(CORE_SRC) $(BOOT_SRC) $(KERN_UNIT) test/tap.c

$(foreach v,aarch64 aarch64clang,$(eval $(call kern_object_rules,$(v),A64,rpi3)))

# $(call a64_kernel,COMPILER,BOARD,NAME,SOURCES,BASE,LIMIT): build/BOARD/NAME.elf and .img of the
# common sources and these, at an address, and all of it below another. COMPILER: aarch64,
# aarch64clang.
define a64_kernel
A64_LINK_$(2) := $$(patsubst %,build/$(1)/obj/%.o,$$(basename $$(A64_SRC) $(4))) \
    build/$(1)/gen/suites.o
A64_LINKER_$(2) := $($(1)_CC) $(KERN_LD) $($(1)_LDFLAGS) \
    -Wl,--defsym=image_base=$(5),--defsym=image_limit=$(6) -T $(A64_SCRIPT)

build/$(2)/gen/symbols.o: build/$(2)/gen/symbols.S
	$$(Q)$($(1)_CC) $(A64_TARGET) $($(1)_CFLAGS) -c $$< -o $$@

build/$(2)/gen/symbols.S: build/$(2)/gen/kernel0.elf tools/symbols.py
	$$(Q)aarch64-linux-gnu-nm -n $$< | python3 tools/symbols.py >$$@

build/$(2)/gen/kernel0.elf: $$(A64_LINK_$(2)) build/$(1)/gen/symbols0.o $(A64_SCRIPT)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(A64_LINKER_$(2)) $$(filter %.o,$$^) -o $$@

build/$(2)/$(3).elf: $$(A64_LINK_$(2)) build/$(2)/gen/symbols.o $(A64_SCRIPT)
	$$(call say,LD $(2),$$@)
	$$(Q)$$(A64_LINKER_$(2)) $$(filter %.o,$$^) -o $$@

build/$(2)/$(3).img: build/$(2)/$(3).elf
	$$(call say,IMG,$$@)
	$$(Q)aarch64-linux-gnu-objcopy -O binary $$< $$@
endef
