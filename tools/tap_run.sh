#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tap_run.sh TEST - what prove runs in place of the test itself: the test under a time limit, with
# its TAP kept beside, so that run_tests.sh can count.
#
# TAP_DIR      where the TAP goes, one file a test; and TIMES: real, user and system seconds of each
# TAP_LIMIT    seconds a test may take
set -uo pipefail

unset MAKEFLAGS MFLAGS MAKELEVEL # a test that runs make is a make of its own
test=$1
log=$TAP_DIR/${test//\//+}.tap
TIMEFORMAT="%R %U %S $test"
run() { timeout --kill-after=5 "$TAP_LIMIT" "./$test" </dev/null 2>&3 3>&- | tee "$log"; }
{ time run; } 3>&2 2>>"$TAP_DIR/TIMES"
code=$?
[ "$code" != 124 ] || echo "# $test: ended after $TAP_LIMIT seconds" | tee -a "$log"
echo "# exit code $code" >>"$log"
exit "$code"
