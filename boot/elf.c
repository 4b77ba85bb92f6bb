/* SPDX-License-Identifier: MIT */
/* elf.c - a program file, read where it lies.
 *
 * WHAT   Says which bytes of a program file belong at which addresses, with which rights, and where
 *        the program begins; and refuses a file that does not say that without contradiction.
 *
 * MODEL  A header leads to a table of program headers, of which only those of type LOAD are memory:
 *
 *            file  [header][LOAD|LOAD|STACK|..]   [ text ......][ data ..]
 *                            |    |                ^ offset       ^
 *                            |    '----------------+--------------'
 *                            '---------------------'  file_len bytes
 *            memory          | text ......|     | data ..| zeros |        len bytes
 *                            ^ va                                    no two segments on one page
 *
 * RULES  X1  the header is there: 32 bits, little-endian, version 1
 *        X2  the file is an executable, for the machine asked for
 *        X3  its table of program headers lies in the file, with entries of the right size
 *        X4  nobody else has to load it: no interpreter, no dynamic section
 *        X5  a segment's bytes lie in the file, and are not more than its memory
 *        X6  a segment's memory lies in the window, not on page 0, and does not wrap
 *        X7  address and offset agree modulo the alignment, a power of two
 *        X8  no segment can be written and executed
 *        X9  segments ascend, and no two are on one page
 *        X10 there is at least one segment, and not more than LOAM_ELF_SEGMENTS
 *        X11 the program begins inside of a segment that can be executed
 *        loam_elf_open() tests exactly these, and says which one is broken.
 *
 * LOCKS  None: nothing is written but *elf.
 * COST   O(program headers), at most 65535.
 * FROM   System V ABI, chapter 5; its Intel386 supplement.
 * NOT    Sections, symbols, relocation; 64 bits; other byte orders.
 */
#include "loam/elf.h"

enum {
    ELF_HEADER = 52,
    ELF_PROGRAM = 32, /* bytes of a program header */
    ELF_LOAD = 1,
    ELF_DYNAMIC = 2,
    ELF_INTERP = 3,
    ELF_X = 1,
    ELF_W = 2
};

/* ---- numbers, at any alignment ---- */

static uint32_t elf_16(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t elf_32(const unsigned char *p)
{
    return elf_16(p) | elf_16(p + 2) << 16;
}

/* ---- the header ---- */

static const char *elf_header(const unsigned char *file, size_t len, unsigned machine)
{
    static const unsigned char magic[] = {0x7f, 'E', 'L', 'F'};
    for (unsigned i = 0; i < sizeof magic; i++)
        if (i >= len || file[i] != magic[i])
            return "X1 it is no ELF file";
    if (len < ELF_HEADER)
        return "X1 the file ends inside of its header";
    if (file[4] != 1)
        return "X1 it is not for 32 bits";
    if (file[5] != 1)
        return "X1 it is not little-endian";
    if (file[6] != 1 || elf_32(file + 20) != 1)
        return "X1 it is of an unknown version";
    if (elf_16(file + 16) != 2)
        return "X2 it is not an executable at fixed addresses";
    if (elf_16(file + 18) != machine)
        return "X2 it is for another machine";
    return NULL;
}

/* X3: where the program headers stand. */
static const char *elf_table(const unsigned char *file, size_t len, const unsigned char **table,
                             unsigned *count)
{
    uint32_t offset = elf_32(file + 28);
    *count = elf_16(file + 44);
    if (*count == 0)
        return "X3 there are no program headers";
    if (elf_16(file + 42) != ELF_PROGRAM)
        return "X3 program headers have the wrong size";
    if (offset > len || *count > (len - offset) / ELF_PROGRAM)
        return "X3 program headers leave the file";
    *table = file + offset;
    return NULL;
}

/* ---- segments ---- */

static const char *elf_place(const loam_elf_segment *s, uint32_t align, uint32_t offset,
                             loam_span window)
{
    if (s->va + s->len > 1ULL << 32)
        return "X6 a segment wraps past the end of the addresses";
    if (s->va < LOAM_PAGE_SIZE)
        return "X6 a segment is on page 0";
    if (s->va < window.base || s->va - window.base > window.len ||
        s->len > window.len - (s->va - window.base))
        return "X6 a segment leaves the program's window";
    if (align > 1 && (!loam_is_pow2(align) || ((s->va ^ offset) & (align - 1)) != 0))
        return "X7 a segment's address and offset do not agree with its alignment";
    return NULL;
}

/* One program header of type LOAD; len 0: it is no memory at all. */
static const char *elf_segment(const unsigned char *file, size_t len, const unsigned char *header,
                               loam_span window, loam_elf_segment *s)
{
    uint32_t offset = elf_32(header + 4), flags = elf_32(header + 24);
    *s = (loam_elf_segment){
        .va = elf_32(header + 8), .len = elf_32(header + 20), .file_len = elf_32(header + 16)};
    if (s->file_len > s->len)
        return "X5 a segment has more bytes in the file than in memory";
    if (s->len == 0)
        return NULL;
    if (offset > len || s->file_len > len - offset)
        return "X5 a segment leaves the file";
    s->data = file + offset;
    s->flags = ((flags & ELF_W) != 0 ? (unsigned)LOAM_ELF_WRITE : 0) |
               ((flags & ELF_X) != 0 ? (unsigned)LOAM_ELF_EXEC : 0);
    if (s->flags == (LOAM_ELF_WRITE | LOAM_ELF_EXEC))
        return "X8 a segment can be written and executed";
    return elf_place(s, elf_32(header + 28), offset, window);
}

/* X9 and X10: s goes behind those that are there. */
static const char *elf_append(loam_elf *elf, const loam_elf_segment *s)
{
    if (elf->count == LOAM_ELF_SEGMENTS)
        return "X10 it has too many segments";
    if (elf->count != 0) {
        const loam_elf_segment *before = &elf->segment[elf->count - 1];
        if (s->va < before->va + before->len)
            return "X9 segments overlap, or do not ascend";
        if (s->va >> LOAM_PAGE_SHIFT == (before->va + before->len - 1) >> LOAM_PAGE_SHIFT)
            return "X9 two segments are on one page";
    }
    elf->segment[elf->count++] = *s;
    return NULL;
}

static const char *elf_segments(loam_elf *elf, const unsigned char *file, size_t len,
                                loam_span window)
{
    const unsigned char *header;
    unsigned n;
    const char *why = elf_table(file, len, &header, &n);
    for (; why == NULL && n > 0; n--, header += ELF_PROGRAM) {
        uint32_t type = elf_32(header);
        loam_elf_segment s;
        if (type == ELF_DYNAMIC || type == ELF_INTERP)
            return "X4 it wants a dynamic linker";
        if (type != ELF_LOAD)
            continue;
        why = elf_segment(file, len, header, window, &s);
        if (why == NULL && s.len != 0)
            why = elf_append(elf, &s);
    }
    if (why == NULL && elf->count == 0)
        return "X10 it has nothing to load";
    return why;
}

static const char *elf_entry(const loam_elf *elf)
{
    for (unsigned i = 0; i < elf->count; i++) {
        const loam_elf_segment *s = &elf->segment[i];
        if ((s->flags & LOAM_ELF_EXEC) != 0 && elf->entry >= s->va && elf->entry - s->va < s->len)
            return NULL;
    }
    return "X11 it begins outside of what can be executed";
}

loam_err loam_elf_open(loam_elf *elf, const void *file, size_t len, unsigned machine,
                       loam_span window)
{
    const unsigned char *bytes = file;
    elf->count = 0;
    elf->why = elf_header(bytes, len, machine);
    if (elf->why != NULL)
        return LOAM_EFORMAT;
    elf->entry = elf_32(bytes + 24);
    elf->why = elf_segments(elf, bytes, len, window);
    if (elf->why == NULL)
        elf->why = elf_entry(elf);
    return elf->why == NULL ? LOAM_OK : LOAM_EFORMAT;
}
