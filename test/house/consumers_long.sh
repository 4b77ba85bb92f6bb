#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The thin CMakeLists.txt and meson.build, as a consumer's project uses them.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

root=$PWD
. tools/taplib.sh consumers
greets() { [ "$("$1" 2>&1)" = "hello from the arena" ]; }

echo 1..4
mkdir "$scratch/cmake"
cat >"$scratch/cmake/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.18)
project(user LANGUAGES C)
add_subdirectory($root loam)
add_executable(arena $root/examples/arena.c)
target_link_libraries(arena loam)
END
cmake -S "$scratch/cmake" -B "$scratch/cmake/build" >"$scratch/out" 2>&1 &&
    cmake --build "$scratch/cmake/build" >>"$scratch/out" 2>&1
verdict $? "cmake: add_subdirectory: builds"
greets "$scratch/cmake/build/arena"
verdict $? "cmake: the example runs"

mkdir -p "$scratch/meson/subprojects"
ln -s "$root" "$scratch/meson/subprojects/loam"
cp examples/arena.c "$scratch/meson"
cat >"$scratch/meson/meson.build" <<'END'
project('user', 'c')
executable('arena', 'arena.c', dependencies: dependency('loam', fallback: ['loam', 'loam_dep']))
END
meson setup "$scratch/meson/build" "$scratch/meson" >"$scratch/out" 2>&1 &&
    meson compile -C "$scratch/meson/build" >>"$scratch/out" 2>&1
verdict $? "meson: subproject: builds"
greets "$scratch/meson/build/arena"
verdict $? "meson: the example runs"
