/* SPDX-License-Identifier: MIT */
/* console.c - text out, the boot log, and panics. */
#include "console.h"
#include "arch.h"
#include "board.h"
#include "image.h"
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

static unsigned backtrace_depth;

static void print_frame(uintptr_t pc)
{
    uint64_t offset = 0;
    /* by the call, not by what follows it: behind a call that never returns another function begins
     */
    const char *name = image_symbol_of((uint64_t)pc - 1, &offset);
    if (name == NULL)
        kprintf("  #%u 0x%X\n", backtrace_depth++, (uint64_t)pc);
    else
        kprintf("  #%u 0x%X %s+0x%X\n", backtrace_depth++, (uint64_t)pc, name, offset + 1);
}

void console_backtrace(uintptr_t fp)
{
    backtrace_depth = 0;
    kprintf("backtrace (addr2line -e %s ADDRESS gives the line):\n", board_this.elf);
    arch_backtrace(fp != 0 ? fp : (uintptr_t)__builtin_frame_address(0), print_frame);
}

static bool panicking;

_Noreturn void kpanic_at(uintptr_t fp, const char *why)
{
    (void)loam_port_irq_save();
    if (panicking) {
        console_write("\npanic: again, while panicking: stopped\n");
        board_off(1);
    }
    panicking = true;
    kprintf("\npanic: %s\n", why);
    console_backtrace(fp);
    console_write("panic: stopped\n");
    board_off(1);
}

_Noreturn void kpanic(const char *fmt, ...)
{
    char why[CONSOLE_LINE];
    loam_text t;
    __builtin_va_list ap;
    loam_text_init(&t, why, sizeof(why));
    __builtin_va_start(ap, fmt);
    loam_text_vfmt(&t, fmt, ap);
    __builtin_va_end(ap);
    kpanic_at((uintptr_t)__builtin_frame_address(0), why);
}
