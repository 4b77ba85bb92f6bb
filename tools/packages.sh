#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# packages.sh GROUP... - what has to be installed, and nothing else.
#
#     tools/packages.sh host lint      install what these groups lack, say what, ask nothing
#     tools/packages.sh --list host    name the packages of a group, change nothing
#
# A name may be a pattern of apt-get's (`libpython3*-testsuite`: its release is in the name): all
# packages that match are installed. GCC in a name or a sign is the version of the gcc that is here.
# A package counts as present when its sign is: a command on the
# PATH, or a file (a pattern will do). So a compiler that came some other way is as good. Works as
# root or with a sudo that does not ask; otherwise it names the packages and fails, and always so
# with PACKAGES_INSTALL=no. Every make target calls it for its own group.
set -euo pipefail
shopt -s inherit_errexit

# group package sign
table() {
    cat <<'END'
host    gcc                      gcc
host    libc6-dev                /usr/include/stdio.h
host    binutils                 ar
clang   clang                    clang
clang   libclang-rt-dev          /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.asan-x86_64.a
clang   lld                      ld.lld
host32  gcc                      gcc
host32  binutils                 ar
host32  libc6-dev                /usr/include/stdio.h
host32  libc6-dev-i386           /usr/lib32/crt1.o
host32  lib32gcc-GCC-dev         /usr/lib/gcc/x86_64-linux-gnu/GCC/32/libgcc.a
aarch64 gcc-aarch64-linux-gnu    aarch64-linux-gnu-gcc
aarch64 libc6-dev-arm64-cross    /usr/aarch64-linux-gnu/include/stdio.h
aarch64 qemu-user                qemu-aarch64
musl    gcc                      gcc
musl    binutils                 ar
musl    musl-tools               musl-gcc
test    perl                     prove
test    python3                  python3
test    pkg-config               pkg-config
test    valgrind                 valgrind
lint    clang-format             clang-format
lint    clang-tidy               clang-tidy
lint    cppcheck                 cppcheck
lint    python3                  python3
lint    mandoc                   mandoc
rpi3    gcc-aarch64-linux-gnu    aarch64-linux-gnu-gcc
rpi3    clang                    clang
rpi3    lld                      ld.lld
rpi3    python3                  python3
rpi3    qemu-system-arm          qemu-system-aarch64
rpi3    device-tree-compiler     dtc
rpi3    cpio                     cpio
pc32    gcc                      gcc
pc32    binutils                 objdump
pc32    clang                    clang
pc32    lld                      ld.lld
pc32    python3                  python3
pc32    qemu-system-x86          qemu-system-i386
pc32    grub-common              grub-mkrescue
pc32    grub2-common             grub-install
pc32    grub-pc-bin              /usr/lib/grub/i386-pc/multiboot.mod
pc32    xorriso                  xorriso
pc32    mtools                   mformat
pc32    cpio                     cpio
pc64    gcc                      gcc
pc64    binutils                 objdump
pc64    clang                    clang
pc64    lld                      ld.lld
pc64    python3                  python3
pc64    qemu-system-x86          qemu-system-x86_64
pc64    grub-common              grub-mkrescue
pc64    grub2-common             grub-install
pc64    grub-pc-bin              /usr/lib/grub/i386-pc/multiboot.mod
pc64    xorriso                  xorriso
pc64    mtools                   mformat
pc64    cpio                     cpio
window  qemu-system-gui          /usr/lib/*/qemu/ui-gtk.so
fuzz    libfdt-dev               /usr/include/libfdt.h
fuzz    device-tree-compiler     dtc
programs python3                 /usr/bin/python3
programs libpython3*-testsuite   /usr/lib/python3*/test/test_json/__init__.py
programs gcc                     gcc
programs g++                     g++
programs git                     git
programs perl                    perl
programs sqlite3                 sqlite3
programs redis-server            redis-server
programs redis-tools             redis-benchmark
programs nodejs                  node
programs xz-utils                xz
programs zstd                    zstd
programs stress-ng               stress-ng
bench   valgrind                 valgrind
bench   python3                  python3
bench   libjemalloc2             /usr/lib/*/libjemalloc.so.2
bench   ^libmimalloc[0-9.]+$     /usr/lib/*/libmimalloc.so.[0-9]*
bench   libtcmalloc-minimal4     /usr/lib/*/libtcmalloc_minimal.so.4
bench   gnuplot-nox              gnuplot
long    dosbox                   dosbox
long    ovmf                     /usr/share/ovmf/OVMF.fd
long    grub-efi-amd64-bin       /usr/lib/grub/x86_64-efi/multiboot2.mod
long    google-perftools         google-pprof
long    cmake                    cmake
models  spin                     spin
models  gcc                      gcc
long    meson                    meson
long    ninja-build              ninja
long    build-essential          /usr/share/build-essential/list
long    dpkg-dev                 dpkg-buildpackage
long    debhelper                dh
long    fakeroot                 fakeroot
long    lintian                  lintian
END
}

rows() {
    local version
    version=$(gcc -dumpversion 2>/dev/null) || version=GCC
    if [ -n "${PACKAGES_TABLE:-}" ]; then cat "$PACKAGES_TABLE"; else table; fi |
        sed "s/GCC/${version%%.*}/g"
}

fail() {
    printf 'packages: %s\n' "$@" >&2
    exit 1
}

packages_of() {
    local found
    found=$(rows | awk -v group="$1" '$1 == group { print $2, $3 }')
    [ -n "$found" ] || fail "no group '$1'; there are: $(rows | cut -d' ' -f1 | sort -u | xargs)"
    printf '%s\n' "$found"
}

is_there() { # SIGN
    case $1 in
    /*) compgen -G "$1" >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

missing_of() { # GROUP...
    local group package sign list
    for group in "$@"; do
        list=$(packages_of "$group")
        while read -r package sign; do
            is_there "$sign" || printf '%s\n' "$package"
        done <<<"$list"
    done | sort -u | xargs
}

install() { # PACKAGE...
    local -a as_root=()
    [ "${PACKAGES_INSTALL:-yes}" != no ] || fail "needed, and PACKAGES_INSTALL is no: $*"
    command -v apt-get >/dev/null || fail "needed, and there is no apt-get here: $*"
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null </dev/null ||
            fail "needed: $*" "neither root nor a sudo that does not ask; please run:" \
                "    sudo apt-get install --no-install-recommends $*"
        as_root=(sudo -n)
    fi
    local -a apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive
        apt-get -q -y -o DPkg::Lock::Timeout=600)
    echo "packages: installing $*"
    if ! "${apt[@]}" install --no-install-recommends "$@" </dev/null >&2; then
        echo "packages: reading the package lists anew"
        "${apt[@]}" update </dev/null >&2 || fail "apt-get update failed; needed: $*"
        "${apt[@]}" install --no-install-recommends "$@" </dev/null >&2 ||
            fail "apt-get could not install: $*"
    fi
}

[ $# -gt 0 ] || fail "usage: tools/packages.sh [--list] GROUP..."
if [ "$1" = --list ]; then
    shift
    for group in "$@"; do packages_of "$group" | awk '{ print $1 }'; done
    exit
fi
missing=$(missing_of "$@")
[ -n "$missing" ] || exit 0
# Two targets of one parallel make may want packages: one after the other.
exec 9>"${TMPDIR:-/tmp}/loam-packages.$(id -u).lock"
flock 9 2>/dev/null || true
missing=$(missing_of "$@")
[ -n "$missing" ] || exit 0
if [[ $missing == *GCC* ]]; then
    install gcc
    missing=$(missing_of "$@")
    [ -n "$missing" ] || exit 0
fi
read -r -a wanted <<<"$missing"
install "${wanted[@]}"
still=$(missing_of "$@")
[ -z "$still" ] || fail "installed, but there is still no sign of: $still"
