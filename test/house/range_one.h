/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_RANGE_ONE_H
#define LOAM_TEST_RANGE_ONE_H

/* range_one.h - an amalgamation root: the range unit inside of whatever file includes this one,
 * with no include path, no library and no name that another file could meet. */
#define LOAM_API static __attribute__((unused))
#include "../../include/loam/base.h"
#include "../../include/loam/range.h"

#include "../../core/range.c"
#include "../../core/range_check.c"

#endif
