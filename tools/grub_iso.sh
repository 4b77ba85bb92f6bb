#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# grub_iso.sh IMAGE KERNEL INITRD MENU MODULES - a CD image with GRUB for BIOS machines, or with
# GRUB_PLATFORM=x86_64-efi for UEFI: the kernel as /boot/kernel.elf, the initrd as
# /boot/initrd.cpio. Small: only the modules that are named, and those for partition tables, all of
# which GRUB looks for before its menu.
set -euo pipefail

image=$1 kernel=$2 initrd=$3 menu=$4 modules=$5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
mkdir -p "$tree/boot/grub"
strip --strip-debug -o "$tree/boot/kernel.elf" "$kernel"
cp "$initrd" "$tree/boot/initrd.cpio"
cp "$menu" "$tree/boot/grub/grub.cfg"
grub=/usr/lib/grub/${GRUB_PLATFORM:-i386-pc}
modules="$modules $(tr '\n' ' ' <$grub/partmap.lst)"
if ! grub-mkrescue -d $grub --install-modules="$modules" --locales= --fonts= \
    --themes= -o "$image" "$tree" >"$work/log" 2>&1; then
    cat "$work/log" >&2
    exit 1
fi
