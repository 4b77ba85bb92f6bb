/* SPDX-License-Identifier: MIT */
/* console.c - text out, the boot log, keys in. */
#include "console.h"
#include "arch.h"
#include "board.h"
#include "loam/port.h"
#include "smp.h"

void console_put(char c)
{
    if (c == '\n')
        board_putc('\r');
    board_putc(c);
}

void console_write(const char *s)
{
    while (*s != '\0')
        console_put(*s++);
}

/* What was typed while somebody looked for Ctrl-C. */
static char typed[CONSOLE_TYPED];
static size_t typed_count;

bool console_interrupted(void)
{
    bool stop = false;
    char c;
    while (board_getc(&c)) {
        if (c == CONSOLE_STOP)
            stop = true;
        else if (typed_count < sizeof(typed))
            typed[typed_count++] = c;
    }
    return stop;
}

char console_key(void)
{
    char c;
    if (typed_count > 0) {
        c = typed[0];
        __builtin_memmove(typed, typed + 1, --typed_count);
        return c;
    }
    while (!board_getc(&c))
        board_wait_input();
    return c;
}

/* ---- lines of several processors stay whole ---- */

static loam_lock line_lock = LOAM_LOCK_OF(LOAM_RANK_CONSOLE);
static uint32_t alone; /* [atomic] 1: a panic has the console for itself */

void console_alone(void)
{
    loam_atomic_store(&alone, 1); /* others are stopped, maybe with the lock: no partner */
}

/* With one processor interrupts stay on: one that prints does so in the middle of a line. */
static void write_whole(const char *line, bool cut)
{
    bool many = smp_online() > 1 && loam_atomic_peek(&alone) == 0;
    loam_irq irq = many ? loam_lock_acquire(&line_lock) : (loam_irq){0};
    console_write(line);
    if (cut)
        console_write("...\n");
    if (many)
        loam_lock_release(&line_lock, irq);
}

void kprintf(const char *fmt, ...)
{
    char line[CONSOLE_LINE + 1];
    loam_text t;
    __builtin_va_list ap;
    loam_text_init(&t, line, sizeof(line));
    __builtin_va_start(ap, fmt);
    loam_text_vfmt(&t, fmt, ap);
    __builtin_va_end(ap);
    write_whole(line, t.cut);
}

void klog(const char *fmt, ...)
{
    char line[CONSOLE_LINE + 1];
    loam_text t;
    uint64_t hz = arch_ticks_hz();
    uint64_t ms = hz == 0 ? 0 : loam_port_ticks() * 1000 / hz;
    __builtin_va_list ap;
    loam_text_init(&t, line, sizeof(line));
    loam_text_fmt(&t, "[%5U.%03U] ", ms / 1000, ms % 1000);
    __builtin_va_start(ap, fmt);
    loam_text_vfmt(&t, fmt, ap);
    __builtin_va_end(ap);
    loam_text_char(&t, '\n');
    write_whole(line, t.cut);
}
