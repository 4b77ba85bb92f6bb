/* SPDX-License-Identifier: MIT */
/* vga_text.c - the screen of a PC in text mode 3.
 *
 * What the screen shows is kept in plain memory, and cells that changed are copied: on a real bus
 * reading video memory is slow, and scrolling would read nearly all of it. */
#include "vga_text.h"
#include "io.h"
#include "screen.h"

enum {
    CRTC = 0x3d4, /* index; data is the next port */
    CURSOR_START = 0x0a,
    CURSOR_HIGH = 0x0e,
    CURSOR_LOW = 0x0f,
    CURSOR_HIDDEN = 1 << 5,
    CURSOR_LINE = 14, /* of 16: an underscore */
    START_HIGH = 0x0c,
    START_LOW = 0x0d
};

static uint16_t cells[SCREEN_CELLS];
static screen shown;
static volatile uint16_t *memory; /* NULL: no screen */

static void crtc(uint8_t reg, unsigned v)
{
    io_write8(CRTC, reg);
    io_write8(CRTC + 1, (uint8_t)v);
}

/* Registers that keep what is written to them: without a screen there is nothing at their ports,
 * though there may be RAM where its memory would be. */
static bool has_registers(void)
{
    bool same = true;
    for (unsigned v = 0x55; v <= 0xaa; v += 0x55) {
        crtc(CURSOR_LOW, v);
        same = same && io_read8(CRTC + 1) == v;
    }
    return same;
}

static bool is_memory(volatile uint16_t *at)
{
    uint16_t before = *at;
    bool same = true;
    for (unsigned v = 0x0755; v <= 0x07aa; v += 0x55) {
        *at = (uint16_t)v;
        same = same && *at == v;
    }
    *at = before;
    return same;
}

static void copy(void)
{
    for (unsigned i = shown.dirty; i < shown.dirty_end; i++)
        memory[i] = cells[i];
    screen_clean(&shown);
}

bool vga_text_init(volatile uint16_t *at)
{
    memory = has_registers() && is_memory(at) ? at : (volatile uint16_t *)0;
    screen_init(&shown, cells);
    if (memory == (volatile uint16_t *)0)
        return false;
    crtc(START_HIGH, 0);
    crtc(START_LOW, 0);
    crtc(CURSOR_START, CURSOR_LINE);
    copy();
    vga_text_cursor();
    return true;
}

bool vga_text_is_there(void)
{
    return memory != (volatile uint16_t *)0;
}

void vga_text_put(char c)
{
    if (memory == (volatile uint16_t *)0)
        return;
    screen_put(&shown, c);
    copy();
}

void vga_text_cursor(void)
{
    if (memory == (volatile uint16_t *)0)
        return;
    crtc(CURSOR_HIGH, shown.at >> 8);
    crtc(CURSOR_LOW, shown.at & 0xff);
}

void vga_text_picture(const uint16_t *cell)
{
    if (memory == (volatile uint16_t *)0)
        return;
    crtc(CURSOR_START, CURSOR_HIDDEN);
    for (unsigned i = 0; i < SCREEN_CELLS; i++)
        memory[i] = cell[i];
}

void vga_text_restore(void)
{
    if (memory == (volatile uint16_t *)0)
        return;
    for (unsigned i = 0; i < SCREEN_CELLS; i++)
        memory[i] = cells[i];
    crtc(CURSOR_START, CURSOR_LINE);
    vga_text_cursor();
}
