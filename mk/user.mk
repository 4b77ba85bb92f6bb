# SPDX-License-Identifier: MIT
# User programs for the PC: user/x.c becomes bin/x in the initrd; broken files become bad/x.
#
#     build/pc32/user/bin/hello     linked with the user library and the core's range unit

USER := $(PC32)/user
USER_SRC := $(sort $(wildcard user/*.c))
USER_LIB := $(sort $(wildcard user/lib/*.c)) user/lib/crt0.S core/base.c core/range.c rt/mem.c \
    core/range_check.c
USER_CFLAGS := $(PC32_TARGET) -O2 -g -fno-pie -fno-asynchronous-unwind-tables -I. -Iinclude

# user/write_text.c is the program write-text
USER_BIN := $(foreach p,$(USER_SRC),$(USER)/bin/$(subst _,-,$(basename $(notdir $(p)))))
USER_LIB_OBJ := $(USER_LIB:%=$(USER)/obj/%.o)

$(USER)/obj/%.c.o: %.c | build/packages/pc32
	$(call say,CC user,$<)
	$(Q)mkdir -p $(@D)
	$(Q)gcc $(C_STD) $(USER_CFLAGS) $(if $(filter rt/%,$<),$(pc32_RT)) -MMD -MP -c $< -o $@

$(USER)/obj/%.S.o: %.S | build/packages/pc32
	$(Q)mkdir -p $(@D)
	$(Q)gcc $(USER_CFLAGS) -c $< -o $@

define user_program
$(USER)/bin/$(subst _,-,$(basename $(notdir $(1)))): $(USER)/obj/$(1).o $$(USER_LIB_OBJ) \
    user/user.ld
	$$(call say,LD user,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)gcc $$(KERN_LD) -m32 -no-pie -s -T user/user.ld $$(filter %.o,$$^) -o $$@
endef
$(foreach p,$(USER_SRC),$(eval $(call user_program,$(p))))

# Files that lie, each in one way, made from a good one. Not :=, a bare machine has no python3 yet.
USER_BAD = $(addprefix $(USER)/bad/,$(shell python3 tools/broken_elfs.py --list))

$(USER)/bad/.made: $(USER)/bin/malloc tools/broken_elfs.py
	$(Q)mkdir -p $(@D) && python3 tools/broken_elfs.py $< $(@D) && touch $@

PC32_INITRD_FILES += $(foreach p,$(USER_BIN),bin/$(notdir $(p))=$(p)) \
    $(foreach p,$(USER_BAD),bad/$(notdir $(p))=$(p))
$(PC32)/initrd.cpio: $(USER_BIN) $(USER)/bad/.made

.PHONY: user
user: $(USER_BIN) ## the PC's user programs, in build/pc32/user/bin/
