# SPDX-License-Identifier: MIT
# malloc for a process (port/preload/): the shared library, and the static one that has it, too.
#
#     build/host/libloam.so    LD_PRELOAD it, or link with -lloam
#     build/host/libloam.a     the core for programs that use it themselves, and the same malloc
#     build/host32/libloam.so  for programs of 32 bits; its tests run in `make test`
#     build/hostarm/libloam.so for programs of 64-bit ARM, by a cross compiler; `make test-long`
#     build/musl/libloam.so    for programs on musl, by its musl-gcc; and libloam.a. `make musl`
#
# The malloc has a core of its own: its processors are the process's threads, and nobody else's
# numbers. In the static library its names are hidden; loam_malloc.o and loam_info.o have the C
# library's names and C++'s, loam_process.o all else. So who has a malloc already, as a sanitizer
# has, gets named heaps alone.

# Which C library a variant is for: GNU's or musl. This machine's own has no name for GNU's there.
NATIVE_LIBC := $(if $(wildcard /usr/include/gnu/libc-version.h \
    /usr/include/*/gnu/libc-version.h),gnu,$(if $(wildcard /usr/include/features.h),musl,gnu))

# port/preload/: what one of them alone has, or wants.
gnu_ALONE := $(addprefix port/preload/,deep_bind.c fork_first.c)
musl_ALONE := $(addprefix port/preload/,musl.c musl_fork_first.c)
for_libc = $(CORE_SRC) $(filter-out $(1),$(sort $(wildcard port/preload/*.c))) $(PORT_SRC)
gnu_PARTS := $(call for_libc,$(musl_ALONE))
musl_PARTS := $(call for_libc,$(gnu_ALONE))
PRELOAD_PARTS := $($(NATIVE_LIBC)_PARTS)
SO_VERSION := 0

PRELOAD_CFLAGS := $(FOR_PACKAGES) -fPIC -fvisibility=hidden -ftls-model=initial-exec \
    -fno-builtin-malloc -fno-semantic-interposition -ffunction-sections -fdata-sections \
    -DLOAM_HOSTED_NOTES=1 \
    -DLOAM_HOSTED_FIRST_CPU=511 # PROCESS_NOBODY
so_CC := gcc
so_LIBC := $(NATIVE_LIBC)
so_GROUP := host
so_INCLUDE := -Iinclude -Iport/hosted -Iport/preload
so_CFLAGS := $(PRELOAD_CFLAGS)
so32_CC := gcc
so32_LIBC := gnu
so32_GROUP := host32
so32_INCLUDE := $(so_INCLUDE)
so32_CFLAGS := $(M32) $(PRELOAD_CFLAGS)
soarm_CC := aarch64-linux-gnu-gcc
soarm_LIBC := gnu
soarm_GROUP := aarch64
soarm_INCLUDE := $(so_INCLUDE)
soarm_CFLAGS := $(PRELOAD_CFLAGS)
musl_CC := musl-gcc
musl_GROUP := musl
musl_CFLAGS := -O2 -g1
somusl_CC := musl-gcc
somusl_LIBC := musl
somusl_GROUP := musl
somusl_INCLUDE := $(so_INCLUDE)
somusl_CFLAGS := $(PRELOAD_CFLAGS)
$(foreach v,so so32 soarm musl somusl,$(eval $(call variant_rules,$(v))))
SHARED_ONLY := $(addprefix port/preload/,behind.c deep_bind.c fewer.c fork_first.c mallocx.c \
    musl_fork_first.c strdup.c)
MALLOC_SRC := $(addprefix port/preload/,operators.c preload_free.c preload_malloc.c \
    preload_realloc.c)
INFO_SRC := port/preload/info.c
process_src = $(filter-out $(SHARED_ONLY) $(MALLOC_SRC) $(INFO_SRC),$($($(1)_LIBC)_PARTS))

PRELOAD_LINK := -shared -Wl,-soname,libloam.so.$(SO_VERSION) \
    -Wl,-z,now,-z,relro,-z,nodelete,-z,max-page-size=65536,--no-undefined,--gc-sections \
    -Wl,--version-script=port/preload/libloam.map

# GNU's second names of its malloc's calls, which a malloc in the program itself is made of. They
# are the same code, not calls by the first names: those may be the program's.
gnu_LINK := $(foreach n,malloc free calloc realloc memalign valloc pvalloc,\
    -Wl,--defsym=__libc_$(n)=$(n))

# its first code, for sed
FIRST_CODE := INCLUDE port/preload/start.ld\nINCLUDE port/preload/often.ld

# folder below build/, variant, what gcc needs besides. The linker's own script gets a few lines:
# where the code begins, and what is to be the first of it and of the data. (It shows its script
# between two lines of =.)
define preload_rules
build/$(1)/libloam.so.$(SO_VERSION): $(call objects,$(2),$($($(2)_LIBC)_PARTS)) \
    port/preload/libloam.map port/preload/libloam.ld port/preload/often.ld port/preload/start.ld
	$$(call say,LD $(2),$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(2)_CC) $(3) $$(LDFLAGS) $(PRELOAD_LINK) -Wl,--verbose -o $$@.none | \
	    sed -e '1,/^====/d' -e '/^====/,$$$$d' \
	    -e 's|^ *\.init  *:|. += 0xc000; /* start.ld */\n&|' \
	    -e 's|^ *\*(\.text\.unlikely|$(FIRST_CODE)\n&|' \
	    -e 's|^ *\*(\.data \.data\.\*|*(.data.loam__conf)\n&|' >$$@.ld
	$$(Q)rm -f $$@.none
	$$(Q)$($(2)_CC) $(3) $$(LDFLAGS) $(PRELOAD_LINK) $($($(2)_LIBC)_LINK) \
	    -Wl,-dT,$$@.ld,-T,port/preload/libloam.ld \
	    $$(filter %.o,$$^) -lpthread -o $$@

build/$(1)/libloam.so: build/$(1)/libloam.so.$(SO_VERSION)
	$$(Q)ln -sf libloam.so.$(SO_VERSION) $$@
endef
$(eval $(call preload_rules,host,so,))
$(eval $(call preload_rules,host32,so32,-m32))
$(eval $(call preload_rules,hostarm,soarm,))
$(eval $(call preload_rules,musl,somusl,))

# operators.c has the reason
NOTHROW_NEW := _ZnwmRKSt9nothrow_t _ZnamRKSt9nothrow_t _ZnwmSt11align_val_tRKSt9nothrow_t \
    _ZnamSt11align_val_tRKSt9nothrow_t

# The archive: folder below build/ and variant of the core, variant of the malloc.
#
# The parts of its malloc before their names are hidden. Who takes malloc takes what tells of it,
# too. Names of the first part that the others use go by loam_own__ before them, as the archive has
# the core by its names besides.
define archive_rules
build/$(2)/part_process.o: $(call objects,$(2),$(call process_src,$(2)))
build/$(2)/part_malloc.o: $(call objects,$(2),$(MALLOC_SRC))
build/$(2)/part_info.o: $(call objects,$(2),$(INFO_SRC))
build/$(2)/part_malloc.o: PART_WANTS := -u malloc_trim
build/$(2)/part_%.o:
	$$(call say,LD $(2),$$@)
	$$(Q)ld -r $$(PART_WANTS) -o $$@ $$^

build/$(2)/own: $(addprefix build/$(2)/part_,process.o malloc.o info.o)
	$$(Q)objdump -t $$< | awk '/ \.hidden / && !/UND/ {print $$$$NF}' | LC_ALL=C sort >$$@.hidden
	$$(Q)nm -u $$(filter-out $$<,$$^) | awk 'NF == 2 {print $$$$2}' | LC_ALL=C sort -u >$$@.used
	$$(Q)LC_ALL=C comm -23 $$@.hidden $$@.used >$$@.local
	$$(Q)LC_ALL=C comm -12 $$@.hidden $$@.used | sed 's/.*/& loam_own__&/' >$$@

build/$(2)/loam_process.o: build/$(2)/part_process.o build/$(2)/own
	$$(Q)objcopy --redefine-syms=build/$(2)/own --localize-symbols=build/$(2)/own.local \
	    --localize-symbol=loam_last_report $$< $$@

build/$(2)/loam_malloc.o build/$(2)/loam_info.o: build/$(2)/loam_%.o: build/$(2)/part_%.o \
    build/$(2)/own
	$$(Q)objcopy --redefine-syms=build/$(2)/own --localize-hidden \
	    $(addprefix --localize-symbol=,$(NOTHROW_NEW)) $$< $$@

build/$(1)/libloam.a: $(call objects,$(1),$(LIB_SRC) $(PORT_SRC)) \
    $(addprefix build/$(2)/loam_,malloc.o info.o process.o)
	$$(call say,AR $(1),$$@)
	$$(Q)rm -f $$@ && ar rcs $$@ $$^
endef
$(eval $(call archive_rules,host,so))
$(eval $(call archive_rules,musl,somusl))

.PHONY: musl
musl: build/musl/libloam.so build/musl/libloam.a ## both libraries for programs on musl

all: build/host/libloam.so build/host/libloam.a
TEST_NEEDS += build/musl/libloam.so build/musl/libloam.a
TEST_NEEDS += build/host/libloam.so build/host/libloam.a build/host32/libloam.so

# ---- its tests: programs linked with the library ----

PRELOAD_TESTS := $(patsubst test/preload/%.c,build/preload/%,$(sort $(wildcard test/preload/*.c)))

# folder below build/, variant, what its compiler needs besides
define preload_test_rules
build/$(1)/%: build/$(2)/obj/test/preload/%.o build/$(2)/obj/test/tap.o build/$(2)/libcore.a \
    build/$(2)/libloam.so
	$$(call say,LD $(1),$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(2)_CC) $(3) $$(filter %.o %.a,$$^) -Lbuild/$(2) -l:libloam.so.$(SO_VERSION) \
	    -Wl,-rpath,'$$$$ORIGIN/../$(2)' -lpthread -o $$@
endef
$(eval $(call preload_test_rules,preload,host,))
$(eval $(call preload_test_rules,preload32,host32,-m32))
$(eval $(call preload_test_rules,preloadarm,hostarm,))
$(eval $(call preload_test_rules,preloadmusl,musl,))

# The same in 32 bits, on musl, and on musl in static programs.
PRELOAD32_TESTS := $(PRELOAD_TESTS:build/preload/%=build/preload32/%)
PRELOADMUSL_TESTS := $(PRELOAD_TESTS:build/preload/%=build/preloadmusl/%) \
    $(addprefix build/staticmusl/,malloc_api malloc_mix)

build/staticmusl/%: build/musl/obj/test/preload/%.o build/musl/obj/test/tap.o build/musl/libloam.a
	$(call say,LD staticmusl,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(musl_CC) -static $^ -o $@

# The same under ThreadSanitizer, which has a malloc itself: this one, and the test's calls of it,
# go by other names. `make test-long` runs it.
sotsan_CC := gcc
sotsan_GROUP := host
sotsan_INCLUDE := $(so_INCLUDE)
sotsan_CFLAGS := $(tsan_CFLAGS) -fno-builtin-malloc -DLOAM_HOSTED_NOTES=0 \
    -DLOAM_HOSTED_FIRST_CPU=511
$(eval $(call variant_rules,sotsan))

build/sotsan/names: port/preload/libloam.abi
	$(Q)mkdir -p $(@D)
	$(Q)sed -n 's/^func \([a-z_0-9]*\) .*/\1 its_\1/p' $< >$@

build/sotsan/test/preload/%: build/sotsan/obj/test/preload/%.o build/sotsan/obj/test/tap.o \
    $(call objects,sotsan,$(filter-out $(SHARED_ONLY) port/preload/operators.c,$(PRELOAD_PARTS))) \
    build/sotsan/names
	$(call say,LD sotsan,$@)
	$(Q)mkdir -p $(@D)
	$(Q)ld -r -o $@.o $(filter %.o,$^) && objcopy --redefine-syms=build/sotsan/names $@.o
	$(Q)gcc -fsanitize=thread $@.o -lpthread -o $@

test-long: build/sotsan/test/preload/malloc_mix build/preloadarm/malloc_mix

TESTS += $(PRELOAD_TESTS) $(PRELOAD32_TESTS) $(PRELOADMUSL_TESTS) \
    $(sort $(wildcard test/preload/*_test.py))
LONG_TESTS += $(sort $(wildcard test/preload/*_long.py))
test test-long: | build/packages/programs
