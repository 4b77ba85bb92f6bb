/* SPDX-License-Identifier: MIT */
/* pvh.c - what starts a kernel by its PVH note leaves in memory, read where it lies.
 *
 * WHAT   Virtual machines start a 64-bit kernel without a boot loader: they look for a note in its
 *        ELF file that names a 32-bit entry, and leave one structure there.
 *
 * MODEL
 *            ebx --> +0   magic 0x336ec578
 *                    +4   version         1 or later: only then is there a map
 *                    +12  count           of modules
 *                    +16  modules ------> base base len len text text 0 0 | base base ...
 *                    +24  cmdline ------> "kernel words"
 *                    +32  rsdp ---------> ACPI
 *                    +40  map ----------> base base len len type 0 | base base ...
 *                    +48  entries         of the map
 *
 *        All numbers are little-endian; addresses, base and len have 64 bits.
 *
 * RULES  W1  the information can be read, and begins with its magic number
 *        W2  its version is 1 or later
 *        W3  the map can be read, whole
 *        W4  the list of modules can be read, whole
 *        loam_pvh_open() proves them; each later step asks the reader again all the same.
 *
 * LOCKS  None; nothing is written.
 * COST   O(1).
 * FROM   Xen's public header start_info.h, as QEMU and Linux follow it.
 * NOT    What the map means (bootinfo_pvh.c); flags.
 */
#include "loam/pvh.h"

enum {
    AT_VERSION = 4,
    AT_MODULE_COUNT = 12,
    AT_MODULES = 16,
    AT_CMDLINE = 24,
    AT_RSDP = 32,
    AT_MAP = 40,
    AT_MAP_COUNT = 48,
    LEN_0 = 40, /* of version 0 */
    LEN_1 = 56,
    MODULE_LEN = 32,
    ENTRY_LEN = 24
};

static const unsigned char *pvh_read(const loam_pvh *pvh, uint64_t at, uint64_t len)
{
    return pvh->memory.read(pvh->memory.ctx, at, len);
}

loam_pvh_region loam_pvh_region_get(const loam_pvh *pvh, uint32_t index)
{
    const unsigned char *p = pvh_read(pvh, pvh->map + (uint64_t)index * ENTRY_LEN, ENTRY_LEN);
    if (p == NULL)
        return (loam_pvh_region){0, 0, 0};
    return (loam_pvh_region){loam_le64(p), loam_le64(p + 8), loam_le32(p + 16)};
}

loam_pvh_module loam_pvh_module_get(const loam_pvh *pvh, uint32_t index)
{
    const unsigned char *p = pvh_read(pvh, pvh->modules + (uint64_t)index * MODULE_LEN, MODULE_LEN);
    if (p == NULL)
        return (loam_pvh_module){{0, 0}, 0};
    return (loam_pvh_module){{loam_le64(p), loam_le64(p + 8)}, loam_le64(p + 16)};
}

/* Can a list be read? One of no entries always can. */
static bool pvh_list(const loam_pvh *pvh, uint64_t at, uint32_t count, uint64_t each)
{
    return count == 0 || pvh_read(pvh, at, count * each) != NULL;
}

static const char *pvh_check(loam_pvh *pvh, uint64_t at)
{
    const unsigned char *p = pvh_read(pvh, at, LEN_0);
    if (p == NULL || loam_le32(p) != LOAM_PVH_MAGIC)
        return "W1 there is no PVH information";
    pvh->version = loam_le32(p + AT_VERSION);
    if (pvh->version == 0)
        return "W2 version 0 of PVH has no memory map";
    p = pvh_read(pvh, at, LEN_1);
    if (p == NULL)
        return "W1 the information lies where it cannot be read, whole";
    pvh->module_count = loam_le32(p + AT_MODULE_COUNT);
    pvh->modules = loam_le64(p + AT_MODULES);
    pvh->cmdline = loam_le64(p + AT_CMDLINE);
    pvh->rsdp = loam_le64(p + AT_RSDP);
    pvh->map = loam_le64(p + AT_MAP);
    pvh->map_count = loam_le32(p + AT_MAP_COUNT);
    if (!pvh_list(pvh, pvh->map, pvh->map_count, ENTRY_LEN))
        return "W3 the memory map lies where nothing can be read";
    if (!pvh_list(pvh, pvh->modules, pvh->module_count, MODULE_LEN))
        return "W4 the list of modules lies where nothing can be read";
    return NULL;
}

loam_err loam_pvh_open(loam_pvh *pvh, uint64_t at, const loam_phys *memory, const char **why)
{
    *pvh = (loam_pvh){.memory = *memory};
    const char *broken = pvh_check(pvh, at);
    if (broken == NULL)
        return LOAM_OK;
    *pvh = (loam_pvh){.memory = *memory};
    if (why != NULL)
        *why = broken;
    return LOAM_EFORMAT;
}
