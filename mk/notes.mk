# SPDX-License-Identifier: MIT
# The core that tells of every block of caches, kmalloc, heaps and pools (loam/port_notes.h):
#
#     build/notes/memory_notes        Valgrind, for test/preload/valgrind_test.py
#     build/asannotes/memory_notes    AddressSanitizer, with the units' tests

notes_CC := gcc
notes_CFLAGS := -O1 -g1 -fno-inline -DLOAM_HOSTED_NOTES=2
notes_GROUP := test
asannotes_CC := gcc
asannotes_CFLAGS := $(asan_CFLAGS) -ULOAM_HOSTED_NOTES # so the port finds out
asannotes_GROUP := host
$(foreach v,notes asannotes,$(eval $(call variant_rules,$(v))))

define notes_rules
build/$(1)/memory_notes: build/$(1)/obj/test/model/memory_notes.o build/$(1)/obj/test/tap.o \
    build/$(1)/libcore.a
	$$(call say,LD $(1),$$@)
	$$(Q)mkdir -p $$(@D) && gcc $$($(1)_CFLAGS) $$^ -lpthread -o $$@
endef
$(foreach v,notes asannotes,$(eval $(call notes_rules,$(v))))

NOTED_UNITS := heap_test kmalloc_test pool_test slab_kept_test slab_test \
    slab_modes_test slab_swift_test
$(eval $(call unit_rules,asannotes))

TEST_NEEDS += build/notes/memory_notes
TESTS += build/asannotes/memory_notes $(NOTED_UNITS:%=build/asannotes/test/unit/%)
