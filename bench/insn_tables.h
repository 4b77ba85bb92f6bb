/* SPDX-License-Identifier: MIT */
#ifndef LOAM_BENCH_INSN_TABLES_H
#define LOAM_BENCH_INSN_TABLES_H

/* insn_tables.h - the page-table workloads of bench_insn. */
#include <stdbool.h>
#include <stddef.h>

void insn_tables_list(void);
bool insn_tables_run(const char *allocator, const char *workload, size_t n);

#endif
