#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tap_run.sh TEST - what prove runs in place of the test itself: the test under a time limit, with
# its TAP kept beside, so that run_tests.sh can count.
#
# TAP_DIR      where the TAP goes, one file a test
# TAP_LIMIT    seconds a test may take
set -uo pipefail

unset MAKEFLAGS MFLAGS MAKELEVEL # a test that runs make is a make of its own
test=$1
log=$TAP_DIR/${test//\//+}.tap
timeout --kill-after=5 "$TAP_LIMIT" "./$test" </dev/null | tee "$log"
code=${PIPESTATUS[0]}
[ "$code" != 124 ] || echo "# $test: ended after $TAP_LIMIT seconds" | tee -a "$log"
echo "# exit code $code" >>"$log"
exit "$code"
