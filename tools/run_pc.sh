#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run_pc.sh WORDS QEMU-ARGUMENT... - a PC in QEMU, for a person: qemu-system-i386, or $QEMU with
# $MEMORY MiB and $CPUS processors.
#
# With a display: a window, and the same on serial. Without one: serial alone, on this terminal. On
# a terminal the kernel command line gets `shell`, else `off`, there is nobody to see a window, and
# the machine has $LIMIT seconds (default: 60).
# The command line is WORDS and that; with -cdrom among the arguments there is none, the ISO's menu
# has it.
# The exit code is the kernel's: 0 when it ended well.
set -uo pipefail
. "$(dirname "$0")/run_qemu.sh"

words=$1
shift
end=off
[ -t 0 ] && end=shell
qemu=("${QEMU:-qemu-system-i386}" -m "${MEMORY:-64}" -smp "${CPUS:-1}" -no-reboot
    -device "isa-debug-exit,iobase=0xf4,iosize=0x04" "$@")
qemu_threads "${qemu[@]}"
qemu+=("${threads[@]}")
case " $* " in *' -kernel '*) qemu+=(-append "$words $end") ;; esac

window=no
if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && [ "$end" = shell ]; then
    tools/packages.sh window >&2 && window=yes || echo 'QEMU has no window here: serial alone.'
fi
if [ $window = yes ]; then
    echo 'QEMU, PC. To leave: `off` in the shell, or close the window.'
    "${qemu[@]}" -serial mon:stdio
elif [ "$end" = shell ]; then
    echo 'QEMU, PC. To leave: `off` in the shell, or Ctrl-A x.'
    "${qemu[@]}" -display none -serial mon:stdio
else
    qemu_alone "${qemu[@]}" -display none -serial stdio -monitor none
fi
code=$?
# isa-debug-exit answers 2v + 1, so that success cannot be 0
case $code in
33) exit 0 ;;
0) [ "$end" = shell ] && exit 0 ;; # the person closed it
esac
echo "run_pc: QEMU ended with code $code" >&2
exit 1
