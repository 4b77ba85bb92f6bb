/* SPDX-License-Identifier: MIT */
#ifndef CS3101_RANGE_ONE_H
#define CS3101_RANGE_ONE_H

/* range_one.h - an amalgamation root: Loam's range unit inside of the file that includes this one,
 * so that `gcc alloc.c test_alloc.c` needs no include path and no library. Whole units, no other
 * code; nothing of it is visible outside. */
#define LOAM_API static __attribute__((unused))
#include "../../include/loam/base.h"
#include "../../include/loam/range.h"

#include "../../core/range.c"
#include "../../core/range_check.c"

#endif
