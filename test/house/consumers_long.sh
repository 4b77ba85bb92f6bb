#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The thin CMakeLists.txt and meson.build, as a consumer's project uses them.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
verdict() { # TRUE NAME
    number=$((number + 1))
    if [ "$1" = 0 ]; then echo "ok $number - $2"; return; fi
    echo "not ok $number - $2"
    sed 's/^/#   /' "$work/out"
}
greets() { [ "$("$1" 2>&1)" = "hello from the arena" ]; }

echo 1..4
mkdir "$work/cmake"
cat >"$work/cmake/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.18)
project(user LANGUAGES C)
add_subdirectory($root loam)
add_executable(arena $root/examples/arena.c)
target_link_libraries(arena loam)
END
cmake -S "$work/cmake" -B "$work/cmake/build" >"$work/out" 2>&1 &&
    cmake --build "$work/cmake/build" >>"$work/out" 2>&1
verdict $? "cmake: add_subdirectory: builds"
greets "$work/cmake/build/arena"
verdict $? "cmake: the example runs"

mkdir -p "$work/meson/subprojects"
ln -s "$root" "$work/meson/subprojects/loam"
cp examples/arena.c "$work/meson"
cat >"$work/meson/meson.build" <<'END'
project('user', 'c')
executable('arena', 'arena.c', dependencies: dependency('loam', fallback: ['loam', 'loam_dep']))
END
meson setup "$work/meson/build" "$work/meson" >"$work/out" 2>&1 &&
    meson compile -C "$work/meson/build" >>"$work/out" 2>&1
verdict $? "meson: subproject: builds"
greets "$work/meson/build/arena"
verdict $? "meson: the example runs"
