#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run_shomp.sh IMAGE - ShompOS' ISO in QEMU, for a person, or with keys from a pipe.
#
# With a display: a window, and the same on serial. Without one: serial alone, on this terminal.
# Standard input that is no terminal is typed at the prompt, and at its end play is left.
set -uo pipefail

qemu=(qemu-system-i386 -m "${MEMORY:-64}" -no-reboot -cdrom "$1" -boot d
    -device "isa-debug-exit,iobase=0xf4,iosize=0x04")

if [ ! -t 0 ]; then
    echo 'QEMU, PC: what comes on standard input is typed; play is left at its end.'
    "$(dirname "$0")/keys_at_prompt.py" 'shompOS>' 90 \
        "${qemu[@]}" -display none -serial stdio -monitor none
elif [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
    echo 'QEMU, PC. To leave: Ctrl-D or Escape twice, in the window; or close it.'
    "${qemu[@]}" -serial mon:stdio
else
    echo 'QEMU, PC. To leave: Ctrl-D, or Escape twice; or Ctrl-A x.'
    "${qemu[@]}" -display none -serial mon:stdio
fi
code=$?
# isa-debug-exit answers 2v + 1, so that success cannot be 0
case $code in
33) exit 0 ;;
0) [ -t 0 ] && exit 0 ;; # the person closed it
esac
echo "run_shomp: QEMU ended with code $code" >&2
exit 1
