/* SPDX-License-Identifier: MIT */
/* elf_fuzz.c - any bytes as a program: what is taken lies in the file and in the window. */
#include "fuzz.h"
#include "loam/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const loam_span windows[] = {{0, 1ULL << 32}, {0x10000, 0xbfff0000U}, {0x400000, 4096}};
    for (unsigned w = 0; w < 3; w++) {
        loam_elf elf;
        uint64_t end = 0;
        unsigned sum = 0, code = 0;
        loam_err err = loam_elf_open(&elf, data, len, LOAM_ELF_386, windows[w]);
        FUZZ_CHECK(err == LOAM_OK || err == LOAM_EFORMAT);
        FUZZ_CHECK((err == LOAM_OK) == (elf.why == NULL));
        if (err != LOAM_OK)
            continue;
        FUZZ_CHECK(elf.count > 0 && elf.count <= LOAM_ELF_SEGMENTS);
        for (unsigned i = 0; i < elf.count; i++) {
            const loam_elf_segment *s = &elf.segment[i];
            FUZZ_CHECK(s->len != 0 && s->file_len <= s->len && s->va >= LOAM_PAGE_SIZE);
            FUZZ_CHECK(s->va >= end && s->va >= windows[w].base);
            FUZZ_CHECK(s->va + s->len <= windows[w].base + windows[w].len);
            FUZZ_CHECK(s->data >= data && s->file_len <= (size_t)(data + len - s->data));
            FUZZ_CHECK((s->flags & ~3U) == 0 && s->flags != 3);
            for (size_t k = 0; k < s->file_len; k++)
                sum += s->data[k];
            code +=
                (s->flags & LOAM_ELF_EXEC) != 0 && elf.entry >= s->va && elf.entry < s->va + s->len;
            end = loam_align_up(s->va + s->len, LOAM_PAGE_SIZE);
        }
        FUZZ_CHECK(code == 1);
        (void)sum;
    }
    return 0;
}
