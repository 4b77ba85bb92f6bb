#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run_tests.sh [-j N] TEST... - runs TAP programs through prove. The last line counts subtests:
# `N passed, N failed`. Exit code 0: none failed. Before it: which tests took the most time of the
# processor, which a busy machine changes less than that of the clock.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

jobs=2
[ "$1" != -j ] || { jobs=$2; shift 2; }
export TAP_DIR=$PWD/build/tap TAP_LIMIT=${TAP_LIMIT:-600}
rm -rf "$TAP_DIR" && mkdir -p "$TAP_DIR" && : >"$TAP_DIR/TIMES"
prove --jobs "$jobs" --failures --comments --exec tools/tap_run.sh "$@" </dev/null
proved=$?
awk '{ print $2 + $3, $4 }' "$TAP_DIR/TIMES" | sort -rn | awk '
    NR <= 5 { most = most sprintf("%s %s %d s", NR > 1 ? "," : "", $2, $1) }
    { all += $1 }
    END { printf "processor time %d s, most of it:%s (build/tap/TIMES)\n", all, most }'
logs=()
for test in "$@"; do
    log=$TAP_DIR/${test//\//+}.tap
    [ -e "$log" ] || echo "# never started" >"$log"
    logs+=("$log")
done
tools/tap_count.py "${logs[@]}"
counted=$?
[ "$proved" = 0 ] && [ "$counted" = 0 ]
