/* SPDX-License-Identifier: MIT */
/* out.c - text to a file without stdio: for those who may not allocate, and for a program's end,
 * when the C library may be half gone.
 *
 * What is written is gathered in the caller's process_out, and goes out when that is full. */
#define _GNU_SOURCE
#include "preload.h"

#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

enum {
    OUT_KEPT_FROM = 200, /* descriptor numbers that no program counts on */
    OUT_PIECE = 250      /* a line's room */
};

int out_keep(int file)
{
    int kept = fcntl(file, F_DUPFD_CLOEXEC, OUT_KEPT_FROM);
    return kept >= 0 ? kept : file;
}

int out_open(const char *path)
{
    char text[PROCESS_PATH + 24];
    loam_text t;
    loam_text_init(&t, text, sizeof(text));
    for (const char *p = path; *p != '\0'; p++) {
        bool number = p[0] == '%' && p[1] == 'p';
        if (number)
            loam_text_dec(&t, (uint64_t)getpid());
        else
            loam_text_char(&t, *p);
        p += number;
    }
    int file = t.cut ? -1 : open(text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    int kept = file >= 0 ? out_keep(file) : -1;
    if (kept != file)
        close(file);
    return kept;
}

void out_init(process_out *out, int file)
{
    out->file = file;
    out->failed = false;
    loam_text_init(&out->text, out->bytes, sizeof(out->bytes));
}

bool out_write(int file, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t n = write(file, at, len);
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

void out_end(process_out *out)
{
    out->failed = !out_write(out->file, out->bytes, out->text.len) || out->failed;
    loam_text_init(&out->text, out->bytes, sizeof(out->bytes));
}

void out_fmt(process_out *out, const char *fmt, ...)
{
    va_list args;
    char piece[OUT_PIECE];
    loam_text t;
    loam_text_init(&t, piece, sizeof(piece));
    va_start(args, fmt);
    loam_text_vfmt(&t, fmt, args);
    va_end(args);
    if (out->text.len + t.len >= out->text.cap)
        out_end(out);
    loam_text_str(&out->text, piece);
}

void out_string(process_out *out, const char *text)
{
    out_fmt(out, "\"");
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c >= 0x7f) /* bytes beyond ASCII as Latin-1 */
            out_fmt(out, "\\u00%c%c", "0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15]);
        else
            out_fmt(out, c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    out_fmt(out, "\"");
}
