/* SPDX-License-Identifier: MIT */
/* loam_memory.c - how much memory a process may have. The header has the picture. */
#define _GNU_SOURCE
#include "loam_memory.h"
#include "loam_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MEMORY_LINE = LOAM_MEMORY_PATH, MEMORY_PIECE = 512 };

#define MEMORY_NONE UINT64_MAX

/* ---- files: by system calls that are no places where a thread may be cancelled ---- */

static int file_open(const char *path, int flags)
{
    long file;
    do {
        file = syscall(SYS_openat, AT_FDCWD, path, flags | O_RDONLY | O_CLOEXEC, 0);
    } while (file < 0 && errno == EINTR);
    return (int)file;
}

static size_t file_read(int file, char *to, size_t cap)
{
    long n;
    do {
        n = syscall(SYS_read, file, to, cap);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? 0 : (size_t)n;
}

static void file_close(int file)
{
    (void)syscall(SYS_close, file);
}

/* A file, line by line. One that is too long is cut. */
typedef struct lines {
    int file;
    size_t at, end; /* of the piece */
    char piece[MEMORY_PIECE];
    char line[MEMORY_LINE];
    bool cut;
} lines;

static bool lines_open(lines *l, const char *path)
{
    l->file = file_open(path, 0);
    l->at = l->end = 0;
    return l->file >= 0;
}

static bool lines_next(lines *l)
{
    size_t len = 0;
    l->cut = false;
    for (;; l->at++) {
        if (l->at == l->end) {
            l->end = file_read(l->file, l->piece, sizeof(l->piece));
            l->at = 0;
        }
        bool more = l->at < l->end;
        if (!more || l->piece[l->at] == '\n') {
            l->at += more;
            l->line[len] = '\0';
            return more || len != 0;
        }
        l->cut = len + 1 == sizeof(l->line);
        if (!l->cut)
            l->line[len++] = l->piece[l->at];
    }
}

/* ---- text ---- */

/* What follows a word at the start of a text, or NULL. */
static const char *text_after(const char *text, const char *word)
{
    while (*word != '\0' && *text == *word) {
        text++;
        word++;
    }
    return *word == '\0' ? text : NULL;
}

/* A number of up to 19 digits behind blanks, as a word; MEMORY_NONE: there is none. */
static uint64_t text_number(const char *text)
{
    uint64_t value = 0;
    unsigned digits = 0;
    while (*text == ' ' || *text == '\t')
        text++;
    for (; *text >= '0' && *text <= '9'; text++, digits++) {
        if (digits == 19)
            return MEMORY_NONE;
        value = value * 10 + (uint64_t)(*text - '0');
    }
    bool ends = *text == '\0' || *text == '\n' || *text == ' ';
    return digits != 0 && ends ? value : MEMORY_NONE;
}

/* Is a word one of those between commas, up to a colon or the end? */
static bool text_has(const char *list, const char *word)
{
    for (;;) {
        const char *after = text_after(list, word);
        if (after != NULL && (*after == ',' || *after == ':' || *after == '\0'))
            return true;
        while (*list != ',' && *list != ':' && *list != '\0')
            list++;
        if (*list++ != ',')
            return false;
    }
}

/* A word of mountinfo ends, its blanks and backslashes being three octal digits. */
static void text_plain(char *word)
{
    char *to = word;
    for (; *word != ' ' && *word != '\0'; word++, to++) {
        *to = *word;
        if (word[0] != '\\' || word[1] < '0' || word[1] > '3' || word[2] == '\0' || word[3] == '\0')
            continue;
        *to = (char)((word[1] - '0') << 6 | (word[2] - '0') << 3 | (word[3] - '0'));
        word += 3;
    }
    *to = '\0';
}

/* A path out of three parts; false: it is too long. */
static bool path_make(char *to, const char *a, const char *b, const char *c)
{
    loam_text text;
    loam_text_init(&text, to, LOAM_MEMORY_PATH);
    loam_text_str(&text, a);
    loam_text_str(&text, b);
    loam_text_str(&text, c);
    return !text.cut;
}

/* ---- values ---- */

/* The number that a file begins with. */
static uint64_t value_of(const char *dir, const char *name)
{
    char path[LOAM_MEMORY_PATH], text[32];
    int file = path_make(path, dir, "/", name) ? file_open(path, 0) : -1;
    if (file < 0)
        return MEMORY_NONE;
    text[file_read(file, text, sizeof(text) - 1)] = '\0';
    file_close(file);
    return text_number(text);
}

/* The number behind a word that a line of a file begins with. */
static uint64_t value_in(const char *dir, const char *name, const char *word)
{
    char path[LOAM_MEMORY_PATH];
    lines l;
    const char *after = NULL;
    if (!path_make(path, dir, "/", name) || !lines_open(&l, path))
        return MEMORY_NONE;
    while (after == NULL && lines_next(&l))
        after = text_after(l.line, word);
    file_close(l.file);
    return after != NULL ? text_number(after) : MEMORY_NONE;
}

/* ---- groups ---- */

/* Names as they are, no pointers: who links this has nothing to relocate. */
static const struct {
    char limit[2][24];      /* files; "": none */
    char used[24], old[24]; /* a file; a word of memory.stat */
    char place[2][24];      /* where groups begin */
} kinds[] = {
    [LOAM_MEMORY_OF_V1] = {{"memory.limit_in_bytes", ""},
                           "memory.usage_in_bytes",
                           "total_inactive_file",
                           {"/sys/fs/cgroup/memory", "/sys/fs/cgroup"}},
    [LOAM_MEMORY_OF_V2] = {{"memory.max", "memory.high"},
                           "memory.current",
                           "inactive_file",
                           {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}},
};

/* A group's own limit, if it is the least so far. 0 is none: nobody would be there to ask. */
static void group_limit(loam_memory *memory, enum loam_memory_of of, const char *dir)
{
    for (unsigned i = 0; i < 2; i++) {
        uint64_t limit = kinds[of].limit[i][0] != '\0' ? value_of(dir, kinds[of].limit[i]) : 0;
        if (limit == 0 || limit >= memory->limit || !path_make(memory->path, dir, "", ""))
            continue;
        memory->limit = limit;
        memory->of = of;
    }
}

/* A group and those that it is in, up to the first `top` bytes of its path, which changes. */
static void group_limits(loam_memory *memory, enum loam_memory_of of, char *dir, size_t top)
{
    size_t len = top;
    while (dir[len] != '\0')
        len++;
    for (;;) {
        group_limit(memory, of, dir);
        while (len > top && dir[len - 1] != '/')
            len--;
        if (len <= top)
            return;
        dir[--len] = '\0';
    }
}

/* Is there a group, whose limit can be read or that has none of its own? */
static bool group_is(enum loam_memory_of of, const char *dir)
{
    char path[LOAM_MEMORY_PATH];
    for (unsigned i = 0; i < 2; i++) {
        int file = path_make(path, dir, "/", i == 0 ? kinds[of].limit[0] : "cgroup.procs")
                       ? file_open(path, O_PATH)
                       : -1;
        if (file < 0)
            continue;
        file_close(file);
        return true;
    }
    return false;
}

/* In a container the first names of the path may be those of groups outside, of which it sees none:
 * without these the rest is what it sees. false: there is no such place. */
static bool group_find(loam_memory *memory, enum loam_memory_of of, const char *root,
                       const char *place, const char *path)
{
    char dir[LOAM_MEMORY_PATH];
    size_t top = 0;
    if (!path_make(dir, root, place, ""))
        return false;
    while (dir[top] != '\0')
        top++;
    for (;;) {
        bool all = *path == '\0' || (path[0] == '/' && path[1] == '\0');
        if (path_make(dir, root, place, all ? "" : path) && group_is(of, dir)) {
            group_limits(memory, of, dir, top);
            memory->grouped = true;
            return true;
        }
        if (all)
            return false;
        do {
            path++;
        } while (*path != '\0' && *path != '/');
    }
}

/* A line of /proc/self/mountinfo: number, parent, device, the root in it, the place here, options,
 * more of them, a dash, the kind, the source, the kind's options, with blanks between. The place,
 * if there are groups of this kind; NULL: another line. */
static const char *mount_place(enum loam_memory_of of, char *line)
{
    char *place = line, *at;
    const char *last = line;
    for (unsigned words = 0; words < 4 && *place != '\0'; place++)
        words += *place == ' ';
    for (at = place; *at != '\0' && text_after(at, " - cgroup") == NULL;)
        at++;
    const char *kind = text_after(at, " - cgroup");
    for (; *at != '\0'; at++)
        last = *at == ' ' ? at + 1 : last;
    if (kind == NULL ||
        (of == LOAM_MEMORY_OF_V1 ? *kind != ' ' || !text_has(last, "memory") : *kind != '2'))
        return NULL;
    text_plain(place);
    return place;
}

/* Where groups are at none of the usual places. */
static void group_mounted(loam_memory *memory, enum loam_memory_of of, const char *root,
                          const char *path)
{
    char file[LOAM_MEMORY_PATH];
    lines l;
    if (!path_make(file, root, "/proc/self/mountinfo", "") || !lines_open(&l, file))
        return;
    for (bool found = false; !found && lines_next(&l);) {
        const char *place = l.cut ? NULL : mount_place(of, l.line);
        found = place != NULL && group_find(memory, of, root, place, path);
    }
    file_close(l.file);
}

/* A line of /proc/self/cgroup: number, controllers, path, with colons between. true: it was that of
 * cgroup 1 and memory, so cgroup 2 counts none. */
static bool group_line(loam_memory *memory, const char *root, const char *line)
{
    const char *list = line, *path;
    while (*list != ':' && *list != '\0')
        list++;
    if (*list++ == '\0')
        return false;
    bool v1 = text_has(list, "memory");
    for (path = list; *path != ':' && *path != '\0';)
        path++;
    if (*path++ == '\0' || (!v1 && *list != ':'))
        return false; /* of another controller */
    enum loam_memory_of of = v1 ? LOAM_MEMORY_OF_V1 : LOAM_MEMORY_OF_V2;
    for (unsigned i = 0; i < 2; i++)
        if (group_find(memory, of, root, kinds[of].place[i], path))
            return v1;
    group_mounted(memory, of, root, path);
    return v1;
}

/* ---- the calls ---- */

void loam_memory_find(loam_memory *memory, const char *root)
{
    char path[LOAM_MEMORY_PATH];
    lines l;
    int before = errno;
    uint64_t kib = value_in(root, "proc/meminfo", "MemTotal:");
    *memory = (loam_memory){.limit = kib >> 53 == 0 && kib != 0 ? kib << 10 : MEMORY_NONE};
    if (!path_make(memory->path, root, "", ""))
        memory->limit = MEMORY_NONE;
    if (path_make(path, root, "/proc/self/cgroup", "") && lines_open(&l, path)) {
        while (lines_next(&l) && (l.cut || !group_line(memory, root, l.line)))
            continue;
        file_close(l.file);
    }
    errno = before;
}

/* All that is not free, or could be at once. */
static uint64_t used_of_ram(const loam_memory *memory)
{
    uint64_t kib = value_in(memory->path, "proc/meminfo", "MemAvailable:");
    return kib < memory->limit >> 10 ? memory->limit - (kib << 10) : 0;
}

static uint64_t used_of_group(const loam_memory *memory)
{
    uint64_t used = value_of(memory->path, kinds[memory->of].used);
    if (used == MEMORY_NONE)
        return 0;
    uint64_t old = value_in(memory->path, "memory.stat", kinds[memory->of].old);
    return old <= used ? used - old : used;
}

uint64_t loam_memory_used(const loam_memory *memory)
{
    int before = errno;
    uint64_t used = memory->of == LOAM_MEMORY_OF_RAM ? used_of_ram(memory) : used_of_group(memory);
    errno = before;
    return used;
}

uint64_t loam_memory_mine(void)
{
    char text[100];
    int before = errno;
    int file = file_open("/proc/self/statm", 0);
    size_t len = file >= 0 ? file_read(file, text, sizeof(text) - 1) : 0;
    const char *at = text;
    uint64_t pages[3] = {0}; /* all addresses; in memory; of files */
    text[len] = '\0';
    for (unsigned i = 0; i < 3; i++) {
        uint64_t number = text_number(at);
        pages[i] = number != MEMORY_NONE ? number : 0;
        while (*at == ' ')
            at++;
        while (*at != ' ' && *at != '\0')
            at++;
    }
    if (file >= 0)
        file_close(file);
    errno = before;
    return pages[1] > pages[2] ? (pages[1] - pages[2]) * loam_pages_page() : 0;
}
