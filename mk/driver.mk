# SPDX-License-Identifier: MIT
# loam-driver: the core over a fake machine, driven by lines; and the checkers that drive it.

DRIVER_SRC := $(sort $(wildcard tools/driver/*.c))
DRIVER_VARIANTS := host host32 asan
DRIVERS := $(DRIVER_VARIANTS:%=build/%/loam-driver)

define driver_rules
build/$(1)/loam-driver: $(call objects,$(1),$(DRIVER_SRC)) build/$(1)/libcore.a
	$$(call say,LD $(1),$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $($(1)_CFLAGS) $$^ -o $$@
endef
$(foreach v,$(DRIVER_VARIANTS),$(eval $(call driver_rules,$(v))))

.PHONY: driver
driver: build/host/loam-driver build/host32/loam-driver ## loam-driver for both word sizes

# The same interpreter under `driver` in a kernel's shell.
DRIVER_WORDS := $(patsubst %,tools/driver/%.c,driver driver_boot driver_pages driver_objects \
    driver_vm)
KERN_EXTRA += $(DRIVER_WORDS)

all: driver
TESTS += $(sort $(wildcard test/driver/check_*.py))
TEST_NEEDS += $(DRIVERS) $(addprefix build/rpi3/,kernel8.img rpi3.dtb initramfs.cpio)
