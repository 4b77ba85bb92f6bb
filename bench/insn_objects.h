/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BENCH_INSN_OBJECTS_H
#define LOAM_BENCH_INSN_OBJECTS_H

/* insn_objects.h - the object workloads of bench_insn. */
#include <stdbool.h>
#include <stddef.h>

void insn_objects_list(void);
bool insn_objects_run(const char *allocator, const char *workload, size_t n);

#endif
