# SPDX-License-Identifier: MIT
# Benches: numbers side by side in one run. They report; no time ever fails a build. docs/numbers.md
# says what each row means.
#
#     make bench            a few minutes
#     make bench QUICK=1    three minutes
#     make bench-insn       exact instructions, undisturbed by other programs

QUICK ?=
BENCH_BIN := build/host/bench
BENCH_CSV := build/bench

bench_objects_of = $(patsubst %,build/host/obj/bench/%.o,$(1))
BENCH_FRAMES := harness frames_stack frames_stack_work frames_loam_work frames_buddy \
    frames_buddy_work frames_textbook frames_textbook_work frames_linux frames_linux_work
BENCH_OBJECTS := objects_loam_work objects_libc_work

$(BENCH_BIN)/bench_frames: $(call bench_objects_of,bench_frames bench_report frames_tasks \
    frames_threads frames_verify $(BENCH_FRAMES))
$(BENCH_BIN)/bench_objects: $(call bench_objects_of,bench_objects objects_rows bench_report \
    objects_verify objects_remote harness $(BENCH_OBJECTS))
$(BENCH_BIN)/bench_vm: $(call bench_objects_of,bench_vm bench_report harness areas spans)
$(BENCH_BIN)/bench_insn: $(call bench_objects_of,bench_insn insn_objects insn_vm insn_tables \
    areas spans $(BENCH_FRAMES) $(BENCH_OBJECTS))
$(BENCH_BIN)/bench_locked: $(call bench_objects_of,bench_locked bench_report single_step \
    $(BENCH_FRAMES) $(BENCH_OBJECTS))
$(BENCH_BIN)/bench_free: $(call bench_objects_of,bench_free bench_report single_step \
    frames_stacsos_work frames_walk frames_walk_work $(BENCH_FRAMES)) $(call \
    objects,host,$(addprefix compat/stacsos/,page_allocator.c view.c))

BENCH_PROGRAMS := $(addprefix $(BENCH_BIN)/,bench_frames bench_objects bench_vm bench_insn \
    bench_locked bench_free)
$(BENCH_PROGRAMS): build/host/libcore.a
	$(call say,LD host,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(host_CC) $(host_CFLAGS) $(filter %.o,$^) build/host/libcore.a -lpthread -o $@

# What the programs of bench_programs.py run under, and its patterns: one file each.
$(BENCH_BIN)/measure: build/host/obj/bench/measure.o
	$(call say,LD host,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(host_CC) $(host_CFLAGS) $^ -o $@
TEST_NEEDS += $(BENCH_BIN)/measure

BENCH_PATTERNS := $(patsubst bench/%.c,$(BENCH_BIN)/%,$(filter-out %/pattern.c,$(sort \
    $(wildcard bench/patterns/*.c))))
$(BENCH_PATTERNS): $(BENCH_BIN)/patterns/%: build/host/obj/bench/patterns/%.o \
    build/host/obj/bench/patterns/pattern.o
	$(call say,LD host,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(host_CC) $(host_CFLAGS) $^ -lpthread -o $@

MUSL_PATTERNS := $(BENCH_PATTERNS:$(BENCH_BIN)/%=build/musl/bench/%)
$(MUSL_PATTERNS): build/musl/bench/patterns/%: build/musl/obj/bench/patterns/%.o \
    build/musl/obj/bench/patterns/pattern.o
	$(call say,LD musl,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(musl_CC) $^ -o $@

# Page faults are counted on the PC, boots on machines of any size, where emulators are installed.
BENCH_PC := \
    $(if $(shell command -v qemu-system-i386),build/pc32/kernel.elf build/pc32/initrd.cpio) \
    $(if $(shell command -v qemu-system-x86_64),build/pc64/kernel.elf)

BENCH_QUICK_INSN := object_pair_64,vmap_map_1024,pt_map_1024 # commas would end $(if)'s words

.PHONY: bench bench-insn bench-objects bench-programs bench-musl bench-report
bench: | build/packages/bench
bench: $(BENCH_PROGRAMS) $(BENCH_PATTERNS) $(BENCH_BIN)/measure build/host/libloam.so
bench: $(BENCH_PC) ## side by side (QUICK=1: three minutes)
	$(Q)mkdir -p $(BENCH_CSV)
	$(Q)$(BENCH_BIN)/bench_frames $(if $(QUICK),--quick) --csv $(BENCH_CSV)/frames.csv
	$(Q)$(BENCH_BIN)/bench_vm $(if $(QUICK),--quick) --csv $(BENCH_CSV)/vm.csv
	$(Q)$(BENCH_BIN)/bench_free $(if $(QUICK),--quick) --csv $(BENCH_CSV)/free.csv
	$(Q)$(BENCH_BIN)/bench_locked $(if $(QUICK),--ops 32) --csv $(BENCH_CSV)/locked.csv
	$(Q)bench/insn.py $(BENCH_BIN)/bench_insn --csv $(BENCH_CSV)/insn.csv \
	    $(if $(QUICK),--only $(BENCH_QUICK_INSN))
	$(Q)bench/fault_path.py --csv $(BENCH_CSV)/faults.csv
	$(Q)bench/boot_time.py $(if $(QUICK),--quick) --csv $(BENCH_CSV)/boot.csv
	$(Q)$(MAKE) --no-print-directory bench-objects
	$(Q)$(MAKE) --no-print-directory bench-programs

# Of several of these goals each waits for the one before: benches disturb each other.
bench-objects: $(filter bench bench-insn,$(MAKECMDGOALS))
bench-programs: $(filter bench bench-insn bench-objects,$(MAKECMDGOALS))
bench-report: $(filter bench bench-insn bench-objects bench-programs,$(MAKECMDGOALS))

bench-objects: $(BENCH_BIN)/bench_objects build/host/libloam.so
bench-objects: | build/packages/bench ## single calls, every malloc
	$(Q)mkdir -p $(BENCH_CSV)
	$(Q)$(BENCH_BIN)/bench_objects $(if $(QUICK),--quick) --csv $(BENCH_CSV)/objects.csv

bench-programs: $(BENCH_BIN)/measure $(BENCH_PATTERNS) build/host/libloam.so
bench-programs: | build/packages/programs build/packages/bench ## whole programs, every malloc
	$(Q)mkdir -p $(BENCH_CSV)
	$(Q)bench/bench_programs.py $(if $(QUICK),--quick) --csv $(BENCH_CSV)/programs.csv

bench-musl: $(BENCH_BIN)/measure $(MUSL_PATTERNS)
bench-musl: build/musl/libloam.so ## patterns on musl: its own malloc, and libloam.so
	$(Q)mkdir -p $(BENCH_CSV)
	$(Q)bench/bench_programs.py --musl $(if $(QUICK),--quick) --csv $(BENCH_CSV)/musl.csv

# What was measured last; without any, it is measured now.
$(BENCH_CSV)/programs.csv: | $(BENCH_CSV)/objects.csv
	$(Q)$(MAKE) --no-print-directory bench-programs
$(BENCH_CSV)/objects.csv:
	$(Q)$(MAKE) --no-print-directory bench-objects
bench-report: $(BENCH_CSV)/programs.csv $(BENCH_CSV)/objects.csv
bench-report: | build/packages/bench ## docs/bench.md and its charts from build/bench/*.csv
	$(Q)bench/bench_charts.py --from $(BENCH_CSV) --to docs

bench-insn: $(BENCH_BIN)/bench_insn build/host/libloam.so $(BENCH_PC)
bench-insn: | build/packages/bench ## exact instructions
	$(Q)mkdir -p $(BENCH_CSV)
	$(Q)bench/insn.py $(BENCH_BIN)/bench_insn --csv $(BENCH_CSV)/insn.csv
	$(Q)bench/fault_path.py --csv $(BENCH_CSV)/faults.csv

# A tiny run of everything: the benches work and their CSV can be read.
build/bench/bench_smoke: bench/bench_smoke.py $(BENCH_PROGRAMS) $(BENCH_PATTERNS) \
    $(MUSL_PATTERNS) build/musl/libloam.so \
    $(BENCH_BIN)/measure build/host/libloam.so | $(BENCH_PC)
	$(Q)mkdir -p $(@D)
	$(Q)install -m 755 $< $@
TESTS += build/bench/bench_smoke
