#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# make install, as somebody would use it who has nothing but what was installed; make uninstall.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

. tools/taplib.sh install
out=$scratch/out root=$scratch/root
placed() { (cd "$root" && find . ! -type d | sort); }

cat >"$scratch/user.c" <<'END'
#include <loam/base.h>
#include <loam/kmalloc.h>
#include <loam/memblock.h>
#include <stdio.h>

int main(void)
{
    loam_span ram[2], held[2], early[2];
    loam_memblock map;
    loam_memblock_init(&map, ram, 2, held, 2, early, 2);
    loam_memblock_add(&map, loam_pa_of(0x1000), 0x3000);
    loam_memblock_reserve(&map, loam_pa_of(0x2000), 1);
    loam_memblock_sum sum;
    loam_memblock_count(&map, &sum);
    printf("%d of %d frames free\n", (int)sum.free, (int)sum.total);
    return 0;
}
END

echo 1..17
make install DESTDIR="$root" PREFIX=/opt/loam >"$out" 2>&1
verdict $? "make install: succeeds"

export PKG_CONFIG_PATH=$root/opt/loam/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
[ "$(pkg-config --modversion loam 2>"$out")" = 0.1.0 ]
verdict $? "pkg-config: knows the version"

read -r -a flags <<<"$(pkg-config --cflags --libs loam 2>"$out")"
gcc -std=c11 -Wall -Wextra -Werror "$scratch/user.c" -o "$scratch/user" "${flags[@]}" >>"$out" 2>&1
verdict $? "a program: compiles with pkg-config's flags alone"

"$scratch/user" >"$out" 2>&1 && [ "$(cat "$out")" = "2 of 3 frames free" ]
verdict $? "the program: runs"

lib=$root/opt/loam/lib
cat >"$scratch/twice.c" <<'END'
#include <stdlib.h>
int main(void) { char *p = malloc(9); free(p); free(p); }
END
read -r -a flags <<<"$(pkg-config --cflags --libs loam-malloc 2>"$out")"
gcc -O0 -w -fno-builtin "$scratch/twice.c" -o "$scratch/twice" "${flags[@]}" \
    "-Wl,-rpath,$lib" >"$out" 2>&1
(ulimit -c 0; "$scratch/twice" >"$out" 2>&1) 2>/dev/null
grep -q "^loam: slab: double free" "$out"
verdict $? "a program linked with libloam.so, as loam-malloc.pc says: has its malloc"

gcc -Wall -Wextra -Werror examples/named_heap.c -o "$scratch/heap" "${flags[@]}" \
    "-Wl,-rpath,$lib" >"$out" 2>&1 && "$scratch/heap" >>"$out" 2>&1 &&
    grep -q "^hello from a heap" "$out"
verdict $? "a program with named heaps, by the same flags: runs"

cat >"$scratch/heap.cc" <<'END'
#include <loam/heap.h>
#include <loam/process_heap.h>
#include <stdio.h>

int main()
{
    loam_process_heap heap;
    bool made = loam_process_heap_create(&heap, "heap", 1 << 20) == LOAM_OK;
    void *p = loam_process_heap_alloc(heap, 100);
    puts(made && p && loam_process_heap_free(heap, p) == LOAM_OK ? "a heap" : "no heap");
    return 0;
}
END
for cxx in "g++ -std=c++11" "g++ -std=c++20" clang++; do
    $cxx -Wall -Wextra -Wpedantic -Werror "$scratch/heap.cc" -o "$scratch/heap" "${flags[@]}" \
        "-Wl,-rpath,$lib" && "$scratch/heap"
done >"$out" 2>&1
[ "$(sort "$out" | uniq -c | tr -s ' ')" = " 3 a heap" ]
verdict $? "a C++ program with named heaps: compiles without a warning, links and runs"

read -r -a flags <<<"$(pkg-config --libs loam 2>"$out")"
gcc -O0 -w -fno-builtin "$scratch/twice.c" -o "$scratch/still" "${flags[@]}" >"$out" 2>&1
(ulimit -c 0; "$scratch/still" >"$out" 2>&1) 2>/dev/null
grep -q "^loam: slab: double free" "$out"
verdict $? "a program linked with libloam.a: has its malloc, too"

[ "$(LD_PRELOAD="$lib/libloam.so" LOAM_CONF=stats ls "$lib/libloam.so" 2>"$out")" = \
    "$lib/libloam.so" ] && grep -q "^loam: .* blocks are out" "$out"
verdict $? "ls with libloam.so preloaded: runs, tells figures"

: >"$out"
for page in docs/man/*.[1-9]; do
    cmp "$page" "$root/opt/loam/share/man/man${page##*.}/${page##*/}" >>"$out" 2>&1
done
[ ! -s "$out" ]
verdict $? "manual pages: all there, each in its section"

for header in include/loam/*.h; do
    cmp "$header" "$root/opt/loam/$header" >>"$out" 2>&1
done
[ ! -s "$out" ]
verdict $? "headers: all there"

grep -r "$scratch" "$lib/pkgconfig" >"$out" 2>&1
[ ! -s "$out" ]
verdict $? "pkg-config files: DESTDIR is not in them"

placed >"$scratch/first" && make install DESTDIR="$root" PREFIX=/opt/loam >"$out" 2>&1 &&
    placed | diff "$scratch/first" - >>"$out"
verdict $? "make install: twice is once"

echo kept >"$root/opt/loam/include/loam/mine.h"
make uninstall DESTDIR="$root" PREFIX=/opt/loam >"$out" 2>&1 &&
    [ "$(placed | tee -a "$out")" = ./opt/loam/include/loam/mine.h ]
verdict $? "make uninstall: takes away all that install brought, and nothing else"

rm -rf "$root"
there=(DESTDIR="$root" PREFIX=/usr LIBDIR=/usr/lib/triplet)
make install "${there[@]}" >"$out" 2>&1 && [ -e "$root/usr/lib/triplet/libloam.so.0" ] &&
    grep -qx libdir=/usr/lib/triplet "$root/usr/lib/triplet/pkgconfig/loam.pc" 2>>"$out"
verdict $? "make install LIBDIR=: libraries and pkg-config files go there"

make uninstall "${there[@]}" >"$out" 2>&1 && [ -z "$(placed | tee -a "$out")" ]
verdict $? "make uninstall LIBDIR=: nothing is left"

# Every command that makes something of the two libraries, without running one.
words=(CPPFLAGS=-DFROM_OUTSIDE=1 CFLAGS=-fno-from-outside LDFLAGS=-Wl,--from-outside)
make -nB V=1 "${words[@]}" lib 2>&1 | tr -d '\\\n' | sed 's/mkdir -p/\n&/g' >"$out"
with() { grep -c -- "$1" "$out"; }
[ "$(with ' -c ')" -gt 100 ] && [ "$(with ' -c ')" = "$(grep -- ' -c ' "$out" |
    grep -- -DFROM_OUTSIDE=1 | grep -c -- '-fno-from-outside.*-MMD')" ] &&
    [ "$(with '--from-outside.*-shared')" = 1 ] &&
    [ "$(with '-fno-from-outside .*-fPIC -fvisibility=hidden -ftls-model=initial-exec')" -gt 50 ]
verdict $? "CPPFLAGS, CFLAGS, LDFLAGS: reach every command, before what we need ourselves"
