/* SPDX-License-Identifier: MIT */
#ifndef LOAM_KERN_CONSOLE_H
#define LOAM_KERN_CONSOLE_H

/* console.h - text out, characters in, and the way to stop. */
#include "loam/base.h"

void console_put(char c); /* a newline becomes CR LF */
void console_write(const char *s);

/* Waits for a key and gives its character, which is not shown. */
char console_key(void);
/* Whether Ctrl-C was typed since the last look. What else was typed, up to CONSOLE_TYPED
 * characters, stays for console_key. Does not wait; interrupts may be off. */
enum { CONSOLE_STOP = 3, CONSOLE_TYPED = 128 };
bool console_interrupted(void);

/* Directives of loam_text_fmt; at most CONSOLE_LINE characters a call, a longer text ends in
 * "...". */
enum { CONSOLE_LINE = 512 };
void kprintf(const char *fmt, ...);

/* From now on the console is for this processor, which panics, whoever was printing. */
void console_alone(void);

/* A line of the boot log: "[    0.012] text". No newline in the text. */
void klog(const char *fmt, ...);

/* Stops the other processors, tells why, on which core, the registers and the calls that led here
 * (panic.h), and ends the machine with code 1. */
_Noreturn void kpanic(const char *fmt, ...);

#endif
