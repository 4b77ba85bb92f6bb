#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The Debian packages: built from a copy of the tree without network and without what only kernels
# need, found sound by lintian, unpacked, and used by a program that has nothing else of Loam.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

. tools/taplib.sh debian
out=$scratch/out root=$scratch/root log=$scratch/log
# Commands that a package's build has no business with: asked for, they write it down and fail.
mkdir "$scratch/bin" "$scratch/loam"
: >"$scratch/asked"
for name in apt-get sudo wget curl git clang ld.lld aarch64-linux-gnu-gcc musl-gcc grub-mkrescue \
    qemu-system-i386 qemu-system-x86_64 qemu-system-aarch64; do
    printf '#!/bin/sh\necho "%s $*" >>%s\nexit 1\n' "$name" "$scratch/asked" >"$scratch/bin/$name"
    chmod +x "$scratch/bin/$name"
done
offline=()
unshare -rn true 2>/dev/null && offline=(unshare -rn)
build() { # WORDS...
    (cd "$scratch/loam" && unset MAKEFLAGS CFLAGS CPPFLAGS LDFLAGS LD_PRELOAD LOAM_CONF &&
        PATH="$scratch/bin:$PATH" "${offline[@]}" dpkg-buildpackage -us -uc "$@" </dev/null)
}
# Finds each package sound. Lines of class C say what a package is, and so that it was looked at.
# Later lintians know of a later policy, and stumble over bytes in a broken ELF file of the tests.
later=': (out-of-date-standards-version|unpack-message-for-source) '
lint() { # CHANGES PACKAGE...
    local -a as=()
    [ "$(id -u)" != 0 ] || as=(--allow-root)
    lintian -EvIL +pedantic -L +classification --tag-display-limit 0 "${as[@]}" "$1" \
        >"$scratch/told" 2>&1
    echo "exit code $?" >"$out"
    grep -v '^[CN]: ' "$scratch/told" | grep -Ev "$later" >>"$out"
    for package in "${@:2}"; do
        grep -q "^C: $package: " "$scratch/told" || echo "nothing about $package" >>"$out"
    done
    [ "$(cat "$out")" = "exit code 0" ]
}

echo 1..14
git ls-files -co --exclude-standard | tar -c -T - | tar -x -C "$scratch/loam"
build -b >"$log" 2>&1
built=$?
cp "$log" "$out"
verdict $built "dpkg-buildpackage -us -uc -b: succeeds"

cp "$scratch/asked" "$out"
[ ! -s "$out" ]
verdict $? "the build: asks for no package, no network, no kernel's compiler"

grep -E '[0-9]+ passed, [0-9]+ failed$' "$log" >"$out"
grep -Eq '^[0-9]{3,} passed, 0 failed$' "$out"
verdict $? "the build: runs hundreds of tests"

(cd "$scratch/loam" && DEB_BUILD_OPTIONS=nocheck make -n -f debian/rules override_dh_auto_test
    DEB_BUILD_OPTIONS= make -n -f debian/rules override_dh_auto_test) >"$out" 2>&1
[ "$(grep -c 'make.* package-test' "$out")" = 1 ]
verdict $? "DEB_BUILD_OPTIONS=nocheck: no test"

grep -E '^(gcc|cc) .* -c ' "$log" >"$scratch/commands"
grep -v -- '-D_FORTIFY_SOURCE=2.*-fstack-protector-strong.*-Wformat' "$scratch/commands" >"$out"
[ -s "$scratch/commands" ] && [ ! -s "$out" ]
verdict $? "dpkg-buildflags: in every command"

lint "$scratch"/loam_*.changes libloam0 libloam-dev loam-doc
verdict $? "lintian: not a word about the binary packages, not even a pedantic one"

(cd "$scratch" && ls -- *.deb) >"$out"
for package in libloam0 libloam-dev loam-doc; do
    for file in "$scratch/${package}"_*.deb; do dpkg -x "$file" "$root" >>"$out" 2>&1; done
done
triplet=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
lib=$root/usr/lib/$triplet
[ -s "$lib/libloam.so.0" ] && [ -s "$lib/libloam.a" ] && [ -L "$lib/libloam.so" ]
verdict $? "three packages: the libraries lie below /usr/lib/$triplet"

(cd docs/man && ls -- *.[1-9]) >"$scratch/pages"
(cd "$root/usr/share/man" && find . -name '*.gz') | sed 's|.*/||; s|\.gz$||' | sort |
    diff "$scratch/pages" - >"$out" 2>&1
verdict $? "manual pages: all of them in some package"

cat >"$scratch/user.c" <<'END'
#include <loam/heap.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    static _Alignas(16) unsigned char arena[4096];
    loam_heap heap;
    char *p = malloc(100);
    if (loam_heap_init(&heap, arena, sizeof(arena), "user") != LOAM_OK)
        return 1;
    free(p);
    puts(loam_heap_alloc(&heap, 100) != NULL ? "both work" : "no heap");
    free(p);
    return 0;
}
END
export PKG_CONFIG_LIBDIR=$lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
use() { # PROGRAM FLAG...: what it says, to out
    local program=$1
    shift
    gcc -w -O0 -fno-builtin "$scratch/$program.c" -o "$scratch/$program" "$@" >"$out" 2>&1 || return
    (ulimit -c 0; stdbuf -o0 "$scratch/$program" >>"$out" 2>&1) 2>/dev/null
    return 0
}
read -r -a flags <<<"$(pkg-config --cflags --libs loam 2>&1)"
use user "${flags[@]}" && grep -q '^both work$' "$out" && grep -q '^loam: slab: double free' "$out"
verdict $? "a program with loam.pc's flags: core and malloc work"

sed '/loam/d; /arena/d; /return 1/d; /puts/d' "$scratch/user.c" >"$scratch/plain.c"
read -r -a flags <<<"$(pkg-config --cflags --libs loam-malloc 2>&1)"
use plain "${flags[@]}" "-Wl,-rpath,$lib" && grep -q '^loam: slab: double free' "$out" &&
    readelf -d "$scratch/plain" | grep -q 'libloam.so.0'
verdict $? "a program with loam-malloc.pc's flags: has the shared library's malloc"

LD_PRELOAD=$lib/libloam.so.0 LOAM_CONF=stats python3 -c 'print(sum(range(9)))' >"$out" 2>&1
grep -q '^36$' "$out" && grep -q '^loam: .* blocks are out' "$out"
verdict $? "python3 with the package's library preloaded: runs, tells figures"

readelf -dlW "$lib/libloam.so.0" >"$out"
grep -q BIND_NOW "$out" && grep -q GNU_RELRO "$out" && ! grep -q 'GNU_STACK.* RWE' "$out"
verdict $? "the library: read-only relocations, no executable stack"

build -S -d >"$log" 2>&1
built=$?
cp "$log" "$out"
verdict $built "dpkg-buildpackage -S: a source package"

lint "$scratch"/loam_*_source.changes 'loam source'
verdict $? "lintian: not a word about the source package"
