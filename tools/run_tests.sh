#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run_tests.sh [-j N] TEST... - runs TAP programs through prove. The last line counts subtests:
# `N passed, N failed`. Exit code 0: none failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

jobs=2
[ "$1" != -j ] || { jobs=$2; shift 2; }
export TAP_DIR=$PWD/build/tap TAP_LIMIT=${TAP_LIMIT:-600}
rm -rf "$TAP_DIR" && mkdir -p "$TAP_DIR"
prove --jobs "$jobs" --failures --comments --exec tools/tap_run.sh "$@" </dev/null
proved=$?
logs=()
for test in "$@"; do
    log=$TAP_DIR/${test//\//+}.tap
    [ -e "$log" ] || echo "# never started" >"$log"
    logs+=("$log")
done
tools/tap_count.py "${logs[@]}"
counted=$?
[ "$proved" = 0 ] && [ "$counted" = 0 ]
