# SPDX-License-Identifier: MIT
# compat/stacsos: the page allocator of stacsos. A hosted library, its self-test in a process and in
# the kernels, its tests.
#
#     build/host/libstacsos.a     the allocator and what it stands on
#     build/<v>/stacsos-demo      the self-test in a process

STACSOS := compat/stacsos
STACSOS_SRC := $(addprefix $(STACSOS)/,page_allocator.c view.c selftest.c)
STACSOS_VARIANTS := host hostclang asan host32
FREESTANDING += $(STACSOS_SRC)

define stacsos_rules
build/$(1)/stacsos-demo: $(call objects,$(1),$(STACSOS_SRC) $(STACSOS)/host.c) \
    build/$(1)/libcore.a
	$$(call say,LD $(1),$$@)
	$$(Q)$($(1)_CC) $($(1)_CFLAGS) $$^ -o $$@

build/$(1)/test/stacsos/%: build/$(1)/obj/test/stacsos/%.o build/$(1)/obj/test/main/%.o \
    build/$(1)/obj/test/tap.o $(call objects,$(1),$(STACSOS_SRC)) build/$(1)/libcore.a
	$$(call say,LD $(1),$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $($(1)_CFLAGS) $$^ -lpthread -o $$@

# The face once more, over a port with an interrupt flag.
build/$(1)/test/stacsos/stacsos_irq_test: test/stacsos/stacsos_irq_test.c $(STACSOS_SRC) \
    test/stacsos/port/loam_port.h $(wildcard $(STACSOS)/*.h) test/tap_main.c \
    build/$(1)/obj/test/tap.o build/$(1)/libcore.a
	$$(call say,LD $(1),$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $$(C_STD) $($(1)_CFLAGS) -Iinclude -Itest/stacsos/port -Itest \
	    -DTAP_SUITE_NAME=stacsos_irq_test $$(filter %.c %.o %.a,$$^) -o $$@
endef
$(foreach v,$(STACSOS_VARIANTS) tsan,$(eval $(call stacsos_rules,$(v))))

STACSOS_LIB := $(STACSOS_SRC) $(filter core/base% core/port_report% core/trace% core/memblock% \
    core/buddy% core/zone%,$(CORE_SRC)) $(PORT_SRC)
build/host/libstacsos.a: $(call objects,host,$(STACSOS_LIB))
	$(call say,AR host,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

# ---- on the PC with 64 bits: the document's machine ----

.PHONY: run-stacsos
run-stacsos: kernel-args ?= pgalloc=buddy pgalloc-selftest=yes
run-stacsos: | build/packages/pc64
run-stacsos: $(addprefix build/pc64/,kernel.elf initrd.cpio) ## boot the page allocator of stacsos
	$(Q)QEMU=qemu-system-x86_64 MEMORY=8G CPUS=4 tools/run_pc.sh '$(kernel-args)' -M q35 \
	    -kernel build/pc64/kernel.elf -initrd build/pc64/initrd.cpio

STACSOS_SUITES := $(patsubst test/stacsos/%.c,%,$(sort $(wildcard test/stacsos/*_test.c)))
STACSOS_TESTS := test/stacsos/stacsos_commands.py build/tsan/test/stacsos/stacsos_threads_test \
    $(foreach v,$(STACSOS_VARIANTS),$(STACSOS_SUITES:%=build/$(v)/test/stacsos/%))
STACSOS_NEEDS := build/host/libstacsos.a $(addprefix build/pc64/,kernel.elf initrd.cpio) \
    $(STACSOS_VARIANTS:%=build/%/stacsos-demo)
TESTS += $(STACSOS_TESTS)
TEST_NEEDS += $(STACSOS_NEEDS)

.PHONY: test-stacsos
test-stacsos: | build/packages/test
test-stacsos: $(STACSOS_TESTS) $(STACSOS_NEEDS) ## the tests of compat/stacsos alone
	$(call run_tests,$(STACSOS_TESTS))
