#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run_arm.sh NAME WORDS QEMU-ARGUMENT... - a machine with 64-bit Arm processors in QEMU, for a
# person: on this terminal, by its serial line.
#
# On a terminal the kernel command line is WORDS and `shell`, else WORDS and `off`, and it has
# $LIMIT seconds (default: 60). The exit code is the kernel's.
set -uo pipefail
. "$(dirname "$0")/run_qemu.sh"

name=$1
words=$2
shift 2
qemu_threads "$@"
qemu=(qemu-system-aarch64 "$@" "${threads[@]}" -display none -monitor none
    -semihosting-config 'enable=on,target=native')

if [ -t 0 ]; then
    echo "QEMU, $name. To leave: \`off\` in the shell, or Ctrl-A x."
    exec "${qemu[@]}" -serial mon:stdio -append "$words shell exit=semihost"
fi
qemu_alone "${qemu[@]}" -serial stdio -append "$words off exit=semihost"
