#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# taplib.sh - for tests in shell, which name themselves: . tools/taplib.sh NAME
# Gives a folder, $scratch, until the test ends, and verdict: a line of TAP for the last command,
# with the end of $scratch/out when it failed.
test_name=$1 test_number=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

verdict() { # STATUS NAME
    test_number=$((test_number + 1))
    if [ "$1" = 0 ]; then echo "ok $test_number - $test_name: $2"; return; fi
    echo "not ok $test_number - $test_name: $2"
    [ ! -f "$scratch/out" ] || tail -n 60 "$scratch/out" | sed 's/^/#   /'
}
