# SPDX-License-Identifier: MIT
# What a malloc costs on many processors, counted on few: cache lines that go from thread to thread,
# and what is done with a lock held. bench/coherence.c says how, docs/numbers.md what it said.
#
#     make bench-coherence          2 to 64 threads: minutes
#     bench/coherence.py --help     what else it tells: places of the code, LOAM_CONF, ...
#
# The library is compiled anew, and each access of its own is a call.

coherence_CC := gcc
coherence_GROUP := host
coherence_INCLUDE := $(so_INCLUDE) -Ibench
coherence_CFLAGS = $(PRELOAD_CFLAGS) $$(if $$(filter bench/%,$$<),, \
    -fsanitize=thread -include bench/coherence_builtin.h)
$(eval $(call variant_rules,coherence))

build/coherence/libloam.so: $(call objects,coherence,$(PRELOAD_PARTS) bench/coherence.c \
    bench/coherence_calls.c) port/preload/libloam.map
	$(call say,LD coherence,$@)
	$(Q)mkdir -p $(@D)
	$(Q)gcc -shared -Wl,-z,now,-z,nodelete,--no-undefined,--gc-sections \
	    $(filter %.o,$^) -lpthread -o $@

build/coherence/work: build/coherence/obj/bench/coherence_work.o
	$(call say,LD coherence,$@)
	$(Q)gcc $^ -lpthread -o $@

COHERENCE_NEEDS := build/coherence/libloam.so build/coherence/work
build/bench/bench_smoke: $(COHERENCE_NEEDS)

.PHONY: bench-coherence
bench-coherence: $(COHERENCE_NEEDS) ## cache lines that go from thread to thread, 2 to 64 of them
	$(Q)mkdir -p $(BENCH_CSV)
	$(Q)bench/coherence.py --csv $(BENCH_CSV)/coherence.csv
