# SPDX-License-Identifier: MIT
# The examples: the programs whose marked parts the README and docs/bringup.md show.

# bringup brings its own port, examples/tiny: the core is compiled against that one.
tiny_CC := gcc
tiny_CFLAGS := -O1 -g1
tiny_GROUP := host
tiny_INCLUDE := -Iinclude -Iexamples/tiny
$(eval $(call variant_rules,tiny))

build/host/examples/%: build/host/obj/examples/%.o build/host/libcore.a
	$(call say,LD host,$@)
	$(Q)mkdir -p $(@D) && gcc $(host_CFLAGS) $^ -o $@

build/tiny/examples/bringup: $(call objects,tiny,examples/bringup.c $(CORE_SRC))
	$(call say,LD tiny,$@)
	$(Q)mkdir -p $(@D) && gcc $(tiny_CFLAGS) $^ -o $@

build/preload/examples/named_heap: build/host/obj/examples/named_heap.o build/host/libloam.so
	$(call say,LD preload,$@)
	$(Q)mkdir -p $(@D) && gcc $< -Lbuild/host -l:libloam.so.$(SO_VERSION) \
	    -Wl,-rpath,'$$ORIGIN/../../host' -o $@

EXAMPLES := build/host/examples/arena build/tiny/examples/bringup build/preload/examples/named_heap
TEST_NEEDS += $(EXAMPLES)

.PHONY: examples
examples: $(EXAMPLES) ## arena, bringup, named_heap
