#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run_qemu.sh - sourced by run_pc.sh and run_arm.sh: how QEMU plays a machine's processors, and for
# how long a machine runs that nobody sits at.

# qemu_threads QEMU-ARGUMENT... - puts into the array `threads` what the machine's processors want.
# With a thread of the host for each, one that waits in the line for a lock is not there when its
# turn comes, as long as another has its place: locks crawl where there are more of them than the
# host has. There one thread plays them by turns, unless -accel is among the arguments.
qemu_threads() {
    local cpus=1 before='' argument
    threads=()
    for argument in "$@"; do
        case $before:$argument in
        -smp:*) argument=${argument%%,*} cpus=${argument#cpus=} ;;
        -M:raspi3b) cpus=4 ;;
        *:-accel) return ;;
        esac
        before=$argument
    done
    [ "$cpus" -le "$(nproc)" ] || threads=(-accel tcg,thread=single)
}

# qemu_alone COMMAND... - without a terminal: at most $LIMIT seconds.
qemu_alone() {
    local code=0
    timeout "${LIMIT:-60}" "$@" </dev/null || code=$?
    if [ $code = 124 ]; then
        echo "not done after ${LIMIT:-60} seconds: LIMIT=seconds gives it longer" >&2
    fi
    return $code
}
