# SPDX-License-Identifier: MIT
# Fuzzers: test/fuzz/<x>_fuzz.c is one entry point, linked twice.
#
#     build/asan/fuzz/<x>_fuzz    with fuzz_replay.c: its corpus, 2 seconds of mutations; a test
#     build/fuzz/<x>_fuzz         with libFuzzer, by clang: `make fuzz FUZZ_SECONDS=600 FUZZ=fdt`
#
# Corpora: test/fuzz/corpus/<x>/, and build/corpus/fdt/ compiled from the .dts files there.

FUZZ_SECONDS ?= 30
FUZZERS := $(patsubst test/fuzz/%_fuzz.c,%,$(sort $(wildcard test/fuzz/*_fuzz.c)))
FUZZ ?= $(FUZZERS)
FUZZ_LIBS_fdt := -lfdt

fuzz_CC := clang
fuzz_CFLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
    -fno-sanitize-recover=all
fuzz_GROUP := clang
$(eval $(call variant_rules,fuzz))

DTS := $(patsubst test/fuzz/corpus/fdt/%.dts,%,$(sort $(wildcard test/fuzz/corpus/fdt/*.dts)))
DTB := $(DTS:%=build/corpus/fdt/%.dtb) $(DTS:%=build/corpus/fdt/%.v16.dtb)

build/corpus/fdt/%.dtb: test/fuzz/corpus/fdt/%.dts | build/packages/fuzz
	$(call say,DTC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)dtc -q -I dts -O dtb -o $@ $<

build/corpus/fdt/%.v16.dtb: test/fuzz/corpus/fdt/%.dts | build/packages/fuzz
	$(call say,DTC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)dtc -q -V 16 -I dts -O dtb -o $@ $<

build/asan/obj/test/fuzz/fdt_fuzz.o build/fuzz/obj/test/fuzz/fdt_fuzz.o: | build/packages/fuzz

build/fuzz/%_fuzz: build/fuzz/obj/test/fuzz/%_fuzz.o build/fuzz/libcore.a
	$(call say,LD fuzz,$@)
	$(Q)mkdir -p $(@D)
	$(Q)clang $(fuzz_CFLAGS) -fsanitize=fuzzer $^ $(FUZZ_LIBS_$*) -o $@

define replay_rules
build/$(1)/fuzz/%_fuzz: build/$(1)/obj/test/fuzz/%_fuzz.o build/$(1)/obj/test/fuzz/fuzz_replay.o \
    build/$(1)/libcore.a
	$$(call say,LD $(1),$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$($(1)_CC) $($(1)_CFLAGS) $$^ $$(FUZZ_LIBS_$$*) -o $$@
endef
$(foreach v,asan host32,$(eval $(call replay_rules,$(v))))

build/asan/fuzz/fdt_fuzz: | $(DTB)

# Its oracle checks as tests do.
build/asan/fuzz/vmap_fuzz: build/asan/obj/test/tap.o
build/host32/fuzz/vmap_fuzz: build/host32/obj/test/tap.o
build/fuzz/vmap_fuzz: build/fuzz/obj/test/tap.o

TESTS += $(FUZZERS:%=build/asan/fuzz/%_fuzz)
TESTS += $(patsubst %,build/host32/fuzz/%_fuzz,$(filter-out fdt,$(FUZZERS)))

.PHONY: fuzz $(FUZZERS:%=fuzz-%)
fuzz: $(FUZZ:%=fuzz-%) ## every fuzzer for FUZZ_SECONDS (30); FUZZ=fdt for one

$(FUZZERS:%=fuzz-%): fuzz-%: build/fuzz/%_fuzz $(DTB)
	$(Q)mkdir -p build/fuzz/found/$* build/corpus/$*
	$(Q)$< -max_total_time=$(FUZZ_SECONDS) -timeout=10 -max_len=8192 -print_final_stats=1 \
	    -artifact_prefix=build/fuzz/$*- build/fuzz/found/$* test/fuzz/corpus/$* build/corpus/$*
