# SPDX-License-Identifier: MIT
"""Machines with several processors in QEMU, for the tests of all of them at once.

A host with fewer cores than the machine stops those that hold a lock, while others wait for it in
turn: such machines run on one thread of the host (RR), where who waits gives way at once. With two
processors each has a thread (MT), and they really meet.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc64_qemu as pc64  # noqa: E402
import rpi3_qemu as rpi3  # noqa: E402
import virt64_qemu as virt64  # noqa: E402

RR, MT = "tcg,thread=single", "tcg,thread=multi"
NUMA = ("-object", "memory-backend-ram,id=m0,size=128M", "-object",
        "memory-backend-ram,id=m1,size=384M", "-numa", "node,nodeid=0,cpus=0-1,memdev=m0",
        "-numa", "node,nodeid=1,cpus=2-3,memdev=m1")


def on_pc64(words, cores, accel=RR, limit=200, kernel=None):
    machine = pc64.console(words, kernel=kernel, memory="256M", limit=limit,
                           more=("-smp", str(cores), "-accel", accel))
    return machine, pc64.GOOD


def on_rpi3(words, cores, accel=RR, limit=200, kernel=None):
    """Four cores; fewer are used when fewer are asked for."""
    arguments = ["-kernel", kernel or rpi3.KERNEL, "-dtb", rpi3.built("rpi3.dtb"), "-serial",
                 "null", "-serial", "stdio", "-accel", accel, "-append",
                 f"{words} cpus={cores} exit=semihost"]
    return rpi3.Machine(arguments, limit), 0


def on_virt64(words, cores, accel=RR, limit=200, kernel=None, more=(), memory="512M"):
    machine = virt64.console(words + " exit=semihost", kernel=kernel or virt64.KERNEL, cores=cores,
                             memory=memory, machine="virt,gic-version=3", limit=limit,
                             more=("-accel", accel, *more))
    return machine, 0
