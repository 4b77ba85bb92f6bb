# SPDX-License-Identifier: MIT
# malloc for a process (port/preload/): the shared library, and the static one that has it, too.
#
#     build/host/libloam.so    LD_PRELOAD it, or link with -lloam
#     build/host/libloam.a     the core for programs that use it themselves, and the same malloc
#
# The malloc has a core of its own: its processors are the process's threads, and nobody else's
# numbers. In the static library that is one object whose other names are hidden.

PRELOAD_SRC := $(sort $(wildcard port/preload/*.c))
PRELOAD_PARTS := $(CORE_SRC) $(PRELOAD_SRC) $(PORT_SRC)
SO_VERSION := 0

so_CC := gcc
so_GROUP := host
so_INCLUDE := -Iinclude -Iport/hosted -Iport/preload
so_CFLAGS := $(FOR_PACKAGES) -fPIC -fvisibility=hidden -ftls-model=initial-exec \
    -fno-builtin-malloc -fno-semantic-interposition -DLOAM_HOSTED_FIRST_CPU=31 # PROCESS_NOBODY

$(eval $(call variant_rules,so))
PRELOAD_OBJ := $(call objects,so,$(PRELOAD_PARTS))

build/host/libloam.so.$(SO_VERSION): $(PRELOAD_OBJ) port/preload/libloam.map
	$(call say,LD so,$@)
	$(Q)mkdir -p $(@D)
	$(Q)gcc $(LDFLAGS) -shared -Wl,-soname,libloam.so.$(SO_VERSION) \
	    -Wl,-z,now,-z,relro,--no-undefined -Wl,--version-script=port/preload/libloam.map \
	    $(PRELOAD_OBJ) -lpthread -o $@

build/host/libloam.so: build/host/libloam.so.$(SO_VERSION)
	$(Q)ln -sf libloam.so.$(SO_VERSION) $@

build/so/loam_malloc.o: $(PRELOAD_OBJ)
	$(call say,LD so,$@)
	$(Q)ld -r -o $@.all $^ && objcopy --localize-hidden --localize-symbol=loam_last_report \
	    $@.all $@ && rm $@.all

build/host/libloam.a: $(call objects,host,$(LIB_SRC) $(PORT_SRC)) build/so/loam_malloc.o
	$(call say,AR host,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

all: build/host/libloam.so build/host/libloam.a
TEST_NEEDS += build/host/libloam.so build/host/libloam.a

# ---- its tests: programs linked with the library ----

PRELOAD_TESTS := $(patsubst test/preload/%.c,build/preload/%,$(sort $(wildcard test/preload/*.c)))

build/preload/%: build/host/obj/test/preload/%.o build/host/obj/test/tap.o build/host/libcore.a \
    build/host/libloam.so
	$(call say,LD preload,$@)
	$(Q)mkdir -p $(@D)
	$(Q)gcc $(filter %.o %.a,$^) -Lbuild/host -l:libloam.so.$(SO_VERSION) \
	    -Wl,-rpath,'$$ORIGIN/../host' -lpthread -o $@

TESTS += $(PRELOAD_TESTS) $(sort $(wildcard test/preload/*_test.py))
LONG_TESTS += $(sort $(wildcard test/preload/*_long.py))
test test-long: | build/packages/programs
