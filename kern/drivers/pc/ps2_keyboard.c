/* SPDX-License-Identifier: MIT */
/* ps2_keyboard.c - the PC's keyboard.
 *
 *     keyboard --serial--> 8042 --scan code, set 1--> port 0x60, line 1 --> scancode.c --> ring
 *
 * The controller translates what keyboards send by default (set 2) to set 1. A USB keyboard that
 * the firmware dresses up as this one works too, so only what cannot fail on those is insisted on:
 * the controller has to be there, and to end what it is doing. Every wait is bounded.
 */
#include "ps2_keyboard.h"
#include "io.h"
#include "scancode.h"

enum {
    DATA = 0x60,
    STATUS = 0x64, /* read */
    COMMAND = 0x64,
    DELAY = 0x80, /* a write takes about a microsecond on any PC */

    STATUS_OUT = 1 << 0,   /* something to read */
    STATUS_IN = 1 << 1,    /* what was written is still there */
    STATUS_MOUSE = 1 << 5, /* what there is to read came from the mouse */
    STATUS_NOTHING = 0xff, /* an empty bus */

    READ_CONFIG = 0x20,
    WRITE_CONFIG = 0x60,
    MOUSE_OFF = 0xa7,
    KEYBOARD_OFF = 0xad,
    KEYBOARD_ON = 0xae,
    RESET_PROCESSOR = 0xfe,
    CONFIG_LINE1 = 1 << 0,
    CONFIG_LINE12 = 1 << 1,
    CONFIG_KEYBOARD_OFF = 1 << 4,
    CONFIG_SET1 = 1 << 6, /* translate */
    KEYBOARD_SCAN = 0xf4, /* to the keyboard: send keys */
    KEYBOARD_ACK = 0xfa,

    PATIENCE = 100000, /* microseconds */
    QUEUE = 32,        /* more than any controller keeps */
    RING = 256
};

static scancode codes;
static char ring[RING];
static unsigned head, tail;

static bool wait_status(uint8_t bit, bool set)
{
    for (unsigned i = 0; i < PATIENCE; i++) {
        if (((io_read8(STATUS) & bit) != 0) == set)
            return true;
        io_write8(DELAY, 0);
    }
    return false;
}

static bool write(uint16_t port, uint8_t v)
{
    if (!wait_status(STATUS_IN, false))
        return false;
    io_write8(port, v);
    return true;
}

static bool read(uint8_t *v)
{
    if (!wait_status(STATUS_OUT, true))
        return false;
    *v = io_read8(DATA);
    return true;
}

static void drop_queue(void)
{
    for (unsigned i = 0; i < QUEUE && (io_read8(STATUS) & STATUS_OUT) != 0; i++) {
        (void)io_read8(DATA);
        io_write8(DELAY, 0);
    }
}

/* A controller that does not tell its configuration (an emulator's) keeps the firmware's, which is
 * the one that is wanted here. */
static bool configure(void)
{
    uint8_t config;
    if (!write(COMMAND, READ_CONFIG))
        return false;
    if (read(&config)) {
        config |= CONFIG_LINE1 | CONFIG_SET1;
        config &= (uint8_t) ~(CONFIG_LINE12 | CONFIG_KEYBOARD_OFF);
        if (!write(COMMAND, WRITE_CONFIG) || !write(DATA, config))
            return false;
    }
    return write(COMMAND, KEYBOARD_ON);
}

const char *ps2_keyboard_init(void)
{
    uint8_t answer;
    scancode_init(&codes);
    head = tail = 0;
    if (io_read8(STATUS) == STATUS_NOTHING)
        return "no keyboard controller";
    if (!write(COMMAND, KEYBOARD_OFF) || !write(COMMAND, MOUSE_OFF))
        return "the keyboard controller takes no command";
    drop_queue();
    if (!configure())
        return "the keyboard controller stopped taking commands";
    /* A keyboard that is already sending keys need not say so. */
    if (write(DATA, KEYBOARD_SCAN) && read(&answer) && answer != KEYBOARD_ACK)
        drop_queue();
    return (const char *)0;
}

static void take(uint8_t code)
{
    char text[SCANCODE_TEXT];
    size_t n = scancode_feed(&codes, code, text);
    if (RING - (head - tail) < n)
        return;
    for (size_t i = 0; i < n; i++)
        ring[head++ % RING] = text[i];
}

void ps2_keyboard_collect(void)
{
    for (unsigned i = 0; i < QUEUE; i++) {
        uint8_t status = io_read8(STATUS);
        if ((status & STATUS_OUT) == 0 || status == STATUS_NOTHING)
            return;
        uint8_t code = io_read8(DATA);
        if ((status & STATUS_MOUSE) == 0)
            take(code);
    }
}

bool ps2_keyboard_get(char *c)
{
    if (head == tail)
        return false;
    *c = ring[tail++ % RING];
    return true;
}

void ps2_reset_processor(void)
{
    if (wait_status(STATUS_IN, false))
        io_write8(COMMAND, RESET_PROCESSOR);
}
