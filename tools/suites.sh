#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# suites.sh FILE... - C with the table of the test suites in these files, for a kernel's tests.c.
set -euo pipefail

echo '#include "tap.h"'
for file in "$@"; do
    echo "extern const tap_suite tap_suite_$(basename "$file" .c);"
done
echo 'extern const tap_suite *const kern_suites[]; extern const size_t kern_suite_count;'
echo 'const tap_suite *const kern_suites[] = {'
for file in "$@"; do
    echo "    &tap_suite_$(basename "$file" .c),"
done
echo '};'
echo 'const size_t kern_suite_count = LOAM_ARRAY_LEN(kern_suites);'
