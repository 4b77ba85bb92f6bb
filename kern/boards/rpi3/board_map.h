/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_BOARD_MAP_H
#define LOAM_KERN_BOARD_MAP_H

/* board_map.h - where the Raspberry Pi 3 has what, for the code that builds the first page tables.
 */
#define BOARD_RAM_END    0x3f000000ULL /* below: RAM, mapped as normal memory */
#define BOARD_DEVICE_END 0x40200000ULL /* up to here: peripherals, and the cores' own */
#define BOARD_LOW_ALIAS  0x7fe00000ULL /* the first 2 MiB once more */

#endif
