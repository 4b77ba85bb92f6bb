/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BENCH_INSN_VM_H
#define LOAM_BENCH_INSN_VM_H

/* insn_vm.h - what bench_insn has of ranges and of areas. */
#include <stdbool.h>
#include <stddef.h>

void insn_vm_list(void);
/* false: no such workload. */
bool insn_vm_run(const char *allocator, const char *name, size_t n);

#endif
