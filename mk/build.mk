# SPDX-License-Identifier: MIT
# How C becomes objects: flags, build variants, automatic header dependencies.
#
#     build/<variant>/obj/<path>.o    from <path>.c
#     build/<variant>/libcore.a       the core, boot parsers and the hosted port

V ?=
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-8s %s\n' '$(1)' '$(2)')

WARN = -Wall -Wextra -Wpedantic -Wundef -Wshadow -Wconversion -Wstrict-prototypes \
    -Wmissing-prototypes -Wvla -Wcast-align -Wpointer-arith -Wwrite-strings $(WERROR)

# A warning ends the build, but only where each compiler is one that all of this was built with: a
# newer one may warn of what nobody has seen. Asked once, as late as the first file is compiled.
TRIED := gcc-12 gcc-14 gcc-16 clang-14 clang-19 clang-21
named = $(1)-$(firstword $(subst ., ,$(shell $(1) -dumpversion 2>/dev/null)))
untried = $(filter-out $(TRIED) gcc- clang-,$(call named,gcc) $(call named,clang))
WERROR = $(eval WERROR := $(if $(untried),,-Werror))$(WERROR)

C_STD = -std=c11 $(WARN)
HOST_INCLUDE := -Iinclude -Iport/hosted

# Files of these folders see no C library: neither its headers nor what the compiler knows of it.
FREESTANDING := core/% pt/% boot/% test/unit/% test/tap.c

# Suites are compiled more often than they run, and spend their time in what they test: no optimizer
# but in the kernels (KERN_CFLAGS_test_unit).
SUITES := test/unit/% test/kern/%

VARIANTS := host hostclang asan tsan host32 hostarm

# CPPFLAGS, CFLAGS and LDFLAGS of a packager reach the host's two libraries: behind our defaults,
# before what they cannot do without.
FOR_PACKAGES := -O2 -g $(CPPFLAGS) $(CFLAGS)

# Full information for a debugger where people look, lines alone (-g1) elsewhere: a sixth of the
# compiler's time.
host_CC := gcc
host_CFLAGS := $(FOR_PACKAGES) -fstack-usage
hostclang_CC := clang
hostclang_CFLAGS := -O2 -g1 -fstack-usage
asan_CC := gcc
asan_CFLAGS := -O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined \
    -fno-sanitize-recover=all -DLOAM_LOCK_ORDER=1 -DLOAM_HOSTED_NOTES=0 # mk/notes.mk has them
tsan_CC := gcc
tsan_CFLAGS := -O1 -g1 -fno-omit-frame-pointer -fsanitize=thread -DLOAM_LOCK_ORDER=1
host32_CC := gcc
# Debian has the kernel's headers, which are the same for both, in the 64-bit folder alone.
M32 := -m32 -idirafter /usr/include/x86_64-linux-gnu
host32_CFLAGS := $(M32) -O2 -g1 -fstack-usage
hostarm_CC := aarch64-linux-gnu-gcc
hostarm_CFLAGS := -O2 -g1

host_GROUP := host
hostclang_GROUP := clang
asan_GROUP := host
tsan_GROUP := host
host32_GROUP := host32
hostarm_GROUP := aarch64

CORE_SRC := $(shell cat core/sources.list)
BOOT_SRC := $(sort $(wildcard boot/*.c))
LIB_SRC := $(CORE_SRC) $(BOOT_SRC)
PORT_SRC := $(sort $(wildcard port/hosted/*.c))

# packages of a group, once: `target: | build/packages/<group>`
build/packages/%: tools/packages.sh
	$(Q)bash tools/packages.sh $*
	$(Q)mkdir -p $(@D) && touch $@

# $(call objects,VARIANT,SOURCES)
objects = $(patsubst %.c,build/$(1)/obj/%.o,$(2))

# Objects of other flags than these are made again. The folder is made while the recipe is read, as
# the file in it is written then.
define variant_rules
build/$(1)/flags: FORCE
	$$(shell mkdir -p $$(@D))$$(file >$$@.now,$($(1)_CC) $($(1)_CFLAGS))
	$$(Q)cmp -s $$@.now $$@ || cp $$@.now $$@

build/$(1)/obj/%.o: %.c build/$(1)/flags | build/packages/$($(1)_GROUP)
	$$(call say,CC $(1),$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $$(C_STD) $$(if $$(filter $$(FREESTANDING),$$<),-ffreestanding) \
	    $($(1)_CFLAGS) $$(if $$(filter $(SUITES),$$<),-O0) \
	    $(or $($(1)_INCLUDE),$(HOST_INCLUDE)) -Itest -MMD -MP -c $$< -o $$@

build/$(1)/libcore.a: $(call objects,$(1),$(LIB_SRC) $(or $($(1)_PORT_SRC),$(PORT_SRC))) \
    core/sources.list
	$$(call say,AR $(1),$$@)
	$$(Q)rm -f $$@ && ar rcs $$@ $$(filter %.o,$$^)
endef
$(foreach v,$(VARIANTS),$(eval $(call variant_rules,$(v))))

-include $(shell find build -name '*.d' 2>/dev/null)

.PHONY: lib FORCE
FORCE:

lib: build/host/libloam.a build/host/libloam.so ## build/host/libloam.a and libloam.so
