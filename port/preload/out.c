/* SPDX-License-Identifier: MIT */
/* out.c - text to a file without stdio: for those who may not allocate, and for a program's end,
 * when the C library may be half gone.
 *
 * What is written is gathered in the caller's process_out, and goes out when that is full. */
#define _GNU_SOURCE
#include "loam_libc.h"
#include "preload.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    OUT_KEPT_FROM = 200, /* descriptor numbers that no program counts on */
    OUT_PIECE = 250,     /* a line's room */
    OUT_WAIT_MS = 1000   /* at a time, for a reader that does not read */
};

static out_file errors = {.number = STDERR_FILENO};

/* The same file by a number of ours; itself if there is none. */
static int out_keep(int file)
{
    int kept = fcntl(file, F_DUPFD_CLOEXEC, OUT_KEPT_FROM);
    return kept >= 0 ? kept : file;
}

static void out_mark(out_file *file, int number)
{
    struct stat is = {0};
    (void)fstat(number, &is); /* none: it is no file ever */
    *file = (out_file){number, is.st_dev, is.st_ino};
}

bool out_is_there(const out_file *file)
{
    struct stat is;
    return fstat(file->number, &is) == 0 && is.st_dev == file->dev && is.st_ino == file->ino;
}

void out_keep_errors(void)
{
    if (errors.number == STDERR_FILENO)
        out_mark(&errors, out_keep(STDERR_FILENO));
}

int out_errors(void)
{
    return errors.number != STDERR_FILENO && out_is_there(&errors) ? errors.number : STDERR_FILENO;
}

bool out_path_is_by_process(const char *path)
{
    for (; *path != '\0'; path++)
        if (path[0] == '%' && path[1] == 'p')
            return true;
    return false;
}

/* The path with the process's number in it. */
static void out_path(loam_text *t, const char *path)
{
    for (const char *p = path; *p != '\0'; p++) {
        bool number = p[0] == '%' && p[1] == 'p';
        if (number)
            loam_text_dec(t, (uint64_t)getpid());
        else
            loam_text_char(t, *p);
        p += number;
    }
}

/* A pipe that nobody reads is refused: the program is not to wait for ever before it begins. */
static int out_open_now(const char *path)
{
    int number;
    do {
        number =
            open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
    } while (number < 0 && errno == EINTR);
    if (number >= 0)
        (void)fcntl(number, F_SETFL, O_APPEND);
    return number;
}

/* 0, or the errno. */
static int out_open_kept(const char *text, out_file *file)
{
    int number = out_open_now(text);
    if (number < 0)
        return errno;
    int kept = out_keep(number);
    if (kept != number)
        close(number);
    out_mark(file, kept);
    return 0;
}

int out_open(const char *path, out_file *file)
{
    char text[PROCESS_PATH + 24];
    loam_text t;
    loam_text_init(&t, text, sizeof(text));
    out_path(&t, path);
    if (t.cut)
        return ENAMETOOLONG;
    int cancel = thread_hold(), error = out_open_kept(text, file);
    thread_let(cancel);
    return error;
}

void out_close(const out_file *file)
{
    int cancel = thread_hold();
    close(file->number);
    thread_let(cancel);
}

/* ---- bytes ---- */

/* A file that is full for the moment, as a pipe that does not wait for its reader may be: there is
 * time for that, and an end of it. */
static bool out_waits(int file)
{
    struct pollfd one = {.fd = file, .events = POLLOUT};
    int n;
    do {
        n = poll(&one, 1, OUT_WAIT_MS);
    } while (n < 0 && errno == EINTR);
    return n == 1;
}

static int out_write_parts(int file, struct iovec *part, size_t parts)
{
    while (parts > 0) {
        if (part->iov_len == 0) {
            part++;
            parts--;
            continue;
        }
        ssize_t n = writev(file, part, (int)parts);
        if (n < 0 && (errno == EINTR || (errno == EAGAIN && out_waits(file))))
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        for (size_t left = (size_t)n; left > 0 && parts > 0;) {
            size_t one = left < part->iov_len ? left : part->iov_len;
            part->iov_base = (char *)part->iov_base + one;
            part->iov_len -= one;
            left -= one;
            parts -= part->iov_len == 0;
            part += part->iov_len == 0;
        }
    }
    return 0;
}

int out_writev(int file, struct iovec *part, size_t parts)
{
    int cancel = thread_hold(), error = out_write_parts(file, part, parts);
    thread_let(cancel);
    return error;
}

int out_write(int file, const void *bytes, size_t len)
{
    struct iovec part = {(void *)(uintptr_t)bytes, len};
    return out_writev(file, &part, 1);
}

/* ---- what is wrong ---- */

void out_plain(loam_text *t, const char *text)
{
    for (; *text != '\0'; text++) {
        char c = *text;
        if ((unsigned char)c < ' ' || c == 0x7f)
            c = '?';
        loam_text_char(t, c);
    }
}

void out_tell(const char *word, const char *path, int error, const char *then)
{
    char line[PROCESS_PATH + 200], named[PROCESS_PATH + 24];
    const char *why = libc_error(error);
    loam_text t;
    loam_text_init(&t, named, sizeof(named));
    out_path(&t, path);
    loam_text_init(&t, line, sizeof(line));
    loam_text_fmt(&t, "loam: LOAM_CONF: %s=", word);
    out_plain(&t, named);
    if (why != NULL)
        loam_text_fmt(&t, ": %s; %s\n", why, then);
    else
        loam_text_fmt(&t, ": error %d; %s\n", error, then);
    (void)out_write(out_errors(), line, t.len); /* nothing is left to tell it to */
}

/* ---- text ---- */

void out_init(process_out *out, int file)
{
    out->file = file;
    out->error = 0;
    loam_text_init(&out->text, out->bytes, sizeof(out->bytes));
}

void out_end(process_out *out)
{
    int error = out_write(out->file, out->bytes, out->text.len);
    out->error = out->error != 0 ? out->error : error;
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
