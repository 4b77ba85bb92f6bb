#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The 64-bit PC's kernel by UEFI: real GRUB, QEMU's OVMF. There is no text mode; the firmware's
tables lie at the end of memory, among RAM that it used and gives up."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pc64_qemu as pc  # noqa: E402
from pc32_boot_test import clean  # noqa: E402
from taplib import Tap  # noqa: E402

FIRMWARE = "/usr/share/ovmf/OVMF.fd"
MODULES = "multiboot2 iso9660 fat normal search search_fs_file search_fs_uuid search_label"
LIMIT = 300


def uefi(words, memory="256", more=()):
    """Boots by GRUB for UEFI."""
    with tempfile.TemporaryDirectory(prefix="loam-uefi-") as folder:
        image, config = os.path.join(folder, "k.iso"), os.path.join(folder, "grub.cfg")
        with open(config, "w", encoding="ascii") as file:
            file.write("set timeout=0\nmenuentry k {\nmultiboot2 /boot/kernel.elf %s\n"
                       "module2 /boot/initrd.cpio initrd\n}\n" % words)
        subprocess.run([os.path.join(pc.ROOT, "tools/grub_iso.sh"), image, pc.KERNEL,
                        os.path.join(pc.BUILD, "initrd.cpio"), config, MODULES], check=True,
                       env={**os.environ, "GRUB_PLATFORM": "x86_64-efi"})
        machine = pc.Machine(["-bios", FIRMWARE, "-cdrom", image, "-m", memory, "-net", "none",
                              *more], LIMIT)
        machine.wait_for("Loam")
        return machine


def main():
    tap = Tap()
    result = uefi("demo=tour off", more=["-smp", "4"]).finish()
    clean(tap, "UEFI: tour on four processors", result, "multiboot2: .* 1 modules, loader GRUB",
          "multiboot2: ACPI at 0x[0-9a-f]+, 4 processors", "cpus: 4 online", "tour: done")
    spans = re.findall(r"ram: +\[0x([0-9a-f]+), 0x([0-9a-f]+)\)", result[1])
    tap.check(len(spans) > 2, "UEFI: RAM in pieces, as its map has it", spans)
    machine = uefi("shell", memory="6G")
    text = machine.command("cat hello.txt") if machine.wait_for(pc.PROMPT) else ""
    rules = machine.command("check")
    clean(tap, "UEFI: 6 GiB: a shell", pc.ends(machine), "zone normal: .* pages free")
    tap.check("Hello from the initramfs" in text and "every rule holds" in rules,
              "UEFI: the initramfs is there, every rule holds", [text, rules])
    tap.done()


if __name__ == "__main__":
    main()
