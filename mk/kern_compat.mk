# SPDX-License-Identifier: MIT
# Older systems that are linked into the kernels; read before the boards' rooms, which list files.

SHOMP_KERN := $(addprefix compat/shomp/src/,memory/heap.c memory/guard.c memory/view.c play/play.c \
    kern/kern.c)
KERN_EXTRA += $(SHOMP_KERN)

STACSOS_KERN := $(addprefix compat/stacsos/,page_allocator.c view.c selftest.c kern.c \
    machine.c)
KERN_EXTRA += $(STACSOS_KERN)
