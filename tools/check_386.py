#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The PC's kernel runs on an 80386: no instruction that it lacks. Prints TAP.

Reads the disassembly of the kernel that gcc makes (clang's target begins at the 486, whatever it
is told). Whatever is not known to be an instruction of the 80386 is a fault, except in the few
functions that are entered only after the processor was found to have it. `make check` builds the
kernel first.
"""
import os
import re

from taplib import ROOT, Sample, Tap, run

KERNEL = os.path.join(ROOT, "build/pc32/kernel.elf")

CONDITIONS = "o no b ae e ne be a s ns p np l ge le g".split()
KNOWN = set("""
    aaa aad aam aas adc add and arpl bound bsf bsr bt btc btr bts call cbw cdq clc cld cli clts
    cmc cmp cwd cwde daa das dec div enter hlt idiv imul in inc ins int int1 int3 into iret
    iretw iretd jcxz jecxz jmp lahf lar lds lea leave les lfs lgdt lgdtd lgs lidt lidtd lldt
    lmsw lods loop loope loopne lsl lss ltr mov movs movsx movzx mul neg nop not or out outs pop
    popa popaw popf popfw push pusha pushaw pushf pushfw rcl rcr ret retf rol ror sahf sar sbb
    scas sgdt shl shld shr shrd sidt sldt smsw stc std sti stos str sub test verr verw wait xchg
    xlat xor cmps ud2
""".split())  # ud2 traps on every processor: what a compiler puts where nothing may arrive
KNOWN |= {f"{verb}{condition}" for verb in ("j", "set") for condition in CONDITIONS}
PREFIXES = {"lock", "rep", "repz", "repnz", "cs", "ds", "es", "fs", "gs", "ss", "data16", "addr16"}
NOT_386_REGISTERS = re.compile(r"\b(cr4|cr8|[xyz]?mm\d+|st\(\d\)|st|dr[45])\b")

# Functions that may: what they use, and who made sure that it is there.
EXCEPTIONS = {
    "processor_probe_from": ({"xadd"}, "the probe itself: an invalid opcode is expected there"),
    "read_cpuid": ({"cpuid"}, "only after EFLAGS.ID could be changed"),
    "processor_tsc": ({"rdtsc"}, "only when cpuid tells of it"),
    "processor_flush_page": ({"invlpg"}, "only from the 486 on"),
    "add_cr4": ({"mov cr4"}, "only when cpuid tells of a feature in it"),
    "x86_fault_fp": ({"fldz"}, "floating point is off: it traps on every processor"),
    "flush_globals": ({"mov cr4"}, "only when cpuid tells of global pages"),
}

FUNCTION = re.compile(r"^[0-9a-f]+ <([^>]+)>:$")
LINE = re.compile(r"^ *[0-9a-f]+:\t(\S.*)$")


def foreign(text):
    """What an 80386 does not know in one line of Intel syntax, or None."""
    words = text.split("#")[0].split()
    while words and words[0] in PREFIXES:
        words = words[1:]
    if not words:
        return None
    name, operands = words[0], " ".join(words[1:])
    if name == "nop" and operands:
        return "nop with an operand"
    if name == "mov" and NOT_386_REGISTERS.search(operands):
        return "mov " + NOT_386_REGISTERS.search(operands).group(1)
    return None if name in KNOWN else name


def faults_of(text, exceptions):
    """Lines of a disassembly that an 80386 cannot do, and exceptions that nobody needs."""
    faults, function, used = [], "", set()
    for line in text.splitlines():
        start = FUNCTION.match(line)
        if start:
            function = start.group(1)
            continue
        found = LINE.match(line)
        if not found or "-0x" in function:  # data before the first function: the Multiboot header
            continue
        what = foreign(found.group(1))
        if what is None:
            continue
        base = function.split(".")[0]
        if what in exceptions.get(base, (set(), ""))[0]:
            used.add(base)
        else:
            faults.append(f"{function}: {what}: {' '.join(line.split())}")
    return faults, used


def disassembly(path):
    code, text = run(["objdump", "-d", "-M", "intel", "--no-show-raw-insn", path])
    return text if code == 0 else ""


SLIPS = """
void slip(void);
void slip(void)
{
    __asm__ volatile("%s");
}
"""


def self_test(tap):
    """Each of these, slipped into a function of a real object, is found."""
    slips = ["bswap %eax", "xadd %eax, (%ecx)", "cmpxchg %eax, (%ecx)", "cmpxchg8b (%ecx)",
             "invlpg (%eax)", "cpuid", "rdtsc", "wbinvd", "cmove %eax, %ecx", "fcomi %st(1)",
             "nopl (%eax)", "endbr32", "movd %eax, %xmm0", "movl %eax, %cr4", "sysenter", "mfence",
             "fninit", "lock xadd %eax, (%ecx)"]
    for slip in slips:
        with Sample({"x.c": SLIPS % slip}) as root:
            code, output = run(["gcc", "-m32", "-O2", "-ffreestanding", "-fno-pic",
                                "-fcf-protection=none", "-c", "x.c", "-o", "x.o"], root)
            faults, _ = faults_of(disassembly(os.path.join(root, "x.o")), EXCEPTIONS)
        tap.check(code == 0 and len(faults) == 1, f"self-test: {slip}: caught", [output, *faults])
    sound = "lock incl (%eax)\\n\\tbsf %eax, %ecx\\n\\trep stosl\\n\\tnop"
    with Sample({"x.c": SLIPS % sound}) as root:
        run(["gcc", "-m32", "-O2", "-ffreestanding", "-fno-pic", "-fcf-protection=none", "-c",
             "x.c", "-o", "x.o"], root)
        faults, _ = faults_of(disassembly(os.path.join(root, "x.o")), EXCEPTIONS)
    tap.none(faults, "self-test: what an 80386 can do: no fault")


def main():
    tap = Tap()
    self_test(tap)
    text = disassembly(KERNEL)
    faults, used = faults_of(text, EXCEPTIONS)
    count = len(re.findall(LINE.pattern, text, re.M))
    tap.check(count > 10000, "386: the kernel was disassembled", [f"{count} instructions"])
    tap.none(faults, f"386: none of {count} instructions is newer than the 80386")
    tap.none(sorted(set(EXCEPTIONS) - used), "386: every exception is needed")
    tap.done()


if __name__ == "__main__":
    main()
