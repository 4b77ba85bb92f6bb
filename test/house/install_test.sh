#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# make install, as somebody would use it who has nothing but what was installed.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
verdict() { # TRUE NAME
    number=$((number + 1))
    if [ "$1" = 0 ]; then echo "ok $number - install: $2"; return; fi
    echo "not ok $number - install: $2"
    sed 's/^/#   /' "$work/out"
}

cat >"$work/user.c" <<'END'
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

echo 1..7
make install DESTDIR="$work/root" PREFIX=/opt/loam >"$work/out" 2>&1
verdict $? "make install: succeeds"

export PKG_CONFIG_PATH=$work/root/opt/loam/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$work/root
[ "$(pkg-config --modversion loam 2>"$work/out")" = 0.1.0 ]
verdict $? "pkg-config: knows the version"

read -r -a flags <<<"$(pkg-config --cflags --libs loam 2>"$work/out")"
gcc -std=c11 -Wall -Wextra -Werror "$work/user.c" -o "$work/user" "${flags[@]}" >>"$work/out" 2>&1
verdict $? "a program: compiles with pkg-config's flags alone"

"$work/user" >"$work/out" 2>&1 && [ "$(cat "$work/out")" = "2 of 3 frames free" ]
verdict $? "the program: runs"

lib=$work/root/opt/loam/lib
cat >"$work/twice.c" <<'END'
#include <stdlib.h>
int main(void) { char *p = malloc(9); free(p); free(p); }
END
gcc -O0 -w -fno-builtin "$work/twice.c" -o "$work/twice" "-L$lib" -lloam \
    "-Wl,-rpath,$lib" >"$work/out" 2>&1
(ulimit -c 0; "$work/twice") >"$work/out" 2>&1
grep -q "^loam: slab: double free" "$work/out"
verdict $? "a program linked with libloam.so: has its malloc"

[ "$(LD_PRELOAD="$lib/libloam.so" LOAM_CONF=stats ls "$lib/libloam.so" 2>"$work/out")" = \
    "$lib/libloam.so" ] && grep -q "^loam: .* blocks are out" "$work/out"
verdict $? "ls with libloam.so preloaded: runs, tells figures"

man=$work/root/opt/loam/share/man
{ [ -s "$man/man3/libloam.3" ] && [ -s "$man/man5/loam_conf.5" ]; } 2>"$work/out"
verdict $? "manual pages: there"
