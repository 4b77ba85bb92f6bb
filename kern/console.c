/* SPDX-License-Identifier: MIT */
/* console.c - text out, the boot log, keys in. */
#include "console.h"
#include "arch.h"
#include "board.h"
#include "loam/port.h"

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

static void vprint(const char *fmt, __builtin_va_list ap)
{
    char line[CONSOLE_LINE + 1];
    loam_text t;
    loam_text_init(&t, line, sizeof(line));
    loam_text_vfmt(&t, fmt, ap);
    console_write(line);
    if (t.cut)
        console_write("...\n");
}

void kprintf(const char *fmt, ...)
{
    __builtin_va_list ap;
    __builtin_va_start(ap, fmt);
    vprint(fmt, ap);
    __builtin_va_end(ap);
}

void klog(const char *fmt, ...)
{
    uint64_t hz = arch_ticks_hz();
    uint64_t ms = hz == 0 ? 0 : loam_port_ticks() * 1000 / hz;
    __builtin_va_list ap;
    __builtin_va_start(ap, fmt);
    kprintf("[%5U.%03U] ", ms / 1000, ms % 1000);
    vprint(fmt, ap);
    console_put('\n');
    __builtin_va_end(ap);
}
