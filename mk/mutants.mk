# SPDX-License-Identifier: MIT
# One-token mutants that the tests must kill: test/mutants/*.txt, run by tools/mutants.py.

MUTANT_TESTS := $(sort $(shell sed -n 's/^tests: //p' test/mutants/*.txt))
MUTANT_EXPLORED := $(filter explore/%,$(MUTANT_TESTS))
MUTANT_TESTS := $(filter-out explore/%,$(MUTANT_TESTS))
MUTANT_WITH := $(sort $(shell sed -n 's/^with: //p' test/mutants/*.txt))
MUTANT_NEEDS := build/host/libcore.a build/host/obj/test/tap.o \
    $(MUTANT_TESTS:%=build/host/obj/test/%.o) $(MUTANT_WITH:%.c=build/host/obj/%.o) \
    $(patsubst %,build/host/obj/test/main/%.o,$(notdir $(filter %_test,$(MUTANT_TESTS)))) \
    build/explore/libcore.a build/explore/obj/test/tap.o \
    $(MUTANT_EXPLORED:%=build/explore/obj/test/%.o)

TESTS += tools/mutants.py
TEST_NEEDS += $(MUTANT_NEEDS)

.PHONY: mutants
mutants: $(MUTANT_NEEDS) | build/packages/test ## break the code, and see that the tests notice
	$(call run_tests,tools/mutants.py)
