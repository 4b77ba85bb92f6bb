# SPDX-License-Identifier: MIT
# What the kernels have in common: their tests, how their C and assembly become objects. Read before
# the boards' own files.

# Sources of other systems and of tools that every kernel links, too; added by their own files.
KERN_EXTRA :=
KERN_UNIT := $(sort $(wildcard test/unit/*_test.c))
KERN_LD := -nostdlib -static -Wl,-z,noexecstack,--build-id=none,--gc-sections,-z,max-page-size=4096
# Flags besides, by folder.
KERN_CFLAGS_test_unit := -O1

# $(call kern_object_rules,VARIANT,KIND,PACKAGES): build/VARIANT/obj/ and build/VARIANT/gen/. Of a
# kind: KIND_TARGET, KIND_INCLUDE, KIND_WORD (how symbols.py writes an address). Of a variant:
# VARIANT_CC, VARIANT_CFLAGS, VARIANT_RT, VARIANT_SUITES (flags besides of the units' tests).
define kern_object_rules
build/$(1)/obj/%.o: %.c | build/packages/$(3)
	$$(call say,CC $(1),$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $$(C_STD) $($(2)_TARGET) $($(1)_CFLAGS) $$(KERN_CFLAGS_$$(subst /,_,$$(<D))) \
	    $$(if $$(filter rt/%,$$<),$($(1)_RT)) \
	    $$(if $$(filter test/unit/%,$$<),$($(1)_SUITES)) $($(2)_INCLUDE) -MMD -MP -c $$< -o $$@

build/$(1)/obj/%.o: %.S | build/packages/$(3)
	$$(call say,AS $(1),$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $($(2)_TARGET) $($(1)_CFLAGS) $($(2)_INCLUDE) -MMD -MP -c $$< -o $$@

build/$(1)/gen/%.o: build/$(1)/gen/%.c | build/packages/$(3)
	$$(Q)$($(1)_CC) $$(C_STD) $($(2)_TARGET) $($(1)_CFLAGS) $($(2)_INCLUDE) -c $$< -o $$@

build/$(1)/gen/%.o: build/$(1)/gen/%.S | build/packages/$(3)
	$$(Q)$($(1)_CC) $($(2)_TARGET) $($(1)_CFLAGS) -c $$< -o $$@

build/$(1)/gen/suites.c: $(KERN_UNIT) tools/suites.sh
	$$(Q)mkdir -p $$(@D) && bash tools/suites.sh $(KERN_UNIT) >$$@

build/$(1)/gen/symbols0.S: tools/symbols.py | build/packages/$(3)
	$$(Q)mkdir -p $$(@D) && python3 tools/symbols.py $($(2)_WORD) </dev/null >$$@
endef

# $(call kern_pc_rules,VARIANT,KIND): build/VARIANT/kernel.elf of KIND_SRC by KIND_SCRIPT, linked
# twice, so that it has a table of its own functions' names.
define kern_pc_rules
build/$(1)/gen/symbols.S: build/$(1)/gen/kernel0.elf tools/symbols.py
	$$(Q)nm -n $$< | python3 tools/symbols.py $($(2)_WORD) >$$@

$(2)_LINK_$(1) := $(patsubst %,build/$(1)/obj/%.o,$(basename $($(2)_SRC))) build/$(1)/gen/suites.o

build/$(1)/gen/kernel0.elf: $$($(2)_LINK_$(1)) build/$(1)/gen/symbols0.o $($(2)_SCRIPT)
	$$(Q)$($(1)_CC) $(KERN_LD) $($(1)_LDFLAGS) -T $($(2)_SCRIPT) $$(filter %.o,$$^) -o $$@

build/$(1)/kernel.elf: $$($(2)_LINK_$(1)) build/$(1)/gen/symbols.o $($(2)_SCRIPT)
	$$(call say,LD $(1),$$@)
	$$(Q)$($(1)_CC) $(KERN_LD) $($(1)_LDFLAGS) -T $($(2)_SCRIPT) $$(filter %.o,$$^) -o $$@
endef
