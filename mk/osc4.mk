# SPDX-License-Identifier: MIT
# compat/osc4: OSC 2025 Lab 4. Its demo in a process and on the Pi, its tests.
#
#     build/host/osc4-demo      the demo in a process
#     build/<v>/osc4-driver     the face, driven by lines, for test/osc4/osc4_lines.py

OSC4 := compat/osc4
OSC4_SRC := $(addprefix $(OSC4)/,malloc.c log.c demo.c main.c)
OSC4_VARIANTS := host asan host32
FREESTANDING += $(OSC4_SRC)

# Linked into every kernel.
KERN_EXTRA += $(OSC4_SRC) $(OSC4)/kern.c

define osc4_rules
build/$(1)/osc4-driver: $(call objects,$(1),$(OSC4_SRC) test/osc4/osc4_driver.c) \
    build/$(1)/libcore.a
	$$(call say,LD $(1),$$@)
	$$(Q)$($(1)_CC) $($(1)_CFLAGS) $$^ -o $$@

build/$(1)/test/osc4/%: build/$(1)/obj/test/osc4/%.o build/$(1)/obj/test/main/%.o \
    build/$(1)/obj/test/tap.o $(call objects,$(1),$(OSC4_SRC)) build/$(1)/libcore.a
	$$(call say,LD $(1),$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $($(1)_CFLAGS) $$^ -o $$@
endef
$(foreach v,$(OSC4_VARIANTS) hostclang,$(eval $(call osc4_rules,$(v))))

build/host/osc4-demo: $(call objects,host,$(OSC4_SRC) $(OSC4)/host.c) build/host/libcore.a
	$(call say,LD host,$@)
	$(Q)$(host_CC) $(host_CFLAGS) $^ -o $@

TESTS += test/osc4/osc4_lines.py
TESTS += $(foreach v,$(OSC4_VARIANTS) hostclang,build/$(v)/test/osc4/osc4_face_test)
TEST_NEEDS += $(OSC4_VARIANTS:%=build/%/osc4-driver) build/host/osc4-demo

# ---- on the Pi ----

.PHONY: run-osc4
OSC4_BOOT := $(addprefix build/rpi3/,kernel8.img rpi3.dtb initramfs.cpio)
run-osc4: | build/packages/rpi3
run-osc4: $(OSC4_BOOT) ## boot OSC 2025 Lab 4 and its demos on the Raspberry Pi 3
	$(Q)$(call run_rpi3,demo=osc4)

TESTS += test/osc4/osc4_pi.py test/osc4/osc4_make.py
TEST_NEEDS += $(OSC4_BOOT)
