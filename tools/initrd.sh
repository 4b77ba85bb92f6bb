#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# initrd.sh ARCHIVE FOLDER [NAME=FILE...] - a cpio archive ("newc") of the folder's files and of
# each FILE under its NAME. The same input gives the same bytes.
set -euo pipefail

archive=$(realpath -m "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$2"/. "$work"
for pair in "${@:3}"; do
    mkdir -p "$work/$(dirname "${pair%%=*}")"
    cp "${pair#*=}" "$work/${pair%%=*}"
done
find "$work" -exec touch --date=@0 {} +
mkdir -p "$(dirname "$archive")"
cd "$work"
find . | LC_ALL=C sort |
    cpio --quiet --create --format=newc --reproducible --owner=0:0 >"$archive"
