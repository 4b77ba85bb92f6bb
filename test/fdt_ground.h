/* SPDX-License-Identifier: MIT */
#ifndef LOAM_TEST_FDT_GROUND_H
#define LOAM_TEST_FDT_GROUND_H

/* fdt_ground.h - a device tree with some of everything, built anew by each case.
 *
 *     build();
 *     TAP_STR(t, open_it(), NULL);     // or the rule that it breaks
 */
#include "fdt_build.h"
#include "loam/fdt.h"

static fdt_build b;
static loam_fdt fdt;

static inline const char *open_len(size_t len)
{
    const char *why = NULL;
    loam_err err = loam_fdt_open(&fdt, b.blob, len, &why);
    return err == LOAM_OK ? NULL : why;
}

static inline const char *open_it(void)
{
    return open_len(b.len);
}

static inline void poke(uint32_t at, uint32_t value)
{
    fb_put32(b.blob + at, value);
}

/* A board with some of everything. */
static inline void build(void)
{
    fb_start(&b);
    fb_reserve(&b, 0, 0x1000);
    fb_reserve(&b, 0x123456789aULL, 0x10);
    fb_node(&b, "");
    FB_CELLS(&b, "#address-cells", 1);
    FB_CELLS(&b, "#size-cells", 2);
    fb_prop(&b, "compatible", "loam,board\0loam,family", 23);
    fb_node(&b, "aliases");
    fb_str(&b, "serial0", "/soc/serial@1000");
    fb_str(&b, "loop", "loop");
    fb_str(&b, "soc", "/soc");
    fb_end(&b);
    fb_node(&b, "soc");
    FB_CELLS(&b, "odd", 1, 2, 3);
    fb_node(&b, "serial@1000");
    FB_CELLS(&b, "reg", 0x1000, 0, 0x100);
    fb_str(&b, "status", "okay");
    fb_end(&b);
    fb_node(&b, "serial@2000");
    fb_str(&b, "status", "disabled");
    fb_end(&b);
    fb_node(&b, "timer");
    fb_prop(&b, "empty", "", 0);
    fb_end(&b);
    fb_end(&b);
    fb_node(&b, "last");
    fb_end(&b);
    fb_end(&b);
    fb_finish(&b);
}

static inline loam_fdt_node find(const char *path)
{
    return loam_fdt_find(&fdt, path, fb_strlen(path));
}

#endif
